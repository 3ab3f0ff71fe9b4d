// The walk over headers that libpcap's `protochain` makes, as libpcap 1.10 makes it: all that counts is where its program looks.

import { EXTENSION_HEADERS, IPPROTO } from '@netsieve/packet'
import type { Term } from './types.ts'

/** Headers walked over at most: libpcap's program loops as long as it likes, generated ones may not. */
export const MOST_WALKED = 64

/** IPv6 extension headers that are walked over besides AH. */
export const WALKED = [EXTENSION_HEADERS.hopopt, EXTENSION_HEADERS.dstopts, EXTENSION_HEADERS.routing, EXTENSION_HEADERS.fragment] as const // biome-ignore format: one list

/** The number that the walk ends at; undefined where it leaves the frame. */
export function walkHeaders(
  frame: Uint8Array,
  { family, net, until }: Extract<Term, { kind: 'walk' }>,
): number | undefined {
  const first = family === 'ipv6' ? 6 : 9
  let type = frame[net + first]
  // IPv4 counts from its own length, IPv6 from its fixed header.
  const start = frame[net]
  if (type === undefined || start === undefined) return undefined
  let at = family === 'ipv6' ? 40 : (start & 0xf) * 4
  for (let headers = 0; headers < MOST_WALKED && type !== until; headers++) {
    const extension = family === 'ipv6' && (WALKED as readonly number[]).includes(type)
    if (!extension && type !== IPPROTO.ah) return type
    const next: number | undefined = frame[net + at]
    const length = frame[net + at + 1]
    if (next === undefined || length === undefined) return undefined
    // Behind AH it goes on at AH's own length from the network header, not from AH: that is libpcap's doing.
    at = extension ? at + (length + 1) * 8 : (length + 2) * 4
    type = next
  }
  return type
}
