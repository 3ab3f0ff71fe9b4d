// 64-bit division of pairs of 32-bit numbers. Pairs lie in an Int32Array, low word first. No BigInt and no objects: the interpreter calls these.

const TWO32 = 4294967296
/** Quotient and remainder of the last unsigned division, low word first. */
const quotient = new Int32Array(2)
const remainder = new Int32Array(2)

/** Unsigned division by a number that is not 0. */
function divide(alo: number, ahi: number, blo: number, bhi: number): void {
  // Below 2^52 a quotient of doubles is off by one at most, and its product is exact.
  if (ahi >>> 20 === 0 && bhi >>> 20 === 0) {
    const a = ahi * TWO32 + (alo >>> 0)
    const b = bhi * TWO32 + (blo >>> 0)
    let q = Math.floor(a / b)
    let r = a - q * b
    if (r < 0) {
      q--
      r += b
    }
    quotient[0] = q | 0
    quotient[1] = q / TWO32
    remainder[0] = r | 0
    remainder[1] = r / TWO32
    return
  }
  divideBits(alo, ahi, blo, bhi)
}

/** One bit at a time. */
function divideBits(alo: number, ahi: number, blo: number, bhi: number): void {
  let rlo = 0
  let rhi = 0
  let qlo = 0
  let qhi = 0
  for (let bit = 63; bit >= 0; bit--) {
    const carry = rhi >>> 31
    rhi = (rhi << 1) | (rlo >>> 31)
    rlo = (rlo << 1) | (bit >= 32 ? (ahi >>> (bit - 32)) & 1 : (alo >>> bit) & 1)
    const above = rhi >>> 0 > bhi >>> 0 || (rhi === bhi && rlo >>> 0 >= blo >>> 0)
    if (!carry && !above) continue
    const borrow = rlo >>> 0 < blo >>> 0 ? 1 : 0
    rlo = (rlo - blo) | 0
    rhi = (rhi - bhi - borrow) | 0
    if (bit >= 32) qhi |= 1 << (bit - 32)
    else qlo |= 1 << bit
  }
  quotient[0] = qlo
  quotient[1] = qhi
  remainder[0] = rlo
  remainder[1] = rhi
}

/** Unsigned quotient: 0 when dividing by 0 (RFC 9669 §4.1). */
export function div64(regs: Int32Array, d: number, s: number): void {
  const blo = regs[s]!
  const bhi = regs[s + 1]!
  if ((blo | bhi) === 0) {
    regs[d] = 0
    regs[d + 1] = 0
    return
  }
  divide(regs[d]!, regs[d + 1]!, blo, bhi)
  regs[d] = quotient[0]!
  regs[d + 1] = quotient[1]!
}

/** Unsigned remainder: dst unchanged when dividing by 0. */
export function mod64(regs: Int32Array, d: number, s: number): void {
  const blo = regs[s]!
  const bhi = regs[s + 1]!
  if ((blo | bhi) === 0) return
  divide(regs[d]!, regs[d + 1]!, blo, bhi)
  regs[d] = remainder[0]!
  regs[d + 1] = remainder[1]!
}

/** Divides the magnitudes. The most negative number is its own magnitude as unsigned, so INT64_MIN / -1 wraps to itself. */
function divideSigned(regs: Int32Array, d: number, s: number): void {
  let alo = regs[d]!
  let ahi = regs[d + 1]!
  let blo = regs[s]!
  let bhi = regs[s + 1]!
  if (ahi < 0) {
    ahi = alo === 0 ? -ahi | 0 : ~ahi
    alo = -alo | 0
  }
  if (bhi < 0) {
    bhi = blo === 0 ? -bhi | 0 : ~bhi
    blo = -blo | 0
  }
  divide(alo, ahi, blo, bhi)
}

function store(regs: Int32Array, d: number, value: Int32Array, negative: boolean): void {
  const lo = value[0]!
  const hi = value[1]!
  regs[d] = negative ? -lo : lo
  regs[d + 1] = negative ? (lo === 0 ? -hi : ~hi) : hi
}

/** Signed quotient, towards zero; 0 when dividing by 0. */
export function sdiv64(regs: Int32Array, d: number, s: number): void {
  if ((regs[s]! | regs[s + 1]!) === 0) {
    regs[d] = 0
    regs[d + 1] = 0
    return
  }
  const negative = (regs[d + 1]! ^ regs[s + 1]!) < 0
  divideSigned(regs, d, s)
  store(regs, d, quotient, negative)
}

/** Signed remainder with the dividend's sign; dst unchanged when dividing by 0. */
export function smod64(regs: Int32Array, d: number, s: number): void {
  if ((regs[s]! | regs[s + 1]!) === 0) return
  const negative = regs[d + 1]! < 0
  divideSigned(regs, d, s)
  store(regs, d, remainder, negative)
}

export function swap16(n: number): number {
  return ((n & 0xff) << 8) | ((n >>> 8) & 0xff)
}

export function swap32(n: number): number {
  return (n << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)
}
