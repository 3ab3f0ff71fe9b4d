// What a function is compiled for: the program and what is known of it, and what is around the function's code.

import type { DecodedProgram } from '../decode.ts'
import type { Engine } from '../engine.ts'
import type { FunctionEmitter } from './emitter.ts'
import type { ProgramFunction } from './functions.ts'

/** Says of an instruction (by index) that its memory access lies wholly in one region, not the context. */
export type Proved = (insn: number) => boolean

export interface Target {
  readonly engine: Engine
  /** The program's number. */
  readonly index: number
  readonly program: DecodedProgram
  readonly proved: Proved | undefined
}

/** What the functions of a module know of each other. */
export interface Layout {
  /** Function numbers. */
  readonly numbers: ReadonlyMap<ProgramFunction, number>
  /** Those of compiled lookups, by map. */
  readonly lookups: ReadonlyMap<number, number>
  /** That of the function that goes on in a program. */
  readonly goOn: number
  /** Whether calls may be too deep: then each looks. */
  readonly deep: boolean
  /** Whether functions enter their frames into the table of regions. */
  readonly rows: boolean
}

/** What is around the function's code: how it ends. */
export interface Around {
  /** r0 is in its local. */
  exit(fn: FunctionEmitter, pc: number): void
  /** After a tail call, which has noted where the run ended. */
  over(fn: FunctionEmitter): void
  fault(fn: FunctionEmitter): void
  /** Before code that looks at the machine's own state of the packet. */
  sync?(fn: FunctionEmitter): void
}
