// Matches of iptables on what is known of a packet beside its bytes: -i and -o, state, conntrack, mark, owner and their kin; and on its length.
// Sources: iptables-extensions(8), and what the programs answer.

import type { Diagnostics } from '@netsieve/diag'
import { CT_STATES, CT_STATUSES, type FieldId, maxValue, PACKET_TYPES, parseName, prefixMask } from '@netsieve/packet'
import {
  type IpFamily,
  parseNumber,
  readIpProtocol,
  readMac,
  readNetwork,
  readPortRange,
  split,
  splitAll,
  type Word,
} from '../shared/index.ts'
import type { FieldTest, Match } from './ast.ts'

/** A match without what every one has. */
type Bare<Kind extends Match['kind']> = Omit<Extract<Match, { kind: Kind }>, 'negated' | 'span'>
type Found = Bare<'field'> | Bare<'state'>

/** How an option's value is written. */
type Form =
  | 'masked'
  | 'range'
  | 'number'
  | 'mac'
  | 'address'
  | 'port'
  | 'protocol'
  | 'state'
  | Readonly<Record<string, number>>

/** Names that pkttype takes (iptables -m pkttype -h). */
const PACKETS = {
  ...{
    unicast: PACKET_TYPES.host,
    host: PACKET_TYPES.host,
    broadcast: PACKET_TYPES.broadcast,
    bcast: PACKET_TYPES.broadcast,
  },
  ...{ multicast: PACKET_TYPES.multicast, mcast: PACKET_TYPES.multicast, otherhost: PACKET_TYPES.other },
} as const

const OPTIONS: Readonly<Record<string, Readonly<Record<string, readonly [field: string, form: Form]>>>> = {
  state: { state: ['ct.state', 'state'] },
  conntrack: {
    ctstate: ['ct.state', 'state'],
    ctproto: ['ct.proto', 'protocol'],
    ctorigsrc: ['ct.orig.src', 'address'],
    ctorigdst: ['ct.orig.dst', 'address'],
    ctreplsrc: ['ct.reply.src', 'address'],
    ctrepldst: ['ct.reply.dst', 'address'],
    ctorigsrcport: ['ct.orig.sport', 'port'],
    ctorigdstport: ['ct.orig.dport', 'port'],
    ctreplsrcport: ['ct.reply.sport', 'port'],
    ctrepldstport: ['ct.reply.dport', 'port'],
    ctstatus: ['ct.status', 'state'],
    ctexpire: ['ct.expiration', 'range'],
    ctdir: ['ct.direction', { ORIGINAL: 0, REPLY: 1 }],
  },
  mark: { mark: ['meta.mark', 'masked'] },
  connmark: { mark: ['ct.mark', 'masked'] },
  pkttype: { 'pkt-type': ['meta.pkttype', PACKETS] },
  owner: { 'uid-owner': ['meta.skuid', 'range'], 'gid-owner': ['meta.skgid', 'range'] },
  mac: { 'mac-source': ['eth.src', 'mac'] },
  length: { length: ['meta.length', 'range'] },
  cpu: { cpu: ['meta.cpu', 'number'] },
  devgroup: { 'src-group': ['meta.iifgroup', 'masked'], 'dst-group': ['meta.oifgroup', 'masked'] },
  cgroup: { cgroup: ['meta.cgroup', 'number'] },
  realm: { realm: ['meta.rtclassid', 'masked'] },
}

export function isMetadataOption(module: string, option: string): boolean {
  return Object.hasOwn(OPTIONS, module) && Object.hasOwn(OPTIONS[module]!, option)
}

/** The match that an option of a module says. Undefined after an error. */
export function readMetadataMatch(
  module: string,
  option: string,
  word: Word,
  family: IpFamily,
  diagnostics: Diagnostics,
): Found | undefined {
  const [name, form] = OPTIONS[module]![option]!
  const field = (form === 'address' && family === 'ipv6' ? `${name}6` : name) as FieldId
  if (form === 'state')
    return field === 'ct.state' ? readStates(word, module, diagnostics) : readStatuses(word, diagnostics)
  const test =
    typeof form === 'object'
      ? readName(word, form, field, diagnostics)
      : readTest(word, form, field, family, diagnostics)
  return test && { kind: 'field', field, test }
}

function readTest(
  word: Word,
  form: Exclude<Form, object | 'state'>,
  field: FieldId,
  family: IpFamily,
  diagnostics: Diagnostics,
): FieldTest | undefined {
  const all = maxValue(field)
  switch (form) {
    case 'masked': {
      const [value, mask] = split(word, '/')
      const [v, m] = [readInteger(value, all, diagnostics), mask ? readInteger(mask, all, diagnostics) : all]
      return v === undefined || m === undefined ? undefined : { value: v, mask: m }
    }
    case 'number': {
      const value = readInteger(word, all, diagnostics)
      return value === undefined ? undefined : { value, mask: all }
    }
    case 'range':
      return readRange(word, field, diagnostics)
    case 'mac': {
      const value = readMac(word, diagnostics)
      return value === undefined ? undefined : { value, mask: all }
    }
    case 'address': {
      const network = readNetwork(word, diagnostics, { family })
      return network && { value: network.value & network.mask, mask: network.mask }
    }
    case 'port': {
      const range = readPortRange(word, diagnostics, { separator: ':', open: true, octal: true })
      return range && { lo: range.lo, hi: range.hi }
    }
    case 'protocol': {
      const value = readIpProtocol(word, diagnostics, true)
      return value === undefined ? undefined : { value, mask: all }
    }
  }
}

function readInteger(word: Word, max: bigint, diagnostics: Diagnostics): bigint | undefined {
  const value = parseNumber(word.text, true)
  if (value !== undefined && value <= max) return value
  diagnostics.error('iptables/number', `\`${word.text}\` is no number up to ${max}`, word.span, {
    expected: ['a number'],
  })
  return undefined
}

/** `5`, `5:10`, `:10`, `5:`; users and groups are joined by a dash. Time spans are seconds, which the field has in milliseconds. */
function readRange(word: Word, field: FieldId, diagnostics: Diagnostics): FieldTest | undefined {
  const owner = field === 'meta.skuid' || field === 'meta.skgid'
  const [first, second] = split(word, owner ? '-' : ':')
  const unit = field === 'ct.expiration' ? 1000n : 1n
  const max = field === 'meta.length' ? 0xffffn : maxValue(field) / unit
  if (owner && first.text === 'root' && !second) return { lo: 0n, hi: 0n }
  const lo = first.text === '' && second && !owner ? 0n : readInteger(first, max, diagnostics)
  const hi = second ? (second.text === '' && !owner ? max : readInteger(second, max, diagnostics)) : lo
  if (lo === undefined || hi === undefined) return undefined
  if (lo > hi) diagnostics.warning('iptables/never', 'this range ends before it starts: nothing lies in it', word.span)
  return { lo: lo * unit, hi: hi * unit + (unit - 1n) }
}

function readName(
  word: Word,
  names: Readonly<Record<string, number>>,
  field: FieldId,
  diagnostics: Diagnostics,
): FieldTest | undefined {
  const found = Object.keys(names).find((name) => name.toLowerCase() === word.text.toLowerCase())
  if (found !== undefined) return { value: BigInt(names[found]!), mask: maxValue(field) }
  diagnostics.error('iptables/name', `\`${word.text}\` cannot stand here`, word.span, { expected: Object.keys(names) })
  return undefined
}

/** Names of bits joined by commas. */
function readBits(
  word: Word,
  bits: Readonly<Record<string, number>>,
  diagnostics: Diagnostics,
): ReadonlySet<string> | undefined {
  const found = new Set<string>()
  for (const part of splitAll(word, ',')) {
    const name = Object.keys(bits).find((each) => each.toUpperCase() === part.text.toUpperCase())
    if (name === undefined) {
      const expected = Object.keys(bits).map((each) => each.toUpperCase())
      diagnostics.error('iptables/name', `\`${part.text}\` cannot stand here`, part.span, { expected })
      return undefined
    }
    found.add(name)
  }
  return found
}

const NAT = { snat: CT_STATUSES.snat, dnat: CT_STATUSES.dnat } as const

/** `NEW,ESTABLISHED`; -m conntrack takes SNAT and DNAT for states too. */
function readStates(word: Word, module: string, diagnostics: Diagnostics): Bare<'state'> | undefined {
  const names = readBits(word, { ...CT_STATES, ...(module === 'conntrack' && NAT) }, diagnostics)
  return names && { kind: 'state', state: sum(names, CT_STATES), status: sum(names, NAT) }
}

/** `EXPECTED,SEEN_REPLY,ASSURED,CONFIRMED`; NONE is no bit, so that no connection has it. */
function readStatuses(word: Word, diagnostics: Diagnostics): Bare<'state'> | undefined {
  const { expected, assured, confirmed } = CT_STATUSES
  const bits = { none: 0, expected, seen_reply: CT_STATUSES['seen-reply'], assured, confirmed }
  const names = readBits(word, bits, diagnostics)
  return names && { kind: 'state', state: 0n, status: sum(names, bits) }
}

function sum(names: ReadonlySet<string>, bits: Readonly<Record<string, number>>): bigint {
  let all = 0n
  for (const name of names) if (Object.hasOwn(bits, name)) all |= BigInt(bits[name]!)
  return all
}

/** A device's name; with a `+` behind it every name that begins so. */
export function readInterface(
  word: Word,
  diagnostics: Diagnostics,
): { readonly value: bigint; readonly mask: bigint } | undefined {
  const start = word.text.endsWith('+') ? word.text.slice(0, -1) : undefined
  if (start === '') return { value: 0n, mask: 0n }
  const value = parseName(start ?? word.text)
  if (value !== undefined) return { value, mask: prefixMask(start === undefined ? 128 : start.length * 8, 128) }
  diagnostics.error('iptables/interface', `\`${word.text}\` is no name of a device`, word.span, {
    expected: ['1 to 15 characters, perhaps with a + behind them'],
  })
  return undefined
}
