// The words of nft 1.0.6: header fields with their types, types with the names of their values, priorities.
// Source: nft(8), `nft describe`, and what nft --debug=netlink shows.

import { type FieldId, VALUE_NAMES } from '@netsieve/packet'
import type { NftFamily } from './ast.ts'
import { HEADER_BITS, HEADER_SYMBOLS, HEADER_TITLES, type HeaderType, MORE_HEADERS, MORE_NEEDS } from './headers.ts'
import { CT_FIELDS, FIB_FIELDS, META_BITS, META_FIELDS, META_SYMBOLS, META_TITLES, type MetaType } from './metadata.ts'

export type TypeName =
  | 'integer'
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'inet_service'
  | 'inet_proto'
  | 'ether_type'
  | 'nf_proto'
  | 'dscp'
  | 'ecn'
  | 'icmp_type'
  | 'icmp_code'
  | 'icmpv6_type'
  | 'icmpv6_code'
  | 'arp_op'
  | 'tcp_flag'
  | HeaderType
  | MetaType

export interface FieldRow {
  readonly field: FieldId
  readonly type: TypeName
}

const row = (field: FieldId, type: TypeName = 'integer'): FieldRow => ({ field, type })
const rows = (table: Readonly<Record<string, readonly [FieldId, TypeName]>>) =>
  Object.fromEntries(Object.entries(table).map(([name, [field, type]]) => [name, row(field, type)]))
const ports = (proto: 'tcp' | 'udp' | 'udplite' | 'sctp' | 'dccp' | 'th') => ({
  sport: row(`${proto}.sport`, 'inet_service'),
  dport: row(`${proto}.dport`, 'inet_service'),
})

/** Fields by header and name. */
export const HEADERS: Readonly<Record<string, Readonly<Record<string, FieldRow>>>> = {
  meta: {
    l4proto: row('meta.l4proto', 'inet_proto'),
    nfproto: row('meta.nfproto', 'nf_proto'),
    protocol: row('meta.protocol', 'ether_type'),
    ...rows(META_FIELDS),
  },
  ct: rows(CT_FIELDS),
  fib: rows(FIB_FIELDS),
  ether: {
    saddr: row('eth.src', 'ether_addr'),
    daddr: row('eth.dst', 'ether_addr'),
    type: row('eth.type', 'ether_type'),
  },
  arp: {
    htype: row('arp.htype'),
    ptype: row('arp.ptype', 'ether_type'),
    hlen: row('arp.hlen'),
    plen: row('arp.plen'),
    operation: row('arp.op', 'arp_op'),
  },
  ip: {
    version: row('ipv4.version'),
    hdrlength: row('ipv4.ihl'),
    dscp: row('ipv4.dscp', 'dscp'),
    ecn: row('ipv4.ecn', 'ecn'),
    length: row('ipv4.length'),
    id: row('ipv4.id'),
    'frag-off': row('ipv4.frag'),
    ttl: row('ipv4.ttl'),
    protocol: row('ipv4.protocol', 'inet_proto'),
    checksum: row('ipv4.checksum'),
    saddr: row('ipv4.src', 'ipv4_addr'),
    daddr: row('ipv4.dst', 'ipv4_addr'),
  },
  ip6: {
    version: row('ipv6.version'),
    dscp: row('ipv6.dscp', 'dscp'),
    ecn: row('ipv6.ecn', 'ecn'),
    flowlabel: row('ipv6.flowlabel'),
    length: row('ipv6.plen'),
    nexthdr: row('ipv6.nexthdr', 'inet_proto'),
    hoplimit: row('ipv6.hoplimit'),
    saddr: row('ipv6.src', 'ipv6_addr'),
    daddr: row('ipv6.dst', 'ipv6_addr'),
  },
  tcp: {
    ...ports('tcp'),
    sequence: row('tcp.seq'),
    ackseq: row('tcp.ack'),
    doff: row('tcp.doff'),
    reserved: row('tcp.reserved'),
    flags: row('tcp.flags', 'tcp_flag'),
    window: row('tcp.window'),
    checksum: row('tcp.checksum'),
    urgptr: row('tcp.urgptr'),
  },
  udp: { ...ports('udp'), length: row('udp.length'), checksum: row('udp.checksum') },
  udplite: { ...ports('udplite'), csumcov: row('udplite.coverage'), checksum: row('udplite.checksum') },
  sctp: { ...ports('sctp'), vtag: row('sctp.vtag'), checksum: row('sctp.checksum') },
  dccp: { ...ports('dccp'), type: row('dccp.type', 'dccp_pkttype') },
  th: ports('th'),
  icmp: {
    type: row('icmp.type', 'icmp_type'),
    code: row('icmp.code', 'icmp_code'),
    checksum: row('icmp.checksum'),
    id: row('icmp.id'),
    sequence: row('icmp.seq'),
    mtu: row('icmp.mtu'),
    gateway: row('icmp.gateway'),
  },
  icmpv6: {
    type: row('icmp6.type', 'icmpv6_type'),
    code: row('icmp6.code', 'icmpv6_code'),
    checksum: row('icmp6.checksum'),
    'param-problem': row('icmp6.pointer'),
    mtu: row('icmp6.mtu'),
    id: row('icmp6.id'),
    sequence: row('icmp6.seq'),
    'max-delay': row('icmp6.maxdelay'),
  },
  ...MORE_HEADERS,
}

const words = (text: string) => new Set(text.trim().split(/\s+/))

/** Fields that nft has and this front-end does not understand. */
export const UNSUPPORTED_FIELDS: Readonly<Record<string, ReadonlySet<string>>> = {
  meta: words('secmark ibrname obrname ibrpvid ibrvproto broute'),
  ct: new Set(
    ['label', 'event', 'secmark', 'count', 'timeout', 'expectation', 'saddr', 'daddr', 'proto-src', 'proto-dst']
      .flatMap((name) => [name, `original ${name}`, `reply ${name}`])
      .concat(
        'original packets',
        'original bytes',
        'original avgpkt',
        'original zone',
        'original id',
        'reply packets',
        'reply bytes',
        'reply avgpkt',
        'reply zone',
        'reply id',
      ),
  ),
  rt: words('classid nexthop mtu ipsec'),
  icmpv6: words('taddr daddr'),
}

/** What a header needs of the packet: its network protocol, its transport protocol. */
export const NEEDS: Readonly<Record<string, { readonly network?: 'ip' | 'ip6' | 'arp'; readonly transport?: number }>> =
  {
    ip: { network: 'ip' },
    ip6: { network: 'ip6' },
    arp: { network: 'arp' },
    tcp: { transport: 6 },
    udp: { transport: 17 },
    udplite: { transport: 136 },
    sctp: { transport: 132 },
    dccp: { transport: 33 },
    icmp: { network: 'ip', transport: 1 },
    icmpv6: { network: 'ip6', transport: 58 },
    ...MORE_NEEDS,
  }

/** Named values of types, as `nft describe` lists them; ports, protocols and Ethernet types have tables of their own. */
export const SYMBOLS: Readonly<Partial<Record<TypeName, Readonly<Record<string, number>>>>> = {
  nf_proto: { ipv4: 2, ipv6: 10 },
  ether_type: { ip: 0x800, arp: 0x806, ip6: 0x86dd, '8021q': 0x8100, '8021ad': 0x88a8, vlan: 0x8100 },
  dscp: { ...VALUE_NAMES.dscp, df: 0, be: 0 },
  ecn: { 'not-ect': 0, ect1: 1, ect0: 2, ce: 3 },
  icmp_type: VALUE_NAMES.icmptype,
  icmp_code: {
    ...{ 'net-unreachable': 0, 'host-unreachable': 1, 'prot-unreachable': 2, 'port-unreachable': 3, 'frag-needed': 4 },
    ...{ 'net-prohibited': 9, 'host-prohibited': 10, 'admin-prohibited': 13 },
  },
  icmpv6_type: { ...VALUE_NAMES.icmp6type, 'mld-listener-reduction': 132 },
  icmpv6_code: {
    ...{ 'no-route': 0, 'admin-prohibited': 1, 'addr-unreachable': 3, 'port-unreachable': 4 },
    ...{ 'policy-fail': 5, 'reject-route': 6 },
  },
  arp_op: VALUE_NAMES.arpop,
  ...META_SYMBOLS,
  ...HEADER_SYMBOLS,
  tcp_flag: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
}

/** What values of a type are called in messages. */
export const TITLES: Readonly<Record<TypeName, string>> = {
  integer: 'a number',
  ipv4_addr: 'an IPv4 address',
  ipv6_addr: 'an IPv6 address',
  ether_addr: 'a MAC address',
  inet_service: 'a port',
  inet_proto: 'an IP protocol',
  ether_type: 'an Ethernet type',
  nf_proto: 'a network family',
  dscp: 'a DSCP value',
  ecn: 'an ECN value',
  icmp_type: 'an ICMP type',
  icmp_code: 'an ICMP code',
  icmpv6_type: 'an ICMPv6 type',
  icmpv6_code: 'an ICMPv6 code',
  arp_op: 'an ARP operation',
  tcp_flag: 'TCP flags',
  ...META_TITLES,
  ...HEADER_TITLES,
}

/** Bits of a named set's type. */
export const TYPE_BITS: Readonly<Partial<Record<TypeName, number>>> = {
  ipv4_addr: 32,
  ipv6_addr: 128,
  ether_addr: 48,
  inet_service: 16,
  inet_proto: 8,
  ether_type: 16,
  nf_proto: 8,
  dscp: 6,
  ecn: 2,
  icmp_type: 8,
  icmp_code: 8,
  icmpv6_type: 8,
  icmpv6_code: 8,
  arp_op: 16,
  tcp_flag: 8,
  ...META_BITS,
  ...HEADER_BITS,
}

/** Named chain priorities of the IP families (netdev knows `filter` only). */
export const PRIORITIES: Readonly<Record<string, number>> = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
}

/** The hooks that chains of a family may have, of those that are understood. */
export const FAMILY_HOOKS: Readonly<Record<NftFamily, readonly string[]>> = {
  ip: ['prerouting', 'input', 'forward', 'output', 'postrouting'],
  ip6: ['prerouting', 'input', 'forward', 'output', 'postrouting'],
  inet: ['prerouting', 'input', 'forward', 'output', 'postrouting'],
  netdev: ['ingress'],
  arp: [],
  bridge: [],
}
