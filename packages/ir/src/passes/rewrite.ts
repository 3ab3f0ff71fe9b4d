// Changing filters in part: what does not change stays the same object.

import type { Chain, Filter, Pred, Rule, Step } from '../types.ts'

/** Another list if any element changes; `change` gives what an element becomes, none or several. */
export function mapped<T>(list: readonly T[], change: (value: T, index: number) => readonly T[]): readonly T[] {
  let same = true
  const out = list.flatMap((value, i) => {
    const now = change(value, i)
    if (now.length !== 1 || now[0] !== value) same = false
    return now
  })
  return same ? list : out
}

export function mapChains(filter: Filter, change: (chain: Chain) => readonly Chain[]): Filter {
  const chains = mapped(filter.chains, change)
  return chains === filter.chains ? filter : { ...filter, chains }
}

function mapRules(filter: Filter, change: (rule: Rule, chain: Chain) => readonly Rule[]): Filter {
  return mapChains(filter, (chain) => [
    withRules(
      chain,
      mapped(chain.rules, (rule) => change(rule, chain)),
    ),
  ])
}

export function withRules(chain: Chain, rules: readonly Rule[]): Chain {
  return rules === chain.rules ? chain : { ...chain, rules }
}

export function withSteps(rule: Rule, steps: readonly Step[]): Rule {
  return steps === rule.steps ? rule : { ...rule, steps }
}

/** Every match step's predicate changed; one that becomes true is left out. */
export function mapPreds(filter: Filter, change: (pred: Pred) => Pred): Filter {
  return mapRules(filter, (rule) => [
    withSteps(
      rule,
      mapped(rule.steps, (step) => {
        if (step.kind !== 'match') return [step]
        const pred = change(step.pred)
        if (pred.kind === 'const' && pred.value) return []
        return [samePred(pred, step.pred) ? step : { ...step, pred }]
      }),
    ),
  ])
}

/** Structural equality: a normal form made anew is often what was there. */
export function samePred(a: Pred, b: Pred): boolean {
  return a === b || same(a, b)
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const [names, others] = [Object.keys(a), Object.keys(b)]
  return (
    names.length === others.length &&
    names.every((name) => Object.hasOwn(b, name) && same(a[name as never], b[name as never]))
  )
}
