// `numgen random mod N`, `numgen inc mod N`: a number for each packet, drawn or counted. Source: nft(8), net/netfilter/nft_numgen.c of Linux 6.18.

import type { Diagnostics } from '@netsieve/diag'
import { FALSE, inRanges, not, type Pred, type Range } from '@netsieve/ir'
import type { Selector } from './ast.ts'
import type { Kind } from './typed.ts'

export const NUMBER: Kind = { type: 'integer', bits: 32 }

export interface Numgen {
  /** It goes up with each packet that asks; else it is drawn. */
  readonly counts: boolean
  readonly modulus: bigint
  readonly offset: bigint
  /** The part of all 32-bit numbers that a range of its values is drawn from; none if it has no such values. */
  readonly scale: (range: Range) => Range | undefined
}

export function isNumgen({ header }: Selector): boolean {
  return header.text === 'numgen'
}

/** Undefined after an error. */
export function readNumgen({ field: { text, span } }: Selector, diagnostics: Diagnostics): Numgen | undefined {
  const [, how, mod, from = '0'] = /^(random|inc) mod (\d+)(?: offset (\d+))?$/.exec(text)!
  const [modulus, offset] = [BigInt(mod!), BigInt(from)]
  if (modulus < 1n || offset + modulus - 1n > 0xffff_ffffn) {
    const message = modulus < 1n ? 'there are no numbers modulo 0' : 'the numbers do not fit 32 bits'
    diagnostics.error('nft/value', message, span, { expected: ['mod 1 to 4294967295'] })
    return undefined
  }
  // A drawn number times the modulus, without its lower 32 bits.
  const first = (value: bigint) => ((value << 32n) + modulus - 1n) / modulus
  const scale = ({ lo, hi }: Range): Range | undefined => {
    const [low, high] = [lo < offset ? 0n : lo - offset, hi - offset]
    if (high < 0n || low >= modulus) return undefined
    return { lo: first(low), hi: first(high >= modulus ? modulus : high + 1n) - 1n }
  }
  return { counts: how === 'inc', modulus, offset, scale }
}

/** A comparison of the number as one of the number that was drawn. Undefined for one of its bits. */
export function scaled(pred: Pred, scale: Numgen['scale']): Pred | undefined {
  switch (pred.kind) {
    case 'not': {
      const inner = scaled(pred.arg, scale)
      return inner && not(inner)
    }
    case 'in':
      return among(pred.ranges, scale)
    case 'cmp': {
      const { term, test, value } = pred
      if (term.kind !== 'field') return undefined
      const all = 0xffff_ffffn
      const ranges: Readonly<Record<typeof test, Range>> = {
        '==': { lo: value, hi: value },
        '!=': { lo: value, hi: value },
        '<': { lo: 0n, hi: value - 1n },
        '<=': { lo: 0n, hi: value },
        '>': { lo: value + 1n, hi: all },
        '>=': { lo: value, hi: all },
      }
      const found = among([ranges[test]], scale)
      return test === '!=' ? not(found) : found
    }
    default:
      return undefined
  }
}

function among(ranges: readonly Range[], scale: Numgen['scale']): Pred {
  const own = ranges.flatMap((range) => scale(range) ?? [])
  return own.length > 0 ? inRanges('meta.random', own) : FALSE
}
