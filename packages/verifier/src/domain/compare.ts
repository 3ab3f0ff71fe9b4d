// What a comparison says: whether it is decided by what is known, and what each side learns where it holds.

import type { JumpOp } from '@netsieve/asm'
import {
  draft,
  isKnownIn,
  lowerSmax,
  lowerUmax,
  type Num,
  raiseSmin,
  raiseUmin,
  sync,
  unbound32,
  unbound64,
} from './num.ts'
import { isConst, Tnum, tnumAnd, tnumConst, tnumIntersect, tnumJoin, tnumLow, tnumOr, tnumOverlap } from './tnum.ts'
import { add, high, slt, sub, toUnsigned, ult, ult32, umax32, umin32 } from './wide.ts'

/** A test or the opposite of `jset`, which is no instruction. */
export type Test = JumpOp | 'jnset'

export const OPPOSITE: Readonly<Record<Test, Test>> = {
  jeq: 'jne',
  jne: 'jeq',
  jset: 'jnset',
  jnset: 'jset',
  jgt: 'jle',
  jle: 'jgt',
  jge: 'jlt',
  jlt: 'jge',
  jsgt: 'jsle',
  jsle: 'jsgt',
  jsge: 'jslt',
  jslt: 'jsge', // biome-ignore format: pairs
}

/** The same test with its sides exchanged. */
export const FLIPPED: Readonly<Record<JumpOp, JumpOp>> = {
  jeq: 'jeq',
  jne: 'jne',
  jset: 'jset',
  jgt: 'jlt',
  jlt: 'jgt',
  jge: 'jle',
  jle: 'jge',
  jsgt: 'jslt',
  jslt: 'jsgt',
  jsge: 'jsle',
  jsle: 'jsge', // biome-ignore format: pairs
}

// a < b surely, for each of the four orders: the largest a is below the smallest b.
function below(a: Readonly<Num>, b: Readonly<Num>, signed: boolean, width: 32 | 64): boolean {
  if (width === 32) return signed ? a.s32max < b.s32min : ult32(a.u32max, b.u32min)
  return signed ? slt(a.smaxH, a.smaxL, b.sminH, b.sminL) : ult(a.umaxH, a.umaxL, b.uminH, b.uminL)
}

function notAbove(a: Readonly<Num>, b: Readonly<Num>, signed: boolean, width: 32 | 64): boolean {
  if (width === 32) return signed ? a.s32max <= b.s32min : !ult32(b.u32min, a.u32max)
  return signed ? !slt(b.sminH, b.sminL, a.smaxH, a.smaxL) : !ult(b.uminH, b.uminL, a.umaxH, a.umaxL)
}

function disjoint(a: Readonly<Num>, b: Readonly<Num>, width: 32 | 64): boolean {
  return below(a, b, false, width) || below(b, a, false, width) || below(a, b, true, width) || below(b, a, true, width)
}

/** Whether the test is known to hold (true), known not to (false), or open (undefined). */
export function decide(test: JumpOp, width: 32 | 64, a: Readonly<Num>, b: Readonly<Num>): boolean | undefined {
  switch (test) {
    case 'jeq':
      return equality(width, a, b)
    case 'jne': {
      const equal = equality(width, a, b)
      return equal === undefined ? undefined : !equal
    }
    case 'jset':
      return isKnownIn(b, width) ? overlapBits(width, a, b) : isKnownIn(a, width) ? overlapBits(width, b, a) : undefined
    case 'jgt':
    case 'jsgt':
      return order(width, test === 'jsgt', b, a)
    case 'jlt':
    case 'jslt':
      return order(width, test === 'jslt', a, b)
    case 'jge':
    case 'jsge':
      return not(order(width, test === 'jsge', a, b))
    case 'jle':
    case 'jsle':
      return not(order(width, test === 'jsle', b, a))
  }
}

function not(known: boolean | undefined): boolean | undefined {
  return known === undefined ? undefined : !known
}

/** a < b. */
function order(width: 32 | 64, signed: boolean, a: Readonly<Num>, b: Readonly<Num>): boolean | undefined {
  if (below(a, b, signed, width)) return true
  return notAbove(b, a, signed, width) ? false : undefined
}

function equality(width: 32 | 64, a: Readonly<Num>, b: Readonly<Num>): boolean | undefined {
  const [s, t] = width === 32 ? [tnumLow(a.bits), tnumLow(b.bits)] : [a.bits, b.bits]
  if (isConst(s) && isConst(t)) return s.vl === t.vl && s.vh === t.vh
  if (!tnumOverlap(s, t) || disjoint(a, b, width)) return false
  return width === 64 && disjoint(a, b, 32) ? false : undefined
}

/** Whether a and the constant b have a common bit. */
function overlapBits(width: 32 | 64, a: Readonly<Num>, b: Readonly<Num>): boolean | undefined {
  const { vh, vl, mh, ml } = a.bits
  const wide = width === 64
  if ((vl & b.bits.vl) !== 0 || (wide && (vh & b.bits.vh) !== 0)) return true
  return ((vl | ml) & b.bits.vl) === 0 && (!wide || ((vh | mh) & b.bits.vh) === 0) ? false : undefined
}

/**
 * Both sides where the test holds.
 * Ranges may come out empty: then the branch is dead, and `violation` tells.
 */
export function refine(test: Test, width: 32 | 64, a: Num, b: Num): void {
  switch (test) {
    case 'jgt':
      return lessThan(false, width, b, a)
    case 'jsgt':
      return lessThan(true, width, b, a)
    case 'jlt':
      return lessThan(false, width, a, b)
    case 'jslt':
      return lessThan(true, width, a, b)
    case 'jge':
      return lessOrEqual(false, width, b, a)
    case 'jsge':
      return lessOrEqual(true, width, b, a)
    case 'jle':
      return lessOrEqual(false, width, a, b)
    case 'jsle':
      return lessOrEqual(true, width, a, b)
    case 'jeq':
      return width === 32 ? equal32(a, b) : equal64(a, b)
    case 'jne':
      if (isKnownIn(b, width)) notEqual(width, a, b)
      else if (isKnownIn(a, width)) notEqual(width, b, a)
      return
    case 'jset':
    case 'jnset':
      if (isKnownIn(b, width)) bitTest(test === 'jset', width, a, b)
      else if (isKnownIn(a, width)) bitTest(test === 'jset', width, b, a)
  }
}

function lessOrEqual(signed: boolean, width: 32 | 64, a: Num, b: Num): void {
  if (width === 64 && signed) {
    lowerSmax(a, b.smaxH, b.smaxL)
    raiseSmin(b, a.sminH, a.sminL)
  } else if (width === 64) {
    lowerUmax(a, b.umaxH, b.umaxL)
    raiseUmin(b, a.uminH, a.uminL)
  } else if (signed) {
    a.s32max = Math.min(a.s32max, b.s32max)
    b.s32min = Math.max(a.s32min, b.s32min)
  } else {
    a.u32max = umin32(a.u32max, b.u32max)
    b.u32min = umax32(a.u32min, b.u32min)
  }
}

function lessThan(signed: boolean, width: 32 | 64, a: Num, b: Num): void {
  if (width === 64 && signed) {
    const maxL = sub(b.smaxH, b.smaxL, 0, 1)
    lowerSmax(a, high, maxL)
    const minL = add(a.sminH, a.sminL, 0, 1)
    raiseSmin(b, high, minL)
  } else if (width === 64) {
    const maxL = sub(b.umaxH, b.umaxL, 0, 1)
    lowerUmax(a, high, maxL)
    const minL = add(a.uminH, a.uminL, 0, 1)
    raiseUmin(b, high, minL)
  } else if (signed) {
    a.s32max = Math.min(a.s32max, (b.s32max - 1) | 0)
    b.s32min = Math.max((a.s32min + 1) | 0, b.s32min)
  } else {
    a.u32max = umin32(a.u32max, (b.u32max - 1) | 0)
    b.u32min = umax32((a.u32min + 1) | 0, b.u32min)
  }
}

function equal32(a: Num, b: Num): void {
  a.u32min = b.u32min = umax32(a.u32min, b.u32min)
  a.u32max = b.u32max = umin32(a.u32max, b.u32max)
  a.s32min = b.s32min = Math.max(a.s32min, b.s32min)
  a.s32max = b.s32max = Math.min(a.s32max, b.s32max)
  const low = tnumIntersect(tnumLow(a.bits), tnumLow(b.bits))
  a.bits = tnumJoin(a.bits, low)
  b.bits = tnumJoin(b.bits, low)
}

function equal64(a: Num, b: Num): void {
  raiseUmin(a, b.uminH, b.uminL)
  raiseUmin(b, a.uminH, a.uminL)
  lowerUmax(a, b.umaxH, b.umaxL)
  lowerUmax(b, a.umaxH, a.umaxL)
  raiseSmin(a, b.sminH, b.sminL)
  raiseSmin(b, a.sminH, a.sminL)
  lowerSmax(a, b.smaxH, b.smaxL)
  lowerSmax(b, a.smaxH, a.smaxL)
  a.bits = b.bits = tnumIntersect(a.bits, b.bits)
}

/** The constant is cut off where it is an edge of the range. */
function notEqual(width: 32 | 64, a: Num, b: Readonly<Num>): void {
  const { vh: h, vl: l } = b.bits
  if (width === 32) {
    if (a.u32min === l) a.u32min = (a.u32min + 1) | 0
    if (a.u32max === l) a.u32max = (a.u32max - 1) | 0
    if (a.s32min === l) a.s32min = (a.s32min + 1) | 0
    if (a.s32max === l) a.s32max = (a.s32max - 1) | 0
    return
  }
  if (a.uminL === l && a.uminH === h) {
    a.uminL = add(h, l, 0, 1)
    a.uminH = high
  }
  if (a.umaxL === l && a.umaxH === h) {
    a.umaxL = sub(h, l, 0, 1)
    a.umaxH = high
  }
  if (a.sminL === l && a.sminH === h) {
    a.sminL = add(h, l, 0, 1)
    a.sminH = high
  }
  if (a.smaxL === l && a.smaxH === h) {
    a.smaxL = sub(h, l, 0, 1)
    a.smaxH = high
  }
}

/** A set bit is learnt only where the mask has one bit; clear bits always. */
function bitTest(set: boolean, width: 32 | 64, a: Num, b: Readonly<Num>): void {
  const [h, l] = [width === 32 ? 0 : b.bits.vh, b.bits.vl]
  if (set) {
    const one = h === 0 ? l !== 0 && (l & (l - 1)) === 0 : l === 0 && (h & (h - 1)) === 0
    if (!one) return
    a.bits = tnumOr(a.bits, tnumConst(h, l))
    return
  }
  // The ranges are forgotten first, lest they contradict the bits on a dead branch.
  unbound64(a)
  unbound32(a)
  a.bits = tnumAnd(a.bits, new Tnum(width === 32 ? -1 : ~h, ~l, 0, 0))
}

/** Whether a range is empty: no number can be this one. */
export function isEmpty(n: Readonly<Num>): boolean {
  return (
    ult(n.umaxH, n.umaxL, n.uminH, n.uminL) ||
    slt(n.smaxH, n.smaxL, n.sminH, n.sminL) ||
    ult32(n.u32max, n.u32min) ||
    n.s32max < n.s32min
  )
}

/** What is wrong with a number whose ranges came out empty; undefined if nothing is. */
export function violation(n: Readonly<Num>): string | undefined {
  if (isEmpty(n)) return 'range bounds violation'
  const { vh, vl, mh, ml } = n.bits
  if (mh === 0 && ml === 0) {
    const out =
      n.uminH !== vh || n.uminL !== vl || n.umaxH !== vh || n.umaxL !== vl ||
      n.sminH !== vh || n.sminL !== vl || n.smaxH !== vh || n.smaxL !== vl // biome-ignore format: a row a sign
    if (out) return 'const tnum out of sync with range bounds'
  }
  if (ml === 0 && (n.u32min !== vl || n.u32max !== vl || n.s32min !== vl || n.s32max !== vl))
    return 'const subreg tnum out of sync with range bounds'
  return undefined
}

/** The ranges of a number as the kernel prints them when they contradict each other. */
export function violationText(n: Readonly<Num>): string {
  const hex = (value: bigint) => `0x${value.toString(16)}`
  const u64 = (h: number, l: number) => hex(toUnsigned(h, l))
  const u32 = (l: number) => hex(BigInt(l >>> 0))
  return (
    `u64=[${u64(n.uminH, n.uminL)}, ${u64(n.umaxH, n.umaxL)}] s64=[${u64(n.sminH, n.sminL)}, ${u64(n.smaxH, n.smaxL)}] ` +
    `u32=[${u32(n.u32min)}, ${u32(n.u32max)}] s32=[${u32(n.s32min)}, ${u32(n.s32max)}] ` +
    `var_off=(${u64(n.bits.vh, n.bits.vl)}, ${u64(n.bits.mh, n.bits.ml)})`
  )
}

/**
 * Both sides of a comparison on the branch where `test` holds, in step. `same`: a register compared with itself, whose two
 * sides are narrowed as one number.
 */
export function learn(
  test: Test,
  width: 32 | 64,
  a: Readonly<Num>,
  b: Readonly<Num>,
  same: boolean,
): readonly [Num, Num] {
  const x = draft(a)
  const y = same ? x : draft(b)
  refine(test, width, x, y)
  sync(x)
  return [x, same ? x : sync(y)]
}
