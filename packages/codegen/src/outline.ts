// Which called chains become functions of their own: those that are long, if several rules call them or they would fill a part. Those that would
// fill a program are divided as base chains are.

import { LIMITS } from '@netsieve/asm'
import { calledIn, type Filter, type Rule, type SetDef, setsOf, termsIn } from '@netsieve/ir'
import { TOO_LONG, TooLong } from './limits.ts'

/** How a program is divided. */
export interface Plan {
  /** Slots after which a part ends, on one way through it. */
  readonly part: number
  /** Called chains of fewer slots, as far as that can be told beforehand, stay where they are called. */
  readonly inline: number
  /** Chains that call functions may be functions themselves, so deep. */
  readonly depth: number
  /** Instructions that a verifier is thought to process after which a program ends. */
  readonly program: number
}

/** Called chains, by their names. */
export interface Outlined {
  /** Functions that are called where the chain is. */
  readonly near: ReadonlySet<string>
  /** Called from the main function alone, which may go on in another program. So are chains that call them. */
  readonly far: ReadonlySet<string>
}

/** Slots of a rule beside what it asks, and of each term that it asks, about. */
const [RULE, TERM, CALL] = [3, 5, 8]

const MUCH_TOO_LONG = 20 * LIMITS.verifierInsns

/** How many rules call each chain. */
export function callsOf(filter: Filter): ReadonlyMap<string, number> {
  const sets = setsOf(filter)
  const uses = new Map<string, number>()
  for (const { rules } of filter.chains)
    for (const rule of rules) for (const called of calledIn(rule, sets)) uses.set(called, (uses.get(called) ?? 0) + 1)
  return uses
}

/** A chain with all that it calls is called far if its slots are more than this part of a program: rules become code several times, for kinds of packets. */
const FAR = 1 / 8

/** A chain by itself: slots of its rules, and the chains that they call, one for each call. */
interface Own {
  readonly size: number
  readonly calls: readonly string[]
}

/** What becomes of called chains under a plan. @throws TooLong if what is left of one is so by far */
export function outlined(filter: Filter, plan: Plan): Outlined {
  const sets = setsOf(filter)
  const own = new Map(filter.chains.map(({ name, rules }) => [name, ownOf(rules, sets)]))
  const uses = callsOf(filter)
  const far = farIn(own, plan.program * FAR)
  const near = new Set<string>()
  const known = new Map<string, { readonly size: number; readonly depth: number }>()
  /** Slots of a chain where it is called, and how deep functions are called in it. */
  const sizeOf = (name: string): { readonly size: number; readonly depth: number } => {
    const before = known.get(name)
    if (before) return before
    const { size, calls } = own.get(name)!
    const inner = calls.map(sizeOf)
    const whole = {
      size: inner.reduce((sum, each) => sum + each.size, size),
      depth: inner.reduce((most, { depth }) => Math.max(most, depth), 0),
    }
    const many = (uses.get(name) ?? 0) > 1
    const isNear = !far.has(name) && whole.depth < plan.depth && whole.size > (many ? plan.inline : plan.part)
    if (isNear) near.add(name)
    const seen = isNear ? { size: CALL, depth: whole.depth + 1 } : far.has(name) ? { size: CALL, depth: 0 } : whole
    known.set(name, seen)
    return seen
  }
  for (const name of [...filter.base.map(({ chain }) => chain), ...far]) {
    // On most ways through it much of a chain is left out, but not of chains that call one another many times over.
    if (own.has(name) && sizeOf(name).size > MUCH_TOO_LONG) throw new TooLong(TOO_LONG)
  }
  // Base chains are divided in any case.
  for (const { chain } of filter.base) if (!uses.has(chain)) near.delete(chain)
  return { near, far }
}

function ownOf(rules: readonly Rule[], sets: ReadonlyMap<string, SetDef>): Own {
  let size = 0
  const calls: string[] = []
  for (const rule of rules) {
    size += RULE
    for (const step of rule.steps) for (const _ of termsIn(step)) size += TERM
    calls.push(...calledIn(rule, sets))
  }
  return { size, calls }
}

/** The chains that are longer, with each chain that they lead to counted once. */
function farIn(own: ReadonlyMap<string, Own>, most: number): ReadonlySet<string> {
  // Counted once for each call it is more: most chains are short even so.
  const written = new Map<string, number>()
  const writtenOut = (name: string): number => {
    const before = written.get(name)
    if (before !== undefined) return before
    const { size, calls } = own.get(name)!
    const sum = calls.reduce((sum, called) => sum + writtenOut(called), size)
    written.set(name, sum)
    return sum
  }
  const once = (name: string): number => {
    const reached = new Set([name])
    for (const each of reached) for (const called of own.get(each)!.calls) reached.add(called)
    return [...reached].reduce((sum, each) => sum + own.get(each)!.size, 0)
  }
  return new Set([...own.keys()].filter((name) => writtenOut(name) > most && once(name) > most))
}
