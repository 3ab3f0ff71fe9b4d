// libpcap's optimiser, as far as it can be seen from outside: on a packet that is cut, a test whose bytes are missing ends the program, so it
// shows which tests are made, and in which order. The algorithm is that of McCanne and Jacobson (The BSD Packet Filter, 1993), with the habits
// of libpcap 1.10: rounds over levels of blocks, from the leaves up, until nothing changes.

import { compareValues, type DecisionGraph, DominatorTree, type TestNode, Told, type Way } from '@netsieve/ir'

export interface Optimized {
  readonly graph: DecisionGraph
  /** Whether a test was left out, or moved before another: then cut packets may fare otherwise. */
  readonly changed: boolean
  /**
   * A test was moved that other ways led to as well, or one was taken for told that is not: libpcap's own mistakes, after which the program may
   * match other packets than is written.
   */
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

/** The bits that one instruction asks for: `x & mask` of a field, which holds where `x & mask == 0` does not. */
function bitsOf({ pred, left, test, operand }: TestNode): bigint | undefined {
  return pred.kind === 'cmp' && test === 'eq' && operand === 0n && left.kind === 'mask' ? left.mask : undefined
}

/** Whether libpcap writes that instruction itself, as it does for `!= 0`; otherwise its optimiser makes it of two. */
function isWrittenAsSet({ pred }: TestNode): boolean {
  return pred.kind === 'cmp' && pred.test === '!='
}

const LEAVES = { yes: -1, no: -2 } as const
const leaf = (way: number): 'yes' | 'no' => (way === LEAVES.yes ? 'yes' : 'no')

class Blocks {
  changed = false
  mistaken = false
  private readonly nodes: readonly TestNode[]
  private readonly entry: Way
  /** Blocks that the first round turns: see `turned`. */
  private unturned: number[] = []
  /** Where each block goes if its test holds, and if not: a block, or a leaf below 0. */
  private readonly yes: Int32Array
  private readonly no: Int32Array
  /** What is looked at, the test of it, and what with besides, as numbers that are equal where they are. */
  private readonly value: Int32Array
  readonly asked: Int32Array
  readonly whole: Int32Array
  readonly constant: Uint8Array
  /** Blocks by level: leaves are level 0, a block is one above the higher of those it leads to. */
  private levels: number[][] = []
  /** By block: how many ways lead to it, while branches are moved. */
  private uses = new Int32Array(0)

  constructor({ entry, nodes }: DecisionGraph) {
    this.nodes = nodes
    this.entry = entry
    const number = (way: Way) => (typeof way === 'number' ? way : LEAVES[way])
    this.yes = Int32Array.from(nodes, ({ yes }) => number(yes))
    this.no = Int32Array.from(nodes, ({ no }) => number(no))
    const numbers = () => {
      const known = new Map<string, number>()
      return (key: string): number => {
        const number = known.get(key) ?? known.size
        known.set(key, number)
        return number
      }
    }
    const [values, tests, wholes] = [numbers(), numbers(), numbers()]
    this.value = new Int32Array(nodes.length)
    this.asked = new Int32Array(nodes.length)
    this.whole = new Int32Array(nodes.length)
    this.constant = new Uint8Array(nodes.length)
    for (const [i, node] of nodes.entries()) {
      const mask = bitsOf(node)
      this.value[i] = values(mask === undefined ? node.key : node.key.slice(1, -`&${mask})`.length))
      this.asked[i] = tests(`${mask === undefined ? node.test : 'set'} ${this.value[i]}`)
      this.whole[i] = wholes(`${this.asked[i]} ${mask === undefined ? node.operandKey : mask}`)
      this.constant[i] = node.test === 'eq' && mask === undefined && isConstant(node) ? 1 : 0
      if (mask === undefined) continue
      if (isWrittenAsSet(node)) this.turn(i)
      else this.unturned.push(i)
    }
  }

  private turn(block: number): void {
    const { yes, no } = this
    ;[yes[block], no[block]] = [no[block]!, yes[block]!]
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
      const turned = bitsOf(this.nodes[block]!) !== undefined
      const [yes, no] = [way(this.yes[block]!), way(this.no[block]!)]
      return { ...this.nodes[block]!, yes: turned ? no : yes, no: turned ? yes : no }
    })
    return { entry: typeof this.entry === 'number' ? place.get(this.entry)! : this.entry, nodes }
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
    const tree = this.dominators()
    const told = new Told(tree, this)
    const right = this.unturned.length > 0 ? this.turned() : told
    let done = right === told
    if (this.constants()) done = false
    for (const level of this.levels)
      for (const block of level) {
        if (this.thread(block, this.yes, told, right)) done = false
        if (this.thread(block, this.no, told, right)) done = false
      }
    const inEdges = this.inEdges()
    for (const level of this.levels)
      for (const block of level) {
        const edges = inEdges[block]
        if (!edges || !this.lookAlike(edges)) continue
        if (this.pullUp(block, edges, false, tree)) done = false
        if (this.pullUp(block, edges, true, tree)) done = false
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

  private dominators(): DominatorTree {
    const order = this.levels.flatMap((_, i, levels) => levels[levels.length - 1 - i]!)
    return new DominatorTree({ order, yes: this.yes, no: this.no })
  }

  /** Every way to `target`, which `on` leads to from `block`, leads through `block`, as the graph is now. */
  private soleWay(block: number, target: number, on: Int32Array): boolean {
    let at = on[block]!
    while (at !== target && this.uses[at] === 1) at = on[at]!
    if (this.uses[at] === 1) return true
    let reached = false
    this.visit((each) => {
      if (each === target) reached = true
    }, block)
    return !reached
  }

  /**
   * In the first round `x & mask == 0` becomes `x & mask`, which holds for the opposite. What ways tell was found before: below such a block
   * they tell the opposite of what is so. @returns what they tell in truth
   */
  private turned(): Told {
    for (const block of this.unturned) this.turn(block)
    this.unturned = []
    return new Told(this.dominators(), this)
  }

  /** Tests of constants go one way only. @returns whether that is new */
  private constants(): boolean {
    let found = false
    for (const level of this.levels)
      for (const block of level) {
        const outcome = outcomeOf(this.nodes[block]!)
        if (outcome === undefined || this.yes[block] === this.no[block]) continue
        this.yes[block] = this.no[block] = outcome ? this.yes[block]! : this.no[block]!
        found = true
      }
    return found
  }

  /**
   * Takes a way past blocks that change nothing, or whose outcome it tells.
   * @param right what it tells in truth
   * @returns whether it did
   */
  private thread(block: number, ways: Int32Array, told: Told, right: Told): boolean {
    const before = ways[block]!
    let to = before
    if (to < 0) return false
    if (this.yes[to] === this.no[to]) {
      if (outcomeOf(this.nodes[to]!) === undefined) this.changed = true
      to = this.yes[to]!
    }
    const from = 3 * block + (ways === this.yes ? 1 : 2)
    while (to >= 0) {
      const outcome = told.outcome(to, from)
      if (outcome === undefined) break
      if (told !== right && right.outcome(to, from) !== outcome) this.changed = this.mistaken = true
      to = outcome ? this.yes[to]! : this.no[to]!
    }
    ways[block] = to
    return to !== before
  }

  /** By block: the blocks before it, once for each way that leads to it; the lowest and foremost last. */
  private inEdges(): readonly (readonly number[] | undefined)[] {
    const edges: number[][] = []
    this.uses = new Int32Array(this.nodes.length)
    const add = (from: number, to: number) => {
      if (to < 0) return
      this.uses[to]!++
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
  private pullUp(block: number, inEdges: readonly number[], chain: boolean, tree: DominatorTree): boolean {
    const first = inEdges[inEdges.length - 1]!
    const value = this.value[first]
    const [out, on] = chain ? [this.no, this.yes] : [this.yes, this.no]
    const inChain = (way: number) => way >= 0 && out[way] === out[block] && tree.dominates(block, way)
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
    this.mistaken ||= !this.soleWay(block, pulled, on)
    this.lead(on, before, on[pulled]!)
    this.lead(on, pulled, different)
    if (!top) this.lead(ways, from, pulled)
    else for (const each of inEdges) this.lead(this.yes[each] === block ? this.yes : this.no, each, pulled)
    return true
  }

  /** Makes a block's way lead elsewhere. */
  private lead(ways: Int32Array, block: number, to: number): void {
    const before = ways[block]!
    if (before >= 0) this.uses[before]!--
    if (to >= 0) this.uses[to]!++
    ways[block] = to
  }
}
