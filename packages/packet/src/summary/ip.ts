// IPv4 and IPv6 with its extension headers, and what they carry.

import { ETHERTYPE, IPPROTO } from '../protocols.ts'
import { icmp, icmp6, igmp } from './icmp.ts'
import { ethernet, ofEtherType } from './link.ts'
import { hex, type Printer } from './printer.ts'
import { dccp, sctp, tcp, udp } from './transport.ts'

/** The IP header that a transport is in. */
export interface Around {
  readonly version: 4 | 6
  /** Where the header starts. */
  readonly at: number
  /** The protocol that it names itself: another stands behind extension headers, where addresses were told before. */
  readonly protocol: number
  readonly fragmented: boolean
}

const WITH_PORTS: ReadonlySet<number> = new Set([IPPROTO.tcp, IPPROTO.udp, IPPROTO.sctp, 33])

export function ip4(p: Printer, at: number, length: number): void {
  p.protocol = 'ip'
  p.need(at, 1)
  if (!p.link) p.put('IP')
  const version = p.number(at, 1) >> 4
  if (version !== 4) {
    p.put(version === 6 ? '6, wrong link-layer encapsulation (invalid)' : `${version} (invalid)`)
    return
  }
  if (!p.link) p.put(' ')
  p.need(at, 20)
  const header = (p.number(at, 1) & 15) * 4
  const total = p.number(at + 2, 2)
  if (header < 20) return p.put(`bad-hlen ${header}`)
  if (length < total) p.put(`truncated-ip - ${total - length} bytes missing! `)
  if (total < header) return p.put(`bad-len ${total}`)
  p.end = Math.min(p.end, at + total)
  const [fragment, protocol] = [p.number(at + 6, 2), p.number(at + 9, 1)]
  const ends = `${p.ipv4(at + 12)} > ${p.ipv4(at + 16)}:`
  if ((fragment & 0x1fff) !== 0) return p.put(`${ends} ip-proto-${protocol}`)
  if (!WITH_PORTS.has(protocol)) p.put(`${ends} `)
  if (!p.has(at, header)) {
    p.put(` [remaining caplen(${p.end - at}) < header length(${header})]`)
    return p.cut()
  }
  const around: Around = { version: 4, at, protocol, fragmented: (fragment & 0x2000) !== 0 }
  carried(p, protocol, at + header, total - header, around)
}

export function ip6(p: Printer, at: number, length: number): void {
  p.protocol = 'ip6'
  p.need(at, 40)
  if (!p.link) p.put('IP6 ')
  const version = p.number(at, 1) >> 4
  if (version !== 6) return p.put(`version error: ${version} != 6`)
  const total = p.number(at + 4, 2) + 40
  if (length < total) p.put(`truncated-ip6 - ${total - length} bytes missing!`)
  p.end = Math.min(p.end, at + total)
  const first = p.number(at + 6, 1)
  if (!WITH_PORTS.has(first)) p.put(`${p.ipv6(at + 8)} > ${p.ipv6(at + 24)}: `)
  let [protocol, next, fragmented] = [first, at + 40, false]
  for (;;) {
    const extension = EXTENSIONS[protocol]
    if (!extension) {
      const around: Around = { version: 6, at, protocol: first, fragmented }
      return carried(p, protocol, next, total - (next - at), around)
    }
    if (protocol === IPPROTO.hopopt && next !== at + 40) {
      p.put("[The Hop-by-Hop Options header don't follow the IPv6 header] (invalid)")
      return
    }
    const bytes = extension(p, next, total - (next - at))
    if (bytes === undefined) return
    if (protocol === IPPROTO.fragment && p.end <= next + bytes) return
    if (total - (next - at) < bytes) {
      p.protocol = 'ip6'
      return p.cut()
    }
    fragmented ||= protocol === IPPROTO.fragment
    protocol = p.number(next, 1)
    next += bytes
    p.protocol = 'ip6'
  }
}

/** Extension headers: each prints itself and says how long it is, or that nothing comes behind it. */
const EXTENSIONS: Readonly<Record<number, (p: Printer, at: number, left: number) => number | undefined>> = {
  [IPPROTO.hopopt]: (p, at) => options(p, at, 'HBH', 'hbhopt'),
  [IPPROTO.dstopts]: (p, at) => options(p, at, 'DSTOPT', 'dstopt'),
  [IPPROTO.routing]: routing,
  [IPPROTO.fragment](p, at, left) {
    p.protocol = 'frag6'
    const offset = p.number(at + 2, 2) & 0xfff8
    p.put(`frag (${offset}|${BigInt.asUintN(64, BigInt(left - 8))})`)
    if (offset !== 0) return undefined
    p.put(' ')
    return 8
  },
}

function options(p: Printer, at: number, name: string, protocol: string): number {
  p.protocol = protocol
  const bytes = (p.number(at + 1, 1) + 1) * 8
  p.need(at, bytes)
  p.put(`${name} `)
  return bytes
}

/** Segments by type 0 and 2 (RFC 2460, RFC 6275) and 4 (RFC 8754). */
function routing(p: Printer, at: number): number | undefined {
  p.need(at, 1)
  p.protocol = 'rt6'
  p.put('RT6')
  const length = p.number(at + 1, 1)
  p.put(` (len=${length}`)
  const type = p.number(at + 2, 1)
  p.put(`, type=${type}${type === 0 ? ' [Deprecated]' : ''}`)
  p.put(`, segleft=${p.number(at + 3, 1)}`)
  if (type === 0 || type === 2) {
    const reserved = p.number(at + 4, 4)
    if (reserved !== 0) p.put(`, rsv=${hex(reserved)}`)
  } else if (type === 4) {
    p.put(`, last-entry=${p.number(at + 4, 1)}`)
    const flags = p.number(at + 5, 1)
    if (flags !== 0) p.put(`, flags=${hex(flags)}`)
    p.put(`, tag=${p.number(at + 6, 2).toString(16)}`)
  } else {
    p.put(' (unknown type)')
    return undefined
  }
  for (let i = 0; i < length >> 1; i++) p.put(`, [${i}]${p.ipv6(at + 8 + 16 * i)}`)
  p.put(') ')
  return (length + 1) * 8
}

/** What an IP header or an extension header names. */
function carried(p: Printer, number: number, from: number, bytes: number, around: Around): void {
  let [protocol, at, length] = [number, from, bytes]
  while (protocol === IPPROTO.ah) {
    const header = authentication(p, at)
    ;[protocol, at, length] = [p.number(at, 1), at + header, length - header]
  }
  switch (protocol) {
    case IPPROTO.tcp:
      return tcp(p, at, length, around)
    case IPPROTO.udp:
      return udp(p, at, length, around)
    case IPPROTO.sctp:
      return sctp(p, at, length, around)
    case 33:
      return dccp(p, at, length, around)
    case IPPROTO.icmp:
      return around.version === 4 ? icmp(p, at, length) : p.put('[ICMP requires IPv4] (invalid)')
    case IPPROTO.icmp6:
      return around.version === 6 ? icmp6(p, at, length) : p.put('[ICMPv6 requires IPv6] (invalid)')
    case IPPROTO.igmp:
      return around.version === 4 ? igmp(p, at, length) : p.put('[IGMP requires IPv4] (invalid)')
    case IPPROTO.esp:
      p.protocol = 'esp'
      return p.put(`ESP(spi=${hex(p.number(at, 4), 8)},seq=${hex(p.number(at + 4, 4))}), length ${length}`)
    case 4:
      return ip4(p, at, length)
    case 41:
      return ip6(p, at, length)
    case 47:
      return gre(p, at, length)
    case 108:
      p.protocol = 'ipcomp'
      return p.put(`IPComp(cpi=${hex(p.number(at + 2, 2), 4)})`)
    case 143:
      return around.version === 6 ? ethernet(p, at, length) : p.put('[Ethernet requires IPv6] (invalid)')
    case IPPROTO.none:
      return p.put('no next header')
    default:
      return p.put(` ip-proto-${protocol} ${length}`)
  }
}

/** @returns the header's length */
function authentication(p: Printer, at: number): number {
  p.protocol = 'ah'
  p.need(at, 1)
  p.put('AH')
  const bytes = (p.number(at + 1, 1) + 2) * 4
  p.put('(')
  const reserved = p.number(at + 2, 2)
  if (reserved !== 0) p.put(`reserved=${hex(reserved, 2)}[MustBeZero],`)
  p.put(`spi=${hex(p.number(at + 4, 4), 8)},`)
  p.put(`seq=${hex(p.number(at + 8, 4))},icv=0x`)
  for (let i = 12; i < bytes; i++) p.put(p.hex(at + i, 1))
  p.put('): ')
  return bytes
}

/** Generic routing encapsulation, version 0 (RFC 2784, RFC 2890). */
function gre(p: Printer, at: number, length: number): void {
  p.protocol = 'gre'
  const flags = p.number(at, 2)
  if ((flags & 7) !== 0) return p.put(`GREv${flags & 7}, length ${length}`)
  p.put('GREv0')
  const protocol = p.number(at + 2, 2)
  let next = at + 4
  if (flags & 0xc000) {
    p.put(`, off ${hex(p.number(next + 2, 2))}`)
    next += 4
  }
  if (flags & 0x2000) {
    p.put(`, key=${hex(p.number(next, 4))}`)
    next += 4
  }
  if (flags & 0x1000) {
    p.put(`, seq ${p.number(next, 4)}`)
    next += 4
  }
  p.put(`, length ${length}: `)
  encapsulated(p, protocol, next, length - (next - at), () => p.put(`gre-proto-${hex(protocol)}`))
}

/** A packet or a frame inside another, by its EtherType. */
export function encapsulated(p: Printer, type: number, at: number, length: number, unknown: () => void): void {
  if (type === 0x6558) return ethernet(p, at, length)
  const print = type === ETHERTYPE.arp ? undefined : ofEtherType(type)
  if (print) print(p, at, length)
  else unknown()
}
