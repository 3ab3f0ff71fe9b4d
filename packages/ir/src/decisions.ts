// A predicate as a graph of single tests, each with two ways on; and the threading of it: a way that leads to a test whose outcome is
// already known goes past it, as does one to a test that changes nothing. What is known is what libpcap's optimiser knows of a value: it was
// compared with the same operand before, or found equal to another. Loads that are passed are not done, which shows on cut packets.

import { typeText } from './places.ts'
import type { Pred, Range, Term, Test } from './types.ts'

/** A node of the graph by its number, or what is decided. */
export type Way = number | 'yes' | 'no'

/** `left test operand`; the operand is a number or a computed term. */
export interface TestNode {
  readonly left: Term
  readonly test: 'eq' | 'gt' | 'ge'
  readonly operand: bigint | Term
  readonly yes: Way
  readonly no: Way
  /** The predicate that the test belongs to; `in` has several. */
  readonly pred: Pred
  /** Texts that are the same for the same left side, and for the same operand. */
  readonly key: string
  readonly operandKey: string
}

/** Ways on lead to smaller numbers only. */
export interface DecisionGraph {
  readonly entry: Way
  readonly nodes: readonly TestNode[]
}

/** Keys of terms that have others in them: these are often shared, and the text is as long as if they were not. */
const KEYS = new WeakMap<Term, string>()

/** A term as text: equal texts, equal values. */
export function termKey(term: Term): string {
  if (term.kind === 'field') return term.field
  const simple = term.kind === 'const' || term.kind === 'mask' || (term.kind === 'load' && !term.index)
  if (simple) return textOf(term)
  const known = KEYS.get(term)
  if (known !== undefined) return known
  const key = textOf(term)
  KEYS.set(term, key)
  return key
}

function textOf(term: Term): string {
  switch (term.kind) {
    case 'field':
      return term.field
    case 'load':
      return `${term.base}[${term.offset}:${term.bytes}${term.index ? `+${termKey(term.index)}` : ''}]`
    case 'raw':
      return `${term.base}[${term.bit};${term.bits}${term.index ? `+${termKey(term.index)}` : ''}]`
    case 'find':
      return `find ${term.list} ${typeText(term.type)} ${term.bytes}`
    case 'length':
    case 'headers':
      return term.kind
    case 'const':
      return String(term.value)
    case 'mask':
      return `(${termKey(term.term)}&${term.mask})`
    case 'bin':
      return `(${termKey(term.left)} ${term.op} ${termKey(term.right)})`
    case 'mapped':
      return `@${term.map}[${term.terms.map(termKey).join(' . ')}]`
    case 'jhash':
      return `jhash(${term.parts.map((part) => `${termKey(part.term)}:${part.bytes}${part.host ? 'h' : ''}`).join(' . ')} ${term.seed})`
    case 'walk':
      return `walk ${term.family} ${term.net} ${term.until}`
  }
}

/**
 * The graph of a predicate, test by test from left to right. A part that stands in it several times is one where it leads on alike.
 * @throws Error for lookups in sets, which are no tests of one number.
 */
export function decisionGraph(pred: Pred): DecisionGraph {
  const nodes: TestNode[] = []
  const add = (node: TestNode): number => nodes.push(node) - 1
  const built = new Map<Pred, { readonly yes: Way; readonly no: Way; readonly way: Way }[]>()
  const build = (part: Pred, yes: Way, no: Way): Way => {
    const before = built.get(part) ?? []
    built.set(part, before)
    const known = before.find((each) => each.yes === yes && each.no === no)
    if (known) return known.way
    const way = fresh(part, yes, no)
    before.push({ yes, no, way })
    return way
  }
  const fresh = (part: Pred, yes: Way, no: Way): Way => {
    switch (part.kind) {
      case 'const':
        return part.value ? yes : no
      case 'not':
        return build(part.arg, no, yes)
      case 'and':
        return part.args.reduceRight((next: Way, arg) => build(arg, next, no), yes)
      case 'or':
        return part.args.reduceRight((next: Way, arg) => build(arg, yes, next), no)
      case 'contains':
      case 'sure':
        throw new Error(`${part.kind} is no single test`)
      case 'exists':
        throw new Error('a search in a list is no single test')
      case 'cmp':
        return add(comparison(part, part.term, part.test, part.value, yes, no))
      case 'relation':
        return add(comparison(part, part.left, part.test, part.right, yes, no))
      case 'inSet':
        throw new Error('lookups in sets are no tests of one number')
      case 'in':
        return part.ranges.reduceRight((next: Way, range) => inRange(add, part, part.term, range, yes, next), no)
    }
  }
  return { entry: build(pred, 'yes', 'no'), nodes }
}

const PLAIN: Record<Test, readonly [TestNode['test'], boolean]> = {
  '==': ['eq', true],
  '!=': ['eq', false],
  '>': ['gt', true],
  '<=': ['gt', false],
  '>=': ['ge', true],
  '<': ['ge', false],
}

function comparison(pred: Pred, left: Term, test: Test, operand: bigint | Term, yes: Way, no: Way): TestNode {
  const [plain, straight] = PLAIN[test]
  const operandKey = typeof operand === 'bigint' ? String(operand) : termKey(operand)
  const ways = straight ? { yes, no } : { yes: no, no: yes }
  return { left, test: plain, operand, ...ways, pred, key: termKey(left), operandKey }
}

function inRange(add: (node: TestNode) => number, pred: Pred, term: Term, { lo, hi }: Range, yes: Way, no: Way): Way {
  if (lo === hi) return add(comparison(pred, term, '==', lo, yes, no))
  const below = add(comparison(pred, term, '<=', hi, yes, no))
  return add(comparison(pred, term, '>=', lo, below, no))
}

/**
 * The graph with every way threaded, until nothing more is known; nodes that nothing leads to are left out.
 * @param keepIdle make tests that change nothing, for the bytes they need; only known outcomes are passed
 */
export function threaded(graph: DecisionGraph, keepIdle = false): DecisionGraph {
  let now = reachable(graph)
  for (;;) {
    const next = threadOnce(now, keepIdle)
    if (!next) return now
    now = reachable(next)
  }
}

/** Renumbers what can be reached from the entry. */
function reachable({ entry, nodes }: DecisionGraph): DecisionGraph {
  const reached = new Uint8Array(nodes.length)
  if (typeof entry === 'number') reached[entry] = 1
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (!reached[i]) continue
    const { yes, no } = nodes[i]!
    if (typeof yes === 'number') reached[yes] = 1
    if (typeof no === 'number') reached[no] = 1
  }
  const place = new Int32Array(nodes.length)
  const moved = (way: Way): Way => (typeof way === 'number' ? place[way]! : way)
  const kept: TestNode[] = []
  for (let i = 0; i < nodes.length; i++) {
    if (!reached[i]) continue
    place[i] = kept.length
    kept.push(withWays(nodes[i]!, moved(nodes[i]!.yes), moved(nodes[i]!.no)))
  }
  return { entry: moved(entry), nodes: kept }
}

function withWays(node: TestNode, yes: Way, no: Way): TestNode {
  return yes === node.yes && no === node.no ? node : { ...node, yes, no }
}

/** One round over a reachable graph, with what dominates each way before the round. @returns nothing if no way changed */
function threadOnce(graph: DecisionGraph, keepIdle: boolean): DecisionGraph | undefined {
  const { nodes, entry } = graph
  const dominators = new Dominators(graph)
  const idleNodes = new Map<number, Way>()
  let changed = false
  const thread = (from: number, sense: boolean, way: Way): Way => {
    let target = way
    while (typeof target === 'number') {
      const node: TestNode = next[target]!
      if (idleNodes.has(target)) target = node.yes
      else {
        const known = dominators.known(target, from, sense)
        if (known === undefined) break
        target = known ? node.yes : node.no
      }
    }
    if (target !== way) changed = true
    return target
  }
  const next: TestNode[] = []
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!
    const yes = thread(i, true, node.yes)
    const no = thread(i, false, node.no)
    next.push(withWays(node, yes, no))
    if (yes === no && !keepIdle) idleNodes.set(i, yes)
  }
  let start = entry
  while (typeof start === 'number' && idleNodes.has(start)) start = next[start]!.yes
  if (start !== entry) changed = true
  return changed ? { entry: start, nodes: next } : undefined
}

/**
 * The dominator tree over nodes and ways together. A vertex is a node (3i) or its `yes` (3i + 1) or `no` way (3i + 2);
 * nodes come after all that lead to them if numbers are walked downwards.
 */
class Dominators {
  private readonly parent: Int32Array
  private readonly depth: Int32Array
  /** By node: a number that is the same for the same test of the same left side; and one that is so if the operand is the same too. */
  private readonly asked: Int32Array
  private readonly whole: Int32Array
  /** By node: whether it asks if two values are equal, one of them a constant. */
  private readonly constant: Uint8Array
  private readonly seen: Uint8Array
  /** The places of a vertex and of those below it: from `first` to before `behind`. */
  private readonly first: Int32Array
  private readonly behind: Int32Array
  /** Ways of the same whole test, by its number; and those on which a test was equal to a constant, by what it asked. */
  private readonly same: Ways
  private readonly equal: Ways

  constructor({ nodes, entry }: DecisionGraph) {
    this.asked = numbered(nodes, ({ test, key }) => `${test} ${key}`)
    this.whole = numbered(nodes, ({ test, key, operandKey }) => `${test} ${key} ${operandKey}`)
    this.constant = new Uint8Array(nodes.length)
    this.parent = new Int32Array(nodes.length * 3).fill(-1)
    this.depth = new Int32Array(nodes.length * 3)
    this.seen = new Uint8Array(nodes.length)
    if (typeof entry === 'number') this.seen[entry] = 1
    for (let i = nodes.length - 1; i >= 0; i--) {
      const { test, operand, yes, no } = nodes[i]!
      this.constant[i] = test === 'eq' && typeof operand === 'bigint' ? 1 : 0
      this.place(i, 3 * i + 1, yes)
      this.place(i, 3 * i + 2, no)
    }
    this.first = new Int32Array(nodes.length * 3)
    this.behind = new Int32Array(nodes.length * 3)
    this.number()
    this.same = new Ways(this.first, this.behind)
    this.equal = new Ways(this.first, this.behind)
    for (const vertex of this.inOrder()) {
      const node = Math.floor(vertex / 3)
      if (vertex === 3 * node) continue
      this.same.add(this.whole[node]!, vertex)
      if (vertex === 3 * node + 1 && this.constant[node]) this.equal.add(this.asked[node]!, vertex)
    }
  }

  /** Numbers the tree so that what is below a vertex comes behind it, with nothing else between. */
  private number(): void {
    const { parent, first, behind } = this
    const count = parent.length / 3
    // How many lie at and below each, from the leaves up.
    const size = new Int32Array(parent.length).fill(1)
    for (let i = 0; i < count; i++) {
      size[3 * i]! += size[3 * i + 1]! + size[3 * i + 2]!
      if (parent[3 * i]! >= 0) size[parent[3 * i]!]! += size[3 * i]!
    }
    // Where the next one below each goes.
    const next = new Int32Array(parent.length)
    let roots = 0
    for (let i = count - 1; i >= 0; i--) {
      for (let vertex = 3 * i; vertex < 3 * i + 3; vertex++) {
        const above = parent[vertex]!
        const at = above < 0 ? roots : next[above]!
        if (above < 0) roots += size[vertex]!
        else next[above] = at + size[vertex]!
        first[vertex] = at
        behind[vertex] = at + size[vertex]!
        next[vertex] = at + 1
      }
    }
  }

  private inOrder(): Int32Array {
    const order = new Int32Array(this.first.length)
    for (let vertex = 0; vertex < order.length; vertex++) order[this.first[vertex]!] = vertex
    return order
  }

  /** Where a way of a node is in the tree, and what it leads to as far as is known. */
  private place(node: number, vertex: number, way: Way): void {
    const { parent, depth, seen } = this
    parent[vertex] = 3 * node
    depth[vertex] = depth[3 * node]! + 1
    if (typeof way !== 'number') return
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

  /** The outcome of a node's test on this way, if it or a way above tells it: the nearest one that does. */
  known(test: number, from: number, sense: boolean): boolean | undefined {
    const vertex = 3 * from + (sense ? 1 : 2)
    const same = this.same.above(this.whole[test]!, vertex)
    const equal = this.constant[test] ? this.equal.above(this.asked[test]!, vertex) : undefined
    // Of two above one vertex the one that comes later is nearer.
    if (equal !== undefined && (same === undefined || this.first[equal]! > this.first[same]!)) return false
    return same === undefined ? undefined : same % 3 === 1
  }
}

/** Ways of the dominator tree in groups. */
class Ways {
  private readonly first: Int32Array
  private readonly behind: Int32Array
  /** By group: its ways in the order of the tree, and for each the place in the group of the nearest that it lies below, or -1. */
  private readonly groups = new Map<number, { readonly ways: number[]; readonly outer: number[] }>()

  constructor(first: Int32Array, behind: Int32Array) {
    this.first = first
    this.behind = behind
  }

  /** Adds a way behind all that come before it in the tree. */
  add(number: number, way: number): void {
    let group = this.groups.get(number)
    if (!group) {
      group = { ways: [], outer: [] }
      this.groups.set(number, group)
    }
    const { ways, outer } = group
    outer.push(this.enclosing(group, ways.length - 1, way))
    ways.push(way)
  }

  /** The nearest way of a group that a way lies below, or is. */
  above(number: number, way: number): number | undefined {
    const group = this.groups.get(number)
    if (!group) return undefined
    const { ways } = group
    // The last one that does not come behind it, by halves.
    let [low, high] = [0, ways.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.first[ways[middle]!]! <= this.first[way]!) low = middle + 1
      else high = middle
    }
    return ways[this.enclosing(group, low - 1, way)]
  }

  /** From a place in a group on outwards, the first that a way lies below. */
  private enclosing(
    { ways, outer }: { readonly ways: readonly number[]; readonly outer: readonly number[] },
    from: number,
    way: number,
  ): number {
    let at = from
    while (at >= 0 && this.behind[ways[at]!]! <= this.first[way]!) at = outer[at]!
    return at
  }
}

/** A number for each node, the same where the texts are. */
function numbered(nodes: readonly TestNode[], textOf: (node: TestNode) => string): Int32Array {
  const numbers = new Map<string, number>()
  const out = new Int32Array(nodes.length)
  for (let i = 0; i < nodes.length; i++) {
    const text = textOf(nodes[i]!)
    const known = numbers.get(text)
    out[i] = known ?? numbers.size
    if (known === undefined) numbers.set(text, numbers.size)
  }
  return out
}
