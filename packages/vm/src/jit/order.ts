// An order of a function's blocks in which jumps go forward but for those that close loops, and loops are in one piece: what structured control flow
// asks for. Compilers put code that is seldom reached behind all other, from where it jumps back into the middle.

/** Blocks that each leads to; numbers are places in the program's own order. */
export type Successors = readonly (readonly number[])[]

interface Loop {
  readonly head: number
  readonly blocks: Set<number>
  /** Blocks that can come next, while the order is in this loop and in none within it; rising. */
  readonly ready: number[]
}

/** Blocks of loops, counted in each that they lie in, for each block of the function: in deeper nests no order is looked for. */
const DEEPEST = 64

/** The blocks from the entry on; undefined where a loop has several entrances, or loops lie very deep in each other. Those that could come next come in the program's order. */
export function orderOf(successors: Successors, entry: number): readonly number[] | undefined {
  const predecessors: number[][] = successors.map(() => [])
  for (const [from, all] of successors.entries()) for (const to of all) predecessors[to]!.push(from)
  const closing = closingEdges(successors, entry)
  const loops = loopsOf(closing, predecessors, entry)
  if (!loops) return undefined
  const closes = new Set(closing.map(({ from, to }) => from * successors.length + to))
  const waiting = predecessors.map((all, to) => all.filter((from) => !closes.has(from * successors.length + to)).length)
  const headed = new Map(loops.map((loop) => [loop.head, loop]))
  const whole: Loop = { head: -1, blocks: new Set(), ready: [entry] }
  const open = [whole]
  const order: number[] = []
  for (let loop = open.at(-1); loop; loop = open.at(-1)) {
    const block = loop.ready.shift()
    if (block === undefined) {
      open.pop()
      continue
    }
    order.push(block)
    const own = headed.get(block)
    if (own) open.push(own)
    for (const to of successors[block]!) {
      if (closes.has(block * successors.length + to) || --waiting[to]! > 0) continue
      // Once in a loop, what is in it waits for nothing outside.
      let k = open.length - 1
      while (k > 0 && !open[k]!.blocks.has(to)) k--
      insert(open[k]!.ready, to)
    }
  }
  return order
}

function insert(rising: number[], block: number): void {
  let at = rising.length
  while (at > 0 && rising[at - 1]! > block) at--
  rising.splice(at, 0, block)
}

interface Edge {
  readonly from: number
  readonly to: number
}

/** Edges to blocks that the way there has come by. */
function closingEdges(successors: Successors, entry: number): Edge[] {
  const state = new Uint8Array(successors.length)
  const [ON, DONE] = [1, 2]
  const found: Edge[] = []
  const way = [{ block: entry, next: 0 }]
  state[entry] = ON
  for (let last = way.at(-1); last; last = way.at(-1)) {
    const to = successors[last.block]![last.next++]
    if (to === undefined) {
      state[last.block] = DONE
      way.pop()
    } else if (state[to] === ON) found.push({ from: last.block, to })
    else if (state[to] !== DONE) {
      state[to] = ON
      way.push({ block: to, next: 0 })
    }
  }
  return found
}

/** One loop for each block that is jumped back to; undefined where that is not its only entrance, or that is too much. */
function loopsOf(closing: readonly Edge[], predecessors: readonly (readonly number[])[], entry: number) {
  const loops = new Map<number, Loop>()
  let left = DEEPEST * predecessors.length
  for (const { from, to } of closing) {
    let loop = loops.get(to)
    if (!loop) {
      loop = { head: to, blocks: new Set([to]), ready: [] }
      loops.set(to, loop)
    }
    const work = [from]
    for (let block = work.pop(); block !== undefined; block = work.pop()) {
      if (loop.blocks.has(block)) continue
      if (block === entry || --left < 0) return undefined
      loop.blocks.add(block)
      work.push(...predecessors[block]!)
    }
  }
  return [...loops.values()]
}
