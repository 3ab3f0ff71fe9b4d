// What the builder knows of each header beyond the field table: where it may stand, what its fields hold if nobody says,
// which field names the header after it, and parts that filters have no field for.

import { FIELDS, type Field } from '../fields.ts'
import { PROTOCOLS, type ProtocolName } from '../protocols.ts'

/** `nothing` stands for a missing link header; `tag` goes between the addresses and the type of Ethernet; `extension` goes between IP and what it carries. */
export type Place = 'link' | 'nothing' | 'tag' | 'net' | 'extension' | 'transport'

export interface Header {
  readonly name: HeaderName
  readonly place: Place
  readonly bytes: number
  readonly ethertype?: number
  readonly ipProtocol?: number
  readonly only?: 'ipv4' | 'ipv6'
  /** What the fields hold if nobody says; 0 for the others. Those that `finish` computes are not here. */
  readonly defaults: Readonly<Record<string, bigint>>
  /** The field that says what follows. */
  readonly next?: string
  /** Bytes of options may stand after the fixed part, up to so many. */
  readonly options?: number
}

type Extension = 'hopopt' | 'routing' | 'fragment' | 'dstopts'
export type HeaderName = Exclude<ProtocolName, 'meta' | 'th'> | Extension | 'raw'

type Row = Omit<Header, 'name' | 'bytes' | 'ethertype' | 'ipProtocol' | 'only'> & Partial<Header>

const MAC = { client: 0x020000000001n, server: 0x020000000002n }
const V4 = { client: 0x0a000001n, server: 0x0a000002n } // 10.0.0.1 and .2, as in samples/
const V6 = { client: (0x20010db8n << 96n) | 1n, server: (0x20010db8n << 96n) | 2n }

const ROWS: Readonly<Record<HeaderName, Row>> = {
  eth: { place: 'link', defaults: { src: MAC.client, dst: MAC.server }, next: 'type' },
  raw: { place: 'nothing', bytes: 0, defaults: {} },
  vlan: { place: 'tag', defaults: {} },
  arp: {
    place: 'net',
    defaults: {
      htype: 1n,
      ptype: 0x0800n,
      hlen: 6n,
      plen: 4n,
      op: 1n,
      sha: MAC.client,
      sip: V4.client,
      tip: V4.server,
    },
  },
  ipv4: {
    place: 'net',
    ipProtocol: 4,
    defaults: { version: 4n, ttl: 64n, src: V4.client, dst: V4.server },
    next: 'protocol',
    options: 40,
  },
  ipv6: {
    place: 'net',
    ipProtocol: 41,
    defaults: { version: 6n, hoplimit: 64n, src: V6.client, dst: V6.server },
    next: 'nexthdr',
  },
  hopopt: {
    place: 'extension',
    bytes: 8,
    ipProtocol: 0,
    only: 'ipv6',
    defaults: { padding: 0x0104n },
    next: 'nexthdr',
  },
  routing: { place: 'extension', bytes: 8, ipProtocol: 43, only: 'ipv6', defaults: {}, next: 'nexthdr' },
  fragment: { place: 'extension', bytes: 8, ipProtocol: 44, only: 'ipv6', defaults: {}, next: 'nexthdr' },
  dstopts: {
    place: 'extension',
    bytes: 8,
    ipProtocol: 60,
    only: 'ipv6',
    defaults: { padding: 0x0104n },
    next: 'nexthdr',
  },
  ah: { place: 'extension', defaults: { length: 1n }, next: 'nexthdr' },
  esp: { place: 'transport', defaults: {} },
  tcp: {
    place: 'transport',
    defaults: { sport: 40_000n, dport: 80n, flags: 0x02n, window: 64_240n },
    options: 40,
  },
  udp: { place: 'transport', defaults: { sport: 40_000n, dport: 53n } },
  udplite: { place: 'transport', defaults: { sport: 40_000n, dport: 53n } },
  sctp: { place: 'transport', defaults: { sport: 40_000n, dport: 3868n } },
  dccp: { place: 'transport', defaults: { sport: 40_000n, dport: 5001n, doff: 3n } },
  icmp: { place: 'transport', defaults: { type: 8n } },
  icmp6: { place: 'transport', defaults: { type: 128n } },
  igmp: { place: 'transport', defaults: { type: 0x16n, group: 0xe0000116n } },
}

type Part = Pick<Field, 'bit' | 'bits' | 'kind'>

/** Parts of headers that the field table has no row for, counted as there. */
const PARTS: Readonly<Record<string, Part>> = {
  'vlan.pcp': { bit: 16, bits: 3, kind: 'uint' },
  'vlan.dei': { bit: 19, bits: 1, kind: 'uint' },
  'vlan.id': { bit: 20, bits: 12, kind: 'uint' },
  'hopopt.nexthdr': { bit: 0, bits: 8, kind: 'ipproto' },
  'hopopt.length': { bit: 8, bits: 8, kind: 'uint' },
  'hopopt.padding': { bit: 16, bits: 16, kind: 'hex' }, // PadN of 4 bytes: RFC 8200 §4.2
  'routing.nexthdr': { bit: 0, bits: 8, kind: 'ipproto' },
  'routing.length': { bit: 8, bits: 8, kind: 'uint' },
  'routing.type': { bit: 16, bits: 8, kind: 'uint' },
  'routing.left': { bit: 24, bits: 8, kind: 'uint' },
  'fragment.nexthdr': { bit: 0, bits: 8, kind: 'ipproto' },
  'fragment.fragoff': { bit: 16, bits: 13, kind: 'uint' },
  'fragment.mf': { bit: 31, bits: 1, kind: 'uint' },
  'fragment.id': { bit: 32, bits: 32, kind: 'hex' },
  'dstopts.nexthdr': { bit: 0, bits: 8, kind: 'ipproto' },
  'dstopts.length': { bit: 8, bits: 8, kind: 'uint' },
  'dstopts.padding': { bit: 16, bits: 16, kind: 'hex' },
  'ah.length': { bit: 8, bits: 8, kind: 'uint' },
  'dccp.doff': { bit: 32, bits: 8, kind: 'uint' },
  'dccp.checksum': { bit: 48, bits: 16, kind: 'hex' },
}

export const HEADERS: ReadonlyMap<string, Header> = new Map(
  (Object.keys(ROWS) as HeaderName[]).map((name) => [name, header(name)]),
)

function header(name: HeaderName): Header {
  const protocol = PROTOCOLS as Readonly<Record<string, { minBytes: number }>>
  const { title: _, base: __, minBytes, ...facts } = { minBytes: 0, title: '', base: '', ...protocol[name] }
  return { name, bytes: minBytes, ...facts, ...ROWS[name] }
}

/** The fields of each header by their short names. The field table comes first. */
export const FIELDS_OF: ReadonlyMap<string, ReadonlyMap<string, Part>> = fieldsByHeader()

function fieldsByHeader(): ReadonlyMap<string, ReadonlyMap<string, Part>> {
  const fields = new Map(Array.from(HEADERS.keys(), (name) => [name, new Map<string, Part>()]))
  const rows: readonly (readonly [string, Part])[] = [...Object.entries(PARTS), ...Object.entries(FIELDS)]
  for (const [id, part] of rows) {
    const dot = id.indexOf('.')
    fields.get(id.slice(0, dot))?.set(id.slice(dot + 1), part)
  }
  return fields
}

/** A field that the tables must have: for the builder's own rules. @throws Error if they do not */
export function fieldOf(name: HeaderName, field: string): Part {
  const part = FIELDS_OF.get(name)?.get(field)
  if (!part) throw new Error(`no field ${name}.${field}`)
  return part
}
