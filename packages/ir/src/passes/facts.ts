// What is known of a packet at a place in a chain: which terms were asked for, which of them could be computed, and their numbers.

import type { BaseChain, Pred, Range } from '../types.ts'
import type { ViewName } from '../views.ts'
import { complement, intersect, isSubset, predOf, type Region, regionKey, regionOf, topOf } from './regions.ts'

/** A term that was asked for: if it can be computed, its number is in `ranges`. */
interface Fact {
  /** It could be computed. */
  readonly there: boolean
  readonly ranges: readonly Range[]
}

/** All that is known, one fact behind the other: by the view of a step, if it is not the chain's own, and the term. */
export type Facts = Known | undefined

interface Known extends Fact {
  readonly key: string
  readonly rest: Facts
  readonly size: number
}

export const NOTHING: Facts = undefined

function factOf(facts: Facts, key: string): Known | undefined {
  let at = facts
  while (at && at.key !== key) at = at.rest
  return at
}

function without(facts: Facts, key: string): Facts {
  if (!facts || facts.key === key) return facts?.rest
  return added(without(facts.rest, key), facts.key, facts)
}

function added(rest: Facts, key: string, { there, ranges }: Fact): Known {
  return { key, there, ranges, rest, size: (rest?.size ?? 0) + 1 }
}

/** Ranges of a fact, and facts, at most: long lists cost more than knowing them is worth. */
const MOST_RANGES = 64
const MOST_FACTS = 64

const NFPROTO = { ipv4: 2n, ipv6: 10n } as const

/** What a base chain's family tells. */
export function familyFacts({ family }: BaseChain): Facts {
  if (family === 'any') return NOTHING
  const numbers = family === 'ip' ? [NFPROTO.ipv4, NFPROTO.ipv6] : [NFPROTO[family]]
  return added(NOTHING, 'meta.nfproto', { there: true, ranges: numbers.map((value) => ({ lo: value, hi: value })) })
}

/** What holds both here and there. */
export function meet(a: Facts, b: Facts): Facts {
  let out = NOTHING
  for (let x = a; x; x = x.rest) {
    const y = factOf(b, x.key)
    if (!y) continue
    const ranges = isSubset(x.ranges, y.ranges) ? y.ranges : isSubset(y.ranges, x.ranges) ? x.ranges : undefined
    if (ranges) out = added(out, x.key, { there: x.there && y.there, ranges })
  }
  return out
}

/** Of what is asked with a view of a step's own, or the chain's. */
export const factKey = (view: ViewName | undefined, key: string): string => (view ? `${view} ${key}` : key)
const keyOf = (view: ViewName | undefined, { key }: Region) => factKey(view, key)

function known(
  facts: Facts,
  view: ViewName | undefined,
  region: Region,
  ranges: readonly Range[],
  there: boolean,
): Facts {
  const key = keyOf(view, region)
  const before = factOf(facts, key)
  if (!before && facts && facts.size >= MOST_FACTS) return facts
  const now = before ? intersect(before.ranges, ranges) : ranges
  const kept = now.length <= MOST_RANGES ? now : (before?.ranges ?? [{ lo: 0n, hi: topOf(region.bits) }])
  const rest = before ? without(facts, key) : facts
  return added(rest, key, { there: there || (before?.there ?? false), ranges: kept })
}

/** The facts where a predicate (in normal form) is true, or false. */
export function assume(pred: Pred, value: boolean, facts: Facts, view?: ViewName): Facts {
  switch (pred.kind) {
    case 'cmp':
    case 'in': {
      const region = regionOf(pred)
      if (!region) return facts
      const ranges = value ? region.ranges : complement(region.ranges, topOf(region.bits))
      return known(facts, view, region, ranges, true)
    }
    case 'not':
      return assume(pred.arg, !value, facts, view)
    case 'and':
    case 'or':
      return (pred.kind === 'and') === value
        ? pred.args.reduce((sum, arg) => assume(arg, value, sum, view), facts)
        : facts
    default:
      return facts
  }
}

/** The facts where a predicate was asked and was not true: false, or its term is missing. */
export function assumeNot(pred: Pred, facts: Facts, view?: ViewName): Facts {
  const region = regionOf(pred)
  return region ? known(facts, view, region, complement(region.ranges, topOf(region.bits)), false) : facts
}

/** Whether all are comparisons of different terms, of which nothing is known: nothing follows from one for another. */
export function areApart(preds: readonly Pred[], facts: Facts, view: ViewName | undefined): boolean {
  const keys: string[] = []
  for (let i = 0; i < preds.length; i++) if (!isApart(preds[i]!, facts, view, keys)) return false
  return true
}

/** Whether a predicate is a comparison of a term of which nothing is known, that is none of `keys`; its key is added to them. */
export function isApart(pred: Pred, facts: Facts, view: ViewName | undefined, keys: string[]): boolean {
  if (pred.kind !== 'cmp' && pred.kind !== 'in') return false
  const own = regionKey(pred)
  if (own === undefined) return true
  const key = view ? `${view} ${own}` : own
  if (keys.includes(key) || factOf(facts, key)) return false
  keys.push(key)
  return true
}

/** A predicate (in normal form) where the facts hold: the same outcome, in fewer questions. */
export function refine(pred: Pred, facts: Facts, view?: ViewName): Pred {
  switch (pred.kind) {
    case 'cmp':
    case 'in': {
      const own = regionKey(pred)
      const fact = own === undefined ? undefined : factOf(facts, factKey(view, own))
      const region = fact && regionOf(pred)
      if (!region) return pred
      const left = intersect(fact.ranges, region.ranges)
      const all = isSubset(fact.ranges, region.ranges)
      if (left.length > 0 && !all) return pred
      if (fact.there) return { kind: 'const', value: all && fact.ranges.length > 0 }
      const ranges = left.length === 0 ? [] : [{ lo: 0n, hi: topOf(region.bits) }]
      return predOf({ ...region, ranges }) ?? pred
    }
    case 'not': {
      const arg = refine(pred.arg, facts, view)
      return arg.kind === 'const' ? { kind: 'const', value: !arg.value } : arg === pred.arg ? pred : { ...pred, arg }
    }
    case 'and':
    case 'or': {
      if (areApart(pred.args, facts, view)) return pred
      const decides = pred.kind === 'or'
      let here = facts
      let args: Pred[] | undefined
      for (let i = 0; i < pred.args.length; i++) {
        const arg = pred.args[i]!
        const now = refine(arg, here, view)
        const needless = now.kind === 'const' && now.value !== decides
        if (now.kind === 'const' || now !== arg) args ??= pred.args.slice(0, i)
        if (needless) continue
        args?.push(now)
        if (now.kind === 'const') break
        here = assume(now, !decides, here, view)
      }
      if (!args) return pred
      const [first, second] = args
      if (!first) return { kind: 'const', value: !decides }
      return second ? { ...pred, args } : first
    }
    default:
      return pred
  }
}
