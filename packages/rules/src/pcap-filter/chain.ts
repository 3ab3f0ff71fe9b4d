// `protochain`: the protocol anywhere in the chain of IPv6 extension headers, or behind IPv4 authentication headers. libpcap walks in a loop;
// here the walk is written out, so it ends after a number of headers.

import { and, cmp, FALSE, inRanges, masked, or, type Pred, type Term } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { Fault } from './fault.ts'
import { at, type Layers, type Place } from './layers.ts'
import { ETHER, linkProtocol } from './link.ts'
import { combine, constant } from './terms.ts'
import type { ProtocolWord } from './words.ts'

/** Headers followed at most. The term for each place holds the one before it twice, so more would make long programs. */
export const LONGEST_CHAIN = 4

const EXTENSIONS = [IPPROTO.hopopt, IPPROTO.routing, IPPROTO.fragment, IPPROTO.dstopts]

export function protocolChain(layers: Layers, carrier: ProtocolWord | undefined, number: number): Pred {
  if (layers.payload.more) throw new Fault('rules/unsupported', '`protochain` cannot be used inside a tunnel')
  switch (carrier) {
    case undefined:
      return or(chain(layers, 'ip', number), chain(layers, 'ip6', number))
    case 'ip':
    case 'ip6':
      return chain(layers, carrier, number)
    default:
      throw new Fault('rules/qualifier', `\`${carrier}\` cannot qualify \`protochain\``, undefined, {
        expected: ["'ip'", "'ip6'", 'nothing'],
      })
  }
}

function chain(layers: Layers, carrier: 'ip' | 'ip6', number: number): Pred {
  const ip6 = carrier === 'ip6'
  const net = layers.place('net')
  const ihl = masked(layers.netBytes(0, 1), 0xfn)
  const start: Place = ip6 ? { bytes: net.bytes + 40 } : { bytes: net.bytes, more: bin('lsh', ihl, constant(2)) }
  const first = layers.netField(ip6 ? 'ipv6.nexthdr' : 'ipv4.protocol')
  return and(linkProtocol(layers, ETHER[carrier]), step(first, start, number, ip6 ? EXTENSIONS : [], LONGEST_CHAIN))
}

/** The header of type `type` stands at `place`: it is the one, or the next is. */
function step(type: Term, place: Place, number: number, extensions: readonly number[], left: number): Pred {
  const found = cmp(type, '==', number)
  if (left === 0) return found
  const followed = [...extensions, IPPROTO.ah].filter((each) => each !== number)
  if (followed.length === 0) return found
  const length = at(place, 1, 1)
  // Lengths count 8 bytes beyond the first 8; those of AH 4 bytes beyond the first 8 (RFC 4302 §2.2).
  const isAh = extensions.length === 0 ? constant(1) : isZero(bin('xor', type, constant(IPPROTO.ah)))
  const beyond = bin('lsh', length, bin('sub', constant(3), isAh))
  const next: Place = { bytes: place.bytes + 8, more: place.more ? bin('add', place.more, beyond) : beyond }
  return or(
    found,
    and(among(type, followed), cmp(length, '>=', 0), step(at(place, 0, 1), next, number, extensions, left - 1)),
  )
}

function among(term: Term, numbers: readonly number[]): Pred {
  return numbers.length === 0
    ? FALSE
    : inRanges(
        term,
        numbers.map((n) => ({ lo: BigInt(n), hi: BigInt(n) })),
      )
}

/** 1 if a byte is 0, else 0. */
function isZero(byte: Term): Term {
  return bin('xor', bin('rsh', bin('add', byte, constant(255)), constant(8)), constant(1))
}

function bin(op: Parameters<typeof combine>[0], left: Term, right: Term): Term {
  const term = combine(op, left, right)
  if (typeof term === 'string') throw new Error(term)
  return term
}
