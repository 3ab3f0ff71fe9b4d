// What is known of a 64-bit number: its bits, and its range as u64, s64, u32 and s32 (of the low half), each kept in step.
// A finished Num is never changed: registers of many states share it. `draft` makes the copy that operations work on.

import {
  Tnum,
  tnumConst,
  tnumIn,
  tnumIntersect,
  tnumLow,
  tnumNext,
  tnumRange,
  UNKNOWN_BITS,
  ZERO_BITS,
} from './tnum.ts'
import { high, slt, ult, ult32, umax32, umin32 } from './wide.ts'

const S32_MIN = -0x80000000
const S32_MAX = 0x7fffffff

/** Halves are signed 32-bit numbers; `u32min` and `u32max` are too, and compared as unsigned. */
export class Num {
  bits: Tnum
  uminH = 0
  uminL = 0
  umaxH = -1
  umaxL = -1
  sminH = S32_MIN
  sminL = 0
  smaxH = S32_MAX
  smaxL = -1
  u32min = 0
  u32max = -1
  s32min = S32_MIN
  s32max = S32_MAX

  constructor(bits: Tnum = UNKNOWN_BITS) {
    this.bits = bits
  }
}

export const UNKNOWN: Readonly<Num> = new Num()
export const ZERO: Readonly<Num> = known(0, 0)

export function draft(n: Readonly<Num>): Num {
  const copy = new Num(n.bits)
  copy.uminH = n.uminH
  copy.uminL = n.uminL
  copy.umaxH = n.umaxH
  copy.umaxL = n.umaxL
  copy.sminH = n.sminH
  copy.sminL = n.sminL
  copy.smaxH = n.smaxH
  copy.smaxL = n.smaxL
  copy.u32min = n.u32min
  copy.u32max = n.u32max
  copy.s32min = n.s32min
  copy.s32max = n.s32max
  return copy
}

/** The constant with these halves. */
export function known(h: number, l: number): Num {
  const n = new Num(h === 0 && l === 0 ? ZERO_BITS : tnumConst(h, l))
  n.uminH = n.umaxH = n.sminH = n.smaxH = h
  n.uminL = n.umaxL = n.sminL = n.smaxL = l
  n.u32min = n.u32max = n.s32min = n.s32max = l
  return n
}

/** The constant of a signed 32-bit number, sign-extended. */
export function knownInt(value: number): Num {
  return known(value >> 31, value | 0)
}

export function isKnown(n: Readonly<Num>): boolean {
  return n.bits.mh === 0 && n.bits.ml === 0
}

export function isZero(n: Readonly<Num>): boolean {
  return isKnown(n) && n.bits.vl === 0 && n.bits.vh === 0
}

/** Known in the width that counts. */
export function isKnownIn(n: Readonly<Num>, width: 32 | 64): boolean {
  return n.bits.ml === 0 && (width === 32 || n.bits.mh === 0)
}

export function unbound64(n: Num): void {
  n.uminH = n.uminL = 0
  n.umaxH = n.umaxL = -1
  unboundS64(n)
}

export function unboundS64(n: Num): void {
  n.sminH = S32_MIN
  n.sminL = 0
  n.smaxH = S32_MAX
  n.smaxL = -1
}

export function unbound32(n: Num): void {
  n.u32min = 0
  n.u32max = -1
  unboundS32(n)
}

export function unboundS32(n: Num): void {
  n.s32min = S32_MIN
  n.s32max = S32_MAX
}

// Narrowing one end: keeps the tighter of what is there and what is offered.
export function raiseUmin(n: Num, h: number, l: number): void {
  if (ult(n.uminH, n.uminL, h, l)) {
    n.uminH = h
    n.uminL = l
  }
}
export function lowerUmax(n: Num, h: number, l: number): void {
  if (ult(h, l, n.umaxH, n.umaxL)) {
    n.umaxH = h
    n.umaxL = l
  }
}
export function raiseSmin(n: Num, h: number, l: number): void {
  if (slt(n.sminH, n.sminL, h, l)) {
    n.sminH = h
    n.sminL = l
  }
}
export function lowerSmax(n: Num, h: number, l: number): void {
  if (slt(h, l, n.smaxH, n.smaxL)) {
    n.smaxH = h
    n.smaxL = l
  }
}
function narrowU32(n: Num, min: number, max: number): void {
  n.u32min = umax32(n.u32min, min)
  n.u32max = umin32(n.u32max, max)
}
function narrowS32(n: Num, min: number, max: number): void {
  if (min > n.s32min) n.s32min = min
  if (max < n.s32max) n.s32max = max
}

/** Ranges of the low half from the known bits. */
export function update32(n: Num): void {
  const { vl, ml } = n.bits
  narrowS32(n, vl | (ml & S32_MIN), vl | (ml & S32_MAX))
  narrowU32(n, vl, vl | ml)
}

function update64(n: Num): void {
  const { vh, vl, mh, ml } = n.bits
  raiseSmin(n, vh | (mh & S32_MIN), vl)
  lowerSmax(n, vh | (mh & S32_MAX), vl | ml)
  raiseUmin(n, vh, vl)
  lowerUmax(n, vh | mh, vl | ml)
  if (mh !== -1 || ml !== -1) settleSingle(n)
}

/** Range and bits that have only one number in common: it is that number. */
function settleSingle(n: Num): void {
  const { vh, vl, mh, ml } = n.bits
  const nextL = tnumNext(n.bits, n.uminH, n.uminL)
  const nextH = high
  const beyond = ult(n.umaxH, n.umaxL, nextH, nextL)
  if ((n.uminH & ~mh) === vh && (n.uminL & ~ml) === vl) {
    if (beyond) become(n, n.uminH, n.uminL)
    return
  }
  if (nextH === (vh | mh) && nextL === (vl | ml)) return become(n, nextH, nextL)
  if (beyond) return
  const secondL = tnumNext(n.bits, nextH, nextL)
  if (ult(n.umaxH, n.umaxL, high, secondL)) become(n, nextH, nextL)
}

/** Becomes a constant. */
export function become(n: Num, h: number, l: number): void {
  n.bits = tnumConst(h, l)
  n.uminH = n.umaxH = n.sminH = n.smaxH = h
  n.uminL = n.umaxL = n.sminL = n.smaxL = l
  n.u32min = n.u32max = n.s32min = n.s32max = l
}

/** Ranges from the known bits. */
export function update(n: Num): void {
  update32(n)
  update64(n)
}

/** What the 64-bit ranges and the other sign say of the low half. */
function deduce32(n: Num): void {
  if (n.uminH === n.umaxH) {
    narrowU32(n, n.uminL, n.umaxL)
    if (n.uminL <= n.umaxL) narrowS32(n, n.uminL, n.umaxL)
  }
  if (n.sminH === n.smaxH) {
    if (n.sminL >>> 0 <= n.smaxL >>> 0) narrowU32(n, n.sminL, n.smaxL)
    if (n.sminL <= n.smaxL) narrowS32(n, n.sminL, n.smaxL)
  }
  // Upper halves one apart and low halves from negative to positive: the low half is that s32 range.
  if (((n.uminH + 1) | 0) === n.umaxH && n.uminL < 0 && n.umaxL >= 0) narrowS32(n, n.uminL, n.umaxL)
  if (((n.sminH + 1) | 0) === n.smaxH && n.sminL < 0 && n.smaxL >= 0) narrowS32(n, n.sminL, n.smaxL)
  if (n.u32min <= n.u32max) narrowS32(n, n.u32min, n.u32max)
  if (!ult32(n.s32max, n.s32min)) narrowU32(n, n.s32min, n.s32max)
  else if (ult32(n.u32max, n.s32min)) {
    // The signed range wraps; the unsigned one meets only its non-negative part.
    n.s32min = n.u32min
    n.u32max = umin32(n.u32max, n.s32max)
  } else if (ult32(n.s32max, n.u32min)) {
    n.s32max = n.u32max
    n.u32min = umax32(n.u32min, n.s32min)
  }
}

/** What the signed and unsigned 64-bit ranges say of each other. */
function deduce64(n: Num): void {
  if (!slt(n.umaxH, n.umaxL, n.uminH, n.uminL)) {
    raiseSmin(n, n.uminH, n.uminL)
    lowerSmax(n, n.umaxH, n.umaxL)
  }
  if (!ult(n.smaxH, n.smaxL, n.sminH, n.sminL)) {
    raiseUmin(n, n.sminH, n.sminL)
    lowerUmax(n, n.smaxH, n.smaxL)
  } else if (ult(n.umaxH, n.umaxL, n.sminH, n.sminL)) {
    // The signed range wraps; the unsigned one meets only its non-negative part.
    n.sminH = n.uminH
    n.sminL = n.uminL
    lowerUmax(n, n.smaxH, n.smaxL)
  } else if (ult(n.smaxH, n.smaxL, n.uminH, n.uminL)) {
    n.smaxH = n.umaxH
    n.smaxL = n.umaxL
    raiseUmin(n, n.sminH, n.sminL)
  }
}

/** What the low half says of the 64-bit ranges. */
function deduceMixed(n: Num): void {
  raiseUmin(n, n.uminH, n.u32min)
  lowerUmax(n, n.umaxH, n.u32max)
  raiseSmin(n, n.sminH, n.u32min)
  lowerSmax(n, n.smaxH, n.u32max)
  // A value known to be a sign-extended s32 that cannot be negative is that s32.
  if (n.s32min >= 0 && !slt(n.sminH, n.sminL, -1, S32_MIN) && !slt(0, S32_MAX, n.smaxH, n.smaxL)) {
    n.sminH = n.uminH = n.smaxH = n.umaxH = 0
    n.sminL = n.uminL = n.s32min
    n.smaxL = n.umaxL = n.s32max
    n.bits = tnumIntersect(n.bits, tnumRange(0, n.s32min, 0, n.s32max))
  }
}

function deduce(n: Num): void {
  deduce32(n)
  deduce64(n)
  deduceMixed(n)
}

/** Bits from the ranges. */
function boundBits(n: Num): void {
  const wide = tnumIntersect(n.bits, tnumRange(n.uminH, n.uminL, n.umaxH, n.umaxL))
  const width = 32 - Math.clz32(n.u32min ^ n.u32max)
  const free = width === 32 ? -1 : (1 << width) - 1
  const ml = wide.ml & free
  const vl = (wide.vl | (n.u32min & ~free)) & ~ml
  n.bits = vl === wide.vl && ml === wide.ml ? wide : new Tnum(wide.vh, vl, wide.mh, ml)
}

/** A constant whose bits and ranges all say so. */
function isSettled(n: Num): boolean {
  const { vh, vl, mh, ml } = n.bits
  return (
    (mh | ml) === 0 &&
    n.uminL === vl && n.umaxL === vl && n.sminL === vl && n.smaxL === vl &&
    n.uminH === vh && n.umaxH === vh && n.sminH === vh && n.smaxH === vh &&
    n.u32min === vl && n.u32max === vl && n.s32min === vl && n.s32max === vl
  ) // biome-ignore format: a row a width
}

/** Brings bits and all four ranges in step: each tells the others what it knows. */
export function sync(n: Num): Num {
  if (isSettled(n)) return n
  update(n)
  deduce(n)
  deduce(n)
  deduce(n)
  boundBits(n)
  update(n)
  return n
}

/** The 64-bit ranges of a number whose upper half is 0, from its low half. */
export function zeroExtend(n: Num): void {
  n.bits = tnumLow(n.bits)
  n.uminH = n.umaxH = n.sminH = n.smaxH = 0
  n.uminL = n.u32min
  n.umaxL = n.u32max
  const plain = n.s32min >= 0 && n.s32max >= 0
  n.sminL = plain ? n.s32min : 0
  n.smaxL = plain ? n.s32max : -1
}

/** Whether every number of `b`, by all four ranges and the bits, is in `a`. */
export function includes(a: Readonly<Num>, b: Readonly<Num>): boolean {
  if (a === b) return true
  return (
    !ult(b.uminH, b.uminL, a.uminH, a.uminL) &&
    !ult(a.umaxH, a.umaxL, b.umaxH, b.umaxL) &&
    !slt(b.sminH, b.sminL, a.sminH, a.sminL) &&
    !slt(a.smaxH, a.smaxL, b.smaxH, b.smaxL) &&
    !ult32(b.u32min, a.u32min) &&
    !ult32(a.u32max, b.u32max) &&
    a.s32min <= b.s32min &&
    a.s32max >= b.s32max &&
    tnumIn(a.bits, b.bits)
  )
}

export function sameNum(a: Readonly<Num>, b: Readonly<Num>): boolean {
  if (a === b) return true
  const [s, t] = [a.bits, b.bits]
  return (
    s.vl === t.vl && s.vh === t.vh && s.ml === t.ml && s.mh === t.mh &&
    a.uminL === b.uminL && a.uminH === b.uminH && a.umaxL === b.umaxL && a.umaxH === b.umaxH &&
    a.sminL === b.sminL && a.sminH === b.sminH && a.smaxL === b.smaxL && a.smaxH === b.smaxH &&
    a.u32min === b.u32min && a.u32max === b.u32max && a.s32min === b.s32min && a.s32max === b.s32max
  ) // biome-ignore format: a row a pair
}

/** Bits that the largest value needs: 0..64. */
export function widthOf(n: Readonly<Num>): number {
  return n.umaxH !== 0 ? 64 - Math.clz32(n.umaxH) : 32 - Math.clz32(n.umaxL)
}

/** Whether nothing at all is known. */
export function isUnbounded(n: Readonly<Num>): boolean {
  return n === UNKNOWN || sameNum(n, UNKNOWN)
}
