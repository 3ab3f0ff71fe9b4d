// What programs of a type cannot say: told with its place before code is made, instead of a silent false.

import { PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { type Diagnostic, Diagnostics } from '@netsieve/diag'
import { type Filter, type Pred, type Rule, type Step, type Term, termsAt } from '@netsieve/ir'
import { FIELDS, PROTOCOLS } from '@netsieve/packet'

/** What a filter asks for that packets of a program type do not have, once a rule. Code: `codegen/type`. */
export function beyondType(filter: Filter, type: ProgTypeName): readonly Diagnostic[] {
  const diagnostics = new Diagnostics()
  if (PROG_TYPES[type].firstHeader === 'link') return []
  const told = new Set<number>()
  const tell = (rule: Rule, step: Step, what: string | undefined): void => {
    if (what === undefined || told.has(rule.id)) return
    told.add(rule.id)
    const message = `programs of type ${type} start at the network header: ${what} cannot be asked there`
    diagnostics.error('codegen/type', message, ('span' in step ? step.span : undefined) ?? rule.span)
  }
  for (const { rule, step, term } of termsAt(filter)) tell(rule, step, linkPart(term))
  for (const rule of filter.chains.flatMap((chain) => chain.rules))
    for (const step of rule.steps) if (step.kind === 'match') tell(rule, step, linkHeader(step.pred))
  return diagnostics.list
}

/** The part of the link header that a term asks for. */
function linkPart(term: Term): string | undefined {
  switch (term.kind) {
    case 'length':
      return "the frame's length"
    case 'load':
    case 'raw':
      return term.base === 'link' ? 'a byte of the link header' : undefined
    case 'walk':
      return "a walk from the frame's start"
    case 'field':
      return PROTOCOLS[FIELDS[term.field].proto].base === 'link' ? term.field : undefined
    default:
      return undefined
  }
}

/** A link header whose presence a predicate asks for. */
function linkHeader(pred: Pred): string | undefined {
  switch (pred.kind) {
    case 'exists':
      return typeof pred.what === 'string' && PROTOCOLS[pred.what].base === 'link'
        ? `the header ${pred.what}`
        : undefined
    case 'and':
    case 'or':
      return pred.args.map(linkHeader).find((what) => what !== undefined)
    case 'not':
      return linkHeader(pred.arg)
    default:
      return undefined
  }
}
