// Functions of the program that helpers call (bpf_loop, bpf_for_each_map_elem): in a run all at once, from inside the helper; in single steps the
// helper waits, and its call is over when the last function has returned.

import type { Engine } from './engine.ts'
import { overBudget } from './fault.ts'
import type { Rounds } from './helpers/helper.ts'

/** A helper that waits: at which depth, and where it was called. */
export interface Waiting {
  readonly rounds: Rounds
  readonly depth: number
  readonly pc: number
}

export class Callbacks {
  private readonly engine: Engine
  /** Runs a function of the program, arguments in r1..r5. False after a fault. Set by who runs. */
  run: (insn: number) => boolean = () => false
  /** While an instruction is executed by itself: the helpers that wait, the innermost last. */
  waiting: Waiting[] | undefined
  /** Whether a helper has entered a function instead of returning. */
  entered = false

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** Calls a function until it returns something else than 0. What the helper then returns; undefined after a fault, and while it waits. */
  call(rounds: Rounds): number | undefined {
    if (this.waiting) return this.begin(rounds, this.waiting)
    while (rounds.next()) {
      if (!this.run(rounds.target)) return undefined
      if (this.stopped()) break
    }
    return rounds.finish()
  }

  private stopped(): boolean {
    const { regs } = this.engine
    return regs[0] !== 0 || regs[1] !== 0
  }

  /** A function from its first instruction to its end: `run` executes from `pc` until that frame returns. False after a fault. */
  whole(insn: number, run: () => boolean): boolean {
    const { engine } = this
    const { pc } = engine
    if (!this.enter(insn)) return false
    const { depth } = engine
    if (!run()) return false
    // Where functions below it called helpers, compiled code has told the machine of their frames, but not that they have returned.
    engine.frames.showTo(depth)
    engine.frames.leave()
    engine.pc = pc
    return true
  }

  private enter(insn: number): boolean {
    const { engine } = this
    const { insnBudget } = engine.options
    if (engine.used > insnBudget) return engine.fail(overBudget(insnBudget))
    if (!engine.programs[engine.programIndex]!.functions.has(insn))
      return engine.fail({ kind: 'helper-argument', reason: `there is no function at insn ${insn}, called` })
    if (!engine.frames.enter(engine.pc)) return false
    engine.pc = insn * 4
    return true
  }

  private begin(rounds: Rounds, waiting: Waiting[]): number | undefined {
    if (!rounds.next()) return rounds.finish()
    const { depth, pc } = this.engine
    if (!this.enter(rounds.target)) return undefined
    waiting.push({ rounds, depth, pc })
    this.entered = true
    return undefined
  }

  /** After an instruction: if it ended a function that a helper waits for, the next one begins, or the helper returns. False after a fault. */
  goOn(): boolean {
    const { engine, waiting } = this
    const top = waiting?.at(-1)
    if (!waiting || !top || engine.depth !== top.depth) return true
    if (!this.stopped() && top.rounds.next()) return this.enter(top.rounds.target)
    waiting.pop()
    const result = top.rounds.finish()
    engine.regs[0] = result
    engine.regs[1] = result >> 31
    engine.pc = top.pc + 4
    return true
  }
}
