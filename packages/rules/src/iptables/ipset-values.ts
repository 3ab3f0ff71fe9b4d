// What the components of ipset's elements stand for: addresses, ports with their protocols, marks. Source: ipset(8).

import type { Diagnostics } from '@netsieve/diag'
import type { Range } from '@netsieve/ir'
import { maskPrefix, prefixMask } from '@netsieve/packet'
import {
  addressBits,
  type IpFamily,
  parseNumber,
  protocolNumber,
  readAddress,
  readNetwork,
  readNumber,
  readPortRange,
  split,
  type Word,
} from '../shared/index.ts'
import { readIcmpType } from './icmp.ts'

/** `10.0.0.1`, `10.0.0.0/24`, `10.0.0.1-10.0.0.9`; in a set of networks of one length those that they are in. */
export function readAddresses(
  word: Word,
  { family = 'ipv4', netmask }: { readonly family?: IpFamily; readonly netmask?: number },
  diagnostics: Diagnostics,
): Range | undefined {
  const bits = addressBits(family)
  const [first, second] = split(word, '-')
  let range: Range | undefined
  if (second) {
    const [lo, hi] = [first, second].map((each) => readAddress(each, diagnostics, family)?.value)
    if (lo === undefined || hi === undefined) return undefined
    range = lo <= hi ? { lo, hi } : { lo: hi, hi: lo }
  } else {
    const network = readNetwork(word, diagnostics, { family, form: 'prefix' })
    if (!network) return undefined
    const all = prefixMask(bits, bits)
    range = { lo: network.value & network.mask, hi: network.value | (network.mask ^ all) }
  }
  if (netmask === undefined) return range
  const mask = prefixMask(netmask, bits)
  return { lo: range.lo & mask, hi: range.hi | (mask ^ prefixMask(bits, bits)) }
}

/** The prefix length of a range that is a network. */
export function prefixOf({ lo, hi }: Range, bits: 32 | 128): number | undefined {
  return maskPrefix(prefixMask(bits, bits) ^ (lo ^ hi), bits)
}

/** Protocols whose ports are looked at: TCP, UDP, SCTP, UDP-Lite; and those of ICMP, of which the type and the code are. */
export const PORT_PROTOCOLS: readonly number[] = [6, 17, 132, 136]
export const ICMP_PROTOCOLS: Readonly<Record<number, IpFamily>> = { 1: 'ipv4', 58: 'ipv6' }

export interface Ports {
  /** TCP where none is said. */
  readonly protocol: number
  readonly range: Range
}

/** `80`, `tcp:80-90`, `udp:domain`, `icmp:8/0`, `icmp:ping`, `gre:0`. Undefined after an error. */
export function readPorts(word: Word, diagnostics: Diagnostics): Ports | undefined {
  const [first, second] = split(word, ':')
  const name = second ? first : undefined
  const number = name ? (parseNumber(name.text) ?? protocolNumber(name.text)) : 6n
  const protocol = Number(number ?? -1)
  if (protocol < 0 || protocol > 255) {
    diagnostics.error('ipset/element', `\`${first.text}\` is no protocol`, first.span, { expected: ['PROTOCOL:PORT'] })
    return undefined
  }
  const what = second ?? first
  const icmp = ICMP_PROTOCOLS[protocol]
  if (icmp) {
    const test = readIcmpType(what, icmp, diagnostics)
    if (test?.type === undefined) return undefined
    const lo = (test.type << 8n) | (test.code ?? 0n)
    return { protocol, range: { lo, hi: lo } }
  }
  if (!PORT_PROTOCOLS.includes(protocol)) {
    const port = readNumber(what, { what: 'a port', max: 65535 }, diagnostics)
    return port === undefined ? undefined : { protocol, range: { lo: port, hi: port } }
  }
  const range = readPortRange(what, diagnostics, { separator: '-', transport: protocol === 17 ? 'udp' : 'tcp' })
  return range && { protocol, range }
}

/** A mark; bits outside of the set's mask are nobody's. */
export function readMark(word: Word, mask: bigint | undefined, diagnostics: Diagnostics): Range | undefined {
  const value = readNumber(word, { what: 'a mark', max: 0xffffffff, octal: true }, diagnostics)
  if (value === undefined) return undefined
  const kept = value & (mask ?? 0xffffffffn)
  return { lo: kept, hi: kept }
}
