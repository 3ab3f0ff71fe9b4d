// All terms of a filter, in the order of the text.

import type { FieldId } from '@netsieve/packet'
import { entryOf, placeOf } from './places.ts'
import { calledBy, setsOf } from './sets.ts'
import type { Filter, Pred, Rule, Step, Term } from './types.ts'

/** The terms of the rules that a chain, or any base chain, can reach; those inside others too. Each chain is walked once. */
export function* termsOf(filter: Filter, chains?: readonly string[]): Generator<Term> {
  for (const { term } of termsAt(filter, chains)) yield term
}

/** Steps that ask for terms. */
type Asking = Extract<Step, { kind: 'match' | 'vmap' | 'set' }>

/** The same with the rules and steps that they stand in. */
export function* termsAt(
  filter: Filter,
  starts: readonly string[] = filter.base.map(({ chain }) => chain),
): Generator<{ readonly rule: Rule; readonly step: Asking; readonly term: Term }> {
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  const seen = new Set<string>()
  const sets = setsOf(filter)
  const waiting = [...starts]
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (seen.has(name)) continue
    seen.add(name)
    for (const rule of chains.get(name)?.rules ?? []) {
      for (const step of rule.steps) {
        for (const term of termsIn(step)) yield { rule, step: step as Asking, term }
        waiting.push(...calledBy(step, sets))
      }
    }
  }
}

/** The terms that a step asks for; one that stands in it several times as one object is given once. */
export function* termsIn(step: Step): Generator<Term> {
  const seen: Seen = new Set()
  if (step.kind === 'match') yield* ofPred(step.pred, seen)
  else if (step.kind === 'vmap') yield* ofTerms(step.terms, seen)
  else if (step.kind === 'set') yield* ofTerm(step.term, seen)
}

/** Terms inside tunnels share so many parts that they cannot be gone through one by one. */
type Seen = Set<Term>

function* ofPred(pred: Pred, seen: Seen): Generator<Term> {
  switch (pred.kind) {
    case 'const':
      return
    case 'and':
    case 'or':
      for (const arg of pred.args) yield* ofPred(arg, seen)
      return
    case 'not':
      return yield* ofPred(pred.arg, seen)
    case 'cmp':
    case 'in':
      return yield* ofTerm(pred.term, seen)
    case 'exists':
      yield entryOf(pred.what)
      return
    case 'relation':
      yield* ofTerm(pred.left, seen)
      return yield* ofTerm(pred.right, seen)
    case 'inSet':
      return yield* ofTerms(pred.terms, seen)
  }
}

function* ofTerms(terms: readonly Term[], seen: Seen): Generator<Term> {
  for (const term of terms) yield* ofTerm(term, seen)
}

/** All terms that a field is read by, those of its presence too. */
export function* termsOfField(field: FieldId): Generator<Term> {
  const { index, guard } = placeOf(field) ?? {}
  const seen: Seen = new Set()
  if (guard) yield* ofPred(guard, seen)
  if (index) yield* ofTerm(index, seen)
}

function* ofTerm(term: Term, seen: Seen): Generator<Term> {
  if (seen.has(term)) return
  seen.add(term)
  yield term
  if (term.kind === 'mask') yield* ofTerm(term.term, seen)
  else if (term.kind === 'bin') {
    yield* ofTerm(term.left, seen)
    yield* ofTerm(term.right, seen)
  } else if ((term.kind === 'load' || term.kind === 'raw') && term.index) yield* ofTerm(term.index, seen)
  else if (term.kind === 'mapped') yield* ofTerms(term.terms, seen)
}
