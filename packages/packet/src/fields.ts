// The fields of the protocols, in bits from the start of their header. Parsers, evaluation, code generation, the packet builder,
// equivalence and documentation read the same rows: a new field is one row here.
//
//   bit 0 is the most significant bit of the header's first byte, as in the RFCs' pictures

import { METADATA } from './metadata.ts'
import type { ProtocolName } from './protocols.ts'

/** How a value is written and read as text. */
export const VALUE_KINDS = [
  'uint',
  'hex',
  'mac',
  'ipv4',
  'ipv6',
  'port',
  'ethertype',
  'ipproto',
  'nfproto',
  'flags',
  'ifname', // text of at most 15 characters, its bytes as a number, filled up with zeros behind
  'bytes',
] as const

export type ValueKind = (typeof VALUE_KINDS)[number]

export interface Field {
  readonly proto: ProtocolName
  readonly bit: number
  readonly bits: number
  readonly kind: ValueKind
}

export const FIELDS = {
  'meta.protocol': { proto: 'meta', bit: 0, bits: 16, kind: 'ethertype' }, // the network protocol after the tags that the view skips
  'meta.nfproto': { proto: 'meta', bit: 0, bits: 8, kind: 'nfproto' },
  'meta.l4proto': { proto: 'meta', bit: 0, bits: 8, kind: 'ipproto' }, // IPv4's protocol, or the end of IPv6's header chain
  'meta.length': { proto: 'meta', bit: 0, bits: 32, kind: 'uint' }, // of the packet from its network header on
  ...METADATA,
  'eth.dst': { proto: 'eth', bit: 0, bits: 48, kind: 'mac' },
  'eth.src': { proto: 'eth', bit: 48, bits: 48, kind: 'mac' },
  'eth.type': { proto: 'eth', bit: 96, bits: 16, kind: 'ethertype' },
  'vlan.tpid': { proto: 'vlan', bit: 0, bits: 16, kind: 'ethertype' }, // of the outermost tag
  'vlan.tci': { proto: 'vlan', bit: 16, bits: 16, kind: 'hex' },
  'arp.htype': { proto: 'arp', bit: 0, bits: 16, kind: 'uint' },
  'arp.ptype': { proto: 'arp', bit: 16, bits: 16, kind: 'ethertype' },
  'arp.hlen': { proto: 'arp', bit: 32, bits: 8, kind: 'uint' },
  'arp.plen': { proto: 'arp', bit: 40, bits: 8, kind: 'uint' },
  'arp.op': { proto: 'arp', bit: 48, bits: 16, kind: 'uint' },
  'arp.sha': { proto: 'arp', bit: 64, bits: 48, kind: 'mac' },
  'arp.sip': { proto: 'arp', bit: 112, bits: 32, kind: 'ipv4' },
  'arp.tha': { proto: 'arp', bit: 144, bits: 48, kind: 'mac' },
  'arp.tip': { proto: 'arp', bit: 192, bits: 32, kind: 'ipv4' },
  'ipv4.version': { proto: 'ipv4', bit: 0, bits: 4, kind: 'uint' },
  'ipv4.ihl': { proto: 'ipv4', bit: 4, bits: 4, kind: 'uint' },
  'ipv4.tos': { proto: 'ipv4', bit: 8, bits: 8, kind: 'hex' },
  'ipv4.dscp': { proto: 'ipv4', bit: 8, bits: 6, kind: 'uint' },
  'ipv4.ecn': { proto: 'ipv4', bit: 14, bits: 2, kind: 'uint' },
  'ipv4.length': { proto: 'ipv4', bit: 16, bits: 16, kind: 'uint' },
  'ipv4.id': { proto: 'ipv4', bit: 32, bits: 16, kind: 'uint' },
  'ipv4.frag': { proto: 'ipv4', bit: 48, bits: 16, kind: 'hex' }, // reserved, DF, MF and the offset together
  'ipv4.df': { proto: 'ipv4', bit: 49, bits: 1, kind: 'uint' },
  'ipv4.mf': { proto: 'ipv4', bit: 50, bits: 1, kind: 'uint' },
  'ipv4.fragoff': { proto: 'ipv4', bit: 51, bits: 13, kind: 'uint' },
  'ipv4.ttl': { proto: 'ipv4', bit: 64, bits: 8, kind: 'uint' },
  'ipv4.protocol': { proto: 'ipv4', bit: 72, bits: 8, kind: 'ipproto' },
  'ipv4.checksum': { proto: 'ipv4', bit: 80, bits: 16, kind: 'hex' },
  'ipv4.src': { proto: 'ipv4', bit: 96, bits: 32, kind: 'ipv4' },
  'ipv4.dst': { proto: 'ipv4', bit: 128, bits: 32, kind: 'ipv4' },
  'ipv6.version': { proto: 'ipv6', bit: 0, bits: 4, kind: 'uint' },
  'ipv6.tclass': { proto: 'ipv6', bit: 4, bits: 8, kind: 'hex' },
  'ipv6.dscp': { proto: 'ipv6', bit: 4, bits: 6, kind: 'uint' },
  'ipv6.ecn': { proto: 'ipv6', bit: 10, bits: 2, kind: 'uint' },
  'ipv6.flowlabel': { proto: 'ipv6', bit: 12, bits: 20, kind: 'hex' },
  'ipv6.plen': { proto: 'ipv6', bit: 32, bits: 16, kind: 'uint' },
  'ipv6.nexthdr': { proto: 'ipv6', bit: 48, bits: 8, kind: 'ipproto' },
  'ipv6.hoplimit': { proto: 'ipv6', bit: 56, bits: 8, kind: 'uint' },
  'ipv6.src': { proto: 'ipv6', bit: 64, bits: 128, kind: 'ipv6' },
  'ipv6.dst': { proto: 'ipv6', bit: 192, bits: 128, kind: 'ipv6' },
  'th.sport': { proto: 'th', bit: 0, bits: 16, kind: 'port' },
  'th.dport': { proto: 'th', bit: 16, bits: 16, kind: 'port' },
  'tcp.sport': { proto: 'tcp', bit: 0, bits: 16, kind: 'port' },
  'tcp.dport': { proto: 'tcp', bit: 16, bits: 16, kind: 'port' },
  'tcp.seq': { proto: 'tcp', bit: 32, bits: 32, kind: 'uint' },
  'tcp.ack': { proto: 'tcp', bit: 64, bits: 32, kind: 'uint' },
  'tcp.doff': { proto: 'tcp', bit: 96, bits: 4, kind: 'uint' },
  'tcp.flags': { proto: 'tcp', bit: 104, bits: 8, kind: 'flags' },
  'tcp.window': { proto: 'tcp', bit: 112, bits: 16, kind: 'uint' },
  'tcp.checksum': { proto: 'tcp', bit: 128, bits: 16, kind: 'hex' },
  'tcp.urgptr': { proto: 'tcp', bit: 144, bits: 16, kind: 'uint' },
  'udp.sport': { proto: 'udp', bit: 0, bits: 16, kind: 'port' },
  'udp.dport': { proto: 'udp', bit: 16, bits: 16, kind: 'port' },
  'udp.length': { proto: 'udp', bit: 32, bits: 16, kind: 'uint' },
  'udp.checksum': { proto: 'udp', bit: 48, bits: 16, kind: 'hex' },
  'udplite.sport': { proto: 'udplite', bit: 0, bits: 16, kind: 'port' },
  'udplite.dport': { proto: 'udplite', bit: 16, bits: 16, kind: 'port' },
  'udplite.coverage': { proto: 'udplite', bit: 32, bits: 16, kind: 'uint' },
  'udplite.checksum': { proto: 'udplite', bit: 48, bits: 16, kind: 'hex' },
  'sctp.sport': { proto: 'sctp', bit: 0, bits: 16, kind: 'port' },
  'sctp.dport': { proto: 'sctp', bit: 16, bits: 16, kind: 'port' },
  'sctp.vtag': { proto: 'sctp', bit: 32, bits: 32, kind: 'hex' },
  'sctp.checksum': { proto: 'sctp', bit: 64, bits: 32, kind: 'hex' },
  'dccp.sport': { proto: 'dccp', bit: 0, bits: 16, kind: 'port' },
  'dccp.dport': { proto: 'dccp', bit: 16, bits: 16, kind: 'port' },
  'icmp.type': { proto: 'icmp', bit: 0, bits: 8, kind: 'uint' },
  'icmp.code': { proto: 'icmp', bit: 8, bits: 8, kind: 'uint' },
  'icmp.checksum': { proto: 'icmp', bit: 16, bits: 16, kind: 'hex' },
  'icmp.id': { proto: 'icmp', bit: 32, bits: 16, kind: 'uint' },
  'icmp.seq': { proto: 'icmp', bit: 48, bits: 16, kind: 'uint' },
  'icmp6.type': { proto: 'icmp6', bit: 0, bits: 8, kind: 'uint' },
  'icmp6.code': { proto: 'icmp6', bit: 8, bits: 8, kind: 'uint' },
  'icmp6.checksum': { proto: 'icmp6', bit: 16, bits: 16, kind: 'hex' },
  'icmp6.id': { proto: 'icmp6', bit: 32, bits: 16, kind: 'uint' },
  'icmp6.seq': { proto: 'icmp6', bit: 48, bits: 16, kind: 'uint' },
  'igmp.type': { proto: 'igmp', bit: 0, bits: 8, kind: 'hex' },
  'igmp.mrt': { proto: 'igmp', bit: 8, bits: 8, kind: 'uint' },
  'igmp.checksum': { proto: 'igmp', bit: 16, bits: 16, kind: 'hex' },
  'igmp.group': { proto: 'igmp', bit: 32, bits: 32, kind: 'ipv4' },
  'ah.nexthdr': { proto: 'ah', bit: 0, bits: 8, kind: 'ipproto' },
  'ah.spi': { proto: 'ah', bit: 32, bits: 32, kind: 'hex' },
  'ah.seq': { proto: 'ah', bit: 64, bits: 32, kind: 'uint' },
  'esp.spi': { proto: 'esp', bit: 0, bits: 32, kind: 'hex' },
  'esp.seq': { proto: 'esp', bit: 32, bits: 32, kind: 'uint' },
} as const satisfies Record<string, Field>

export type FieldId = keyof typeof FIELDS

/** The largest value a field can hold. */
export function maxValue(field: FieldId): bigint {
  return (1n << BigInt(FIELDS[field].bits)) - 1n
}
