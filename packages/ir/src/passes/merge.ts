// Neighbouring rules that do the same and differ in the numbers of one term: one rule with the numbers of all.

import { joinRanges } from '../build.ts'
import type { Filter, Rule, Step } from '../types.ts'
import { normal, predKey } from './constants.ts'
import type { Pass } from './pass.ts'
import { predOf, type Region, regionOf } from './regions.ts'
import { mapChains, withRules } from './rewrite.ts'
import { hasEffect } from './walk.ts'

export const merge: Pass = {
  name: 'merge',
  after: 'no two neighbouring rules without effects have the same verdict and differ in one comparison of one term',
  keeps: 'verdict',
  run: (filter: Filter) =>
    mapChains(filter, (chain) => {
      const out: Rule[] = []
      let open: Open | undefined
      const close = () => {
        if (open) out.push(finished(open))
        open = undefined
      }
      for (const rule of chain.rules) {
        const joined = open && join(open, rule)
        if (!joined) close()
        open = joined ?? { rules: [rule], at: undefined, regions: [] }
      }
      close()
      return withRules(chain, out.length === chain.rules.length ? chain.rules : out)
    }),
}

/** Rules that become one: they differ in the step `at`. */
interface Open {
  readonly rules: readonly Rule[]
  readonly at: number | undefined
  readonly regions: readonly Region[]
}

function join(open: Open, rule: Rule): Open | undefined {
  const [first] = open.rules as readonly [Rule]
  if (![first, rule].every(simple) || first.steps.length !== rule.steps.length) return undefined
  const differ = first.steps.flatMap((step, i) => (stepKey(step) === stepKey(rule.steps[i]!) ? [] : [i]))
  const [at, more] = differ
  if (at === undefined || more !== undefined || (open.at !== undefined && open.at !== at)) return undefined
  const [a, b] = [regionAt(first, at), regionAt(rule, at)]
  // Masked numbers of more than 64 bits have no ranges.
  if (a?.term.kind === 'mask' && a.bits > 64) return undefined
  if (!a || !b || a.key !== b.key || viewAt(first, at) !== viewAt(rule, at)) return undefined
  return { rules: [...open.rules, rule], at, regions: open.regions.length === 0 ? [a, b] : [...open.regions, b] }
}

/** It leaves no trace, and calls nothing that might: a chain called once where it was called twice. */
function simple(rule: Rule): boolean {
  return (
    !hasEffect(rule) &&
    !rule.steps.some((step) => step.kind === 'vmap' || (step.kind === 'verdict' && 'chain' in step.verdict))
  )
}

function regionAt({ steps }: Rule, at: number): Region | undefined {
  const step = steps[at]!
  return step.kind === 'match' ? regionOf(normal(step.pred)) : undefined
}

function viewAt({ steps }: Rule, at: number) {
  const step = steps[at]!
  return step.kind === 'match' ? step.view : undefined
}

function stepKey(step: Step): string {
  if (step.kind === 'match') return `${step.view ?? ''} ${predKey(normal(step.pred))}`
  return step.kind === 'verdict' ? JSON.stringify(step.verdict) : step.kind
}

function finished({ rules, at, regions }: Open): Rule {
  const [first] = rules as readonly [Rule]
  if (at === undefined) return first
  const ranges = joinRanges(regions.flatMap((region) => region.ranges))
  const pred = predOf({ ...regions[0]!, ranges })!
  const steps = first.steps.map((step, i) => (i === at && step.kind === 'match' ? { ...step, pred } : step))
  const also = rules.flatMap((rule, i) => [...(i === 0 ? [] : [rule.id]), ...(rule.also ?? [])])
  return { ...first, also, text: `${first.text} (and ${rules.length - 1} more)`, steps }
}
