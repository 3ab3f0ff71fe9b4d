// Rules that do nothing, as warnings: never come to, never matching, in chains that nothing calls. What is said holds for every packet.

import { type Diagnostic, Diagnostics, type Note, type Span } from '@netsieve/diag'
import { normal } from './passes/constants.ts'
import { coveredRules } from './passes/cover.ts'
import { endsAll } from './passes/dead.ts'
import { assume, type Facts, NOTHING, refine } from './passes/facts.ts'
import { changesNothing, forEachRule, reachedChains, setsMetadata } from './passes/walk.ts'
import { verdictKey } from './sets.ts'
import type { Filter, Rule, Step } from './types.ts'

/** Covering rules named at most. */
const MOST_NAMED = 8

/**
 * What is odd about a filter that `check` takes, in the order of the text. Codes: `ir/unused` (a chain that nothing calls), `ir/unreachable` (a
 * rule behind one that ends every packet), `ir/shadowed` (rules above it decide all its packets, otherwise), `ir/redundant` (they decide them alike),
 * `ir/never` (it asks what no packet has that comes to it).
 */
export function lint(filter: Filter): readonly Diagnostic[] {
  const diags = new Diagnostics(10_000)
  const reached = reachedChains(filter)
  const setting = setsMetadata(filter)
  for (const chain of filter.chains)
    if (!reached.includes(chain))
      diags.warning('ir/unused', `no packet comes to the chain ${chain.name}: nothing calls it`, chain.span)
  const told = new Set<Rule>()
  for (const chain of reached) {
    const end = chain.rules.findIndex(endsAll)
    if (end < 0) continue
    for (const rule of chain.rules.slice(end + 1)) {
      told.add(rule)
      diags.warning('ir/unreachable', `no packet comes to this rule: ${quoted(rule)}`, rule.span, {
        notes: [noteOf(chain.rules[end]!, 'every packet that comes here is decided, or leaves the chain')],
      })
    }
  }
  for (const { rule, by } of reached.flatMap((chain) => coveredRules(chain, setting))) {
    if (told.has(rule)) continue
    told.add(rule)
    const alike = by.every((other) => verdictOf(other) === verdictOf(rule))
    const [what, message] = alike
      ? ['ir/redundant', `without this rule all packets are decided alike: ${quoted(rule)}`]
      : ['ir/shadowed', `no packet comes to this rule: ${quoted(rule)}`]
    const notes = by
      .slice(0, MOST_NAMED)
      .map((other) => noteOf(other, `rule ${other.id} takes ${by.length === 1 ? 'all of' : 'some of'} its packets`))
    if (by.length > MOST_NAMED) notes.push({ message: `and ${by.length - MOST_NAMED} more` })
    diags.warning(what, message, rule.span, { notes })
  }
  forEachRule(filter, (rule, facts) => {
    const never = neverIn(rule, facts)
    if (never && !told.has(rule))
      diags.warning(
        'ir/never',
        `no packet that comes to this rule matches it: ${quoted(rule)}`,
        never.span ?? rule.span,
      )
    return rule
  })
  return [...diags.list].sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0))
}

/** The first match of a rule that no packet passes which has come there, by the facts before the rule and by the matches before it. */
function neverIn({ steps }: Rule, facts: Facts): Extract<Step, { kind: 'match' }> | undefined {
  let here = facts
  for (const step of steps) {
    if (step.kind === 'match') {
      const asked = normal(step.pred)
      const pred = refine(asked, here, step.view)
      if ((pred.kind === 'const' && !pred.value) || (pred.kind === 'in' && pred.ranges.length === 0)) return step
      here = assume(asked, true, here, step.view)
    } else if (!changesNothing(step)) here = NOTHING
  }
  return undefined
}

function noteOf(rule: Rule, what: string): Note {
  const span: Span | undefined = rule.span
  return { message: `${what}: ${quoted(rule)}`, ...(span && { span }) }
}

const quoted = ({ text }: Rule) => text.replace(/\s+/g, ' ')

function verdictOf({ steps }: Rule): string {
  const end = steps.find((step) => step.kind === 'verdict' || step.kind === 'vmap')
  return end?.kind === 'verdict' ? verdictKey(end.verdict) : (end?.kind ?? 'none')
}
