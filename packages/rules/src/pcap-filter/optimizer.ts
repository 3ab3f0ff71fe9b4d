// libpcap's optimiser, as far as it can be seen from outside: on a packet that is cut, a test whose bytes are missing ends the program, so it
// shows which tests are made, and in which order. The algorithm is that of McCanne and Jacobson (The BSD Packet Filter, 1993), with the habits
// of libpcap 1.10: rounds over levels of blocks, from the leaves up, until nothing changes.

import { compareValues, type DecisionGraph, type TestNode, type Way } from '@netsieve/ir'

export interface Optimized {
  readonly graph: DecisionGraph
  /** Whether a test was left out, or moved before another: then cut packets may fare otherwise. */
  readonly changed: boolean
  /** A test was moved that other ways led to as well: libpcap's own mistake, after which the program may match other packets than is written. */
  readonly mistaken: boolean
}

/** Rounds that only move branches, at most: they may go round in a circle. */
const MOST_ROUNDS = 100

/** A graph as the optimiser leaves it; nodes that nothing leads to are left out. */
export function optimized(graph: DecisionGraph): Optimized {
  const blocks = new Blocks(graph)
  let rounds = 0
  while (blocks.round() && ++rounds < MOST_ROUNDS);
  return { graph: blocks.graph(), changed: blocks.changed, mistaken: blocks.mistaken }
}

function isConstant({ operand }: TestNode): boolean {
  return typeof operand === 'bigint' || operand.kind === 'const'
}

/** What a test of constants says. */
function outcomeOf({ left, test, operand }: TestNode): boolean | undefined {
  const right = typeof operand === 'bigint' ? operand : operand.kind === 'const' ? operand.value : undefined
  return left.kind === 'const' && right !== undefined ? compareValues(left.value, TESTS[test], right) : undefined
}

const TESTS = { eq: '==', gt: '>', ge: '>=' } as const

const LEAVES = { yes: -1, no: -2 } as const
const leaf = (way: number): 'yes' | 'no' => (way === LEAVES.yes ? 'yes' : 'no')

class Blocks {
  changed = false
  mistaken = false
  private readonly nodes: readonly TestNode[]
  private readonly entry: Way
  /** Where each block goes if its test holds, and if not: a block, or a leaf below 0. */
  private readonly yes: Int32Array
  private readonly no: Int32Array
  /** What is looked at, and what with, as numbers that are equal where they are. */
  private readonly value: Int32Array
  private readonly operand: Int32Array
  private readonly constant: Uint8Array
  /** By vertex of the trees below: on ways a number for the test and what it looks at, -1 at blocks. */
  private readonly asked: Int32Array
  /** Blocks by level: leaves are level 0, a block is one above the higher of those it leads to. */
  private levels: number[][] = []
  /** Trees of what dominates a vertex: block i is vertex 3i, its true way 3i + 1, its false way 3i + 2. */
  private parent = new Int32Array(0)
  private depth = new Int32Array(0)

  constructor({ entry, nodes }: DecisionGraph) {
    this.nodes = nodes
    this.entry = entry
    const number = (way: Way) => (typeof way === 'number' ? way : LEAVES[way])
    this.yes = Int32Array.from(nodes, ({ yes }) => number(yes))
    this.no = Int32Array.from(nodes, ({ no }) => number(no))
    const [values, asked, operands] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
    const of = (map: Map<string, number>, key: string) => {
      const known = map.get(key) ?? map.size
      map.set(key, known)
      return known
    }
    this.value = new Int32Array(nodes.length)
    this.asked = new Int32Array(nodes.length * 3).fill(-1)
    this.operand = new Int32Array(nodes.length)
    this.constant = new Uint8Array(nodes.length)
    for (const [i, node] of nodes.entries()) {
      // `x & mask == 0` of a field is one instruction, `x & mask`, that holds for the opposite.
      const bits = node.pred.kind === 'cmp' && node.test === 'eq' && node.operand === 0n && node.left.kind === 'mask'
      const mask = bits && node.left.kind === 'mask' ? node.left.mask : undefined
      this.value[i] = of(values, mask === undefined ? node.key : node.key.slice(1, -`&${mask})`.length))
      this.asked[3 * i + 1] = this.asked[3 * i + 2] = of(
        asked,
        `${mask === undefined ? node.test : 'set'} ${this.value[i]}`,
      )
      this.operand[i] = of(operands, mask === undefined ? node.operandKey : String(mask))
      this.constant[i] = node.test === 'eq' && mask === undefined && isConstant(node) ? 1 : 0
      const outcome = outcomeOf(node)
      if (outcome !== undefined) this.yes[i] = this.no[i] = number(outcome ? node.yes : node.no)
      if (mask !== undefined) [this.yes[i], this.no[i]] = [this.no[i]!, this.yes[i]!]
    }
  }

  /** What is left of it, in an order in which ways lead to smaller numbers. */
  graph(): DecisionGraph {
    const order: number[] = []
    const place = new Map<number, number>()
    this.visit((block) => {
      place.set(block, order.length)
      order.push(block)
    })
    const way = (to: number): Way => (to < 0 ? leaf(to) : place.get(to)!)
    const nodes = order.map((block) => {
      const turned = this.isSet(block)
      const [yes, no] = [way(this.yes[block]!), way(this.no[block]!)]
      return { ...this.nodes[block]!, yes: turned ? no : yes, no: turned ? yes : no }
    })
    return { entry: typeof this.entry === 'number' ? place.get(this.entry)! : this.entry, nodes }
  }

  private isSet(block: number): boolean {
    const { pred, test, operand, left } = this.nodes[block]!
    return pred.kind === 'cmp' && test === 'eq' && operand === 0n && left.kind === 'mask'
  }

  /** Blocks that can be reached (not through one), each after all that it leads to; what a true way leads to first. */
  private visit(each: (block: number) => void, without = -1): void {
    if (typeof this.entry !== 'number' || this.entry === without) return
    const { yes, no } = this
    /** By block: 0 if it was not seen, 1 and 2 if its true or its false way is next, 3 if both are done. */
    const ways = new Uint8Array(this.nodes.length)
    if (without >= 0) ways[without] = 3
    const open = [this.entry]
    ways[this.entry] = 1
    while (open.length > 0) {
      const block = open[open.length - 1]!
      const way = ways[block]!
      if (way === 3) {
        open.pop()
        each(block)
        continue
      }
      ways[block] = way + 1
      const next = way === 1 ? yes[block]! : no[block]!
      if (next < 0 || ways[next] !== 0) continue
      ways[next] = 1
      open.push(next)
    }
  }

  /** One round. @returns whether anything changed */
  round(): boolean {
    this.findLevels()
    this.findDominators()
    let done = true
    for (const level of this.levels)
      for (const block of level) {
        if (this.thread(block, true)) done = false
        if (this.thread(block, false)) done = false
      }
    const inEdges = this.inEdges()
    for (const level of this.levels)
      for (const block of level) {
        const edges = inEdges[block]
        if (!edges || !this.lookAlike(edges)) continue
        if (this.pullUp(block, edges, false)) done = false
        if (this.pullUp(block, edges, true)) done = false
      }
    return !done
  }

  private findLevels(): void {
    const level = new Int32Array(this.nodes.length)
    this.levels = []
    this.visit((block) => {
      const below = (way: number) => (way < 0 ? 0 : level[way]!)
      const own = Math.max(below(this.yes[block]!), below(this.no[block]!)) + 1
      level[block] = own
      // The last that was found comes first.
      const row = this.levels[own - 1] ?? []
      this.levels[own - 1] = row
      row.unshift(block)
    })
  }

  private findDominators(): void {
    const { nodes, levels } = this
    this.parent = new Int32Array(nodes.length * 3).fill(-1)
    this.depth = new Int32Array(nodes.length * 3)
    const seen = new Uint8Array(nodes.length)
    for (let level = levels.length - 1; level >= 0; level--) {
      for (const block of levels[level]!) {
        this.place(3 * block + 1, this.yes[block]!, seen)
        this.place(3 * block + 2, this.no[block]!, seen)
      }
    }
  }

  /** Where a way is in the tree, and the block that it leads to as far as is known. */
  private place(vertex: number, way: number, seen: Uint8Array): void {
    const { parent, depth } = this
    const block = vertex - (vertex % 3)
    parent[vertex] = block
    depth[vertex] = depth[block]! + 1
    if (way < 0) return
    const above = seen[way] ? this.common(parent[3 * way]!, vertex) : vertex
    seen[way] = 1
    parent[3 * way] = above
    depth[3 * way] = above < 0 ? 0 : depth[above]! + 1
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

  /** Every way to `block` comes through `above`. */
  private dominates(above: number, block: number): boolean {
    const { parent, depth } = this
    let vertex = 3 * block
    while (vertex >= 0 && depth[vertex]! > depth[3 * above]!) vertex = parent[vertex]!
    return vertex === 3 * above
  }

  /** Every way to `target` leads through `block`, as the graph is now. */
  private soleWay(block: number, target: number): boolean {
    let reached = false
    this.visit((each) => {
      if (each === target) reached = true
    }, block)
    return !reached
  }

  /** Takes a way past blocks that change nothing, or whose outcome it tells. @returns whether it did */
  private thread(block: number, sense: boolean): boolean {
    const ways = sense ? this.yes : this.no
    const before = ways[block]!
    let to = before
    if (to < 0) return false
    if (this.yes[to] === this.no[to]) {
      if (outcomeOf(this.nodes[to]!) === undefined) this.changed = true
      to = this.yes[to]!
    }
    while (to >= 0) {
      const outcome = this.told(to, 3 * block + (sense ? 1 : 2))
      if (outcome === undefined) break
      to = outcome ? this.yes[to]! : this.no[to]!
    }
    ways[block] = to
    return to !== before
  }

  /** The outcome of a block's test by the ways above a vertex: the same test of the same value, or another constant that it is equal to. */
  private told(block: number, from: number): boolean | undefined {
    const { parent, asked, operand, constant } = this
    const wanted = asked[3 * block + 1]
    for (let vertex = from; vertex >= 0; vertex = parent[vertex]!) {
      if (asked[vertex] !== wanted) continue
      const earlier = Math.floor(vertex / 3)
      const holds = vertex % 3 === 1
      if (operand[earlier] === operand[block]) return holds
      if (holds && constant[earlier] && constant[block]) return false
    }
    return undefined
  }

  /** By block: the blocks before it, once for each way that leads to it; the lowest and foremost last. */
  private inEdges(): readonly (readonly number[] | undefined)[] {
    const edges: number[][] = []
    const add = (from: number, to: number) => {
      if (to < 0) return
      const known = edges[to]
      if (known) known.push(from)
      else edges[to] = [from]
    }
    for (let level = this.levels.length - 1; level >= 0; level--) {
      for (const from of this.levels[level]!) {
        add(from, this.yes[from]!)
        add(from, this.no[from]!)
      }
    }
    return edges
  }

  /** Whether all blocks look at one value. */
  private lookAlike(blocks: readonly number[]): boolean {
    for (let i = 1; i < blocks.length; i++) if (this.value[blocks[i]!] !== this.value[blocks[0]!]) return false
    return true
  }

  /**
   * In a chain of tests that all go to one place if they hold (`chain` false: an or) or fail (true: an and), moves one that looks at the value
   * which was looked at just before the chain, by all `inEdges`, up to the chain's start.
   */
  private pullUp(block: number, inEdges: readonly number[], chain: boolean): boolean {
    const first = inEdges[inEdges.length - 1]!
    const value = this.value[first]
    const [out, on] = chain ? [this.no, this.yes] : [this.yes, this.no]
    const inChain = (way: number) => way >= 0 && out[way] === out[block] && this.dominates(block, way)
    // Ways are named by the block they leave: the chain is entered by the way that leads to `block`, and goes on by `on`.
    let ways = this.yes[first] === block ? this.yes : this.no
    let from = first
    for (;;) {
      const next = ways[from]!
      if (!inChain(next)) return false
      if (this.value[next] !== value) break
      ways = on
      from = next
    }
    const top = from === first
    const different = ways[from]!
    let before = different
    for (;;) {
      const next = on[before]!
      if (!inChain(next)) return false
      if (this.value[next] === value) break
      before = next
    }
    const pulled = on[before]!
    this.changed = true
    // Dominators are those from before this round's threading, which may hold no longer.
    if (!this.soleWay(block, pulled)) this.mistaken = true
    on[before] = on[pulled]!
    on[pulled] = different
    if (!top) ways[from] = pulled
    else {
      for (const each of inEdges) {
        if (this.yes[each] === block) this.yes[each] = pulled
        else this.no[each] = pulled
      }
    }
    return true
  }
}
