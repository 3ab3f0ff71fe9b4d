// What a register or a spilled slot holds: nothing, a number, or a pointer of some kind with what is known of it.
// A Reg is never changed once a state holds it; states share them. `change` makes the altered copy.

import type { MapDef } from '@netsieve/asm'
import { isKnown, type Num, UNKNOWN, ZERO } from './domain/num.ts'

/** The kinds, by the words the kernel prints. `uninit` is a register that nothing has been written to. */
export type RegType =
  | 'uninit' | 'scalar' | 'ctx' | 'map_ptr' | 'map_value' | 'map_key' | 'fp' | 'pkt' | 'pkt_meta' | 'pkt_end' | 'flow_keys' | 'sock' | 'sock_common' | 'tcp_sock' | 'xdp_sock' | 'mem' | 'ringbuf_mem' | 'func' | 'dynptr' | 'trusted_ptr_sk_buff' | 'trusted_ptr_nf_hook_state' // biome-ignore format: one family

/** `range` of a packet pointer that is known to be at, or past, the end of the packet. */
export const AT_PKT_END = -1
export const BEYOND_PKT_END = -2

export class Reg {
  type: RegType
  /** The number, or the variable part of a pointer's offset. */
  num: Readonly<Num>
  /** Pointers: the fixed part of the offset. Linked scalars: the constant that was added. */
  off = 0
  /** Registers of one id hold the same number or come from one pointer; 0 for none. */
  id = 0
  /** Width of that addition; 0 where nothing was added. */
  delta: 0 | 32 | 64 = 0
  nullable = false
  /** The acquired object this belongs to, 0 for none. */
  refId = 0
  /** Packet pointers: bytes from the pointer's base that are in the packet. */
  range = 0
  map: MapDef | undefined = undefined
  /** Bytes behind a `mem` pointer. */
  memSize = 0
  /** Frame of an `fp` pointer. */
  frame = 0
  /** Function: its subprogram. */
  subprog = 0
  /** Scalars: states that differ here may not stand for each other. */
  precise = false

  constructor(type: RegType, num: Readonly<Num> = ZERO) {
    this.type = type
    this.num = num
  }
}

export const UNINIT = new Reg('uninit')
export const UNKNOWN_SCALAR = new Reg('scalar', UNKNOWN)
export const ZERO_SCALAR = new Reg('scalar', ZERO)

export function scalar(num: Readonly<Num>): Reg {
  return new Reg('scalar', num)
}

/** A copy that may be altered until it is put into a state. */
export function copy(reg: Reg): Reg {
  const c = new Reg(reg.type, reg.num)
  c.off = reg.off
  c.id = reg.id
  c.delta = reg.delta
  c.nullable = reg.nullable
  c.refId = reg.refId
  c.range = reg.range
  c.map = reg.map
  c.memSize = reg.memSize
  c.frame = reg.frame
  c.subprog = reg.subprog
  c.precise = reg.precise
  return c
}

/** The same with another number. */
export function withNum(reg: Reg, num: Readonly<Num>): Reg {
  const c = copy(reg)
  c.num = num
  return c
}

export function change(reg: Reg, fields: Partial<Reg>): Reg {
  return Object.assign(copy(reg), fields)
}

export function isPointer(reg: Reg): boolean {
  return reg.type !== 'scalar' && reg.type !== 'uninit'
}

export function isPacketPointer(reg: Reg): boolean {
  return reg.type === 'pkt' || reg.type === 'pkt_meta'
}

export function isNull(reg: Reg): boolean {
  return reg.type === 'scalar' && isKnown(reg.num) && reg.num.bits.vl === 0 && reg.num.bits.vh === 0
}

/** Structs of the kernel's own, known by BTF. */
export function isKernelStruct(type: RegType): boolean {
  return type === 'trusted_ptr_sk_buff' || type === 'trusted_ptr_nf_hook_state'
}

/** Kinds of socket that a program may hold. */
export function isSocket(type: RegType): boolean {
  return type === 'sock' || type === 'sock_common' || type === 'tcp_sock' || type === 'xdp_sock'
}

/** A pointer that is surely not null. */
export function isNotNull(reg: Reg): boolean {
  if (reg.nullable) return false
  switch (reg.type) {
    case 'sock':
    case 'sock_common':
    case 'tcp_sock':
    case 'map_value':
    case 'map_key':
    case 'map_ptr':
    case 'mem':
    case 'ringbuf_mem':
      return true
    default:
      return false
  }
}

/** The kind as messages name it: `map_value_or_null`. */
export function typeName(reg: Reg): string {
  if (reg.type === 'uninit') return '?'
  return reg.nullable ? `${reg.type}_or_null` : reg.type
}
