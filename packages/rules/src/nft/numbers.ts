// Numbers that are drawn, counted or hashed: `numgen random mod N`, `numgen inc mod N`, `jhash ip saddr mod N`, `symhash mod N`. Sources: nft(8),
// and what nft 1.0.6 and Linux 6.18 answer (test/golden/state).

import {
  FALSE,
  field,
  type Hashed,
  inRanges,
  not,
  type Pred,
  placeOf,
  type Range,
  type Step,
  type Term,
} from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { parseNumber } from '../shared/index.ts'
import type { Selector } from './ast.ts'
import type { Component } from './lookups.ts'
import type { StatementPlace } from './statements.ts'
import type { Kind } from './typed.ts'

export const NUMBER: Kind = { type: 'integer', bits: 32 }

export interface Number32 {
  /** What must be done before. */
  readonly steps: readonly Step[]
  /** The number that is made smaller. */
  readonly term: Term
  /** The part of all its values that a range of the smaller number's is made of; none if it has no such values. */
  readonly scale: (range: Range) => Range | undefined
  /** The smaller number. Undefined where that takes more than 32 bits to compute. */
  readonly value: () => Term | undefined
}

const KINDS = ['numgen', 'jhash', 'symhash']

export const isNumber = ({ header }: Selector): boolean => KINDS.includes(header.text)

/** `hashed`: what jhash is about. Undefined after an error. */
export function readNumber32(
  { header, field: { text, span } }: Selector,
  hashed: { readonly before: readonly Step[]; readonly components: readonly Component[] } | undefined,
  { fresh, state, diagnostics }: StatementPlace,
): Number32 | undefined {
  const wrong = (code: string, message: string, expected: readonly string[]): undefined => {
    diagnostics.error(`nft/${code}`, message, span, { expected })
    return undefined
  }
  const [, mod, seedText, from = '0'] = /mod (\d+)(?: seed (\w+))?(?: offset (\d+))?$/.exec(text)!
  const [modulus, offset] = [BigInt(mod!), BigInt(from)]
  if (modulus < 1n || offset + modulus - 1n > 0xffff_ffffn)
    return wrong('value', modulus < 1n ? 'there are no numbers modulo 0' : 'the numbers do not fit 32 bits', ['mod 1 to 4294967295']) // biome-ignore format: one message
  const within = ({ lo, hi }: Range): Range | undefined => {
    const [low, high] = [lo < offset ? 0n : lo - offset, hi - offset]
    return high < 0n || low >= modulus ? undefined : { lo: low, hi: high >= modulus ? modulus - 1n : high }
  }
  const plus = (term: Term): Term => (offset === 0n ? term : bin('add', term, offset))
  if (text.startsWith('inc')) {
    const name = fresh('turn')
    state.set(name, { kind: 'nth', name, every: modulus, before: 0n, span })
    const term = field('meta.turn')
    return { steps: [{ kind: 'turn', state: name, field: 'meta.turn', span }], term, scale: within, value: () => plus(term) } // biome-ignore format: one value
  }
  let term: Term = field(header.text === 'symhash' ? 'meta.symhash' : 'meta.random')
  if (header.text === 'jhash') {
    const seed = seedText === undefined ? 0n : parseNumber(seedText, true)
    if (seed === undefined || seed > 0xffff_ffffn) return wrong('value', `\`${seedText}\` is no seed`, ['a number of 32 bits']) // biome-ignore format: one message
    if (seedText === undefined)
      diagnostics.warning('nft/seed', 'the kernel draws a seed for this hash; here it is 0', span)
    const parts = hashed?.components.map(partOf)
    if (!parts?.every((part) => part !== undefined))
      return wrong('unsupported', 'unsupported: the hash of such a field', [
        'fields of headers',
        'meta mark',
        'ct mark',
      ])
    term = { kind: 'jhash', parts, seed: Number(seed) }
  }
  // A number of 32 bits times the modulus, without its lower 32 bits.
  const first = (value: bigint) => ((value << 32n) + modulus - 1n) / modulus
  const scale = (range: Range): Range | undefined => {
    const own = within(range)
    return own && { lo: first(own.lo), hi: first(own.hi + 1n) - 1n }
  }
  const value = (): Term | undefined => {
    if (modulus > 0x1_0000n) return undefined
    const low = bin('rsh', bin('mul', bin('and', term, 0xffffn), modulus), 16n)
    const sum: Term = { kind: 'bin', op: 'add', left: bin('mul', bin('rsh', term, 16n), modulus), right: low }
    return plus(bin('rsh', sum, 16n))
  }
  return { steps: hashed?.before ?? [], term, scale, value }
}

const bin = (op: 'add' | 'and' | 'mul' | 'rsh', left: Term, right: bigint): Term => ({ kind: 'bin', op, left, right: { kind: 'const', value: right } }) // biome-ignore format: one value

/** Numbers of the kernel's own, in the order of the machine's bytes. */
const OF_HOST = [
  'meta.mark',
  'ct.mark',
  'meta.length',
  'meta.iif',
  'meta.oif',
  'meta.priority',
  'meta.skuid',
  'meta.skgid',
  'meta.cpu',
]

/** What is hashed of a component. */
function partOf({ term, kind: { bits } }: Component): Hashed['parts'][number] | undefined {
  const bytes = Math.ceil(bits / 8)
  if (term.kind !== 'field') return bits % 8 === 0 && bytes <= 4 ? { term, bytes } : undefined
  if (placeOf(term.field) || bytes === 1 || term.field === 'meta.protocol') return { term, bytes }
  return OF_HOST.includes(term.field) && FIELDS[term.field].bits === 32 ? { term, bytes: 4, host: true } : undefined
}

/** A comparison of the smaller number as one of the number that it is made of. Undefined for one of its bits. */
export function scaled(pred: Pred, { term, scale }: Number32): Pred | undefined {
  switch (pred.kind) {
    case 'not': {
      const inner = scaled(pred.arg, { term, scale } as Number32)
      return inner && not(inner)
    }
    case 'in':
      return among(pred.ranges, { term, scale })
    case 'cmp': {
      const { test, value } = pred
      if (pred.term !== term) return undefined
      const all = 0xffff_ffffn
      const ranges: Readonly<Record<typeof test, Range>> = {
        '==': { lo: value, hi: value },
        '!=': { lo: value, hi: value },
        '<': { lo: 0n, hi: value - 1n },
        '<=': { lo: 0n, hi: value },
        '>': { lo: value + 1n, hi: all },
        '>=': { lo: value, hi: all },
      }
      const found = among([ranges[test]], { term, scale })
      return test === '!=' ? not(found) : found
    }
    default:
      return undefined
  }
}

function among(ranges: readonly Range[], { term, scale }: Pick<Number32, 'term' | 'scale'>): Pred {
  const own = ranges.flatMap((range) => (range.lo <= range.hi ? (scale(range) ?? []) : []))
  return own.length > 0 ? inRanges(term, own) : FALSE
}
