// What a filter means, on the bytes of a frame: slow, exact, and independent of every pass and of code generation, which are held against it.

import { type Metadata, NFPROTO } from '@netsieve/packet'
import { ACTS } from './acts.ts'
import { type Located, locate } from './locate.ts'
import { type Failure, type Packet, Reading } from './reading.ts'
import { setsOf } from './sets.ts'
import { bucketOf, count, countsOnMatch, type FilterState, newState, takeTokens } from './state.ts'
import { askRecent, askTable } from './tables.ts'
import type { BaseChain, Chain, Filter, RecentStep, Rule, StateDef, Step, TableStep, Term, Verdict } from './types.ts'
import { VIEWS, type View } from './views.ts'

/** What became of a frame, and why. A frame that passes was decided by the last base chain: every one before let it on. */
export interface Decision {
  readonly decision: 'pass' | 'drop'
  /** The rule that decided; absent where a policy did or no rule was asked. */
  readonly rule?: number
  /** `missing`: a field that is not there ended the program, as if nothing had matched; `cut`: a cut header dropped the packet; `unseen`: no chain is given such frames. */
  readonly by: 'rule' | 'policy' | 'missing' | 'cut' | 'unseen'
  /** What else the deciding rule does with the packet. */
  readonly act?: Act
  /** Rules that wrote a message, in their order, with its words; absent if none did. */
  readonly logs?: readonly { readonly rule: number; readonly words: string }[]
}

/** A verdict that is more than passing or dropping. */
export type Act = Extract<Verdict, { kind: 'act' }>

export interface EvaluateOptions {
  /** Length of the frame on the wire, if the capture cut it. */
  readonly wireLength?: number
  /** What is known of the packet beside its bytes; fields that are left out are missing. */
  readonly meta?: Metadata
  /** When the packet came, in nanoseconds: what token buckets go by. Default 0. */
  readonly timestampNs?: bigint
  /** What was kept from the packets before, and is changed by this one; by default there were none. */
  readonly state?: FilterState
}

/** Decides one Ethernet frame. @throws Error for a filter that `check` refuses (an unknown chain, a cycle of chains). */
export function evaluate(filter: Filter, frame: Uint8Array, options: EvaluateOptions = {}): Decision {
  const packet: Packet = {
    frame,
    wireLength: options.wireLength ?? frame.length,
    metadata: { ...options.meta },
    now: options.timestampNs ?? 0n,
    state: options.state ?? newState(filter),
    logs: [],
  }
  let last: Decision = { decision: 'pass', by: 'unseen' }
  for (const base of filter.base) {
    const view: View = VIEWS[base.view]
    const located = locate(view, frame)
    last = { decision: 'pass', by: 'unseen' }
    if (!located.seen || !inFamily(base, located)) continue
    last = new Evaluation(filter, view, located, packet).baseChain(base)
    if (last.decision === 'drop') break
  }
  return packet.logs.length > 0 ? { ...last, logs: packet.logs } : last
}

function inFamily({ family }: BaseChain, { nfproto }: Located): boolean {
  switch (family) {
    case 'any':
      return true
    case 'ip':
      return nfproto !== undefined
    default:
      return nfproto === NFPROTO[family]
  }
}

type Outcome =
  | { readonly verdict: 'accept' | 'drop' | 'policy' | Act; readonly rule: Rule; readonly failure?: Failure }
  | 'end'
  | 'return'

class Evaluation {
  private readonly chains: ReadonlyMap<string, Chain>
  /** The base chain's view. */
  private readonly own: View
  private readonly reading: Reading
  private readonly packet: Packet
  private readonly kept: ReadonlyMap<string, StateDef>

  constructor(filter: Filter, view: View, located: Located, packet: Packet) {
    this.chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
    this.kept = new Map((filter.state ?? []).map((def) => [def.name, def]))
    this.own = view
    this.reading = new Reading(setsOf(filter), view, located, packet)
    this.packet = packet
  }

  baseChain(base: BaseChain): Decision {
    const policy = base.policy === 'accept' ? 'pass' : 'drop'
    const outcome = this.chain(base.chain, 0)
    if (typeof outcome === 'string') return { decision: policy, by: 'policy' }
    const { verdict, rule, failure } = outcome
    if (typeof verdict === 'object')
      return { decision: ACTS[verdict.act].decision, rule: rule.id, by: 'rule', act: verdict }
    const decision = verdict === 'policy' ? policy : verdict === 'accept' ? 'pass' : 'drop'
    return { decision, rule: rule.id, by: failure ?? 'rule' }
  }

  private chain(name: string, depth: number): Outcome {
    const chain = this.chains.get(name)
    if (!chain || depth > this.chains.size) throw new Error(`chain ${name} is ${chain ? 'in a cycle' : 'not defined'}`)
    for (const rule of chain.rules) {
      const outcome = this.rule(rule, depth)
      if (outcome !== 'end') return outcome
    }
    return 'end'
  }

  /** `end`: on with the next rule. A `goto` that comes back ends its own chain too. */
  private rule(rule: Rule, depth: number): Outcome {
    const counts = countsOnMatch(rule.steps)
    for (const step of rule.steps) {
      this.reading.view = step.kind === 'match' && step.view ? VIEWS[step.view] : this.own
      switch (step.kind) {
        case 'match': {
          const holds = this.reading.pred(step.pred)
          if (typeof holds === 'string') return this.failed(holds, rule)
          if (!holds) return 'end'
          break
        }
        case 'verdict':
          if (counts) this.countRule(rule)
          return this.verdict(step.verdict, rule, depth)
        case 'vmap': {
          const found = this.reading.find(step.map, step.terms)
          if (typeof found === 'string') return this.failed(found, rule)
          if (found && counts) this.countRule(rule)
          return found?.verdict ? this.verdict(found.verdict, rule, depth) : 'end'
        }
        case 'count':
          if (step.counter === undefined) this.countRule(rule)
          else count(this.keeping(this.packet.state.counters, step.counter), this.reading.bytes())
          break
        case 'log':
          this.packet.logs.push({ rule: rule.id, words: step.words })
          break
        case 'set': {
          const value = this.reading.asked(step.term)
          if (typeof value === 'string') return this.failed(value, rule)
          this.packet.metadata[step.field] = value
          break
        }
        case 'turn':
          this.packet.metadata[step.field] = this.turn(step.state)
          break
        case 'limit': {
          const within = step.key ? this.withinKeyed(step, step.key) : this.within(step)
          if (typeof within === 'string') return within === 'full' ? 'end' : this.failed(within, rule)
          if (within === step.over) return 'end'
          break
        }
        case 'table':
        case 'recent': {
          const holds = step.kind === 'table' ? this.inTable(step) : this.recently(step)
          if (typeof holds === 'string' && holds !== 'full') return this.failed(holds, rule)
          if (holds !== true) return 'end'
          break
        }
        default:
          if (this.within(step) === step.over) return 'end'
      }
    }
    if (counts) this.countRule(rule)
    return 'end'
  }

  private countRule({ id }: Rule): void {
    const { rules } = this.packet.state
    const counts = rules.get(id) ?? { packets: 0n, bytes: 0n }
    count(counts, this.reading.bytes())
    rules.set(id, counts)
  }

  /** Whether a bucket has tokens, a quota bytes for the packet, or it is its turn; it is charged for it. */
  private within({ state: name }: Step & { readonly kind: 'limit' | 'quota' | 'nth' }): boolean {
    const def = this.kept.get(name)
    const { state, now } = this.packet
    switch (def?.kind) {
      case 'limit':
        return takeTokens(this.keeping(state.limits, name), def, this.reading.bytes(), now)
      case 'quota': {
        const quota = this.keeping(state.quotas, name)
        quota.used += this.reading.bytes()
        return quota.used <= def.bytes
      }
      case 'nth':
        return this.turn(name) === 0n
      default:
        throw new Error(`${name} is not defined`)
    }
  }

  /** The same of the bucket that is a key's; `full` if there is no room for one. */
  private withinKeyed({ state: name }: Step & { kind: 'limit' }, terms: readonly Term[]): boolean | Failure | 'full' {
    const def = this.kept.get(name)
    if (def?.kind !== 'limit' || !def.each) throw new Error(`${name} has no buckets`)
    const { state, now } = this.packet
    const key = this.reading.key(terms)
    if (typeof key === 'string') return key
    const bucket = bucketOf(this.keeping(state.buckets, name), { ...def, each: def.each }, key, now)
    return bucket ? takeTokens(bucket, def, this.reading.bytes(), now) : 'full'
  }

  /** The number of the packet's turn: it goes up by one, and back to 0. */
  private turn(name: string): bigint {
    const def = this.kept.get(name)
    if (def?.kind !== 'nth') throw new Error(`there are no turns ${name}`)
    const turn = this.keeping(this.packet.state.turns, name)
    turn.next = turn.next + 1n >= def.every ? 0n : turn.next + 1n
    return turn.next
  }

  private inTable(step: TableStep): boolean | Failure | 'full' {
    const def = this.kept.get(step.state)
    if (def?.kind !== 'table') throw new Error(`there is no table ${step.state}`)
    const { state, now } = this.packet
    const key = this.reading.key(step.key)
    return typeof key === 'string' ? key : askTable(this.keeping(state.tables, step.state), def, step, key, now)
  }

  private recently(step: RecentStep): boolean | Failure {
    const def = this.kept.get(step.state)
    if (def?.kind !== 'recent') throw new Error(`there is no list ${step.state}`)
    const { state, now } = this.packet
    const key = this.reading.key(step.ttl ? [...step.key, step.ttl] : step.key)
    if (typeof key === 'string') return key
    const ttl = step.ttl ? key.pop()! : 0n
    return askRecent(this.keeping(state.recents, step.state), def, step, { key, ttl, now })
  }

  /** @throws Error if there is none: the state is another filter's */
  private keeping<T>(of: ReadonlyMap<string, T>, name: string): T {
    const found = of.get(name)
    if (!found) throw new Error(`${name} is not kept in this state`)
    return found
  }

  private failed(failure: Failure, rule: Rule): Outcome {
    if (failure === 'cut') return { verdict: 'drop', rule, failure }
    return this.reading.view.missing === 'reject' ? { verdict: 'policy', rule, failure } : 'end'
  }

  private verdict(verdict: Verdict, rule: Rule, depth: number): Outcome {
    switch (verdict.kind) {
      case 'accept':
      case 'drop':
        return { verdict: verdict.kind, rule }
      case 'return':
        return 'return'
      case 'act':
        return { verdict, rule }
      case 'continue':
        return 'end'
      case 'jump': {
        const outcome = this.chain(verdict.chain, depth + 1)
        return outcome === 'return' ? 'end' : outcome
      }
      case 'goto': {
        const outcome = this.chain(verdict.chain, depth + 1)
        return outcome === 'end' ? 'return' : outcome
      }
    }
  }
}
