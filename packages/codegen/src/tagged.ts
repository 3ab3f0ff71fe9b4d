// A tag that is not in the frame: before tc and socket filters, the kernel takes the outermost 802.1Q tag off and keeps it beside the
// packet (skb->vlan_tci). Views count bytes as they were on the wire, with the tag:
//
//   wire   0 … 11      12 13       14 15      16 …
//   now    data[0…]    vlan_proto  vlan_tci   data[12…]

import type { Label } from '@netsieve/asm'
import { CONTEXTS } from '@netsieve/asm'
import type { Access, BaseRef, Place } from './access.ts'
import { type Emitter, R } from './emitter.ts'
import { SLOT } from './path.ts'

const { vlan_present, vlan_proto, vlan_tci } = CONTEXTS.__sk_buff.fields
const TAG = 12
const TAG_BYTES = 4
/** Wire offset of the first byte behind the tag. */
export const TAG_END = TAG + TAG_BYTES
/** Data of frames whose tag lies beside it, by wire offsets from behind the tag. */
export const BEHIND: BaseRef = { base: 'link', reg: undefined, disp: -TAG_BYTES }
const BEFORE: BaseRef = { base: 'link', reg: undefined, disp: 0 }

/** Goes to `tagged` if the packet's tag is beside it. */
export function ifTagBeside(e: Emitter, tagged: Label): void {
  e.put((c) => c.load(4, R.RET, R.CTX, vlan_present.offset))
  e.jump('jne', R.RET, 0, tagged)
}

/** R[dst] = the tag's type, as a number. */
export function tagType(e: Emitter, dst: number): void {
  e.put((c) => {
    c.load(4, dst, R.CTX, vlan_proto.offset)
    c.be(dst, 16)
  })
}

/** R[dst] = the tag's control information: priority, drop eligible, VLAN id. */
export function tagControl(e: Emitter, dst: number): void {
  e.put((c) => c.load(4, dst, R.CTX, vlan_tci.offset))
}

/** Makes bytes of the wire readable; those of the tag, and loads across it, are put together on the stack. */
export function reachWire(e: Emitter, access: Access, offset: number, bytes: number, missing: Label): Place {
  const end = offset + bytes
  if (end <= TAG) return access.reach(e, BEFORE, offset, bytes, missing)
  if (offset >= TAG_END) return access.reach(e, BEHIND, offset, bytes, missing)
  const at = (wire: number) => SLOT.joined + wire - offset
  copy(e, access, BEFORE, offset, Math.min(end, TAG), at(offset), missing)
  copy(e, access, BEHIND, Math.max(offset, TAG_END), end, at(TAG_END), missing)
  // Both halves of the tag by bytes, in network order.
  e.put((c) => {
    for (let wire = Math.max(offset, TAG); wire < Math.min(end, TAG_END); wire++) {
      const type = wire < TAG + 2
      c.load(4, R.A, R.CTX, type ? vlan_proto.offset : vlan_tci.offset)
      // The type is kept in network order, the control information in the host's.
      const high = type ? wire === TAG + 1 : wire === TAG + 2
      if (high) c.alu('rsh', R.A, 8)
      c.store(1, R.FP, at(wire), { reg: R.A })
    }
  })
  return { reg: R.FP, disp: SLOT.joined }
}

/** Copies bytes of data to the stack, one at a time: places on the stack must be aligned, these are anywhere. */
function copy(e: Emitter, access: Access, ref: BaseRef, from: number, to: number, slot: number, missing: Label): void {
  if (from >= to) return
  const { reg, disp } = access.reach(e, ref, from, to - from, missing)
  e.put((c) => {
    for (let i = 0; i < to - from; i++) {
      c.load(1, R.A, reg, disp + i)
      c.store(1, R.FP, slot + i, { reg: R.A })
    }
  })
}
