// `-m set --match-set NAME src,dst`: a packet looked up in a set. Sources: ipset(8), iptables-extensions(8), and verdicts of the kernel's sets
// (test/golden/ipset). A packet of which a component cannot be told (a port of a later fragment) is in no set.

import type { Diagnostics, Span } from '@netsieve/diag'
import {
  and,
  between,
  cmp,
  type Element,
  exists,
  FALSE,
  field,
  find,
  inRanges,
  load,
  masked,
  not,
  or,
  type Pred,
  type Range,
  type SetDef,
  sure,
  type Term,
} from '@netsieve/ir'
import { FIELDS, type FieldId, type ValueKind } from '@netsieve/packet'
import { addressBits, type IpFamily, nearest, splitAll, type Word } from '../shared/index.ts'
import type { Match } from './ast.ts'
import type { Entry, IpSet, PartKind } from './ipset.ts'
import { ICMP_PROTOCOLS, PORT_PROTOCOLS } from './ipset-values.ts'
import type { Option } from './matches.ts'

export interface SetTest {
  readonly set: Word
  readonly sides: readonly ('src' | 'dst')[]
  readonly negated: boolean
  /** It holds for what `nomatch` takes out of the set. */
  readonly nomatch: boolean
}

/** Options of the match that compare counters of elements. */
const COUNTERS = ['packets-eq', 'packets-lt', 'packets-gt', 'bytes-eq', 'bytes-lt', 'bytes-gt']

/** The match, from all its options. Undefined after an error. */
export function readMatchSet(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const option = options.find(({ name }) => name === 'match-set')
  const wrong = (message: string, at: Span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  if (!option) return wrong('the match set needs --match-set', span, ['--match-set NAME src'])
  const counters = options.find(({ name }) => COUNTERS.includes(name))
  if (counters) return { kind: 'unsupported', what: 'what is counted for elements of a set', span: counters.span }
  const [set, flags] = option.values as readonly [Word, Word]
  const parts = splitAll(flags, ',')
  const odd = parts.find(({ text }) => text !== 'src' && text !== 'dst')
  if (odd || parts.length > 6)
    return wrong(`\`${(odd ?? flags).text}\` is no side of a packet`, (odd ?? flags).span, ['src', 'dst', 'src,dst'])
  const sides = parts.map(({ text }) => text as 'src' | 'dst')
  const nomatch = options.some(({ name }) => name === 'return-nomatch')
  return { kind: 'set', test: { set, sides, negated: option.negated, nomatch }, span }
}

/** Where sets are looked into. */
export interface SetPlace {
  readonly sets: ReadonlyMap<string, IpSet> | undefined
  /** Sets of the filter, to which those that are looked into are added. */
  readonly made: Map<string, SetDef>
  /** Those that were named and have elements which go after a time. */
  readonly timed: Set<IpSet>
  /** The names of sets that rules change. */
  readonly changed: ReadonlySet<string>
  readonly family: IpFamily
  readonly diagnostics: Diagnostics
}

/** Whether a packet is in the set. Undefined after an error. */
export function matchSet({ set: word, sides, negated, nomatch }: SetTest, place: SetPlace): Pred | undefined {
  const set = ipSetOf(word, place)
  const pred = set && inIpSet(set, sides, nomatch, place)
  return pred && (negated ? not(certain(set, pred)) : pred)
}

/** The set of a name. Undefined after an error. */
export function ipSetOf(word: Word, place: SetPlace): IpSet | undefined {
  const { sets, diagnostics } = place
  const set = sets?.get(word.text)
  if (!set) {
    const meant = sets && nearest(word.text, sets.keys())
    const hint = sets ? meant && `did you mean ${meant}?` : 'tell what is in sets by a file as `ipset save` writes it (--ipset FILE)' // biome-ignore format: one choice
    diagnostics.error('iptables/set', `there is no set \`${word.text}\``, word.span, { ...(sets && { expected: [...sets.keys()] }), ...(hint && { hint }) }) // biome-ignore format: one message
    return undefined
  }
  if (set.family !== undefined && set.family !== place.family) {
    diagnostics.error('iptables/set', `the set ${set.name} has addresses of ${set.family === 'ipv4' ? 'IPv4' : 'IPv6'}: ${place.family === 'ipv4' ? 'iptables' : 'ip6tables'} refuses it`, word.span) // biome-ignore format: one message
    return undefined
  }
  if (set.timed) place.timed.add(set)
  return set
}

/** False where a port is not there; what nobody told of a device stays untold. */
function certain({ parts }: IpSet, pred: Pred): Pred {
  return parts.includes('port') ? sure(pred) : pred
}

function inIpSet(set: IpSet, sides: SetTest['sides'], nomatch: boolean, place: SetPlace): Pred | undefined {
  if (set.type === 'list:set') {
    const preds = set.members.map((member) => {
      const inner = place.sets?.get(member.text)
      if (inner?.timed) place.timed.add(inner)
      if (place.changed.has(member.text)) {
        place.diagnostics.error('ipset/unsupported', `unsupported: a list with the set ${member.text}, which rules change`, member.span) // biome-ignore format: one message
        return undefined
      }
      const asked = inner && inner.type !== 'list:set' ? inIpSet(inner, sides, nomatch, place) : undefined
      if (inner && inner.type !== 'list:set') return asked && certain(inner, asked)
      place.diagnostics.error('ipset/name', `no set \`${member.text}\` has been created`, member.span)
      return undefined
    })
    return preds.every((pred) => pred !== undefined) ? or(...preds) : undefined
  }
  // The kernel looks nothing up for sides that are too few, and no packets of another family.
  if (sides.length < set.parts.length || (set.family !== undefined && set.family !== place.family)) return FALSE
  const wanted = nomatch && set.parts.includes('net')
  if (!set.parts.includes('port')) return held(set, set.entries, sides, wanted, set.name, place)
  if (set.type === 'bitmap:port') {
    const name = `${set.name}.ports`
    return or(
      ...[6, 17].map((protocol) => {
        const pred = held(set, set.entries, sides, wanted, name, place, protocol)
        return ofProtocol(protocol, place.family, pred)
      }),
    )
  }
  const groups = new Map<number, Entry[]>()
  for (const entry of set.entries) {
    const protocol = entry.protocol ?? 0
    if (!groups.has(protocol)) groups.set(protocol, [])
    groups.get(protocol)!.push(entry)
  }
  return or(
    ...[...groups].map(([protocol, entries]) => {
      const kept = hasPorts(protocol) ? entries : entries.filter(({ ranges }) => portOf(set, ranges).hi === 0n)
      const name = `${set.name}.${protocol}`
      return ofProtocol(protocol, place.family, held(set, kept, sides, wanted, name, place, protocol))
    }),
  )
}

const hasPorts = (protocol: number): boolean => PORT_PROTOCOLS.includes(protocol) || protocol in ICMP_PROTOCOLS
const portOf = ({ parts }: IpSet, ranges: readonly Range[]): Range => ranges[parts.indexOf('port')]!

/** Bytes of the headers that must be there whole. */
const HEADER_BYTES: Readonly<Record<number, number>> = { 6: 20, 17: 8, 132: 12, 136: 8, 1: 8, 58: 8 }

/** Bytes of a transport header. Sets look for it behind all extension headers of IPv6, whoever asks: also behind AH. */
function transport(protocol: number, offset: number, bytes: number, family: IpFamily): Term {
  return family === 'ipv4' ? load('transport', offset, bytes) : load('net', offset, bytes, find('ipv6', protocol))
}

/** The packet is of a protocol, has its header, and a predicate holds. */
function ofProtocol(protocol: number, family: IpFamily, pred: Pred): Pred {
  const bytes = HEADER_BYTES[protocol]
  const whole = bytes === undefined ? [] : [between(transport(protocol, bytes - 1, 1, family), 0, 255)]
  const there = family === 'ipv4' ? cmp('meta.l4proto', '==', protocol) : exists(find('ipv6', protocol))
  return and(there, ...whole, pred)
}

interface Component {
  readonly term: Term
  readonly bits: number
  readonly kind?: ValueKind
}

function componentOf(
  part: PartKind,
  side: 'src' | 'dst',
  { markMask }: IpSet,
  family: IpFamily,
  protocol: number,
): Component {
  const of = (id: FieldId): Component => ({ term: field(id), bits: FIELDS[id].bits, kind: FIELDS[id].kind })
  switch (part) {
    case 'ip':
    case 'net':
      return of(`${family}.${side}`)
    case 'port':
      // Type and code of ICMP.
      if (protocol in ICMP_PROTOCOLS) return { term: transport(protocol, 0, 2, family), bits: 16 }
      return { term: transport(protocol, side === 'src' ? 0 : 2, 2, family), bits: 16, kind: 'port' }
    case 'mac':
      return of(`eth.${side}`)
    case 'iface':
      return of(side === 'src' ? 'meta.iifname' : 'meta.oifname')
    case 'mark': {
      const mark = of('meta.mark')
      return markMask === undefined ? mark : { ...mark, term: masked(mark.term, markMask) }
    }
  }
}

/** Some of these elements holds the packet; the narrowest that does is one of those that are `wanted` (nomatch, or not). */
function held(
  set: IpSet,
  entries: readonly Entry[],
  sides: SetTest['sides'],
  wanted: boolean,
  name: string,
  { made, family }: SetPlace,
  protocol = 0,
): Pred {
  const portless = !hasPorts(protocol)
  const used = set.parts.flatMap((part, i) => (portless && part === 'port' ? [] : i))
  const components = used.map((i) => componentOf(set.parts[i]!, sides[i]!, set, family, protocol))
  const mixed = wanted || entries.some(({ nomatch }) => nomatch)
  const elements = (mixed ? entries.flatMap((entry) => networksOf(set, entry)) : entries).map(
    ({ ranges, nomatch }) => ({
      key: used.map((i) => ranges[i]!),
      holds: nomatch === wanted,
    }),
  )
  if (elements.length === 0) return FALSE
  const [only, more] = components
  if (!more) {
    const ranges = elements.map(({ key, holds }) => ({ range: key[0]!, holds }))
    return inRanges(only!.term, mixed ? narrowest(ranges) : ranges.map(({ range }) => range))
  }
  const terms = components.map(({ term }) => term)
  const own = `ipset.${name}.${used.map((i) => sides[i]).join(',')}.${family}${wanted ? '.nomatch' : ''}`
  const keys = components.map(({ bits, kind }) => ({ bits, ...(kind && { kind }) }))
  if (!mixed) {
    if (!made.has(own)) made.set(own, { name: own, keys, elements: elements.map(({ key }) => ({ key })), span: set.span }) // biome-ignore format: one call
    return { kind: 'inSet', terms, set: own }
  }
  const nets = used.flatMap((part, i) => (set.parts[part] === 'net' ? i : []))
  // Of an element that was added twice (-exist) the last counts.
  const sorted = elements.reverse().sort((a, b) => narrowerFirst(a.key, b.key, nets))
  const mapped: Element[] = sorted.map(({ key, holds }) => ({ key, value: holds ? 1n : 0n }))
  if (!made.has(own))
    made.set(own, { name: own, keys, data: { bits: 1 }, elements: mapped, catchAll: { value: 0n }, span: set.span })
  return cmp({ kind: 'mapped', terms, map: own }, '==', 1)
}

/** The first component that is a network counts before the second (ipset(8), hash:net,net). */
function narrowerFirst(a: readonly Range[], b: readonly Range[], nets: readonly number[]): number {
  for (const i of nets) {
    const sign = order(size(a[i]!), size(b[i]!))
    if (sign !== 0) return sign
  }
  return 0
}

const size = ({ lo, hi }: Range): bigint => hi - lo

/** An element with its ranges of addresses as the networks that the set has for them: it is these that are narrower or wider than others. */
function networksOf({ parts, family = 'ipv4' }: IpSet, entry: Entry): Entry[] {
  return parts.reduce<Entry[]>(
    (entries, part, i) =>
      part === 'net'
        ? entries.flatMap((each) =>
            networksIn(each.ranges[i]!, addressBits(family)).map((net) => ({
              ...each,
              ranges: each.ranges.with(i, net),
            })),
          )
        : entries,
    [entry],
  )
}

/** The fewest networks that a range is made of. */
function networksIn({ lo, hi }: Range, bits: number): Range[] {
  const out: Range[] = []
  for (let from = lo; from <= hi; ) {
    let length = from === 0n ? 1n << BigInt(bits) : from & -from
    while (from + length - 1n > hi) length >>= 1n
    out.push({ lo: from, hi: from + length - 1n })
    from += length
  }
  return out
}

/** The numbers whose narrowest network holds. */
function narrowest(networks: readonly { readonly range: Range; readonly holds: boolean }[]): Range[] {
  const sorted = [...networks].sort((a, b) => order(a.range.lo, b.range.lo) || order(b.range.hi, a.range.hi))
  const out: Range[] = []
  // Networks that the numbers from `from` on are in, the narrowest last.
  const open: (typeof networks)[number][] = []
  let from = 0n
  const upTo = (to: bigint): void => {
    if (from < to && open.at(-1)?.holds) out.push({ lo: from, hi: to - 1n })
    from = to
  }
  const close = (before?: bigint): void => {
    for (let last = open.at(-1); last && (before === undefined || last.range.hi < before); last = open.at(-1)) {
      upTo(last.range.hi + 1n)
      open.pop()
    }
  }
  for (const network of sorted) {
    close(network.range.lo)
    upTo(network.range.lo)
    open.push(network)
  }
  close()
  return out
}

const order = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0)
