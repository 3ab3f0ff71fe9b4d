// All terms of a filter, in the order of the text.

import type { FieldId } from '@netsieve/packet'
import { entryOf, placeOf } from './places.ts'
import { calledIn, setsOf } from './sets.ts'
import type { Filter, Pred, Rule, Step, Term } from './types.ts'

/** The rules that some chains, by default all base chains, can come to. Each chain is walked once. */
export function reachedRules(filter: Filter, starts: readonly string[] = startsOf(filter)): readonly Rule[] {
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  const sets = setsOf(filter)
  const names = new Set(starts)
  const out: Rule[] = []
  // Names that are added meanwhile come to their turn.
  for (const name of names) {
    for (const rule of chains.get(name)?.rules ?? []) {
      out.push(rule)
      const called = calledIn(rule, sets)
      for (let i = 0; i < called.length; i++) names.add(called[i]!)
    }
  }
  return out
}

const startsOf = ({ base }: Filter): readonly string[] => base.map(({ chain }) => chain)

const TERMS = new WeakMap<Filter, Map<string, ReadonlySet<Term>>>()

/** The terms that those rules ask for; those inside others too. One that is asked for several times as one object is given once. */
export function termsOf(filter: Filter, starts: readonly string[] = startsOf(filter)): ReadonlySet<Term> {
  const known = TERMS.get(filter) ?? new Map<string, ReadonlySet<Term>>()
  TERMS.set(filter, known)
  const key = JSON.stringify(starts)
  const before = known.get(key)
  if (before) return before
  const found: Found = new Set()
  for (const { steps } of reachedRules(filter, starts)) for (let i = 0; i < steps.length; i++) ofStep(steps[i]!, found)
  known.set(key, found)
  return found
}

/** Steps that ask for terms. */
type Asking = Extract<Step, { kind: 'match' | 'vmap' | 'set' | 'limit' | 'table' | 'recent' }>

/** The same with the rules and steps that they stand in: once a step. */
export function* termsAt(
  filter: Filter,
  starts?: readonly string[],
): Generator<{ readonly rule: Rule; readonly step: Asking; readonly term: Term }> {
  for (const rule of reachedRules(filter, starts))
    for (const step of rule.steps) for (const term of termsIn(step)) yield { rule, step: step as Asking, term }
}

/** The terms that a step asks for; one that stands in it several times as one object is given once. */
export function termsIn(step: Step): Iterable<Term> {
  // Most steps are one comparison of a term that has no others in it.
  if (step.kind === 'match' && step.pred.kind === 'cmp' && step.pred.term.kind === 'field') return [step.pred.term]
  const found: Found = new Set()
  ofStep(step, found)
  return found
}

function ofStep(step: Step, found: Found): void {
  if (step.kind === 'match') ofPred(step.pred, found)
  else if (step.kind === 'vmap') for (const term of step.terms) ofTerm(term, found)
  else if (step.kind === 'set') ofTerm(step.term, found)
  else if (step.kind === 'limit' || step.kind === 'table') for (const term of step.key ?? []) ofTerm(term, found)
  else if (step.kind === 'recent') for (const term of step.ttl ? [...step.key, step.ttl] : step.key) ofTerm(term, found)
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
    case 'sure':
      return ofPred(pred.arg, found)
    case 'cmp':
    case 'in':
      return ofTerm(pred.term, found)
    case 'contains':
      // The network header, and where the packet ends.
      ofTerm({ kind: 'load', base: 'net', offset: pred.from, bytes: 1 }, found)
      return ofTerm({ kind: 'field', field: 'meta.length' }, found)
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
  else if (term.kind === 'jhash') for (const { term: part } of term.parts) ofTerm(part, found)
}
