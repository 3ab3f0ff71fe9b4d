// What a filter means, on the bytes of a frame: slow, exact, and independent of every pass and of code generation, which are held against it.

import {
  FIELDS,
  type FieldId,
  isMetadata,
  type Metadata,
  type MetadataId,
  metadataOf,
  NFPROTO,
  type ProtocolName,
  protocol,
  readBits,
} from '@netsieve/packet'
import { ACTS } from './acts.ts'
import { arithmetic, compareValues } from './arithmetic.ts'
import { type FoundAt, findEntry } from './lists.ts'
import { type Located, locate } from './locate.ts'
import { entryOf, placeOf } from './places.ts'
import { findElement, setsOf } from './sets.ts'
import { bucketOf, count, countsOnMatch, type FilterState, newState, takeTokens } from './state.ts'
import type {
  BaseChain,
  Chain,
  ElementData,
  Filter,
  Find,
  Pred,
  Rule,
  SetDef,
  StateDef,
  Step,
  Term,
  Verdict,
} from './types.ts'
import { VIEWS, type View } from './views.ts'
import { walkHeaders } from './walk-headers.ts'

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

/** A packet on its way through the base chains, with what steps change. */
interface Packet {
  readonly frame: Uint8Array
  readonly wireLength: number
  readonly metadata: Partial<Record<MetadataId, bigint>>
  readonly now: bigint
  readonly state: FilterState
  readonly logs: { readonly rule: number; readonly words: string }[]
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

/** A term that cannot be computed: the field is not there, or the packet is dropped for asking. */
type Failure = 'missing' | 'cut'
type Outcome =
  | { readonly verdict: 'accept' | 'drop' | 'policy' | Act; readonly rule: Rule; readonly failure?: Failure }
  | 'end'
  | 'return'

class Evaluation {
  private readonly chains: ReadonlyMap<string, Chain>
  private readonly sets: ReadonlyMap<string, SetDef>
  /** The base chain's view, and that of the step. */
  private readonly own: View
  private view: View
  private readonly located: Located
  private readonly packet: Packet
  private readonly kept: ReadonlyMap<string, StateDef>

  constructor(filter: Filter, view: View, located: Located, packet: Packet) {
    this.chains = new Map(filter.chains.map((chain) => [chain.name, chain]))
    this.sets = setsOf(filter)
    this.kept = new Map((filter.state ?? []).map((def) => [def.name, def]))
    this.own = view
    this.view = view
    this.located = located
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
      this.view = step.kind === 'match' && step.view ? VIEWS[step.view] : this.own
      switch (step.kind) {
        case 'match': {
          const holds = this.pred(step.pred)
          if (typeof holds === 'string') return this.failed(holds, rule)
          if (!holds) return 'end'
          break
        }
        case 'verdict':
          if (counts) this.countRule(rule)
          return this.verdict(step.verdict, rule, depth)
        case 'vmap': {
          const found = this.find(step.map, step.terms)
          if (typeof found === 'string') return this.failed(found, rule)
          if (found && counts) this.countRule(rule)
          return found?.verdict ? this.verdict(found.verdict, rule, depth) : 'end'
        }
        case 'count':
          if (step.counter === undefined) this.countRule(rule)
          else count(this.keeping(this.packet.state.counters, step.counter), this.bytes())
          break
        case 'log':
          this.packet.logs.push({ rule: rule.id, words: step.words })
          break
        case 'set': {
          const value = this.asked(step.term)
          if (typeof value === 'string') return this.failed(value, rule)
          this.packet.metadata[step.field] = value
          break
        }
        case 'limit': {
          const within = step.key ? this.withinKeyed(step, step.key) : this.within(step)
          if (typeof within === 'string') return within === 'full' ? 'end' : this.failed(within, rule)
          if (within === step.over) return 'end'
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
    count(counts, this.bytes())
    rules.set(id, counts)
  }

  /** Whether a bucket has tokens, a quota bytes for the packet, or it is its turn; it is charged for it. */
  private within({ state: name }: Step & { readonly kind: 'limit' | 'quota' | 'nth' }): boolean {
    const def = this.kept.get(name)
    const { state, now } = this.packet
    switch (def?.kind) {
      case 'limit':
        return takeTokens(this.keeping(state.limits, name), def, this.bytes(), now)
      case 'quota': {
        const quota = this.keeping(state.quotas, name)
        quota.used += this.bytes()
        return quota.used <= def.bytes
      }
      case 'nth': {
        const turn = this.keeping(state.turns, name)
        turn.next = turn.next + 1n >= def.every ? 0n : turn.next + 1n
        return turn.next === 0n
      }
      default:
        throw new Error(`${name} is not defined`)
    }
  }

  /** The same of the bucket that is a key's; `full` if there is no room for one. */
  private withinKeyed({ state: name }: Step & { kind: 'limit' }, terms: readonly Term[]): boolean | Failure | 'full' {
    const def = this.kept.get(name)
    if (def?.kind !== 'limit' || !def.each) throw new Error(`${name} has no buckets`)
    const { state, now } = this.packet
    const key = this.key(terms)
    if (typeof key === 'string') return key
    const bucket = bucketOf(this.keeping(state.buckets, name), { ...def, each: def.each }, key, now)
    return bucket ? takeTokens(bucket, def, this.bytes(), now) : 'full'
  }

  /** @throws Error if there is none: the state is another filter's */
  private keeping<T>(of: ReadonlyMap<string, T>, name: string): T {
    const found = of.get(name)
    if (!found) throw new Error(`${name} is not kept in this state`)
    return found
  }

  /** What counters and limits count of a packet: its bytes from the network header on, or all where there is none. */
  private bytes(): bigint {
    return BigInt(this.length() ?? this.packet.wireLength)
  }

  private failed(failure: Failure, rule: Rule): Outcome {
    if (failure === 'cut') return { verdict: 'drop', rule, failure }
    return this.view.missing === 'reject' ? { verdict: 'policy', rule, failure } : 'end'
  }

  /** What a set holds for a key. @throws Error if there is no such set. */
  private find(name: string, terms: readonly Term[]): ElementData | Failure | undefined {
    const set = this.sets.get(name)
    if (!set) throw new Error(`set ${name} is not defined`)
    const key = this.key(terms)
    return typeof key === 'string' ? key : findElement(set, key)
  }

  /** The values of terms, in their order. */
  private key(terms: readonly Term[]): bigint[] | Failure {
    const key: bigint[] = []
    for (const term of terms) {
      const value = this.asked(term)
      if (typeof value === 'string') return value
      key.push(value)
    }
    return key
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

  private pred(pred: Pred): boolean | Failure {
    switch (pred.kind) {
      case 'const':
        return pred.value
      case 'cmp': {
        const value = this.asked(pred.term)
        return typeof value === 'string' ? value : compareValues(value, pred.test, pred.value)
      }
      case 'in': {
        const value = this.asked(pred.term)
        return typeof value === 'string' ? value : pred.ranges.some(({ lo, hi }) => lo <= value && value <= hi)
      }
      case 'relation': {
        const left = this.term(pred.left)
        if (typeof left === 'string') return left
        const right = this.term(pred.right)
        return typeof right === 'string' ? right : compareValues(left, pred.test, right)
      }
      case 'inSet': {
        const found = this.find(pred.set, pred.terms)
        return typeof found === 'string' ? found : found !== undefined
      }
      case 'exists': {
        const at = this.entry(entryOf(pred.what))
        return typeof at === 'number' || (at === 'absent' ? false : at)
      }
      case 'and':
      case 'or': {
        const decides = pred.kind === 'or'
        for (const arg of pred.args) {
          const holds = this.pred(arg)
          if (holds !== !decides) return holds
        }
        return !decides
      }
      case 'not': {
        const holds = this.pred(pred.arg)
        return typeof holds === 'string' ? holds : !holds
      }
    }
  }

  /** The term of a comparison: where a view reads 0 for what is not there, the whole term is 0. */
  private asked(term: Term): bigint | Failure {
    const value = this.term(term)
    return value === 'missing' && this.view.missing === 'zero' ? 0n : value
  }

  private entry(find: Find): FoundAt {
    const { view, located } = this
    const { frame } = this.packet
    const transportFailure = (start: number, proto: ProtocolName) => this.transportFailure(start, false, proto)
    return findEntry({ view, frame, located, transportFailure }, find)
  }

  private field(field: FieldId): bigint | Failure {
    const place = placeOf(field)
    if (!place) return this.meta(field)
    const { base, bit, bits, guard } = place
    const held = guard ? this.pred(guard) : true
    if (held !== true) return held === 'cut' ? 'cut' : 'missing'
    const index = place.index ? this.term(place.index) : 0n
    if (typeof index === 'string') return index
    const indexed = indexing(place.index)
    // An entry of a list is looked at by itself, whatever else its protocol needs.
    const proto = indexed === 'no' ? FIELDS[field].proto : undefined
    return this.bits(base, bit + Number(index) * 8, bits, proto, indexed)
  }

  private term(term: Term): bigint | Failure {
    switch (term.kind) {
      case 'const':
        return term.value
      case 'length':
        return BigInt(this.packet.wireLength)
      case 'field':
        return this.field(term.field)
      case 'raw': {
        const index = term.index ? this.term(term.index) : 0n
        if (typeof index === 'string') return index
        return this.bits(term.base, term.bit + Number(index) * 8, term.bits, undefined, indexing(term.index))
      }
      case 'find': {
        const at = this.entry(term)
        return typeof at === 'number' ? BigInt(at) : at === 'cut' ? 'cut' : 'missing'
      }
      case 'load': {
        const index = term.index ? this.term(term.index) : 0n
        if (typeof index === 'string') return index
        return this.bits(term.base, (term.offset + Number(index)) * 8, term.bytes * 8, undefined, indexing(term.index))
      }
      case 'mask': {
        const value = this.term(term.term)
        return typeof value === 'string' ? value : value & term.mask
      }
      case 'bin': {
        const left = this.term(term.left)
        if (typeof left === 'string') return left
        const right = this.term(term.right)
        return typeof right === 'string' ? right : arithmetic(term.op, left, right)
      }
      case 'mapped': {
        const found = this.find(term.map, term.terms)
        return typeof found === 'string' ? found : (found?.value ?? 'missing')
      }
      case 'walk': {
        const last = walkHeaders(this.packet.frame, term)
        return last === undefined ? 'missing' : BigInt(last)
      }
    }
  }

  private meta(field: FieldId): bigint | Failure {
    if (isMetadata(field)) return metadataOf(field, this.packet.metadata, this.packet.frame) ?? 'missing'
    const { protocol, nfproto, l4proto } = this.located
    if (l4proto === 'broken' && field === 'meta.l4proto') return this.view.chainDrops ? 'cut' : 'missing'
    const values: Readonly<Record<string, number | 'broken' | undefined>> = {
      'meta.protocol': protocol,
      'meta.nfproto': nfproto,
      'meta.l4proto': l4proto,
      'meta.length': this.length(),
    }
    const value = values[field]
    return typeof value === 'number' ? BigInt(value) : 'missing'
  }

  /** Bytes from the network header on: up to the packet's end where the view trims it to that, else to the frame's on the wire. */
  private length(): number | undefined {
    const { net, netEnd, nfproto } = this.located
    if (net === undefined) return undefined
    const { frame, wireLength } = this.packet
    // The length of a jumbogram is that of what came.
    const jumbo = nfproto === NFPROTO.ipv6 && frame[net + 4] === 0 && frame[net + 5] === 0 && frame[net + 6] === 0
    return (this.view.trim && !jumbo ? netEnd : wireLength) - net
  }

  private bits(
    base: 'link' | 'net' | 'transport',
    bit: number,
    bits: number,
    proto?: ProtocolName,
    indexed: 'no' | 'computed' | 'found' = 'no',
  ): bigint | Failure {
    if (base === 'link') return readBits(this.packet.frame, bit, bits) ?? 'missing'
    const { net, transport, netEnd } = this.located
    const start = base === 'net' ? net : transport
    if (start === undefined) return 'missing'
    // A search in a list has minded fragments.
    if (base === 'transport' && indexed !== 'found') {
      const failure = this.transportFailure(start, indexed === 'no' && isShort(bit, bits), proto)
      if (failure) return failure
    }
    return readBits(this.packet.frame.subarray(0, netEnd), start * 8 + bit, bits) ?? 'missing'
  }

  /** Why a transport field may not be read although its bytes may be there: fragments and cut headers, as the view has it. */
  private transportFailure(start: number, short: boolean, proto: ProtocolName | undefined): Failure | undefined {
    const { view } = this
    const { fragment, netEnd, nfproto } = this.located
    const named = proto !== undefined
    if (fragment.offset !== 0) {
      const tiny = fragment.offset === 1 && nfproto === NFPROTO.ipv4
      if (named && tiny && view.tinyDrops.includes(proto)) return 'cut'
      if (view.laterFragments === 'none') return 'missing'
      if (view.laterFragments === 'short' && !short) return 'missing'
    } else if (fragment.more && view.firstFragments === 'none') return 'missing'
    if (view.transportNeeds === 'header' && named && start + headerEnd(proto) > netEnd) {
      return view.cutDrops.includes(proto) ? 'cut' : 'missing'
    }
    return undefined
  }
}

/** What a place is counted from beside its base. */
function indexing(index: Term | undefined): 'no' | 'computed' | 'found' {
  return index === undefined ? 'no' : index.kind === 'find' ? 'found' : 'computed'
}

/** Where a protocol's fixed header ends, from its base. */
export function headerEnd(name: ProtocolName): number {
  const { at = 0, minBytes } = protocol(name)
  return at + minBytes
}

/** The bytes that hold the bits are 1, 2 or 4, aligned to their number (an index makes a load long, wherever it ends). */
export function isShort(bit: number, bits: number): boolean {
  const first = Math.floor(bit / 8)
  const bytes = Math.ceil((bit + bits) / 8) - first
  return (bytes === 1 || bytes === 2 || bytes === 4) && first % bytes === 0
}
