// Short ways to write IR, for front-ends, passes and tests.

import { FIELDS, type FieldId, maxValue, type ProtocolName, prefixMask } from '@netsieve/packet'
import type { Find, Pred, Range, Step, Term, Test, Verdict } from './types.ts'

export const TRUE: Pred = { kind: 'const', value: true }
export const FALSE: Pred = { kind: 'const', value: false }

/** One object for each: what is asked again and again is found again soon. */
const TERMS = new Map<FieldId, Term>()

export function field(id: FieldId): Term {
  const known = TERMS.get(id)
  if (known) return known
  const term: Term = { kind: 'field', field: id }
  TERMS.set(id, term)
  return term
}

export function load(base: 'link' | 'net' | 'transport', offset: number, bytes: number, index?: Term): Term {
  return { kind: 'load', base, offset, bytes, ...(index && { index }) }
}

export function raw(base: 'link' | 'net' | 'transport', bit: number, bits: number, index?: Term): Term {
  return { kind: 'raw', base, bit, bits, ...(index && { index }) }
}

export function exists(what: ProtocolName | Find): Pred {
  return { kind: 'exists', what }
}

export function masked(term: Term, mask: bigint): Term {
  return { kind: 'mask', term, mask }
}

export function cmp(term: Term | FieldId, test: Test, value: bigint | number): Pred {
  return { kind: 'cmp', term: typeof term === 'string' ? field(term) : term, test, value: BigInt(value) }
}

/** True for the numbers of any of the ranges; overlapping and adjacent ones are joined. */
export function inRanges(term: Term | FieldId, ranges: readonly Range[]): Pred {
  return { kind: 'in', term: typeof term === 'string' ? field(term) : term, ranges: joinRanges(ranges) }
}

export function between(term: Term | FieldId, lo: bigint | number, hi: bigint | number): Pred {
  return inRanges(term, [{ lo: BigInt(lo), hi: BigInt(hi) }])
}

/** The first `length` bits of a field are those of `value`. */
export function inPrefix(id: FieldId, value: bigint, length: number): Pred {
  const { bits } = FIELDS[id]
  return maskedEqual(id, value, prefixMask(length, bits))
}

/** `field & mask == value & mask`; a full mask is a plain comparison. Loads the field even for an empty mask. */
export function maskedEqual(id: FieldId, value: bigint, mask: bigint): Pred {
  if (mask === maxValue(id)) return cmp(id, '==', value)
  return cmp(masked(field(id), mask), '==', value & mask)
}

/** A set holds the values of the terms. */
export function inSet(set: string, ...terms: readonly (Term | FieldId)[]): Pred {
  return { kind: 'inSet', set, terms: terms.map((term) => (typeof term === 'string' ? field(term) : term)) }
}

export function and(...args: readonly Pred[]): Pred {
  return args.length === 1 ? args[0]! : { kind: 'and', args }
}

export function or(...args: readonly Pred[]): Pred {
  return args.length === 1 ? args[0]! : { kind: 'or', args }
}

export function not(arg: Pred): Pred {
  return arg.kind === 'not' ? arg.arg : { kind: 'not', arg }
}

/** False where a field is not there. */
export function sure(arg: Pred): Pred {
  return arg.kind === 'sure' ? arg : { kind: 'sure', arg }
}

export function match(pred: Pred): Step {
  return { kind: 'match', pred }
}

export function verdict(what: Verdict['kind'] & ('accept' | 'drop' | 'return' | 'continue')): Step {
  return { kind: 'verdict', verdict: { kind: what } }
}

/** Sorted, disjoint, not adjacent. */
export function joinRanges(ranges: readonly Range[]): Range[] {
  if (ranges.length < 2) return [...ranges]
  const sorted = [...ranges].sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0))
  const out: Range[] = []
  for (const range of sorted) {
    const last = out.at(-1)
    if (last && range.lo <= last.hi + 1n)
      out[out.length - 1] = { lo: last.lo, hi: range.hi > last.hi ? range.hi : last.hi }
    else out.push(range)
  }
  return out
}
