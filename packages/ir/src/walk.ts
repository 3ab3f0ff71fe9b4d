// All terms of a filter, in the order of the text.

import type { Chain, Filter, Pred, Rule, Step, Term } from './types.ts'

/** The terms of the rules that a chain, or any base chain, can reach; those inside others too. Each chain is walked once. */
export function* termsOf(filter: Filter, chains?: readonly string[]): Generator<Term> {
  const byName = new Map(filter.chains.map((chain) => [chain.name, chain]))
  for (const { term } of termsAt(byName, ...(chains ?? filter.base.map(({ chain }) => chain)))) yield term
}

/** The same with the rules and steps that they stand in. */
export function* termsAt(
  chains: ReadonlyMap<string, Chain>,
  ...starts: readonly string[]
): Generator<{ readonly rule: Rule; readonly step: Step & { readonly kind: 'match' }; readonly term: Term }> {
  const seen = new Set<string>()
  const waiting = [...starts]
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (seen.has(name)) continue
    seen.add(name)
    for (const rule of chains.get(name)?.rules ?? []) {
      for (const step of rule.steps) {
        if (step.kind === 'match') for (const term of ofPred(step.pred)) yield { rule, step, term }
        else if (step.kind === 'verdict' && 'chain' in step.verdict) waiting.push(step.verdict.chain)
      }
    }
  }
}

function* ofPred(pred: Pred): Generator<Term> {
  switch (pred.kind) {
    case 'const':
      return
    case 'and':
    case 'or':
      for (const arg of pred.args) yield* ofPred(arg)
      return
    case 'not':
      return yield* ofPred(pred.arg)
    case 'cmp':
    case 'in':
      return yield* ofTerm(pred.term)
    case 'relation':
      yield* ofTerm(pred.left)
      return yield* ofTerm(pred.right)
  }
}

function* ofTerm(term: Term): Generator<Term> {
  yield term
  if (term.kind === 'mask') yield* ofTerm(term.term)
  else if (term.kind === 'bin') {
    yield* ofTerm(term.left)
    yield* ofTerm(term.right)
  } else if (term.kind === 'load' && term.index) yield* ofTerm(term.index)
}
