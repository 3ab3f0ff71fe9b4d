// 64-bit integers as two signed 32-bit halves: what the abstract domain computes with, since BigInt is an order slower.
// A 64-bit result comes back as its low half, and its high half is in `high` until the next call.

/** The high half of the last 64-bit result. */
export let high = 0

export function add(ah: number, al: number, bh: number, bl: number): number {
  const low = (al + bl) | 0
  high = (ah + bh + (low >>> 0 < al >>> 0 ? 1 : 0)) | 0
  return low
}

export function sub(ah: number, al: number, bh: number, bl: number): number {
  high = (ah - bh - (al >>> 0 < bl >>> 0 ? 1 : 0)) | 0
  return (al - bl) | 0
}

/** Shift left by 0..63. */
export function shl(h: number, l: number, by: number): number {
  if (by === 0) {
    high = h
    return l
  }
  if (by >= 32) {
    high = l << (by - 32)
    return 0
  }
  high = (h << by) | (l >>> (32 - by))
  return l << by
}

/** Shift right by 0..63, zeros from above. */
export function shr(h: number, l: number, by: number): number {
  if (by === 0) {
    high = h
    return l
  }
  if (by >= 32) {
    high = 0
    return (h >>> (by - 32)) | 0
  }
  high = (h >>> by) | 0
  return (l >>> by) | (h << (32 - by))
}

/** Shift right by 0..63, the sign from above. */
export function sar(h: number, l: number, by: number): number {
  if (by === 0) {
    high = h
    return l
  }
  if (by >= 32) {
    high = h >> 31
    return h >> (by - 32)
  }
  high = h >> by
  return (l >>> by) | (h << (32 - by))
}

/** Unsigned a < b. */
export function ult(ah: number, al: number, bh: number, bl: number): boolean {
  return ah === bh ? al >>> 0 < bl >>> 0 : ah >>> 0 < bh >>> 0
}

/** Signed a < b. */
export function slt(ah: number, al: number, bh: number, bl: number): boolean {
  return ah === bh ? al >>> 0 < bl >>> 0 : ah < bh
}

/** Unsigned a < b of 32 bits held as signed numbers. */
export function ult32(a: number, b: number): boolean {
  return a >>> 0 < b >>> 0
}

export function umin32(a: number, b: number): number {
  return a >>> 0 < b >>> 0 ? a : b
}

export function umax32(a: number, b: number): number {
  return a >>> 0 < b >>> 0 ? b : a
}

/** Signed overflow of a + b = r, from the high halves (or of the numbers themselves for 32 bits). */
export function addOverflows(ah: number, bh: number, rh: number): boolean {
  return ((ah ^ rh) & (bh ^ rh)) < 0
}

/** Signed overflow of a - b = r, from the high halves. */
export function subOverflows(ah: number, bh: number, rh: number): boolean {
  return ((ah ^ bh) & (ah ^ rh)) < 0
}

/** Position of the highest set bit, counted from 1; 0 for 0. */
export function bitLength(h: number, l: number): number {
  return h !== 0 ? 64 - Math.clz32(h) : 32 - Math.clz32(l)
}

export function toSigned(h: number, l: number): bigint {
  return (BigInt(h) << 32n) | BigInt(l >>> 0)
}

export function toUnsigned(h: number, l: number): bigint {
  return (BigInt(h >>> 0) << 32n) | BigInt(l >>> 0)
}

/** A number of any sign as halves: the low half is returned. */
export function fromBigInt(value: bigint): number {
  high = Number(BigInt.asIntN(32, value >> 32n))
  return Number(BigInt.asIntN(32, value))
}

/** A signed 64-bit value as a JavaScript number: exact below 2^53, near enough above for comparisons with small limits. */
export function approx(h: number, l: number): number {
  return h * 4294967296 + (l >>> 0)
}

/** The same of an unsigned value. */
export function uapprox(h: number, l: number): number {
  return (h >>> 0) * 4294967296 + (l >>> 0)
}
