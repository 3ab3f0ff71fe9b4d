// Where control goes on in a filter that is divided: the way through the rules as a graph. Calls return to a place that the place of the
// call tells, so no program has to remember one.

import type { BaseChain } from '@netsieve/ir'

/** Rules of a chain from one on. */
export interface Stretch {
  readonly chain: string
  readonly from: number
}

export interface Place {
  /** Number of the base chain. */
  readonly base: number
  /** What is to be asked next, last; before it, where the chains that are called return to. None: the policy decides. */
  readonly rules: readonly Stretch[]
}

export const keyOf = ({ base, rules }: Place): string =>
  JSON.stringify([base, ...rules.map(({ chain, from }) => [chain, from])])

export const startOf = (base: number, { chain }: BaseChain): Place => ({ base, rules: [{ chain, from: 0 }] })

/** Behind the rules of the place's chain. */
export const returned = ({ base, rules }: Place): Place => ({ base, rules: rules.slice(0, -1) })

/** Further on in the same chain. */
export const goneOn = (place: Place, from: number): Place => {
  const { chain } = place.rules.at(-1)!
  return { ...place, rules: [...place.rules.slice(0, -1), { chain, from }] }
}

/** At the first rule of a chain that returns to a place. */
export const called = ({ base, rules }: Place, chain: string): Place => ({
  base,
  rules: [...rules, { chain, from: 0 }],
})
