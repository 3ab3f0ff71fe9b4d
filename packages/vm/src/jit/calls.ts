// Calls: of helpers, which run in the machine; of map lookups, which are compiled where the map is known; of local functions, which are
// functions of the module; and tail calls, whose programs are in the module too.

import { helperById, LIMITS } from '@netsieve/asm'
import { type BpfMap, ERRNO } from '../maps/map.ts'
import { SlotArray } from '../maps/slots.ts'
import { AT, REGION } from '../memory.ts'
import { FAIL, IMPORT, STATUS } from './abi.ts'
import { emitBoundsFromRegion } from './bounds.ts'
import type { FunctionEmitter } from './emitter.ts'
import { emitBudgetCheck } from './flow.ts'
import { emitCloseFrame, pushDepth, pushNextFrame } from './frames.ts'
import type { Functions } from './functions.ts'
import { CPU_ID, isBuiltIn, mayGoOn, movesPacket, ON_MEMORY, TAIL_CALL } from './helper-calls.ts'
import { KIND } from './kinds.ts'
import { emitLookup, lookupOf } from './lookup.ts'
import type { Layout } from './target.ts'
import { Body, type Bytes, W } from './writer.ts'

export function emitHelper(fn: FunctionEmitter, pc: number, op: number): void {
  const { body, code, engine } = fn
  const id = op === 0x85 ? code[pc + 3]! : undefined
  const own = id === undefined || !isBuiltIn(engine, id)
  if (!own && emitInside(fn, pc, id)) return
  if (own || !ON_MEMORY.has(id)) fn.around.sync?.(fn)
  // A helper of the user's own may read all five arguments.
  const known = own ? undefined : helperById(id)
  fn.spill([1, 2, 3, 4, 5].slice(0, known ? known.args.length : 5))
  if (op === 0x8d) fn.spill([code[pc + 1]! >> 1])
  fn.leaveWord(pc)
  body.call(IMPORT.helper)
  if (mayGoOn(engine, id)) {
    const answer = fn.temp()
    body.tee(answer).i32(2).op(W.i32_eq)
    fn.openIf()
    emitGoOn(fn)
    fn.closeIf()
    body.get(answer)
  }
  fn.orFault()
  fn.fill(0)
  fn.loadUsed()
  if (movesPacket(engine, id)) emitBoundsFromRegion(fn)
}

/** A helper that needs no machine: false, and nothing, where it is not that. */
function emitInside(fn: FunctionEmitter, pc: number, id: number): boolean {
  const { body, engine, kinds } = fn
  if (id === TAIL_CALL) return emitTailCall(fn, pc)
  if (id === CPU_ID) {
    body.i64(engine.options.cpu, 0)
    fn.setRegister(0)
    return true
  }
  const map = lookupOf(engine, id, kinds)
  if (map) emitValue(fn, map)
  return map !== undefined
}

/** r0 = a pointer to the value of the key that r2 points to, or 0. */
function emitValue(fn: FunctionEmitter, map: BpfMap): void {
  const { body, layout } = fn
  const [keyAt, value] = [fn.temp(), fn.wide()]
  fn.value32(2)
  body.set(keyAt)
  emitLookup(body, map, layout.lookups, keyAt, fn.row())
  body.op(W.i64_extend_i32_u).tee(value)
  body.i64(0, map.region).op(W.i64_or).i64(0, 0)
  body.get(value).i64(0, 0).op(W.i64_ne, W.select)
  fn.setRegister(0)
}

// ---- local functions ----

export function emitLocalCall(fn: FunctionEmitter, pc: number): void {
  const { body, engine, known, layout } = fn
  const callee = known.callees.get(pc >> 2)!
  emitBudgetCheck(fn, pc)
  if (layout.deep) {
    pushDepth(fn, 1)
    body.tee(fn.temp()).i32(AT.base).mem(W.i32_load, 0).op(W.i32_sub).i32(engine.options.callDepth).op(W.i32_ge_u)
    body.get(fn.temp()).i32(engine.frames.most).op(W.i32_ge_u, W.i32_or)
    fn.openIf()
    fn.leaveWord(pc)
    body.i32(FAIL.depth).call(IMPORT.fail).op(W.drop)
    fn.around.fault(fn)
    fn.closeIf()
  }
  fn.storeUsed()
  for (let r = 1; r <= 5; r++) fn.value(r)
  pushNextFrame(fn)
  body.call(layout.numbers.get(callee)!)
  fn.setRegister(0)
  emitFaultBelow(fn)
  emitCloseFrame(fn)
  fn.loadUsed()
  if (callee.movesPacket) emitBoundsFromRegion(fn)
}

/** A fault of a function that was called is one of all above it. */
function emitFaultBelow(fn: FunctionEmitter): void {
  fn.body.i32(STATUS.fault).mem(W.i32_load, 0).op(W.i32_eqz)
  fn.orFault()
}

// ---- tail calls ----

/** The array is known: its place is looked up here. False, and nothing, where that is not so. */
function emitTailCall(fn: FunctionEmitter, pc: number): boolean {
  const { body, engine, kinds } = fn
  const map = kinds[2] === KIND.map ? engine.maps[fn.offsetOf(2)] : undefined
  const inContext = kinds[1] === KIND.ctx && fn.offsetOf(1) === 0
  if (!inContext || !(map instanceof SlotArray) || map.def.type !== 'prog_array') return false
  const [index, program] = [fn.temp(), fn.row()]
  fn.value32(3)
  body.tee(index).i32(map.def.maxEntries).op(W.i32_lt_u)
  fn.openIf()
  body.get(index).mem(W.i32_load8_u, map.usedAt)
  fn.openIf()
  body.get(index).i32(map.stride).op(W.i32_mul).mem(W.i32_load, map.own).tee(program)
  body.i32(engine.programs.length).op(W.i32_lt_u)
  body.i32(AT.tailCalls).mem(W.i32_load, 0).i32(LIMITS.tailCalls).op(W.i32_lt_s, W.i32_and)
  fn.openIf()
  emitBudgetCheck(fn, pc)
  body.i32(AT.tailCalls).i32(AT.tailCalls).mem(W.i32_load, 0).i32(1).op(W.i32_add).mem(W.i32_store, 0)
  body.i32(STATUS.next).get(program).mem(W.i32_store, 0)
  fn.storeUsed()
  emitGoOn(fn)
  fn.closeIf()
  fn.closeIf()
  fn.closeIf()
  body.i64(ERRNO.ENOENT, -1)
  fn.setRegister(0)
  return true
}

/** Goes on in the program whose number is left for it; what that gives, the function gives. */
function emitGoOn(fn: FunctionEmitter): void {
  const { body, layout } = fn
  const base = fn.temp()
  if (layout.deep) {
    body.i32(AT.base).mem(W.i32_load, 0).set(base)
    body.i32(AT.base)
    pushDepth(fn)
    body.mem(W.i32_store, 0)
  }
  body.i32(STATUS.next).mem(W.i32_load, 0)
  fn.value(10)
  body.call(layout.goOn)
  fn.setRegister(0)
  if (layout.deep) body.i32(AT.base).get(base).mem(W.i32_store, 0)
  emitFaultBelow(fn)
  fn.around.over(fn)
}

/** The body of the function that goes on in a program: it gets the context and nothing else. */
export function goOnBody({ engine, mains }: Functions, numbers: Layout['numbers']): Bytes {
  const body = new Body(2)
  for (const _ of mains) body.op(W.block, 0x40)
  body.get(0).op(W.br_table).u32(mains.length)
  for (let i = 0; i < mains.length; i++) body.u32(i)
  body.u32(mains.length - 1)
  for (const main of mains) {
    body.op(W.end).i64(engine.ctxAt, REGION.ctx)
    for (let r = 2; r <= 5; r++) body.i64(0, 0)
    body.get(1).call(numbers.get(main)!).op(W.return)
  }
  body.op(W.unreachable)
  return body.finish()
}
