// Comparisons of one term as the numbers that they hold for, and the other way round: the shortest comparison for some numbers.

import { bitLength, FIELDS, maskPrefix, prefixMask } from '@netsieve/packet'
import { joinRanges } from '../build.ts'
import { termKey } from '../decisions.ts'
import type { Pred, Range, Term, Test } from '../types.ts'

/** A comparison holds, where its term can be computed, for the numbers of `ranges` (sorted, disjoint) of 0 to `top`. */
export interface Region {
  readonly term: Term
  /** Equal texts: equal terms. */
  readonly key: string
  readonly bits: number
  readonly ranges: readonly Range[]
}

/** Bits of a term's number; undefined where that is not told by the term alone. */
export function bitsOf(term: Term): number | undefined {
  switch (term.kind) {
    case 'field':
      return FIELDS[term.field].bits
    case 'load':
      return term.bytes * 8
    case 'length':
    case 'bin':
      return 32
    case 'mask':
      return bitsOf(term.term)
    case 'const':
    case 'mapped':
      return undefined
  }
}

/** By bits. */
const TOPS: bigint[] = []

export function topOf(bits: number): bigint {
  TOPS[bits] ??= (1n << BigInt(bits)) - 1n
  return TOPS[bits]
}

/** The last one: who asks about a predicate asks again soon. */
let last: { readonly pred: Pred; readonly region: Region | undefined } | undefined

/** What a comparison of one term with numbers says; of a prefix of a term it is said about the term itself. */
export function regionOf(pred: Pred): Region | undefined {
  if (pred.kind !== 'cmp' && pred.kind !== 'in') return undefined
  if (last?.pred !== pred) last = { pred, region: regionIn(pred) }
  return last.region
}

/** The key of a comparison's region; undefined if it has none. */
export function regionKey({ term }: Extract<Pred, { kind: 'cmp' | 'in' }>): string | undefined {
  if (term.kind === 'field') return term.field
  const bits = bitsOf(term)
  if (bits === undefined) return undefined
  return termKey(term.kind === 'mask' && maskPrefix(term.mask, bits) !== undefined ? term.term : term)
}

function regionIn(pred: Extract<Pred, { kind: 'cmp' | 'in' }>): Region | undefined {
  const { term } = pred
  const bits = bitsOf(term)
  if (bits === undefined) return undefined
  const top = topOf(bits)
  const ranges = pred.kind === 'in' ? pred.ranges : testRanges(pred.test, pred.value, top)
  if (term.kind !== 'mask') return { term, key: termKey(term), bits, ranges }
  const prefix = maskPrefix(term.mask, bits)
  if (prefix === undefined) return { term, key: termKey(term), bits, ranges }
  // Each number of the prefix stands for a block of the term's numbers.
  const unit = topOf(bits - prefix)
  const blocks: Range[] = []
  for (let i = 0; i < ranges.length; i++) {
    const { lo, hi } = ranges[i]!
    const from = (lo + unit) & ~unit
    const to = hi | unit
    if (from <= (hi & ~unit)) blocks.push({ lo: from, hi: to < top ? to : top })
  }
  return { term: term.term, key: termKey(term.term), bits, ranges: joinRanges(blocks) }
}

function testRanges(test: Test, value: bigint, top: bigint): Range[] {
  switch (test) {
    case '==':
      return [{ lo: value, hi: value }]
    case '!=':
      return complement([{ lo: value, hi: value }], top)
    case '<':
      return value > 0n ? [{ lo: 0n, hi: value - 1n }] : []
    case '<=':
      return [{ lo: 0n, hi: value }]
    case '>':
      return value < top ? [{ lo: value + 1n, hi: top }] : []
    case '>=':
      return [{ lo: value, hi: top }]
  }
}

/** What lies between and around sorted ranges, from 0 to `top`. */
export function complement(ranges: readonly Range[], top: bigint): Range[] {
  const out: Range[] = []
  let next = 0n
  for (const { lo, hi } of ranges) {
    if (lo > next) out.push({ lo: next, hi: lo - 1n })
    next = hi + 1n
  }
  if (next <= top) out.push({ lo: next, hi: top })
  return out
}

/** What two lists of sorted ranges have in common. */
export function intersect(a: readonly Range[], b: readonly Range[]): Range[] {
  const out: Range[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const x = a[i]!
    const y = b[j]!
    const lo = x.lo > y.lo ? x.lo : y.lo
    const hi = x.hi < y.hi ? x.hi : y.hi
    if (lo <= hi) out.push({ lo, hi })
    if (x.hi < y.hi) i++
    else j++
  }
  return out
}

export function isSubset(a: readonly Range[], b: readonly Range[]): boolean {
  let j = 0
  for (const { lo, hi } of a) {
    while (j < b.length && b[j]!.hi < hi) j++
    if (j === b.length || b[j]!.lo > lo) return false
  }
  return true
}

/** Numbers of a term as one comparison: a plain one where that says it, a prefix, else ranges. Undefined where `check` takes no such comparison. */
export function predOf({ term, bits, ranges }: Omit<Region, 'key'>): Pred | undefined {
  const [only] = ranges
  // All and none: what counts is that the term can be computed.
  if (!only || (only.lo === 0n && only.hi === topOf(bits))) return { kind: 'in', term: bare(term), ranges }
  const inside = ranges.length === 1 && oneRange(term, bits, only, true)
  if (inside) return inside
  const outside = complement(ranges, topOf(bits))
  const around = outside.length === 1 && oneRange(term, bits, outside[0]!, false)
  if (around) return around
  return term.kind === 'mask' && bits > 64 ? undefined : { kind: 'in', term, ranges }
}

/** The comparison that holds inside of a range, or outside of it, if there is a plain one. */
function oneRange(term: Term, bits: number, { lo, hi }: Range, inside: boolean): Pred | undefined {
  if (lo === hi) return { kind: 'cmp', term, test: inside ? '==' : '!=', value: lo }
  if (term.kind === 'mask' && bits > 64) return undefined
  if (bits <= 64 && lo === 0n) return { kind: 'cmp', term, test: inside ? '<=' : '>', value: hi }
  if (bits <= 64 && hi === topOf(bits)) return { kind: 'cmp', term, test: inside ? '>=' : '<', value: lo }
  const prefix = term.kind === 'mask' ? undefined : blockPrefix({ lo, hi }, bits)
  if (prefix === undefined) return undefined
  return { kind: 'cmp', term: { kind: 'mask', term, mask: prefixMask(prefix, bits) }, test: inside ? '==' : '!=', value: lo } // biome-ignore format: one value
}

/** The term that is under the masks. */
export function bare(term: Term): Term {
  return term.kind === 'mask' ? bare(term.term) : term
}

/** The prefix length of a range that is all numbers of one prefix. */
export function blockPrefix({ lo, hi }: Range, bits: number): number | undefined {
  if (hi <= 0x3fffffffn) {
    const count = Number(hi - lo) + 1
    const isBlock = (count & (count - 1)) === 0 && (Number(lo) & (count - 1)) === 0
    return isBlock ? bits - 31 + Math.clz32(count) : undefined
  }
  const size = hi - lo + 1n
  if ((size & (size - 1n)) !== 0n || (lo & (size - 1n)) !== 0n) return undefined
  return bits - bitLength(size) + 1
}
