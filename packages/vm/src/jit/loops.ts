// The loops of a function's blocks, however deep they lie in each other: each block's innermost one, found from the innermost loop outwards,
// every block being looked at once for all loops that it lies in (R. E. Tarjan, Testing flow graph reducibility, 1974).

/** Blocks that each leads to; numbers are places in the program's own order. */
export type Successors = readonly (readonly number[])[]

export interface Loops {
  /** Whether a way from block to block closes a loop: it goes back to where the way there has come by. */
  readonly closes: (from: number, to: number) => boolean
  /** By block: the head of the innermost loop that it lies in, that of the loop around it for a head; -1 for none. */
  readonly around: Int32Array
  /** By block: 1 if it is a loop's head. */
  readonly heads: Uint8Array
}

/** Undefined where a loop has several entrances. All blocks can be reached from the entry. */
export function loopsOf(successors: Successors, entry: number): Loops | undefined {
  const count = successors.length
  const { order, before, last } = depthFirst(successors, entry)
  const isBelow = (block: number, top: number): boolean =>
    before[block]! >= before[top]! && before[block]! <= last[top]!
  const around = new Int32Array(count).fill(-1)
  const heads = new Uint8Array(count)
  const predecessors = predecessorsOf(successors)
  // A block that was put into a loop stands for that loop's head, and so on.
  const standsFor = Int32Array.from({ length: count }, (_, b) => b)
  const find = (block: number): number => {
    let top = block
    while (standsFor[top] !== top) top = standsFor[top]!
    for (let b = block; b !== top; ) {
      const next = standsFor[b]!
      standsFor[b] = top
      b = next
    }
    return top
  }
  for (let k = count - 1; k >= 0; k--) {
    const head = order[k]!
    const work: number[] = []
    const take = (block: number): void => {
      if (block === head || around[block] !== -1) return
      around[block] = head
      work.push(block)
    }
    for (const from of predecessors[head]!)
      if (isBelow(from, head)) {
        heads[head] = 1
        take(find(from))
      }
    const inside: number[] = []
    for (let block = work.pop(); block !== undefined; block = work.pop()) {
      inside.push(block)
      for (const from of predecessors[block]!) {
        if (isBelow(from, block)) continue
        const top = find(from)
        if (!isBelow(top, head)) return undefined
        take(top)
      }
    }
    for (const block of inside) standsFor[block] = head
  }
  return { closes: (from, to) => isBelow(from, to), around, heads }
}

/** Blocks in the order in which a search in depth comes to them, by block the place in it, and the place of the last that it comes to from there. */
function depthFirst(successors: Successors, entry: number) {
  const before = new Int32Array(successors.length).fill(-1)
  const last = new Int32Array(successors.length)
  const next = new Int32Array(successors.length)
  const order = [entry]
  const way = [entry]
  before[entry] = 0
  for (let block = way.at(-1); block !== undefined; block = way.at(-1)) {
    const to = successors[block]![next[block]!++]
    if (to === undefined) {
      last[block] = order.length - 1
      way.pop()
    } else if (before[to] === -1) {
      before[to] = order.length
      order.push(to)
      way.push(to)
    }
  }
  return { order, before, last }
}

function predecessorsOf(successors: Successors): number[][] {
  const predecessors: number[][] = successors.map(() => [])
  for (const [from, all] of successors.entries()) for (const to of all) predecessors[to]!.push(from)
  return predecessors
}
