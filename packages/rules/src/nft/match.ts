// One match of a rule as steps of the IR, with the matches that nft 1.0.6 adds before it (`ip saddr` in an inet table asks for
// meta nfproto ipv4 first, `tcp dport` for meta l4proto tcp). Where it adds them was read off `nft --debug=netlink`.

import type { Diagnostics, Span } from '@netsieve/diag'
import {
  between,
  cmp,
  field as fieldTerm,
  inRanges,
  load,
  masked,
  maskedEqual,
  match,
  not,
  type Pred,
  type Range,
  type Step,
  type Test,
} from '@netsieve/ir'
import { ETHERTYPE, FIELDS, type FieldId, NFPROTO, PROTOCOLS } from '@netsieve/packet'
import { nearest, protocolName } from '../shared/index.ts'
import type { Step as AstStep, NamedSet, NftFamily, Operator, Value } from './ast.ts'
import { BIT_TYPES, devicesOf, isWildcard, readWildcard } from './metadata.ts'
import { type Kind, readNamedSet, readPrefix, readRange, readSet, readValue } from './typed.ts'
import { type FieldRow, HEADERS, NEEDS, UNSUPPORTED_FIELDS } from './words.ts'

type MatchStep = Extract<AstStep, { kind: 'match' }>
type Network = 'ip' | 'ip6' | 'arp'

/** Where a rule stands. */
export interface Place {
  readonly family: NftFamily
  readonly sets: ReadonlyMap<string, NamedSet>
  readonly diagnostics: Diagnostics
}

const ETHER = { ip: ETHERTYPE.ipv4, ip6: ETHERTYPE.ipv6, arp: ETHERTYPE.arp } as const
const NF = { ip: NFPROTO.ipv4, ip6: NFPROTO.ipv6 } as const

/** Lowers the matches of one rule in their order: earlier ones say which protocols later ones may take for granted. */
export class Matches {
  private readonly place: Place
  /** The protocols that the rule has asked for so far; several where it asked with a set. */
  private network: readonly Network[]
  private transport: readonly number[] = []
  /** It has looked at the Ethernet header: then the network protocol is asked of that. */
  private link = false

  constructor(place: Place) {
    this.place = place
    this.network = place.family === 'ip' || place.family === 'ip6' ? [place.family] : []
  }

  lower(step: MatchStep): Step[] {
    const row = this.row(step)
    if (!row) return []
    const before = this.needs(step)
    const { bits, proto } = FIELDS[row.field]
    const transport = ['tcp', 'udp', 'udplite', 'sctp', 'dccp'].includes(proto) ? { transport: proto } : {}
    const kind: Kind = { type: row.type, bits, ...transport }
    const found = this.test(step, this.seen(row.field), kind)
    if (!found || !before) return []
    if (found.values) this.learn(row.field, found.values)
    if (step.header.text === 'ether') this.link = true
    return [...before, found.pred].map((pred) => ({ ...match(pred), span: step.span }))
  }

  /**
   * Before the IP hooks the kernel has taken priority tags off and moved the Ethernet header up to the packet: the type it shows there is
   * the network protocol's (measured: `ether type ip` holds for a frame tagged with VLAN 0 at prerouting, and not at ingress).
   */
  private seen(field: FieldId): FieldId {
    return field === 'eth.type' && this.place.family !== 'netdev' ? 'meta.protocol' : field
  }

  private error(what: string, message: string, span: Span, expected?: readonly string[], hint?: string): undefined {
    this.place.diagnostics.error(`nft/${what}`, message, span, { ...(expected && { expected }), ...(hint && { hint }) })
    return undefined
  }

  private row({ header, field, right }: MatchStep): FieldRow | undefined {
    const rows = HEADERS[header.text]!
    const device =
      header.text === 'meta' && ['iif', 'oif', 'sdif'].includes(field.text)
        ? devicesOf(right, this.place.sets)
        : 'index'
    if (device === 'both')
      return this.error(
        'unsupported',
        'unsupported: devices by index and by name, or by the start of it, in one set',
        right.span,
      )
    if (device === 'name') return { ...rows[`${field.text}name`]!, type: 'ifkind' }
    if (Object.hasOwn(rows, field.text)) {
      const useless = header.text === 'meta' && field.text === 'nfproto' && this.place.family !== 'inet'
      return useless
        ? this.error('nfproto', 'meta nfproto is for tables of the family inet', field.span)
        : rows[field.text]
    }
    if (UNSUPPORTED_FIELDS[header.text]?.has(field.text))
      return this.error('unsupported', `unsupported: \`${header.text} ${field.text}\``, field.span)
    const meant = nearest(field.text, Object.keys(rows))
    const hint = meant && `did you mean ${header.text} ${meant}?`
    return this.error('field', `${header.text} has no field \`${field.text}\``, field.span, Object.keys(rows), hint)
  }

  /** The matches that must come before: none, one or two. Undefined if the rule has asked for another protocol already. */
  private needs(step: MatchStep): Pred[] | undefined {
    const { network, transport } = NEEDS[step.header.text] ?? {}
    if (transport === undefined) return network ? this.needNetwork(network, step) : []
    if (this.transport.length > 0) {
      const other = this.transport.find((each) => each !== transport)
      return other === undefined ? [] : this.conflict(protocolName(other) ?? String(other), step)
    }
    // ICMP asks for its network protocol only where nothing is known of the network.
    const before = network && this.network.length === 0 ? this.needNetwork(network, step) : []
    this.transport = [transport]
    return before && [...before, cmp('meta.l4proto', '==', transport)]
  }

  private needNetwork(network: Network, step: MatchStep): Pred[] | undefined {
    const other = this.network.find((each) => each !== network)
    if (other !== undefined) return this.conflict(other, step)
    if (this.network.length > 0) return []
    if (this.place.family === 'inet' && network === 'arp') return this.conflict('inet', step)
    this.network = [network]
    if (this.link) return [cmp(this.seen('eth.type'), '==', ETHER[network])]
    if (this.place.family === 'inet' && network !== 'arp') return [cmp('meta.nfproto', '==', NF[network])]
    return [cmp('meta.protocol', '==', ETHER[network])]
  }

  private conflict(other: string, { header, span }: MatchStep): undefined {
    return this.error(
      'conflict',
      `conflicting protocols: the rule has asked for ${other}, ${header.text} is another`,
      span,
    )
  }

  /** A match for certain values of a protocol field tells later matches what there is. */
  private learn(field: FieldId, values: readonly bigint[]): void {
    const numbers = values.map(Number)
    const names = (table: Readonly<Partial<Record<Network, number>>>) =>
      numbers.flatMap((n) => (Object.keys(table) as Network[]).filter((name) => table[name] === n))
    const { family } = this.place
    if (field === 'meta.l4proto' || field === 'ipv4.protocol' || field === 'ipv6.nexthdr') this.transport = numbers
    else if (field === 'meta.nfproto') this.network = names(NF)
    else if (field === 'eth.type' || (field === 'meta.protocol' && family === 'netdev')) {
      if (family !== 'ip' && family !== 'ip6') this.network = names(ETHER)
    }
  }

  /** The comparison, and the single values it asks for if it is an equality. */
  private test(step: MatchStep, id: FieldId, kind: Kind): Found | undefined {
    const { diagnostics } = this.place
    const { mask, operator } = step
    const right = singleton(step.right)
    if (mask) return this.masked(step, id, kind)
    const negated = operator === '!='
    const equality = operator === '' || operator === '==' || negated
    if (operator === '!' && (!BIT_TYPES.has(kind.type) || right.kind !== 'word'))
      return this.error('operator', '! is for single bits of bit masks', step.span, ['=='])
    const shape = { set: 'sets', setref: 'sets', range: 'ranges', prefix: 'prefixes', flagmask: 'masks' }[
      right.kind as string
    ]
    if (shape && !equality)
      return this.error('operator', `${operator} is not defined for ${shape}`, step.span, ['==', '!='])
    const found = (pred: Pred, values?: readonly bigint[]): Found => ({ pred: negated ? not(pred) : pred, ...(!negated && values && { values }) }) // biome-ignore format: one value
    switch (right.kind) {
      case 'set':
      case 'setref': {
        const ranges = this.ranges(right, kind)
        return ranges && found(inRanges(id, ranges), right.kind === 'set' ? singles(ranges) : undefined)
      }
      case 'range': {
        const range = readRange(right, kind, diagnostics)
        return range && found(between(id, range.lo, range.hi))
      }
      case 'prefix': {
        const prefix = readPrefix(right, kind, diagnostics)
        return prefix && found(this.inPrefix(id, prefix))
      }
      case 'flagmask': {
        const value = readValue(right.value, kind, diagnostics)
        const bits = readValue(right.mask, kind, diagnostics)
        if (value === undefined || bits === undefined) return undefined
        return found(cmp(masked(fieldTerm(id), bits), '==', value))
      }
      default: {
        if (kind.type === 'ifname' && right.kind === 'word' && isWildcard(right)) {
          if (!equality)
            return this.error('operator', `${operator} is not defined for wildcards`, step.span, ['==', '!='])
          const names = readWildcard(right, diagnostics)
          return names && found(maskedEqual(id, names.value, names.mask))
        }
        const value = readValue(right, kind, diagnostics)
        return value === undefined ? undefined : single(id, kind, operator, value)
      }
    }
  }

  /** `field & mask OP value`. */
  private masked({ mask, operator, right, span }: MatchStep, id: FieldId, kind: Kind): Found | undefined {
    if (operator === '!') return this.error('operator', '! cannot follow a mask', span, ['==', '!='])
    const bits = readValue(mask!, kind, this.place.diagnostics)
    const value = readValue(right, kind, this.place.diagnostics)
    if (bits === undefined || value === undefined) return undefined
    return { pred: cmp(masked(fieldTerm(id), bits), operator === '' ? '==' : operator, value) }
  }

  private ranges(right: Extract<Value, { kind: 'set' | 'setref' }>, kind: Kind): Range[] | undefined {
    const { diagnostics, sets } = this.place
    if (right.kind === 'set') {
      if (right.elements.length > 0) return readSet(right.elements, kind, diagnostics)
      return this.error('syntax', 'an empty set', right.span, ['an element'])
    }
    const set = sets.get(right.name.text)
    if (!set) {
      const meant = nearest(right.name.text, sets.keys())
      return this.error('name', `there is no set \`${right.name.text}\``, right.name.span, [...sets.keys()], meant && `did you mean @${meant}?`) // biome-ignore format: one message
    }
    if (set.unsupported) return this.error('unsupported', `unsupported: ${set.unsupported.what}`, set.unsupported.span)
    const byName = set.type?.text === 'iface_index' && kind.type === 'ifkind'
    if (set.type?.text !== kind.type && !byName) {
      const type = set.type?.text ?? 'no type'
      return this.error('type', `datatype mismatch: the set ${set.name} holds ${type}, not ${kind.type}`, right.span)
    }
    return readNamedSet(set, kind, diagnostics)
  }

  /** nft loads only the bytes that a prefix covers: a frame cut behind them still matches at ingress, where headers may be cut. */
  private inPrefix(id: FieldId, { value, mask, length }: { value: bigint; mask: bigint; length: number }): Pred {
    const { bit, bits, proto } = FIELDS[id]
    const { base } = PROTOCOLS[proto]
    const whole = this.place.family === 'netdev' && base !== 'meta' && length > 0 && length % 8 === 0 && length < bits
    if (!whole) return maskedEqual(id, value, mask)
    return cmp(load(base, bit / 8, length / 8), '==', value >> BigInt(bits - length))
  }
}

interface Found {
  readonly pred: Pred
  readonly values?: readonly bigint[]
}

function single(id: FieldId, kind: Kind, operator: Operator, value: bigint): Found {
  if (BIT_TYPES.has(kind.type) && operator === '') return { pred: cmp(masked(fieldTerm(id), value), '!=', 0) }
  if (operator === '!') return { pred: cmp(masked(fieldTerm(id), value), '==', 0) }
  const test: Test = operator === '' ? '==' : operator
  return { pred: cmp(id, test, value), ...(test === '==' && { values: [value] }) }
}

/** nft takes a set of one element for the element. */
function singleton(value: Value): Value {
  return value.kind === 'set' && value.elements.length === 1 ? value.elements[0]! : value
}

function singles(ranges: readonly Range[]): bigint[] {
  return ranges.flatMap(({ lo, hi }) => (lo === hi ? [lo] : []))
}
