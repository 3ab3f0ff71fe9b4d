// Tests whose outcome is known where they stand: asked before in the rule, on every way into the chain, or by a rule above that would have
// ended the packet's way.

import type { Filter, Pred, Rule, Step } from '../types.ts'
import { normalIn } from './constants.ts'
import { assume, type Facts, isApart, NOTHING, refine } from './facts.ts'
import type { Pass } from './pass.ts'
import { forEachRule } from './walk.ts'

export const guards: Pass = {
  name: 'guards',
  after: 'no comparison is left whose outcome is known from comparisons before it',
  keeps: 'rule',
  run(filter: Filter) {
    const normal = normalIn(filter)
    return forEachRule(filter, (rule, facts) => guarded(rule, facts, normal))
  },
}

function guarded(rule: Rule, facts: Facts, normal: (pred: Pred) => Pred): Rule {
  if (areAllApart(rule.steps, facts, normal)) return rule
  let here = facts
  const last = rule.steps.findLastIndex(({ kind }) => kind === 'match')
  let steps: Step[] | undefined
  for (let i = 0; i < rule.steps.length; i++) {
    const step = rule.steps[i]!
    if (step.kind !== 'match') {
      steps?.push(step)
      if (step.kind === 'set' || step.kind === 'turn') here = NOTHING
      continue
    }
    const pred = refine(normal(step.pred), here, step.view)
    if (i < last) here = assume(pred, true, here, step.view)
    if (pred !== step.pred || pred.kind === 'const') steps ??= rule.steps.slice(0, i)
    if (pred.kind === 'const' && pred.value) continue
    steps?.push(pred === step.pred ? step : { ...step, pred })
    // A match that never holds: what follows it is never done.
    if (pred.kind === 'const') break
  }
  const same = !steps || (steps.length === rule.steps.length && steps.every((step, i) => step === rule.steps[i]))
  return same ? rule : { ...rule, steps: steps! }
}

/** Whether all matches are comparisons, in normal form, from which nothing follows for one another. */
function areAllApart(steps: readonly Step[], facts: Facts, normal: (pred: Pred) => Pred): boolean {
  const keys: string[] = []
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!
    if (step.kind !== 'match') continue
    if (!isApart(step.pred, facts, step.view, keys) || normal(step.pred) !== step.pred) return false
  }
  return true
}
