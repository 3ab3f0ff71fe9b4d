// The words of pcap-filter(7): keywords by what they do in a sentence, and the named numbers. Everything else is a name or an address.

import type { Test } from '@netsieve/ir'

/** Protocols that can stand alone (`tcp`), qualify (`tcp port 80`) or be indexed (`tcp[13]`), by spelling. */
export const PROTOCOL_WORDS = {
  ether: 'link',
  link: 'link',
  fddi: 'link',
  tr: 'link',
  wlan: 'link',
  ppp: 'link',
  slip: 'link',
  ip: 'ip',
  ip6: 'ip6',
  arp: 'arp',
  rarp: 'rarp',
  tcp: 'tcp',
  udp: 'udp',
  sctp: 'sctp',
  icmp: 'icmp',
  icmp6: 'icmp6',
  igmp: 'igmp',
  igrp: 'igrp',
  pim: 'pim',
  vrrp: 'vrrp',
  carp: 'carp',
  ah: 'ah',
  esp: 'esp',
  atalk: 'atalk',
  aarp: 'aarp',
  decnet: 'decnet',
  lat: 'lat',
  sca: 'sca',
  moprc: 'moprc',
  mopdl: 'mopdl',
  iso: 'iso',
  esis: 'esis',
  'es-is': 'esis',
  isis: 'isis',
  'is-is': 'isis',
  clnp: 'clnp',
  stp: 'stp',
  ipx: 'ipx',
  netbeui: 'netbeui',
  l1: 'l1',
  l2: 'l2',
  iih: 'iih',
  lsp: 'lsp',
  snp: 'snp',
  csnp: 'csnp',
  psnp: 'psnp',
  radio: 'radio',
} as const

export type ProtocolWord = (typeof PROTOCOL_WORDS)[keyof typeof PROTOCOL_WORDS]

export const CONNECTIVES: Readonly<Record<string, 'and' | 'or'>> = { and: 'and', '&&': 'and', or: 'or', '||': 'or' }
export const NEGATIONS: ReadonlySet<string> = new Set(['not', '!'])

export const TESTS: Readonly<Record<string, Test>> = {
  '=': '==',
  '==': '==',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}

/** Words that begin a primitive, besides protocols, directions and kinds. */
export const PRIMITIVES = [
  'broadcast',
  'multicast',
  'less',
  'greater',
  'byte',
  'inbound',
  'outbound',
  'ifindex',
  'ifname',
  'on',
  'vlan',
  'mpls',
  'pppoed',
  'pppoes',
  'geneve',
  'vxlan',
  'llc',
] as const

/** Primitives of link types and packet sources that are not modelled: refused by name. */
export const UNSUPPORTED: ReadonlySet<string> = new Set(
  (
    'rnr rulenum srnr subrulenum rset ruleset reason action type subtype dir direction addr1 addr2 addr3 addr4 ' +
    'address1 address2 address3 address4 ra ta ' +
    'lane oamf4sc oamf4ec oam oamf4 metac bcc sc ilmic connectmsg metaconnect vpi vci ' +
    'fisu fissu lssu lsu msu hfisu hfissu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls'
  ).split(' '),
)

export const DIRECTIONS = ['src', 'dst'] as const
export const KINDS = ['host', 'net', 'port', 'portrange', 'gateway', 'proto', 'protochain'] as const
export type Kind = (typeof KINDS)[number]

/** Named numbers: offsets of header fields, ICMP types, TCP flags (RFC 792, 4443 and IANA; the spellings are pcap-filter's). */
export const CONSTANTS: Readonly<Record<string, number>> = {
  icmptype: 0,
  icmpcode: 1,
  'icmp-echoreply': 0,
  'icmp-unreach': 3,
  'icmp-sourcequench': 4,
  'icmp-redirect': 5,
  'icmp-echo': 8,
  'icmp-routeradvert': 9,
  'icmp-routersolicit': 10,
  'icmp-timxceed': 11,
  'icmp-paramprob': 12,
  'icmp-tstamp': 13,
  'icmp-tstampreply': 14,
  'icmp-ireq': 15,
  'icmp-ireqreply': 16,
  'icmp-maskreq': 17,
  'icmp-maskreply': 18,
  icmp6type: 0,
  icmp6code: 1,
  'icmp6-destinationunreach': 1,
  'icmp6-packettoobig': 2,
  'icmp6-timeexceeded': 3,
  'icmp6-parameterproblem': 4,
  'icmp6-echo': 128,
  'icmp6-echoreply': 129,
  'icmp6-multicastlistenerquery': 130,
  'icmp6-multicastlistenerreportv1': 131,
  'icmp6-multicastlistenerdone': 132,
  'icmp6-routersolicit': 133,
  'icmp6-routeradvert': 134,
  'icmp6-neighborsolicit': 135,
  'icmp6-neighboradvert': 136,
  'icmp6-redirect': 137,
  'icmp6-routerrenum': 138,
  'icmp6-nodeinformationquery': 139,
  'icmp6-nodeinformationresponse': 140,
  'icmp6-ineighbordiscoverysolicit': 141,
  'icmp6-ineighbordiscoveryadvert': 142,
  'icmp6-multicastlistenerreportv2': 143,
  'icmp6-homeagentdiscoveryrequest': 144,
  'icmp6-homeagentdiscoveryreply': 145,
  'icmp6-mobileprefixsolicit': 146,
  'icmp6-mobileprefixadvert': 147,
  'icmp6-certpathsolicit': 148,
  'icmp6-certpathadvert': 149,
  'icmp6-multicastrouteradvert': 151,
  'icmp6-multicastroutersolicit': 152,
  'icmp6-multicastrouterterm': 153,
  tcpflags: 13,
  'tcp-fin': 0x01,
  'tcp-syn': 0x02,
  'tcp-rst': 0x04,
  'tcp-push': 0x08,
  'tcp-ack': 0x10,
  'tcp-urg': 0x20,
  'tcp-ece': 0x40,
  'tcp-cwr': 0x80,
}

const OTHER_WORDS = ['mask', 'len', 'length', 'not', 'and', 'or']

/** Every word with a meaning of its own, which a name must be escaped (`\tcp`) to spell; also what typos are compared with. */
export const KEYWORDS: ReadonlySet<string> = new Set<string>([
  ...Object.keys(PROTOCOL_WORDS),
  ...PRIMITIVES,
  ...UNSUPPORTED,
  ...DIRECTIONS,
  ...KINDS,
  ...OTHER_WORDS,
])

/** Types of LLC frames, by `llc TYPE`: the control octet's bits that tell them. */
export const LLC_TYPES = {
  i: 'information',
  s: 'supervisory',
  u: 'unnumbered',
  rr: 0x01,
  rnr: 0x05,
  rej: 0x09,
  ui: 0x03,
  ua: 0x63,
  disc: 0x43,
  test: 0xe3,
  sabme: 0x6f,
  xid: 0xaf,
  frmr: 0x87,
} as const
export type LlcType = keyof typeof LLC_TYPES
