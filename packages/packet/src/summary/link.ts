// Ethernet with its tags, ARP, MPLS and PPPoE.

import { ETHERTYPE } from '../protocols.ts'
import { ip4, ip6 } from './ip.ts'
import { hex, type Print, type Printer } from './printer.ts'

const MPLS = 0x8847
const MPLS_MULTICAST = 0x8848
const PPPOE_DISCOVERY = 0x8863
const PPPOE_SESSION = 0x8864

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [ETHERTYPE.ipv4]: 'IPv4',
  [ETHERTYPE.ipv6]: 'IPv6',
  [ETHERTYPE.arp]: 'ARP',
  [ETHERTYPE.rarp]: 'Reverse ARP',
  [ETHERTYPE.vlan]: '802.1Q',
  [ETHERTYPE.qinq]: '802.1Q-QinQ',
  [ETHERTYPE.qinqOld]: '802.1Q-9100',
  [MPLS]: 'MPLS unicast',
  [MPLS_MULTICAST]: 'MPLS multicast',
  [PPPOE_DISCOVERY]: 'PPPoE D',
  [PPPOE_SESSION]: 'PPPoE S',
}
const TAGS: ReadonlySet<number> = new Set([ETHERTYPE.vlan, ETHERTYPE.qinq, ETHERTYPE.qinqOld])
const LONGEST = 1500

const named = (type: number) => `ethertype ${TYPE_NAMES[type] ?? 'Unknown'} (${hex(type, 4)})`

/** An Ethernet frame. Its header is told if that is asked for, or if what is in it is not known. */
export function ethernet(p: Printer, at: number, length: number, link = p.link): void {
  p.protocol = 'ether'
  if (!p.has(at, 14)) return p.cut()
  let [type, inner] = [p.number(at + 12, 2), at + 14]
  let head = `${p.mac(at + 6)} > ${p.mac(at)}, ${type <= LONGEST ? '802.3' : named(type)}, length ${length}: `
  while (TAGS.has(type)) {
    p.protocol = 'vlan'
    if (!p.has(inner, 4)) {
      if (link) p.put(head)
      return p.cut()
    }
    const tci = p.number(inner, 2)
    ;[type, inner] = [p.number(inner + 2, 2), inner + 4]
    const dei = tci & 0x1000 ? ', DEI' : ''
    head += `vlan ${tci & 0xfff}, p ${tci >> 13}${dei}, ${type <= LONGEST ? '802.3' : named(type)}, `
  }
  const print = ofEtherType(type)
  if (link || !print) p.put(head)
  print?.(p, inner, length - (inner - at))
}

/** What prints the packets of an EtherType; nothing for one that is not known. */
export function ofEtherType(type: number): Print | undefined {
  switch (type) {
    case ETHERTYPE.ipv4:
      return ip4
    case ETHERTYPE.ipv6:
      return ip6
    case ETHERTYPE.arp:
    case ETHERTYPE.rarp:
      return arp
    case MPLS:
    case MPLS_MULTICAST:
      return mpls
    case PPPOE_DISCOVERY:
    case PPPOE_SESSION:
      return pppoe
    default:
      return undefined
  }
}

const HARDWARE: Readonly<Record<number, string>> = { 1: 'Ethernet', 6: 'TokenRing', 7: 'ArcNet', 15: 'FrameRelay', 17: 'Strip', 24: 'IEEE 1394', 32: 'InfiniBand' } // biome-ignore format: a table
const OPERATIONS: Readonly<Record<number, string>> = { 1: 'Request', 2: 'Reply', 3: 'Reverse Request', 4: 'Reverse Reply', 8: 'Inverse Request', 9: 'Inverse Reply', 10: 'NACK Reply' } // biome-ignore format: a table

function arp(p: Printer, at: number, length: number): void {
  p.protocol = 'arp'
  p.need(at, 8)
  const [hardware, network, hardwareBytes, networkBytes, op] = [p.number(at, 2), p.number(at + 2, 2), p.number(at + 4, 1), p.number(at + 5, 1), p.number(at + 6, 2)] // biome-ignore format: one header
  const [sha, sip] = [at + 8, at + 8 + hardwareBytes]
  const [tha, tip] = [sip + networkBytes, sip + networkBytes + hardwareBytes]
  if (!p.has(tip, networkBytes)) return p.cut()
  if (!p.link) p.put('ARP, ')
  if (network !== ETHERTYPE.ipv4 || networkBytes !== 4 || hardwareBytes === 0) {
    const kind = TYPE_NAMES[network] ?? `Unknown Protocol (${hex(network, 4)})`
    p.put(`${HARDWARE[hardware] ?? `Unknown Hardware (${hardware})`} (len ${hardwareBytes}), ${kind} (len ${networkBytes}), length ${length}`) // biome-ignore format: one line
    return
  }
  const address = (from: number) => Array.from({ length: hardwareBytes }, (_, i) => p.hex(from + i, 1)).join(':')
  p.put(`${OPERATIONS[op] ?? `Unknown (${op})`} `)
  switch (op) {
    case 1: {
      const known = Number.parseInt(p.hex(tha, hardwareBytes), 16) === 0 ? '' : ` (${address(tha)})`
      p.put(`who-has ${p.ipv4(tip)}${known} tell ${p.ipv4(sip)}`)
      break
    }
    case 2:
      p.put(`${p.ipv4(sip)} is-at ${address(sha)}`)
      break
    case 3:
    case 8:
      p.put(`who-is ${address(tha)} tell ${address(sha)}`)
      break
    case 4:
      p.put(`${address(tha)} at ${p.ipv4(tip)}`)
      break
    case 9:
      p.put(`${address(sha)} at ${p.ipv4(sip)}`)
      break
    default:
      return
  }
  p.put(`, length ${length}`)
}

/** Labels, and what the first byte behind them looks like (RFC 3032). */
function mpls(p: Printer, at: number, length: number): void {
  p.protocol = 'mpls'
  p.put('MPLS')
  let next = at
  for (let last = false; !last; next += 4) {
    if (next + 4 - at > length) return p.put(' (invalid)')
    const entry = p.number(next, 4)
    last = (entry & 0x100) !== 0
    p.put(` (label ${entry >>> 12}, tc ${(entry >>> 9) & 7}${last ? ', [S]' : ''}, ttl ${entry & 0xff})`)
  }
  const version = p.has(next, 1) ? p.number(next, 1) >> 4 : 0
  const inner = version === 4 ? ip4 : version === 6 ? ip6 : undefined
  if (!inner) return
  p.put(' ')
  inner(p, next, length - (next - at))
}

const DISCOVERY: Readonly<Record<number, string>> = { 9: 'PADI', 7: 'PADO', 25: 'PADR', 101: 'PADS', 167: 'PADT' } // biome-ignore format: a table
const PPP: Readonly<Record<number, Print>> = { 33: ip4, 87: ip6 }

function pppoe(p: Printer, at: number, length: number): void {
  p.protocol = 'pppoe'
  if (length < 6) return p.put(` (length ${length} < 6) (invalid)`)
  const [version, code, session, told] = [p.number(at, 1), p.number(at + 1, 1), p.number(at + 2, 2), p.number(at + 4, 2)] // biome-ignore format: one header
  p.put('PPPoE ')
  if (version >> 4 !== 1) p.put(` [ver ${version >> 4}]`)
  if ((version & 15) !== 1) p.put(` [type ${version & 15}]`)
  p.put(code === 0 ? '' : (DISCOVERY[code] ?? `PAD-${code.toString(16).toUpperCase()}`))
  if (code === 0 || session !== 0) p.put(` [ses ${hex(session)}]`)
  if (code !== 0) return
  p.put(' ')
  p.protocol = 'ppp'
  const protocol = p.number(at + 6, 2)
  const inner = PPP[protocol]
  if (inner) inner(p, at + 8, Math.min(told, length - 6) - 2)
  else p.put(`unknown PPP protocol (${hex(protocol, 4)})`)
}
