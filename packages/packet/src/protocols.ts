// The protocols a filter can name: where their headers start, how long they are at least, what says that one follows.
// Sources: RFC 791, 8200, 826, 9293, 768, 792, 4443, 9260, 4340, 3828; IEEE 802.1Q.

/** Where a header's bytes are counted from. `meta` has no bytes: facts about the packet that a dissection or its metadata tells. */
export type Base = 'link' | 'net' | 'transport' | 'meta'

export interface Protocol {
  readonly title: string
  readonly base: Base
  /** Bytes of the fixed part of the header. */
  readonly minBytes: number
  /** What must hold for this header to be there. */
  readonly ethertype?: number
  readonly ipProtocol?: number
  /** The network protocol that it goes with, where only one does (ICMP with IPv4, ICMPv6 with IPv6). */
  readonly only?: 'ipv4' | 'ipv6'
}

export const PROTOCOLS = {
  meta: { title: 'packet metadata', base: 'meta', minBytes: 0 },
  eth: { title: 'Ethernet', base: 'link', minBytes: 14 },
  vlan: { title: 'IEEE 802.1Q tag', base: 'meta', minBytes: 4, ethertype: 0x8100 },
  arp: { title: 'ARP', base: 'net', minBytes: 28, ethertype: 0x0806 },
  ipv4: { title: 'IPv4', base: 'net', minBytes: 20, ethertype: 0x0800 },
  ipv6: { title: 'IPv6', base: 'net', minBytes: 40, ethertype: 0x86dd },
  th: { title: 'any transport with ports', base: 'transport', minBytes: 4 },
  tcp: { title: 'TCP', base: 'transport', minBytes: 20, ipProtocol: 6 },
  udp: { title: 'UDP', base: 'transport', minBytes: 8, ipProtocol: 17 },
  udplite: { title: 'UDP-Lite', base: 'transport', minBytes: 8, ipProtocol: 136 },
  sctp: { title: 'SCTP', base: 'transport', minBytes: 12, ipProtocol: 132 },
  dccp: { title: 'DCCP', base: 'transport', minBytes: 12, ipProtocol: 33 },
  icmp: { title: 'ICMP', base: 'transport', minBytes: 8, ipProtocol: 1, only: 'ipv4' },
  icmp6: { title: 'ICMPv6', base: 'transport', minBytes: 8, ipProtocol: 58, only: 'ipv6' },
  igmp: { title: 'IGMP', base: 'transport', minBytes: 8, ipProtocol: 2, only: 'ipv4' },
  ah: { title: 'IPsec AH', base: 'transport', minBytes: 12, ipProtocol: 51 },
  esp: { title: 'IPsec ESP', base: 'transport', minBytes: 8, ipProtocol: 50 },
} as const satisfies Record<string, Protocol>

export type ProtocolName = keyof typeof PROTOCOLS

export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  rarp: 0x8035,
  vlan: 0x8100,
  ipv6: 0x86dd,
  qinq: 0x88a8,
  qinqOld: 0x9100,
} as const

/** IP protocol numbers that dissection itself needs (IANA). */
export const IPPROTO = { hopopt: 0, icmp: 1, igmp: 2, tcp: 6, udp: 17, routing: 43, fragment: 44, esp: 50, ah: 51, icmp6: 58, none: 59, dstopts: 60, sctp: 132, mobility: 135, udplite: 136 } as const // biome-ignore format: one family

/** IPv6 extension headers that a walk to the transport header may follow, by their next-header numbers. */
export const EXTENSION_HEADERS = { hopopt: IPPROTO.hopopt, routing: IPPROTO.routing, dstopts: IPPROTO.dstopts, fragment: IPPROTO.fragment, ah: IPPROTO.ah } as const // biome-ignore format: one family

export type ExtensionHeader = keyof typeof EXTENSION_HEADERS

/** Netfilter's family numbers (uapi linux/netfilter.h), the values of `meta.nfproto`. */
export const NFPROTO = { ipv4: 2, ipv6: 10 } as const
