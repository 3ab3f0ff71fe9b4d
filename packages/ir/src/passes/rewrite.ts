// Changing filters in part: what does not change stays the same object.

import type { Chain, Filter, Pred, Range, Rule, Step, Term } from '../types.ts'

/** Another list if any element changes; `change` gives what an element becomes, undefined if it is left out. */
export function mapped<T>(list: readonly T[], change: (value: T) => T | undefined): readonly T[] {
  let out: T[] | undefined
  for (let i = 0; i < list.length; i++) {
    const now = change(list[i]!)
    if (!out && now !== list[i]) out = list.slice(0, i)
    if (out && now !== undefined) out.push(now)
  }
  return out ?? list
}

export function mapChains(filter: Filter, change: (chain: Chain) => Chain): Filter {
  const chains = mapped(filter.chains, change)
  return chains === filter.chains ? filter : { ...filter, chains }
}

export function withRules(chain: Chain, rules: readonly Rule[]): Chain {
  return rules === chain.rules ? chain : { ...chain, rules }
}

/** Every match step's predicate changed; one that becomes true is left out. */
export function mapPreds(filter: Filter, change: (pred: Pred) => Pred): Filter {
  const inStep = (step: Step): Step | undefined => {
    if (step.kind !== 'match') return step
    const pred = change(step.pred)
    if (pred.kind === 'const' && pred.value) return undefined
    return pred === step.pred ? step : { ...step, pred }
  }
  const inRule = (rule: Rule): Rule => {
    const steps = mapped(rule.steps, inStep)
    return steps === rule.steps ? rule : { ...rule, steps }
  }
  return mapChains(filter, (chain) => withRules(chain, mapped(chain.rules, inRule)))
}

/** Whether comparisons are the same, value by value; others only if they are one object, or their arguments are such. */
export function samePred(a: Pred, b: Pred): boolean {
  if (a === b) return true
  switch (a.kind) {
    case 'const':
      return b.kind === 'const' && a.value === b.value
    case 'cmp':
      return b.kind === 'cmp' && a.test === b.test && a.value === b.value && sameTerm(a.term, b.term)
    case 'in':
      return b.kind === 'in' && sameTerm(a.term, b.term) && sameRanges(a.ranges, b.ranges)
    case 'not':
    case 'sure':
      return b.kind === a.kind && samePred(a.arg, b.arg)
    case 'and':
    case 'or':
      return b.kind === a.kind && sameList(a.args, b.args, samePred)
    default:
      return false
  }
}

function sameTerm(a: Term, b: Term): boolean {
  return a === b || (a.kind === 'mask' && b.kind === 'mask' && a.mask === b.mask && sameTerm(a.term, b.term))
}

function sameRanges(a: readonly Range[], b: readonly Range[]): boolean {
  return a === b || sameList(a, b, (x, y) => x.lo === y.lo && x.hi === y.hi)
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((each, i) => same(each, b[i]!))
}
