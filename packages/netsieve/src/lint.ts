// Rules that do nothing, at every hook that a ruleset has rules for. A rule or chain that packets of several hooks come to is told of only if it does
// nothing at any of them.

import type { Diagnostic, Outcome, Source, Span } from '@netsieve/diag'
import { type Filter, lint, type ProfileName } from '@netsieve/ir'
import { guessSyntax, type RuleOptions, SYNTAXES, type Syntax, type SyntaxName } from '@netsieve/rules'
import { failed, readRules } from './pipeline.ts'

export interface Linted {
  readonly found: readonly Diagnostic[]
  /** Those that were looked at, in the order of a packet's way. */
  readonly hooks: readonly string[]
  readonly profile: ProfileName
}

/** What a ruleset says at a hook where it has no rules, and what is of no concern where all hooks are looked at. */
const ELSEWHERE: readonly string[] = ['rules/hook', 'rules/empty', 'tc/other-hook']

/** What `lint` finds at the hook that is asked for, or at all hooks that there are rules for. */
export function lintRules(source: Source, asked: RuleOptions & { readonly syntax?: SyntaxName } = {}): Outcome<Linted> {
  const options = { ...asked, unused: true }
  const { hooks }: Syntax = SYNTAXES[options.syntax ?? guessSyntax(source.text)]
  const all = options.hook === undefined ? hooks.map((hook) => readRules(source, { ...options, hook })) : []
  const refused = all.find(({ value, diagnostics }) => !value && !diagnostics.some(({ code }) => ELSEWHERE.includes(code))) // biome-ignore format: one act
  if (refused) return { diagnostics: refused.diagnostics }
  const read = all.filter(({ value, diagnostics }) => value && !failed(diagnostics))
  const told = read.length > 0 ? read : [readRules(source, options)]
  const filters = told.flatMap(({ value }) => (value ? [value] : []))
  const said = distinct(told.flatMap((one) => one.diagnostics)).filter(({ code }) => read.length === 0 || !ELSEWHERE.includes(code)) // biome-ignore format: one act
  const unused = said.filter(({ code }) => code === 'ir/unused')
  const diagnostics = said.filter((one) => !unused.includes(one))
  const [first] = filters
  if (!first || failed(diagnostics)) return { diagnostics }
  const looked = filters.flatMap(({ base }) => base.map(({ hook }) => hook))
  return {
    value: { found: inOrder([...everywhere(filters), ...unused]), hooks: [...new Set(looked)], profile: first.profile },
    diagnostics,
  }
}

/**
 * What holds in all filters that have the rule or chain that it is about; of a file that is included several times, at all of its places.
 */
function everywhere(filters: readonly Filter[]): readonly Diagnostic[] {
  const found = filters.map((filter) => lint(filter))
  const views = filters.map((filter, i) => ({ places: bySpan(thingsOf(filter)), found: bySpan(found[i]!) }))
  return distinct(found.flat()).filter(({ span }) => {
    const key = keyOf(span)
    return views.every((view) => (view.found.get(key)?.size ?? 0) >= (view.places.get(key)?.size ?? 0))
  })
}

/** File by file, as they are first told of, in the order of their text. */
function inOrder(found: readonly Diagnostic[]): readonly Diagnostic[] {
  const files = [...new Set(found.map(({ span }) => span?.source.name))]
  const file = ({ span }: Diagnostic): number => files.indexOf(span?.source.name)
  return found.toSorted((a, b) => file(a) - file(b) || (a.span?.start ?? 0) - (b.span?.start ?? 0))
}

const keyOf = (span: Span | undefined): string => `${span?.start} ${span?.end} ${span?.source.name}`

const thingsOf = ({ chains }: Filter) =>
  chains.flatMap((chain) => [chain, ...chain.rules, ...chain.rules.flatMap(({ steps }) => steps)])

/** The places of things: for each, the readings of its text in which something stands there. */
function bySpan(things: readonly { readonly span?: Span }[]): ReadonlyMap<string, ReadonlySet<Source | undefined>> {
  const places = new Map<string, Set<Source | undefined>>()
  for (const { span } of things) {
    const key = keyOf(span)
    places.set(key, (places.get(key) ?? new Set()).add(span?.source))
  }
  return places
}

/** Each thing said once of a place. */
function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>()
  return diagnostics.filter(({ code, span }) => {
    const key = `${code} ${keyOf(span)}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}
