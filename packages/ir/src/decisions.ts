// A predicate as a graph of single tests, each with two ways on; and the threading of it: a way that leads to a test whose outcome is
// already known goes past it, as does one to a test that changes nothing. What is known is what libpcap's optimiser knows of a value: it was
// compared with the same operand before, or found equal to another. Loads that are passed are not done, which shows on cut packets.

import { type Asked, DominatorTree, Told } from './dominators.ts'
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
  const threading = new Threading(graph, keepIdle)
  while (threading.round());
  return threading.graph()
}

const LEAVES = { yes: -1, no: -2 } as const

class Threading implements Asked {
  readonly asked: Int32Array
  readonly whole: Int32Array
  readonly constant: Uint8Array
  private readonly nodes: readonly TestNode[]
  private readonly keepIdle: boolean
  /** Where each node leads, and where the graph begins: a node, or a leaf below 0. */
  private readonly yes: Int32Array
  private readonly no: Int32Array
  private entry: number

  constructor({ nodes, entry }: DecisionGraph, keepIdle: boolean) {
    const number = (way: Way): number => (typeof way === 'number' ? way : LEAVES[way])
    this.nodes = nodes
    this.keepIdle = keepIdle
    this.entry = number(entry)
    this.yes = new Int32Array(nodes.length)
    this.no = new Int32Array(nodes.length)
    this.constant = new Uint8Array(nodes.length)
    for (let i = 0; i < nodes.length; i++) {
      const { test, operand, yes, no } = nodes[i]!
      this.yes[i] = number(yes)
      this.no[i] = number(no)
      this.constant[i] = test === 'eq' && typeof operand === 'bigint' ? 1 : 0
    }
    this.asked = numbered(nodes, ({ test, key }) => `${test} ${key}`)
    this.whole = numbered(nodes, ({ operandKey }, i) => `${this.asked[i]} ${operandKey}`)
  }

  /** Threads all ways, with what dominates each before the round. @returns whether any changed */
  round(): boolean {
    const { yes, no, keepIdle } = this
    const order = this.reachable()
    const told = new Told(new DominatorTree({ order, yes, no }), this)
    const idle = new Uint8Array(yes.length)
    let changed = false
    const thread = (ways: Int32Array, from: number, vertex: number): void => {
      const before = ways[from]!
      let to = before
      while (to >= 0) {
        if (idle[to] === 0) {
          const known = told.outcome(to, vertex)
          if (known === undefined) break
          to = known ? yes[to]! : no[to]!
        } else to = yes[to]!
      }
      ways[from] = to
      if (to !== before) changed = true
    }
    for (let i = order.length - 1; i >= 0; i--) {
      const node = order[i]!
      thread(yes, node, 3 * node + 1)
      thread(no, node, 3 * node + 2)
      if (yes[node] === no[node] && !keepIdle) idle[node] = 1
    }
    const { entry } = this
    while (this.entry >= 0 && idle[this.entry] === 1) this.entry = yes[this.entry]!
    return changed || this.entry !== entry
  }

  /** The nodes that can be reached, each before all that it leads to: by falling number. */
  private reachable(): Int32Array {
    const { yes, no, entry } = this
    const reached = new Uint8Array(yes.length)
    if (entry >= 0) reached[entry] = 1
    const order = new Int32Array(yes.length)
    let count = 0
    for (let i = yes.length - 1; i >= 0; i--) {
      if (reached[i] === 0) continue
      order[count++] = i
      if (yes[i]! >= 0) reached[yes[i]!] = 1
      if (no[i]! >= 0) reached[no[i]!] = 1
    }
    return order.subarray(0, count)
  }

  /** What can be reached, numbered anew. */
  graph(): DecisionGraph {
    const order = this.reachable()
    const place = new Int32Array(this.yes.length)
    for (let i = 0; i < order.length; i++) place[order[i]!] = order.length - 1 - i
    const moved = (to: number): Way => (to >= 0 ? place[to]! : to === LEAVES.yes ? 'yes' : 'no')
    const nodes: TestNode[] = []
    for (let i = order.length - 1; i >= 0; i--) {
      const node = order[i]!
      nodes.push({ ...this.nodes[node]!, yes: moved(this.yes[node]!), no: moved(this.no[node]!) })
    }
    return { entry: moved(this.entry), nodes }
  }
}

/** A number for each node, the same where the texts are. */
function numbered(nodes: readonly TestNode[], textOf: (node: TestNode, i: number) => string): Int32Array {
  const numbers = new Map<string, number>()
  const out = new Int32Array(nodes.length)
  for (let i = 0; i < nodes.length; i++) {
    const text = textOf(nodes[i]!, i)
    const known = numbers.get(text)
    out[i] = known ?? numbers.size
    if (known === undefined) numbers.set(text, numbers.size)
  }
  return out
}
