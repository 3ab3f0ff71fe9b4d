// Frames of functions, opened and closed in compiled code: where the stack is, the row in the table of regions, and zeros where the function
// may read before it has written.

import { LIMITS } from '@netsieve/asm'
import { AT, REGION } from '../memory.ts'
import type { FunctionEmitter } from './emitter.ts'
import { readFirst } from './stack.ts'
import { W } from './writer.ts'

/** So many slots of 8 bytes are cleared one by one. */
const MOST_CLEARED = 16
const ROW_BYTES = 32
/** From a frame's r10 to that of the next. */
const NEXT = { lo: LIMITS.stackBytes, hi: 1 } as const

/** Pushes r10 of the function that is about to be called. */
export function pushNextFrame(fn: FunctionEmitter): void {
  fn.value(10)
  fn.body.i64(NEXT.lo, NEXT.hi).op(W.i64_add)
}

/** Pushes the number of frames above the function's own, plus `more`. */
export function pushDepth(fn: FunctionEmitter, more = 0): void {
  fn.value(10)
  fn.body
    .i64(32, 0)
    .op(W.i64_shr_u, W.i32_wrap_i64)
    .i32(REGION.stack - more)
    .op(W.i32_sub)
}

/** At a function's start. */
export function emitOpenFrame(fn: FunctionEmitter): void {
  const { body, layout } = fn
  if (layout.rows) {
    const [row, ends] = [fn.row(), fn.wide()]
    pushRow(fn, row, 0)
    fn.value(10)
    body.i64(32, 0).op(W.i64_shl)
    fn.value32(10)
    body.i32(LIMITS.stackBytes).op(W.i32_sub, W.i64_extend_i32_u, W.i64_or).set(ends)
    for (const place of [0, 8, 16])
      body
        .get(row)
        .get(ends)
        .mem(W.i64_store, AT.regions + place)
  }
  emitClearStack(fn)
}

/** After a function has returned: pointers to its stack lead nowhere. */
export function emitCloseFrame(fn: FunctionEmitter): void {
  const { body, layout } = fn
  if (!layout.rows) return
  const row = fn.row()
  pushRow(fn, row, 1)
  for (const place of [0, 8, 16])
    body
      .get(row)
      .i64(0, 0)
      .mem(W.i64_store, AT.regions + place)
}

/** Sets a local to the offset of a frame's row: the function's own, or that of the frame below it. */
function pushRow(fn: FunctionEmitter, row: number, below: 0 | 1): void {
  pushDepth(fn, REGION.stack + below)
  fn.body.i32(ROW_BYTES).op(W.i32_mul).set(row)
}

/** Zeroes what the function may read of its stack before it has written it. */
export function emitClearStack(fn: FunctionEmitter): void {
  const { body } = fn
  const slots = readFirst(fn.known)
  const pushPlace = (slot: number): void => {
    fn.value32(10)
    body.i32(slot).op(W.i32_add)
  }
  if (slots.length > MOST_CLEARED) {
    pushPlace(slots[0]!)
    body.i32(0).i32(-slots[0]!).fill()
    return
  }
  for (const slot of slots) {
    pushPlace(slot)
    body.i64(0, 0).mem(W.i64_store, 0)
  }
}
