// Which stack slots are read before they are written again. Nothing is assumed of the program: the accesses that were seen on
// the paths walked so far are marked, and flow backwards through each function, separately for each chain of calls.

import type { Env } from './env.ts'
import type { State } from './state.ts'
import { successors } from './structure.ts'

/** Steps of flow in all; beyond, every slot counts as live (hostile programs must end too). */
const WORK_LIMIT = 50_000_000

/** A set of the 64 slots of a frame for each instruction of a function. */
class Marks {
  readonly low: Int32Array
  readonly high: Int32Array
  constructor(length: number) {
    this.low = new Int32Array(length)
    this.high = new Int32Array(length)
  }
}

/** The accesses to one frame's stack from one function. */
class FrameMarks {
  readonly reads: Marks
  readonly live: Marks
  constructor(length: number) {
    this.reads = new Marks(length)
    this.live = new Marks(length)
  }
}

/** A store that always writes the same whole slot of the same frame; `varies` where it does not. */
interface Write {
  frame: number
  spi: number
  varies: boolean
}

/** A function as called through one chain of calls. */
interface Instance {
  readonly start: number
  readonly end: number
  readonly outer: Instance | undefined
  readonly callSite: number
  readonly frames: (FrameMarks | undefined)[]
  readonly writes: Map<number, Write>
  dirty: boolean
}

export class StackLiveness {
  private readonly instances = new Map<string, Instance>()
  private readonly next: (readonly number[] | undefined)[] = []
  private work = 0
  private readonly env: Env

  constructor(env: Env) {
    this.env = env
  }

  /** The function that frame `index` of a state runs, with its chain of calls. */
  private instance(state: State, index: number): Instance {
    const { chain, subprog, callSite } = state.frames[index]!
    let found = this.instances.get(chain)
    if (!found) {
      const { start, end } = this.env.structure.subprogs[subprog]!
      const outer = index > 0 ? this.instance(state, index - 1) : undefined
      found = { start, end, outer, callSite, frames: [], writes: new Map(), dirty: false }
      this.instances.set(chain, found)
    }
    return found
  }

  /** The present instruction reads slot `spi` of a frame. */
  read(frame: number, spi: number): void {
    const { state, slot } = this.env
    addRead(
      this.instance(state, state.frames.length - 1),
      frame,
      slot,
      spi < 32 ? 1 << spi : 0,
      spi < 32 ? 0 : 1 << (spi - 32),
    )
  }

  /** The present instruction stores: a whole slot, or (undefined) something else. */
  wrote(frame: number, spi: number | undefined): void {
    const { state, slot } = this.env
    const instance = this.instance(state, state.frames.length - 1)
    const before = instance.writes.get(slot)
    if (!before) {
      instance.writes.set(slot, { frame, spi: spi ?? 0, varies: spi === undefined })
      if (spi !== undefined) instance.dirty = true
    } else if (!before.varies && (before.frame !== frame || before.spi !== spi)) {
      before.varies = true
      instance.dirty = true
    }
  }

  isLive(state: State, frame: number, spi: number): boolean {
    this.update()
    if (this.work > WORK_LIMIT) return true
    for (let i = state.frames.length - 1; i >= frame; i--) {
      const inner = state.frames[i + 1]
      const at = inner ? (inner.callback ? inner.callSite : inner.callSite + 1) : state.slot
      const instance = this.instance(state, i)
      const marks = instance.frames[frame]
      if (!marks || at >= instance.end) continue
      const word = spi < 32 ? marks.live.low[at - instance.start]! : marks.live.high[at - instance.start]!
      if (word & (1 << (spi & 31))) return true
    }
    return false
  }

  private update(): void {
    for (let again = true; again && this.work <= WORK_LIMIT; ) {
      again = false
      for (const instance of this.instances.values()) {
        if (!instance.dirty) continue
        again = true
        instance.dirty = false
        for (let f = 0; f < instance.frames.length; f++) {
          const marks = instance.frames[f]
          if (marks) this.flow(instance, f, marks)
        }
      }
    }
  }

  private flow(instance: Instance, frame: number, { reads, live }: FrameMarks): void {
    const { start, end, outer, callSite, writes } = instance
    const { prog } = this.env
    live.low.fill(0)
    live.high.fill(0)
    for (let changed = true; changed && this.work <= WORK_LIMIT; ) {
      changed = false
      this.work += end - start
      for (let slot = end - 1; slot >= start; slot--) {
        if (prog.secondHalf[slot]) continue
        let low = 0
        let high = 0
        this.next[slot] ??= successors(prog, slot)
        for (const to of this.next[slot]!) {
          low |= live.low[to - start]!
          high |= live.high[to - start]!
        }
        const write = writes.get(slot)
        if (write && !write.varies && write.frame === frame) {
          if (write.spi < 32) low &= ~(1 << write.spi)
          else high &= ~(1 << (write.spi - 32))
        }
        low |= reads.low[slot - start]!
        high |= reads.high[slot - start]!
        if (low === live.low[slot - start] && high === live.high[slot - start]) continue
        live.low[slot - start] = low
        live.high[slot - start] = high
        changed = true
      }
    }
    // What the function reads of its callers' frames, its call reads.
    if (outer && (live.low[0] || live.high[0]) && frame < depthOf(instance))
      addRead(outer, frame, callSite, live.low[0]!, live.high[0]!)
  }
}

function depthOf(instance: Instance): number {
  let depth = 0
  for (let i = instance.outer; i; i = i.outer) depth++
  return depth
}

function addRead(instance: Instance, frame: number, slot: number, low: number, high: number): void {
  instance.frames[frame] ??= new FrameMarks(instance.end - instance.start)
  const { reads } = instance.frames[frame]!
  const at = slot - instance.start
  if ((reads.low[at]! & low) === low && (reads.high[at]! & high) === high) return
  reads.low[at]! |= low
  reads.high[at]! |= high
  instance.dirty = true
}
