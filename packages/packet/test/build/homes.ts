// Where each header of the field table can stand in a packet that the builder makes: what to write before it, and where it starts then.

import { FIELDS, type FieldId } from '../../src/fields.ts'
import { type ProtocolName, protocol } from '../../src/protocols.ts'

export interface Home {
  /** The packet with the field at a value, and eight bytes behind. */
  readonly text: (value: bigint) => string
  /** Bytes from the start of the packet to the header. */
  readonly offset: number
}

const ETHERNET: Partial<Record<ProtocolName, readonly [before: string, offset: number]>> = {
  eth: ['', 0],
  llc: ['eth / ', 14],
  snap: ['eth / llc / ', 17],
  pppoe: ['eth / ', 14],
  ppp: ['eth / pppoe / ', 20],
  arp: ['eth / ', 14],
}
const PLACES: Partial<Record<ProtocolName, readonly [before: string, offset: number]>> = {
  ...ETHERNET,
  ipv4: ['', 0],
  ipv6: ['', 0],
  icmp6: ['ipv6 / ', 40],
  nd: ['ipv6 / icmp6 / ', 48],
  nd_redirect: ['ipv6 / icmp6 / nd / ', 64],
  gre_checksum: ['ipv4 / gre / ', 24],
  gre_key: ['ipv4 / gre / ', 24],
  gre_seq: ['ipv4 / gre / gre_key / ', 28],
  vxlan: ['ipv4 / udp / ', 28],
  geneve: ['ipv4 / udp / ', 28],
  gtpu: ['ipv4 / udp / ', 28],
  gtpu_optional: ['ipv4 / udp / gtpu / ', 36],
}
const LISTS = {
  ipv4: ['ipv4 / ', 20],
  ipv6: ['ipv6 / ', 40],
  tcp: ['ipv4 / tcp / ', 40],
  sctp: ['ipv4 / sctp / ', 32],
  dccp: ['ipv4 / dccp / ', 32],
} as const

/** Undefined for what is in no header: metadata. */
export function homeOf(id: FieldId): Home | undefined {
  const { proto } = FIELDS[id]
  const field = id.slice(proto.length + 1)
  const home = (before: string, name: string, offset: number): Home => ({
    text: (value) => `${before}${name}(${field}=${value}) / zeros(8)`,
    offset,
  })
  if (proto === 'meta') return undefined
  if (proto === 'th') return home('ipv4 / ', 'tcp', 20)
  if (proto === 'ah6') return home('ipv6 / ', 'ah', 40)
  const [, stack, depth] = /^(vlan|mpls)(\d?)$/.exec(proto) ?? []
  if (stack) {
    const before = `${stack} / `.repeat(Number(depth ?? 0))
    const start = stack === 'vlan' ? 12 : 14
    const offset = start + 4 * Number(depth)
    // The type behind the tags is Ethernet's own, moved.
    if (field === 'type') return { text: (value) => `eth(type=${value}) / ${before}vlan / zeros(8)`, offset }
    return home(`eth / ${before}`, stack, offset)
  }
  const { entry } = protocol(proto)
  const [before, offset] = PLACES[proto] ?? (entry ? LISTS[entry.list] : ['ipv4 / ', 20])
  return home(before, proto, offset)
}
