// Bits at a place, `@th,16,16`, `tcp option @34,16,32`: where they lie. What a transport header carries, `@ih`, starts where the transport protocol
// has it: which protocols the kernel looks behind, and what it asks of their headers, was read off verdicts (test/golden/netfilter/matches.txt).

import type { Diagnostics } from '@netsieve/diag'
import { and, between, cmp, find, load, or, type Pred, raw, type Term } from '@netsieve/ir'
import type { NftFamily, Selector } from './ast.ts'

/** Bits, and what must hold for them to be there; one of several ways for `@ih`, by the transport protocol. */
export interface RawPlace {
  readonly term: Term
  readonly guard?: Pred
}

export interface RawBits {
  readonly bits: number
  readonly places: readonly RawPlace[]
}

export function isRaw({ header: { text } }: Selector): boolean {
  return text === 'tcp option' || text.startsWith('@')
}

/** Where bits lie; `known`: the transport protocols that the rule has asked for. Undefined after an error. */
export function rawBits(
  { header, field }: Selector,
  family: NftFamily,
  known: readonly number[],
  diagnostics: Diagnostics,
): RawBits | undefined {
  const numbers = field.text.replace('@', '').split(',').map(Number)
  const [bit, bits] = numbers.slice(-2) as [number, number]
  const error = (what: string, message: string, expected?: readonly string[]): undefined => {
    diagnostics.error(`nft/${what}`, message, header.span, { ...(expected && { expected }) })
    return undefined
  }
  const option = header.text === 'tcp option'
  if (bits < 1 || ((bit & 7) + bits + 7) >> 3 > 16 || bit > 2040 || numbers[0]! > 255 * (option ? 1 : 8))
    return error('value', `${bits} bits from bit ${bit} on are not to be had at once`, ['1 to 128 bits'])
  const at = (term: Term): RawBits => ({ bits, places: [{ term }] })
  switch (header.text) {
    case '@ll':
      return family !== 'netdev' && bit + bits > 96
        ? error('unsupported', 'unsupported: bits behind the addresses of a link header that the kernel has moved')
        : at(raw('link', bit, bits))
    case '@nh':
      return at(raw('net', bit, bits))
    case '@th':
      return at(raw('transport', bit, bits))
    case '@ih': {
      const behind = Object.entries(INNER).filter(([proto]) => known.length === 0 || known.includes(Number(proto)))
      if (behind.length === 0)
        diagnostics.warning('nft/never', 'the kernel finds nothing behind this transport protocol', header.span)
      return { bits, places: behind.map(([proto, place]) => place(Number(proto), bit, bits)) }
    }
    default:
      return at(raw('transport', bit, bits, find('tcp', numbers[0]!, (bit + bits + 7) >> 3)))
  }
}

const constant = (value: number): Term => ({ kind: 'const', value: BigInt(value) })
const bin = (op: 'and' | 'lsh' | 'rsh' | 'add', left: Term, right: number | Term): Term => ({
  kind: 'bin',
  op,
  left,
  right: typeof right === 'number' ? constant(right) : right,
})

/** The first bytes of the transport header are there, of a packet that is no fragment but the first. */
const whole = (bytes: number): Pred => between(load('transport', bytes - 1, 1, constant(0)), 0, 255)

/** What lies behind each protocol. An index, even of 0, keeps fragments out. */
const INNER: Readonly<Record<number, (proto: number, bit: number, bits: number) => RawPlace>> = {
  4: (proto, bit, bits) => ({
    term: raw('transport', bit, bits, constant(0)),
    guard: cmp('meta.l4proto', '==', proto),
  }),
  6: (proto, bit, bits) => ({
    term: raw('transport', bit, bits, bin('and', bin('rsh', load('transport', 12, 1), 2), 0x3c)),
    guard: and(cmp('meta.l4proto', '==', proto), whole(20)),
  }),
  17: (proto, bit, bits) => ({
    term: raw('transport', bit, bits, constant(8)),
    guard: cmp('meta.l4proto', '==', proto),
  }),
  47: (proto, bit, bits) => ({
    term: raw('transport', bit, bits, greLength()),
    // Version 0, and no source route.
    guard: and(
      cmp('meta.l4proto', '==', proto),
      whole(4),
      cmp({ kind: 'mask', term: load('transport', 0, 2), mask: 0x4007n }, '==', 0),
    ),
  }),
}

/** Four bytes, and four for each of checksum, key and sequence number. */
function greLength(): Term {
  const flags = load('transport', 0, 1)
  const parts = [bin('rsh', flags, 5), bin('rsh', flags, 3), bin('rsh', flags, 2)].map((part) => bin('and', part, 4))
  return parts.reduce((sum, part) => bin('add', sum, part), constant(4))
}

/** One of the places has what is asked; a packet of another protocol has none of them. */
export function anyPlace(places: readonly RawPlace[], ask: (term: Term) => Pred | undefined): Pred | undefined {
  const preds: Pred[] = []
  for (const { term, guard } of places) {
    const asked = ask(term)
    if (!asked) return undefined
    preds.push(guard ? and(guard, asked) : asked)
  }
  return or(...preds)
}
