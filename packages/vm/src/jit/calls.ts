// Calls: of helpers, which run in the machine; of map lookups, which are compiled where the map is known; of local functions.

import { helperById } from '@netsieve/asm'
import { HELPER_FUNCTIONS } from '../helpers/table.ts'
import { IMPORT, STATUS } from './abi.ts'
import { emitBoundsFromRegion } from './bounds.ts'
import type { FunctionEmitter } from './emitter.ts'
import { inStack, KIND } from './kinds.ts'
import { W } from './writer.ts'

const MAP_LOOKUP_ELEM = 1
const TAIL_CALL = 12

export function emitHelper(fn: FunctionEmitter, pc: number, op: number): void {
  const { body, code, engine } = fn
  const id = code[pc + 3]!
  if (op === 0x85 && id === MAP_LOOKUP_ELEM && emitLookup(fn)) return
  fn.around.sync?.()
  fn.storeUsed()
  // A helper of the user's own may read all five arguments.
  const own = HELPER_FUNCTIONS.get(id) !== engine.helpers.get(id)
  const known = op === 0x85 && !own ? helperById(id) : undefined
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

/** A lookup in a known map, with a key on the function's own stack; false, and nothing, where it is not that. */
function emitLookup(fn: FunctionEmitter): boolean {
  const { body, kinds, engine, target } = fn
  const map = kinds[1] === KIND.map ? fn.offsetOf(1) : -1
  const lookup = target.lookups.get(map)
  const own = HELPER_FUNCTIONS.get(MAP_LOOKUP_ELEM) !== engine.helpers.get(MAP_LOOKUP_ELEM)
  const { keySize } = engine.maps[map]?.def ?? { keySize: 0 }
  if (lookup === undefined || own || kinds[2] !== KIND.stack || !inStack(fn.offsetOf(2), keySize)) return false
  const value = fn.wide()
  fn.value32(2)
  body.call(lookup).op(W.i64_extend_i32_u).tee(value)
  body.i64(0, engine.maps[map]!.region).op(W.i64_or).i64(0, 0)
  body.get(value).i64(0, 0).op(W.i64_ne, W.select)
  fn.setRegister(0)
  return true
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
