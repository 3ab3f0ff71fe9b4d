// What ways through a graph of tests tell of tests further on: which of them every way to a test leads along, and how those were decided.

/** A graph of tests that leads from some nodes on to others, and never back. Below 0 a way leads to no node. */
export interface TestWays {
  /** The nodes that can be reached, each before all that it leads to. */
  readonly order: ArrayLike<number>
  readonly yes: Int32Array
  readonly no: Int32Array
}

/**
 * The dominator tree over nodes and ways together. A vertex is a node (3i), its `yes` way (3i + 1) or its `no` way (3i + 2); the vertices below
 * one are those that nothing comes to but through it.
 */
export class DominatorTree {
  /** The vertices in the order of the tree: what is below one comes behind it, with nothing else between. */
  readonly inOrder: Int32Array
  /** The place of a vertex in that order, and the first place behind all that is below it. */
  readonly first: Int32Array
  readonly behind: Int32Array
  private readonly parent: Int32Array
  private readonly depth: Int32Array
  private readonly seen: Uint8Array

  constructor({ order, yes, no }: TestWays) {
    this.parent = new Int32Array(yes.length * 3).fill(-1)
    this.depth = new Int32Array(yes.length * 3)
    this.seen = new Uint8Array(yes.length)
    for (let i = 0; i < order.length; i++) {
      const node = order[i]!
      this.place(3 * node, 3 * node + 1, yes[node]!)
      this.place(3 * node, 3 * node + 2, no[node]!)
    }
    this.first = new Int32Array(yes.length * 3)
    this.behind = new Int32Array(yes.length * 3)
    this.inOrder = this.numbered(order)
  }

  /** Whether nothing comes to a node but through another. */
  dominates(above: number, node: number): boolean {
    const place = this.first[3 * node]!
    return this.first[3 * above]! <= place && place < this.behind[3 * above]!
  }

  /** Where a way of a node is in the tree, and what it leads to as far as is known. */
  private place(node: number, vertex: number, to: number): void {
    const { parent, depth, seen } = this
    parent[vertex] = node
    depth[vertex] = depth[node]! + 1
    if (to < 0) return
    const above = seen[to] ? this.common(parent[3 * to]!, vertex) : vertex
    seen[to] = 1
    parent[3 * to] = above
    depth[3 * to] = above < 0 ? 0 : depth[above]! + 1
  }

  private common(a: number, b: number): number {
    const { parent, depth } = this
    let x = a
    let y = b
    while (x !== y) {
      if (x < 0 || y < 0) return -1
      if (depth[x]! >= depth[y]!) x = parent[x]!
      else y = parent[y]!
    }
    return x
  }

  private numbered(order: ArrayLike<number>): Int32Array {
    const { parent, first, behind } = this
    // How many lie at and below each, from the leaves up.
    const size = new Int32Array(parent.length).fill(1)
    for (let i = order.length - 1; i >= 0; i--) {
      const node = 3 * order[i]!
      size[node]! += size[node + 1]! + size[node + 2]!
      if (parent[node]! >= 0) size[parent[node]!]! += size[node]!
    }
    // Where the next one below each goes.
    const next = new Int32Array(parent.length)
    let roots = 0
    const inOrder = new Int32Array(order.length * 3)
    for (let i = 0; i < order.length; i++) {
      const node = 3 * order[i]!
      for (let vertex = node; vertex < node + 3; vertex++) {
        const above = parent[vertex]!
        const at = above < 0 ? roots : next[above]!
        if (above < 0) roots += size[vertex]!
        else next[above] = at + size[vertex]!
        first[vertex] = at
        behind[vertex] = at + size[vertex]!
        next[vertex] = at + 1
        inOrder[at] = vertex
      }
    }
    return inOrder
  }
}

/** What tests ask, by node. */
export interface Asked {
  /** A number that is the same for the same test of the same left side; and one that is so if the operand is the same too. */
  readonly asked: Int32Array
  readonly whole: Int32Array
  /** Whether it asks if two values are equal, one of them a constant. */
  readonly constant: Uint8Array
}

/** The outcomes of tests that ways before them tell: of the same test, or of the same left side that was found equal to another constant. */
export class Told {
  private readonly asked: Asked
  private readonly first: Int32Array
  /** Ways of the same whole test, by its number; and those on which a test was equal to a constant, by what it asked. */
  private readonly same: Ways
  private readonly equal: Ways

  constructor(tree: DominatorTree, tests: Asked) {
    const { asked, whole, constant } = tests
    this.asked = tests
    this.first = tree.first
    this.same = new Ways(tree, (way) => whole[Math.floor(way / 3)]!)
    this.equal = new Ways(tree, (way) => (way % 3 === 1 && constant[(way - 1) / 3] ? asked[(way - 1) / 3]! : -1))
  }

  /** The outcome of a node's test on a way, if it or a way above tells it: the nearest one that does. */
  outcome(node: number, way: number): boolean | undefined {
    const { asked, whole, constant } = this.asked
    const same = this.same.above(whole[node]!, way)
    const equal = constant[node] ? this.equal.above(asked[node]!, way) : -1
    // Of two above one vertex the one that comes later is nearer.
    if (equal >= 0 && (same < 0 || this.first[equal]! > this.first[same]!)) return false
    return same < 0 ? undefined : same % 3 === 1
  }
}

/** Ways of a dominator tree in groups. */
class Ways {
  private readonly first: Int32Array
  private readonly behind: Int32Array
  /** The ways, a group behind the other, in the order of the tree; for each the place of the nearest of its group that it lies below, or -1. */
  private readonly ways: Int32Array
  private readonly outer: Int32Array
  /** By group: where it begins; it ends where the next one begins. */
  private readonly begin: Int32Array

  /** @param groupOf a small number, below 0 for ways of no group */
  constructor({ first, behind, inOrder }: DominatorTree, groupOf: (way: number) => number) {
    this.first = first
    this.behind = behind
    const groups = new Int32Array(inOrder.length)
    let last = -1
    for (let i = 0; i < inOrder.length; i++) {
      groups[i] = inOrder[i]! % 3 === 0 ? -1 : groupOf(inOrder[i]!)
      if (groups[i]! > last) last = groups[i]!
    }
    this.begin = new Int32Array(last + 2)
    for (let i = 0; i < groups.length; i++) if (groups[i]! >= 0) this.begin[groups[i]! + 1]!++
    for (let i = 0; i <= last; i++) this.begin[i + 1]! += this.begin[i]!
    this.ways = new Int32Array(this.begin[last + 1]!)
    this.outer = new Int32Array(this.ways.length)
    const next = this.begin.slice()
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i]!
      if (group < 0) continue
      const at = next[group]!++
      this.outer[at] = at === this.begin[group] ? -1 : this.enclosing(at - 1, inOrder[i]!)
      this.ways[at] = inOrder[i]!
    }
  }

  /** The nearest way of a group that a way lies below, or is; -1 if there is none. */
  above(group: number, way: number): number {
    if (group + 1 >= this.begin.length) return -1
    const from = this.begin[group]!
    // The last one that does not come behind it, by halves.
    let [low, high] = [from, this.begin[group + 1]!]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.first[this.ways[middle]!]! <= this.first[way]!) low = middle + 1
      else high = middle
    }
    const at = low === from ? -1 : this.enclosing(low - 1, way)
    return at < 0 ? -1 : this.ways[at]!
  }

  /** From a place in a group on outwards, the first that a way lies below. */
  private enclosing(from: number, way: number): number {
    const { ways, outer, behind, first } = this
    let at = from
    while (at >= 0 && behind[ways[at]!]! <= first[way]!) at = outer[at]!
    return at
  }
}
