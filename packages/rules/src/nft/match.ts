// One match of a rule as steps of the IR, with the matches that nft 1.0.6 adds before it (`ip saddr` in an inet table asks for
// meta nfproto ipv4 first, `tcp dport` for meta l4proto tcp). Where it adds them was read off `nft --debug=netlink`.

import type { Diagnostics, Span } from '@netsieve/diag'
import {
  cmp,
  exists,
  field as fieldTerm,
  find,
  inRanges,
  match,
  not,
  type Pred,
  placeOf,
  raw,
  type Step,
  type Term,
} from '@netsieve/ir'
import { ETHERTYPE, FIELDS, type Field, type FieldId, IPPROTO, type MetadataId, NFPROTO } from '@netsieve/packet'
import { nearest, protocolName, type Word } from '../shared/index.ts'
import type { Step as AstStep, NamedSet, NftFamily, Selector, Value } from './ast.ts'
import { readBits } from './bits.ts'
import { compare } from './compare.ts'
import { dynamicSet, lookIntoDynamic, lowerBuckets } from './dynamic.ts'
import { isPartlyCertain, withCertain } from './fib.ts'
import { ENTRIES, MORE_NEEDS, TAGS } from './headers.ts'
import { type Component, type Lookups, lookupSet, partOf } from './lookups.ts'
import { devicesOf } from './metadata.ts'
import { isNumber, NUMBER, type Number32, readNumber32, scaled } from './numbers.ts'
import { anyPlace, isRaw, rawBits } from './raw.ts'
import { type StatementPlace, settable } from './statements.ts'
import type { Kind } from './typed.ts'
import { type FieldRow, HEADERS, NEEDS, UNSUPPORTED_FIELDS } from './words.ts'
import { TCP_HEADER, writable, writableField } from './writes.ts'

type MatchStep = Extract<AstStep, { kind: 'match' }>
type Network = 'ip' | 'ip6' | 'arp'

/** Where a rule stands. */
export interface Place {
  readonly family: NftFamily
  readonly sets: ReadonlyMap<string, NamedSet>
  readonly lookups: Lookups
  readonly diagnostics: Diagnostics
}

/** What may be asked of the device that routing would take. */
const WHETHER: ReadonlySet<string> = new Set(['exists', 'missing', '0', '1'])

const ETHER = { ip: ETHERTYPE.ipv4, ip6: ETHERTYPE.ipv6, arp: ETHERTYPE.arp } as const
const NF = { ip: NFPROTO.ipv4, ip6: NFPROTO.ipv6 } as const

/** Lowers the matches of one rule in their order: earlier ones say which protocols later ones may take for granted. */
export class Matches {
  private readonly place: Place
  /** The protocols that the rule has asked for so far; several where it asked with a set. */
  private network: readonly Network[]
  private transport: readonly number[] = []
  /** It has looked at the Ethernet header, or at a tag: then the network protocol is asked of the type there. */
  private link: FieldId | undefined
  /** Types that the link header was asked for. */
  private linkTypes: readonly number[] = []
  /** The tag that `vlan` is about: the next one where the rule has asked for a tag inside. */
  private tag = 0
  /** Types of ICMP messages that the rule has asked for. */
  private readonly messages = new Map<FieldId, readonly number[]>()

  constructor(place: Place) {
    this.place = place
    this.network = place.family === 'ip' || place.family === 'ip6' ? [place.family] : []
  }

  lower(step: MatchStep, place: StatementPlace): Step[] {
    if (isNumber(step) && !step.more) return this.lowerNumber(step, place)
    if (step.more || dynamicSet(step.right, this.place)) return this.concatenation(step, step.more ?? [], place)
    if (isRaw(step)) return this.lowerRaw(step)
    const row = this.row(step)
    if (!row) return []
    const before = this.needs(step)
    const message = before && this.needMessage(row.field, step)
    const own = step.index ? this.addressAt(row.field, step.index) : fieldTerm(this.seen(row.field))
    const term = own && this.ofBits(own, step, kindOf(row))
    const found = term && compare(step, term, kindOf(row), this.place)
    if (!found || !before || !message) return []
    if (term.kind === 'bin' && isPartlyCertain(row.field, this.place.family))
      return this.error('unsupported', `unsupported: bits of \`fib ${step.field.text}\``, step.field.span) ?? []
    if (found.values && !step.bits) this.learn(row.field, found.values)
    if (step.header.text === 'ether') this.link = 'eth.type'
    const pred = withCertain(row.field, found.pred, this.place.family)
    const { span } = step
    return [...before, ...message, pred].map((each) => ({ kind: 'match', pred: each, span }))
  }

  /** `exthdr frag exists`, `tcp option sack missing`. */
  lowerExistence({ header, missing, span }: Extract<AstStep, { kind: 'exists' }>): Step[] {
    const number = /^tcp option (\d+)$/.exec(header.text)
    const entry = number ? { list: 'tcp' as const, type: Number(number[1]) } : ENTRIES[header.text]
    if (!entry || entry.type > 255) {
      const head = header.text.slice(0, header.text.lastIndexOf(' '))
      const names = Object.keys(ENTRIES).filter((name) => name.startsWith(`${head} `))
      this.error('field', `there is no \`${header.text}\` to look for`, header.span, names)
      return []
    }
    const needs = MORE_NEEDS[header.text.startsWith('exthdr') ? 'exthdr' : header.text]?.network
    const before = needs ? this.needNetwork(needs, { header, span }) : []
    const there = exists(find(entry.list, entry.type))
    return (before ?? []).concat(missing ? not(there) : there).map((pred) => ({ ...match(pred), span }))
  }

  /** `numgen random mod 10 < 3`: a part of the numbers that it is made of. */
  private lowerNumber(step: MatchStep, place: StatementPlace): Step[] {
    const { span } = step
    const number = this.number(step, place)
    const found = number && compare(step, number.term, NUMBER, this.place)
    if (!number || !found) return []
    const pred = step.bits ? undefined : scaled(found.pred, number)
    if (!pred) return this.error('unsupported', `unsupported: bits of \`${step.header.text}\``, span) ?? []
    return [...number.steps, { ...match(pred), span }]
  }

  /** A number that is drawn, counted or hashed. Undefined after an error. */
  number(selector: Selector, place: StatementPlace): Number32 | undefined {
    const { span } = selector.field
    const hashed = selector.of && this.components(selector.of, { kind: 'set', elements: [], span }, span, place)
    return selector.of && !hashed ? undefined : readNumber32(selector, hashed, place)
  }

  /** `@th,16,16`, `tcp option @34,16,32`: bits at a place. */
  private lowerRaw(step: MatchStep): Step[] {
    const { diagnostics, family } = this.place
    const found = rawBits(step, family, this.transport, diagnostics)
    if (!found) return []
    const kind = { type: 'integer', bits: found.bits } as const
    const pred = anyPlace(found.places, (own) => {
      const term = this.ofBits(own, step, kind)
      return term && compare(step, term, kind, this.place)?.pred
    })
    return pred ? [{ ...match(pred), span: step.span }] : []
  }

  /** One of the addresses of a routing header. */
  private addressAt(field: FieldId, index: Word): Term | undefined {
    const { bits, proto } = FIELDS[field]
    const place = placeOf(field)
    const which = Number(index.text)
    if (bits !== 128 || !place?.index) return this.error('index', `${proto} has no list of ${field}`, index.span)
    if (which >= 1 && which <= 16) return raw(place.base, place.bit + (which - 1) * bits, bits, place.index)
    return this.error('index', `the addresses of a routing header are counted from 1, not ${index.text}`, index.span)
  }

  /** Parts of ICMP messages are there in some of them only. */
  private needMessage(field: FieldId, { span }: MatchStep): Pred[] | undefined {
    const { when, proto }: Field = FIELDS[field]
    if (!when) return []
    const type = `${proto}.${when.field}` as FieldId
    const asked = this.messages.get(type)
    if (!asked) {
      this.messages.set(type, when.values)
      const values = when.values.map(BigInt)
      return [values.length === 1 ? cmp(type, '==', values[0]!) : inRanges(type, values.map((one) => ({ lo: one, hi: one })))] // biome-ignore format: one choice
    }
    const other = asked.find((one) => !when.values.includes(one))
    if (other === undefined) return []
    return this.error('conflict', `incompatible icmp match: rule has ${other}, need ${when.values.join(' or ')}`, span)
  }

  /** `ip saddr . tcp dport @set`. */
  private concatenation(step: MatchStep, more: readonly Selector[], place: StatementPlace): Step[] {
    const { right, operator, span } = step
    const negated = operator === '!='
    if (operator !== '' && operator !== '==' && !negated) {
      this.error('operator', 'several fields at once are looked up in sets', span, ['a set', '!='])
      return []
    }
    const found = this.components([step, ...more], right, span, place)
    if (!found) return []
    const dynamic = dynamicSet(right, this.place)
    if (dynamic) {
      const asked = lookIntoDynamic(dynamic, found.components, { negated, span }, this.place, place.state)
      return [...found.before, ...asked]
    }
    const set = lookupSet(this.place.lookups, right, found.components, 'nothing')
    if (!set) return []
    const pred: Pred = { kind: 'inSet', terms: found.components.map(({ term }) => term), set }
    return [...found.before, { ...match(negated ? not(pred) : pred), span }]
  }

  /** `tcp dport vmap { 80 : accept }`. */
  vmap({ key, map, span }: Extract<AstStep, { kind: 'vmap' }>, place: StatementPlace): Step[] {
    const found = this.components(key, map, span, place)
    if (!found) return []
    const set = lookupSet(this.place.lookups, map, found.components, 'verdict')
    if (!set) return []
    const terms = found.components.map(({ term }) => term)
    return [...found.before, { kind: 'vmap', terms, map: set, span }]
  }

  /** `meta mark set ip saddr map { 192.0.2.1 : 1 }`: a key that the map does not hold ends the rule. */
  mapped({ target, key, map, span }: Extract<AstStep, { kind: 'mapped' }>, place: StatementPlace): Step[] {
    const found = this.components(key, map, span, place)
    if (!found) return []
    const set = lookupSet(this.place.lookups, map, found.components, settable(target))
    if (!set) return []
    const term: Term = { kind: 'mapped', terms: found.components.map((each) => each.term), map: set }
    return [...found.before, { kind: 'set', field: target as MetadataId, term, span }]
  }

  /** A limit with a bucket for each key, or only the key: in a set that rules add to, or in one of the rule's own. */
  buckets(step: Extract<AstStep, { kind: 'buckets' }>, place: StatementPlace): Step[] {
    const { key, span } = step
    const found = this.components(key, { kind: 'set', elements: [], span }, span, place)
    return found ? [...found.before, ...lowerBuckets(step, found.components, this.place, place.state)] : []
  }

  /** What a statement that changes a field asks for: its protocol, and that its bytes are there. */
  mentioned(selector: Selector, span: Span): Step[] {
    const { family, diagnostics } = this.place
    const steps = (preds: readonly Pred[]): Step[] => preds.map((pred) => ({ ...match(pred), span }))
    if (selector.header.text === 'tcp option') return steps([cmp('meta.l4proto', '==', IPPROTO.tcp), ...TCP_HEADER])
    if (isRaw(selector)) {
      const found = rawBits(selector, family, this.transport, diagnostics)
      return found ? steps([anyPlace(found.places, (term) => writable(term))!]) : []
    }
    const step: MatchStep = { kind: 'match', ...selector, operator: '', right: { kind: 'any', span }, span }
    const row = this.row(step)
    const needs = row && this.needs(step)
    const message = needs && this.needMessage(row.field, step)
    return message ? steps([...needs, ...message, writableField(row.field)]) : []
  }

  /** What is looked up, and the matches that come before. */
  private components(
    key: readonly Selector[],
    right: Value,
    span: Span,
    place: StatementPlace,
  ): { readonly before: readonly Step[]; readonly components: readonly Component[] } | undefined {
    const before: Step[] = []
    const asked = (...preds: readonly Pred[]) => before.push(...preds.map((pred) => ({ ...match(pred), span })))
    const components: Component[] = []
    for (const [i, selector] of key.entries()) {
      const { header, index } = selector
      if (isNumber(selector)) {
        const number = this.number(selector, place)
        if (selector.bits) return this.error('unsupported', `unsupported: bits of \`${header.text}\``, header.span)
        if (!number) return undefined
        before.push(...number.steps)
        components.push({ term: number.term, kind: NUMBER, written: 'uint', scale: number.scale })
        continue
      }
      if (isRaw(selector)) {
        const component = this.rawComponent(selector)
        if (!component) return undefined
        asked(...component.before)
        components.push(component.component)
        continue
      }
      const step: MatchStep = { kind: 'match', ...selector, operator: '', right: partOf(right, i), span }
      const row = this.row(step)
      if (row && isPartlyCertain(row.field, this.place.family))
        return this.error('unsupported', `unsupported: looking up \`fib ${selector.field.text}\``, selector.field.span, ["a match for it alone: 'fib daddr type multicast'"]) // biome-ignore format: one message
      const needs = row && this.needs(step)
      const message = needs && this.needMessage(row.field, step)
      if (!needs || !message) return undefined
      asked(...needs, ...message)
      const seen = this.seen(row.field)
      const own = index ? this.addressAt(row.field, index) : fieldTerm(seen)
      const term = own && this.ofBits(own, selector, kindOf(row))
      if (!term) return undefined
      components.push({ term, kind: kindOf(row), written: FIELDS[seen].kind })
      if (header.text === 'ether') this.link = 'eth.type'
    }
    return { before, components }
  }

  /** Bits at a place as what is looked up: of those behind a transport header only where the rule has asked for one. */
  private rawComponent(
    selector: Selector,
  ): { readonly before: readonly Pred[]; readonly component: Component } | undefined {
    const found = rawBits(selector, this.place.family, this.transport, this.place.diagnostics)
    const [only, more] = found?.places ?? []
    if (!found) return undefined
    if (more || !only)
      return this.error('unsupported', 'unsupported: looking up what any transport header carries', selector.header.span, ["a match for the protocol before it: 'meta l4proto udp'"]) // biome-ignore format: one message
    const kind = { type: 'integer', bits: found.bits } as const
    const term = this.ofBits(only.term, selector, kind)
    return term && { before: only.guard ? [only.guard] : [], component: { term, kind, written: 'hex' } }
  }

  /**
   * Before the IP hooks the kernel has taken priority tags off and moved the Ethernet header up to the packet: the type it shows there is
   * the network protocol's (measured: `ether type ip` holds for a frame tagged with VLAN 0 at prerouting, and not at ingress).
   */
  private seen(field: FieldId): FieldId {
    return field === 'eth.type' && this.place.family !== 'netdev' ? 'meta.protocol' : field
  }

  /** `tcp flags & (syn | ack)`: what is made of a field's bits. */
  private ofBits(term: Term, { bits = [], field }: Pick<Selector, 'bits' | 'field'>, kind: Kind): Term | undefined {
    return bits.length === 0 ? term : readBits(term, bits, { kind, field }, this.place.diagnostics)
  }

  private error(what: string, message: string, span: Span, expected?: readonly string[], hint?: string): undefined {
    this.place.diagnostics.error(`nft/${what}`, message, span, { ...(expected && { expected }), ...(hint && { hint }) })
    return undefined
  }

  private row({ header, field, right }: MatchStep): FieldRow | undefined {
    const rows = header.text === 'vlan' ? TAGS[this.tag] : HEADERS[header.text]
    if (!rows) {
      const head = `${header.text.slice(0, header.text.lastIndexOf(' '))} `
      const known = Object.keys(HEADERS).filter((name) => name.startsWith(head))
      return this.error('field', `there is no \`${header.text}\``, header.span, known)
    }
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
    if (header.text === 'fib' && field.text.endsWith(' oif') && !WHETHER.has(right.kind === 'word' ? right.text : ''))
      return this.error('unsupported', `unsupported: \`fib ${field.text}\` compared with a device`, right.span, [...WHETHER]) // biome-ignore format: one message
    if (Object.hasOwn(rows, field.text)) {
      const useless = header.text === 'meta' && field.text === 'nfproto' && this.place.family !== 'inet'
      return useless
        ? this.error('nfproto', 'meta nfproto is for tables of the family inet', field.span)
        : rows[field.text]
    }
    if (header.text === 'fib' || UNSUPPORTED_FIELDS[header.text]?.has(field.text))
      return this.error('unsupported', `unsupported: \`${header.text} ${field.text}\``, field.span)
    const meant = nearest(field.text, Object.keys(rows))
    const hint = meant && `did you mean ${header.text} ${meant}?`
    return this.error('field', `${header.text} has no field \`${field.text}\``, field.span, Object.keys(rows), hint)
  }

  /** The matches that must come before: none, one or two. Undefined if the rule has asked for another protocol already. */
  private needs(step: MatchStep): Pred[] | undefined {
    if (step.header.text === 'vlan') return this.needTag(step)
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

  /** Tags: the frame's type says that there is one, unless the rule has asked for a type already. */
  private needTag(step: MatchStep): Pred[] | undefined {
    const known = this.linkTypes.some((type) => type === ETHERTYPE.vlan || type === ETHERTYPE.qinq)
    if (!known && this.network.length > 0 && this.place.family === 'netdev')
      return this.conflict(this.network[0]!, step)
    this.link = TAGS[this.tag]!.type!.field
    if (known || this.tag > 0) return []
    this.linkTypes = [ETHERTYPE.vlan]
    return [cmp(this.seen('eth.type'), '==', ETHERTYPE.vlan)]
  }

  private needNetwork(network: Network, step: Pick<MatchStep, 'header' | 'span'>): Pred[] | undefined {
    const other = this.network.find((each) => each !== network)
    if (other !== undefined) return this.conflict(other, step)
    if (this.network.length > 0) return []
    if (this.place.family === 'inet' && network === 'arp') return this.conflict('inet', step)
    this.network = [network]
    if (this.link) return [cmp(this.seen(this.link), '==', ETHER[network])]
    if (this.place.family === 'inet' && network !== 'arp') return [cmp('meta.nfproto', '==', NF[network])]
    return [cmp('meta.protocol', '==', ETHER[network])]
  }

  private conflict(other: string, { header, span }: Pick<MatchStep, 'header' | 'span'>): undefined {
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
    if (field === 'icmp.type' || field === 'icmp6.type') this.messages.set(field, numbers)
    if (field === 'eth.type') this.linkTypes = numbers
    const tag = TAGS.findIndex((rows) => rows.type!.field === field)
    if (tag >= 0) {
      const inside = numbers.some((type) => type === ETHERTYPE.vlan || type === ETHERTYPE.qinq)
      if (inside && tag + 1 < TAGS.length) this.tag = tag + 1
      else this.network = names(ETHER)
    }
    if (field === 'meta.l4proto' || field === 'ipv4.protocol' || field === 'ipv6.nexthdr') this.transport = numbers
    else if (field === 'meta.nfproto') this.network = names(NF)
    else if (field === 'eth.type' || (field === 'meta.protocol' && family === 'netdev')) {
      if (family !== 'ip' && family !== 'ip6') this.network = names(ETHER)
    }
  }
}

function kindOf({ field, type }: FieldRow): Kind {
  const { bits, proto } = FIELDS[field]
  const transport = ['tcp', 'udp', 'udplite', 'sctp', 'dccp'].includes(proto) ? { transport: proto } : {}
  return { type, bits, ...transport }
}
