// Rules as boxes: what the matches of a rule ask of each number of the packet, as ranges. A rule that says `or` is several boxes; each of them
// asks for the numbers that the rule would have asked for, so that one that cannot be computed ends the rule as it does there.

import {
  type Chain,
  joinRanges,
  type Pred,
  placeOf,
  type Range,
  type Rule,
  type SetDef,
  type Step,
  type Term,
  type Test,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { termBits } from './key.ts'
import type { Told } from './left.ts'

/** What a box asks of one number: as the packet is seen by the chain, or by a view of the match's own. */
export interface Asked {
  /** A number from 0: of terms that are loaded from the same place under the same conditions (Questions). */
  readonly key: number
  readonly term: Term
  readonly view: ViewName | undefined
  readonly bits: number
  /** Sorted and disjoint; all values are asked for too where only the number must be there. */
  readonly ranges: readonly Range[]
}

/** Each key once. */
export type RuleBox = readonly Asked[]

/** What a box asks by a key. */
export const sideOf = (box: RuleBox, key: number): Asked | undefined => box.find((asked) => asked.key === key)

export interface RuleBoxes {
  readonly rule: Rule
  readonly boxes: readonly RuleBox[]
  /** What the rule drops for asking, in no box of the others. */
  readonly cuts: readonly RuleBox[]
  /** What the rule does once its matches hold. */
  readonly rest: readonly Step[]
}

/** A rule is this many boxes at most. */
const MOST_BOXES = 8
/** A named set in a list of rules has this many elements at most. */
const MOST_ELEMENTS = 256

/** Too many boxes, or a predicate that is no box. */
class NoBoxes extends Error {}

interface Question {
  readonly key: number
  readonly bits: number
  /** The highest number. */
  readonly top: bigint
}

/** What boxes ask for where a chain has some view, each found once. */
export class Questions {
  private readonly chain: ViewName
  private readonly keys = new Map<string, number>()
  private readonly known = new Map<ViewName | undefined, Map<Term, Question>>()

  constructor(chain: ViewName) {
    this.chain = chain
  }

  /** @throws NoBoxes for what must be searched or computed */
  of(term: Term, view: ViewName | undefined): Question {
    let known = this.known.get(view)
    if (!known) {
      known = new Map()
      this.known.set(view, known)
    }
    let found = known.get(term)
    if (!found) {
      const bits = termBits(term)
      const key = keyOf(term, view ?? this.chain)
      found = { key: this.number(view ? `${view} ${key}` : key), bits, top: (1n << BigInt(bits)) - 1n }
      known.set(term, found)
    }
    return found
  }

  private number(key: string): number {
    const number = this.keys.get(key) ?? this.keys.size
    this.keys.set(key, number)
    return number
  }
}

interface Place {
  readonly questions: Questions
  readonly sets: ReadonlyMap<string, SetDef>
  /** The chain's. */
  readonly view: ViewName
  /** Whether a number can be had; what asks for others ends the rule, or the packet. All can, where there is none. */
  readonly told?: (term: Term, view: ViewName | undefined) => Told
}

/** A rule whose matches all come first, and that decides every packet for which they hold; undefined for others. */
function boxesOf(rule: Rule, steps: readonly Step[], place: Place): RuleBoxes | undefined {
  let matches = 0
  while (steps[matches]?.kind === 'match') matches++
  let end = matches
  while (steps[end]?.kind === 'count' || steps[end]?.kind === 'log') end++
  const last = steps[end]
  if (last?.kind !== 'verdict' || last.verdict.kind === 'jump' || last.verdict.kind === 'continue') return undefined
  try {
    // Most rules are one box, to which each match adds.
    let only: Asked[] | undefined = []
    let boxes: readonly RuleBox[] = [only]
    const cuts: RuleBox[] = []
    for (let i = 0; i < matches; i++) {
      const { pred, view } = steps[i] as Extract<Step, { kind: 'match' }>
      if (place.told) cuts.push(...product(boxes, cutting(pred, view, place)))
      if (only && (pred.kind === 'cmp' || pred.kind === 'in') && !isGone(pred.term, view, place)) {
        add(only, one(pred, true, view, place))
        continue
      }
      only = undefined
      boxes = product(boxes, expand(pred, true, view, place))
    }
    return { rule, boxes, cuts, rest: steps.slice(matches, end + 1) }
  } catch (beyond) {
    if (beyond instanceof NoBoxes) return undefined
    throw beyond
  }
}

/** Rules of a chain that is called stand for its call if there are this many at most; of one that several rules call, much fewer. */
const [MOST_CALLED_ONCE, MOST_CALLED] = [4096, 16]

/**
 * A rule that decides, or that calls a chain whose rules all do, by themselves: those rules then, for packets that the call is made for. Undefined for
 * others.
 * @param place with the chains by their names, and how many rules call each
 */
export function decidingRules(
  rule: Rule,
  place: Place & { readonly chains: ReadonlyMap<string, Chain>; readonly calls: ReadonlyMap<string, number> },
): readonly RuleBoxes[] | undefined {
  const own = boxesOf(rule, rule.steps, place)
  if (own) return [own]
  const verdict = rule.steps.at(-1)
  const matches = rule.steps.slice(0, -1)
  if (verdict?.kind !== 'verdict' || verdict.verdict.kind !== 'jump') return undefined
  if (!matches.every(({ kind }) => kind === 'match')) return undefined
  const called = place.chains.get(verdict.verdict.chain)
  const call = boxesOf(rule, [...matches, ACCEPT], place)
  const most = place.calls.get(verdict.verdict.chain) === 1 ? MOST_CALLED_ONCE : MOST_CALLED
  if (!called || !call || called.rules.length > most) return undefined
  const out: RuleBoxes[] = call.cuts.length > 0 ? [{ ...call, boxes: [] }] : []
  for (const inner of called.rules) {
    const deciding = decidingRules(inner, place)
    if (!deciding || out.length + deciding.length > most) return undefined
    for (const each of deciding) {
      const most = Math.max(each.boxes.length, each.cuts.length)
      if (!isFinal(each) || call.boxes.length * most > MOST_BOXES) return undefined
      out.push({ ...each, boxes: product(call.boxes, each.boxes), cuts: product(call.boxes, each.cuts) })
    }
  }
  return out
}

const ACCEPT: Step = { kind: 'verdict', verdict: { kind: 'accept' } }

/** It does not lead on in the chain that it stands in. */
function isFinal({ rest }: RuleBoxes): boolean {
  const last = rest.at(-1)
  return last?.kind === 'verdict' && last.verdict.kind !== 'return' && last.verdict.kind !== 'goto'
}

function expand(pred: Pred, holds: boolean, view: ViewName | undefined, place: Place): readonly RuleBox[] {
  switch (pred.kind) {
    case 'const':
      return pred.value === holds ? [[]] : []
    case 'not':
      return expand(pred.arg, !holds, view, place)
    case 'and':
    case 'or': {
      const all = (pred.kind === 'and') === holds
      if (all)
        return pred.args.reduce(
          (boxes: readonly RuleBox[], arg) => product(boxes, expand(arg, holds, view, place)),
          [[]],
        )
      // The first argument that decides is the last that is asked: those before it were there, and did not.
      const out: RuleBox[] = []
      let before: readonly RuleBox[] = [[]]
      for (const arg of pred.args) {
        out.push(...product(before, expand(arg, holds, view, place)))
        before = product(before, expand(arg, !holds, view, place))
        if (out.length > MOST_BOXES) throw new NoBoxes()
      }
      return out
    }
    case 'cmp':
    case 'in':
      return isGone(pred.term, view, place) ? [] : [[one(pred, holds, view, place)]]
    case 'inSet': {
      const set = place.sets.get(pred.set)
      if (!set || set.keys.length > 1 || set.catchAll || set.elements.length > MOST_ELEMENTS) throw new NoBoxes()
      if (isGone(pred.terms[0]!, view, place)) return []
      const ranges = joinRanges(set.elements.map(({ key }) => key[0]!))
      return [[box(pred.terms[0]!, view, place, holds ? ranges : outside(ranges))]]
    }
    case 'relation':
    case 'exists':
    case 'contains':
    case 'sure':
      throw new NoBoxes()
  }
}

/** A comparison that holds, or does not. @throws NoBoxes */
function one(pred: Pred & { kind: 'cmp' | 'in' }, holds: boolean, view: ViewName | undefined, place: Place): Asked {
  if (pred.kind === 'cmp') return box(pred.term, view, place, rangesOf(holds ? pred.test : OPPOSITE[pred.test], pred.value)) // biome-ignore format: one choice
  const [first] = pred.ranges
  const single = pred.ranges.length === 1 && first!.lo <= first!.hi
  const ranges = single ? pred.ranges : joinRanges(pred.ranges.filter(({ lo, hi }) => lo <= hi))
  return box(pred.term, view, place, holds ? ranges : outside(ranges))
}

const isGone = (term: Term, view: ViewName | undefined, { told }: Place): boolean =>
  told !== undefined && told(term, view) !== 'there'

/** Where a predicate asks for what drops the packet. */
function cutting(pred: Pred, view: ViewName | undefined, place: Place): readonly RuleBox[] {
  switch (pred.kind) {
    case 'const':
      return []
    case 'not':
      return cutting(pred.arg, view, place)
    case 'and':
    case 'or': {
      const out: RuleBox[] = []
      let before: readonly RuleBox[] = [[]]
      for (const arg of pred.args) {
        out.push(...product(before, cutting(arg, view, place)))
        before = product(before, expand(arg, pred.kind === 'and', view, place))
        if (out.length > MOST_BOXES) throw new NoBoxes()
      }
      return out
    }
    case 'cmp':
    case 'in':
      return place.told?.(pred.term, view) === 'cut' ? [[]] : []
    case 'inSet':
      return place.told?.(pred.terms[0]!, view) === 'cut' ? [[]] : []
    case 'relation':
    case 'exists':
    case 'contains':
    case 'sure':
      throw new NoBoxes()
  }
}

const OPPOSITE: Readonly<Record<Test, Test>> = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' }
/** Above every number of a packet. */
const HUGE = 1n << 128n

function rangesOf(test: Test, value: bigint): Range[] {
  switch (test) {
    case '==':
      return [{ lo: value, hi: value }]
    case '!=':
      return outside([{ lo: value, hi: value }])
    case '<':
      return value > 0n ? [{ lo: 0n, hi: value - 1n }] : []
    case '<=':
      return [{ lo: 0n, hi: value }]
    case '>':
      return [{ lo: value + 1n, hi: HUGE }]
    case '>=':
      return [{ lo: value, hi: HUGE }]
  }
}

/** What lies between and around sorted ranges. */
function outside(ranges: readonly Range[]): Range[] {
  const out: Range[] = []
  let next = 0n
  for (const { lo, hi } of ranges) {
    if (lo > next) out.push({ lo: next, hi: lo - 1n })
    next = hi + 1n
  }
  out.push({ lo: next, hi: HUGE })
  return out
}

/** What one test asks. A term under a mask is the term itself: all its numbers that the test holds for. @throws NoBoxes */
function box(term: Term, view: ViewName | undefined, place: Place, ranges: readonly Range[]): Asked {
  const part = term.kind === 'mask' && VIEWS[view ?? place.view].missing === 'reject' ? partOf(term) : undefined
  if (part) return box(part.term, view, place, moved(ranges, part.below))
  const inner = term.kind === 'mask' ? term.term : term
  const { key, bits, top } = place.questions.of(inner, view)
  const whole = term.kind === 'mask' ? unmasked(term.mask & top, top, ranges) : clipped(ranges, top)
  return { key, term: inner, view, bits, ranges: whole }
}

/**
 * Bits of a load under a mask without gaps, and how many lie below them: as a number of its own, which fewer bytes tell. Of views that reject: there
 * all bytes that rules ask for are there before they are decided at once.
 */
function partOf({ term, mask }: Term & { kind: 'mask' }): { readonly term: Term; readonly below: number } | undefined {
  if (term.kind !== 'load' || term.index || mask === 0n) return undefined
  const digits = mask.toString(2)
  const found = /^(1+)(0*)$/.exec(digits)
  const all = term.bytes * 8
  if (!found || digits.length > all || found[1]!.length === all) return undefined
  const [bits, below] = [found[1]!.length, found[2]!.length]
  return { term: { kind: 'raw', base: term.base, bit: term.offset * 8 + all - below - bits, bits }, below }
}

/** Ranges without so many of their lowest bits, which are none. */
function moved(ranges: readonly Range[], below: number): readonly Range[] {
  const unit = (1n << BigInt(below)) - 1n
  return ranges.flatMap(({ lo, hi }) => {
    const range = { lo: (lo + unit) >> BigInt(below), hi: hi >> BigInt(below) }
    return range.lo <= range.hi ? [range] : []
  })
}

/** Terms of one key are loaded from the same place under the same conditions. @throws NoBoxes for what must be searched or computed */
function keyOf(term: Term, view: ViewName): string {
  switch (term.kind) {
    case 'length':
      return term.kind
    case 'load':
      if (term.index) throw new NoBoxes()
      return `${term.base}:${term.offset * 8}:${term.bytes * 8}`
    case 'raw':
      if (term.index || term.bits > 64) throw new NoBoxes()
      return `${term.base}:${term.bit}:${term.bits}`
    case 'field': {
      const place = placeOf(term.field)
      if (!place) return term.field
      const { base, bit, bits, index, guard } = place
      if (index || guard) throw new NoBoxes()
      // Where the protocol's whole header must be there, ports of different protocols differ.
      const whole = VIEWS[view].transportNeeds === 'header' && base === 'transport'
      return `${base}:${bit}:${bits}${whole ? FIELDS[term.field].proto : ''}`
    }
    default:
      throw new NoBoxes()
  }
}

function clipped(ranges: readonly Range[], top: bigint): readonly Range[] {
  if (ranges.length === 1 && ranges[0]!.hi <= top) return ranges
  if (ranges.every(({ hi }) => hi <= top)) return ranges
  return ranges.filter(({ lo }) => lo <= top).map(({ lo, hi }) => ({ lo, hi: hi < top ? hi : top }))
}

/** Fields of so few bits are tried value by value under a mask with gaps. */
const FEW_BITS = 0xffn

function unmasked(mask: bigint, top: bigint, ranges: readonly Range[]): readonly Range[] {
  const unit = top ^ mask
  // A mask without gaps at the top: each number under it stands for `unit + 1` numbers in a row.
  if ((unit & (unit + 1n)) === 0n) {
    const out: Range[] = []
    for (const { lo, hi } of clipped(ranges, top)) {
      const from = (lo + unit) & ~unit
      if (from <= hi) out.push({ lo: from, hi: (hi & ~unit) | unit })
    }
    return out
  }
  if (top > FEW_BITS) throw new NoBoxes()
  const out: Range[] = []
  for (let value = 0n; value <= top; value++)
    if (ranges.some(({ lo, hi }) => lo <= (value & mask) && (value & mask) <= hi)) out.push({ lo: value, hi: value })
  return joinRanges(out)
}

function product(left: readonly RuleBox[], right: readonly RuleBox[]): readonly RuleBox[] {
  if (left.length * right.length > MOST_BOXES) throw new NoBoxes()
  if (left.length === 1 && left[0]!.length === 0) return right
  const out: RuleBox[] = []
  for (const a of left) for (const b of right) out.push(joined(a, b))
  return out
}

/** Both: where both ask for a number, what both allow of it. */
function joined(a: RuleBox, b: RuleBox): RuleBox {
  if (a.length === 0) return b
  const out = a.slice()
  for (let i = 0; i < b.length; i++) add(out, b[i]!)
  return out
}

function add(box: Asked[], asked: Asked): void {
  for (let i = 0; i < box.length; i++) {
    const before = box[i]!
    if (before.key !== asked.key) continue
    box[i] = { ...before, ranges: common(before.ranges, asked.ranges) }
    return
  }
  box.push(asked)
}

function common(a: readonly Range[], b: readonly Range[]): Range[] {
  const out: Range[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const lo = a[i]!.lo > b[j]!.lo ? a[i]!.lo : b[j]!.lo
    const hi = a[i]!.hi < b[j]!.hi ? a[i]!.hi : b[j]!.hi
    if (lo <= hi) out.push({ lo, hi })
    if (a[i]!.hi < b[j]!.hi) i++
    else j++
  }
  return out
}
