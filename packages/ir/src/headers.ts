// Which extension headers an IPv6 packet has, as Linux's ip6t_ipv6header looks: over all of them, those of later fragments too, up to a header
// that is none, ESP, or what says that nothing follows.

import { IPPROTO, NFPROTO } from '@netsieve/packet'
import type { Located } from './locate.ts'

/** The bit of each header; `protocol`: of anything else that the last one names. */
export const HEADER_BITS = { hopopt: 0x01, routing: 0x02, fragment: 0x04, esp: 0x08, ah: 0x10, none: 0x20, dstopts: 0x40, protocol: 0x80 } as const // biome-ignore format: one row

/** Headers looked at at most: so many end within 16 bits. */
export const MOST_HEADERS = 30

/** IPv6's number for nothing more. */
export const NO_NEXT = 59

/** Headers that are gone over, by their numbers. */
export const SEEN_HEADERS: Readonly<Record<number, number>> = {
  [IPPROTO.hopopt]: HEADER_BITS.hopopt,
  [IPPROTO.routing]: HEADER_BITS.routing,
  [IPPROTO.fragment]: HEADER_BITS.fragment,
  [IPPROTO.ah]: HEADER_BITS.ah,
  [IPPROTO.dstopts]: HEADER_BITS.dstopts,
}

/** The bits of a packet; undefined where they are not told. */
export function headersSeen(frame: Uint8Array, { net, netEnd, nfproto }: Located): bigint | undefined {
  if (net === undefined || nfproto !== NFPROTO.ipv6 || net + 40 > netEnd) return undefined
  const packet = frame.subarray(net, netEnd)
  let [type, at, bits] = [packet[6]!, 40, 0]
  for (let headers = 0; ; headers++) {
    const bit = SEEN_HEADERS[type]
    const ends = type === NO_NEXT || type === IPPROTO.esp
    // Behind the packet's end the number is that of no header.
    if (at > packet.length) return BigInt(bits | (ends ? 0 : HEADER_BITS.protocol))
    if (type === NO_NEXT) return BigInt(bits | HEADER_BITS.none)
    if (bit === undefined && !ends) return BigInt(bits | HEADER_BITS.protocol)
    if (at + 2 > packet.length) return undefined
    if (bit === undefined) return BigInt(bits | HEADER_BITS.esp)
    if (headers === MOST_HEADERS) return undefined
    const [next, length] = [packet[at]!, packet[at + 1]!]
    bits |= bit
    at += type === IPPROTO.fragment ? 8 : type === IPPROTO.ah ? (length + 2) * 4 : (length + 1) * 8
    type = next
  }
}
