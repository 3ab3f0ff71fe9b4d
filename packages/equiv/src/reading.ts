// What predicates and terms are of frames, as sets in a decision diagram: where they hold, and where a field is missing. Filters that are equal
// there are equal on every frame; a difference must be shown on a real one (variables.ts).

import {
  type Element,
  type ElementData,
  entryOf,
  type Pred,
  type SetDef,
  type Term,
  typeText,
  VIEWS,
  type View,
  type ViewName,
} from '@netsieve/ir'
import { type Bdd, FALSE, type Node, TRUE } from './bdd.ts'
import { compareBits, compareWith, constant, inside, sum, widened } from './numbers.ts'
import { bitNames, NotModelled, presenceName, type Variables } from './variables.ts'

interface Number_ {
  /** Most significant bit first. */
  readonly bits: readonly Node[]
  readonly missing: Node
  readonly cut: Node
}

const NOTHING: Number_ = { bits: [], missing: FALSE, cut: FALSE }

/** A predicate's four outcomes; they are disjoint and cover everything. */
export interface Truth {
  readonly holds: Node
  readonly fails: Node
  readonly missing: Node
  readonly cut: Node
}

/** What the sets are made in and of. */
export interface Making {
  readonly bdd: Bdd
  readonly variables: Variables
}

/** Reads frames as a view has them. `as`: the view of steps that have one other than their base chain's; what is there for it, it says itself. */
export class Reading {
  private readonly bdd: Bdd
  private readonly variables: Variables
  private readonly sets: ReadonlyMap<string, SetDef>
  private readonly view: View
  private readonly seenAs: string
  /** Whether the view drops packets of which something cannot be read. */
  private readonly cuts: boolean

  constructor({ bdd, variables }: Making, sets: ReadonlyMap<string, SetDef>, view: ViewName, as?: ViewName) {
    this.bdd = bdd
    this.variables = variables
    this.sets = sets
    this.view = VIEWS[as ?? view]
    this.seenAs = as ? ` as ${as}` : ''
    const { lists, cutDrops, tinyDrops, chainDrops } = this.view
    this.cuts = lists.drops || cutDrops.length > 0 || tinyDrops.length > 0 || chainDrops
  }

  pred(pred: Pred): Truth {
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
      case 'sure': {
        const { holds, fails, missing, cut } = this.pred(pred.arg)
        return { holds, fails: bdd.or(fails, missing), missing: FALSE, cut }
      }
      case 'contains':
        throw new NotModelled('a search for bytes')
      case 'exists': {
        const { list, type } = entryOf(pred.what)
        // What is in a list is for its view to say: another one takes an entry that is not all there.
        const entry = `${list} ${typeText(type)}${this.seenAs}`
        const has = this.variable(`exists ${entry}`)
        const asked = this.variable(`asked ${list}${this.seenAs}`)
        const cut = this.cuts ? bdd.and(asked, this.variable(`cut ${entry}`)) : FALSE
        const told = bdd.and(asked, bdd.not(cut))
        return { holds: bdd.and(told, has), fails: bdd.and(told, bdd.not(has)), missing: bdd.not(asked), cut }
      }
      case 'cmp': {
        const number = this.term(pred.term)
        return this.truth(number, compareWith(bdd, number.bits, pred.test, pred.value))
      }
      case 'in': {
        const number = this.term(pred.term)
        return this.truth(number, bdd.union(pred.ranges.map((range) => inside(bdd, number.bits, range))))
      }
      case 'relation': {
        // `check` refuses them, too: which side would be 0?
        if (this.view.missing === 'zero') throw new NotModelled('a relation where missing fields read as 0')
        const left = this.term(pred.left)
        const right = this.term(pred.right)
        const width = Math.max(left.bits.length, right.bits.length)
        const holds = compareBits(bdd, widened(left.bits, width), pred.test, widened(right.bits, width))
        return this.truth(this.both(left, right, left.bits), holds)
      }
      case 'inSet': {
        const { set, key, there, missing, cut } = this.asked(pred.set, pred.terms)
        const held = set.catchAll ? TRUE : bdd.union(set.elements.map((element) => this.held(element, key)))
        return { holds: bdd.and(there, held), fails: bdd.and(there, bdd.not(held)), missing, cut }
      }
    }
  }

  /** What a set holds for a key: each element with the frames that find it, and those that find nothing. */
  lookup(name: string, terms: readonly Term[]) {
    const { bdd } = this
    const { set, key, there, missing, cut } = this.asked(name, terms)
    let left = there
    const found: { node: Node; data: ElementData }[] = []
    for (const element of set.elements) {
      const held = this.held(element, key)
      found.push({ node: bdd.and(left, held), data: element })
      left = bdd.and(left, bdd.not(held))
    }
    if (set.catchAll) found.push({ node: left, data: set.catchAll })
    return { found, none: set.catchAll ? FALSE : left, missing, cut }
  }

  /** A set and the key that it is asked for; `there`: the frames that have all of the key. */
  private asked(name: string, terms: readonly Term[]) {
    const { bdd } = this
    const set = this.sets.get(name)
    if (!set) throw new NotModelled(`the set ${name}`)
    const key = terms.map((term) => this.term(term))
    const { missing, cut } = key.reduce((before, part) => this.both(before, part, []), NOTHING)
    return { set, key, there: bdd.not(bdd.or(missing, cut)), missing, cut }
  }

  /** The frames whose key is in an element. */
  private held(element: Element, key: readonly Number_[]): Node {
    return element.key.reduce((all, range, i) => this.bdd.and(all, inside(this.bdd, key[i]!.bits, range)), TRUE)
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
      case 'headers':
        throw new NotModelled('a list of headers')
      case 'jhash':
        throw new NotModelled('a hash')
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
        return this.both(left, right, sum(bdd, low, other, FALSE))
      case 'sub':
        return this.both(
          left,
          right,
          sum(
            bdd,
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
    const cut = this.cuts ? bdd.and(bdd.not(has), this.variable(`${name}, cut`)) : FALSE
    return { bits, missing: bdd.and(bdd.not(has), bdd.not(cut)), cut }
  }

  private variable(name: string): Node {
    return this.bdd.variable(this.variables.level(name))
  }
}
