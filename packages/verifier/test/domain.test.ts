import type { AluOp, JumpOp } from '@netsieve/asm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arith, low32, signExtend32, signExtend64, swapBytes, truncate } from '../src/domain/arith.ts'
import { decide, learn, OPPOSITE } from '../src/domain/compare.ts'
import { draft, known, type Num, sync, UNKNOWN } from '../src/domain/num.ts'
import { Tnum, tnumMul, tnumNext, tnumRange } from '../src/domain/tnum.ts'
import { high, toSigned, toUnsigned } from '../src/domain/wide.ts'

const M64 = (1n << 64n) - 1n
const u64 = (v: bigint) => BigInt.asUintN(64, v)
const s64 = (v: bigint) => BigInt.asIntN(64, v)
const u32 = (v: bigint) => BigInt.asUintN(32, v)
const s32 = (v: bigint) => BigInt.asIntN(32, v)
const halves = (v: bigint): [number, number] => [Number(s32(v >> 32n)), Number(s32(v))]

/** Whether a concrete value is in an abstract number, by its bits and all four ranges. */
function contains(n: Readonly<Num>, value: bigint): boolean {
  const v = u64(value)
  const mask = toUnsigned(n.bits.mh, n.bits.ml)
  return (
    (v & ~mask & M64) === toUnsigned(n.bits.vh, n.bits.vl) &&
    v >= toUnsigned(n.uminH, n.uminL) &&
    v <= toUnsigned(n.umaxH, n.umaxL) &&
    s64(v) >= toSigned(n.sminH, n.sminL) &&
    s64(v) <= toSigned(n.smaxH, n.smaxL) &&
    u32(v) >= BigInt(n.u32min >>> 0) &&
    u32(v) <= BigInt(n.u32max >>> 0) &&
    s32(v) >= BigInt(n.s32min) &&
    s32(v) <= BigInt(n.s32max)
  )
}

const interesting = fc.oneof(
  fc.bigInt(0n, 300n),
  fc.bigInt(-300n, -1n),
  fc.bigInt(0n, M64),
  fc.constantFrom(0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 1n << 63n, (1n << 63n) - 1n, M64),
)

/** An abstract number together with a value that is in it. */
const inhabited = fc
  .tuple(interesting, interesting, interesting, fc.nat(3))
  .map(([a, b, bits, shape]): [Readonly<Num>, bigint] => {
    const value = u64(a)
    const n = draft(UNKNOWN)
    if (shape & 1) {
      const [vh, vl] = halves(value & ~bits)
      const [mh, ml] = halves(bits)
      n.bits = new Tnum(vh & ~mh, vl & ~ml, mh, ml)
    }
    if (shape & 2) {
      const other = u64(b)
      const [minH, minL] = halves(value < other ? value : other)
      const [maxH, maxL] = halves(value < other ? other : value)
      Object.assign(n, { uminH: minH, uminL: minL, umaxH: maxH, umaxL: maxL })
    }
    return [shape === 0 ? known(...halves(value)) : sync(n), value]
  })

const OPS: readonly AluOp[] = [
  'add',
  'sub',
  'mul',
  'div',
  'or',
  'and',
  'lsh',
  'rsh',
  'mod',
  'xor',
  'arsh',
  'neg',
  'sdiv',
  'smod',
]

function concrete(op: AluOp, width: 32 | 64, a: bigint, b: bigint): bigint | undefined {
  const wrap = width === 64 ? u64 : u32
  const signed = width === 64 ? s64 : s32
  const [x, y] = [wrap(a), wrap(b)]
  switch (op) {
    case 'add': return wrap(x + y)
    case 'sub': return wrap(x - y)
    case 'mul': return wrap(x * y)
    case 'or': return x | y
    case 'and': return x & y
    case 'xor': return x ^ y
    case 'neg': return wrap(-x)
    case 'div': return y === 0n ? 0n : x / y
    case 'mod': return y === 0n ? x : x % y
    case 'lsh': return y < width ? wrap(x << y) : undefined
    case 'rsh': return y < width ? x >> y : undefined
    case 'arsh': return y < width ? wrap(signed(x) >> y) : undefined
    default: return undefined
  }
} // biome-ignore format: one line each

const RUNS = { numRuns: 4000 }

test('inhabited numbers contain their value', () => {
  fc.assert(
    fc.property(inhabited, ([n, value]) => contains(n, value)),
    RUNS,
  )
})

test('arith contains every concrete result', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...OPS),
      fc.constantFrom(32, 64),
      inhabited,
      inhabited,
      fc.nat(63),
      (op, width, [a, x], [b, y], by) => {
        const shift = op === 'lsh' || op === 'rsh' || op === 'arsh'
        const right: [Readonly<Num>, bigint] = shift ? [known(0, by % width), BigInt(by % width)] : [b, y]
        const value = concrete(op, width as 32 | 64, x, right[1])
        if (value !== undefined) expect(contains(arith(op, width as 32 | 64, a, right[0]), value)).toBe(true)
      },
    ),
    RUNS,
  )
})

test('extensions, truncations and byte swaps contain the concrete result', () => {
  const swapped = (v: bigint, bits: number) => {
    let out = 0n
    for (let i = 0; i < bits; i += 8) out = (out << 8n) | ((v >> BigInt(i)) & 0xffn)
    return out
  }
  fc.assert(
    fc.property(inhabited, ([n, v]) => {
      expect(contains(low32(n), u32(v))).toBe(true)
      for (const size of [1, 2, 4]) {
        const bits = size * 8
        expect(contains(truncate(n, size), BigInt.asUintN(bits, v))).toBe(true)
        expect(contains(signExtend64(n, size), BigInt.asIntN(bits, v))).toBe(true)
        if (size < 4) expect(contains(signExtend32(n, size), u32(BigInt.asIntN(bits, v)))).toBe(true)
      }
      for (const bits of [16, 32, 64]) expect(contains(swapBytes(n, bits), swapped(v, bits))).toBe(true)
    }),
    RUNS,
  )
})

const TESTS: readonly JumpOp[] = ['jeq', 'jne', 'jgt', 'jge', 'jlt', 'jle', 'jsgt', 'jsge', 'jslt', 'jsle', 'jset']

function holds(test: JumpOp, width: 32 | 64, a: bigint, b: bigint): boolean {
  const [x, y] = width === 64 ? [u64(a), u64(b)] : [u32(a), u32(b)]
  const [p, q] = width === 64 ? [s64(a), s64(b)] : [s32(a), s32(b)]
  switch (test) {
    case 'jeq': return x === y
    case 'jne': return x !== y
    case 'jgt': return x > y
    case 'jge': return x >= y
    case 'jlt': return x < y
    case 'jle': return x <= y
    case 'jsgt': return p > q
    case 'jsge': return p >= q
    case 'jslt': return p < q
    case 'jsle': return p <= q
    case 'jset': return (x & y) !== 0n
  }
} // biome-ignore format: one line each

test('comparisons are decided only where they are, and both sides keep their values where they hold', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TESTS),
      fc.constantFrom(32, 64),
      inhabited,
      inhabited,
      (op, wide, [a, x], [b, y]) => {
        const width = wide as 32 | 64
        const truth = holds(op, width, x, y)
        const said = decide(op, width, a, b)
        if (said !== undefined) expect(said).toBe(truth)
        else {
          const [p, q] = learn(truth ? op : OPPOSITE[op], width, a, b, false)
          expect(contains(p, x)).toBe(true)
          expect(contains(q, y)).toBe(true)
        }
      },
    ),
    RUNS,
  )
})

test('tnumRange, tnumMul and tnumNext', () => {
  const tnum = (value: bigint, mask: bigint) => {
    const [mh, ml] = halves(mask)
    const [vh, vl] = halves(value & ~mask)
    return new Tnum(vh & ~mh, vl & ~ml, mh, ml)
  }
  const small = fc.bigInt(0n, 255n)
  fc.assert(
    fc.property(small, small, small, small, (v, m, w, k) => {
      const product = tnumMul(tnum(v, m), tnum(w, k))
      const mask = toUnsigned(product.mh, product.ml)
      const exact = (v & ~m) * (w & ~k)
      expect(exact & ~mask & M64).toBe(toUnsigned(product.vh, product.vl))
      // The next member of a set, by counting.
      const members = Array.from({ length: 256 }, (_, i) => BigInt(i)).filter((i) => (i & ~m) === (v & ~m))
      const low = tnumNext(tnum(v, m), 0, Number(k))
      expect(toUnsigned(high, low)).toBe(members.find((i) => i > k) ?? members.at(-1))
    }),
    { numRuns: 1000 },
  )
  const range = tnumRange(0, 8, 0, 11)
  expect([range.vl, range.ml]).toEqual([8, 3])
})
