// Where control can go within each function of a program, and the loops that this makes.

import { jumpTarget, type Prog } from './prog.ts'

/** Slots and the slots that lead there: those of slot i are `from[starts[i]]` to `from[starts[i + 1] - 1]`. */
interface Predecessors {
  readonly starts: Uint32Array
  readonly from: Uint32Array
}

export class Flow {
  readonly prog: Prog
  /** The slots that control can go to from each slot: two at most, -1 for none. A call goes on behind itself. */
  readonly next: Int32Array
  readonly other: Int32Array
  private back: Predecessors | undefined

  constructor(prog: Prog) {
    const { length, opcode, secondHalf } = prog
    this.prog = prog
    this.next = new Int32Array(length).fill(-1)
    this.other = new Int32Array(length).fill(-1)
    for (let slot = 0; slot < length; slot++) {
      if (secondHalf[slot]) continue
      const kind = opcode[slot]! & 7
      const op = opcode[slot]! & 0xf0
      if ((kind !== 5 && kind !== 6) || op === 0x80) {
        const behind = slot + (opcode[slot] === 0x18 ? 2 : 1)
        if (behind < length) this.next[slot] = behind
      } else if (op === 0) this.next[slot] = jumpTarget(prog, slot)
      else if (op !== 0x90) {
        this.next[slot] = slot + 1
        this.other[slot] = jumpTarget(prog, slot)
      }
    }
  }

  get predecessors(): Predecessors {
    this.back ??= this.reverse()
    return this.back
  }

  private reverse(): Predecessors {
    const { next, other } = this
    const { length } = next
    const starts = new Uint32Array(length + 1)
    for (const edges of [next, other])
      for (let slot = 0; slot < length; slot++) if (edges[slot]! >= 0) starts[edges[slot]! + 1]!++
    for (let slot = 0; slot < length; slot++) starts[slot + 1]! += starts[slot]!
    const from = new Uint32Array(starts[length]!)
    const filled = starts.slice()
    for (let slot = 0; slot < length; slot++)
      for (const edges of [next, other]) if (edges[slot]! >= 0) from[filled[edges[slot]!]!++] = slot
    return { starts, from }
  }
}

/**
 * The number of the loop that each slot is in, 0 for none: Tarjan's strongly connected components. One slot alone is a loop only if
 * it jumps to itself.
 */
export function findLoops({ prog, next, other }: Flow): Uint32Array {
  const n = prog.length
  const loop = new Uint32Array(n)
  const order = new Uint32Array(n)
  const low = new Uint32Array(n)
  const done = new Uint8Array(n)
  /** How many edges of a slot have been followed. */
  const followed = new Uint8Array(n)
  const path = new Uint32Array(n)
  const open = new Uint32Array(n)
  let opened = 0
  let counter = 0
  let loops = 0
  for (let root = 0; root < n; root++) {
    if (order[root] || prog.secondHalf[root]) continue
    let depth = 0
    for (let enter = root; ; ) {
      if (enter >= 0) {
        order[enter] = low[enter] = ++counter
        open[opened++] = enter
        path[depth++] = enter
      }
      const slot = path[depth - 1]!
      if (followed[slot]! < 2) {
        const to = followed[slot]!++ === 0 ? next[slot]! : other[slot]!
        enter = to >= 0 && !order[to] ? to : -1
        if (to >= 0 && enter < 0 && !done[to]) low[slot] = Math.min(low[slot]!, order[to]!)
        continue
      }
      enter = -1
      depth--
      if (depth > 0) {
        const parent = path[depth - 1]!
        low[parent] = Math.min(low[parent]!, low[slot]!)
      }
      if (low[slot] === order[slot]) {
        const isLoop = open[opened - 1] !== slot || next[slot] === slot || other[slot] === slot
        if (isLoop) loops++
        for (let member = -1; member !== slot; ) {
          member = open[--opened]!
          done[member] = 1
          if (isLoop) loop[member] = loops
        }
      }
      if (depth === 0) break
    }
  }
  return loop
}
