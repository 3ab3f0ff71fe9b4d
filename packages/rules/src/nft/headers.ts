// The words of nft 1.0.6 for headers that are not always at one place: VLAN tags, options, extension headers, chunks; and what some
// fields ask of the type of their message.

import { type FieldId, type ListName, type ProtocolName, VALUE_NAMES } from '@netsieve/packet'
import type { FieldRow, TypeName } from './words.ts'

export type HeaderType = 'igmp_type' | 'dccp_pkttype' | 'mh_type'

type Cell = FieldId | readonly [FieldId, TypeName]
const rows = (table: Readonly<Record<string, Cell>>): Readonly<Record<string, FieldRow>> =>
  Object.fromEntries(
    Object.entries(table).map(([name, cell]) => {
      const [field, type] = typeof cell === 'string' ? [cell, 'integer' as const] : cell
      return [name, { field, type }]
    }),
  )

const tag = (proto: 'vlan' | 'vlan1' | 'vlan2' | 'vlan3') =>
  rows({
    id: `${proto}.id`,
    pcp: `${proto}.pcp`,
    dei: `${proto}.dei`,
    cfi: `${proto}.dei`,
    type: [`${proto}.type`, 'ether_type'],
  })

/** The tags of a frame from the outermost on: each says of the next one that it is there. */
export const TAGS = [tag('vlan'), tag('vlan1'), tag('vlan2'), tag('vlan3')] as const

const route = (proto: 'ip_rr' | 'ip_lsrr' | 'ip_ssrr') =>
  rows({ type: `${proto}.type`, length: `${proto}.length`, ptr: `${proto}.ptr`, addr: `${proto}.addr` })
const sack = (proto: '' | '1' | '2' | '3') =>
  rows({ length: 'tcp_sack.length', left: `tcp_sack.left${proto}`, right: `tcp_sack.right${proto}` })
const chunk = (proto: Extract<ProtocolName, `sctp_${string}`>, more: Readonly<Record<string, FieldId>> = {}) =>
  rows({ type: `${proto}.type`, flags: `${proto}.flags`, length: `${proto}.length`, ...more } as Record<
    string,
    FieldId
  >)
const init = (proto: 'sctp_init' | 'sctp_initack') =>
  chunk(proto, {
    'init-tag': `${proto}.tag`,
    'a-rwnd': `${proto}.rwnd`,
    'num-outbound-streams': `${proto}.outbound`,
    'num-inbound-streams': `${proto}.inbound`,
    'initial-tsn': `${proto}.tsn`,
  })
/** Fields by header and name, as HEADERS of words.ts. */
export const MORE_HEADERS: Readonly<Record<string, Readonly<Record<string, FieldRow>>>> = {
  vlan: TAGS[0],
  'arp saddr': rows({ ip: ['arp.sip', 'ipv4_addr'], ether: ['arp.sha', 'ether_addr'] }),
  'arp daddr': rows({ ip: ['arp.tip', 'ipv4_addr'], ether: ['arp.tha', 'ether_addr'] }),
  igmp: rows({ type: ['igmp.type', 'igmp_type'], mrt: 'igmp.mrt', checksum: 'igmp.checksum', group: 'igmp.group' }),
  ah: rows({ hdrlength: 'ah.length', reserved: 'ah.reserved', spi: 'ah.spi', sequence: 'ah.seq' }),
  esp: rows({ spi: 'esp.spi', sequence: 'esp.seq' }),
  comp: rows({ flags: 'ipcomp.flags', cpi: 'ipcomp.cpi' }),
  hbh: rows({ nexthdr: ['hopopt.nexthdr', 'inet_proto'], hdrlength: 'hopopt.length' }),
  dst: rows({ nexthdr: ['dstopts.nexthdr', 'inet_proto'], hdrlength: 'dstopts.length' }),
  rt: rows({
    nexthdr: ['routing.nexthdr', 'inet_proto'],
    hdrlength: 'routing.length',
    type: 'routing.type',
    'seg-left': 'routing.left',
  }),
  rt0: rows({ addr: ['routing0.addr', 'ipv6_addr'] }),
  // The tool knows the name and has no type for the value.
  rt2: {},
  srh: rows({ flags: 'srh.flags', tag: 'srh.tag', 'last-entry': 'srh.last', sid: ['srh.sid', 'ipv6_addr'] }),
  frag: rows({
    nexthdr: ['fragment.nexthdr', 'inet_proto'],
    reserved: 'fragment.reserved',
    'frag-off': 'fragment.fragoff',
    reserved2: 'fragment.reserved2',
    'more-fragments': 'fragment.mf',
    id: 'fragment.id',
  }),
  mh: rows({
    nexthdr: ['mobility.nexthdr', 'inet_proto'],
    hdrlength: 'mobility.length',
    type: ['mobility.type', 'mh_type'],
    reserved: 'mobility.reserved',
    checksum: 'mobility.checksum',
  }),
  'ip option rr': route('ip_rr'),
  'ip option lsrr': route('ip_lsrr'),
  'ip option ssrr': route('ip_ssrr'),
  'ip option ra': rows({ type: 'ip_ra.type', length: 'ip_ra.length', value: 'ip_ra.value' }),
  'tcp option maxseg': rows({ length: 'tcp_maxseg.length', size: 'tcp_maxseg.size' }),
  'tcp option window': rows({ length: 'tcp_window.length', count: 'tcp_window.count' }),
  'tcp option sack-perm': rows({ length: 'tcp_sackperm.length' }),
  'tcp option sack-permitted': rows({ length: 'tcp_sackperm.length' }),
  'tcp option sack': sack(''),
  'tcp option sack0': sack(''),
  'tcp option sack1': sack('1'),
  'tcp option sack2': sack('2'),
  'tcp option sack3': sack('3'),
  'tcp option timestamp': rows({
    length: 'tcp_timestamp.length',
    tsval: 'tcp_timestamp.tsval',
    tsecr: 'tcp_timestamp.tsecr',
  }),
  'tcp option md5sig': rows({ length: 'tcp_md5sig.length' }),
  'tcp option fastopen': rows({ length: 'tcp_fastopen.length' }),
  'tcp option mptcp': rows({ length: 'tcp_mptcp.length', subtype: 'tcp_mptcp.subtype' }),
  'tcp option eol': {},
  'tcp option nop': {},
  'sctp chunk data': chunk('sctp_data', {
    tsn: 'sctp_data.tsn',
    stream: 'sctp_data.stream',
    ssn: 'sctp_data.ssn',
    ppid: 'sctp_data.ppid',
  }),
  'sctp chunk init': init('sctp_init'),
  'sctp chunk init-ack': init('sctp_initack'),
  'sctp chunk sack': chunk('sctp_sack', {
    'cum-tsn-ack': 'sctp_sack.cumtsn',
    'a-rwnd': 'sctp_sack.rwnd',
    'num-gap-ack-blocks': 'sctp_sack.gaps',
    'num-dup-tsns': 'sctp_sack.dups',
  }),
  'sctp chunk heartbeat': chunk('sctp_heartbeat'),
  'sctp chunk heartbeat-ack': chunk('sctp_heartbeatack'),
  'sctp chunk abort': chunk('sctp_abort'),
  'sctp chunk shutdown': chunk('sctp_shutdown', { 'cum-tsn-ack': 'sctp_shutdown.cumtsn' }),
  'sctp chunk shutdown-ack': chunk('sctp_shutdownack'),
  'sctp chunk error': chunk('sctp_error'),
  'sctp chunk cookie-echo': chunk('sctp_cookieecho'),
  'sctp chunk cookie-ack': chunk('sctp_cookieack'),
  'sctp chunk ecne': chunk('sctp_ecne', { 'lowest-tsn': 'sctp_ecne.tsn' }),
  'sctp chunk cwr': chunk('sctp_cwr', { 'lowest-tsn': 'sctp_cwr.tsn' }),
  'sctp chunk shutdown-complete': chunk('sctp_shutdowncomplete'),
  'sctp chunk asconf-ack': chunk('sctp_asconfack', { seqno: 'sctp_asconfack.seqno' }),
  'sctp chunk forward-tsn': chunk('sctp_forwardtsn', { 'new-cum-tsn': 'sctp_forwardtsn.cumtsn' }),
  'sctp chunk asconf': chunk('sctp_asconf', { seqno: 'sctp_asconf.seqno' }),
}

/** What a header needs of the packet, as NEEDS of words.ts. Options of TCP and chunks ask for nothing: they are looked for in any packet. */
export const MORE_NEEDS: Readonly<
  Record<string, { readonly network?: 'ip' | 'ip6' | 'arp'; readonly transport?: number }>
> = {
  'arp saddr': { network: 'arp' },
  'arp daddr': { network: 'arp' },
  igmp: { network: 'ip', transport: 2 },
  ah: { transport: 51 },
  esp: { transport: 50 },
  comp: { transport: 108 },
  ...Object.fromEntries(
    ['hbh', 'dst', 'rt', 'rt0', 'rt2', 'srh', 'frag', 'mh', 'exthdr'].map((name) => [name, { network: 'ip6' }]),
  ),
  ...Object.fromEntries(['rr', 'lsrr', 'ssrr', 'ra'].map((name) => [`ip option ${name}`, { network: 'ip' }])),
}

/** What an entry of a list is called where only whether it is there is asked. */
export const ENTRIES: Readonly<Record<string, { readonly list: ListName; readonly type: number }>> = {
  ...{ 'exthdr hbh': { list: 'ipv6', type: 0 }, 'exthdr rt': { list: 'ipv6', type: 43 } },
  ...{ 'exthdr frag': { list: 'ipv6', type: 44 }, 'exthdr dst': { list: 'ipv6', type: 60 } },
  ...{ 'exthdr mh': { list: 'ipv6', type: 135 }, 'ip option rr': { list: 'ipv4', type: 7 } },
  ...{ 'ip option lsrr': { list: 'ipv4', type: 131 }, 'ip option ssrr': { list: 'ipv4', type: 137 } },
  'ip option ra': { list: 'ipv4', type: 148 },
  ...entries('tcp option', 'tcp', {
    ...{ eol: 0, nop: 1, maxseg: 2, window: 3, 'sack-perm': 4, 'sack-permitted': 4, sack: 5, sack0: 5, sack1: 5 },
    ...{ sack2: 5, sack3: 5, timestamp: 8, md5sig: 19, mptcp: 30, fastopen: 34 },
  }),
  ...entries('sctp chunk', 'sctp', VALUE_NAMES.chunktype),
}

function entries(head: string, list: ListName, types: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.entries(types).map(([name, type]) => [`${head} ${name}`, { list, type }]))
}

export const HEADER_SYMBOLS: Readonly<Record<HeaderType, Readonly<Record<string, number>>>> = {
  igmp_type: VALUE_NAMES.igmptype,
  dccp_pkttype: VALUE_NAMES.dccptype,
  mh_type: {
    ...{ 'binding-refresh-request': 0, 'home-test-init': 1, 'careof-test-init': 2, 'home-test': 3, 'careof-test': 4 },
    ...{ 'binding-update': 5, 'binding-acknowledgement': 6, 'binding-error': 7, 'fast-binding-update': 8 },
    ...{ 'fast-binding-acknowledgement': 9, 'fast-binding-advertisement': 10, 'experimental-mobility-header': 11 },
    'home-agent-switch-message': 12,
  },
}

export const HEADER_TITLES: Readonly<Record<HeaderType, string>> = {
  igmp_type: 'an IGMP type',
  dccp_pkttype: 'a DCCP packet type',
  mh_type: 'a mobility header type',
}

export const HEADER_BITS: Readonly<Record<HeaderType, number>> = { igmp_type: 8, dccp_pkttype: 4, mh_type: 8 }
