// Objects that a program has acquired and must give back: sockets found, ring buffer records reserved.

import { everyReg } from './branch.ts'
import type { Env } from './env.ts'
import { Rejection } from './errors.ts'
import { UNINIT, UNKNOWN_SCALAR } from './reg.ts'
import type { State } from './state.ts'

export function acquire(env: Env, slot: number): number {
  const id = env.newId()
  env.state.held = [...env.state.held, { id, slot }]
  return id
}

/** Takes an object off the list; whether it was there. */
export function release(state: State, id: number): boolean {
  const rest = state.held.filter((held) => held.id !== id)
  const found = rest.length < state.held.length
  state.held = rest
  return found
}

/** The object is given back: no register may point to it any more. */
export function giveBack(env: Env, id: number): void {
  if (!release(env.state, id)) throw new Error(`reference ${id} was not held`)
  const gone = env.settings.strict ? UNINIT : UNKNOWN_SCALAR
  everyReg(env.state, (reg) => (reg.refId === id ? gone : undefined))
}

/** Nothing may be held where a program, or the way through it, ends. What a function holds, its caller may give back. */
export function proveNothingHeld(env: Env, where: string): void {
  if (env.state.frames.length === 1) {
    const { held } = env.state
    const lines = held.map(({ id, slot }) => `Unreleased reference id=${id} alloc_insn=${slot}`)
    if (held.length > 0) throw new Rejection([...lines, `${where} would lead to reference leak`].join('\n'))
  }
  if (env.state.lock) throw new Rejection(`${where} cannot be used inside bpf_spin_lock-ed region`)
}
