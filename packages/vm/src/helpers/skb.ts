// Helpers on socket buffers: reading and writing the packet by offset, checksums, size, VLAN tags, redirection.

import { CONTEXTS, type HelperName } from '@netsieve/asm'
import { networkOrder16 } from '../context.ts'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { replace2, replace4, replaceByDiff } from './checksum.ts'
import { arg, flagsArg, type HelperFunction, uarg } from './helper.ts'

const SKB = CONTEXTS.__sk_buff.fields
const INT_MAX = 0x7fffffff
const TC_ACT_SHOT = 2
const TC_ACT_REDIRECT = 7

/** Copies packet bytes out; zeros and an errno where they are not all there. */
function loadBytes(engine: Engine, start: number, limit: number): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const offset = uarg(engine, 2)
  const length = uarg(engine, 4)
  const to = engine.memArg(3, length, true)
  if (to === undefined) return undefined
  const { bytes } = engine.mem
  const from = start + offset
  if (offset > limit || from + length > engine.end) {
    bytes.fill(0, to, to + length)
    return ERRNO.EFAULT
  }
  bytes.copyWithin(to, from, from + length)
  return 0
}

function loadBytesRelative(engine: Engine): number | undefined {
  const header = arg(engine, 5)
  // 0 is the link header, 1 the network header; others load nothing.
  const start = header === 0 ? engine.linkAt : engine.netAt
  const limit = header === 0 || header === 1 ? 0xffff : -1
  return loadBytes(engine, start, limit)
}

function storeBytes(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const offset = uarg(engine, 2)
  const length = uarg(engine, 4)
  const from = engine.memArg(3, length, false)
  if (from === undefined) return undefined
  if (flagsArg(engine, 5) & ~3) return ERRNO.EINVAL
  if (offset > INT_MAX || engine.data + offset + length > engine.end) return ERRNO.EFAULT
  engine.mem.bytes.copyWithin(engine.data + offset, from, from + length)
  if (arg(engine, 5) & 2) setField(engine, SKB.hash, 0)
  return 0
}

function setField(engine: Engine, field: { readonly offset: number }, value: number): void {
  engine.mem.view.setInt32(engine.ctxAt + field.offset, value, true)
}

/** Where a checksum field is; undefined if not wholly in the packet or at an odd offset. */
function checksumAt(engine: Engine): number | undefined {
  const offset = uarg(engine, 2)
  if (offset > 0xffff || offset & 1) return undefined
  const at = engine.data + offset
  return at + 2 <= engine.end ? at : undefined
}

function replaced(field: number, size: number, from: number, to: number): number | undefined {
  if (size === 0) return from === 0 ? replaceByDiff(field, to) : undefined
  if (size === 2) return replace2(field, from & 0xffff, to & 0xffff)
  return size === 4 ? replace4(field, from, to) : undefined
}

function l3CsumReplace(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const flags = flagsArg(engine, 5)
  if (flags & ~0xf) return ERRNO.EINVAL
  const at = checksumAt(engine)
  if (at === undefined) return ERRNO.EFAULT
  const { view } = engine.mem
  const value = replaced(view.getUint16(at, true), flags, uarg(engine, 3), uarg(engine, 4))
  if (value === undefined) return ERRNO.EINVAL
  view.setUint16(at, value, true)
  return 0
}

/** BPF_F_MARK_MANGLED_0: a field of 0 stays 0, as UDP has it; BPF_F_MARK_ENFORCE: even then it is computed. */
function l4CsumReplace(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const flags = flagsArg(engine, 5)
  if (flags & ~0xff) return ERRNO.EINVAL
  const at = checksumAt(engine)
  if (at === undefined) return ERRNO.EFAULT
  const { view } = engine.mem
  const field = view.getUint16(at, true)
  const mangled = (flags & 0x20) !== 0
  if (mangled && !(flags & 0x40) && field === 0) return 0
  const value = replaced(field, flags & 0xf, uarg(engine, 3), uarg(engine, 4))
  if (value === undefined) return ERRNO.EINVAL
  view.setUint16(at, mangled && value === 0 ? 0xffff : value, true)
  return 0
}

/** After the packet changed its size. */
function resized(engine: Engine): void {
  setField(engine, SKB.len, engine.end - engine.data)
  engine.packetMoved()
}

const HEADROOM_LIMIT = 4096

function vlanPush(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  // The protocol comes in network order; anything but 802.1ad is 802.1Q.
  const proto = networkOrder16(arg(engine, 2) & 0xffff) === 0x88a8 ? 0x88a8 : 0x8100
  const { view, bytes } = engine.mem
  const at = engine.ctxAt
  if (view.getInt32(at + SKB.vlan_present.offset, true) !== 0) {
    // The tag there was goes into the frame, the new one beside it.
    if (engine.data - 4 < engine.roomFrom) return ERRNO.ENOMEM
    bytes.copyWithin(engine.data - 4, engine.data, engine.data + 12)
    engine.data -= 4
    engine.linkAt -= 4
    engine.meta = engine.data
    view.setInt16(engine.data + 12, view.getInt16(at + SKB.vlan_proto.offset, true), true)
    view.setUint16(engine.data + 14, view.getUint16(at + SKB.vlan_tci.offset, true), false)
    resized(engine)
  }
  setField(engine, SKB.vlan_present, 1)
  setField(engine, SKB.vlan_proto, networkOrder16(proto))
  setField(engine, SKB.vlan_tci, arg(engine, 3) & 0xffff)
  return 0
}

function vlanPop(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const { view, bytes } = engine.mem
  if (view.getInt32(engine.ctxAt + SKB.vlan_present.offset, true) !== 0) {
    setField(engine, SKB.vlan_present, 0)
    setField(engine, SKB.vlan_proto, 0)
    setField(engine, SKB.vlan_tci, 0)
    return 0
  }
  const inFrame = isVlan(view.getUint16(engine.ctxAt + SKB.protocol.offset, false))
  if (!inFrame || engine.end - engine.data < 18) return 0
  bytes.copyWithin(engine.data + 4, engine.data, engine.data + 12)
  engine.data += 4
  engine.linkAt += 4
  engine.meta = engine.data
  setField(engine, SKB.protocol, view.getUint16(engine.data + 12, true))
  resized(engine)
  return 0
}

function isVlan(ethertype: number): boolean {
  return ethertype === 0x8100 || ethertype === 0x88a8
}

/** Makes room at the head, filled with 0, or takes none away: head_room only grows. */
function changeHead(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const room = uarg(engine, 2)
  if (flagsArg(engine, 3) !== 0) return ERRNO.EINVAL
  const length = engine.end - engine.data + room
  if (length > HEADROOM_LIMIT * 16) return ERRNO.EINVAL
  if (engine.data - room < engine.roomFrom) return ERRNO.ENOMEM
  engine.data -= room
  engine.linkAt = engine.data
  engine.meta = engine.data
  engine.mem.bytes.fill(0, engine.data, engine.data + room)
  resized(engine)
  return 0
}

function changeTail(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const length = uarg(engine, 2)
  if (flagsArg(engine, 3) !== 0) return ERRNO.EINVAL
  const least = engine.netAt - engine.data
  if (length < least || engine.data + length > engine.packetTo) return ERRNO.EINVAL
  const before = engine.end
  engine.end = engine.data + length
  if (engine.end > before) engine.mem.bytes.fill(0, before, engine.end)
  resized(engine)
  return 0
}

function pullData(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  return uarg(engine, 2) > engine.end - engine.data ? ERRNO.ENOMEM : 0
}

function changeType(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const [type, now] = [uarg(engine, 2), engine.mem.view.getInt32(engine.ctxAt + SKB.pkt_type.offset, true)]
  // Only between HOST, BROADCAST, MULTICAST and OTHERHOST.
  if (type > 3 || now > 3) return ERRNO.EINVAL
  setField(engine, SKB.pkt_type, type)
  return 0
}

function redirect(engine: Engine): number {
  const flags = flagsArg(engine, 2)
  const xdp = engine.options.type === 'xdp'
  if (flags & (xdp ? ~0 : ~1)) return xdp ? 0 : TC_ACT_SHOT
  engine.outputs.push({ kind: 'redirect', to: 'ifindex', target: arg(engine, 1), flags })
  return xdp ? 4 : TC_ACT_REDIRECT
}

function cloneRedirect(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  if (flagsArg(engine, 3) & ~1) return ERRNO.EINVAL
  engine.outputs.push({ kind: 'clone', target: arg(engine, 2), data: engine.packetBytes() })
  return 0
}

/** Sets the ECN field to "congestion experienced" where the packet says it can be: 1 if it is set afterwards. */
function ecnSetCe(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const { view, bytes } = engine.mem
  const protocol = view.getUint16(engine.ctxAt + SKB.protocol.offset, false)
  const at = engine.netAt
  if (protocol === 0x0800 && at + 20 <= engine.end) {
    const ecn = bytes[at + 1]! & 3
    if (ecn === 0) return 0
    if (ecn === 3) return 1
    const before = view.getUint16(at, true)
    bytes[at + 1]! |= 3
    view.setUint16(at + 10, replace2(view.getUint16(at + 10, true), before, view.getUint16(at, true)), true)
    return 1
  }
  if (protocol === 0x86dd && at + 40 <= engine.end) {
    const ecn = (bytes[at + 1]! >> 4) & 3
    if (ecn === 0) return 0
    bytes[at + 1]! |= 0x30
    return 1
  }
  return 0
}

export const SKB_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  skb_load_bytes: (engine) => loadBytes(engine, engine.data, INT_MAX),
  skb_load_bytes_relative: loadBytesRelative,
  skb_store_bytes: storeBytes,
  l3_csum_replace: l3CsumReplace,
  l4_csum_replace: l4CsumReplace,
  skb_vlan_push: vlanPush,
  skb_vlan_pop: vlanPop,
  skb_change_head: changeHead,
  skb_change_tail: changeTail,
  skb_change_type: changeType,
  skb_pull_data: pullData,
  skb_ecn_set_ce: ecnSetCe,
  redirect,
  clone_redirect: cloneRedirect,
  get_hash_recalc: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    engine.regs[0] = engine.mem.view.getInt32(engine.ctxAt + SKB.hash.offset, true)
    engine.regs[1] = 0
    return undefined
  },
  set_hash_invalid: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    setField(engine, SKB.hash, 0)
    return 0
  },
  set_hash: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    setField(engine, SKB.hash, arg(engine, 2))
    return 0
  },
  // A checksum that the device made is not simulated: the kernel says so with -ENOTSUPP.
  csum_update: (engine) => (engine.ctxArg(1) ? ERRNO.ENOTSUPP : undefined),
  get_socket_cookie: () => 0,
  get_socket_uid: () => 65534,
}
