// Whether the state proves what an instruction needs; if not, the kernel's words for it. The second of the three questions.

import { LIMITS, MAP_FLAGS, NF_HOOK_STATE } from '@netsieve/asm'
import { contextAccess, socketAccess } from './context.ts'
import { isKnown } from './domain/num.ts'
import { tnumAdd, tnumAligned, tnumConst } from './domain/tnum.ts'
import { approx, toSigned, toUnsigned, uapprox } from './domain/wide.ts'
import type { Env } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { mapFlags, structOf } from './maps.ts'
import type { Access, Need } from './needs.ts'
import { bitsText } from './print.ts'
import { isPacketPointer, isPointer, isSocket, type Reg, typeName } from './reg.ts'
import { frameOf, spillSize } from './stack.ts'
import { byteType, EMPTY_SLOT, type Frame, hasSpill, INVALID, isFullSpill, SPILL } from './state.ts'

/** Offsets and sizes from here on are never taken. */
export const MAX_OFFSET = 1 << 29

type MemoryNeed = Extract<Need, { kind: 'memory' }>

/** @throws Rejection if the need is not met. */
export function prove(env: Env, need: Need): void {
  switch (need.kind) {
    case 'fields':
    case 'never':
      throw new Rejection(need.message)
    case 'read':
      return proveReadable(env, need.reg)
    case 'write':
      return proveWritable(env, need.reg)
    case 'number':
      if (env.settings.strict && isPointer(env.reg(need.reg))) throw new Rejection(`R${need.reg} ${need.why}`)
      return
    case 'atomicPlace':
      return proveAtomicPlace(env, need.reg, need.verb)
    case 'memory':
      return proveMemory(env, need)
  }
}

export function proveReadable(env: Env, reg: number): void {
  if (reg > 10) throw new Rejection(`R${reg} is invalid`)
  env.log.touchReg(reg)
  if (env.reg(reg).type === 'uninit') throw new Rejection(`R${reg} !read_ok`)
}

export function proveWritable(env: Env, reg: number): void {
  if (reg > 10) throw new Rejection(`R${reg} is invalid`)
  env.log.touchReg(reg)
  if (reg === 10) throw new Rejection('frame pointer is read only')
}

function proveAtomicPlace(env: Env, regno: number, verb: string): void {
  const reg = env.reg(regno)
  const barred = reg.type === 'ctx' || isPacketPointer(reg) || reg.type === 'flow_keys' || isSocket(reg.type)
  if (barred) throw new Rejection(`BPF_ATOMIC ${verb} R${regno} ${typeName(reg)} is not allowed`)
}

function proveMemory(env: Env, need: MemoryNeed): void {
  const reg = env.reg(need.reg)
  proveAligned(env, reg, need)
  const off = need.off + reg.off
  if (reg.nullable || !isPointer(reg)) throw badPointer(need.reg, reg)
  switch (reg.type) {
    case 'map_value':
      proveNoLeak(env, need, 'map')
      proveMapFlags(reg, off, need.size, need.access)
      return proveMapValue(need.reg, reg, off, need.size, false)
    case 'map_key':
      if (need.access === 'write') throw new Rejection(`write to change key R${need.reg} not allowed`)
      return proveRegion(need.reg, reg, off, need.size, reg.map!.keySize, false)
    case 'mem':
    case 'ringbuf_mem':
      proveNoLeak(env, need, 'mem')
      return proveRegion(need.reg, reg, off, need.size, reg.memSize, false)
    case 'ctx':
      return proveContext(env, need, reg, off)
    case 'fp':
      return proveStack(env, need, reg)
    case 'pkt':
    case 'pkt_meta':
      if (need.access === 'write' && !mayWritePacket(env)) throw new Rejection('cannot write into packet')
      proveNoLeak(env, need, 'packet')
      return provePacket(need.reg, reg, off, need.size, false)
    case 'sock':
    case 'sock_common':
    case 'tcp_sock':
    case 'xdp_sock':
      return proveSocket(need, reg, off)
    case 'trusted_ptr_sk_buff':
    case 'trusted_ptr_nf_hook_state':
      return proveKernelStruct(need, reg, off)
    case 'map_ptr':
      return proveMapStruct(env, need, reg, off)
    default:
      throw badPointer(need.reg, reg)
  }
}

/** The kernel's own structure behind a map pointer: privileged loaders may read it by its BTF, which we have not got. */
function proveMapStruct(env: Env, need: MemoryNeed, reg: Reg, off: number): never {
  const name = structOf(reg.map!)
  if (env.settings.strict)
    throw new Rejection(`'struct ${name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`)
  if (off < 0) throw new Rejection(`R${need.reg} is ${name} invalid negative access: off=${off}`)
  if (need.access === 'write') throw new Rejection(`only read from ${name} is supported`)
  throw new Unsupported('reading the kernel structures of maps')
}

/** The kernel's own struct by its BTF: no more of it is known here than where the packet is and its family. */
function proveKernelStruct(need: MemoryNeed, reg: Reg, off: number): void {
  const field = off === NF_HOOK_STATE.hook || off === NF_HOOK_STATE.pf
  const plain = need.access === 'read' && need.size === 1 && !need.signed && isKnown(reg.num)
  if (reg.type !== 'trusted_ptr_nf_hook_state' || !field || !plain)
    throw new Unsupported(`accesses of ${reg.type.slice('trusted_ptr_'.length)}`)
}

function badPointer(regno: number, reg: Reg): Rejection {
  return new Rejection(`R${regno} invalid mem access '${typeName(reg)}'`)
}

function mayWritePacket(env: Env): boolean {
  return env.settings.type === 'xdp' || env.settings.type === 'sched_cls'
}

function proveNoLeak(env: Env, need: MemoryNeed, where: string): void {
  const leaks = env.settings.strict && need.access === 'write' && need.value !== undefined
  if (leaks && isPointer(env.reg(need.value!))) throw new Rejection(`R${need.value} leaks addr into ${where}`)
}

/** Stack slots are tracked by whole registers, so their accesses are aligned; atomics are always. */
function proveAligned(env: Env, reg: Reg, need: MemoryNeed): void {
  if (need.size === 1 || (reg.type !== 'fp' && !need.aligned && !env.settings.strictAlignment)) return
  const off = reg.off + need.off
  if (isPacketPointer(reg)) {
    // The Ethernet header's 14 bytes leave IP headers 2 past a multiple of 4.
    const at = tnumAdd(reg.num.bits, tnumConst(0, 2 + off))
    if (tnumAligned(at, need.size)) return
    throw new Rejection(`misaligned packet access off 2+${bitsText(reg.num)}+${reg.off}+${need.off} size ${need.size}`)
  }
  if (tnumAligned(tnumAdd(reg.num.bits, tnumConst(off >> 31, off)), need.size)) return
  const what = ALIGN_NAMES[reg.type] ?? ''
  throw new Rejection(`misaligned ${what}access off ${bitsText(reg.num)}+${reg.off}+${need.off} size ${need.size}`)
}

const ALIGN_NAMES: Partial<Record<Reg['type'], string>> = {
  fp: 'stack ',
  map_value: 'value ',
  map_key: 'key ',
  ctx: 'context ',
  sock: 'sock ',
  sock_common: 'sock_common ',
  tcp_sock: 'tcp_sock ',
  xdp_sock: 'xdp_sock ',
}

/** A pointer that must be exactly what was handed out. */
export function proveFixedPointer(regno: number, reg: Reg): void {
  if (reg.off < 0) throw new Rejection(`negative offset ${typeName(reg)} ptr R${regno} off=${reg.off} disallowed`)
  if (reg.off !== 0)
    throw new Rejection(`dereference of modified ${typeName(reg)} ptr R${regno} off=${reg.off} disallowed`)
  if (!isKnown(reg.num) || reg.num.bits.vl !== 0 || reg.num.bits.vh !== 0)
    throw new Rejection(`variable ${typeName(reg)} access var_off=${bitsText(reg.num)} disallowed`)
}

function proveContext(env: Env, need: MemoryNeed, reg: Reg, off: number): void {
  proveNoLeak(env, need, 'ctx')
  proveFixedPointer(need.reg, reg)
  if (!contextAccess(env.settings, need.access, off, need.size, need.signed))
    throw new Rejection(`invalid bpf_context access off=${off} size=${need.size}`)
}

function proveSocket(need: MemoryNeed, reg: Reg, off: number): void {
  if (need.access === 'write') throw new Rejection(`R${need.reg} cannot write into ${typeName(reg)}`)
  if (reg.num.sminH < 0) throw negative(need.reg)
  if (!socketAccess(reg.type, off, need.size))
    throw new Rejection(`R${need.reg} invalid ${typeName(reg)} access off=${off} size=${need.size}`)
}

export function proveMapFlags(reg: Reg, off: number, size: number, access: Access): void {
  const { valueSize } = reg.map!
  const flags = mapFlags(reg.map!)
  const place = `value_size=${valueSize} off=${off} size=${size}`
  if (access === 'write' && flags & MAP_FLAGS.rdonly_prog) throw new Rejection(`write into map forbidden, ${place}`)
  if (access === 'read' && flags & MAP_FLAGS.wronly_prog) throw new Rejection(`read from map forbidden, ${place}`)
}

export function proveMapValue(regno: number, reg: Reg, off: number, size: number, zeroAllowed: boolean): void {
  const map = reg.map!
  proveRegion(regno, reg, off, size, map.valueSize, zeroAllowed)
  if (map.spinLockAt === undefined) return
  const first = approx(reg.num.sminH, reg.num.sminL) + off
  const last = uapprox(reg.num.umaxH, reg.num.umaxL) + off + size
  if (first < map.spinLockAt + 4 && map.spinLockAt < last)
    throw new Rejection('bpf_spin_lock cannot be accessed directly by load/store')
}

function negative(regno: number): Rejection {
  return new Rejection(`R${regno} min value is negative, either use unsigned index or do a if (index >=0) check.`)
}

/** An access at `off` plus the pointer's variable part, within `bytes` bytes of memory. */
export function proveRegion(
  regno: number,
  reg: Reg,
  off: number,
  size: number,
  bytes: number,
  zeroAllowed: boolean,
): void {
  const smin = approx(reg.num.sminH, reg.num.sminL)
  if (smin < 0 && (smin + off < 0 || smin + off > 0x7fffffff)) throw negative(regno)
  proveInside(regno, reg, smin + off, size, bytes, zeroAllowed, 'min value is outside of the allowed memory range')
  const umax = uapprox(reg.num.umaxH, reg.num.umaxL)
  if (umax >= MAX_OFFSET)
    throw new Rejection(`R${regno} unbounded memory access, make sure to bounds check any such access`)
  proveInside(regno, reg, umax + off, size, bytes, zeroAllowed, 'max value is outside of the allowed memory range')
}

/** One offset within a region; the kernel computes it as a 32-bit number. */
function proveInside(
  regno: number,
  reg: Reg,
  at: number,
  size: number,
  bytes: number,
  zeroAllowed: boolean,
  what: string,
): void {
  const off = at | 0
  if (off >= 0 && (size > 0 || (size === 0 && zeroAllowed)) && off + size <= bytes) return
  throw new Rejection(`${outside(regno, reg, off, size, bytes)}\nR${regno} ${what}`)
}

function outside(regno: number, reg: Reg, off: number, size: number, bytes: number): string {
  if (isPacketPointer(reg))
    return `invalid access to packet, off=${off} size=${size}, R${regno}(id=${reg.id},off=${off},r=${bytes})`
  if (reg.type === 'map_value') return `invalid access to map value, value_size=${bytes} off=${off} size=${size}`
  if (reg.type === 'map_key') return `invalid access to map key, key_size=${bytes} off=${off} size=${size}`
  return `invalid access to memory, mem_size=${bytes} off=${off} size=${size}`
}

/** An access through a packet pointer: `off` includes the pointer's fixed offset. */
export function provePacket(regno: number, reg: Reg, off: number, size: number, zeroAllowed: boolean): void {
  if (reg.num.sminH < 0) throw negative(regno)
  const what = 'offset is outside of the packet'
  if (reg.range < 0) throw new Rejection(`R${regno} ${what}`)
  proveInside(regno, reg, off, size, reg.range, zeroAllowed, what)
}

/** The span of a stack access is in the frame. `verb` is what the message calls it: ` read from`, ` indirect access to`. */
export function proveStackSpan(
  env: Env,
  regno: number,
  reg: Reg,
  off: number,
  size: number,
  access: Access,
  verb: string,
): void {
  const { num } = reg
  const fixed = isKnown(num)
  const at = off + reg.off
  if (!fixed && (approx(num.smaxH, num.smaxL) >= MAX_OFFSET || approx(num.sminH, num.sminL) <= -MAX_OFFSET))
    throw new Rejection(`invalid unbounded variable-offset${verb} stack R${regno}`)
  const min = approx(num.sminH, num.sminL) + at
  const max = approx(num.smaxH, num.smaxL) + at + size
  const frame = frameOf(env, reg)
  const lowest = access === 'write' || !env.settings.strict ? -LIMITS.stackBytes : -frame.stack.length * 8
  if (min >= lowest && min <= -1 && max <= 0) return
  if (fixed) throw new Rejection(`invalid${verb} stack R${regno} off=${min} size=${size}`)
  throw new Rejection(`invalid variable-offset${verb} stack R${regno} var_off=${bitsText(num)} off=${at} size=${size}`)
}

function proveStack(env: Env, need: MemoryNeed, reg: Reg): void {
  const verb = need.access === 'read' ? ' read from' : ' write to'
  proveStackSpan(env, need.reg, reg, need.off, need.size, need.access, verb)
  const fixed = isKnown(reg.num)
  const off = reg.off + need.off + reg.num.bits.vl
  if (need.access === 'write') return proveStackStore(env, need, reg, off, fixed)
  // Strict loaders cannot make a stack pointer whose offset varies.
  if (fixed) proveStackLoad(env, need, reg, off)
}

/** Strict: a pointer in the stack is overwritten whole or not at all. */
export function proveKeepsPointer(env: Env, frame: Frame, off: number, size: number): void {
  const slot = frame.stack[(-off - 1) >> 3] ?? EMPTY_SLOT
  if (env.settings.strict && hasSpill(slot) && slot.reg.type !== 'scalar' && size !== 8)
    throw new Rejection('attempt to corrupt spilled pointer on stack')
}

function proveStackStore(env: Env, need: MemoryNeed, reg: Reg, off: number, fixed: boolean): void {
  const value = need.value === undefined ? undefined : env.reg(need.value)
  if (!fixed) return
  proveKeepsPointer(env, frameOf(env, reg), off, need.size)
  if (!value || !isPointer(value)) return
  if (need.size !== 8) throw new Rejection('invalid size of register spill')
  if (value.type === 'fp' && frameOf(env, reg) !== env.frame)
    throw new Rejection('cannot spill pointers to stack into stack frame of the caller')
}

function proveStackLoad(env: Env, need: MemoryNeed, reg: Reg, off: number): void {
  const firstByte = -off - 1
  const slot = frameOf(env, reg).stack[firstByte >> 3] ?? EMPTY_SLOT
  const { strict } = env.settings
  if (hasSpill(slot)) {
    const whole = need.size === 8 && isFullSpill(slot)
    if (!whole && slot.reg.type !== 'scalar') throw new Rejection('invalid size of register fill')
    if (whole) {
      const leaks = strict && need.value === undefined && isPointer(slot.reg)
      if (leaks) throw new Rejection(`leaking pointer from stack off ${off}`)
      return
    }
    if (need.value === undefined || (off % 8 === 0 && need.size <= spillSize(slot))) return
  }
  if (!strict) return
  for (let i = 0; i < need.size; i++) {
    const type = byteType(slot, (firstByte - i) & 7)
    if (type === INVALID || (type === SPILL && !hasSpill(slot)))
      throw new Rejection(`invalid read from stack off ${off}+${i} size ${need.size}`)
  }
}

export function signedText(h: number, l: number): string {
  return toSigned(h, l).toString()
}

export function unsignedText(h: number, l: number): string {
  return toUnsigned(h, l).toString()
}
