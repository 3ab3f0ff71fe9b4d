// Reduced ordered binary decision diagrams (Bryant 1986): sets of assignments to boolean variables, where equal sets are equal numbers.
// Nodes live in typed arrays; 0 is the empty set, 1 the full one. Nothing is freed: a diagram is made for one question.

/** Thrown when a diagram outgrows its budget of nodes; the caller has an answer for that. */
export class BudgetExceeded extends Error {}

export type Node = number

export const FALSE: Node = 0
export const TRUE: Node = 1

const LEAF_LEVEL = 0x7fff_ffff
const FEWEST = 1 << 12
/** Results that are remembered at most; before, as many as there is room for nodes. */
const MOST_RESULTS = 1 << 20
const [AND, OR, XOR] = [1, 2, 3]

export class Bdd {
  private levels = new Int32Array(FEWEST)
  private lows = new Int32Array(FEWEST)
  private highs = new Int32Array(FEWEST)
  /** Chains of the unique table: heads by hash, then the next node of the same hash. */
  private next = new Int32Array(FEWEST)
  private heads = new Int32Array(FEWEST)
  private used = 2
  /** What was combined, each in the one place that its hash has: the operands, the operation, the result. */
  private cacheKeys = new Float64Array(FEWEST)
  private cacheOps = new Uint8Array(FEWEST)
  private cacheResults = new Int32Array(FEWEST)
  private readonly budget: number

  constructor(budget = 8_000_000) {
    this.budget = budget
    this.levels[FALSE] = LEAF_LEVEL
    this.levels[TRUE] = LEAF_LEVEL
  }

  /** Nodes made so far. */
  get size(): number {
    return this.used
  }

  /** The assignments in which the variable of this level is true. Levels count from 0, the top. */
  variable(level: number): Node {
    return this.make(level, FALSE, TRUE)
  }

  and(a: Node, b: Node): Node {
    if (a === b) return a
    if (a === FALSE || b === FALSE) return FALSE
    if (a === TRUE) return b
    return b === TRUE ? a : this.apply(AND, a, b)
  }

  or(a: Node, b: Node): Node {
    if (a === b) return a
    if (a === TRUE || b === TRUE) return TRUE
    if (a === FALSE) return b
    return b === FALSE ? a : this.apply(OR, a, b)
  }

  /** What is in any of them: halves first, so that large sets are met seldom. */
  union(nodes: readonly Node[]): Node {
    if (nodes.length <= 2) return this.or(nodes[0] ?? FALSE, nodes[1] ?? FALSE)
    const middle = nodes.length >> 1
    return this.or(this.union(nodes.slice(0, middle)), this.union(nodes.slice(middle)))
  }

  xor(a: Node, b: Node): Node {
    if (a === b) return FALSE
    if (a === FALSE) return b
    return b === FALSE ? a : this.apply(XOR, a, b)
  }

  not(a: Node): Node {
    return this.xor(a, TRUE)
  }

  /** `if test then yes else no`. */
  choose(test: Node, yes: Node, no: Node): Node {
    return this.or(this.and(test, yes), this.and(this.not(test), no))
  }

  /** One assignment of a set that is not empty: the values of the levels that matter. `preferred` is taken where both would do. */
  pick(node: Node, preferred: (level: number) => boolean): Map<number, boolean> {
    if (node === FALSE) throw new Error('nothing to pick from an empty set')
    const out = new Map<number, boolean>()
    for (let at = node; at !== TRUE; ) {
      const level = this.levels[at]!
      const wanted = preferred(level)
      const [first, second] = wanted ? [this.highs[at]!, this.lows[at]!] : [this.lows[at]!, this.highs[at]!]
      out.set(level, first === FALSE ? !wanted : wanted)
      at = first === FALSE ? second : first
    }
    return out
  }

  /** Whether an assignment is in a set; levels not given are false. */
  has(node: Node, assignment: (level: number) => boolean): boolean {
    let at = node
    while (at > TRUE) at = assignment(this.levels[at]!) ? this.highs[at]! : this.lows[at]!
    return at === TRUE
  }

  private make(level: number, low: Node, high: Node): Node {
    if (low === high) return low
    let slot = this.slot(level, low, high)
    for (let at = this.heads[slot]!; at !== 0; at = this.next[at]!) {
      if (this.levels[at] === level && this.lows[at] === low && this.highs[at] === high) return at
    }
    if (this.used >= this.budget) throw new BudgetExceeded(`more than ${this.budget} nodes`)
    if (this.used === this.levels.length) {
      this.grow()
      slot = this.slot(level, low, high)
    }
    const node = this.used++
    this.levels[node] = level
    this.lows[node] = low
    this.highs[node] = high
    this.next[node] = this.heads[slot]!
    this.heads[slot] = node
    return node
  }

  private slot(level: number, low: Node, high: Node): number {
    let hash = Math.imul(level, 0x9e3779b1) ^ Math.imul(low, 0x85ebca6b) ^ Math.imul(high, 0xc2b2ae35)
    hash ^= hash >>> 15
    return hash & (this.heads.length - 1)
  }

  private grow(): void {
    const size = this.levels.length * 2
    const larger = (old: Int32Array) => {
      const out = new Int32Array(size)
      out.set(old)
      return out
    }
    this.levels = larger(this.levels)
    this.lows = larger(this.lows)
    this.highs = larger(this.highs)
    this.next = new Int32Array(size)
    this.heads = new Int32Array(size)
    if (size <= MOST_RESULTS) {
      this.cacheKeys = new Float64Array(size)
      this.cacheOps = new Uint8Array(size)
      this.cacheResults = new Int32Array(size)
    }
    for (let node = 2; node < this.used; node++) {
      const slot = this.slot(this.levels[node]!, this.lows[node]!, this.highs[node]!)
      this.next[node] = this.heads[slot]!
      this.heads[slot] = node
    }
  }

  /** Both operands are inner nodes, or (for xor) one is TRUE. */
  private apply(op: number, left: Node, right: Node): Node {
    const [a, b] = left < right ? [left, right] : [right, left]
    const key = a * 0x8000_0000 + b
    let hash = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(op, 0xc2b2ae35)
    hash ^= hash >>> 13
    const known = hash & (this.cacheOps.length - 1)
    if (this.cacheOps[known] === op && this.cacheKeys[known] === key) return this.cacheResults[known]!
    const [levelA, levelB] = [this.levels[a]!, this.levels[b]!]
    const level = levelA < levelB ? levelA : levelB
    const [lowA, highA] = levelA === level ? [this.lows[a]!, this.highs[a]!] : [a, a]
    const [lowB, highB] = levelB === level ? [this.lows[b]!, this.highs[b]!] : [b, b]
    const low = this.combine(op, lowA, lowB)
    const result = this.make(level, low, this.combine(op, highA, highB))
    // The cache may have grown meanwhile.
    const place = hash & (this.cacheOps.length - 1)
    this.cacheOps[place] = op
    this.cacheKeys[place] = key
    this.cacheResults[place] = result
    return result
  }

  private combine(op: number, a: Node, b: Node): Node {
    return op === AND ? this.and(a, b) : op === OR ? this.or(a, b) : this.xor(a, b)
  }
}
