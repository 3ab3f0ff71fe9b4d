// Calls: of helpers, which run in the machine; of map lookups, which are compiled where the map is known; of local functions.

import { helperById } from '@netsieve/asm'
import type { BpfMap } from '../maps/map.ts'
import { IMPORT, STATUS } from './abi.ts'
import { emitBoundsFromRegion } from './bounds.ts'
import type { FunctionEmitter } from './emitter.ts'
import { CPU_ID, isBuiltIn, ON_MEMORY, TAIL_CALL } from './helper-calls.ts'
import { emitLookup, lookupOf } from './lookup.ts'
import { W } from './writer.ts'

export function emitHelper(fn: FunctionEmitter, pc: number, op: number): void {
  const { body, code, engine } = fn
  const id = code[pc + 3]!
  const own = op !== 0x85 || !isBuiltIn(engine, id)
  if (!own && emitInside(fn, id)) return
  if (own || !ON_MEMORY.has(id)) fn.around.sync?.()
  fn.storeUsed()
  // A helper of the user's own may read all five arguments.
  const known = own ? undefined : helperById(id)
  fn.spill([1, 2, 3, 4, 5].slice(0, known ? known.args.length : 5))
  if (op === 0x8d) fn.spill([code[pc + 1]! >> 1])
  body.i32(pc).call(IMPORT.helper)
  if (id === TAIL_CALL || !known) {
    const answer = fn.temp()
    body.tee(answer).i32(2).op(W.i32_eq)
    fn.openIf()
    fn.around.tailCall(fn)
    fn.closeIf()
    body.get(answer)
  }
  fn.orFault()
  fn.fill(0)
  fn.loadUsed()
  if (!known || known.changesPacket) emitBoundsFromRegion(fn)
}

/** A helper that needs no machine: false, and nothing, where it is not that. */
function emitInside(fn: FunctionEmitter, id: number): boolean {
  const { body, engine, kinds } = fn
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
  const { body, target } = fn
  const [keyAt, value] = [fn.temp(), fn.wide()]
  fn.value32(2)
  body.set(keyAt)
  emitLookup(body, map, target.lookups, keyAt, fn.row())
  body.op(W.i64_extend_i32_u).tee(value)
  body.i64(0, map.region).op(W.i64_or).i64(0, 0)
  body.get(value).i64(0, 0).op(W.i64_ne, W.select)
  fn.setRegister(0)
}

/** A call of the local function that starts at code position `to`. The machine opens its frame and closes it. */
export function emitLocalCall(fn: FunctionEmitter, pc: number, to: number): void {
  const { body, engine, target } = fn
  const callee = target.functions.get(to >> 2)!
  fn.storeUsed()
  fn.spill([10])
  body.i32(pc).call(IMPORT.enter)
  fn.orFault()
  for (let r = 1; r <= 5; r++) fn.value(r)
  const r10At = engine.regsAt + 80
  body.i32(r10At).mem(W.i64_load, 0).call(callee)
  fn.setRegister(0)
  body.i32(STATUS.fault).mem(W.i32_load, 0).op(W.i32_eqz)
  fn.orFault()
  body.i32(pc).call(IMPORT.leave).op(W.drop)
  fn.loadUsed()
  emitBoundsFromRegion(fn)
}
