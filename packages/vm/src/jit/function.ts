// One function of a program as a WebAssembly body: its blocks in order, and for each instruction who emits it.

import { OP } from '../decode.ts'
import { FAIL, IMPORT } from './abi.ts'
import { emitAtomic, emitLoad, emitStore } from './access.ts'
import { emitAlu } from './alu.ts'
import { emitHelper, emitLocalCall } from './calls.ts'
import { endsFlow, isJump } from './cfg.ts'
import type { FunctionEmitter } from './emitter.ts'
import { emitJump, emitScopes } from './flow.ts'
import { isPacketLoad, LOADS, STORES } from './opcodes.ts'
import { emitPacketLoad } from './packet-loads.ts'
import { W } from './writer.ts'

export function emitFunction(fn: FunctionEmitter): void {
  emitScopes(fn, (b) => emitBlock(fn, b))
}

function emitBlock(fn: FunctionEmitter, b: number): void {
  // Its test was made with those before it.
  if (fn.tested.has(b)) return
  const { from, to } = fn.cfg.blocks[b]!
  fn.enterBlock(b)
  for (let i = from; i < to; i++) {
    if (!fn.fused.has(i)) emitInsn(fn, i * 4, b)
    fn.pass(i)
  }
  const last = fn.code[(to - 1) * 4]!
  if (!isJump(last) && !endsFlow(last)) fn.countBlock()
}

/** The instruction at a code position, in block `b`. */
function emitInsn(fn: FunctionEmitter, pc: number, b: number): void {
  const { code } = fn
  const op = code[pc]!
  const d = code[pc + 1]! >> 1
  const s = code[pc + 2]! >> 1
  const off = code[pc + 3]!
  if (isJump(op)) return emitJump(fn, pc, b)
  if (LOADS[op] !== undefined) return emitLoad(fn, pc, d, s, off)
  if (STORES[op] !== undefined) return emitStore(fn, pc, d, s, off)
  if (isPacketLoad(op)) return emitPacketLoad(fn, pc, s, off)
  switch (op) {
    case 0x95:
      fn.storeUsed()
      return fn.around.exit(fn, pc)
    case 0x85:
    case 0x8d:
      return emitHelper(fn, pc, op)
    case OP.callLocal:
      return emitLocalCall(fn, pc)
    case 0xc3:
      return emitAtomic(fn, pc, d, s, off)
    case OP.invalid:
    case OP.badJump:
      return emitFail(fn, pc)
    default:
      emitAlu(fn, op, d, s)
      fn.setRegister(d)
  }
}

/** What cannot run, once control comes there. */
function emitFail(fn: FunctionEmitter, pc: number): void {
  fn.leaveWord(pc)
  fn.body.i32(FAIL.place).call(IMPORT.fail).op(W.drop)
  fn.around.fault(fn)
}
