// The words of tc flower (iproute2 6.1): keys with what they read and what tc wants before them, protocols' names, keys left to others.

import type { FieldId } from '@netsieve/packet'

/** How a key's value is written: each form is what tc 6.1 takes, which differs from key to key. */
export type ValueForm =
  | 'mac'
  | 'network'
  | 'ip-proto'
  | 'port'
  | 'byte'
  | 'hex'
  | 'decimal'
  | 'arp-op'
  | 'ip-flags'
  | 'device'

export interface KeyRow {
  readonly form: ValueForm
  /** Largest value. */
  readonly max?: number
  /** The `protocol`s that the key goes with; any where absent. */
  readonly with?: readonly ('ipv4' | 'ipv6' | 'arp' | 'vlan')[]
  /** The `ip_proto`s of which one must stand before the key. */
  readonly after?: readonly number[]
  /** The field compared, or one for each network protocol. Keys that are a part of a field have their own lines in lower.ts. */
  readonly field?: FieldId | { readonly ipv4: FieldId; readonly ipv6: FieldId }
}

const IP = ['ipv4', 'ipv6'] as const
const PORTS = [6, 17, 132] as const

export const KEYS = {
  indev: { form: 'device', field: 'meta.iifname' },
  src_mac: { form: 'mac', field: 'eth.src' },
  dst_mac: { form: 'mac', field: 'eth.dst' },
  vlan_id: { form: 'decimal', max: 4095, with: ['vlan'] },
  vlan_prio: { form: 'decimal', max: 7, with: ['vlan'] },
  ip_proto: { form: 'ip-proto', with: IP, field: 'meta.l4proto' },
  src_ip: { form: 'network', with: IP, field: { ipv4: 'ipv4.src', ipv6: 'ipv6.src' } },
  dst_ip: { form: 'network', with: IP, field: { ipv4: 'ipv4.dst', ipv6: 'ipv6.dst' } },
  ip_tos: { form: 'byte', max: 255, with: IP, field: { ipv4: 'ipv4.tos', ipv6: 'ipv6.tclass' } },
  ip_ttl: { form: 'byte', max: 255, with: IP, field: { ipv4: 'ipv4.ttl', ipv6: 'ipv6.hoplimit' } },
  ip_flags: { form: 'ip-flags', with: ['ipv4'] },
  src_port: { form: 'port', with: IP, after: PORTS, field: 'th.sport' },
  dst_port: { form: 'port', with: IP, after: PORTS, field: 'th.dport' },
  tcp_flags: { form: 'hex', max: 0xfff, with: IP, after: [6] },
  type: { form: 'decimal', max: 255, with: IP, after: [1, 58], field: { ipv4: 'icmp.type', ipv6: 'icmp6.type' } },
  code: { form: 'decimal', max: 255, with: IP, after: [1, 58], field: { ipv4: 'icmp.code', ipv6: 'icmp6.code' } },
  arp_sip: { form: 'network', with: ['arp'], field: 'arp.sip' },
  arp_tip: { form: 'network', with: ['arp'], field: 'arp.tip' },
  arp_op: { form: 'arp-op', max: 2, with: ['arp'], field: 'arp.op' },
  arp_sha: { form: 'mac', with: ['arp'], field: 'arp.sha' },
  arp_tha: { form: 'mac', with: ['arp'], field: 'arp.tha' },
} as const satisfies Record<string, KeyRow>

export type KeyName = keyof typeof KEYS

/** Keys of tc that are not modelled; said so, never left out. */
export const OTHER_KEYS: readonly string[] = (
  'num_of_vlans vlan_ethtype cvlan_id cvlan_prio cvlan_ethtype pppoe_sid ppp_proto mpls mpls_label mpls_tc mpls_bos mpls_ttl ' +
  'l2tpv3_sid cfm spi l2_miss enc_key_id enc_src_ip enc_dst_ip enc_dst_port enc_tos enc_ttl enc_flags geneve_opts vxlan_opts ' +
  'erspan_opts gtp_opts pfcp_opts ct_state ct_zone ct_mark ct_label classid flowid hw_tc'
).split(' ')

/** Ethernet types that tc knows by name (in any case); others are written as numbers. */
export const PROTOCOL_NAMES: Readonly<Record<string, number>> = {
  ip: 0x0800,
  ipv4: 0x0800,
  ipv6: 0x86dd,
  arp: 0x0806,
  rarp: 0x8035,
  '802.1q': 0x8100,
  '802.1ad': 0x88a8,
  mpls_uc: 0x8847,
  mpls_mc: 0x8848,
}

/** ETH_P_ALL. */
export const ALL = 3

/** Types that the flow dissector looks behind, so that what it compares is the type of something inside. */
export const LOOKED_BEHIND: Readonly<Record<number, string>> = {
  34916: 'PPPoE sessions',
  17157: 'batman-adv',
  35067: 'PRP',
  35119: 'HSR',
}

export const IP_PROTO_NAMES: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 }
export const ARP_OPS: Readonly<Record<string, number>> = { request: 1, reply: 2 }
export const IP_FLAGS = ['frag', 'nofrag', 'firstfrag', 'nofirstfrag'] as const
export type IpFlag = (typeof IP_FLAGS)[number]

/** The word after `action` and what it does; others are not modelled. */
export const ACTIONS = { drop: 'drop', shot: 'drop', pass: 'accept', ok: 'accept', continue: 'continue' } as const
