// A filter as a set of frames: what becomes of any frame in each rule, and from that in each chain. Rules are put together in halves, so
// that most of the work is done on the small sets of a few rules.

import {
  type BaseChain,
  type Filter,
  type Rule,
  type SetDef,
  type Step,
  setsOf,
  type Term,
  type Verdict,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { FALSE, type Node, TRUE } from './bdd.ts'
import { compareWith } from './numbers.ts'
import { type Making, Reading } from './reading.ts'
import { bitNames, NotModelled, presenceName, SEEN } from './variables.ts'

/** What becomes of frames, as disjoint sets; what is in none of them is accepted. */
export interface Fates {
  readonly drop: Node
  /** A missing field ended the program: the policy decides. */
  readonly policy: Node
  /** Returned to the calling chain. */
  readonly back: Node
  /** Went on behind the end. */
  readonly end: Node
}

const ACCEPTED: Fates = { drop: FALSE, policy: FALSE, back: FALSE, end: FALSE }

/** The frames that a filter drops. All its base chains must have one view. @throws NotModelled, BudgetExceeded. */
export function dropped(making: Making, filter: Filter): Node {
  const { bdd } = making
  const drops = filter.base.map((base) => {
    const fates = new Chains(making, filter, base.view).chain(base.chain)
    return bdd.and(asked(making, base.family), dropsOf(making, fates, base.policy))
  })
  return bdd.union(drops)
}

/** What a base chain drops. */
export function dropsOf({ bdd }: Making, { drop, policy, back, end }: Fates, otherwise: BaseChain['policy']): Node {
  return otherwise === 'drop' ? bdd.union([drop, policy, back, end]) : drop
}

/** The frames that a base chain of a family is asked about. */
export function asked({ bdd, variables }: Making, family: BaseChain['family']): Node {
  const variable = (name: string) => bdd.variable(variables.level(name))
  const seen = variable(SEEN)
  if (family === 'any') return seen
  const nfproto: Term = { kind: 'field', field: 'meta.nfproto' }
  const known = bdd.and(seen, variable(presenceName(nfproto)))
  if (family === 'ip') return known
  const bits = bitNames(nfproto)!.map(variable)
  return bdd.and(known, compareWith(bdd, bits, '==', family === 'ipv4' ? 2n : 10n))
}

/** The chains of a filter under a base chain's view, each looked through once. */
export class Chains {
  private readonly making: Making
  private readonly chains: ReadonlyMap<string, readonly Rule[]>
  private readonly view: ViewName
  private readonly sets: ReadonlyMap<string, SetDef>
  private readonly readings = new Map<ViewName | undefined, Reading>()
  private readonly known = new Map<string, Fates | 'being looked through'>()

  constructor(making: Making, filter: Filter, view: ViewName) {
    this.making = making
    this.chains = new Map(filter.chains.map(({ name, rules }) => [name, rules]))
    this.view = view
    this.sets = setsOf(filter)
  }

  chain(name: string): Fates {
    const known = this.known.get(name)
    if (typeof known === 'object') return known
    if (known) throw new NotModelled(`the chain ${name}, which calls itself`)
    this.known.set(name, 'being looked through')
    const rules = this.rulesOf(name)
    const fates = this.rules(rules, 0, rules.length)
    this.known.set(name, fates)
    return fates
  }

  rulesOf(chain: string): readonly Rule[] {
    const rules = this.chains.get(chain)
    if (!rules) throw new NotModelled(`the chain ${chain}`)
    return rules
  }

  /** The rules from one on up to, not including, another. */
  rules(rules: readonly Rule[], from: number, to: number): Fates {
    if (to - from <= 1) return from === to ? { ...ACCEPTED, end: TRUE } : this.steps(rules[from]!.steps, 0)
    const middle = (from + to) >> 1
    const before = this.rules(rules, from, middle)
    return before.end === FALSE ? before : this.followed(before, this.rules(rules, middle, to))
  }

  /** The same, for few frames: one rule after the other. What is not among the frames is in none of the fates. */
  within(rules: readonly Rule[], from: number, to: number, frames: Node): Fates {
    let fates: Fates = { ...ACCEPTED, end: frames }
    for (let at = from; at < to && fates.end !== FALSE; at++)
      fates = this.followed(fates, this.steps(rules[at]!.steps, 0))
    return fates
  }

  private followed(before: Fates, next: Fates): Fates {
    const { bdd } = this.making
    const { end } = before
    return {
      drop: bdd.or(before.drop, bdd.and(end, next.drop)),
      policy: bdd.or(before.policy, bdd.and(end, next.policy)),
      back: bdd.or(before.back, bdd.and(end, next.back)),
      end: bdd.and(end, next.end),
    }
  }

  /** The steps of a rule from one on. */
  private steps(steps: readonly Step[], at: number): Fates {
    const { bdd } = this.making
    const step = steps[at]
    if (!step) return { ...ACCEPTED, end: TRUE }
    switch (step.kind) {
      case 'count':
      case 'log':
        return this.steps(steps, at + 1)
      case 'match': {
        const { holds, fails, missing, cut } = this.reading(step.view).pred(step.pred)
        const next = this.steps(steps, at + 1)
        const lost = this.lost(missing, cut, step.view)
        return {
          drop: bdd.or(lost.drop, bdd.and(holds, next.drop)),
          policy: bdd.or(lost.policy, bdd.and(holds, next.policy)),
          back: bdd.and(holds, next.back),
          end: bdd.union([lost.end, fails, bdd.and(holds, next.end)]),
        }
      }
      case 'verdict':
        return this.verdict(step.verdict)
      case 'vmap': {
        const { found, none, missing, cut } = this.reading().lookup(step.map, step.terms)
        const lost = this.lost(missing, cut)
        const ways = found.map(({ node, data }) => {
          const { drop, policy, back, end } = this.verdict(data.verdict ?? { kind: 'continue' })
          return {
            drop: bdd.and(node, drop),
            policy: bdd.and(node, policy),
            back: bdd.and(node, back),
            end: bdd.and(node, end),
          }
        })
        return {
          drop: bdd.union([lost.drop, ...ways.map(({ drop }) => drop)]),
          policy: bdd.union([lost.policy, ...ways.map(({ policy }) => policy)]),
          back: bdd.union(ways.map(({ back }) => back)),
          end: bdd.union([lost.end, none, ...ways.map(({ end }) => end)]),
        }
      }
      default:
        throw new NotModelled(`the step ${step.kind}`)
    }
  }

  /** What becomes of frames that a term cannot be computed of. */
  private lost(missing: Node, cut: Node, view: ViewName = this.view): Fates {
    const rejects = VIEWS[view].missing === 'reject'
    return { drop: cut, policy: rejects ? missing : FALSE, back: FALSE, end: rejects ? FALSE : missing }
  }

  private verdict(verdict: Verdict): Fates {
    switch (verdict.kind) {
      case 'accept':
        return ACCEPTED
      case 'drop':
        return { ...ACCEPTED, drop: TRUE }
      case 'return':
        return { ...ACCEPTED, back: TRUE }
      case 'continue':
        return { ...ACCEPTED, end: TRUE }
      case 'act':
        throw new NotModelled(`the verdict ${verdict.act}`)
      case 'jump':
      case 'goto': {
        const { drop, policy, back, end } = this.chain(verdict.chain)
        const home = this.making.bdd.or(end, back)
        return verdict.kind === 'jump'
          ? { drop, policy, back: FALSE, end: home }
          : { drop, policy, back: home, end: FALSE }
      }
    }
  }

  /** Frames as a step's own view has them, or as the base chain's has. */
  private reading(as?: ViewName): Reading {
    const known = this.readings.get(as)
    if (known) return known
    const reading = new Reading(this.making, this.sets, this.view, as)
    this.readings.set(as, reading)
    return reading
  }
}
