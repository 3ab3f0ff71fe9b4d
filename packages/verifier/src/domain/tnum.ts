// Known bits: a tnum (value; mask) stands for every number that equals `value` where `mask` has zeros; value & mask = 0.
// The operations are the sound and optimal ones of Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation
// with Tristate Numbers" (CGO 2022).

import { add, bitLength, high, sar, shl, shr, sub, ult } from './wide.ts'

export class Tnum {
  readonly vh: number
  readonly vl: number
  readonly mh: number
  readonly ml: number

  constructor(vh: number, vl: number, mh: number, ml: number) {
    this.vh = vh
    this.vl = vl
    this.mh = mh
    this.ml = ml
  }
}

export const UNKNOWN_BITS = new Tnum(0, 0, -1, -1)
export const ZERO_BITS = new Tnum(0, 0, 0, 0)

/** Value bits that the mask says are unknown are dropped. */
function masked(vh: number, vl: number, mh: number, ml: number): Tnum {
  return new Tnum(vh & ~mh, vl & ~ml, mh, ml)
}

export function tnumConst(h: number, l: number): Tnum {
  return new Tnum(h, l, 0, 0)
}

export function isConst(t: Tnum): boolean {
  return t.mh === 0 && t.ml === 0
}

export function isUnknown(t: Tnum): boolean {
  return t.mh === -1 && t.ml === -1
}

export function tnumEqual(a: Tnum, b: Tnum): boolean {
  return a === b || (a.vh === b.vh && a.vl === b.vl && a.mh === b.mh && a.ml === b.ml)
}

/** The bits that all numbers of an unsigned range have in common. */
export function tnumRange(minH: number, minL: number, maxH: number, maxL: number): Tnum {
  const bits = bitLength(minH ^ maxH, minL ^ maxL)
  if (bits > 63) return UNKNOWN_BITS
  const lowOfOne = shl(0, 1, bits)
  const deltaL = sub(high, lowOfOne, 0, 1)
  return masked(minH, minL, high, deltaL)
}

export function tnumAdd(a: Tnum, b: Tnum): Tnum {
  const maskL = add(a.mh, a.ml, b.mh, b.ml)
  const maskH = high
  const valueL = add(a.vh, a.vl, b.vh, b.vl)
  const valueH = high
  const sigmaL = add(maskH, maskL, valueH, valueL)
  return masked(valueH, valueL, (high ^ valueH) | a.mh | b.mh, (sigmaL ^ valueL) | a.ml | b.ml)
}

export function tnumSub(a: Tnum, b: Tnum): Tnum {
  const valueL = sub(a.vh, a.vl, b.vh, b.vl)
  const valueH = high
  const alphaL = add(valueH, valueL, a.mh, a.ml)
  const alphaH = high
  const betaL = sub(valueH, valueL, b.mh, b.ml)
  return masked(valueH, valueL, (alphaH ^ high) | a.mh | b.mh, (alphaL ^ betaL) | a.ml | b.ml)
}

export function tnumAnd(a: Tnum, b: Tnum): Tnum {
  const vh = a.vh & b.vh
  const vl = a.vl & b.vl
  return new Tnum(vh, vl, (a.vh | a.mh) & (b.vh | b.mh) & ~vh, (a.vl | a.ml) & (b.vl | b.ml) & ~vl)
}

export function tnumOr(a: Tnum, b: Tnum): Tnum {
  const vh = a.vh | b.vh
  const vl = a.vl | b.vl
  return new Tnum(vh, vl, (a.mh | b.mh) & ~vh, (a.ml | b.ml) & ~vl)
}

export function tnumXor(a: Tnum, b: Tnum): Tnum {
  return masked(a.vh ^ b.vh, a.vl ^ b.vl, a.mh | b.mh, a.ml | b.ml)
}

/** Everything that is in either. */
export function tnumUnion(a: Tnum, b: Tnum): Tnum {
  return masked(a.vh & b.vh, a.vl & b.vl, (a.vh ^ b.vh) | a.mh | b.mh, (a.vl ^ b.vl) | a.ml | b.ml)
}

/** What is in both; the caller knows that the two have something in common. */
export function tnumIntersect(a: Tnum, b: Tnum): Tnum {
  const mh = a.mh & b.mh
  const ml = a.ml & b.ml
  const vh = (a.vh | b.vh) & ~mh
  const vl = (a.vl | b.vl) & ~ml
  return mh === a.mh && ml === a.ml && vh === a.vh && vl === a.vl ? a : new Tnum(vh, vl, mh, ml)
}

/** Whether the two can be the same number at all. */
export function tnumOverlap(a: Tnum, b: Tnum): boolean {
  return ((a.vh ^ b.vh) & ~a.mh & ~b.mh) === 0 && ((a.vl ^ b.vl) & ~a.ml & ~b.ml) === 0
}

/** Long multiplication over the bits of `a`; an unknown bit takes the union of both partial sums. */
export function tnumMul(a: Tnum, b: Tnum): Tnum {
  let sum = ZERO_BITS
  let [x, y] = [a, b]
  while (x.vh !== 0 || x.vl !== 0 || x.mh !== 0 || x.ml !== 0) {
    if (x.vl & 1) sum = tnumAdd(sum, y)
    else if (x.ml & 1) sum = tnumUnion(sum, tnumAdd(sum, y))
    x = tnumShr(x, 1)
    y = tnumShl(y, 1)
  }
  return sum
}

export function tnumShl(a: Tnum, by: number): Tnum {
  const vl = shl(a.vh, a.vl, by)
  const vh = high
  const ml = shl(a.mh, a.ml, by)
  return new Tnum(vh, vl, high, ml)
}

export function tnumShr(a: Tnum, by: number): Tnum {
  const vl = shr(a.vh, a.vl, by)
  const vh = high
  const ml = shr(a.mh, a.ml, by)
  return new Tnum(vh, vl, high, ml)
}

/** Arithmetic shift; an unknown sign bit makes the bits shifted in unknown. */
export function tnumSar(a: Tnum, by: number): Tnum {
  const vl = sar(a.vh, a.vl, by)
  const vh = high
  const ml = sar(a.mh, a.ml, by)
  return new Tnum(vh, vl, high, ml)
}

/** The same on the low half; the high half becomes 0. */
export function tnumSar32(a: Tnum, by: number): Tnum {
  return new Tnum(0, a.vl >> by, 0, a.ml >> by)
}

/** The low 32 bits, zero-extended. */
export function tnumLow(a: Tnum): Tnum {
  return a.vh === 0 && a.mh === 0 ? a : new Tnum(0, a.vl, 0, a.ml)
}

/** The high half of one and the low half of the other. */
export function tnumJoin(upper: Tnum, lower: Tnum): Tnum {
  return new Tnum(upper.vh, lower.vl, upper.mh, lower.ml)
}

/** The low `size` bytes, zero-extended. */
export function tnumCast(a: Tnum, size: number): Tnum {
  if (size === 8) return a
  const mask = size === 4 ? -1 : size === 2 ? 0xffff : 0xff
  return new Tnum(0, a.vl & mask, 0, a.ml & mask)
}

/** Whether every number of `b` is in `a`. */
export function tnumIn(a: Tnum, b: Tnum): boolean {
  if (a === b) return true
  if ((b.mh & ~a.mh) !== 0 || (b.ml & ~a.ml) !== 0) return false
  return (b.vh & ~a.mh) === a.vh && (b.vl & ~a.ml) === a.vl
}

/** Whether all numbers of `a` are multiples of `size`, a power of two up to 8. */
export function tnumAligned(a: Tnum, size: number): boolean {
  return ((a.vl | a.ml) & (size - 1)) === 0
}

/** The smallest number of `t` above (h, l); the largest of all where there is none. The low half; the high half in `high`. */
export function tnumNext(t: Tnum, h: number, l: number): number {
  const maxH = t.vh | t.mh
  const maxL = t.vl | t.ml
  if (!ult(h, l, maxH, maxL)) return pair(maxH, maxL)
  if (ult(h, l, t.vh, t.vl)) return pair(t.vh, t.vl)
  // Count up within the mask: the bits outside it are filled with ones, so that the carry runs through them. A one outside
  // the mask in the distance itself means that all mask bits below may start from nothing.
  const distanceL = sub(h, l, t.vh, t.vl)
  const distanceH = high
  const stray = bitLength(distanceH & ~t.mh, distanceL & ~t.ml)
  const oneL = stray > 63 ? 0 : shl(0, 1, stray)
  const fillL = sub(stray > 63 ? 0 : high, oneL, 0, 1)
  const nextL = add(distanceH | high | ~t.mh, distanceL | fillL | ~t.ml, 0, 1)
  return pair(t.vh | (high & t.mh), t.vl | (nextL & t.ml))
}

function pair(h: number, l: number): number {
  return add(h, l, 0, 0)
}
