// Rules that no packet of a path can match, as the path alone tells: no code is made for them.

import { type BaseChain, compareValues, type Pred, type Rule, type Term, VIEWS } from '@netsieve/ir'
import { FILL } from './dispatch.ts'
import { excluded, type Path } from './path.ts'
import { constantOf } from './predicates.ts'
import { type Scope, seenAs } from './scope.ts'

/** Whether a rule's matches, which come before anything that leaves a trace, cannot all hold, and asking does no more than end the rule. */
export function isIdle(scope: Scope, { steps }: Pick<Rule, 'steps'>): boolean {
  for (const step of steps) {
    if (step.kind !== 'match') return false
    const seen = seenAs(scope, step.view)
    const { missing, cutDrops, chainDrops } = seen.path.view
    if (missing === 'reject' || chainDrops || cutDrops.length > 0) return false
    if (fails(seen, step.pred)) return true
  }
  return false
}

/** Of a chain, how many rules there are up to the last one that a good packet of a kind might match. */
export function busyRules(scope: Scope, base: BaseChain, rules: readonly Rule[], kind: 'ipv4' | 'ipv6'): number {
  const path: Path = { ...FILL, kind, view: VIEWS[base.view], net: true, transport: 'lazy', l4proto: 'slot' }
  return rules.findLastIndex((rule) => !isIdle({ ...scope, path }, rule)) + 1
}

function fails(scope: Scope, pred: Pred): boolean {
  switch (pred.kind) {
    case 'const':
      return !pred.value
    case 'and':
      return pred.args.some((arg) => fails(scope, arg))
    case 'or':
      return pred.args.every((arg) => fails(scope, arg))
    case 'cmp': {
      const { term, test, value } = pred
      return (
        never(scope, term, (told) => compareValues(told, test, value)) ||
        (test === '==' && excluded(scope.path, term, value))
      )
    }
    case 'in':
      return never(scope, pred.term, (told) => pred.ranges.some(({ lo, hi }) => lo <= told && told <= hi))
    default:
      return false
  }
}

function never(scope: Scope, term: Term, holds: (value: bigint) => boolean): boolean {
  const told = constantOf(scope, term)
  if (told === 'missing') return scope.path.view.missing === 'rule'
  return told !== undefined && !holds(told)
}
