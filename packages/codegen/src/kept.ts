// Terms that are computed once and kept on the stack: places behind tunnels, which hold one another many times over. Written out wherever they
// stand they would make programs of hundreds of thousands of instructions.

import { type Filter, type Term, termsOf } from '@netsieve/ir'
import { SLOT } from './path.ts'

/** So many fit where lookups in sets have their slots. */
const MOST = 12

/** Terms that have a slot, by themselves: parts that a filter holds several times are one object. */
export type Kept = ReadonlyMap<Term, number>

/** The terms of a filter that are worth a slot. None if it looks into sets, or sees packets in more than one way. */
export function keptOf(filter: Filter): Kept {
  const terms = termsOf(filter)
  if (!hasComputed(terms)) return new Map()
  const simple = filter.base.length === 1 && !filter.sets?.length && filter.chains.every(({ rules }) => rules.every(({ steps }) => steps.every((step) => step.kind !== 'match' || step.view === undefined))) // biome-ignore format: one condition
  const keyed = filter.state?.some(
    (def) => (def.kind === 'limit' && def.each) || def.kind === 'table' || def.kind === 'recent',
  )
  const hashes = [...termsOf(filter)].some((term) => term.kind === 'jhash')
  if (!simple || keyed || hashes) return new Map()
  const uses = new Map<Term, number>()
  for (const term of terms) for (const part of partsOf(term)) uses.set(part, (uses.get(part) ?? 0) + 1)
  const costs = new Map<Term, number>()
  const costOf = (term: Term): number => {
    const known = costs.get(term)
    if (known !== undefined) return known
    const cost = partsOf(term).reduce((sum, part) => sum + costOf(part), 1)
    costs.set(term, cost)
    return cost
  }
  const worth = [...uses]
    .filter(([term, count]) => term.kind === 'bin' && count > 1 && costOf(term) > 4)
    .map(([term, count]) => ({ term, gain: (count - 1) * costOf(term) }))
    .sort((one, other) => other.gain - one.gain)
    .slice(0, MOST)
  return new Map(worth.map(({ term }, i) => [term, SLOT.kept - 8 * i]))
}

function hasComputed(terms: Iterable<Term>): boolean {
  for (const { kind } of terms) if (kind === 'bin') return true
  return false
}

function partsOf(term: Term): readonly Term[] {
  switch (term.kind) {
    case 'bin':
      return [term.left, term.right]
    case 'mask':
      return [term.term]
    case 'load':
      return term.index ? [term.index] : []
    default:
      return []
  }
}
