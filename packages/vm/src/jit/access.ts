// Loads, stores and atomics. An access is checked unless it is certain (own stack, context at a known place) or was proved by a
// verifier; what a check refuses is left to the machine.

import { ACCESS } from '../context.ts'
import { REGION } from '../memory.ts'
import { IMPORT } from './abi.ts'
import { emitOperation } from './atomics.ts'
import { type Access, emitCheck, emitCheckNotContext, emitCheckPacket, emitCheckValue, emitCold } from './bounds.ts'
import type { FunctionEmitter } from './emitter.ts'
import { inFrame, KIND } from './kinds.ts'
import { LOADS, SIZES, STORES } from './opcodes.ts'
import { I64, W } from './writer.ts'

export function emitLoad(fn: FunctionEmitter, pc: number, d: number, s: number, off: number): void {
  pushLoad(fn, pc, d, s, off)
  fn.setRegister(d)
}

function pushLoad(fn: FunctionEmitter, pc: number, d: number, s: number, off: number): void {
  const { body } = fn
  const op = fn.code[pc]!
  const place = { pc, base: s, off, size: SIZES[op]!, write: false }
  if (isCertain(fn, place)) {
    const offset = pushAddress(fn, s, off)
    body.mem(LOADS[op]!, offset)
    return
  }
  if (fn.kinds[s] === KIND.ctx && pushContext(fn, op, s, off)) return
  pushCheck(fn, place)
  fn.openIf(I64)
  body.get(fn.temp()).mem(LOADS[op]!, 0).op(W.else)
  emitCold(fn, 'load', pc, s)
  // All 64 bits: a pointer of the context comes from 32.
  body.i32(fn.engine.regsAt + d * 8).mem(W.i64_load, 0)
  if (op === 0x81) body.op(W.i64_extend32_s)
  else if (op === 0x89) body.op(W.i64_extend16_s)
  else if (op === 0x91) body.op(W.i64_extend8_s)
  fn.closeIf()
}

export function emitStore(fn: FunctionEmitter, pc: number, d: number, s: number, off: number): void {
  const { body } = fn
  const op = fn.code[pc]!
  const size = SIZES[op]!
  const place = { pc, base: d, off, size, write: true }
  if (isCertain(fn, place)) {
    const offset = pushAddress(fn, d, off)
    fn.value(s)
    body.mem(STORES[op]!, offset)
    return
  }
  if (fn.kinds[d] === KIND.ctx && isPlainContext(fn, fn.offsetOf(d) + off, size)) {
    body.i32(fn.engine.ctxAt + fn.offsetOf(d) + off)
    fn.value(s)
    body.mem(STORES[op]!, 0)
    return
  }
  pushCheck(fn, place)
  fn.openIf()
  body.get(fn.temp())
  fn.value(s)
  body.mem(STORES[op]!, 0).op(W.else)
  if (s < 11) fn.spill([s])
  emitCold(fn, 'store', pc, d)
  fn.closeIf()
}

/** Nothing else runs, so an atomic is a load and a store. Where its check refuses, registers go to the machine and come back. */
export function emitAtomic(fn: FunctionEmitter, pc: number, d: number, s: number, off: number): void {
  const { spec } = fn.target.program.insns[pc >> 2]!
  const place = { pc, base: d, off, size: spec.size, write: true }
  const inside = spec.atomic !== 'load_acquire' && spec.atomic !== 'store_release' && fn.kinds[d] !== KIND.ctx
  if (inside && isCertain(fn, place)) {
    fn.value32(d)
    fn.body.i32(off).op(W.i32_add).set(fn.temp())
    return emitOperation(fn, spec, s)
  }
  if (inside) {
    pushCheck(fn, place)
    fn.openIf()
    emitOperation(fn, spec, s)
    fn.body.op(W.else)
  }
  fn.around.sync?.(fn)
  const registers = [...new Set([0, d, s])]
  fn.spill(registers)
  fn.leaveWord(pc)
  fn.body.call(IMPORT.atomic)
  fn.orFault()
  for (const r of registers) if (r !== 10) fn.fill(r)
  if (inside) fn.closeIf()
}

// ---- what needs no check ----

interface Place extends Access {
  /** Code position. */
  readonly pc: number
}

function isProved(fn: FunctionEmitter, pc: number, kind: number): boolean {
  return kind !== KIND.ctx && fn.target.proved?.(pc >> 2) === true
}

/** Whether an access needs no check: it is in the function's own stack frame or one above, or was proved and is surely not of the context. */
function isCertain(fn: FunctionEmitter, { pc, base, off, size }: Place): boolean {
  const kind = fn.kinds[base]!
  if (inFrame(fn.kinds, base, off, size)) return true
  return (kind === KIND.packet || kind === KIND.value) && isProved(fn, pc, kind)
}

/** Pushes whether an access is good, as far as that is quickly told, and leaves its address in the temporary. */
function pushCheck(fn: FunctionEmitter, place: Place): void {
  const { base, off, write } = place
  const kind = fn.kinds[base]!
  if (isProved(fn, place.pc, kind)) emitCheckNotContext(fn, base, off)
  else if (kind === KIND.value) emitCheckValue(fn, place)
  else if (kind === KIND.packet && (!write || isPacketWritable(fn))) emitCheckPacket(fn, place)
  else emitCheck(fn, place)
}

function isPacketWritable({ engine }: FunctionEmitter): boolean {
  const { type, mode } = engine.options
  return mode === 'rfc9669' || type === 'xdp' || type === 'sched_cls'
}

/** Pushes a pointer's linear address; the offset that is still to be added: WebAssembly's are unsigned. */
function pushAddress(fn: FunctionEmitter, base: number, off: number): number {
  fn.value(base)
  fn.body.op(W.i32_wrap_i64)
  if (off < 0) fn.body.i32(off).op(W.i32_add)
  return Math.max(off, 0)
}

// ---- the context ----

/** Pushes a value from a known place of the context; false, and nothing, where that is not allowed, or has to be looked at. */
export function pushContext(fn: FunctionEmitter, op: number, base: number, off: number): boolean {
  const { access } = fn.engine
  const size = SIZES[op]!
  const offset = fn.offsetOf(base) + off
  const inside = offset >= 0 && offset + size <= access.size
  const how = inside ? access.load[offset * 4 + Math.log2(size)] : ACCESS.none
  if (how === ACCESS.none || how === ACCESS.sock || how === ACCESS.absent || op >= 0x81) return false
  if (how === ACCESS.skb || how === ACCESS.hookState) {
    const { ctxAt, hookStateAt } = fn.engine
    fn.body.i64(how === ACCESS.skb ? ctxAt : hookStateAt, how === ACCESS.skb ? REGION.skb : REGION.hookState)
    return true
  }
  pushContextWord(fn, how === ACCESS.lowHalf ? offset & ~3 : offset, LOADS[op]!)
  if (how === ACCESS.packet) fn.body.i64(0, REGION.packet).op(W.i64_or)
  return true
}

/** Pushes a value of the context; batches have some of them in locals, where the low bytes of one come first as in memory. */
function pushContextWord(fn: FunctionEmitter, offset: number, opcode: number): void {
  const { body } = fn
  const local = fn.contextLocals.get(offset)
  if (local === undefined) {
    body.i32(fn.engine.ctxAt + offset).mem(opcode, 0)
    return
  }
  body.get(local)
  if (opcode === W.i64_load8_u) body.i32(0xff).op(W.i32_and)
  else if (opcode === W.i64_load16_u) body.i32(0xffff).op(W.i32_and)
  body.op(W.i64_extend_i32_u)
}

function isPlainContext({ engine: { access } }: FunctionEmitter, offset: number, size: number): boolean {
  const inside = offset >= 0 && offset + size <= access.size
  return inside && access.store[offset * 4 + Math.log2(size)] === ACCESS.plain
}
