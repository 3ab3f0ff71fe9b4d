// Loads, stores and atomics. An access is checked unless it is certain (own stack, context at a known place) or was proved by a
// verifier; what a check refuses is left to the machine.

import { ACCESS } from '../context.ts'
import { REGION } from '../memory.ts'
import { IMPORT } from './abi.ts'
import { emitCheck, emitCheckNotContext, emitCold } from './bounds.ts'
import type { FunctionEmitter } from './emitter.ts'
import { inStack, KIND } from './kinds.ts'
import { LOADS, SIZES, STORES } from './opcodes.ts'
import { I64, W } from './writer.ts'

export function emitLoad(fn: FunctionEmitter, pc: number, d: number, s: number, off: number): void {
  pushLoad(fn, pc, d, s, off)
  fn.setRegister(d)
}

function pushLoad(fn: FunctionEmitter, pc: number, d: number, s: number, off: number): void {
  const { body } = fn
  const op = fn.code[pc]!
  const size = SIZES[op]!
  const kind = fn.kinds[s]!
  const proved = isProved(fn, pc, kind)
  const certain = isCertain(fn, kind, s, off, size) || (proved && kind === KIND.packet)
  if (certain) {
    const offset = pushAddress(fn, s, off)
    body.mem(LOADS[op]!, offset)
    return
  }
  if (kind === KIND.ctx && pushContext(fn, op, s, off)) return
  if (proved) emitCheckNotContext(fn, s, off)
  else emitCheck(fn, { base: s, off, size, packet: kind === KIND.packet, write: false })
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
  const kind = fn.kinds[d]!
  const proved = isProved(fn, pc, kind)
  if (isCertain(fn, kind, d, off, size) || (proved && kind === KIND.packet)) {
    const offset = pushAddress(fn, d, off)
    fn.value(s)
    body.mem(STORES[op]!, offset)
    return
  }
  if (kind === KIND.ctx && isPlainContext(fn, fn.offsetOf(d) + off, size)) {
    body.i32(fn.engine.ctxAt + fn.offsetOf(d) + off)
    fn.value(s)
    body.mem(STORES[op]!, 0)
    return
  }
  if (proved) emitCheckNotContext(fn, d, off)
  else emitCheck(fn, { base: d, off, size, packet: kind === KIND.packet && isPacketWritable(fn), write: true })
  fn.openIf()
  body.get(fn.temp())
  fn.value(s)
  body.mem(STORES[op]!, 0).op(W.else)
  if (s < 11) fn.spill([s])
  emitCold(fn, 'store', pc, d)
  fn.closeIf()
}

/** Atomics are the machine's: registers go there and come back. */
export function emitAtomic(fn: FunctionEmitter, pc: number, d: number, s: number): void {
  fn.around.sync?.()
  fn.storeUsed()
  fn.spill([...new Set([0, d, s])].filter((r) => r !== 10))
  if (d === 10 || s === 10) fn.spill([10])
  fn.body.i32(pc).call(IMPORT.atomic)
  fn.orFault()
  for (const r of new Set([0, s, d])) if (r !== 10) fn.fill(r)
}

// ---- what needs no check ----

function isProved(fn: FunctionEmitter, pc: number, kind: number): boolean {
  return kind !== KIND.ctx && fn.target.proved?.(pc >> 2) === true
}

/** Whether an access is certain to lie in the function's own stack frame. */
function isCertain(fn: FunctionEmitter, kind: number, base: number, off: number, size: number): boolean {
  return kind === KIND.stack && inStack(fn.offsetOf(base) + off, size)
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
  if (how === ACCESS.none || how === ACCESS.sock || op >= 0x81) return false
  pushContextWord(fn, how === ACCESS.lowHalf ? offset & ~3 : offset, LOADS[op]!)
  if (how === ACCESS.packet) fn.body.i64(0, REGION.packet).op(W.i64_or)
  return true
}

/** Pushes a value of the context; batches have some of them in locals. */
function pushContextWord(fn: FunctionEmitter, offset: number, opcode: number): void {
  const local = fn.contextLocals.get(offset)
  if (local !== undefined && opcode === W.i64_load32_u) fn.body.get(local).op(W.i64_extend_i32_u)
  else fn.body.i32(fn.engine.ctxAt + offset).mem(opcode, 0)
}

function isPlainContext({ engine: { access } }: FunctionEmitter, offset: number, size: number): boolean {
  const inside = offset >= 0 && offset + size <= access.size
  return inside && access.store[offset * 4 + Math.log2(size)] === ACCESS.plain
}
