// What an instruction does to the state, once its needs are proved. The third of the three questions.

import { stepJump } from './branch.ts'
import { stepHelper, stepKernelFunction } from './call.ts'
import { knownContents } from './contents.ts'
import { contextAccess } from './context.ts'
import { signExtend64, truncate } from './domain/arith.ts'
import { isKnown, known, ZERO } from './domain/num.ts'
import type { Env } from './env.ts'
import { Rejection } from './errors.ts'
import { noteAccess } from './facts.ts'
import { callGlobal } from './global.ts'
import { proveNothingHeld } from './held.ts'
import { CMPXCHG, LOAD_ACQUIRE, type Need, STORE_RELEASE } from './needs.ts'
import { jumpTarget } from './prog.ts'
import { prove, proveFixedPointer, proveReadable, proveWritable } from './prove.ts'
import { change, isKernelStruct, isSocket, Reg, type RegType, scalar, UNINIT, UNKNOWN_SCALAR, withNum } from './reg.ts'
import { frameOf, loadStack, loadStackRange, reserve, stackSpan, storeStack, storeStackRange } from './stack.ts'
import { stepAlu } from './step-alu.ts'
import { earlierVisit, enter, leave, proveReturn, widen } from './subprog.ts'

type MemoryNeed = Extract<Need, { kind: 'memory' }>

/** Checks and does the instruction at `slot`. Returns the next slot; undefined where the path ends. */
export function step(env: Env, slot: number): number | undefined {
  const { prog } = env
  const opcode = prog.opcode[slot]!
  switch (opcode & 7) {
    case 0:
      if (opcode === 0x18) {
        loadImm64(env, slot)
        return slot + 2
      }
      loadPacket(env, slot)
      return slot + 1
    case 1:
    case 2:
    case 3:
      touchMemory(env, slot)
      return slot + 1
    case 4:
    case 7:
      for (const need of env.needsOf(slot)) prove(env, need)
      stepAlu(env, slot)
      return slot + 1
    default:
      return stepControl(env, slot)
  }
}

function stepControl(env: Env, slot: number): number | undefined {
  const { prog } = env
  const opcode = prog.opcode[slot]!
  env.counts.jumps++
  switch (opcode & 0xf0) {
    case 0x80:
      return stepCall(env, slot)
    case 0x90:
      if (opcode & 8 || prog.imm[slot] !== 0 || prog.src[slot] !== 0 || prog.dst[slot] !== 0)
        throw new Rejection('BPF_EXIT uses reserved fields')
      if (env.state.frames.length > 1) return leave(env)
      proveNothingHeld(env, 'BPF_EXIT instruction in main prog')
      proveReturn(env)
      return undefined
    case 0x00: {
      const field = opcode === 0x06 ? prog.off[slot] : prog.imm[slot]
      if (prog.src[slot] !== 0 || prog.dst[slot] !== 0 || field !== 0)
        throw new Rejection('BPF_JA uses reserved fields')
      return jumpTarget(prog, slot)
    }
    case 0xe0:
      return stepMayGoto(env, slot)
    default:
      return stepJump(env, slot)
  }
}

const SPIN_UNLOCK = 94

function stepCall(env: Env, slot: number): number {
  const { prog, state } = env
  const bad = prog.off[slot] !== 0 || prog.src[slot]! > 2 || prog.dst[slot] !== 0
  if (bad) throw new Rejection('BPF_CALL uses reserved fields')
  if (state.lock && prog.src[slot] === 0 && prog.imm[slot] !== SPIN_UNLOCK)
    throw new Rejection('function calls are not allowed while holding a lock')
  if (prog.src[slot] === 1) {
    const callee = env.structure.subprogOf[slot + 1 + prog.imm[slot]!]!
    return env.structure.subprogs[callee]!.proto?.global ? callGlobal(env, slot, callee) : enter(env, slot)
  }
  if (prog.src[slot] === 2) stepKernelFunction(env, slot)
  else stepHelper(env, slot)
  return slot + 1
}

/** Goes on, and puts the way out off; each round forgets what changed and does not matter. */
function stepMayGoto(env: Env, slot: number): number {
  const { prog } = env
  if (prog.src[slot] !== 0 || prog.dst[slot] !== 0 || prog.imm[slot] !== 0)
    throw new Rejection(`invalid may_goto imm ${prog.imm[slot]}`)
  const { parent } = env.state
  const earlier = parent && earlierVisit(env, parent.state, slot)
  const queued = env.putOff(slot + 1, slot)
  queued.mayGotoDepth++
  if (earlier) widen(env, earlier, queued)
  return jumpTarget(prog, slot)
}

function loadImm64(env: Env, slot: number): void {
  const { prog } = env
  const dst = prog.dst[slot]!
  if (prog.off[slot] !== 0) throw new Rejection('BPF_LD_IMM64 uses reserved fields')
  proveWritable(env, dst)
  const kind = prog.src[slot]!
  if (kind === 0) env.setReg(dst, scalar(known(prog.imm[slot + 1]!, prog.imm[slot]!)))
  else if (kind === 4) env.setReg(dst, functionAddress(env, slot))
  else {
    const map = env.settings.maps[prog.imm[slot]!]!
    const isValue = kind === 2 || kind === 6
    const reg = change(new Reg(isValue ? 'map_value' : 'map_ptr'), { map, off: isValue ? prog.imm[slot + 1]! : 0 })
    if (isValue && map.spinLockAt !== undefined) reg.id = env.newId()
    env.setReg(dst, reg)
  }
}

function functionAddress(env: Env, slot: number): Reg {
  if (!env.settings.functions) throw new Rejection('missing btf func_info')
  const subprog = env.structure.subprogOf[slot + 1 + env.prog.imm[slot]!]!
  if (env.structure.subprogs[subprog]!.proto?.global) throw new Rejection('callback function not static')
  return change(new Reg('func'), { subprog })
}

const PACKET_TYPES: ReadonlySet<string> = new Set(['socket_filter', 'sched_cls'])
const PACKET_LOAD = 'BPF_LD_[ABS|IND]'

function loadPacket(env: Env, slot: number): void {
  const { prog } = env
  const byReg = (prog.opcode[slot]! & 0xe0) === 0x40
  if (!PACKET_TYPES.has(env.settings.type))
    throw new Rejection(`${PACKET_LOAD} instructions not allowed for this program type`)
  if (prog.dst[slot] !== 0 || prog.off[slot] !== 0 || (!byReg && prog.src[slot] !== 0))
    throw new Rejection(`${PACKET_LOAD} uses reserved fields`)
  proveReadable(env, 6)
  proveNothingHeld(env, PACKET_LOAD)
  if (env.reg(6).type !== 'ctx') throw new Rejection('at the time of BPF_LD_ABS|IND R6 != pointer to skb')
  if (byReg) proveReadable(env, prog.src[slot]!)
  proveFixedPointer(6, env.reg(6))
  for (let r = 0; r <= 5; r++) {
    env.log.touchReg(r)
    env.setReg(r, UNINIT)
  }
  env.setReg(0, UNKNOWN_SCALAR)
}

/** Loads, stores and atomics: each memory need is proved, then done. */
function touchMemory(env: Env, slot: number): void {
  const { prog } = env
  const isAtomic = (prog.opcode[slot]! & 0xe7) === 0xc3
  const imm = prog.imm[slot]!
  const isUpdate = isAtomic && imm !== LOAD_ACQUIRE && imm !== STORE_RELEASE
  const needs = env.needsOf(slot)
  const kindReg = needs.find((need) => need.kind === 'memory')?.reg
  for (const need of needs) {
    prove(env, need)
    if (need.kind !== 'memory') continue
    noteAccess(env, slot, env.reg(need.reg))
    if (need.access === 'write') store(env, need, isAtomic ? undefined : slot)
    else if (!isUpdate) load(env, need)
    else if (imm & 1) {
      const value = imm === CMPXCHG ? 0 : prog.src[slot]!
      env.setReg(value, UNKNOWN_SCALAR)
      load(env, { ...need, value })
    } else if (env.reg(need.reg).type === 'fp') load(env, { ...need, value: undefined })
  }
  if (kindReg !== undefined) oneKind(env, slot, kindReg)
}

/** One instruction is compiled for one kind of pointer where kinds differ in how memory is reached. */
function oneKind(env: Env, slot: number, regno: number): void {
  const reg = env.reg(regno)
  const kind = reg.type
  const before = env.accessKind[slot]
  env.accessKind[slot] = kind
  const special = (t: RegType | undefined) => t !== undefined && (t === 'ctx' || isSocket(t) || isKernelStruct(t))
  if (before !== undefined && before !== kind && (special(before) || special(kind)))
    throw new Rejection('same insn cannot be used with different pointers')
}

function reserveFor(env: Env, need: MemoryNeed): void {
  const reg = env.reg(need.reg)
  const [min] = isKnown(reg.num) ? [reg.off + need.off + reg.num.bits.vl] : stackSpan(reg, need.off)
  reserve(env, frameOf(env, reg), min)
}

function load(env: Env, need: MemoryNeed): void {
  const reg = env.reg(need.reg)
  const dst = need.value
  let loaded: Reg = UNKNOWN_SCALAR
  if (reg.type === 'ctx') {
    const field = contextAccess(env.settings, 'read', need.off, need.size, need.signed)!
    if (field.type !== 'scalar') {
      const pointer = change(new Reg(field.type, ZERO), { nullable: field.nullable })
      if (field.nullable) pointer.id = env.newId()
      if (dst !== undefined) env.setReg(dst, pointer)
      return
    }
  } else if (reg.type === 'fp') {
    reserveFor(env, need)
    const frame = frameOf(env, reg)
    if (isKnown(reg.num)) loaded = loadStack(env, frame, reg.off + need.off + reg.num.bits.vl, need.size)
    else {
      const [min, max] = stackSpan(reg, need.off)
      loaded = loadStackRange(env, frame, min, max + need.size)
    }
  } else if (reg.type === 'map_value') {
    const held = knownContents(reg, need.off, need.size)
    if (held) loaded = scalar(held)
  }
  if (dst !== undefined) env.setReg(dst, narrow(loaded, need))
}

/** A load of fewer than 8 bytes extends them. */
function narrow(reg: Reg, need: MemoryNeed): Reg {
  if (need.size === 8 || reg.type !== 'scalar') return reg
  return withNum(reg, need.signed ? signExtend64(reg.num, need.size) : truncate(reg.num, need.size))
}

/** `slot` where the value stored is the instruction's own register or immediate; undefined for what an atomic leaves. */
function store(env: Env, need: MemoryNeed, slot: number | undefined): void {
  const reg = env.reg(need.reg)
  if (reg.type !== 'fp') return env.liveStack.wrote(-1, undefined)
  reserveFor(env, need)
  const frame = frameOf(env, reg)
  const imm = slot !== undefined && need.value === undefined ? env.prog.imm[slot]! : undefined
  if (isKnown(reg.num)) storeStack(env, frame, reg.off + need.off + reg.num.bits.vl, need.size, need.value, imm)
  else {
    const [min, max] = stackSpan(reg, need.off)
    storeStackRange(env, frame, min, max + need.size, need.value, imm)
  }
}
