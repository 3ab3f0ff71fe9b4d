// A filter as a set of frames, in a decision diagram over the bits that it reads. A field is its bits, shared with every field over the same
// bits, and "it can be loaded", a variable of its own. How these hang together (a long packet has all its ports) is left out: the diagram has
// more frames than there are. So filters that are equal here are equal on every frame; a difference must be shown on a real one.

import {
  type ElementData,
  entryOf,
  type Filter,
  type Pred,
  placeOf,
  type Range,
  type Rule,
  type SetDef,
  setsOf,
  type Term,
  type Test,
  termsOf,
  type Verdict,
  VIEWS,
  type View,
  type ViewName,
} from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { type Bdd, FALSE, type Node, TRUE } from './bdd.ts'

/** Thrown for what the diagrams do not model; the caller has an answer for that. */
export class NotModelled extends Error {}

/** Gives each bit its level. Bits are asked for by name; names that were not planned go to the end. */
export class Variables {
  private readonly levels = new Map<string, number>()
  readonly names: string[] = []

  level(name: string): number {
    const known = this.levels.get(name)
    if (known !== undefined) return known
    this.levels.set(name, this.names.length)
    this.names.push(name)
    return this.names.length - 1
  }
}

/** The variables of a term's bits, most significant first, by the header that they are in; undefined for a computed term. */
export function bitNames(term: Term): readonly string[] | undefined {
  const run = (header: string, bit: number, bits: number) =>
    Array.from({ length: bits }, (_, i) => `${header}:${bit + i}`)
  if (term.kind === 'length') return run('length', 0, 32)
  if (term.kind === 'load') return term.index ? undefined : run(term.base, term.offset * 8, term.bytes * 8)
  if (term.kind === 'raw') return term.index ? undefined : run(term.base, term.bit, term.bits)
  if (term.kind !== 'field') return undefined
  const { proto, bit, bits } = FIELDS[term.field]
  const place = placeOf(term.field)
  if (!place) return run(term.field, bit, bits)
  // Headers at a place that the packet tells have bits of their own.
  return place.index ? run(proto, bit, bits) : run(place.base === 'net' ? proto : place.base, place.bit, bits)
}

/** The variable that says whether the view shows the frame to rules at all. */
export const SEEN = 'seen'

/** The variable that says whether a term can be loaded; the length always can. */
export function presenceName(term: Term): string {
  if (term.kind === 'field') return `has ${term.field}`
  if (term.kind === 'raw') return `has ${term.base}[bit ${term.bit}:${term.bits}]`
  return term.kind === 'load' ? `has ${term.base}[${term.offset}:${term.bytes}]` : 'has length'
}

interface Number_ {
  /** Most significant bit first. */
  readonly bits: readonly Node[]
  readonly missing: Node
  readonly cut: Node
}

const NOTHING: Number_ = { bits: [], missing: FALSE, cut: FALSE }

/** A predicate's four outcomes; they are disjoint and cover everything. */
interface Truth {
  readonly holds: Node
  readonly fails: Node
  readonly missing: Node
  readonly cut: Node
}

/** What becomes of a set of frames in a chain. `policy`: a missing field ended the program; `back`: returned; `end`: fell off the end. */
interface Fates {
  accept: Node
  drop: Node
  policy: Node
  back: Node
  end: Node
}

/** The frames that a filter drops. All its base chains must have the view. @throws NotModelled, BudgetExceeded. */
export function dropped(bdd: Bdd, variables: Variables, filter: Filter): Node {
  let drops = FALSE
  for (const base of filter.base) {
    const run = new Symbolic(bdd, variables, filter, base.view)
    const fates = run.chain(base.chain, run.asked(base.family), 0)
    drops = bdd.or(drops, fates.drop)
    const left = bdd.or(fates.policy, bdd.or(fates.back, fates.end))
    if (base.policy === 'drop') drops = bdd.or(drops, left)
  }
  return drops
}

class Symbolic {
  private readonly bdd: Bdd
  private readonly variables: Variables
  private readonly filter: Filter
  /** The base chain's view, and that of the step with its name, where it has one of its own. */
  private readonly own: View
  private view: View
  private seenAs = ''
  private readonly sets: ReadonlyMap<string, SetDef>

  constructor(bdd: Bdd, variables: Variables, filter: Filter, view: ViewName) {
    this.bdd = bdd
    this.variables = variables
    this.filter = filter
    this.own = VIEWS[view]
    this.view = this.own
    this.sets = setsOf(filter)
  }

  /** The frames that a base chain of a family is asked about. */
  asked(family: Filter['base'][number]['family']): Node {
    const seen = this.variable(SEEN)
    if (family === 'any') return seen
    const nfproto: Term = { kind: 'field', field: 'meta.nfproto' }
    const known = this.variable(presenceName(nfproto))
    if (family === 'ip') return this.bdd.and(seen, known)
    const bits = bitNames(nfproto)!.map((name) => this.variable(name))
    return this.bdd.and(
      seen,
      this.bdd.and(known, this.compare(bits, '==', constant(family === 'ipv4' ? 2n : 10n, bits.length))),
    )
  }

  chain(name: string, from: Node, depth: number): Fates {
    const { bdd } = this
    const chain = this.filter.chains.find((each) => each.name === name)
    if (!chain || depth > this.filter.chains.length) throw new NotModelled(`the chain ${name}`)
    const fates: Fates = { accept: FALSE, drop: FALSE, policy: FALSE, back: FALSE, end: FALSE }
    let rest = from
    for (const rule of chain.rules) {
      if (rest === FALSE) break
      rest = this.rule(rule, rest, fates, depth)
    }
    fates.end = bdd.or(fates.end, rest)
    return fates
  }

  /** Adds what a rule decides to `fates`; returns the frames that go on to the next rule. */
  private rule({ steps }: Rule, from: Node, fates: Fates, depth: number): Node {
    const { bdd } = this
    let [here, on] = [from, FALSE]
    for (const step of steps) {
      if (step.kind === 'limit' || step.kind === 'quota' || step.kind === 'nth' || step.kind === 'set')
        throw new NotModelled(`the step ${step.kind}`)
      const view = step.kind === 'match' ? step.view : undefined
      this.view = view ? VIEWS[view] : this.own
      this.seenAs = view ? ` as ${view}` : ''
      if (step.kind === 'match') {
        const { holds, fails, missing, cut } = this.pred(step.pred)
        on = bdd.or(on, this.lost(missing, cut, here, fates))
        on = bdd.or(on, bdd.and(here, fails))
        here = bdd.and(here, holds)
      } else if (step.kind === 'verdict') return bdd.or(on, this.verdict(step.verdict, here, fates, depth))
      else if (step.kind === 'vmap') {
        const { found, none, missing, cut } = this.lookup(step.map, step.terms)
        on = bdd.or(on, this.lost(missing, cut, here, fates))
        on = bdd.or(on, bdd.and(here, none))
        for (const { node, data } of found)
          if (data.verdict) on = bdd.or(on, this.verdict(data.verdict, bdd.and(here, node), fates, depth))
        return on
      }
    }
    return bdd.or(on, here)
  }

  /** The frames that go on to the next rule of those that a term cannot be computed of. */
  private lost(missing: Node, cut: Node, here: Node, fates: Fates): Node {
    const { bdd } = this
    fates.drop = bdd.or(fates.drop, bdd.and(here, cut))
    const lost = bdd.and(here, missing)
    if (this.view.missing !== 'reject') return lost
    fates.policy = bdd.or(fates.policy, lost)
    return FALSE
  }

  private verdict(verdict: Verdict, here: Node, fates: Fates, depth: number): Node {
    const { bdd } = this
    switch (verdict.kind) {
      case 'accept':
        fates.accept = bdd.or(fates.accept, here)
        return FALSE
      case 'drop':
        fates.drop = bdd.or(fates.drop, here)
        return FALSE
      case 'return':
        fates.back = bdd.or(fates.back, here)
        return FALSE
      case 'act':
        throw new NotModelled(`the verdict ${verdict.act}`)
      case 'continue':
        return here
      case 'jump':
      case 'goto': {
        const inner = this.chain(verdict.chain, here, depth + 1)
        fates.accept = bdd.or(fates.accept, inner.accept)
        fates.drop = bdd.or(fates.drop, inner.drop)
        fates.policy = bdd.or(fates.policy, inner.policy)
        const home = bdd.or(inner.end, inner.back)
        if (verdict.kind === 'jump') return home
        fates.back = bdd.or(fates.back, home)
        return FALSE
      }
    }
  }

  private pred(pred: Pred): Truth {
    const { bdd } = this
    switch (pred.kind) {
      case 'const':
        return { holds: pred.value ? TRUE : FALSE, fails: pred.value ? FALSE : TRUE, missing: FALSE, cut: FALSE }
      case 'not': {
        const { holds, fails, missing, cut } = this.pred(pred.arg)
        return { holds: fails, fails: holds, missing, cut }
      }
      case 'and':
      case 'or': {
        // The first argument that decides is the last that is asked, as in evaluate.ts.
        const all = pred.kind === 'and'
        let [asked, decided, missing, cut] = [TRUE, FALSE, FALSE, FALSE]
        for (const arg of pred.args) {
          const truth = this.pred(arg)
          decided = bdd.or(decided, bdd.and(asked, all ? truth.fails : truth.holds))
          missing = bdd.or(missing, bdd.and(asked, truth.missing))
          cut = bdd.or(cut, bdd.and(asked, truth.cut))
          asked = bdd.and(asked, all ? truth.holds : truth.fails)
        }
        return { holds: all ? asked : decided, fails: all ? decided : asked, missing, cut }
      }
      case 'contains':
        throw new NotModelled('a search for bytes')
      case 'exists': {
        const { list, type } = entryOf(pred.what)
        const has = this.variable(`exists ${list} ${type}`)
        const asked = this.variable(`asked ${list}`)
        const cut =
          this.view.lists.drops || this.view.chainDrops ? bdd.and(asked, this.variable(`cut ${list} ${type}`)) : FALSE
        const told = bdd.and(asked, bdd.not(cut))
        return { holds: bdd.and(told, has), fails: bdd.and(told, bdd.not(has)), missing: bdd.not(asked), cut }
      }
      case 'cmp': {
        const number = this.term(pred.term)
        return this.truth(number, this.compareWith(number.bits, pred.test, pred.value))
      }
      case 'in': {
        const number = this.term(pred.term)
        const inside = pred.ranges.map((range) => this.inside(number.bits, range))
        return this.truth(
          number,
          inside.reduce((sum, range) => bdd.or(sum, range), FALSE),
        )
      }
      case 'relation': {
        // `check` refuses them, too: which side would be 0?
        if (this.view.missing === 'zero') throw new NotModelled('a relation where missing fields read as 0')
        const left = this.term(pred.left)
        const right = this.term(pred.right)
        const width = Math.max(left.bits.length, right.bits.length)
        const holds = this.compare(widened(left.bits, width), pred.test, widened(right.bits, width))
        return this.truth(this.both(left, right, left.bits), holds)
      }
      case 'inSet': {
        const { found, none, missing, cut } = this.lookup(pred.set, pred.terms)
        return { holds: found.reduce((sum, { node }) => bdd.or(sum, node), FALSE), fails: none, missing, cut }
      }
    }
  }

  /** What a set holds for a key: each element with the frames that find it, and those that find nothing. */
  private lookup(name: string, terms: readonly Term[]) {
    const { bdd } = this
    const set = this.sets.get(name)
    if (!set) throw new NotModelled(`the set ${name}`)
    const key = terms.map((term) => this.term(term))
    const whole = key.reduce((before, part) => this.both(before, part, []), NOTHING)
    let left = bdd.not(bdd.or(whole.missing, whole.cut))
    const found: { node: Node; data: ElementData }[] = []
    for (const element of set.elements) {
      const inside = element.key
        .map((range, i) => this.inside(key[i]!.bits, range))
        .reduce((a, b) => bdd.and(a, b), left)
      found.push({ node: inside, data: element })
      left = bdd.and(left, bdd.not(inside))
    }
    if (set.catchAll) found.push({ node: left, data: set.catchAll })
    return { found, none: set.catchAll ? FALSE : left, missing: whole.missing, cut: whole.cut }
  }

  private inside(bits: readonly Node[], { lo, hi }: Range): Node {
    return this.bdd.and(this.compareWith(bits, '>=', lo), this.compareWith(bits, '<=', hi))
  }

  private truth({ missing, cut }: Number_, holds: Node): Truth {
    const { bdd } = this
    const there = bdd.not(bdd.or(missing, cut))
    return { holds: bdd.and(there, holds), fails: bdd.and(there, bdd.not(holds)), missing, cut }
  }

  /** Bits made from two numbers: the left one is asked for first. */
  private both(left: Number_, right: Number_, bits: readonly Node[]): Number_ {
    const { bdd } = this
    const there = bdd.not(bdd.or(left.missing, left.cut))
    return {
      bits,
      missing: bdd.or(left.missing, bdd.and(there, right.missing)),
      cut: bdd.or(left.cut, bdd.and(there, right.cut)),
    }
  }

  private term(term: Term): Number_ {
    switch (term.kind) {
      case 'const':
        return { bits: constant(term.value, Math.max(32, term.value.toString(2).length)), missing: FALSE, cut: FALSE }
      case 'length':
        return { bits: bitNames(term)!.map((name) => this.variable(name)), missing: FALSE, cut: FALSE }
      case 'field':
      case 'load':
      case 'raw':
        return this.loaded(term)
      case 'find':
        throw new NotModelled('a place in a list')
      case 'mask': {
        const inner = this.term(term.term)
        const width = inner.bits.length
        return { ...inner, bits: inner.bits.map((bit, i) => ((term.mask >> BigInt(width - 1 - i)) & 1n ? bit : FALSE)) }
      }
      case 'bin':
        return this.computed(term)
      case 'mapped': {
        const { found, none, missing, cut } = this.lookup(term.map, term.terms)
        const data = this.sets.get(term.map)?.data
        const width = typeof data === 'object' ? data.bits : 64
        const bits = Array.from({ length: width }, (_, i) =>
          found.reduce((sum, { node, data: { value = 0n } }) => {
            return (value >> BigInt(width - 1 - i)) & 1n ? this.bdd.or(sum, node) : sum
          }, FALSE),
        )
        return { bits, missing: this.bdd.or(missing, none), cut }
      }
      case 'walk':
        throw new NotModelled('a walk over headers')
    }
  }

  /** Arithmetic wraps at 32 bits; and, or, xor and shifts to the right are as wide as their operands. */
  private computed(term: Extract<Term, { kind: 'bin' }>): Number_ {
    const { bdd } = this
    const [left, right] = [this.term(term.left), this.term(term.right)]
    const width = Math.max(32, left.bits.length, right.bits.length)
    const [a, b] = [widened(left.bits, width), widened(right.bits, width)]
    const [low, other] = [widened(left.bits, 32), widened(right.bits, 32)]
    const each = (op: (x: Node, y: Node) => Node) =>
      this.both(
        left,
        right,
        a.map((bit, i) => op(bit, b[i]!)),
      )
    switch (term.op) {
      case 'and':
        return each((x, y) => bdd.and(x, y))
      case 'or':
        return each((x, y) => bdd.or(x, y))
      case 'xor':
        return each((x, y) => bdd.xor(x, y))
      case 'add':
        return this.both(left, right, this.sum(low, other, FALSE))
      case 'sub':
        return this.both(
          left,
          right,
          this.sum(
            low,
            other.map((bit) => bdd.not(bit)),
            TRUE,
          ),
        )
      case 'lsh':
      case 'rsh': {
        if (term.right.kind !== 'const') throw new NotModelled('a shift by a number of the packet')
        const by = Number(term.right.value)
        if (by > 31) return { ...left, bits: [FALSE] }
        const zeros = Array<Node>(by).fill(FALSE)
        return {
          ...left,
          bits: term.op === 'lsh' ? [...low.slice(by), ...zeros] : [...zeros, ...a.slice(0, width - by)],
        }
      }
      default:
        throw new NotModelled(`the operation ${term.op}`)
    }
  }

  private loaded(term: Extract<Term, { kind: 'field' | 'load' | 'raw' }>): Number_ {
    const { bdd, view } = this
    const names = bitNames(term)
    if (!names) throw new NotModelled('a load at an offset that is computed')
    const name = `${presenceName(term)}${this.seenAs}`
    const has = this.variable(name)
    const bits = names.map((name) => this.variable(name))
    if (view.missing === 'zero') return { bits: bits.map((bit) => bdd.and(has, bit)), missing: FALSE, cut: FALSE }
    const cuts = view.lists.drops || view.cutDrops.length > 0 || view.tinyDrops.length > 0 || view.chainDrops
    const cut = cuts ? bdd.and(bdd.not(has), this.variable(`${name}, cut`)) : FALSE
    return { bits, missing: bdd.and(bdd.not(has), bdd.not(cut)), cut }
  }

  /** a + b + carry, 32 bits. */
  private sum(a: readonly Node[], b: readonly Node[], carryIn: Node): Node[] {
    const { bdd } = this
    const out: Node[] = []
    let carry = carryIn
    for (let i = a.length - 1; i >= 0; i--) {
      const half = bdd.xor(a[i]!, b[i]!)
      out.unshift(bdd.xor(half, carry))
      carry = bdd.or(bdd.and(a[i]!, b[i]!), bdd.and(half, carry))
    }
    return out
  }

  private compareWith(bits: readonly Node[], test: Test, value: bigint): Node {
    const top = 1n << BigInt(bits.length)
    // The bits cannot hold such a value: it is above, or below, all that they can be.
    if (value >= top) return test === '<' || test === '<=' || test === '!=' ? TRUE : FALSE
    if (value < 0n) return test === '>' || test === '>=' || test === '!=' ? TRUE : FALSE
    return this.compare(bits, test, constant(value, bits.length))
  }

  /** Compares numbers of one width, from the least significant bit up: what the lower bits say holds while the upper are equal. */
  private compare(a: readonly Node[], test: Test, b: readonly Node[]): Node {
    const { bdd } = this
    if (test === '!=') return bdd.not(this.compare(a, '==', b))
    if (test === '>') return bdd.not(this.compare(a, '<=', b))
    if (test === '>=') return bdd.not(this.compare(a, '<', b))
    let below: Node = test === '<' ? FALSE : TRUE
    for (let i = a.length - 1; i >= 0; i--) {
      const [x, y] = [a[i]!, b[i]!]
      const same = y === TRUE ? x : y === FALSE ? bdd.not(x) : bdd.not(bdd.xor(x, y))
      below = bdd.and(same, below)
      if (test !== '==') below = bdd.or(below, bdd.and(bdd.not(x), y))
    }
    return below
  }

  private variable(name: string): Node {
    return this.bdd.variable(this.variables.level(name))
  }
}

function constant(value: bigint, width: number): Node[] {
  return Array.from({ length: width }, (_, i) => ((value >> BigInt(width - 1 - i)) & 1n ? TRUE : FALSE))
}

function widened(bits: readonly Node[], width: number): readonly Node[] {
  return bits.length >= width
    ? bits.slice(bits.length - width)
    : [...Array<Node>(width - bits.length).fill(FALSE), ...bits]
}

/** All fields and loads that filters read. */
export function loadsOf(filters: readonly Filter[]): Term[] {
  const out = new Map<string, Term>()
  for (const filter of filters) {
    for (const term of termsOf(
      filter,
      filter.chains.map(({ name }) => name),
    ))
      if (term.kind === 'field' || term.kind === 'load' || term.kind === 'raw' || term.kind === 'length')
        out.set(presenceName(term), term)
  }
  return [...out.values()]
}
