// What is looked at once every path is walked: how deep calls go and how much stack they use together, and whether the functions
// that are pointed to are still there when code that is never reached is gone.

import { LIMITS } from '@netsieve/asm'
import type { Env } from './env.ts'
import { Rejection } from './errors.ts'
import { isFuncAddress } from './structure.ts'

/** Frames are laid out in steps of this many bytes. */
const STEP = 16
/** A frame this deep may not make a tail call: the next program starts with a full stack. */
const TAIL_CALL_DEPTH = 256

/** @throws Rejection if the frames of a chain of calls are too many or too large. */
export function proveStackDepth(env: Env): void {
  const { prog, structure } = env
  const size = (sub: number) => Math.ceil(Math.max(env.stackDepth[sub] ?? 0, 1) / STEP) * STEP
  const calls = structure.subprogs.map(({ start, end }) => {
    const callees: number[] = []
    for (let slot = start; slot < end; slot++) {
      const isCall = prog.opcode[slot] === 0x85 && prog.src[slot] === 1
      if (isCall || isFuncAddress(prog, slot)) callees.push(structure.subprogOf[slot + 1 + prog.imm[slot]!]!)
    }
    return callees
  })
  const deepest = new Map<number, number>()
  const visit = (sub: number, above: number, frames: number): void => {
    if ((deepest.get(sub) ?? -1) >= above * 16 + frames) return
    deepest.set(sub, above * 16 + frames)
    if (structure.subprogs[sub]!.hasTailCall && above >= TAIL_CALL_DEPTH)
      throw new Rejection(`tail_calls are not allowed when call stack of previous frames is ${above} bytes. Too large`)
    const depth = above + size(sub)
    if (depth > LIMITS.stackBytes) throw new Rejection(`combined stack size of ${frames} calls is ${depth}. Too large`)
    for (const callee of calls[sub]!) {
      if (frames + 1 > LIMITS.frames) throw new Rejection(`the call stack of ${frames} frames is too deep !`)
      visit(callee, depth, frames + 1)
    }
  }
  visit(0, 0, 1)
}

/**
 * A callback that is never entered goes with the dead code. Linux 6.18 then looks for a function where it was, and trips over
 * itself if none is left from there on; the number it prints is that of its rewritten program, ours that of the program given.
 * @throws Rejection
 */
export function proveCallbacksLeft({ prog, structure, seen }: Env): void {
  const lastAlive = structure.subprogs.findLastIndex(({ start }) => seen[start] === 1)
  // With one function left there is nothing to look for.
  if (lastAlive === 0) return
  for (let slot = 0; slot < prog.length; slot++) {
    if (!seen[slot] || !isFuncAddress(prog, slot)) continue
    const target = slot + 1 + prog.imm[slot]!
    if (seen[target]) continue
    // What follows moves up to where the dead code began: a function is found there only if that is where the target was.
    const before = prog.secondHalf[target - 1] ? target - 2 : target - 1
    if (!seen[before] || structure.subprogOf[target]! > lastAlive)
      throw new Rejection(`verifier bug: No program to jit at insn ${slot} (subprog < 0)`)
  }
}
