// The frames that two filters decide differently, in a decision diagram. Rules that both have at the start and at the end are asked about no
// more frames than those that what lies between can make a difference for.

import type { Filter } from '@netsieve/ir'
import type { Node } from './bdd.ts'
import { asked, Chains, dropped, dropsOf, type Fates } from './fates.ts'
import type { NormalBase } from './normal.ts'
import type { Making } from './reading.ts'

/** So many rules apart at most are put before the rest: what many can make a difference for is large. */
const MOST_APART = 64

/** One of two filters, with its normal form. */
export interface Normalized {
  readonly filter: Filter
  readonly normal: readonly NormalBase[]
}

/** All base chains must have one view. @throws NotModelled, BudgetExceeded. */
export function difference(making: Making, a: Normalized, b: Normalized): Node {
  return between(making, a, b) ?? making.bdd.xor(dropped(making, a.filter), dropped(making, b.filter))
}

/** The difference by a few rules of one base chain; undefined if there is more to it. */
function between(making: Making, a: Normalized, b: Normalized): Node | undefined {
  const { bdd } = making
  const [baseA, baseB] = [a.filter.base[0], b.filter.base[0]]
  const [normalA, normalB] = [a.normal[0], b.normal[0]]
  if (
    !baseA ||
    !baseB ||
    !normalA ||
    !normalB ||
    a.normal.length + b.normal.length > 2 ||
    normalA.head !== normalB.head
  )
    return undefined
  const { start, end } = common(normalA.rules, normalB.rules)
  const [endA, endB] = [normalA.rules.length - end, normalB.rules.length - end]
  if (endA + endB - 2 * start > MOST_APART) return undefined
  const [chainsA, chainsB] = [new Chains(making, a.filter, baseA.view), new Chains(making, b.filter, baseB.view)]
  const [rulesA, rulesB] = [chainsA.rulesOf(baseA.chain), chainsB.rulesOf(baseB.chain)]
  const apart = differing(making, chainsA.rules(rulesA, start, endA), chainsB.rules(rulesB, start, endB))
  const reached = bdd.and(asked(making, baseA.family), chainsA.within(rulesA, 0, start, apart).end)
  return bdd.xor(
    dropsOf(making, chainsA.within(rulesA, start, rulesA.length, reached), baseA.policy),
    dropsOf(making, chainsB.within(rulesB, start, rulesB.length, reached), baseB.policy),
  )
}

function differing({ bdd }: Making, a: Fates, b: Fates): Node {
  return bdd.union([
    bdd.xor(a.drop, b.drop),
    bdd.xor(a.policy, b.policy),
    bdd.xor(a.back, b.back),
    bdd.xor(a.end, b.end),
  ])
}

/** How many rules two lists have in common at the start, and behind those at the end. */
function common(a: readonly string[], b: readonly string[]): { start: number; end: number } {
  const shorter = Math.min(a.length, b.length)
  let start = 0
  while (start < shorter && a[start] === b[start]) start++
  let end = 0
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++
  return { start, end }
}
