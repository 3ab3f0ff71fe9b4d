// Neighbouring rules that ask the same first: it is asked once, and the rules stand in a chain of their own. What is asked of the network protocol
// stays in each rule: code is made for each protocol and knows it, and a chain that is a function by itself would not know it otherwise.

import type { FieldId } from '@netsieve/packet'
import { calledIn, setsOf } from '../sets.ts'
import type { Chain, Filter, Pred, Rule, Step } from '../types.ts'
import { predKey } from './constants.ts'
import type { Pass } from './pass.ts'
import { type Traceless, tracelessIn } from './traces.ts'
import { reachedChains } from './walk.ts'

/** Rules of a group at least. */
const LEAST = 3
/** Groups inside groups at most; chains nest 16 deep at most. */
const DEEPEST = 3
const MAX_DEPTH = 16

export const groups: Pass = {
  name: 'groups',
  after: `at most ${LEAST - 1} neighbouring rules begin with the same match, where that leaves no trace`,
  keeps: 'rule',
  run(filter) {
    if (depthOf(filter) + DEEPEST > MAX_DEPTH) return filter
    const grouping = new Grouping(filter)
    const chains = filter.chains.flatMap((chain) => grouping.chain(chain, DEEPEST))
    return chains.length === filter.chains.length ? filter : { ...filter, chains }
  },
}

type Match = Extract<Step, { kind: 'match' }>

const OF_PROTOCOL: ReadonlySet<FieldId> = new Set(['meta.nfproto', 'meta.protocol', 'eth.type'])

const asksProtocol = (pred: Pred): boolean =>
  pred.kind === 'cmp' && pred.term.kind === 'field' && OF_PROTOCOL.has(pred.term.field)

const alikeAll = (a: readonly Match[], b: readonly Match[] | undefined): boolean =>
  a.length === b?.length && a.every((one, i) => alike(one, b[i]))

/** Whether two matches ask the same. */
function alike(a: Match, b: Match | undefined): boolean {
  if (!b || a.view !== b.view || a.pred.kind !== b.pred.kind) return false
  // Most are told apart by their numbers.
  if (a.pred.kind === 'cmp' && b.pred.kind === 'cmp' && a.pred.value !== b.pred.value) return false
  return predKey(a.pred) === predKey(b.pred)
}

class Grouping {
  private readonly traceless: Traceless
  private readonly names: Set<string>
  private nextId: number

  constructor(filter: Filter) {
    this.traceless = tracelessIn(filter)
    this.names = new Set(filter.chains.map(({ name }) => name))
    this.nextId =
      filter.chains.reduce((top, { rules }) => rules.reduce((most, { id }) => Math.max(most, id), top), -1) + 1
  }

  /** A chain and the chains of its groups. */
  chain(chain: Chain, levels: number): Chain[] {
    if (levels === 0) return [chain]
    const rules: Rule[] = []
    const more: Chain[] = []
    for (let i = 0; i < chain.rules.length; ) {
      const size = this.run(chain.rules, i)
      const group = chain.rules.slice(i, i + size)
      const opening = size < LEAST ? undefined : this.opening(group[0]!)
      if (!opening) rules.push(...group)
      else {
        const at = opening.length - 1
        const inner: Chain = {
          name: this.name(chain.name),
          rules: group.map((rule) => ({ ...rule, steps: rule.steps.toSpliced(at, 1) })),
        }
        rules.push(this.call(opening, inner))
        more.push(...this.chain(inner, levels - 1))
      }
      i += size
    }
    return more.length === 0 ? [chain] : [{ ...chain, rules }, ...more]
  }

  /** How many rules from one on begin as it does; at least 1. */
  private run(rules: readonly Rule[], start: number): number {
    const first = this.opening(rules[start]!)
    let end = start + 1
    if (first) while (end < rules.length && alikeAll(first, this.opening(rules[end]!))) end++
    return end - start
  }

  /** A rule's first match, behind those of the network protocol, if the rule may stand in a chain of its own behind it. */
  private opening({ steps }: Rule): readonly Match[] | undefined {
    const opening: Match[] = []
    for (const step of steps) {
      if (step.kind !== 'match' || !this.traceless(step)) return undefined
      opening.push(step)
      if (!asksProtocol(step.pred)) break
    }
    if (opening.length === 0 || asksProtocol(opening.at(-1)!.pred)) return undefined
    // A way back to the calling chain would end in the chain that the rule stands in now.
    const returns = steps.some(
      (step) =>
        step.kind === 'vmap' ||
        (step.kind === 'verdict' && (step.verdict.kind === 'return' || step.verdict.kind === 'goto')),
    )
    return returns ? undefined : opening
  }

  private name(from: string): string {
    for (let i = 1; ; i++) {
      const name = `${from}+${i}`
      if (this.names.has(name)) continue
      this.names.add(name)
      return name
    }
  }

  private call(opening: readonly Match[], { name, rules }: Chain): Rule {
    const text = `rules ${rules[0]!.id} to ${rules.at(-1)!.id}`
    return { id: this.nextId++, text, steps: [...opening, { kind: 'verdict', verdict: { kind: 'jump', chain: name } }] }
  }
}

/** Chains inside one another at most. */
function depthOf(filter: Filter): number {
  const sets = setsOf(filter)
  const depths = new Map<string, number>()
  for (const chain of reachedChains(filter).reverse()) {
    const called = chain.rules.flatMap((rule) => calledIn(rule, sets))
    depths.set(chain.name, 1 + called.reduce((most, name) => Math.max(most, depths.get(name) ?? 0), 0))
  }
  return Math.max(0, ...filter.base.map(({ chain }) => depths.get(chain) ?? 0))
}
