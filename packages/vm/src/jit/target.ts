// What a function is compiled for: the program and what is known of it, and what is around the function's code.

import type { DecodedProgram } from '../decode.ts'
import type { Engine } from '../engine.ts'
import type { FunctionEmitter } from './emitter.ts'

/** Says of an instruction (by index) that its memory access lies wholly in one region, not the context. */
export type Proved = (insn: number) => boolean

export interface Target {
  readonly engine: Engine
  readonly program: DecodedProgram
  readonly proved: Proved | undefined
  /** Function numbers of local functions, by their first instruction. */
  readonly functions: ReadonlyMap<number, number>
  /** Function numbers of compiled lookups, by map. */
  readonly lookups: ReadonlyMap<number, number>
}

/** What is around the function's code: how it ends. */
export interface Around {
  /** r0 is in its local. */
  exit(fn: FunctionEmitter, pc: number): void
  fault(fn: FunctionEmitter): void
  tailCall(fn: FunctionEmitter): void
  /** Before code that looks at the machine's own state of the packet. */
  sync?(): void
}
