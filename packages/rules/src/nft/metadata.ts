// The words of nft 1.0.6 for what is known of a packet beside its bytes: `meta iifname`, `ct state`, and how values of theirs are written.
// Source: nft(8), `nft describe`, and what nft --debug=netlink shows.

import type { Diagnostics } from '@netsieve/diag'
import {
  ADDRESS_TYPES,
  CT_STATES,
  CT_STATUSES,
  DEVICE_TYPES,
  PACKET_TYPES,
  parseName,
  prefixMask,
} from '@netsieve/packet'
import { parseNumber, type Word } from '../shared/index.ts'
import type { NamedSet, Value } from './ast.ts'

/** Rows of the table HEADERS (words.ts): the field, and the type that its values have. */
export const META_FIELDS = {
  length: ['meta.length', 'integer'],
  mark: ['meta.mark', 'mark'],
  priority: ['meta.priority', 'classid'],
  iif: ['meta.iif', 'iface_index'],
  iifname: ['meta.iifname', 'ifname'],
  iiftype: ['meta.iiftype', 'iface_type'],
  iifgroup: ['meta.iifgroup', 'devgroup'],
  iifkind: ['meta.iifkind', 'ifkind'],
  oif: ['meta.oif', 'iface_index'],
  oifname: ['meta.oifname', 'ifname'],
  oiftype: ['meta.oiftype', 'iface_type'],
  oifgroup: ['meta.oifgroup', 'devgroup'],
  oifkind: ['meta.oifkind', 'ifkind'],
  sdif: ['meta.sdif', 'iface_index'],
  sdifname: ['meta.sdifname', 'ifname'],
  skuid: ['meta.skuid', 'uid'],
  skgid: ['meta.skgid', 'gid'],
  cgroup: ['meta.cgroup', 'integer'],
  rtclassid: ['meta.rtclassid', 'realm'],
  pkttype: ['meta.pkttype', 'pkt_type'],
  cpu: ['meta.cpu', 'integer'],
  random: ['meta.random', 'integer'],
  nftrace: ['meta.nftrace', 'integer'],
  ipsec: ['meta.ipsec', 'boolean'],
  secpath: ['meta.ipsec', 'boolean'],
  time: ['meta.time', 'time'],
  day: ['meta.day', 'day'],
  hour: ['meta.hour', 'hour'],
} as const

/** By the words behind `fib`. Whether there is a way back is asked by the device it leaves by. */
export const FIB_FIELDS = {
  'saddr type': ['fib.saddr.type', 'fib_addrtype'],
  'daddr type': ['fib.daddr.type', 'fib_addrtype'],
  'saddr . iif oif': ['fib.reverse', 'boolean'],
  'saddr . mark . iif oif': ['fib.reverse', 'boolean'],
} as const

/** By the words behind `ct`. */
export const CT_FIELDS = {
  state: ['ct.state', 'ct_state'],
  status: ['ct.status', 'ct_status'],
  direction: ['ct.direction', 'ct_dir'],
  mark: ['ct.mark', 'mark'],
  zone: ['ct.zone', 'integer'],
  id: ['ct.id', 'integer'],
  helper: ['ct.helper', 'ifkind'],
  expiration: ['ct.expiration', 'duration'],
  l3proto: ['ct.l3proto', 'nf_proto'],
  protocol: ['ct.proto', 'inet_proto'],
  packets: ['ct.packets', 'integer'],
  bytes: ['ct.bytes', 'integer'],
  avgpkt: ['ct.avgpkt', 'integer'],
  'original ip saddr': ['ct.orig.src', 'ipv4_addr'],
  'original ip daddr': ['ct.orig.dst', 'ipv4_addr'],
  'original ip6 saddr': ['ct.orig.src6', 'ipv6_addr'],
  'original ip6 daddr': ['ct.orig.dst6', 'ipv6_addr'],
  'reply ip saddr': ['ct.reply.src', 'ipv4_addr'],
  'reply ip daddr': ['ct.reply.dst', 'ipv4_addr'],
  'reply ip6 saddr': ['ct.reply.src6', 'ipv6_addr'],
  'reply ip6 daddr': ['ct.reply.dst6', 'ipv6_addr'],
} as const

export type MetaType =
  | 'mark'
  | 'classid'
  | 'iface_index'
  | 'iface_type'
  | 'devgroup'
  | 'ifname'
  | 'ifkind'
  | 'uid'
  | 'gid'
  | 'realm'
  | 'pkt_type'
  | 'boolean'
  | 'time'
  | 'day'
  | 'hour'
  | 'ct_state'
  | 'ct_status'
  | 'ct_dir'
  | 'duration'
  | 'fib_addrtype'

export const META_TITLES: Readonly<Record<MetaType, string>> = {
  mark: 'a mark',
  classid: 'a class such as 1:2',
  iface_index: "a device's name or index",
  iface_type: 'a type of device',
  devgroup: 'a group of devices',
  ifname: "a device's name",
  ifkind: 'a name',
  uid: 'a user',
  gid: 'a group',
  realm: 'a realm',
  pkt_type: 'a packet type',
  boolean: 'exists or missing',
  time: 'a time such as "2026-11-27 17:50:00"',
  day: 'a day of the week',
  hour: 'an hour such as "17:50"',
  ct_state: 'a connection state',
  ct_status: 'a connection status',
  ct_dir: 'a direction',
  duration: 'a time span such as 1h30m',
  fib_addrtype: 'a type of address such as local',
}

export const META_SYMBOLS: Readonly<Partial<Record<MetaType, Readonly<Record<string, number>>>>> = {
  iface_type: DEVICE_TYPES,
  devgroup: { default: 0 },
  realm: { cosmos: 0 },
  pkt_type: {
    host: 0,
    unicast: 0,
    broadcast: PACKET_TYPES.broadcast,
    multicast: PACKET_TYPES.multicast,
    other: PACKET_TYPES.other,
  },
  boolean: { exists: 1, missing: 0 },
  day: { Sunday: 0, Monday: 1, Tuesday: 2, Wednesday: 3, Thursday: 4, Friday: 5, Saturday: 6 },
  ct_state: CT_STATES,
  ct_status: CT_STATUSES,
  ct_dir: { original: 0, reply: 1 },
  classid: { none: 0, root: 0xffffffff },
  fib_addrtype: ADDRESS_TYPES,
}

export const META_BITS: Readonly<Record<MetaType, number>> = {
  ...{
    mark: 32,
    classid: 32,
    iface_index: 32,
    iface_type: 16,
    devgroup: 32,
    ifname: 128,
    ifkind: 128,
    uid: 32,
    gid: 32,
  },
  ...{
    realm: 32,
    pkt_type: 8,
    boolean: 8,
    time: 64,
    day: 8,
    hour: 32,
    ct_state: 32,
    ct_status: 32,
    ct_dir: 8,
    duration: 32,
    fib_addrtype: 8,
  },
}

/** Types whose values are bits: `ct state new,related` asks for any of them. */
export const BIT_TYPES: ReadonlySet<string> = new Set(['tcp_flag', 'ct_state', 'ct_status'])

const SECONDS: Readonly<Record<string, bigint>> = { w: 604_800n, d: 86_400n, h: 3600n, m: 60n, s: 1n }

/** A value that is neither a number nor a symbol of its type; undefined if it is not of these either. */
export function readSpelled({ text }: Word, type: string): bigint | undefined {
  switch (type) {
    case 'ifkind':
      return parseName(text)
    case 'ifname':
      return parseName(text.replace(/\\\*$/, '*'))
    case 'uid':
    case 'gid':
      return text === 'root' ? 0n : undefined
    case 'classid': {
      const found = /^([0-9a-f]{0,4}):([0-9a-f]{0,4})$/i.exec(text)
      return found ? (BigInt(`0x0${found[1]}`) << 16n) | BigInt(`0x0${found[2]}`) : undefined
    }
    case 'time': {
      const found = /^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d)(:\d\d)?)?$/.exec(text)
      const milliseconds = found ? Date.parse(`${found[1]}T${found[2] ?? '00:00'}${found[3] ?? ':00'}Z`) : Number.NaN
      return Number.isNaN(milliseconds) || milliseconds < 0 ? undefined : BigInt(milliseconds) * 1_000_000n
    }
    case 'hour': {
      const found = /^(\d\d?):(\d\d)(?::(\d\d))?$/.exec(text)
      if (!found) return undefined
      const [hours, minutes, seconds] = [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)]
      return hours < 24 && minutes < 60 && seconds < 60 ? BigInt(hours * 3600 + minutes * 60 + seconds) : undefined
    }
    case 'duration': {
      if (/^\d{1,7}$/.test(text)) return BigInt(text) * 1000n
      if (!/^(?:\d{1,4}[wdhms]){1,5}$/.test(text)) return undefined
      const sum = [...text.matchAll(/(\d+)([wdhms])/g)].reduce(
        (all, [, n, unit]) => all + BigInt(n!) * SECONDS[unit!]!,
        0n,
      )
      return sum * 1000n
    }
    default:
      return undefined
  }
}

/** Types that have no plain numbers. */
export const NO_NUMBERS: ReadonlySet<string> = new Set(['ifname', 'ifkind', 'time', 'hour', 'duration'])

export interface NamePattern {
  readonly value: bigint
  readonly mask: bigint
}

/** Whether a value is a device's name that stands for all that begin like it: `eth*`, but not `eth\*`. */
export function isWildcard({ text }: Word): boolean {
  return text.endsWith('*') && !text.endsWith('\\*')
}

/** The names that a wildcard stands for. */
export function readWildcard(word: Word, diagnostics: Diagnostics): NamePattern | undefined {
  const start = word.text.slice(0, -1)
  const value = parseName(start)
  if (value !== undefined) return { value, mask: prefixMask(start.length * 8, 128) }
  diagnostics.error('nft/name', `\`${word.text}\` is no start of a device's name`, word.span, {
    expected: ['1 to 15 characters before the *'],
  })
  return undefined
}

/**
 * How a rule gives devices where nft takes their indexes. Names are compared as names here, since no device has an index; `both` cannot be
 * compared at once, and the start of a name is no device.
 */
export function devicesOf(value: Value, sets: ReadonlyMap<string, NamedSet>): 'index' | 'name' | 'both' {
  switch (value.kind) {
    case 'word':
      return isWildcard(value) ? 'both' : parseNumber(value.text, true) === undefined ? 'name' : 'index'
    case 'set':
      return together(value.elements, sets)
    case 'setref':
      return together(sets.get(value.name.text)?.elements ?? [], sets)
    default:
      return 'index'
  }
}

function together(elements: readonly Value[], sets: ReadonlyMap<string, NamedSet>): 'index' | 'name' | 'both' {
  const kinds = new Set(elements.map((each) => devicesOf(each, sets)))
  return kinds.size > 1 ? 'both' : ([...kinds][0] ?? 'index')
}
