// Which called chains become functions of their own: those that are long, if several rules call them or they would fill a part.

import { LIMITS } from '@netsieve/asm'
import { type Chain, calledBy, type Filter, type Rule, setsOf, termsIn } from '@netsieve/ir'
import type { Plan } from './divide.ts'
import { TOO_LONG, TooLong } from './limits.ts'

/** Slots of a rule beside what it asks, and of each term that it asks, about. */
const [RULE, TERM, CALL] = [3, 5, 8]

const MUCH_TOO_LONG = 20 * LIMITS.verifierInsns

/** How many rules call each chain. */
export function callsOf(filter: Filter): ReadonlyMap<string, number> {
  const sets = setsOf(filter)
  const uses = new Map<string, number>()
  for (const { rules } of filter.chains)
    for (const { steps } of rules)
      for (const step of steps) for (const called of calledBy(step, sets)) uses.set(called, (uses.get(called) ?? 0) + 1)
  return uses
}

/** The names of the chains that are functions under a plan. @throws TooLong if what is left of one is so by far */
export function outlined(filter: Filter, { part, inline, depth }: Plan): ReadonlySet<string> {
  const chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
  const sets = setsOf(filter)
  const calls = (rule: Rule) => rule.steps.flatMap((step) => calledBy(step, sets))
  const uses = callsOf(filter)
  const out = new Set<string>()
  const known = new Map<string, { readonly size: number; readonly depth: number }>()
  /** Slots of a chain where it is called, and how deep functions are called in it. */
  const sizeOf = (chain: Chain): { readonly size: number; readonly depth: number } => {
    const before = known.get(chain.name)
    if (before) return before
    const whole = { size: 0, depth: 0 }
    for (const rule of chain.rules) {
      whole.size += RULE
      for (const step of rule.steps) for (const _ of termsIn(step)) whole.size += TERM
      for (const called of calls(rule)) {
        const inner = sizeOf(chains.get(called)!)
        whole.size += inner.size
        whole.depth = Math.max(whole.depth, inner.depth)
      }
    }
    const many = (uses.get(chain.name) ?? 0) > 1
    const own = whole.depth < depth && whole.size > (many ? inline : part)
    if (own) out.add(chain.name)
    const seen = own ? { size: CALL, depth: whole.depth + 1 } : whole
    known.set(chain.name, seen)
    return seen
  }
  for (const { chain } of filter.base) {
    const found = chains.get(chain)
    // On most ways through it much of a chain is left out, but not of chains that call one another many times over.
    if (found && sizeOf(found).size > MUCH_TOO_LONG) throw new TooLong(TOO_LONG)
  }
  // Base chains are divided in any case.
  for (const { chain } of filter.base) if (!uses.has(chain)) out.delete(chain)
  return out
}
