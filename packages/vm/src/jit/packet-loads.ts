// LD_ABS and LD_IND: a load from the packet in network byte order into r0; past its end the program is over, and gives 0.

import { IMPORT, STATUS } from './abi.ts'
import { swapLow } from './alu.ts'
import type { FunctionEmitter } from './emitter.ts'
import { KIND } from './kinds.ts'
import { packetLoadSize } from './opcodes.ts'
import { W } from './writer.ts'

export function emitPacketLoad(fn: FunctionEmitter, pc: number, s: number, imm: number): void {
  const { body } = fn
  const op = fn.code[pc]!
  const size = packetLoadSize(op)
  const indirect = op >= 0x40
  const { type, mode } = fn.engine.options
  const known = fn.kinds[6] === KIND.ctx && fn.offsetOf(6) === 0
  // Packet bounds start at XDP's metadata; skb programs have none, so there they start with the packet.
  if (!known || type === 'xdp' || mode !== 'linux' || (!indirect && imm < 0)) return emitColdLoad(fn, pc)
  const at = fn.temp()
  if (indirect) {
    fn.value32(s)
    body.i32(imm).op(W.i32_add)
  } else body.i32(imm)
  // Negative places stand for headers: the machine knows them.
  body.tee(at).i32(0).op(W.i32_lt_s)
  fn.openIf()
  emitColdLoad(fn, pc)
  body.op(W.else)
  body.get(at).op(W.i64_extend_i32_u).get(fn.limits.get(size)!).op(W.i64_ge_u)
  fn.openIf()
  emitExitZero(fn, pc)
  fn.closeIf()
  body.get(fn.packetBase).op(W.i32_wrap_i64).get(at).op(W.i32_add)
  body.mem(size === 4 ? W.i64_load32_u : size === 2 ? W.i64_load16_u : W.i64_load8_u, 0)
  if (size !== 1) swapLow(fn, size)
  fn.setRegister(0)
  fn.closeIf()
}

function emitExitZero(fn: FunctionEmitter, pc: number): void {
  fn.body.i64(0, 0)
  fn.setRegister(0)
  fn.storeUsed()
  fn.around.exit(fn, pc)
}

/** The machine's own way, which tells a fault from the end of the packet. */
function emitColdLoad(fn: FunctionEmitter, pc: number): void {
  const { body } = fn
  const s = fn.code[pc + 2]! >> 1
  fn.around.sync?.(fn)
  fn.spill(s < 11 ? [...new Set([6, s])] : [6])
  fn.leaveWord(pc)
  body.call(IMPORT.packet).op(W.i32_eqz)
  fn.openIf()
  body.i32(STATUS.fault).mem(W.i32_load, 0)
  fn.openIf()
  fn.around.fault(fn)
  fn.closeIf()
  emitExitZero(fn, pc)
  fn.closeIf()
  fn.fill(0)
}
