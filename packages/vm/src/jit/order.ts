// An order of a function's blocks in which jumps go forward but for those that close loops, and loops are in one piece: what structured control flow
// asks for. Compilers put code that is seldom reached behind all other, from where it jumps back into the middle.

import { loopsOf, type Successors } from './loops.ts'
import { Rising } from './rising.ts'

/** The blocks from the entry on; undefined where a loop has several entrances. Those that could come next come in the program's order. */
export function orderOf(successors: Successors, entry: number): readonly number[] | undefined {
  const loops = loopsOf(successors, entry)
  if (!loops) return undefined
  const { around, heads, closes } = loops
  const waiting = new Int32Array(successors.length)
  for (const [from, all] of successors.entries()) for (const to of all) if (!closes(from, to)) waiting[to]!++
  // Blocks that can come next, while the order is in a loop, by its head, and in none within it; those in no loop are at -1.
  const ready = new Map<number, Rising>([[-1, new Rising()]])
  ready.get(-1)!.add(entry)
  const open = [-1]
  const order: number[] = []
  for (let head = open.at(-1); head !== undefined; head = open.at(-1)) {
    const block = ready.get(head)!.take()
    if (block === undefined) {
      open.pop()
      continue
    }
    order.push(block)
    if (heads[block] === 1) {
      open.push(block)
      ready.set(block, new Rising())
    }
    // Once in a loop, what is in it waits for nothing outside.
    for (const to of successors[block]!) if (!closes(block, to) && --waiting[to]! === 0) ready.get(around[to]!)!.add(to)
  }
  return order
}
