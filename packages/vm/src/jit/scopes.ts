// Jumps among blocks in an order as nested scopes: each loop and each block of WebAssembly that they need, none partly over another.

export interface Scope {
  readonly kind: 'block' | 'loop'
  /** Block numbers: it opens before `from` and closes before `to`. */
  from: number
  to: number
}

export interface Edge {
  readonly from: number
  readonly to: number
}

/** Scopes in the order they open; undefined where a jump leads into a loop's middle from before it. */
export function nest(edges: readonly Edge[], blockCount: number): Scope[] | undefined {
  const loops = nestLoops(edges)
  const forward = new Map<number, number>()
  for (const { from, to } of edges) if (to > from) forward.set(to, Math.min(forward.get(to) ?? from, from))
  const inside = new Inside(loops, blockCount)
  // By rising end; `open` are the outermost scopes so far, apart from each other, by rising start.
  const blocks: Scope[] = []
  const open: Scope[] = []
  for (const [to, source] of [...forward].sort((a, b) => a[0] - b[0])) {
    let from = inside.startBefore(source, to)
    while (open.length > 0 && open[open.length - 1]!.to > from) {
      from = inside.startBefore(Math.min(from, open.pop()!.from), to)
    }
    if (inside.startsAfter(to, from)) return undefined
    const scope: Scope = { kind: 'block', from, to }
    open.push(scope)
    blocks.push(scope)
  }
  return [...blocks, ...loops].sort((a, b) => a.from - b.from || b.to - a.to || (a.kind === 'block' ? -1 : 1))
}

/** One loop for each place that is jumped back to, by rising start; where two overlap, the outer one's end moves. */
function nestLoops(edges: readonly Edge[]): Scope[] {
  const ends = new Map<number, number>()
  for (const { from, to } of edges) if (to <= from) ends.set(to, Math.max(ends.get(to) ?? 0, from + 1))
  const loops = [...ends].map(([from, to]): Scope => ({ kind: 'loop', from, to })).sort((a, b) => b.from - a.from)
  // The outermost of those that start later, the next one last.
  const later: Scope[] = []
  for (const loop of loops) {
    while (later.length > 0 && later[later.length - 1]!.from < loop.to) loop.to = Math.max(loop.to, later.pop()!.to)
    later.push(loop)
  }
  return loops.reverse()
}

/** Which loops blocks lie in. */
class Inside {
  private readonly loops: readonly Scope[]
  /** By block: the innermost loop that starts before it and ends after it, by its number; -1 for none. */
  private readonly loopOf: Int32Array
  /** By loop: one around it that has ended too, or itself; leads to the outermost such. */
  private readonly outer: Int32Array

  constructor(loops: readonly Scope[], blockCount: number) {
    this.loops = loops
    this.loopOf = new Int32Array(blockCount)
    this.outer = Int32Array.from(loops, (_, i) => i)
    const open: number[] = []
    let next = 0
    for (let b = 0; b < blockCount; b++) {
      while (open.length > 0 && loops[open[open.length - 1]!]!.to <= b) open.pop()
      this.loopOf[b] = open.length > 0 ? open[open.length - 1]! : -1
      if (loops[next]?.from === b) open.push(next++)
    }
  }

  /** Whether a loop that a block is in the middle of starts after another block. */
  startsAfter(block: number, after: number): boolean {
    const loop = this.loopOf[block]!
    return loop >= 0 && this.loops[loop]!.from > after
  }

  /** Where a scope starts at the latest that holds a block and ends before another: outside all loops that have ended there. Ends must come rising. */
  startBefore(block: number, to: number): number {
    const { loops, loopOf, outer } = this
    const hasEnded = (loop: number): boolean => loop >= 0 && loops[loop]!.to < to
    const first = loopOf[block]!
    if (!hasEnded(first)) return block
    let last = first
    for (;;) {
      const further = outer[last] === last ? loopOf[loops[last]!.from]! : outer[last]!
      if (!hasEnded(further)) break
      last = further
    }
    // What was gone through leads there at once from now on.
    for (let loop = first; loop !== last; ) {
      const further = outer[loop] === loop ? loopOf[loops[loop]!.from]! : outer[loop]!
      outer[loop] = last
      loop = further
    }
    return loops[last]!.from
  }
}
