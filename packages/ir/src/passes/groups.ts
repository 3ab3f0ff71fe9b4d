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

function alikeAll(a: readonly Match[], b: readonly Match[] | undefined): boolean {
  if (a.length !== b?.length) return false
  for (let i = a.length - 1; i >= 0; i--) if (!alike(a[i]!, b[i])) return false
  return true
}

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
  /** By the chain that they are taken from, the number of the last group. */
  private readonly last = new Map<string, number>()

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
    let first = chain.rules[0] && this.opening(chain.rules[0])
    for (let i = 0; i < chain.rules.length; ) {
      // How many rules begin as this one does, and how the one behind them does.
      let size = 1
      let next: readonly Match[] | undefined
      for (; i + size < chain.rules.length; size++) {
        next = this.opening(chain.rules[i + size]!)
        if (!first || !alikeAll(first, next)) break
      }
      const opening = size < LEAST ? undefined : first
      first = next
      if (!opening) for (let j = i; j < i + size; j++) rules.push(chain.rules[j]!)
      else {
        const group = chain.rules.slice(i, i + size)
        const at = opening.length - 1
        const inner: Chain = {
          name: this.name(chain.name),
          rules: group.map((rule) => ({ ...rule, steps: rule.steps.toSpliced(at, 1) })),
        }
        rules.push(this.call(opening, inner))
        for (const each of this.chain(inner, levels - 1)) more.push(each)
      }
      i += size
    }
    return more.length === 0 ? [chain] : [{ ...chain, rules }, ...more]
  }

  /** A rule's first match, behind those of the network protocol, if the rule may stand in a chain of its own behind it. */
  private opening({ steps }: Rule): readonly Match[] | undefined {
    let end = 0
    while (end < steps.length) {
      const step = steps[end++]!
      if (step.kind !== 'match' || !this.traceless(step)) return undefined
      if (!asksProtocol(step.pred)) break
      if (end === steps.length) return undefined
    }
    if (end === 0) return undefined
    // A way back to the calling chain would end in the chain that the rule stands in now.
    for (let i = end; i < steps.length; i++) {
      const step = steps[i]!
      if (step.kind === 'vmap') return undefined
      if (step.kind === 'verdict' && (step.verdict.kind === 'return' || step.verdict.kind === 'goto')) return undefined
    }
    return steps.slice(0, end) as readonly Step[] as readonly Match[]
  }

  private name(from: string): string {
    for (let i = (this.last.get(from) ?? 0) + 1; ; i++) {
      const name = `${from}+${i}`
      if (this.names.has(name)) continue
      this.names.add(name)
      this.last.set(from, i)
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
  return filter.base.reduce((most, { chain }) => Math.max(most, depths.get(chain) ?? 0), 0)
}
