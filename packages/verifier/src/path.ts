// The way that led to an instruction: the slots walked, from the recorded jumps and the states kept on the way.

import type { Env } from './env.ts'

/** The last `limit` slots walked, oldest first; the present one is the last. */
export function pathTo(env: Env, limit: number): number[] {
  const path: number[] = []
  let { state } = env
  let slot = env.slot
  for (;;) {
    let history = state.steps.length
    for (;;) {
      if (!env.prog.secondHalf[slot]) path.push(slot)
      if (path.length >= limit) return path.reverse()
      const step = state.steps[history - 1]
      const recorded = history > 0 && step!.slot === slot
      if (slot === state.firstSlot && (history === 0 || (history === 1 && recorded))) break
      if (recorded) {
        slot = step!.prev
        history--
      } else slot--
      if (slot < 0) return path.reverse()
    }
    if (!state.parent) return path.reverse()
    state = state.parent.state
    slot = state.lastSlot
    if (slot < 0) return path.reverse()
  }
}
