// Filters as text that says what they mean and no more: equal texts, equal meanings. Names of chains, sets and states are not in it, nor what
// is only told: places, counts, messages. Filters of one meaning may have different texts; that is for diagrams to tell.

import {
  type BaseChain,
  type Chain,
  type Filter,
  type Rule,
  type SetDef,
  type StateDef,
  type Step,
  setsOf,
} from '@netsieve/ir'

/** A base chain and what it does, rule by rule. */
export interface NormalBase {
  readonly head: string
  readonly rules: readonly string[]
}

/** Parts of texts that occur often, by number: those of all filters that are to be compared. */
export class Parts {
  private readonly numbers = new Map<string, number>()

  number(text: string): number {
    const known = this.numbers.get(text)
    if (known !== undefined) return known
    this.numbers.set(text, this.numbers.size)
    return this.numbers.size - 1
  }
}

/** The base chains of a filter that `check` has found right. */
export function normalForm(filter: Filter, parts: Parts): NormalBase[] {
  const normal = new Normal(filter, parts)
  return filter.base.map((base) => ({ head: head(base), rules: normal.rulesOf(base.chain) }))
}

/** What is to be the same of base chains, beside their rules. */
function head({ hook, view, family, policy }: BaseChain): string {
  return [hook, view, family, policy].join(' ')
}

/** What only tells: no packet fares otherwise for it. */
const tells = ({ kind }: Step) => kind === 'count' || kind === 'log'

class Normal {
  private readonly parts: Parts
  private readonly chains: ReadonlyMap<string, Chain>
  private readonly sets: ReadonlyMap<string, SetDef>
  private readonly states: ReadonlyMap<string, StateDef>
  private readonly numbers = new Map<string, number>()
  /** States are told apart by who is first to ask for one. */
  private readonly asked = new Map<string, number>()

  constructor(filter: Filter, parts: Parts) {
    this.parts = parts
    this.chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
    this.sets = setsOf(filter)
    this.states = new Map((filter.state ?? []).map((def) => [def.name, def]))
  }

  rulesOf(chain: string): string[] {
    return (this.chains.get(chain)?.rules ?? []).map((rule) => this.rule(rule))
  }

  private rule({ steps }: Rule): string {
    return this.text(steps.filter((step) => !tells(step)))
  }

  private text(value: unknown): string {
    return JSON.stringify(value, (key, part: unknown) => {
      if (key === 'span') return undefined
      if (typeof part === 'bigint') return `${part}n`
      if (typeof part !== 'string') return part
      if (key === 'chain') return this.once(`chain ${part}`, () => this.rulesOf(part).join())
      if (key === 'set' || key === 'map') return this.once(`set ${part}`, () => this.set(part))
      return key === 'state' ? this.state(part) : part
    })
  }

  /** The number of a part's text, made once for a filter. */
  private once(name: string, text: () => string): number {
    const known = this.numbers.get(name)
    if (known !== undefined) return known
    const number = this.parts.number(text())
    this.numbers.set(name, number)
    return number
  }

  private set(name: string): string {
    const { name: _, ...meaning } = this.sets.get(name) ?? { name }
    return this.text(meaning)
  }

  private state(name: string): string {
    const number = this.asked.get(name) ?? this.asked.size
    this.asked.set(name, number)
    const { name: _, ...meaning } = this.states.get(name) ?? { name }
    return `${number} ${this.text(meaning)}`
  }
}
