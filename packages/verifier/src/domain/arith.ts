// What an ALU operation makes of two abstract numbers: always a superset of what it makes of the concrete ones, and
// exactly as wide as Linux 6.18 has it (differential tests compare the printed ranges).

import type { AluOp } from '@netsieve/asm'
import {
  become,
  draft,
  isKnown,
  isKnownIn,
  known,
  type Num,
  sync,
  UNKNOWN,
  unbound32,
  unbound64,
  unboundS32,
  unboundS64,
  update,
  update32,
  zeroExtend,
} from './num.ts'
import {
  isConst,
  Tnum,
  tnumAdd,
  tnumAnd,
  tnumCast,
  tnumConst,
  tnumLow,
  tnumMul,
  tnumOr,
  tnumRange,
  tnumSar,
  tnumSar32,
  tnumShl,
  tnumShr,
  tnumSub,
  tnumXor,
  UNKNOWN_BITS,
} from './tnum.ts'
import {
  add,
  addOverflows,
  fromBigInt,
  high,
  sar,
  shl,
  shr,
  slt,
  sub,
  subOverflows,
  toSigned,
  toUnsigned,
  ult,
  ult32,
  umax32,
  umin32,
} from './wide.ts'

type Operation = (n: Num, src: Readonly<Num>, width: 32 | 64) => void

/**
 * dst op src; `neg` takes only dst, as 0 - dst. The result of a 32-bit operation is zero-extended, save that of operations
 * the kernel does not follow (division, shifts by an unknown number): there nothing is known of all 64 bits.
 */
export function arith(op: AluOp, width: 32 | 64, dst: Readonly<Num>, src: Readonly<Num>): Readonly<Num> {
  if (op === 'neg') return arith('sub', width, known(0, 0), dst)
  const operation = OPERATIONS[op]
  if (!operation) return UNKNOWN
  if (op === 'lsh' || op === 'rsh' || op === 'arsh') {
    if (!isSettled(src, width) || src.umaxH !== 0 || src.umaxL >>> 0 >= width) return UNKNOWN
  }
  const n = draft(dst)
  operation(n, src, width)
  if (width === 32) zeroExtend(n)
  return sync(n)
}

/** One known number in the width that counts, and ranges that say so too. */
function isSettled(n: Readonly<Num>, width: 32 | 64): boolean {
  if (width === 32) return isKnownIn(n, 32) && n.u32min === n.u32max && n.s32min === n.s32max
  return isKnown(n) && n.uminH === n.umaxH && n.uminL === n.umaxL && n.sminH === n.smaxH && n.sminL === n.smaxL
}

/** n += src without the final sync: what linked registers get. */
export function addRaw(n: Num, src: Readonly<Num>): void {
  add32(n, src)
  addRange64(n, src)
  n.bits = tnumAdd(n.bits, src.bits)
}

const OPERATIONS: Partial<Record<AluOp, Operation>> = {
  add: addRaw,
  sub: (n, src) => {
    sub32(n, src)
    subRange64(n, src)
    n.bits = tnumSub(n.bits, src.bits)
  },
  mul: (n, src) => {
    n.bits = tnumMul(n.bits, src.bits)
    mul32(n, src)
    mul64(n, src)
  },
  and: (n, src) => {
    n.bits = tnumAnd(n.bits, src.bits)
    bitwise32(n, src, 'and')
    bitwise64(n, src, 'and')
  },
  or: (n, src) => {
    n.bits = tnumOr(n.bits, src.bits)
    bitwise32(n, src, 'or')
    bitwise64(n, src, 'or')
  },
  xor: (n, src) => {
    n.bits = tnumXor(n.bits, src.bits)
    bitwise32(n, src, 'xor')
    bitwise64(n, src, 'xor')
  },
  lsh: (n, src, width) => (width === 32 ? lsh32(n, src.uminL) : lsh64(n, src.uminL)),
  rsh: (n, src, width) => (width === 32 ? rsh32(n, src.uminL) : rsh64(n, src.uminL)),
  arsh: (n, src, width) => (width === 32 ? arsh32(n, src.uminL) : arsh64(n, src.uminL)),
}

function add32(n: Num, src: Readonly<Num>): void {
  const smin = (n.s32min + src.s32min) | 0
  const smax = (n.s32max + src.s32max) | 0
  if (addOverflows(n.s32min, src.s32min, smin) || addOverflows(n.s32max, src.s32max, smax)) unboundS32(n)
  else {
    n.s32min = smin
    n.s32max = smax
  }
  const umin = (n.u32min + src.u32min) | 0
  const umax = (n.u32max + src.u32max) | 0
  // All sums wrap or none does: the ends still bound them. Only some: nothing is left.
  const wraps = !ult32(umin, n.u32min) && ult32(umax, n.u32max)
  n.u32min = wraps ? 0 : umin
  n.u32max = wraps ? -1 : umax
}

export function addRange64(n: Num, src: Readonly<Num>): void {
  const sminL = add(n.sminH, n.sminL, src.sminH, src.sminL)
  const sminH = high
  const smaxL = add(n.smaxH, n.smaxL, src.smaxH, src.smaxL)
  const smaxH = high
  if (addOverflows(n.sminH, src.sminH, sminH) || addOverflows(n.smaxH, src.smaxH, smaxH)) unboundS64(n)
  else setS64(n, sminH, sminL, smaxH, smaxL)
  const uminL = add(n.uminH, n.uminL, src.uminH, src.uminL)
  const uminH = high
  const umaxL = add(n.umaxH, n.umaxL, src.umaxH, src.umaxL)
  const umaxH = high
  const wraps = !ult(uminH, uminL, n.uminH, n.uminL) && ult(umaxH, umaxL, n.umaxH, n.umaxL)
  if (wraps) setU64(n, 0, 0, -1, -1)
  else setU64(n, uminH, uminL, umaxH, umaxL)
}

function setU64(n: Num, minH: number, minL: number, maxH: number, maxL: number): void {
  n.uminH = minH
  n.uminL = minL
  n.umaxH = maxH
  n.umaxL = maxL
}

function setS64(n: Num, minH: number, minL: number, maxH: number, maxL: number): void {
  n.sminH = minH
  n.sminL = minL
  n.smaxH = maxH
  n.smaxL = maxL
}

function sub32(n: Num, src: Readonly<Num>): void {
  const smin = (n.s32min - src.s32max) | 0
  const smax = (n.s32max - src.s32min) | 0
  if (subOverflows(n.s32min, src.s32max, smin) || subOverflows(n.s32max, src.s32min, smax)) unboundS32(n)
  else {
    n.s32min = smin
    n.s32max = smax
  }
  const wraps = ult32(n.u32min, src.u32max) && !ult32(n.u32max, src.u32min)
  const umin = (n.u32min - src.u32max) | 0
  n.u32max = wraps ? -1 : (n.u32max - src.u32min) | 0
  n.u32min = wraps ? 0 : umin
}

function subRange64(n: Num, src: Readonly<Num>): void {
  const sminL = sub(n.sminH, n.sminL, src.smaxH, src.smaxL)
  const sminH = high
  const smaxL = sub(n.smaxH, n.smaxL, src.sminH, src.sminL)
  const smaxH = high
  if (subOverflows(n.sminH, src.smaxH, sminH) || subOverflows(n.smaxH, src.sminH, smaxH)) unboundS64(n)
  else setS64(n, sminH, sminL, smaxH, smaxL)
  const wraps = ult(n.uminH, n.uminL, src.umaxH, src.umaxL) && !ult(n.umaxH, n.umaxL, src.uminH, src.uminL)
  if (wraps) return setU64(n, 0, 0, -1, -1)
  const uminL = sub(n.uminH, n.uminL, src.umaxH, src.umaxL)
  const uminH = high
  const umaxL = sub(n.umaxH, n.umaxL, src.uminH, src.uminL)
  setU64(n, uminH, uminL, high, umaxL)
}

/** A pointer plus a number: as `add`, but any wrap at either end of a range gives it up. */
export function addOffset(base: Readonly<Num>, offset: Readonly<Num>): Num {
  const n = draft(base)
  const uminL = add(n.uminH, n.uminL, offset.uminH, offset.uminL)
  const minWraps = ult(high, uminL, n.uminH, n.uminL)
  addRange64(n, offset)
  if (minWraps) setU64(n, 0, 0, -1, -1)
  n.bits = tnumAdd(base.bits, offset.bits)
  unbound32(n)
  return n
}

/** A pointer minus a number: the unsigned range stays only if no difference can wrap. */
export function subOffset(base: Readonly<Num>, offset: Readonly<Num>): Num {
  const n = draft(base)
  const mayWrap = ult(n.uminH, n.uminL, offset.umaxH, offset.umaxL)
  subRange64(n, offset)
  if (mayWrap) setU64(n, 0, 0, -1, -1)
  n.bits = tnumSub(base.bits, offset.bits)
  unbound32(n)
  return n
}

function mul32(n: Num, src: Readonly<Num>): void {
  const umax = (n.u32max >>> 0) * (src.u32max >>> 0)
  if (umax > 0xffffffff) {
    n.u32min = 0
    n.u32max = -1
  } else {
    n.u32min = Math.imul(n.u32min, src.u32min)
    n.u32max = umax | 0
  }
  const products = [n.s32min * src.s32min, n.s32min * src.s32max, n.s32max * src.s32min, n.s32max * src.s32max]
  const min = Math.min(...products)
  const max = Math.max(...products)
  if (min < -0x80000000 || max > 0x7fffffff) unboundS32(n)
  else {
    n.s32min = min | 0
    n.s32max = max | 0
  }
}

/** Rare enough for BigInt: exact products decide on overflow. */
function mul64(n: Num, src: Readonly<Num>): void {
  const umax = toUnsigned(n.umaxH, n.umaxL) * toUnsigned(src.umaxH, src.umaxL)
  if (umax >> 64n !== 0n) setU64(n, 0, 0, -1, -1)
  else {
    const minL = fromBigInt(toUnsigned(n.uminH, n.uminL) * toUnsigned(src.uminH, src.uminL))
    const minH = high
    const maxL = fromBigInt(umax)
    setU64(n, minH, minL, high, maxL)
  }
  const [amin, amax] = [toSigned(n.sminH, n.sminL), toSigned(n.smaxH, n.smaxL)]
  const [bmin, bmax] = [toSigned(src.sminH, src.sminL), toSigned(src.smaxH, src.smaxL)]
  let [min, max] = [amin * bmin, amin * bmin]
  for (const product of [amin * bmax, amax * bmin, amax * bmax]) {
    if (product < min) min = product
    if (product > max) max = product
  }
  if (min < -(1n << 63n) || max >= 1n << 63n) return unboundS64(n)
  const minL = fromBigInt(min)
  const minH = high
  const maxL = fromBigInt(max)
  setS64(n, minH, minL, high, maxL)
}

function bitwise32(n: Num, src: Readonly<Num>, op: 'and' | 'or' | 'xor'): void {
  const { vl, ml } = n.bits
  if (ml === 0 && src.bits.ml === 0) {
    n.u32min = n.u32max = n.s32min = n.s32max = vl
    return
  }
  if (op === 'and') n.u32max = umin32(n.u32max, src.u32max)
  else n.u32max = vl | ml
  n.u32min = op === 'or' ? umax32(n.u32min, src.u32min) : vl
  if (n.u32min <= n.u32max) {
    n.s32min = n.u32min
    n.s32max = n.u32max
  } else unboundS32(n)
}

function bitwise64(n: Num, src: Readonly<Num>, op: 'and' | 'or' | 'xor'): void {
  const { vh, vl, mh, ml } = n.bits
  if (isConst(n.bits) && isConst(src.bits)) {
    become(n, vh, vl)
    return
  }
  if (op === 'and') {
    if (ult(src.umaxH, src.umaxL, n.umaxH, n.umaxL)) setU64(n, vh, vl, src.umaxH, src.umaxL)
    else setU64(n, vh, vl, n.umaxH, n.umaxL)
  } else if (op === 'or' && !ult(n.uminH, n.uminL, src.uminH, src.uminL)) setU64(n, n.uminH, n.uminL, vh | mh, vl | ml)
  else if (op === 'or') setU64(n, src.uminH, src.uminL, vh | mh, vl | ml)
  else setU64(n, vh, vl, vh | mh, vl | ml)
  if (!slt(n.umaxH, n.umaxL, n.uminH, n.uminL)) setS64(n, n.uminH, n.uminL, n.umaxH, n.umaxL)
  else unboundS64(n)
  update(n)
}

function shiftLow(n: Num, by: number): void {
  unboundS32(n)
  if (by > 31 || n.u32max >>> 0 > 2 ** (31 - by)) {
    n.u32min = 0
    n.u32max = -1
  } else {
    n.u32min <<= by
    n.u32max <<= by
  }
}

function lsh32(n: Num, by: number): void {
  const low = tnumLow(n.bits)
  shiftLow(n, by)
  n.bits = tnumLow(tnumShl(low, by))
  unbound64(n)
  update32(n)
}

function lsh64(n: Num, by: number): void {
  // A shift by 32 is half of a sign extension: the low half's range becomes the high half's.
  if (by === 32) setS64(n, n.s32min, 0, n.s32max, 0)
  else unboundS64(n)
  const limitL = shl(0, 1, 63 - by)
  if (ult(high, limitL, n.umaxH, n.umaxL)) setU64(n, 0, 0, -1, -1)
  else {
    const minL = shl(n.uminH, n.uminL, by)
    const minH = high
    const maxL = shl(n.umaxH, n.umaxL, by)
    setU64(n, minH, minL, high, maxL)
  }
  shiftLow(n, by)
  n.bits = tnumShl(n.bits, by)
  update(n)
}

function rsh32(n: Num, by: number): void {
  unboundS32(n)
  n.bits = tnumShr(tnumLow(n.bits), by)
  n.u32min = (n.u32min >>> by) | 0
  n.u32max = (n.u32max >>> by) | 0
  unbound64(n)
  update32(n)
}

function rsh64(n: Num, by: number): void {
  unboundS64(n)
  n.bits = tnumShr(n.bits, by)
  const minL = shr(n.uminH, n.uminL, by)
  const minH = high
  const maxL = shr(n.umaxH, n.umaxL, by)
  setU64(n, minH, minL, high, maxL)
  unbound32(n)
  update(n)
}

function arsh32(n: Num, by: number): void {
  n.s32min >>= by
  n.s32max >>= by
  n.bits = tnumSar32(n.bits, by)
  n.u32min = 0
  n.u32max = -1
  unbound64(n)
  update32(n)
}

function arsh64(n: Num, by: number): void {
  const minL = sar(n.sminH, n.sminL, by)
  const minH = high
  const maxL = sar(n.smaxH, n.smaxL, by)
  setS64(n, minH, minL, high, maxL)
  n.bits = tnumSar(n.bits, by)
  setU64(n, 0, 0, -1, -1)
  unbound32(n)
  update(n)
}

/** The low 32 bits, zero-extended: a 32-bit move. */
export function low32(src: Readonly<Num>): Num {
  const n = draft(src)
  zeroExtend(n)
  return sync(n)
}

/** The low 1, 2 or 4 bytes, zero-extended. */
export function truncate(src: Readonly<Num>, size: number): Num {
  const n = draft(src)
  n.bits = tnumCast(n.bits, size)
  const mask = size === 4 ? -1 : size === 2 ? 0xffff : 0xff
  const same = n.uminH === n.umaxH && (n.uminL & ~mask) === (n.umaxL & ~mask)
  setU64(n, 0, same ? n.uminL & mask : 0, 0, same ? n.umaxL & mask : mask)
  setS64(n, 0, n.uminL, 0, n.umaxL)
  if (size < 4) unbound32(n)
  return sync(n)
}

function signExtended(value: number, size: number): number {
  return size === 1 ? (value << 24) >> 24 : size === 2 ? (value << 16) >> 16 : value
}

/** The low 1, 2 or 4 bytes, sign-extended to 64 bits. */
export function signExtend64(src: Readonly<Num>, size: number): Readonly<Num> {
  if (isKnown(src)) {
    const low = signExtended(src.bits.vl, size)
    return known(low >> 31, low)
  }
  const mask = size === 4 ? -1 : size === 2 ? 0xffff : 0xff
  if (src.sminH === src.smaxH && (src.sminL & ~mask) === (src.smaxL & ~mask)) {
    const [a, b] = [signExtended(src.sminL, size), signExtended(src.smaxL, size)]
    const [min, max] = [Math.min(a, b), Math.max(a, b)]
    if (min >= 0 === max >= 0) {
      const n = draft(UNKNOWN)
      setS64(n, min >> 31, min, max >> 31, max)
      setU64(n, min >> 31, min, max >> 31, max)
      n.s32min = n.u32min = min
      n.s32max = n.u32max = max
      n.bits = tnumRange(min >> 31, min, max >> 31, max)
      return n
    }
  }
  const n = draft(UNKNOWN)
  const [min, max] = [-(2 ** (size * 8 - 1)), 2 ** (size * 8 - 1) - 1]
  setS64(n, -1, min | 0, 0, max)
  n.s32min = min
  n.s32max = max
  n.bits = UNKNOWN_BITS
  return n
}

/** The low 1 or 2 bytes, sign-extended to 32 bits and zero-extended from there. */
export function signExtend32(src: Readonly<Num>, size: number): Readonly<Num> {
  const n = draft(src)
  const mask = size === 2 ? 0xffff : 0xff
  if (isKnown(src)) {
    const low = signExtended(src.bits.vl, size)
    n.bits = tnumConst(low >> 31, low)
    n.s32min = n.s32max = n.u32min = n.u32max = low
  } else {
    const [a, b] = [signExtended(n.s32min, size), signExtended(n.s32max, size)]
    const [min, max] = [Math.min(a, b), Math.max(a, b)]
    if ((n.s32min & ~mask) === (n.s32max & ~mask) && min >= 0 === max >= 0) {
      n.s32min = n.u32min = min
      n.s32max = n.u32max = max
      n.bits = tnumLow(tnumRange(min >> 31, min, max >> 31, max))
    } else {
      n.s32min = -(2 ** (size * 8 - 1))
      n.s32max = 2 ** (size * 8 - 1) - 1
      n.u32min = 0
      n.u32max = -1
      n.bits = tnumLow(UNKNOWN_BITS)
    }
  }
  zeroExtend(n)
  return sync(n)
}

/** The same number with its low half known; the 64-bit ranges are left for the next operation to narrow. */
export function withLow(src: Readonly<Num>, low: number): Num {
  const n = draft(src)
  n.bits = new Tnum(n.bits.vh, low, n.bits.mh, 0)
  n.u32min = n.u32max = n.s32min = n.s32max = low
  return n
}

function swapBytes32(l: number): number {
  return (l << 24) | ((l & 0xff00) << 8) | ((l >>> 8) & 0xff00) | (l >>> 24)
}

/** Bytes in the other order: 16, 32 or 64 bits, the rest dropped. */
export function swapBytes(src: Readonly<Num>, bits: number): Num {
  const { vh, vl, mh, ml } = src.bits
  const n = draft(UNKNOWN)
  if (bits === 64) n.bits = new Tnum(swapBytes32(vl), swapBytes32(vh), swapBytes32(ml), swapBytes32(mh))
  else if (bits === 32) n.bits = new Tnum(0, swapBytes32(vl), 0, swapBytes32(ml))
  else n.bits = new Tnum(0, swapBytes32(vl) >>> 16, 0, swapBytes32(ml) >>> 16)
  return bits === 64 ? sync(n) : truncate(n, bits >> 3)
}
