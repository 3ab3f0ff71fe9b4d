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
  | 'masked'
  | 'any-base'
  | 'masked-any'
  | 'arp-op'
  | 'ip-flags'
  | 'device'
  | 'ether-type'
  | 'ppp-proto'
  | 'ct-state'
  | 'ct-label'
  | 'any-network'
  | 'one-port'

/** What Ethernet types say that there is, as keys ask for it. */
export type Layer = 'ipv4' | 'ipv6' | 'arp' | 'vlan' | 'mpls' | 'pppoe' | 'cfm'

export interface KeyRow {
  readonly form: ValueForm
  /** Largest value. */
  readonly max?: number
  /** What must be there; any where absent: behind the tags that the filter names, or for keys of a tag before and behind the outer one. */
  readonly with?: readonly Layer[]
  /** Keys of a tag: the outermost, or the one inside. */
  readonly tag?: 0 | 1
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
  num_of_vlans: { form: 'decimal', max: 255 },
  vlan_id: { form: 'decimal', max: 4095, tag: 0, field: 'vlan.id' },
  vlan_prio: { form: 'decimal', max: 7, tag: 0, field: 'vlan.pcp' },
  vlan_ethtype: { form: 'ether-type', tag: 0, field: 'vlan.type' },
  cvlan_id: { form: 'decimal', max: 4095, tag: 1, field: 'vlan1.id' },
  cvlan_prio: { form: 'decimal', max: 7, tag: 1, field: 'vlan1.pcp' },
  cvlan_ethtype: { form: 'ether-type', tag: 1, field: 'vlan1.type' },
  pppoe_sid: { form: 'decimal', max: 65535, with: ['pppoe'], field: 'pppoe.sid' },
  ppp_proto: { form: 'ppp-proto', with: ['pppoe'], field: 'ppp.protocol' },
  mpls_label: { form: 'decimal', max: 0xfffff, with: ['mpls'], field: 'mpls.label' },
  mpls_tc: { form: 'decimal', max: 7, with: ['mpls'], field: 'mpls.tc' },
  mpls_bos: { form: 'decimal', max: 1, with: ['mpls'], field: 'mpls.bos' },
  mpls_ttl: { form: 'decimal', max: 255, with: ['mpls'], field: 'mpls.ttl' },
  ip_proto: { form: 'ip-proto', with: IP, field: 'meta.l4proto' },
  src_ip: { form: 'network', with: IP, field: { ipv4: 'ipv4.src', ipv6: 'ipv6.src' } },
  dst_ip: { form: 'network', with: IP, field: { ipv4: 'ipv4.dst', ipv6: 'ipv6.dst' } },
  ip_tos: { form: 'byte', max: 255, with: IP, field: { ipv4: 'ipv4.tos', ipv6: 'ipv6.tclass' } },
  ip_ttl: { form: 'byte', max: 255, with: IP, field: { ipv4: 'ipv4.ttl', ipv6: 'ipv6.hoplimit' } },
  ip_flags: { form: 'ip-flags', with: ['ipv4'] },
  src_port: { form: 'port', with: IP, after: PORTS, field: 'th.sport' },
  dst_port: { form: 'port', with: IP, after: PORTS, field: 'th.dport' },
  tcp_flags: { form: 'hex', max: 0xfff, with: IP, after: [6] },
  type: { form: 'masked', max: 255, with: IP, after: [1, 58], field: { ipv4: 'icmp.type', ipv6: 'icmp6.type' } },
  code: { form: 'masked', max: 255, with: IP, after: [1, 58], field: { ipv4: 'icmp.code', ipv6: 'icmp6.code' } },
  arp_sip: { form: 'network', with: ['arp'], field: 'arp.sip' },
  arp_tip: { form: 'network', with: ['arp'], field: 'arp.tip' },
  arp_op: { form: 'arp-op', max: 2, with: ['arp'], field: 'arp.op' },
  arp_sha: { form: 'mac', with: ['arp'], field: 'arp.sha' },
  arp_tha: { form: 'mac', with: ['arp'], field: 'arp.tha' },
  // Newer than tc 6.1, as tc-flower(8) of 6.18 has them.
  l2tpv3_sid: { form: 'any-base', max: 0xffffffff, with: IP, after: [115], field: 'l2tp3.sid' },
  spi: { form: 'any-base', max: 0xffffffff, with: IP, after: [50, 51] },
  // What the action ct found in a filter before, and the tunnel that a packet came by: told beside its bytes.
  ct_state: { form: 'ct-state', field: 'tc.ct.state' },
  ct_zone: { form: 'masked-any', max: 0xffff, field: 'tc.ct.zone' },
  ct_mark: { form: 'masked-any', max: 0xffffffff, field: 'tc.ct.mark' },
  ct_label: { form: 'ct-label', field: 'tc.ct.label' },
  enc_key_id: { form: 'decimal', max: 0xffffffff, field: 'tunnel.id' },
  enc_src_ip: { form: 'any-network', field: { ipv4: 'tunnel.src', ipv6: 'tunnel.src6' } },
  enc_dst_ip: { form: 'any-network', field: { ipv4: 'tunnel.dst', ipv6: 'tunnel.dst6' } },
  enc_dst_port: { form: 'one-port', max: 0xffff, field: 'tunnel.dport' },
  enc_tos: { form: 'byte', max: 255, field: 'tunnel.tos' },
  enc_ttl: { form: 'byte', max: 255, field: 'tunnel.ttl' },
} as const satisfies Record<string, KeyRow>

export type KeyName = keyof typeof KEYS

/** The levels and operations of `cfm mdl LEVEL op OPCODE` (IEEE 802.1ag). */
export const CFM_KEYS = { mdl: { max: 7 }, op: { max: 255 } } as const

/** The fields of `mpls lse depth DEPTH { label LABEL | tc TC | bos BOS | ttl TTL }`. */
export const LSE_KEYS = { label: 'mpls_label', tc: 'mpls_tc', bos: 'mpls_bos', ttl: 'mpls_ttl' } as const satisfies Record<string, KeyName> // biome-ignore format: one row
/** Labels that Linux looks at (FLOW_DIS_MPLS_MAX). */
export const MAX_LABELS = 7

/** Keys of tc that are not modelled, and why not; said so, never left out. */
export const OTHER_KEYS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    'options of the tunnel that a packet came by are known to its device alone':
      'enc_flags geneve_opts vxlan_opts erspan_opts gtp_opts pfcp_opts',
    'it is for devices that sort packets themselves': 'hw_tc',
    'it is told by the bridge that a packet came by': 'l2_miss',
  }).flatMap(([why, keys]) => keys.split(' ').map((key) => [key, why])),
)

/** What an Ethernet type says that there is. */
export const LAYERS: Readonly<Record<number, Layer>> = {
  2048: 'ipv4',
  34525: 'ipv6',
  2054: 'arp',
  33024: 'vlan',
  34984: 'vlan',
  34887: 'mpls',
  34888: 'mpls',
  34916: 'pppoe',
  35074: 'cfm',
}

/** PPP protocols by name (IANA). Of these Linux looks at what is inside. */
export const PPP_PROTOCOLS: Readonly<Record<string, number>> = { ip: 0x21, ipv6: 0x57, mpls_uc: 0x281, mpls_mc: 0x283 }

/** Types that the flow dissector looks behind, so that what it compares is the type of something inside. */
export const LOOKED_BEHIND: Readonly<Record<number, string>> = {
  17157: 'batman-adv',
  35067: 'PRP',
  35119: 'HSR',
}

export const IP_PROTO_NAMES: Readonly<Record<string, number>> = {
  tcp: 6,
  udp: 17,
  sctp: 132,
  icmp: 1,
  icmpv6: 58,
  l2tp: 115,
  esp: 50,
  ah: 51,
}
export const ARP_OPS: Readonly<Record<string, number>> = { request: 1, reply: 2 }
export const IP_FLAGS = ['frag', 'nofrag', 'firstfrag', 'nofirstfrag'] as const
export type IpFlag = (typeof IP_FLAGS)[number]
