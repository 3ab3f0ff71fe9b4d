// What must be there of a packet for a statement to change it: else the rule ends. Read off verdicts (test/golden/netfilter/matches.txt).

import { between, cmp, load, type Pred, type Term } from '@netsieve/ir'
import { FIELDS, type FieldId, PROTOCOLS, type ProtocolName } from '@netsieve/packet'

const constant = (value: number): Term => ({ kind: 'const', value: BigInt(value) })
const bin = (op: 'and' | 'rsh' | 'sub', left: Term, right: number): Term => ({ kind: 'bin', op, left, right: constant(right) }) // biome-ignore format: one value

/** A byte of the transport header, of a packet that is no fragment but the first: an index, even of 0, keeps the others out. */
const byte = (at: number): Term => load('transport', at, 1, constant(0))

/** A TCP header that is whole, options and all. */
export const TCP_HEADER: readonly Pred[] = [
  cmp(byte(12), '>=', 0x50),
  between(load('transport', 0, 1, bin('sub', bin('and', bin('rsh', byte(12), 2), 0x3c), 1)), 0, 255),
]

/** Where the checksum ends that changes along with a field of the header. */
const CHECKSUM_END: Readonly<Partial<Record<ProtocolName, number>>> = { tcp: 18, udp: 8, udplite: 8, icmp: 4, icmp6: 4, igmp: 4 } // biome-ignore format: one row

/** A field of a header can be written. */
export function writableField(id: FieldId): Pred {
  const { proto, bit, bits } = FIELDS[id]
  if (PROTOCOLS[proto].base !== 'transport') return between(id, 0, (1n << BigInt(bits)) - 1n)
  return between(byte(Math.max((bit + bits + 7) >> 3, CHECKSUM_END[proto] ?? 0) - 1), 0, 255)
}

/** Bits at a place can be written. */
export function writable(term: Term): Pred {
  if (term.kind !== 'raw' || term.base !== 'transport' || term.index) return between(term, 0, (1n << BigInt(widthOf(term))) - 1n) // biome-ignore format: one line
  return between(byte(((term.bit + term.bits + 7) >> 3) - 1), 0, 255)
}

const widthOf = (term: Term): number => (term.kind === 'raw' ? term.bits : 32)
