// Which stack slots are read before they are written again. Nothing is assumed of the program: the accesses that were seen on
// the paths walked so far are marked, and flow backwards through each function, separately for each chain of calls.
// A read spreads at once. A store that turns out to kill what was thought live only sharpens the answer, so the flow is done
// anew for it only as far as the work done so far allows.

import type { Env } from './env.ts'
import type { State } from './state.ts'

/** Steps of renewed flow allowed for each instruction processed, and for free. */
const WORK_PER_INSN = 200
const FREE_WORK = 2_000_000

/** Sets of the 64 slots of one frame, for each instruction of a function: what it reads, and what is live before it. */
class FrameMarks {
  readonly readLow: Int32Array
  readonly readHigh: Int32Array
  readonly liveLow: Int32Array
  readonly liveHigh: Int32Array
  constructor(length: number) {
    this.readLow = new Int32Array(length)
    this.readHigh = new Int32Array(length)
    this.liveLow = new Int32Array(length)
    this.liveHigh = new Int32Array(length)
  }
}

/** A store that always writes the same whole slot of the same frame; `varies` where it does not. */
interface Write {
  readonly frame: number
  readonly spi: number
  varies: boolean
}

/** A function as called through one chain of calls. */
interface Instance {
  readonly start: number
  readonly end: number
  readonly depth: number
  readonly outer: Instance | undefined
  readonly callSite: number
  readonly frames: (FrameMarks | undefined)[]
  readonly writes: Map<number, Write>
  /** A store was seen since the last flow. */
  stale: boolean
}

export class StackLiveness {
  private readonly instances = new Map<string, Instance>()
  private work = 0
  private stale = false
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
      found = { start, end, depth: index, outer, callSite, frames: [], writes: new Map(), stale: false }
      this.instances.set(chain, found)
    }
    return found
  }

  /** The present instruction reads slot `spi` of a frame. */
  read(frame: number, spi: number): void {
    const { state, slot } = this.env
    const instance = this.instance(state, state.frames.length - 1)
    this.addRead(instance, frame, slot, spi < 32 ? 1 << spi : 0, spi < 32 ? 0 : 1 << (spi - 32))
  }

  /** The present instruction stores: a whole slot, or (undefined) something else. */
  wrote(frame: number, spi: number | undefined): void {
    const { state, slot } = this.env
    const instance = this.instance(state, state.frames.length - 1)
    const before = instance.writes.get(slot)
    if (!before) {
      instance.writes.set(slot, { frame, spi: spi ?? 0, varies: spi === undefined })
      if (spi === undefined || !instance.frames[frame]) return
      instance.stale = true
      this.stale = true
    } else if (!before.varies && (before.frame !== frame || before.spi !== spi)) {
      before.varies = true
      this.letThrough(instance, before.frame, slot)
    }
  }

  isLive(state: State, frame: number, spi: number): boolean {
    if (this.stale) this.renew()
    for (let i = state.frames.length - 1; i >= frame; i--) {
      const inner = state.frames[i + 1]
      const at = inner ? (inner.callback ? inner.callSite : inner.callSite + 1) : state.slot
      const instance = this.instance(state, i)
      const marks = instance.frames[frame]
      if (!marks || at >= instance.end) continue
      const word = spi < 32 ? marks.liveLow[at - instance.start]! : marks.liveHigh[at - instance.start]!
      if (word & (1 << (spi & 31))) return true
    }
    return false
  }

  private addRead(instance: Instance, frame: number, slot: number, low: number, high: number): void {
    instance.frames[frame] ??= new FrameMarks(instance.end - instance.start)
    const marks = instance.frames[frame]
    const at = slot - instance.start
    if ((marks.readLow[at]! & low) === low && (marks.readHigh[at]! & high) === high) return
    // The first read of a frame meets stores that were seen before it.
    marks.readLow[at]! |= low
    marks.readHigh[at]! |= high
    this.spread(instance, frame, marks, slot, low, high)
  }

  /** Slots are live before `slot`, and before what leads there unless it writes them. */
  private spread(instance: Instance, frame: number, marks: FrameMarks, slot: number, low: number, high: number): void {
    const { starts, from: sources } = this.env.structure.flow.predecessors
    const work = [slot, low, high]
    while (work.length > 0) {
      let h = work.pop()!
      let l = work.pop()!
      const to = work.pop()!
      const at = to - instance.start
      l &= ~marks.liveLow[at]!
      h &= ~marks.liveHigh[at]!
      if (l === 0 && h === 0) continue
      marks.liveLow[at]! |= l
      marks.liveHigh[at]! |= h
      if (to === instance.start && instance.outer && frame < instance.depth)
        this.addRead(instance.outer, frame, instance.callSite, l, h)
      for (let i = starts[to]!; i < starts[to + 1]!; i++) {
        const from = sources[i]!
        if (from < instance.start || from >= instance.end) continue
        const [keepLow, keepHigh] = kept(instance, frame, from)
        if (l & keepLow || h & keepHigh) work.push(from, l & keepLow, h & keepHigh)
      }
    }
  }

  /** A store no longer stops what is live behind it. */
  private letThrough(instance: Instance, frame: number, slot: number): void {
    const marks = instance.frames[frame]
    if (!marks) return
    const { next, other } = this.env.structure.flow
    for (const to of [next[slot]!, other[slot]!]) {
      if (to < 0) continue
      const at = to - instance.start
      this.spread(instance, frame, marks, slot, marks.liveLow[at]!, marks.liveHigh[at]!)
    }
  }

  /** Forgets what is live and lets all reads flow again, past the stores known by now. */
  private renew(): void {
    for (const instance of this.instances.values()) {
      if (!instance.stale) continue
      const length = instance.end - instance.start
      if (this.work + length > FREE_WORK + WORK_PER_INSN * this.env.counts.insns) return
      this.work += length
      instance.stale = false
      instance.frames.forEach((marks, frame) => {
        if (!marks) return
        marks.liveLow.fill(0)
        marks.liveHigh.fill(0)
        for (let at = 0; at < length; at++) {
          const [low, high] = [marks.readLow[at]!, marks.readHigh[at]!]
          if (low || high) this.spread(instance, frame, marks, instance.start + at, low, high)
        }
      })
    }
    this.stale = false
  }
}

/** The slots that an instruction leaves alone, as bits. */
function kept(instance: Instance, frame: number, slot: number): readonly [number, number] {
  const write = instance.writes.get(slot)
  if (!write || write.varies || write.frame !== frame) return ALL
  return write.spi < 32 ? [~(1 << write.spi), -1] : [-1, ~(1 << (write.spi - 32))]
}

const ALL = [-1, -1] as const
