// What the builder knows of each header beyond the field table: where it may stand, what its fields hold if nobody says,
// which field names the header after it, and parts that filters have no field for.

import { FIELDS, type Field } from '../fields.ts'
import { PROTOCOLS, type ProtocolName, protocol } from '../protocols.ts'

/**
 * `nothing` stands for a missing link header; `tag` goes between the addresses and the type of Ethernet; `extension` goes between IP and what it
 * carries; `option` goes into the options of the header before it; `chunk` and `part` follow certain headers only.
 */
export type Place = 'link' | 'nothing' | 'tag' | 'net' | 'extension' | 'transport' | 'option' | 'chunk' | 'part'

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
  /** Headers that an option, a chunk or a part may follow. */
  readonly after?: readonly string[]
  /** A frame or a packet may follow, beside what the place says. */
  readonly carries?: readonly ('link' | 'net')[]
  readonly udpPort?: number
  /** Set in the field `flags` of the header before where this part follows. */
  readonly flag?: number
  /** Another form of a header: built, not read. */
  readonly form?: true
}

/** Stacks are built of `vlan` and `mpls` layers, AH is one header wherever it stands. */
type Repeated = `vlan${1 | 2 | 3}` | `mpls${1 | 2 | 3 | 4 | 5 | 6}` | 'ah6'
export type HeaderName = Exclude<ProtocolName, 'meta' | 'th' | Repeated> | 'raw'

type Row = Omit<Header, 'name' | 'bytes' | 'ethertype' | 'ipProtocol' | 'only'> & Partial<Header>

const MAC = { client: 0x020000000001n, server: 0x020000000002n }
const V4 = { client: 0x0a000001n, server: 0x0a000002n } // 10.0.0.1 and .2, as in samples/
const V6 = { client: (0x20010db8n << 96n) | 1n, server: (0x20010db8n << 96n) | 2n }

const TCP = ['tcp_eol', 'tcp_nop', 'tcp_maxseg', 'tcp_window', 'tcp_sackperm', 'tcp_sack', 'tcp_timestamp', 'tcp_md5sig', 'tcp_ao', 'tcp_mptcp', 'tcp_fastopen'] as const // biome-ignore format: one family
const IP = ['ip_rr', 'ip_lsrr', 'ip_ssrr', 'ip_ra', 'ip_timestamp', 'ip_security', 'ip_cipso', 'ip_sid'] as const
const SCTP = (Object.keys(PROTOCOLS) as ProtocolName[]).filter((name) => name.startsWith('sctp_'))

/** An entry of a list as a layer: its type, and its length where it has one. */
function entry(name: ProtocolName, place: Place, after: readonly string[], bytes: number): Row {
  const { type } = protocol(name).entry!
  const typeField = place === 'option' && name.startsWith('tcp') ? 'kind' : 'type'
  const defaults = { [typeField]: BigInt(type), ...(bytes > 1 && { length: BigInt(bytes) }) }
  return { place, after, bytes, defaults }
}
const tcpOption = (name: (typeof TCP)[number], bytes = protocol(name).minBytes) => entry(name, 'option', ['tcp', ...TCP], bytes) // biome-ignore format: one call
const ipOption = (name: (typeof IP)[number], bytes = protocol(name).minBytes) => entry(name, 'option', ['ipv4', ...IP], bytes) // biome-ignore format: one call
const chunk = (name: ProtocolName) => entry(name, 'chunk', ['sctp', ...SCTP], protocol(name).minBytes)
const extension = (bytes: number, defaults: Row['defaults'] = {}): Row => ({
  place: 'extension',
  bytes,
  defaults: { ...(bytes > 8 && { length: BigInt(bytes / 8 - 1) }), ...defaults },
  next: 'nexthdr',
})

const ROWS: Readonly<Record<HeaderName, Row>> = {
  eth: { place: 'link', ethertype: 0x6558, defaults: { src: MAC.client, dst: MAC.server }, next: 'type' },
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
  hopopt: { ...extension(8, { padding: 0x0104n }), ipProtocol: 0 },
  routing: { ...extension(8), ipProtocol: 43 },
  routing0: { ...extension(24, { type: 0n }), ipProtocol: 43, form: true },
  routing2: { ...extension(24, { type: 2n, left: 1n }), ipProtocol: 43, form: true },
  srh: { ...extension(24, { type: 4n }), ipProtocol: 43, form: true },
  fragment: { ...extension(8), ipProtocol: 44 },
  dstopts: { ...extension(8, { padding: 0x0104n }), ipProtocol: 60 },
  mobility: { ...extension(8), ipProtocol: 135 },
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
  nd: { place: 'part', after: ['icmp6'], defaults: { target: V6.server } },
  nd_redirect: { place: 'part', after: ['nd'], defaults: { dst: V6.server } },
  igmp: { place: 'transport', defaults: { type: 0x16n, group: 0xe0000116n } },
  ipcomp: { place: 'transport', defaults: {} },
  l2tp3: { place: 'transport', defaults: { sid: 1n } },
  llc: { place: 'part', after: ['eth', 'vlan'], defaults: { dsap: 0xaan, ssap: 0xaan, control: 3n } },
  snap: { place: 'part', after: ['llc'], carries: ['net'], defaults: {}, next: 'pid' },
  mpls: { place: 'part', after: ['eth', 'vlan', 'mpls', 'gre'], carries: ['net'], defaults: { ttl: 64n } },
  pppoe: { place: 'part', after: ['eth', 'vlan'], defaults: { version: 1n, type: 1n, sid: 1n } },
  ppp: { place: 'part', after: ['pppoe'], carries: ['net'], defaults: {}, next: 'protocol' },
  gre: { place: 'transport', carries: ['link', 'net'], defaults: {}, next: 'protocol' },
  gre_checksum: { place: 'part', after: ['gre'], carries: ['link', 'net'], flag: 0x8000, defaults: {} },
  gre_key: { place: 'part', after: ['gre', 'gre_checksum'], carries: ['link', 'net'], flag: 0x2000, defaults: {} },
  gre_seq: {
    place: 'part',
    after: ['gre', 'gre_checksum', 'gre_key'],
    carries: ['link', 'net'],
    flag: 0x1000,
    defaults: {},
  },
  vxlan: { place: 'part', after: ['udp'], carries: ['link'], defaults: { flags: 8n } },
  geneve: { place: 'part', after: ['udp'], carries: ['link', 'net'], defaults: {}, next: 'protocol' },
  gtpu: { place: 'part', after: ['udp'], carries: ['net'], defaults: { flags: 0x30n, type: 255n } },
  gtpu_optional: { place: 'part', after: ['gtpu'], carries: ['net'], flag: 0x32, defaults: {} },
  ip_rr: ipOption('ip_rr', 7),
  ip_lsrr: ipOption('ip_lsrr', 7),
  ip_ssrr: ipOption('ip_ssrr', 7),
  ip_ra: ipOption('ip_ra'),
  ip_timestamp: ipOption('ip_timestamp', 8),
  ip_security: ipOption('ip_security', 11),
  ip_cipso: ipOption('ip_cipso'),
  ip_sid: ipOption('ip_sid'),
  tcp_eol: tcpOption('tcp_eol'),
  tcp_nop: tcpOption('tcp_nop'),
  tcp_maxseg: tcpOption('tcp_maxseg'),
  tcp_window: tcpOption('tcp_window'),
  tcp_sackperm: tcpOption('tcp_sackperm'),
  tcp_sack: tcpOption('tcp_sack', 34),
  tcp_timestamp: tcpOption('tcp_timestamp'),
  tcp_md5sig: tcpOption('tcp_md5sig'),
  tcp_ao: tcpOption('tcp_ao'),
  tcp_mptcp: tcpOption('tcp_mptcp'),
  tcp_fastopen: tcpOption('tcp_fastopen', 10),
  sctp_data: chunk('sctp_data'),
  sctp_init: chunk('sctp_init'),
  sctp_initack: chunk('sctp_initack'),
  sctp_sack: chunk('sctp_sack'),
  sctp_heartbeat: chunk('sctp_heartbeat'),
  sctp_heartbeatack: chunk('sctp_heartbeatack'),
  sctp_abort: chunk('sctp_abort'),
  sctp_shutdown: chunk('sctp_shutdown'),
  sctp_shutdownack: chunk('sctp_shutdownack'),
  sctp_error: chunk('sctp_error'),
  sctp_cookieecho: chunk('sctp_cookieecho'),
  sctp_cookieack: chunk('sctp_cookieack'),
  sctp_ecne: chunk('sctp_ecne'),
  sctp_cwr: chunk('sctp_cwr'),
  sctp_shutdowncomplete: chunk('sctp_shutdowncomplete'),
  sctp_asconfack: chunk('sctp_asconfack'),
  sctp_forwardtsn: chunk('sctp_forwardtsn'),
  sctp_asconf: chunk('sctp_asconf'),
}

type Part = Pick<Field, 'bit' | 'bits' | 'kind'>

/** Parts of headers that the field table has no row for, counted as there. */
const PARTS: Readonly<Record<string, Part>> = {
  'hopopt.padding': { bit: 16, bits: 16, kind: 'hex' }, // PadN of 4 bytes: RFC 8200 §4.2
  'dstopts.padding': { bit: 16, bits: 16, kind: 'hex' },
  'ip_timestamp.stamp': { bit: 32, bits: 32, kind: 'uint' },
}

/** The fields of one header that are fields of its special forms too. */
const FORMS: Readonly<Record<string, readonly string[]>> = { routing: ['routing0', 'routing2', 'srh'] }

export const HEADERS: ReadonlyMap<string, Header> = new Map(
  (Object.keys(ROWS) as HeaderName[]).map((name) => [name, header(name)]),
)

function header(name: HeaderName): Header {
  const facts = name === 'raw' ? undefined : protocol(name)
  const { minBytes = 0, ethertype, ipProtocol, only, udpPort } = facts ?? {}
  return {
    name,
    bytes: minBytes,
    ...(ethertype !== undefined && { ethertype }),
    ...(ipProtocol !== undefined && { ipProtocol }),
    ...(only && { only }),
    ...(udpPort && { udpPort }),
    ...ROWS[name],
  }
}

/** The fields of each header by their short names. The field table comes first. */
export const FIELDS_OF: ReadonlyMap<string, ReadonlyMap<string, Part>> = fieldsByHeader()

function fieldsByHeader(): ReadonlyMap<string, ReadonlyMap<string, Part>> {
  const fields = new Map(Array.from(HEADERS.keys(), (name) => [name, new Map<string, Part>()]))
  const rows: readonly (readonly [string, Part])[] = [...Object.entries(PARTS), ...Object.entries(FIELDS)]
  for (const [id, part] of rows) {
    const dot = id.indexOf('.')
    const name = id.slice(0, dot)
    for (const each of [name, ...(FORMS[name] ?? [])]) {
      // What a field of a header tells about the next one is not in it: the type behind a tag.
      const { bytes = 0 } = HEADERS.get(each) ?? {}
      if (part.bit + part.bits <= bytes * 8) fields.get(each)?.set(id.slice(dot + 1), part)
    }
  }
  return fields
}

/** A field that the tables must have: for the builder's own rules. @throws Error if they do not */
export function fieldOf(name: HeaderName, field: string): Part {
  const part = FIELDS_OF.get(name)?.get(field)
  if (!part) throw new Error(`no field ${name}.${field}`)
  return part
}
