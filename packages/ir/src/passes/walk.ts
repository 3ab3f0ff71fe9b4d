// The chains of a filter with what is known of packets at each rule, callers before those that they call.

import { calledBy, calledIn, setsOf } from '../sets.ts'
import type { Chain, Filter, Pred, Rule, SetDef, Step } from '../types.ts'
import { normalIn, normal as normalOf } from './constants.ts'
import { assume, assumeNot, type Facts, familyFacts, meet, NOTHING } from './facts.ts'

/** The steps that change nothing which later rules ask about. */
export function changesNothing(step: Step): boolean {
  return step.kind === 'match' || step.kind === 'verdict' || step.kind === 'vmap' || step.kind === 'count'
}

/** Whether some rule sets metadata: then what was known of it may not be so behind a call. */
export function setsMetadata({ chains }: Filter): boolean {
  return chains.some(({ rules }) =>
    rules.some(({ steps }) => steps.some(({ kind }) => kind === 'set' || kind === 'turn')),
  )
}

/** Whether a rule leaves a trace but its verdict: a counter, a log line, a mark. */
export function hasEffect({ steps }: Rule): boolean {
  return steps.some((step) => step.kind !== 'match' && step.kind !== 'verdict' && step.kind !== 'vmap')
}

/** Chains that packets can come to, callers first. */
export function reachedChains(filter: Filter): Chain[] {
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  const sets = setsOf(filter)
  const done = new Set<string>()
  const out: Chain[] = []
  const visit = (name: string): void => {
    const chain = chains.get(name)
    if (!chain || done.has(name)) return
    done.add(name)
    for (const rule of chain.rules) {
      const called = calledIn(rule, sets)
      for (let i = 0; i < called.length; i++) visit(called[i]!)
    }
    out.push(chain)
  }
  for (const { chain } of filter.base) visit(chain)
  return out.reverse()
}

/**
 * Asks `change` what becomes of each rule that can be reached, with the facts before it; the facts after it are those of what it becomes.
 * Chains that nothing calls stay as they are.
 */
export function forEachRule(filter: Filter, change: (rule: Rule, facts: Facts) => Rule): Filter {
  const normal = normalIn(filter)
  const sets = setsOf(filter)
  const setting = setsMetadata(filter)
  const entries = new Map<string, Facts>()
  const enter = (name: string, facts: Facts) => {
    entries.set(name, entries.has(name) ? meet(entries.get(name), facts) : facts)
  }
  for (const base of filter.base) enter(base.chain, familyFacts(base))
  const changed = new Map<string, Chain>()
  for (const chain of reachedChains(filter)) {
    let facts = entries.get(chain.name)
    const rules = chain.rules.map((rule) => {
      const now = change(rule, facts)
      facts = afterRule(now, facts, sets, enter, now === rule ? normal : normalOf)
      // What a called chain sets is not known behind the call.
      if (setting && calledIn(now, sets).length > 0) facts = NOTHING
      return now
    })
    if (rules.some((rule, i) => rule !== chain.rules[i])) changed.set(chain.name, { ...chain, rules })
  }
  if (changed.size === 0) return filter
  return { ...filter, chains: filter.chains.map((chain) => changed.get(chain.name) ?? chain) }
}

/** The facts for packets that go on behind a rule; chains that it calls are entered with what its matches tell. */
function afterRule(
  rule: Rule,
  before: Facts,
  sets: ReadonlyMap<string, SetDef>,
  enter: (name: string, facts: Facts) => void,
  normal: (pred: Pred) => Pred,
): Facts {
  const { steps } = rule
  if (!steps.every(changesNothing)) {
    for (const called of calledIn(rule, sets)) enter(called, NOTHING)
    return NOTHING
  }
  // What the matches tell is only asked where a chain is called.
  const calling = calledIn(rule, sets).length > 0
  let here = before
  let only: Extract<Step, { kind: 'match' }> | undefined
  let matches = 0
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!
    if (step.kind === 'match') {
      only = step
      matches++
      if (calling) here = assume(normal(step.pred), true, here, step.view)
    } else if (calling) for (const called of calledBy(step, sets)) enter(called, here)
    if (step.kind === 'verdict') {
      // Packets that all matches hold for do not come back: of a single match that means it did not hold.
      const final = step.verdict.kind !== 'continue' && step.verdict.kind !== 'jump'
      return final && only && matches === 1 ? assumeNot(normal(only.pred), before, only.view) : before
    }
    if (step.kind === 'vmap') return before
  }
  return before
}
