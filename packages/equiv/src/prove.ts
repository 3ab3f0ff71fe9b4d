// Are two filters of one view equal on every frame? By what they say, or by decision diagrams: equal there is equal everywhere. A difference
// there is only reported with a frame on which evaluating both filters shows it; if none can be made, the answer is that it is not known.

import type { Filter, Term } from '@netsieve/ir'
import { Bdd, BudgetExceeded, FALSE } from './bdd.ts'
import { type Comparison, compare, type Decided } from './compare.ts'
import { difference, type Normalized } from './difference.ts'
import { normalForm, Parts } from './normal.ts'
import { bitNames, loadsOf, NotModelled, presenceName, SEEN, slotOfTerm, Variables } from './variables.ts'
import { type Shown, witness } from './witness.ts'

export interface ProveOptions {
  /** Nodes of the diagram at most; default 8,000,000, of 20 bytes. */
  readonly budget?: number
  /** Frames to try by `compare` where the diagram's difference cannot be made into one; default 5,000. */
  readonly runs?: number
  readonly seed?: number
}

export type Proof =
  | { readonly status: 'equal'; readonly nodes: number }
  | {
      readonly status: 'different'
      readonly frame: Uint8Array
      readonly a: Decided
      readonly b: Decided
      readonly nodes: number
    }
  | { readonly status: 'unknown'; readonly reason: string }

/** Orders of variables: which headers come first. No one order is good for all rules; the second is tried if the first is too large. */
const ORDERS = [
  ['has', 'meta', 'transport', 'net', 'link'],
  ['has', 'net', 'meta', 'transport', 'link'],
] as const
type Order = (typeof ORDERS)[number]

/** Compares two filters exactly. */
export function prove(a: Filter, b: Filter, { budget = 8_000_000, runs = 5000, seed = 1 }: ProveOptions = {}): Proof {
  const parts = new Parts()
  const [normalA, normalB] = [normalForm(a, parts), normalForm(b, parts)]
  if (JSON.stringify(normalA) === JSON.stringify(normalB)) return { status: 'equal', nodes: 0 }
  const views = new Set([...a.base, ...b.base].map(({ view }) => view))
  if (views.size > 1)
    return { status: 'unknown', reason: `the filters see packets differently (${[...views].join(', ')})` }
  let reason = ''
  for (const order of ORDERS) {
    try {
      return withOrder({ filter: a, normal: normalA }, { filter: b, normal: normalB }, order, { budget, runs, seed })
    } catch (error) {
      if (error instanceof NotModelled) return { status: 'unknown', reason: `not modelled: ${error.message}` }
      if (!(error instanceof BudgetExceeded)) throw error
      reason = error.message
    }
  }
  return { status: 'unknown', reason }
}

function withOrder(a: Normalized, b: Normalized, order: Order, { budget, runs, seed }: Required<ProveOptions>): Proof {
  const bdd = new Bdd(budget)
  const loads = loadsOf([a.filter, b.filter])
  const making = { bdd, variables: ordered(loads, order) }
  const differ = difference(making, a, b)
  if (differ === FALSE) return { status: 'equal', nodes: bdd.size }
  const shown = witness(making, loads, differ, a.filter, b.filter) ?? found(compare(a, b, { runs, seed }))
  if (shown) return { status: 'different', ...shown, nodes: bdd.size }
  return { status: 'unknown', reason: 'no frame was found that shows the difference' }
}

function found(result: Comparison): Shown | undefined {
  return result.status === 'different' ? { frame: result.frame, a: result.a, b: result.b } : undefined
}

function ordered(loads: readonly Term[], order: Order): Variables {
  const variables = new Variables()
  variables.level(SEEN)
  for (const load of loads) variables.level(presenceName(load))
  const rank = (term: Term) => order.indexOf(baseOf(term))
  // Destination before source: the bits of a header from its end.
  const sorted = [...loads].sort((x, y) => rank(x) - rank(y) || slotOfTerm(y).bit - slotOfTerm(x).bit)
  for (const load of sorted) for (const name of bitNames(load) ?? []) variables.level(name)
  return variables
}

function baseOf(term: Term): Order[number] {
  const { base } = slotOfTerm(term)
  return base === 'length' ? 'meta' : base
}
