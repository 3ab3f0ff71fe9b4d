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
type Asking = Extract<Step, { kind: 'match' | 'vmap' | 'set' | 'limit' }>

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
export function termsIn(step: Step): Iterable<Term> {
  const found: Found = new Set()
  if (step.kind === 'match') ofPred(step.pred, found)
  else if (step.kind === 'vmap') for (const term of step.terms) ofTerm(term, found)
  else if (step.kind === 'set') ofTerm(step.term, found)
  else if (step.kind === 'limit') for (const term of step.key ?? []) ofTerm(term, found)
  return found
}

/** Terms inside tunnels share so many parts that they cannot be gone through one by one. */
type Found = Set<Term>

function ofPred(pred: Pred, found: Found): void {
  switch (pred.kind) {
    case 'const':
      return
    case 'and':
    case 'or':
      for (const arg of pred.args) ofPred(arg, found)
      return
    case 'not':
      return ofPred(pred.arg, found)
    case 'cmp':
    case 'in':
      return ofTerm(pred.term, found)
    case 'exists':
      found.add(entryOf(pred.what))
      return
    case 'relation':
      ofTerm(pred.left, found)
      return ofTerm(pred.right, found)
    case 'inSet':
      for (const term of pred.terms) ofTerm(term, found)
  }
}

/** All terms that a field is read by, those of its presence too. */
export function termsOfField(field: FieldId): Iterable<Term> {
  const { index, guard } = placeOf(field) ?? {}
  const found: Found = new Set()
  if (guard) ofPred(guard, found)
  if (index) ofTerm(index, found)
  return found
}

function ofTerm(term: Term, found: Found): void {
  if (found.has(term)) return
  found.add(term)
  if (term.kind === 'mask') ofTerm(term.term, found)
  else if (term.kind === 'bin') {
    ofTerm(term.left, found)
    ofTerm(term.right, found)
  } else if ((term.kind === 'load' || term.kind === 'raw') && term.index) ofTerm(term.index, found)
  else if (term.kind === 'mapped') for (const part of term.terms) ofTerm(part, found)
}
