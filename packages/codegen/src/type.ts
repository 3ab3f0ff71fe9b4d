// What programs of a type cannot say: told with its place before code is made, instead of a silent false.

import { PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { type Diagnostic, Diagnostics } from '@netsieve/diag'
import { ACTS, type Filter, type Pred, type Rule, type Step, type Term, termsAt } from '@netsieve/ir'
import { FIELDS, PROTOCOLS } from '@netsieve/packet'
import { METADATA_MAP, metadataOfFilter } from './metadata.ts'

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
    case 'sure':
      return linkHeader(pred.arg)
    default:
      return undefined
  }
}

/**
 * What programs of a type do less than the rules say, on a machine: acts that they only pass or drop for, metadata that only a map tells them.
 * Each is told once, as a note, at the first rule. Codes: `codegen/act`, `codegen/metadata`.
 */
export function shortcomings(filter: Filter, type: ProgTypeName): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = []
  const note = (code: string, message: string, rule: Rule) =>
    diagnostics.push({ severity: 'note', code, message, ...(rule.span && { span: rule.span }) })
  const told = new Set<string>()
  for (const rule of filter.chains.flatMap((chain) => chain.rules)) {
    for (const step of rule.steps) {
      if (step.kind !== 'verdict' || step.verdict.kind !== 'act' || told.has(step.verdict.act)) continue
      const { act, args } = step.verdict
      if (act === 'redirect' && PROG_TYPES[type].redirects && isIndex(args[0])) continue
      told.add(act)
      const what = ACTS[act].decision === 'drop' ? 'drops packets' : 'lets packets pass'
      note('codegen/act', `a program of type ${type} only ${what} where the rules say ${act}`, rule)
    }
  }
  const layout = metadataOfFilter(filter, type)
  const fields = layout?.slots.map(({ field }) => field) ?? []
  if (fields.length === 0) return diagnostics
  for (const { rule, term } of termsAt(filter)) {
    if (term.kind !== 'field' || !(fields as readonly string[]).includes(term.field) || told.has(term.field)) continue
    told.add(term.field)
    note('codegen/metadata', `${term.field} is not in the context of a program of type ${type}: it is taken from the map ${METADATA_MAP}, which something must fill`, rule) // biome-ignore format: one message
  }
  return diagnostics
}

/** A device told by its index, which is what a program sends packets to. */
export function isIndex(device: string | undefined): boolean {
  return device !== undefined && /^\d{1,9}$/.test(device)
}
