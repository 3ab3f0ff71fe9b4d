// Frames of functions that call each other, and of programs that go on in each other: where each has its stack, and what its caller finds when it
// comes back.

import { LIMITS } from '@netsieve/asm'
import type { Engine } from './engine.ts'
import { tooDeep } from './fault.ts'
import { AT, REGION } from './memory.ts'

/** There are region numbers for so many frames. The programs that functions go on in may each call as deep as one may. */
export const MOST_FRAMES = REGION.first - REGION.stack
/** Words of r1..r9, which a caller finds as they were. */
const KEPT = 18

export class Frames {
  /** Frames above the current one. */
  depth = 0
  /** How many there is room for. */
  readonly most: number
  private readonly engine: Engine
  private readonly pcs: Int32Array
  private readonly programs: Int32Array
  private readonly bases: Int32Array
  private readonly registers: Int32Array

  constructor(engine: Engine, most: number) {
    this.engine = engine
    this.most = most
    this.pcs = new Int32Array(most)
    this.programs = new Int32Array(most)
    this.bases = new Int32Array(most)
    this.registers = new Int32Array(most * KEPT)
    this.open(0)
  }

  /** Frames above the first of the program that runs. */
  private get base(): number {
    return this.engine.mem.words[AT.base >> 2]!
  }

  private set base(depth: number) {
    this.engine.mem.words[AT.base >> 2] = depth
  }

  /** Nothing is called: a fault may have left frames open. */
  reset(): void {
    this.showTo(0)
    this.base = 0
  }

  /** Enters a function: its frame opens, r1..r9 are kept. False (and a fault) if calls are too deep. */
  enter(returnTo: number): boolean {
    const { engine, depth } = this
    const { callDepth } = engine.options
    if (depth + 1 - this.base >= callDepth || depth + 1 >= this.most) return engine.fail(tooDeep(callDepth))
    this.pcs[depth] = returnTo
    this.programs[depth] = engine.programIndex
    this.bases[depth] = this.base
    this.registers.set(engine.regs.subarray(2, 2 + KEPT), depth * KEPT)
    // A function sees its arguments only; in the kernel the verifier sees to that.
    engine.regs.fill(0, 0, 2)
    engine.regs.fill(0, 12, 20)
    this.depth++
    this.open(this.depth)
    return true
  }

  /** Leaves a function: where to go on, in the program that is the engine's again. */
  leave(): number {
    const { engine, pcs, programs, bases, registers } = this
    engine.mem.clearRegion(REGION.stack + this.depth)
    const depth = --this.depth
    const { regs } = engine
    for (let i = 0; i < KEPT; i++) regs[2 + i] = registers[depth * KEPT + i]!
    regs[20] = engine.stackAt + (depth + 1) * LIMITS.stackBytes
    regs[21] = REGION.stack + depth
    engine.programIndex = programs[depth]!
    this.base = bases[depth]!
    return pcs[depth]!
  }

  /**
   * Goes on in the program that a tail call leads to. It takes the frame of the function that made the call, returns to that one's caller, and
   * gets the context and nothing else.
   */
  goOn(): void {
    const { engine } = this
    engine.programIndex = engine.next!
    engine.next = undefined
    this.base = this.depth
    this.open(this.depth)
    engine.regs.fill(0, 0, 20)
    engine.regs[2] = engine.ctxAt
    engine.regs[3] = REGION.ctx
  }

  /** A zeroed stack, and r10 at its top. */
  private open(depth: number): void {
    const { mem, regs } = this.engine
    const to = this.show(depth)
    mem.bytes.fill(0, to - LIMITS.stackBytes, to)
    regs[20] = to
    regs[21] = REGION.stack + depth
  }

  /** A frame's row in the table of regions. Returns where its stack ends. */
  private show(depth: number): number {
    const { mem, stackAt } = this.engine
    const from = stackAt + depth * LIMITS.stackBytes
    const to = from + LIMITS.stackBytes
    const name = depth === 0 ? 'stack' : `stack of frame ${depth}`
    mem.setRegion(REGION.stack + depth, { name, from, to, write: true })
    return to
  }

  /** The frames that are open are those down to a depth: compiled code opens and closes frames without telling the machine. */
  showTo(depth: number): void {
    while (this.depth > depth) this.engine.mem.clearRegion(REGION.stack + this.depth--)
    while (this.depth < depth) this.show(++this.depth)
  }
}
