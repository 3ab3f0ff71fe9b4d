// Checks of memory accesses: against the packet's bounds, which are in locals, or the region table; and the machine's own way,
// which decides where a check refused.

import { AT, REGION } from '../memory.ts'
import { IMPORT, type ImportName } from './abi.ts'
import type { FunctionEmitter } from './emitter.ts'
import { W } from './writer.ts'

/** Sets the packet's bounds from its row in the region table. */
export function emitBoundsFromRegion(fn: FunctionEmitter): void {
  const { body } = fn
  const row = AT.regions + REGION.packet * 32
  body.i32(row).mem(W.i64_load32_u, 16).i64(0, REGION.packet).op(W.i64_or).set(fn.packetBase)
  setLimits(fn, () => body.i32(row).mem(W.i64_load32_u, 20).i32(row).mem(W.i64_load32_u, 16).op(W.i64_sub))
}

/** Sets them from the start's address and the length, both in i32 locals. */
export function emitBoundsFrom(fn: FunctionEmitter, start: number, length: number): void {
  const { body } = fn
  body.get(start).op(W.i64_extend_i32_u).i64(0, REGION.packet).op(W.i64_or).set(fn.packetBase)
  setLimits(fn, () => body.get(length).op(W.i64_extend_i32_u))
}

/** For each size in use: how many places such an access can start at, which is length - (size - 1), or 0 if that is negative. */
function setLimits(fn: FunctionEmitter, pushLength: () => void): void {
  const { body } = fn
  for (const [size, limit] of fn.limits) {
    const less = size - 1
    pushLength()
    body.i64(less, 0).op(W.i64_sub).tee(limit).i64(0, 0)
    body.get(limit).i64(0, 0).op(W.i64_gt_s, W.select).set(limit)
  }
}

export interface Access {
  readonly base: number
  readonly off: number
  readonly size: number
  /** Whether the base is likely to point into the packet: the check then is against the bounds. */
  readonly packet: boolean
  readonly write: boolean
}

/** Pushes whether an access is inside its region (1) and leaves the linear address in the temporary. */
export function emitCheck(fn: FunctionEmitter, { base, off, size, packet, write }: Access): void {
  const { body } = fn
  const pointer = fn.wide()
  const at = fn.temp()
  fn.value(base)
  if (off !== 0) body.i64(off, off >> 31).op(W.i64_add)
  body.tee(pointer).op(W.i32_wrap_i64).set(at)
  if (packet) {
    body.get(pointer).get(fn.packetBase).op(W.i64_sub).get(fn.limits.get(size)!).op(W.i64_lt_u)
    return
  }
  const row = fn.row()
  // The region's row; numbers above the table go to row 0, which is empty.
  body.get(pointer).i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).tee(row)
  body.get(row).i32(REGION.count).op(W.i32_lt_u, W.i32_mul).i32(5).op(W.i32_shl).tee(row)
  const from = AT.regions + (write ? 8 : 0)
  const to = from + 4
  body.mem(W.i32_load, from).get(at).op(W.i32_le_u)
  body.get(at).get(row).mem(W.i32_load, to).op(W.i32_lt_u, W.i32_and)
  if (size > 1) body.get(at).i32(size).op(W.i32_add).get(row).mem(W.i32_load, to).op(W.i32_le_u, W.i32_and)
}

/** Pushes whether a proved pointer is not to the context, which only the machine knows to read; leaves the linear address. */
export function emitCheckNotContext(fn: FunctionEmitter, base: number, off: number): void {
  const { body } = fn
  fn.value32(base)
  if (off !== 0) body.i32(off).op(W.i32_add)
  body.set(fn.temp())
  fn.value(base)
  body.i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).i32(REGION.ctx).op(W.i32_ne)
}

/** The machine's own way of an access that the check refused; goes on only where it allowed it. */
export function emitCold(fn: FunctionEmitter, name: ImportName, pc: number, base: number): void {
  const { body } = fn
  fn.around.sync?.()
  fn.storeUsed()
  body.i32(pc)
  fn.value32(base)
  fn.value(base)
  body.i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).call(IMPORT[name])
  fn.orFault()
}
