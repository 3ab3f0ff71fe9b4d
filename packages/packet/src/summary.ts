// One line that says what a packet is, in the manner of `tcpdump -n -S -t` (and `-e`): for people to read, not for programs.
// Sequence numbers are those in the packet; what is inside UDP is not looked at. A header that is cut shows as `[|tcp]`.

import { networkOf } from './capture/index.ts'
import { ETHERTYPE, IPPROTO } from './protocols.ts'
import { formatIpv4, formatIpv6, formatMac } from './values.ts'

export interface SummaryOptions {
  /** A LINKTYPE_ number; 1, Ethernet, if absent. */
  readonly linkType?: number
  /** Length on the wire, if the capture cut the packet. */
  readonly wireLength?: number
  /** Tell the Ethernet header and tags too. */
  readonly link?: boolean
}

const ETHERNET = 1

/** The packet in one line, without a newline. Never throws, whatever the bytes. */
export function summarize(data: Uint8Array, options: SummaryOptions = {}): string {
  const { linkType = ETHERNET, wireLength = data.length, link = false } = options
  const packet = new Bytes(data, 0, data.length)
  if (linkType === ETHERNET) return frame(packet, wireLength, link)
  const network = networkOf(linkType, data)
  if (network?.ethertype === undefined) return `link type ${linkType}, length ${wireLength}`
  // Without a link header there is nothing more to tell of it.
  const raw = link && network.offset === 0
  const told =
    payload(network.ethertype, packet.from(network.offset), raw) ?? `${hex(network.ethertype)}, length ${wireLength}`
  return raw ? `ip: ${told}` : told
}

/** A part of a packet; reading beyond it gives nothing. */
class Bytes {
  private readonly data: Uint8Array
  private readonly start: number
  readonly length: number

  constructor(data: Uint8Array, start: number, end: number) {
    this.data = data
    this.start = start
    this.length = Math.max(0, Math.min(end, data.length) - start)
  }

  has(count: number): boolean {
    return this.length >= count
  }

  /** `count` bytes as a number; 0 beyond the end. */
  number(offset: number, count: 1 | 2 | 4): number {
    let value = 0
    for (let i = 0; i < count; i++) value = value * 256 + (this.data[this.start + offset + i] ?? 0)
    return value
  }

  big(offset: number, count: number): bigint {
    let value = 0n
    for (let i = 0; i < count; i++) value = (value << 8n) | BigInt(this.data[this.start + offset + i] ?? 0)
    return value
  }

  from(offset: number, length = this.length - offset): Bytes {
    return new Bytes(this.data, this.start + offset, Math.min(this.start + offset + length, this.start + this.length))
  }
}

const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`
const mac = (bytes: Bytes, offset: number) => formatMac(bytes.big(offset, 6))
const ipv4 = (bytes: Bytes, offset: number) => formatIpv4(bytes.big(offset, 4))
/** Addresses that hold an IPv4 one show it (RFC 5952 §5). */
function ipv6(bytes: Bytes, offset: number): string {
  const value = bytes.big(offset, 16)
  return value >> 32n === 0xffffn ? `::ffff:${formatIpv4(value & 0xffffffffn)}` : formatIpv6(value)
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [ETHERTYPE.ipv4]: 'IPv4',
  [ETHERTYPE.ipv6]: 'IPv6',
  [ETHERTYPE.arp]: 'ARP',
  [ETHERTYPE.rarp]: 'Reverse ARP',
  [ETHERTYPE.vlan]: '802.1Q',
  [ETHERTYPE.qinq]: '802.1Q-QinQ',
  [ETHERTYPE.qinqOld]: '802.1Q-9100',
}
const TAGS: ReadonlySet<number> = new Set([ETHERTYPE.vlan, ETHERTYPE.qinq, ETHERTYPE.qinqOld])

function frame(packet: Bytes, wireLength: number, link: boolean): string {
  if (!packet.has(14)) return '[|ether]'
  const addresses = `${mac(packet, 6)} > ${mac(packet, 0)}`
  const named = (type: number) => `ethertype ${TYPE_NAMES[type] ?? 'Unknown'} (${hex(type)})`
  let [type, at] = [packet.number(12, 2), 14]
  const parts = [addresses, type <= 1500 ? '802.3' : named(type), `length ${wireLength}: `]
  let head = parts.join(', ')
  while (TAGS.has(type)) {
    if (!packet.has(at + 4)) return `${head}[|vlan]`
    const tci = packet.number(at, 2)
    ;[type, at] = [packet.number(at + 2, 2), at + 4]
    const dei = tci & 0x1000 ? ', DEI' : ''
    head += `vlan ${tci & 0xfff}, p ${tci >> 13}${dei}, ${type <= 1500 ? '802.3' : named(type)}, `
  }
  const told = payload(type, packet.from(at), link)
  if (told === undefined) return head.trimEnd()
  return link ? head + told : told
}

/** What an EtherType's packet is; nothing for one that is not known. */
function payload(type: number, packet: Bytes, bare: boolean): string | undefined {
  switch (type) {
    case ETHERTYPE.ipv4:
      return ip4(packet, bare)
    case ETHERTYPE.ipv6:
      return ip6(packet, bare)
    case ETHERTYPE.arp:
    case ETHERTYPE.rarp:
      return arp(packet, bare)
    default:
      return undefined
  }
}

const ARP_OPS = ['', 'Request', 'Reply', 'Reverse Request', 'Reverse Reply']

function arp(packet: Bytes, bare: boolean): string {
  const head = bare ? '' : 'ARP, '
  if (!packet.has(8) || !packet.has(8 + 2 * (packet.number(4, 1) + packet.number(5, 1)))) return `${head}[|arp]`
  const op = packet.number(6, 2)
  const tail = `, length ${packet.length}`
  if (packet.number(4, 1) !== 6 || packet.number(5, 1) !== 4) return `${head}op ${op}${tail}`
  const [sha, sip, tha, tip] = [mac(packet, 8), ipv4(packet, 14), mac(packet, 18), ipv4(packet, 24)]
  const known = packet.big(18, 6) === 0n ? '' : ` (${tha})`
  const what = [
    `op ${op}`,
    `who-has ${tip}${known} tell ${sip}`,
    `${sip} is-at ${sha}`,
    `who-is ${tha} tell ${sha}`,
    `${tha} at ${tip}`,
  ]
  return `${head}${ARP_OPS[op] ? `${ARP_OPS[op]} ` : ''}${what[op] ?? what[0]}${tail}`
}

function ip4(packet: Bytes, bare: boolean): string {
  const head = bare ? '' : 'IP '
  if (!packet.has(20)) return `${head}[|ip]`
  const ihl = (packet.number(0, 1) & 15) * 4
  const total = packet.number(2, 2)
  if (ihl < 20) return `${head}bad-hlen ${ihl}`
  if (total < ihl) return `${head}bad-len ${total}`
  const fragment = packet.number(6, 2)
  const ends = { source: ipv4(packet, 12), target: ipv4(packet, 16) }
  const inner = packet.from(ihl, total - ihl)
  const protocol = packet.number(9, 1)
  if ((fragment & 0x1fff) !== 0) return `${head}${ends.source} > ${ends.target}: ip-proto-${protocol}`
  return head + transport(protocol, inner, total - ihl, { ...ends, first: (fragment & 0x2000) !== 0 }, false)
}

/** Extension headers that are walked over, and how they are named. */
const EXTENSIONS: Readonly<Record<number, string>> = {
  [IPPROTO.hopopt]: 'HBH',
  [IPPROTO.routing]: 'RT6',
  [IPPROTO.dstopts]: 'DSTOPT',
}

function ip6(packet: Bytes, bare: boolean): string {
  const head = bare ? '' : 'IP6 '
  if (!packet.has(40)) return `${head}[|ip6]`
  const ends = { source: ipv6(packet, 8), target: ipv6(packet, 24) }
  let [protocol, at, left] = [packet.number(6, 1), 40, packet.number(4, 2)]
  const walked: string[] = []
  while ((EXTENSIONS[protocol] || protocol === IPPROTO.fragment) && packet.has(at + 8)) {
    const size = protocol === IPPROTO.fragment ? 8 : (packet.number(at + 1, 1) + 1) * 8
    const field = packet.number(at + 2, 2)
    left -= size
    walked.push(EXTENSIONS[protocol] ?? `frag (${field & 0xfff8}|${left})`)
    const later = protocol === IPPROTO.fragment && (field & 0xfff8) !== 0
    ;[protocol, at] = [packet.number(at, 1), at + size]
    if (later) return `${head}${ends.source} > ${ends.target}: ${walked.join(' ')}`
  }
  const inner = packet.from(at, left)
  if (walked.length === 0) return head + transport(protocol, inner, left, ends, false)
  return `${head}${ends.source} > ${ends.target}: ${walked.join(' ')} ${transport(protocol, inner, left, ends, true)}`
}

interface Ends {
  readonly source: string
  readonly target: string
  /** A first fragment: lengths inside are of the whole. */
  readonly first?: boolean
}

/** What is above IP. `inside`: the addresses were told before. */
function transport(protocol: number, packet: Bytes, length: number, ends: Ends, inside: boolean): string {
  const plain = inside ? '' : `${ends.source} > ${ends.target}: `
  const ports = () => {
    const [source, target] = [packet.number(0, 2), packet.number(2, 2)]
    return inside ? `${source} > ${target}: ` : `${ends.source}.${source} > ${ends.target}.${target}: `
  }
  switch (protocol) {
    case IPPROTO.tcp:
      if (packet.has(20)) return ports() + tcp(packet, length)
      return packet.has(4) ? `${ports()} [|tcp]` : `${plain}[|tcp]`
    case IPPROTO.udp:
      return packet.has(8) ? ports() + udp(packet, length, ends.first ?? false) : `${plain} [|udp]`
    case IPPROTO.icmp:
      return packet.has(8) ? plain + icmp(packet, length) : `${plain} [|icmp]`
    case IPPROTO.icmp6:
      return packet.has(4) ? plain + icmp6(packet, length) : `${plain} [|icmp6]`
    case IPPROTO.igmp:
      return packet.has(8) ? plain + igmp(packet) : `${plain}[|igmp]`
    case IPPROTO.sctp:
      return packet.has(12) ? `${ports()}sctp` : `${plain}[|sctp]`
    case IPPROTO.none:
      return `${plain}no next header`
    default:
      return `${plain} ip-proto-${protocol} ${length}`
  }
}

const FLAGS = 'FSRP.UEW'

function tcp(packet: Bytes, length: number): string {
  const header = (packet.number(12, 1) >> 4) * 4
  if (header < 20 || header > length) return `tcp ${length} [bad hdr length ${header} - ${header < 20 ? 'too short, < 20' : `too long, > ${length}`}]` // biome-ignore format: one line
  const bits = packet.number(13, 1)
  const flags =
    Array.from(FLAGS)
      .filter((_, i) => bits & (1 << i))
      .join('') || 'none'
  const size = length - header
  const seq = packet.number(4, 4)
  const parts = [`Flags [${flags}]`]
  if (size > 0 || bits & 7) parts.push(`seq ${seq}${size > 0 ? `:${(seq + size) % 2 ** 32}` : ''}`)
  if (bits & 0x10) parts.push(`ack ${packet.number(8, 4)}`)
  parts.push(`win ${packet.number(14, 2)}`)
  if (bits & 0x20) parts.push(`urg ${packet.number(18, 2)}`)
  if (header > 20) parts.push(`options [${tcpOptions(packet.from(20, header - 20))}]`)
  return [...parts, `length ${size}`].join(', ')
}

function tcpOptions(options: Bytes): string {
  const out: string[] = []
  for (let at = 0; at < options.length; ) {
    const kind = options.number(at, 1)
    if (kind === 0) return [...out, 'eol'].join(',')
    const size = kind === 1 ? 1 : options.number(at + 1, 1)
    if (kind !== 1 && (size < 2 || at + size > options.length)) return [...out, '[bad opt]'].join(',')
    out.push(tcpOption(kind, options.from(at + 2, size - 2)))
    at += size
  }
  return out.join(',')
}

function tcpOption(kind: number, value: Bytes): string {
  switch (kind) {
    case 1:
      return 'nop'
    case 2:
      return `mss ${value.number(0, 2)}`
    case 3:
      return `wscale ${value.number(0, 1)}`
    case 4:
      return 'sackOK'
    case 8:
      return `TS val ${value.number(0, 4)} ecr ${value.number(4, 4)}`
    default:
      return `unknown-${kind}`
  }
}

function udp(packet: Bytes, length: number, first: boolean): string {
  const told = packet.number(4, 2)
  if (told !== 0 && told < 8) return `truncated-udplength ${told}`
  if (told > length && !first) return `UDP, bad length ${told - 8} > ${length - 8}`
  return `UDP, length ${told === 0 ? length - 8 : told - 8}`
}

const ICMP_ECHO: Readonly<Record<number, string>> = { 0: 'echo reply', 8: 'echo request' }
const UNREACHABLE = ['net', 'host', 'protocol', 'port'] as const

function icmp(packet: Bytes, length: number): string {
  const [type, code] = [packet.number(0, 1), packet.number(1, 1)]
  const tail = `, length ${length}`
  if (ICMP_ECHO[type]) return `ICMP ${ICMP_ECHO[type]}, id ${packet.number(4, 2)}, seq ${packet.number(6, 2)}${tail}`
  if (type === 3 && !packet.has(28)) return ' [|icmp]'
  if (type === 3) {
    const target = ipv4(packet, 8 + 16)
    const inner = packet.from(8 + (packet.number(8, 1) & 15) * 4)
    const carried = ({ [IPPROTO.tcp]: 'tcp', [IPPROTO.udp]: 'udp' } as Record<number, string>)[packet.number(17, 1)]
    if (code === 3 && carried) return `ICMP ${target} ${carried} port ${inner.number(2, 2)} unreachable${tail}`
    if (code === 2) return `ICMP ${target} protocol ${packet.number(17, 1)} unreachable${tail}`
    if (code < 2) return `ICMP ${UNREACHABLE[code]} ${target} unreachable${tail}`
    if (code === 4) return `ICMP ${target} unreachable - need to frag (mtu ${packet.number(6, 2)})${tail}`
  }
  if (type === 5 && packet.has(28)) return `ICMP redirect ${ipv4(packet, 24)} to ${code === 0 ? 'net' : 'host'} ${ipv4(packet, 4)}${tail}` // biome-ignore format: one line
  if (type === 11) return `ICMP ${code === 0 ? 'time exceeded in-transit' : 'ip reassembly time exceeded'}${tail}`
  return `ICMP type-#${type}${tail}`
}

const ICMP6: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded in-transit',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  143: 'multicast listener report v2',
}

function icmp6(packet: Bytes, length: number): string {
  const type = packet.number(0, 1)
  const name = ICMP6[type] ?? `unknown icmp6 type (${type})`
  const about = () => {
    if ((type === 128 || type === 129) && packet.has(8))
      return `, id ${packet.number(4, 2)}, seq ${packet.number(6, 2)}`
    if (type === 135 && packet.has(24)) return `, who has ${ipv6(packet, 8)}`
    if (type === 136 && packet.has(24)) return `, tgt is ${ipv6(packet, 8)}`
    if (type === 143 && packet.has(8)) return `, ${packet.number(6, 2)} group record(s)`
    if (type === 2 && packet.has(8)) return `, mtu ${packet.number(4, 4)}`
    return ''
  }
  return `ICMP6, ${name}${about()}, length ${length}`
}

function igmp(packet: Bytes): string {
  const group = ipv4(packet, 4)
  switch (packet.number(0, 1)) {
    case 0x11:
      return `igmp query ${packet.length >= 12 ? 'v3' : 'v2'}${packet.big(4, 4) === 0n ? '' : ` [gaddr ${group}]`}`
    case 0x12:
      return `igmp v1 report ${group}`
    case 0x16:
      return `igmp v2 report ${group}`
    case 0x17:
      return `igmp leave ${group}`
    case 0x22:
      return `igmp v3 report, ${packet.number(6, 2)} group record(s)`
    default:
      return `igmp-${packet.number(0, 1)}`
  }
}
