// The protocols a filter can name: where their headers start, how long they are at least, what says that one follows.
// Sources: RFC 791, 8200, 826, 9293, 768, 792, 4443, 9260, 4340, 3828, 2784, 7348, 8926; IEEE 802.1Q; IANA's registries of options and chunks.

/** Where a header's bytes are counted from. `meta` has no bytes: facts about the packet that a dissection or its metadata tells. */
export type Base = 'link' | 'net' | 'transport' | 'meta'

/** A list that is walked to find an entry by its type; it belongs to the header that its name tells. */
export type ListName = 'ipv4' | 'ipv6' | 'tcp' | 'dccp' | 'sctp'

/** Bytes of the packet, from the base, that say whether a header is there: `bytes & mask` lies in one of the ranges. */
export interface Condition {
  readonly at: number
  readonly bytes: 1 | 2 | 4
  readonly mask?: number
  readonly ranges: readonly (readonly [lo: number, hi: number])[]
}

export interface Protocol {
  readonly title: string
  readonly base: Base
  /** Bytes of the fixed part of the header. */
  readonly minBytes: number
  /** Bytes from the base to the header, where it does not start there. */
  readonly at?: number
  /** What must hold for this header to be there. */
  readonly ethertype?: number
  readonly ipProtocol?: number
  /** The network protocol that it goes with, where only one does (ICMP with IPv4, ICMPv6 with IPv6). */
  readonly only?: 'ipv4' | 'ipv6'
  /** The UDP port of a tunnel. */
  readonly udpPort?: number
  /** All of these, for a header whose fields are not there otherwise. */
  readonly presence?: readonly Condition[]
  /** Optional parts of four bytes each that stand before this one: present if `byte & mask` is not 0. */
  readonly behind?: readonly { readonly at: number; readonly mask: number }[]
  /** The first entry of a type in a list. */
  readonly entry?: { readonly list: ListName; readonly type: number }
}

/** Tags 0 to `index` are there, each with its own word. */
const tags = (index: number): readonly Condition[] =>
  Array.from({ length: index + 1 }, (_, i) => ({
    at: 12 + 4 * i,
    bytes: 4,
    ranges: [
      [0x8100_0000, 0x8100_ffff],
      [0x88a8_0000, 0x88a8_ffff],
    ],
  }))
const tag = (index: number) => ({ title: 'IEEE 802.1Q tag', base: 'link', at: 12 + 4 * index, minBytes: 4, presence: tags(index) }) as const // biome-ignore format: one row

/** None of the labels before `index` is the last of the stack. */
const labels = (index: number): readonly Condition[] =>
  Array.from({ length: index }, (_, i) => ({ at: 4 * i + 2, bytes: 1, mask: 1, ranges: [[0, 0]] }))
const label = (index: number) => ({ title: 'MPLS label', base: 'net', at: 4 * index, minBytes: 4, presence: labels(index) }) as const // biome-ignore format: one row

/** `byte at & mask` is not 0. */
const flag = (at: number, mask: number) => [{ at, bytes: 1, mask, ranges: [[1, 255]] }] as const
const SOME_LENGTH: Condition = { at: 12, bytes: 2, ranges: [[0, 1500]] }
const SNAP: Condition = { at: 14, bytes: 2, ranges: [[0xaaaa, 0xaaaa]] }

const entry = (title: string, list: ListName, type: number, minBytes: number) =>
  ({ title, base: list === 'ipv4' || list === 'ipv6' ? 'net' : 'transport', minBytes, entry: { list, type } }) as const
const chunk = (name: string, type: number, minBytes = 4) => entry(`SCTP ${name} chunk`, 'sctp', type, minBytes)
const option = (name: string, kind: number, minBytes: number) => entry(`TCP ${name} option`, 'tcp', kind, minBytes)
const extension = (title: string, type: number, minBytes: number) => ({ ...entry(title, 'ipv6', type, minBytes), only: 'ipv6' }) as const // biome-ignore format: one row

export const PROTOCOLS = {
  meta: { title: 'packet metadata', base: 'meta', minBytes: 0 },
  eth: { title: 'Ethernet', base: 'link', minBytes: 14 },
  llc: { title: 'IEEE 802.2 LLC', base: 'link', at: 14, minBytes: 3, presence: [SOME_LENGTH] },
  snap: { title: 'SNAP', base: 'link', at: 17, minBytes: 5, presence: [SOME_LENGTH, SNAP] },
  vlan: { ...tag(0), ethertype: 0x8100 },
  vlan1: tag(1),
  vlan2: tag(2),
  vlan3: tag(3),
  mpls: { ...label(0), ethertype: 0x8847 },
  mpls1: label(1),
  mpls2: label(2),
  mpls3: label(3),
  mpls4: label(4),
  mpls5: label(5),
  mpls6: label(6),
  pppoe: { title: 'PPPoE session', base: 'net', minBytes: 6, ethertype: 0x8864 },
  ppp: { title: 'PPP', base: 'net', at: 6, minBytes: 2 },
  arp: { title: 'ARP', base: 'net', minBytes: 28, ethertype: 0x0806 },
  ipv4: { title: 'IPv4', base: 'net', minBytes: 20, ethertype: 0x0800 },
  ip_rr: entry('IPv4 record route option', 'ipv4', 7, 3),
  ip_lsrr: entry('IPv4 loose source route option', 'ipv4', 131, 3),
  ip_ssrr: entry('IPv4 strict source route option', 'ipv4', 137, 3),
  ip_ra: entry('IPv4 router alert option', 'ipv4', 148, 4),
  ip_timestamp: entry('IPv4 timestamp option', 'ipv4', 68, 4),
  ip_security: entry('IPv4 security option', 'ipv4', 130, 3),
  ip_cipso: entry('IPv4 CIPSO option', 'ipv4', 134, 6),
  ip_sid: entry('IPv4 stream identifier option', 'ipv4', 136, 4),
  ipv6: { title: 'IPv6', base: 'net', minBytes: 40, ethertype: 0x86dd },
  hopopt: extension('IPv6 hop-by-hop options', 0, 2),
  dstopts: extension('IPv6 destination options', 60, 2),
  routing: extension('IPv6 routing header', 43, 4),
  routing0: extension('IPv6 routing header of type 0', 43, 24),
  routing2: extension('IPv6 routing header of type 2', 43, 24),
  srh: extension('IPv6 segment routing header', 43, 8),
  fragment: extension('IPv6 fragment header', 44, 8),
  mobility: extension('IPv6 mobility header', 135, 6),
  ah6: extension('IPsec AH among IPv6 extension headers', 51, 12),
  th: { title: 'any transport with ports', base: 'transport', minBytes: 4 },
  tcp: { title: 'TCP', base: 'transport', minBytes: 20, ipProtocol: 6 },
  tcp_eol: option('end of options', 0, 1),
  tcp_nop: option('no-operation', 1, 1),
  tcp_maxseg: option('maximum segment size', 2, 4),
  tcp_window: option('window scale', 3, 3),
  tcp_sackperm: option('SACK permitted', 4, 2),
  tcp_sack: option('SACK', 5, 2),
  tcp_timestamp: option('timestamps', 8, 10),
  tcp_md5sig: option('MD5 signature', 19, 18),
  tcp_ao: option('authentication', 29, 4),
  tcp_mptcp: option('Multipath TCP', 30, 3),
  tcp_fastopen: option('Fast Open', 34, 2),
  udp: { title: 'UDP', base: 'transport', minBytes: 8, ipProtocol: 17 },
  udplite: { title: 'UDP-Lite', base: 'transport', minBytes: 8, ipProtocol: 136 },
  sctp: { title: 'SCTP', base: 'transport', minBytes: 12, ipProtocol: 132 },
  sctp_data: chunk('DATA', 0, 16),
  sctp_init: chunk('INIT', 1, 20),
  sctp_initack: chunk('INIT ACK', 2, 20),
  sctp_sack: chunk('SACK', 3, 16),
  sctp_heartbeat: chunk('HEARTBEAT', 4),
  sctp_heartbeatack: chunk('HEARTBEAT ACK', 5),
  sctp_abort: chunk('ABORT', 6),
  sctp_shutdown: chunk('SHUTDOWN', 7, 8),
  sctp_shutdownack: chunk('SHUTDOWN ACK', 8),
  sctp_error: chunk('ERROR', 9),
  sctp_cookieecho: chunk('COOKIE ECHO', 10),
  sctp_cookieack: chunk('COOKIE ACK', 11),
  sctp_ecne: chunk('ECNE', 12, 8),
  sctp_cwr: chunk('CWR', 13, 8),
  sctp_shutdowncomplete: chunk('SHUTDOWN COMPLETE', 14),
  sctp_asconfack: chunk('ASCONF-ACK', 128, 8),
  sctp_forwardtsn: chunk('FORWARD TSN', 192, 8),
  sctp_asconf: chunk('ASCONF', 193, 8),
  dccp: { title: 'DCCP', base: 'transport', minBytes: 12, ipProtocol: 33 },
  icmp: { title: 'ICMP', base: 'transport', minBytes: 8, ipProtocol: 1, only: 'ipv4' },
  icmp6: { title: 'ICMPv6', base: 'transport', minBytes: 8, ipProtocol: 58, only: 'ipv6' },
  nd: {
    title: 'the address that neighbour discovery and MLD are about',
    base: 'transport',
    at: 8,
    minBytes: 16,
    only: 'ipv6',
  },
  nd_redirect: {
    title: 'the destination of a neighbour discovery redirect',
    base: 'transport',
    at: 24,
    minBytes: 16,
    only: 'ipv6',
  },
  igmp: { title: 'IGMP', base: 'transport', minBytes: 8, ipProtocol: 2, only: 'ipv4' },
  ah: { title: 'IPsec AH', base: 'transport', minBytes: 12, ipProtocol: 51 },
  esp: { title: 'IPsec ESP', base: 'transport', minBytes: 8, ipProtocol: 50 },
  ipcomp: { title: 'IPComp', base: 'transport', minBytes: 4, ipProtocol: 108 },
  gre: { title: 'GRE', base: 'transport', minBytes: 4, ipProtocol: 47 },
  gre_checksum: { title: 'GRE checksum', base: 'transport', at: 4, minBytes: 4, presence: flag(0, 0x80) },
  gre_key: {
    title: 'GRE key',
    base: 'transport',
    at: 4,
    minBytes: 4,
    presence: flag(0, 0x20),
    behind: [{ at: 0, mask: 0x80 }],
  },
  gre_seq: {
    title: 'GRE sequence number',
    base: 'transport',
    at: 4,
    minBytes: 4,
    presence: flag(0, 0x10),
    behind: [
      { at: 0, mask: 0x80 },
      { at: 0, mask: 0x20 },
    ],
  },
  vxlan: { title: 'VXLAN', base: 'transport', at: 8, minBytes: 8, udpPort: 4789 },
  geneve: { title: 'Geneve', base: 'transport', at: 8, minBytes: 8, udpPort: 6081 },
  gtpu: { title: 'GTP-U', base: 'transport', at: 8, minBytes: 8, udpPort: 2152 },
  gtpu_optional: { title: 'optional fields of GTP-U', base: 'transport', at: 16, minBytes: 4, presence: flag(8, 0x07) },
  l2tp3: { title: 'L2TPv3 over IP', base: 'transport', minBytes: 4, ipProtocol: 115 },
} as const satisfies Record<string, Protocol>

export type ProtocolName = keyof typeof PROTOCOLS

/** A row of the table, with all that rows may hold. */
export function protocol(name: ProtocolName): Protocol {
  return PROTOCOLS[name]
}

export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  qinq: 0x88a8,
  qinqOld: 0x9100,
  mpls: 0x8847,
  mplsMulticast: 0x8848,
  pppoe: 0x8864,
} as const

/** IP protocol numbers that dissection itself needs (IANA). */
export const IPPROTO = { hopopt: 0, icmp: 1, igmp: 2, tcp: 6, udp: 17, dccp: 33, routing: 43, fragment: 44, gre: 47, esp: 50, ah: 51, icmp6: 58, none: 59, dstopts: 60, ipcomp: 108, l2tp3: 115, sctp: 132, mobility: 135, udplite: 136 } as const // biome-ignore format: one family

/** IPv6 extension headers that a walk to the transport header may follow, by their next-header numbers. */
export const EXTENSION_HEADERS = { hopopt: IPPROTO.hopopt, routing: IPPROTO.routing, dstopts: IPPROTO.dstopts, fragment: IPPROTO.fragment, ah: IPPROTO.ah } as const // biome-ignore format: one family

export type ExtensionHeader = keyof typeof EXTENSION_HEADERS

/** Netfilter's family numbers (uapi linux/netfilter.h), the values of `meta.nfproto`. */
export const NFPROTO = { ipv4: 2, ipv6: 10 } as const
