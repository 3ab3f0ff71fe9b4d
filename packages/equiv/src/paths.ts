// The boxes of a filter: for each way to come to a rule, what the comparisons on it ask. Where the packets that tell filters apart are.

import {
  calledBy,
  type ElementData,
  type Filter,
  joinRanges,
  type Pred,
  type Rule,
  type SetDef,
  type Step,
  setsOf,
  type Term,
} from '@netsieve/ir'
import { type Constraint, constraintOf, fieldSlot, keyConstraint, type Slot, topOf } from './slots.ts'

/** One way to a rule: constraints that all hold on it, as far as they can be told. */
export interface Path {
  readonly rule: number
  readonly constraints: readonly Constraint[]
  /** What becomes of a packet here, as text. */
  readonly verdict: string
  /** All paths of the filter, in the order in which rules are asked, and this one's place among them. */
  readonly siblings: readonly Path[]
  readonly index: number
}

/** The numbers next to which filters change their minds, by slot; sorted. */
export interface Constants {
  readonly slots: readonly { readonly slot: Slot; readonly atoms: readonly bigint[] }[]
  readonly paths: readonly Path[]
}

const MOST_ALTERNATIVES = 2048
const MOST_CALLS = 4

/** The constants and boxes of some filters. */
export function collectConstants(filters: readonly Filter[]): Constants {
  const paths = filters.flatMap(pathsOf)
  const atoms = new Map<string, { readonly slot: Slot; readonly set: Set<bigint> }>()
  for (const { constraints } of paths) {
    for (const constraint of constraints) {
      const { slot } = constraint
      const entry = atoms.get(slot.key) ?? { slot, set: new Set<bigint>() }
      atoms.set(slot.key, entry)
      for (const atom of atomsOf(constraint)) entry.set.add(atom)
    }
  }
  // A comparison that never holds has no edges.
  const slots = [...atoms.values()]
    .filter(({ set }) => set.size > 0)
    .map(({ slot, set }) => ({ slot, atoms: [...set].sort((a, b) => (a < b ? -1 : 1)) }))
  return { slots, paths }
}

/** Edges of what a constraint allows, their neighbours and middles; of a mask its value with single bits turned. */
function atomsOf(constraint: Constraint): bigint[] {
  const top = topOf(constraint.slot)
  const out: bigint[] = []
  if (constraint.kind === 'ranges') {
    for (const { lo, hi } of constraint.ranges) {
      const middle = (lo + hi) >> 1n
      out.push(lo - 1n, lo, lo + 1n, middle, middle + 1n, hi - 1n, hi, hi + 1n)
    }
  } else {
    const { mask, value, slot } = constraint
    out.push(value, value | (top ^ mask))
    for (let bit = 0n; bit < BigInt(slot.bits); bit++) out.push(value ^ (1n << bit))
  }
  return out.filter((atom) => atom >= 0n && atom <= top)
}

/** Every way to every rule of a filter, in the order in which rules are asked; calls are followed a few times at most. */
export function pathsOf(filter: Filter): Path[] {
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  const sets = setsOf(filter)
  const out: Path[] = []
  const visits = new Map<string, number>()
  const walk = (name: string, before: readonly Constraint[], depth: number): void => {
    const seen = visits.get(name) ?? 0
    const chain = chains.get(name)
    if (!chain || seen >= MOST_CALLS || depth > chains.size) return
    visits.set(name, seen + 1)
    for (const rule of chain.rules) {
      const ways = alternativesOf(rule, sets)
      const plain = rule.steps.map((step) => (step.kind === 'verdict' ? JSON.stringify(step.verdict) : '')).join('')
      for (const { constraints: way, data } of ways) {
        const verdict = data?.verdict ? JSON.stringify(data.verdict) : plain
        out.push({ rule: rule.id, constraints: [...before, ...way], verdict, siblings: out, index: out.length })
      }
      for (const step of rule.steps) {
        for (const called of calledBy(step, sets)) {
          const way = ways.find(({ data }) => callsTo(data, called)) ?? ways[0]
          walk(called, [...before, ...(way?.constraints ?? [])], depth + 1)
        }
      }
    }
  }
  for (const base of filter.base) {
    walk(base.chain, base.family === 'ipv4' || base.family === 'ipv6' ? [family(base.family)] : [], 0)
  }
  return out
}

function callsTo(data: ElementData | undefined, chain: string): boolean {
  return data?.verdict !== undefined && 'chain' in data.verdict && data.verdict.chain === chain
}

function family(name: 'ipv4' | 'ipv6'): Constraint {
  const number = name === 'ipv4' ? 2n : 10n
  return { slot: fieldSlot('meta.nfproto'), kind: 'ranges', ranges: [{ lo: number, hi: number }] }
}

/** Constraints under which a rule is come to its end, and the element of its verdict map that they find. */
interface Way {
  readonly constraints: readonly Constraint[]
  readonly data?: ElementData
}

type Sets = ReadonlyMap<string, SetDef>

function alternativesOf(rule: Rule, sets: Sets): readonly Way[] {
  let ways: readonly (readonly Constraint[])[] = [[]]
  for (const step of rule.steps) {
    if (step.kind === 'match') ways = product(ways, expand(step.pred, true, sets))
    else if (step.kind === 'vmap') return mapped(step, ways, sets)
  }
  return ways.map((constraints) => ({ constraints }))
}

function mapped(
  { map, terms }: Extract<Step, { kind: 'vmap' }>,
  ways: readonly (readonly Constraint[])[],
  sets: Sets,
): Way[] {
  const { elements = [], catchAll } = sets.get(map) ?? {}
  const first = ways[0] ?? []
  const found = elements
    .slice(0, MOST_ALTERNATIVES)
    .map((data): Way => ({ constraints: [...first, ...boxOf(terms, data)], data }))
  return catchAll ? [...found, { constraints: first, data: catchAll }] : found
}

/** What an element's key asks of the terms that are looked up. */
function boxOf(terms: readonly Term[], { key }: SetDef['elements'][number]): Constraint[] {
  return terms.flatMap((term, i) => (key[i] && keyConstraint(term, key[i])) ?? [])
}

/** The ways into a set or, past every element, beside it: of several components the first tells them apart. */
function inSet(pred: Extract<Pred, { kind: 'inSet' }>, holds: boolean, sets: Sets): readonly (readonly Constraint[])[] {
  const set = sets.get(pred.set)
  if (!set || set.catchAll) return holds ? [[]] : []
  if (holds && set.keys.length > 1)
    return set.elements.slice(0, MOST_ALTERNATIVES).map((element) => boxOf(pred.terms, element))
  const ranges = joinRanges(set.elements.map(({ key }) => key[0]!))
  const constraint = constraintOf({ kind: 'in', term: pred.terms[0]!, ranges }, holds)
  return [constraint ? [constraint] : []]
}

/** The alternatives under which a predicate holds (or not), each a list of constraints; at most some thousands of them. */
function expand(pred: Pred, holds: boolean, sets: Sets): readonly (readonly Constraint[])[] {
  switch (pred.kind) {
    case 'const':
      return pred.value === holds ? [[]] : []
    case 'not':
      return expand(pred.arg, !holds, sets)
    case 'sure':
      return expand(pred.arg, holds, sets)
    case 'and':
    case 'or': {
      const all = (pred.kind === 'and') === holds
      const parts = pred.args.map((arg) => expand(arg, holds, sets))
      return all ? parts.reduce(product, [[]]) : parts.flat().slice(0, MOST_ALTERNATIVES)
    }
    case 'inSet':
      return inSet(pred, holds, sets)
    default: {
      const constraint = constraintOf(pred, holds)
      return [constraint ? [constraint] : []]
    }
  }
}

function product(
  left: readonly (readonly Constraint[])[],
  right: readonly (readonly Constraint[])[],
): readonly (readonly Constraint[])[] {
  const [first, second] = [left.length, right.length]
  if (first === 0 || second === 0) return []
  // Too many to pair all: each of either side at least once.
  if (first * second > MOST_ALTERNATIVES) {
    const pairs = Math.min(MOST_ALTERNATIVES, Math.max(first, second))
    return Array.from({ length: pairs }, (_, i) => [...left[i % first]!, ...right[i % second]!])
  }
  return left.flatMap((a) => right.map((b) => [...a, ...b]))
}

/** What a path asks and does, as text. */
export function pathKey({ constraints, verdict }: Path): string {
  return `${constraints.map(constraintKey).join(' ')} ${verdict}`
}

function constraintKey(constraint: Constraint): string {
  const { key } = constraint.slot
  if (constraint.kind === 'ranges') return `${key}=${constraint.ranges.map(({ lo, hi }) => `${lo}-${hi}`)}`
  return `${key}&${constraint.mask}${constraint.equal ? '=' : '!'}${constraint.value}`
}
