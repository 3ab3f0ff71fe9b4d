// Getting at packet bytes, by program type: through checked pointers (XDP, tc, cgroups), or by copying them to the stack (socket filters, netfilter).
// Everything above asks for "these bytes of that base, or go to `missing`" and is told a register and displacement to load from.

import {
  CONTEXTS,
  type Code,
  HELPERS,
  KFUNCS,
  type Label,
  NF_HOOK_STATE,
  PROG_TYPES,
  type ProgTypeName,
} from '@netsieve/asm'
import { ETHERTYPE, NFPROTO } from '@netsieve/packet'
import { type Emitter, R } from './emitter.ts'
import { SLOT, swapped } from './path.ts'

export interface Place {
  readonly reg: number
  readonly disp: number
}

/** Where a base starts: a register (none: the start of the packet), plus a fixed number of bytes. */
export interface BaseRef {
  /** How far the register may lie behind the start of the packet by what the verifier knows, if that is far. */
  readonly spread?: number
  /** Wire offset that the base stands for, where the frame's tag may lie beside it: only of bases in the link header. */
  readonly wire?: number
  /** What the emitter's flow counts checked bytes from: bytes from the register on. */
  readonly base: 'link' | 'net' | 'transport'
  readonly reg: number | undefined
  readonly disp: number
}

export interface Access {
  /** The program's packet begins with the network header: there is nothing before it. */
  readonly startsAtNetwork: boolean
  /** Registers beside those of bases that hold something to the end. */
  readonly keeps: readonly number[]
  /** R.CTX is the program's context, to the end. */
  readonly keepsContext: boolean
  /** Sets up R.CTX and, where pointers are used, R.DATA and R.END. */
  prologue(e: Emitter): void
  /** Makes `bytes` bytes at `offset` from a base readable, or goes to `missing`. */
  reach(e: Emitter, ref: BaseRef, offset: number, bytes: number, missing: Label): Place
  /** The same with a run-time number of bytes, in R.A, added to the offset. */
  reachIndexed(e: Emitter, ref: BaseRef, offset: number, bytes: number, missing: Label): Place
  /** R[dst] = where a base starts: a pointer or an offset, as registers of bases hold it. */
  baseInto(e: Emitter, dst: number, ref: BaseRef): void
  /** Calls a helper whose arguments, if it has any, are in place; R.RET = what it gives, the scratch registers hold nothing. */
  call(e: Emitter, helper: number): void
  /** Calls a function of the program by its number, with the context, which is in R[context], and what `args` puts into the registers behind it. */
  callFunction(e: Emitter, number: number, context: number, args: (code: Code) => void): void
  /** The start and end of the packet anew, with nothing known of them. */
  renew(e: Emitter): void
  /** R[dst] = bytes from the start of the packet's data to a base. */
  offsetInto(e: Emitter, dst: number, ref: BaseRef): void
  /** R[dst] = bytes from a base to the end of the packet's data. */
  rest(e: Emitter, dst: number, ref: BaseRef): void
  /** Goes to `target` if fewer than R[length] bytes follow the base; clobbers R.A. */
  tooShort(e: Emitter, ref: BaseRef, length: number, target: Label): void
  /** R[dst] = the packet's length. */
  length(e: Emitter, dst: number): void
  /** R[dst] = the packet's EtherType as it is loaded from network order, as the context has it; of packets that start at the network header. */
  protocol(e: Emitter, dst: number): void
}

/** Variable offsets above this are taken for outside: the kernel follows packet pointers up to 0xffff, fixed parts included. */
export const MAX_OFFSET = 0xfe00
/** No chain of IPv6 extension headers that is followed reaches further: 40 bytes and 16 headers of at most 2,048. */
export const MAX_WALK = 0x8040

const skbProtocol = (e: Emitter, dst: number): void =>
  e.put((c) => c.load(4, dst, R.CTX, CONTEXTS.__sk_buff.fields.protocol.offset))

/** A call of a function: its number stands where `linked` puts the distance. */
function callNumber(code: Code, number: number, context: number, args: (code: Code) => void): void {
  code.mov(1, { reg: context })
  args(code)
  code.emit('call_local', { imm: number })
}

/** XDP, tc, cgroups: loads through data pointers after a comparison with data_end. */
function direct(type: ProgTypeName): Access {
  const fields = type === 'xdp' ? CONTEXTS.xdp_md.fields : CONTEXTS.__sk_buff.fields
  const wire = 'len' in fields ? fields.len.offset : undefined
  const check = (e: Emitter, { base, reg }: BaseRef, end: number, missing: Label): void => {
    if (e.flow[base] >= end) return
    e.put((c) => {
      c.mov(R.B, { reg: reg ?? R.DATA })
      c.alu('add', R.B, end)
    })
    e.jump('jgt', R.B, { reg: R.END }, missing)
    e.know({ [base]: end })
  }
  const pointers = (e: Emitter): void =>
    e.put((c) => {
      c.load(4, R.DATA, R.CTX, fields.data.offset)
      c.load(4, R.END, R.CTX, fields.data_end.offset)
    })
  const renew = (e: Emitter): void => {
    pointers(e)
    e.know({ link: 0 })
  }
  return {
    startsAtNetwork: PROG_TYPES[type].firstHeader === 'net',
    keepsContext: true,
    keeps: [R.DATA, R.END],
    prologue(e) {
      e.put((c) => c.mov(R.CTX, { reg: 1 }))
      pointers(e)
    },
    call(e, helper) {
      e.put((c) => c.call(helper))
      // The pointers were in registers that a call does not keep; of new ones nothing is known yet.
      renew(e)
    },
    callFunction(e, number, context, args) {
      e.put((c) => callNumber(c, number, context, args))
      renew(e)
    },
    renew,
    reach(e, ref, offset, bytes, missing) {
      check(e, ref, ref.disp + offset + bytes, missing)
      return { reg: ref.reg ?? R.DATA, disp: ref.disp + offset }
    },
    reachIndexed(e, { reg, disp, spread = 0 }, offset, bytes, missing) {
      // The whole pointer must stay where the verifier follows it.
      e.jump('jgt', R.A, Math.max(0, MAX_OFFSET - spread - Math.max(0, disp + offset + bytes)), missing)
      e.put((c) => {
        c.alu('add', R.A, { reg: reg ?? R.DATA })
        c.mov(R.B, { reg: R.A })
        c.alu('add', R.B, disp + offset + bytes)
      })
      e.jump('jgt', R.B, { reg: R.END }, missing)
      return { reg: R.A, disp: disp + offset }
    },
    baseInto(e, dst, { reg, disp }) {
      e.put((c) => {
        c.mov(dst, { reg: reg ?? R.DATA })
        if (disp !== 0) c.alu('add', dst, disp)
      })
    },
    offsetInto(e, dst, { reg, disp }) {
      e.put((c) => {
        if (reg === undefined) return c.mov(dst, disp)
        c.mov(dst, { reg })
        c.alu('sub', dst, { reg: R.DATA })
        if (disp !== 0) c.alu('add', dst, disp)
      })
    },
    rest(e, dst, { reg, disp }) {
      e.put((c) => {
        c.mov(dst, { reg: R.END })
        c.alu('sub', dst, { reg: reg ?? R.DATA })
        if (disp !== 0) c.alu('sub', dst, disp)
      })
    },
    tooShort(e, { reg, disp }, length, target) {
      e.put((c) => {
        c.mov(R.A, { reg: reg ?? R.DATA })
        if (disp !== 0) c.alu('add', R.A, disp)
        c.alu('add', R.A, { reg: length })
      })
      e.jump('jgt', R.A, { reg: R.END }, target)
    },
    length(e, dst) {
      e.put((c) => {
        if (wire !== undefined) return c.load(4, dst, R.CTX, wire)
        c.mov(dst, { reg: R.END })
        c.alu('sub', dst, { reg: R.DATA })
      })
    },
    protocol: skbProtocol,
  }
}

/** What programs that copy bytes do in their own way. */
interface Copying extends Pick<Access, 'startsAtNetwork' | 'keepsContext' | 'prologue' | 'length' | 'protocol'> {
  /** Copies `bytes` bytes from the offset in R2 to SLOT.bytes; R.RET is not 0 where they are not all there. */
  readonly copy: (e: Emitter, bytes: number) => void
}

/** Programs without data pointers: registers of bases hold offsets, bytes are copied to the stack by a helper that fails outside the packet. */
function copied(own: Copying): Access {
  /** R2 holds the offset. */
  const copy = (e: Emitter, bytes: number, missing: Label): Place => {
    own.copy(e, bytes)
    e.jump('jne', R.RET, 0, missing)
    return { reg: R.FP, disp: SLOT.bytes }
  }
  const offset = (e: Emitter, dst: number, { reg, disp }: BaseRef): void =>
    e.put((c) => {
      if (reg === undefined) return c.mov(dst, disp)
      c.mov(dst, { reg })
      if (disp !== 0) c.alu('add', dst, disp)
    })
  return {
    ...own,
    keeps: [],
    call(e, helper) {
      e.put((c) => c.call(helper))
    },
    callFunction(e, number, context, args) {
      e.put((c) => callNumber(c, number, context, args))
    },
    renew() {},
    reach(e, { base, reg, disp }, offset, bytes, missing) {
      e.put((c) => {
        if (reg === undefined) return c.mov(2, disp + offset)
        c.mov(2, { reg })
        if (disp + offset !== 0) c.alu('add', 2, disp + offset)
      })
      const place = copy(e, bytes, missing)
      e.know({ [base]: Math.max(e.flow[base], disp + offset + bytes) })
      return place
    },
    reachIndexed(e, { reg, disp }, offset, bytes, missing) {
      e.jump('jgt', R.A, MAX_OFFSET, missing)
      e.put((c) => {
        c.mov(2, { reg: R.A })
        if (reg !== undefined) c.alu('add', 2, { reg })
        if (disp + offset !== 0) c.alu('add', 2, disp + offset)
      })
      return copy(e, bytes, missing)
    },
    baseInto: offset,
    offsetInto: offset,
    rest(e, dst, { reg, disp }) {
      own.length(e, dst)
      e.put((c) => {
        if (reg !== undefined) c.alu('sub', dst, { reg })
        if (disp !== 0) c.alu('sub', dst, disp)
      })
    },
    tooShort(e, { reg, disp }, length, target) {
      own.length(e, R.A)
      e.put((c) => {
        c.mov(R.B, { reg: length })
        if (reg !== undefined) c.alu('add', R.B, { reg })
        if (disp !== 0) c.alu('add', R.B, disp)
      })
      e.jump('jgt', R.B, { reg: R.A }, target)
    },
  }
}

const SOCKET_FILTER = copied({
  startsAtNetwork: false,
  keepsContext: true,
  prologue(e) {
    e.put((c) => c.mov(R.CTX, { reg: 1 }))
  },
  copy(e, bytes) {
    e.put((c) => {
      c.mov(1, { reg: R.CTX })
      c.mov(3, { reg: R.FP })
      c.alu('add', 3, SLOT.bytes)
      c.mov(4, bytes)
      c.call(HELPERS.skb_load_bytes.id)
    })
  },
  length(e, dst) {
    e.put((c) => c.load(4, dst, R.CTX, CONTEXTS.__sk_buff.fields.len.offset))
  },
  protocol: skbProtocol,
})

/**
 * Netfilter's programs read through a dynamic pointer. All that is asked of their context is asked at the start:
 * R.CTX holds the packet's length, and its EtherType in the upper half.
 */
const NETFILTER = copied({
  startsAtNetwork: true,
  keepsContext: false,
  prologue(e) {
    const { state, skb } = CONTEXTS.bpf_nf_ctx.fields
    const pointer = (reg: number) =>
      e.put((c) => {
        c.mov(reg, { reg: R.FP })
        c.alu('add', reg, SLOT.dynptr)
      })
    e.put((c) => {
      c.mov(R.CTX, { reg: 1 })
      c.load(8, 1, R.CTX, skb.offset)
      c.mov(2, 0)
    })
    pointer(3)
    e.put((c) => c.callKernel(KFUNCS.bpf_dynptr_from_skb.id))
    pointer(1)
    e.put((c) => {
      c.callKernel(KFUNCS.bpf_dynptr_size.id)
      c.load(8, R.A, R.CTX, state.offset)
      c.load(1, R.A, R.A, NF_HOOK_STATE.pf)
      c.mov(R.B, 0)
    })
    for (const family of ['ipv4', 'ipv6'] as const) {
      const other = e.label(`not ${family}`)
      e.jump('jne', R.A, NFPROTO[family], other)
      e.put((c) => c.mov(R.B, swapped(ETHERTYPE[family])))
      e.bind(other)
    }
    e.put((c) => {
      c.alu('lsh', R.B, 32)
      c.mov(R.CTX, { reg: R.RET }, 32)
      c.alu('or', R.CTX, { reg: R.B })
    })
  },
  copy(e, bytes) {
    e.put((c) => {
      c.mov(4, { reg: 2 })
      c.mov(1, { reg: R.FP })
      c.alu('add', 1, SLOT.bytes)
      c.mov(2, bytes)
      c.mov(3, { reg: R.FP })
      c.alu('add', 3, SLOT.dynptr)
      c.mov(5, 0)
      c.call(HELPERS.dynptr_read.id)
    })
  },
  length(e, dst) {
    e.put((c) => c.mov(dst, { reg: R.CTX }, 32))
  },
  protocol(e, dst) {
    e.put((c) => {
      c.mov(dst, { reg: R.CTX })
      c.alu('rsh', dst, 32)
    })
  },
})

export function accessFor(type: ProgTypeName): Access {
  if (type === 'netfilter') return NETFILTER
  return type === 'socket_filter' ? SOCKET_FILTER : direct(type)
}
