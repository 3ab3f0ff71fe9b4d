// Slots: the places of a packet that filters look at, and the numbers that a comparison allows there.

import { type Pred, placeOf, type Range, type Term, type Test } from '@netsieve/ir'
import { FIELDS, type FieldId, type ProtocolName } from '@netsieve/packet'

/** Bits at a base, a fact about the packet (`meta`), or its length. Slots of one key hold the same bits. */
export interface Slot {
  readonly key: string
  readonly base: 'link' | 'net' | 'transport' | 'meta' | 'length'
  readonly bit: number
  readonly bits: number
  /** The field, where the slot is one; facts are known by it. */
  readonly field?: FieldId
  /** The protocol whose header holds it. */
  readonly proto?: ProtocolName
}

/** What one comparison asks of a slot: a number in one of the ranges, or `value` under a mask that is no prefix. */
export type Constraint =
  | { readonly slot: Slot; readonly kind: 'ranges'; readonly ranges: readonly Range[] }
  | {
      readonly slot: Slot
      readonly kind: 'masked'
      readonly mask: bigint
      readonly value: bigint
      readonly equal: boolean
    }

export const LENGTH: Slot = { key: 'length', base: 'length', bit: 0, bits: 16 }

export function fieldSlot(field: FieldId): Slot {
  const { proto, bits } = FIELDS[field]
  const place = placeOf(field)
  // Tags are planned as such. Where the packet tells the header's place, a slot has a name and a value, but nowhere to write it.
  const written = place && !place.index && !/^vlan/.test(proto)
  const { base, bit } = written ? place : ({ base: 'meta', bit: 0 } as const)
  // Ports and types of different protocols lie at the same bits; addresses of IPv4, IPv6 and ARP do not.
  const key = base === 'meta' ? field : base === 'net' ? `${proto}:${bit}:${bits}` : `${base}:${bit}:${bits}`
  return { key, base, bit, bits, field, proto }
}

export function topOf({ bits }: Slot): bigint {
  return (1n << BigInt(bits)) - 1n
}

/** A slot seen through a mask and a shift: `(slot & mask) >> shift`, plus a constant. */
interface Lens {
  readonly slot: Slot
  readonly mask: bigint
  readonly shift: bigint
  readonly plus: bigint
}

function lens(term: Term): Lens | undefined {
  switch (term.kind) {
    case 'field': {
      const slot = fieldSlot(term.field)
      return { slot, mask: topOf(slot), shift: 0n, plus: 0n }
    }
    case 'load': {
      if (term.index) return undefined
      const { base, offset, bytes } = term
      const slot: Slot = { key: `${base}:${offset * 8}:${bytes * 8}`, base, bit: offset * 8, bits: bytes * 8 }
      return { slot, mask: topOf(slot), shift: 0n, plus: 0n }
    }
    case 'raw': {
      if (term.index) return undefined
      const { base, bit, bits } = term
      const slot: Slot = { key: `${base}:${bit}:${bits}`, base, bit, bits }
      return { slot, mask: topOf(slot), shift: 0n, plus: 0n }
    }
    case 'find':
      return undefined
    case 'length':
      return { slot: LENGTH, mask: topOf(LENGTH), shift: 0n, plus: 0n }
    case 'mask': {
      const inner = lens(term.term)
      return inner && inner.plus === 0n ? { ...inner, mask: inner.mask & (term.mask << inner.shift) } : undefined
    }
    case 'bin': {
      const { op, left, right } = term
      const inner = lens(left)
      if (!inner || right.kind !== 'const') return undefined
      if (op === 'and')
        return inner.plus === 0n ? { ...inner, mask: inner.mask & (right.value << inner.shift) } : undefined
      if (op === 'rsh') return inner.plus === 0n ? { ...inner, shift: inner.shift + right.value } : undefined
      if (op === 'add') return { ...inner, plus: inner.plus + right.value }
      if (op === 'sub') return { ...inner, plus: inner.plus - right.value }
      return undefined
    }
    case 'const':
    case 'mapped':
    case 'walk':
    case 'headers':
    case 'jhash':
      return undefined
  }
}

/** The constraint that a range of a set's key puts on what is looked up; undefined if it cannot be told. */
export function keyConstraint(term: Term, range: Range): Constraint | undefined {
  return constrain(term, [range], true)
}

/** The constraint that an atom (a predicate without and, or, not) puts on a slot; undefined if it cannot be told. */
export function constraintOf(pred: Pred, holds: boolean): Constraint | undefined {
  switch (pred.kind) {
    case 'cmp':
      return constrain(pred.term, testRanges(pred.test, pred.value), holds)
    case 'in':
      return constrain(pred.term, pred.ranges, holds)
    case 'relation': {
      const { left, right, test } = pred
      if (right.kind === 'const') return constrain(left, testRanges(test, right.value), holds)
      return left.kind === 'const' ? constrain(right, testRanges(MIRROR[test], left.value), holds) : undefined
    }
    default:
      return undefined
  }
}

const MIRROR: Readonly<Record<Test, Test>> = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }
const HUGE = 1n << 130n

function testRanges(test: Test, value: bigint): readonly Range[] {
  switch (test) {
    case '==':
      return [{ lo: value, hi: value }]
    case '!=':
      return [
        { lo: 0n, hi: value - 1n },
        { lo: value + 1n, hi: HUGE },
      ]
    case '<':
      return [{ lo: 0n, hi: value - 1n }]
    case '<=':
      return [{ lo: 0n, hi: value }]
    case '>':
      return [{ lo: value + 1n, hi: HUGE }]
    case '>=':
      return [{ lo: value, hi: HUGE }]
  }
}

function constrain(term: Term, ranges: readonly Range[], holds: boolean): Constraint | undefined {
  const seen = lens(term)
  if (!seen) return undefined
  const { slot, shift, plus } = seen
  const top = topOf(slot)
  const mask = seen.mask & ~((1n << shift) - 1n)
  const low = mask & -mask
  // A mask without gaps at the top is a prefix: a number of the prefix is a range of the slot.
  if (mask !== 0n && mask === top - (low - 1n)) {
    const wanted = (holds ? ranges : complement(ranges, HUGE)).map(({ lo, hi }) => ({ lo: lo - plus, hi: hi - plus }))
    return { slot, kind: 'ranges', ranges: within(wanted, shift, low - 1n, top) }
  }
  const [only] = ranges
  const single = ranges.length === 1 && only!.lo === only!.hi ? only!.lo : undefined
  const other = ranges.length === 2 && ranges[0]!.hi + 2n === ranges[1]!.lo ? ranges[0]!.hi + 1n : undefined
  const value = single ?? other
  if (value === undefined) return undefined
  const equal = (single !== undefined) === holds
  const under = (value - plus) << shift
  // No number under the mask is like that: always unequal.
  if (under < 0n || (under & ~mask) !== 0n) return { slot, kind: 'ranges', ranges: equal ? [] : [{ lo: 0n, hi: top }] }
  return { slot, kind: 'masked', mask, value: under, equal }
}

/** Ranges of the shifted and masked number as ranges of the slot: each number under the mask stands for `unit + 1` of them. */
function within(ranges: readonly Range[], shift: bigint, unit: bigint, top: bigint): Range[] {
  const out: Range[] = []
  for (const range of ranges) {
    if (range.hi < 0n) continue
    const lo = up((range.lo < 0n ? 0n : range.lo) << shift, unit)
    const hi = (range.hi << shift) | ((1n << shift) - 1n) | unit
    if (lo <= hi && lo <= top) out.push({ lo, hi: hi < top ? hi : top })
  }
  return out
}

function up(value: bigint, unit: bigint): bigint {
  return (value + unit) & ~unit
}

/** What lies between and around sorted ranges, from 0 to `top`. */
export function complement(ranges: readonly Range[], top: bigint): Range[] {
  const out: Range[] = []
  let next = 0n
  for (const { lo, hi } of ranges) {
    if (lo > next) out.push({ lo: next, hi: lo - 1n })
    if (hi + 1n > next) next = hi + 1n
  }
  if (next <= top) out.push({ lo: next, hi: top })
  return out
}
