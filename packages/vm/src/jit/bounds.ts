// Checks of memory accesses: against the packet's bounds, which are in locals, or the region table; and the machine's own way,
// which decides where a check refused.

import { AT, REGION } from '../memory.ts'
import { IMPORT, type ImportName } from './abi.ts'
import type { FunctionEmitter } from './emitter.ts'
import { SOMEWHERE } from './kinds.ts'
import { W } from './writer.ts'

/** Sets the packet's bounds from its row in the region table. */
export function emitBoundsFromRegion(fn: FunctionEmitter): void {
  const { body } = fn
  if (fn.limits.size === 0) return
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
  readonly write: boolean
}

/** Sets the pointer and its linear address from a register and an offset. */
function setPointer(fn: FunctionEmitter, base: number, off: number): void {
  fn.value(base)
  if (off !== 0) fn.body.i64(off, off >> 31).op(W.i64_add)
  fn.body.tee(fn.wide()).op(W.i32_wrap_i64).set(fn.temp())
}

/** Pushes whether an access is inside the packet and leaves the linear address in the temporary. */
export function emitCheckPacket(fn: FunctionEmitter, { base, off, size }: Access): void {
  setPointer(fn, base, off)
  fn.body.get(fn.wide()).get(fn.packetBase).op(W.i64_sub).get(fn.limits.get(size)!).op(W.i64_lt_u)
}

/** The same for a value of a map, or a pointer that may be to one: regions of maps stay as they are. */
export function emitCheckValue(fn: FunctionEmitter, { base, off, size, write }: Access): void {
  const { body, engine } = fn
  const map = engine.maps[fn.mapOf(base)]!
  const { from, to, stride, room, writable } = engine.mem.elements(map.region)
  setPointer(fn, base, off)
  if (write && !writable) {
    body.i32(0)
    return
  }
  const offset = fn.offsetOf(base) + off
  if (fn.offsetOf(base) !== SOMEWHERE && offset >= 0 && offset + size <= map.def.valueSize) {
    // In the value, if there is one.
    body.get(fn.wide()).i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).i32(map.region).op(W.i32_eq)
    return
  }
  const last = to - from - size
  if (last < 0) {
    body.i32(0)
    return
  }
  body.get(fn.wide()).i64(from, map.region).op(W.i64_sub).i64(last, 0).op(W.i64_le_u)
  if (stride === 0) return
  body
    .get(fn.temp())
    .i32(from)
    .op(W.i32_sub)
    .i32(stride)
    .op(W.i32_rem_u)
    .i32(room - size)
    .op(W.i32_le_s, W.i32_and)
}

/** The same for any pointer: against the region that its high word names. */
export function emitCheck(fn: FunctionEmitter, { base, off, size, write }: Access): void {
  const { body } = fn
  const pointer = fn.wide()
  const at = fn.temp()
  setPointer(fn, base, off)
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
  fn.around.sync?.(fn)
  fn.leaveWord(pc)
  fn.value32(base)
  fn.value(base)
  body.i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).call(IMPORT[name])
  fn.orFault()
}
