// Which stack slots are read before they are written again, from what paths were seen to do.

import type { Env } from './env.ts'
import type { State } from './state.ts'

/** Whether a slot of a frame matters after the state's present slot. */
export function slotIsLive(env: Env, state: State, frame: number, spi: number): boolean {
  void env
  void state
  void frame
  void spi
  return true
}
