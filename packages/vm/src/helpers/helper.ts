// What a helper is to the machine: a function of the engine's state. Arguments are in r1..r5, the result goes to r0.

import type { Engine } from '../engine.ts'

/**
 * Returns a number for r0, sign-extended to 64 bits, or undefined after it has set r0 itself or a fault.
 * Memory that arguments point to is checked with `engine.memArg`.
 */
export type HelperFunction = (engine: Engine) => number | undefined

/** Calls of one of the program's functions, one after the other, that a helper makes. */
export interface Rounds {
  /** The function, by its first instruction. */
  readonly target: number
  /** Puts the arguments of the next call into r1..r5; false if there is none. */
  next(): boolean
  /** What the helper returns, after the last call. */
  finish(): number
}

/** The low 32 bits of argument 1..5, signed. */
export function arg(engine: Engine, n: number): number {
  return engine.regs[n * 2]!
}

/** The low 32 bits of an argument as an unsigned number. */
export function uarg(engine: Engine, n: number): number {
  return engine.regs[n * 2]! >>> 0
}

/** An argument as flags: what does not fit 32 bits becomes a number no flag has. */
export function flagsArg(engine: Engine, n: number): number {
  return engine.regs[n * 2 + 1] === 0 ? engine.regs[n * 2]! >>> 0 : 0xffffffff
}

export function return64(engine: Engine, lo: number, hi: number): undefined {
  engine.regs[0] = lo
  engine.regs[1] = hi
}
