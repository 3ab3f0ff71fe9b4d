// Every ALU operation, movsx, byte swap and jump test on both engines, against two oracles that know nothing of each other:
// BigInt arithmetic and `long`. RFC 9669 §4.1–4.3.

import { type AluOp, type Insn, type InsnSpec, ISA, insn, type JumpOp } from '@netsieve/asm'
import fc from 'fast-check'
import Long from 'long'
import { describe, expect, test } from 'vitest'
import { load } from '../src/index.ts'

const ENGINES = ['interpreter', 'jit'] as const
const NO_PACKET = new Uint8Array(14)

const EDGES = [
  0n, 1n, 2n, 3n, 5n, 7n, 31n, 32n, 33n, 63n, 64n, 65n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n,
  0xfffffffen, 0xffffffffn, 0x100000000n, 0x100000001n, 0x123456789abcdef0n, 0x7fffffffffffffffn, 0x8000000000000000n,
  0x8000000000000001n, 0xffffffff00000000n, 0xffffffff7fffffffn, 0xffffffff80000000n, 0xfffffffffffffffen, 0xffffffffffffffffn,
] // biome-ignore format: a set

const u64 = (n: bigint): bigint => BigInt.asUintN(64, n)
const toLong = (n: bigint): Long => Long.fromBits(Number(BigInt.asIntN(32, n)), Number(BigInt.asIntN(32, n >> 32n)))
const toBig = (n: Long): bigint => (BigInt(n.high >>> 0) << 32n) | BigInt(n.low >>> 0)

/** RFC 9669 §4.1 with BigInt: operands and result as unsigned numbers of `width` bits. */
function bigAlu(op: AluOp, width: 32 | 64, dst: bigint, src: bigint): bigint {
  const u = (n: bigint): bigint => BigInt.asUintN(width, n)
  const s = (n: bigint): bigint => BigInt.asIntN(width, n)
  const [a, b] = [u(dst), u(src)]
  const count = b & BigInt(width - 1)
  switch (op) {
    case 'add': return u(a + b)
    case 'sub': return u(a - b)
    case 'mul': return u(a * b)
    case 'div': return b === 0n ? 0n : a / b
    case 'sdiv': return b === 0n ? 0n : u(s(a) / s(b))
    case 'mod': return b === 0n ? a : a % b
    case 'smod': return b === 0n ? a : u(s(a) % s(b))
    case 'or': return a | b
    case 'and': return a & b
    case 'xor': return a ^ b
    case 'lsh': return u(a << count)
    case 'rsh': return a >> count
    case 'arsh': return u(s(a) >> count)
    case 'neg': return u(-a)
    case 'mov': return b
  }
} // biome-ignore format: a table

/** The same with `long`: 32-bit operations on sign- or zero-extended values, cut to 32 bits at the end. */
function longAlu(op: AluOp, width: 32 | 64, dst: Long, src: Long): Long {
  const signed = op === 'sdiv' || op === 'smod' || op === 'arsh'
  const fit = (n: Long): Long =>
    width === 64 ? (signed ? n.toSigned() : n.toUnsigned()) : signed ? Long.fromInt(n.low) : Long.fromBits(n.low, 0, true)
  const [a, b] = [fit(dst), fit(src)]
  const count = src.low & (width - 1)
  const result = (): Long => {
    switch (op) {
      case 'add': return a.add(b)
      case 'sub': return a.subtract(b)
      case 'mul': return a.multiply(b)
      case 'div': case 'sdiv': return b.isZero() ? Long.ZERO : a.divide(b)
      case 'mod': case 'smod': return b.isZero() ? a : a.modulo(b)
      case 'or': return a.or(b)
      case 'and': return a.and(b)
      case 'xor': return a.xor(b)
      case 'lsh': return a.shiftLeft(count)
      case 'rsh': return a.shiftRightUnsigned(count)
      case 'arsh': return a.shiftRight(count)
      case 'neg': return a.negate()
      case 'mov': return b
    }
  }
  const r = result()
  return width === 64 ? r : Long.fromBits(r.low, 0)
} // biome-ignore format: a table

/** `long` 5.3.2 takes every dividend with this high word for INT64_MIN, and so gives a / -1 = a. */
const wrongInLong = (a: bigint, b: bigint): boolean => a >> 32n === 0x80000000n && b === u64(-1n)

const lddw = (dst: number, value: bigint): Insn => insn('lddw', { dst, imm64: toLong(value) })

/** r0 after `code` ran with r0 = a and r2 = b. */
function result(engine: 'interpreter' | 'jit', a: bigint, b: bigint, code: readonly Insn[]): bigint {
  const machine = load([lddw(0, a), lddw(2, b), ...code, insn('exit')], { type: 'xdp', engine })
  const run = machine.run(NO_PACKET)
  expect(run.fault).toBeUndefined()
  return toBig(run.r0Long)
}

const ALU = ISA.filter((spec) => spec.kind === 'alu')
const isImm = (n: bigint): boolean => BigInt.asIntN(32, n) === BigInt.asIntN(64, n)

const PAIRS = 600

/** One program that leaves the result of every pair in memory is many times faster than one program a pair. */
function table(engine: 'interpreter' | 'jit', spec: InsnSpec, pairs: readonly (readonly [bigint, bigint])[]): bigint[] {
  const results: bigint[] = []
  for (let at = 0; at < pairs.length; at += PAIRS) {
    const part = pairs.slice(at, at + PAIRS)
    const code: Insn[] = [insn('mov_reg', { dst: 6, src: 1 })]
    part.forEach(([a, b], i) => {
      code.push(lddw(3, a))
      if (spec.source !== 'imm') code.push(lddw(2, b))
      const imm = Number(BigInt.asIntN(32, b))
      code.push(insn(spec, { dst: 3, ...(spec.source === 'reg' && { src: 2 }), ...(spec.source === 'imm' && { imm }) }))
      code.push(insn('stxdw', { dst: 6, src: 3, off: i * 8 }))
    })
    const machine = load([...code, insn('exit')], { type: 'xdp', mode: 'rfc9669', engine, patience: 0 })
    const run = machine.run(new Uint8Array(PAIRS * 8))
    expect(run.fault).toBeUndefined()
    const out = run.packet ?? new Uint8Array(PAIRS * 8)
    const view = new DataView(out.buffer, out.byteOffset)
    for (let i = 0; i < part.length; i++) results.push(view.getBigUint64(i * 8, true))
  }
  return results
}

describe.each(ENGINES)('%s', (engine) => {
  test.each(ALU.map((spec) => [spec.name, spec] as const))('%s', (_name, spec) => {
    const width = spec.width as 32 | 64
    const sources = spec.source === 'imm' ? EDGES.filter(isImm) : EDGES
    const pairs = EDGES.flatMap((a) => sources.map((b) => [a, b] as const))
    const got = table(engine, spec, pairs)
    pairs.forEach(([a, b], i) => {
      const expected = bigAlu(spec.alu!, width, a, b)
      if (!(width === 64 && spec.alu === 'sdiv' && wrongInLong(a, b))) {
        expect(toBig(longAlu(spec.alu!, width, toLong(a), toLong(b))), `oracles on ${a}, ${b}`).toBe(expected)
      }
      expect(got[i], `${spec.name} ${a.toString(16)}, ${b.toString(16)}`).toBe(expected)
    })
  })

  test.each(ALU.filter(({ source }) => source !== 'imm').map((spec) => [spec.name, spec] as const))(
    '%s on any numbers',
    (_n, spec) => {
      const wide = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
      const pairs = fc.sample(
        fc.tuple(fc.oneof(wide, fc.constantFrom(...EDGES)), fc.oneof(wide, fc.constantFrom(...EDGES))),
        { numRuns: 240, seed: 7 },
      )
      const got = table(engine, spec, pairs)
      expect(got).toEqual(pairs.map(([a, b]) => bigAlu(spec.alu!, spec.width as 32 | 64, a, b)))
    },
  )

  test.each(ISA.filter((spec) => spec.kind === 'movsx').map((spec) => [spec.name, spec] as const))(
    '%s',
    (_name, spec) => {
      const got = table(
        engine,
        spec,
        EDGES.map((b) => [0x5555555555555555n, b] as const),
      )
      expect(got).toEqual(EDGES.map((b) => BigInt.asUintN(spec.width, BigInt.asIntN(spec.fromBits!, b))))
    },
  )

  test.each(ISA.filter((spec) => spec.kind === 'end').map((spec) => [spec.name, spec] as const))(
    '%s',
    (_name, spec) => {
      const got = table(
        engine,
        spec,
        EDGES.map((a) => [a, 0n] as const),
      )
      EDGES.forEach((a, i) => {
        const digits = BigInt.asUintN(spec.width, a)
          .toString(16)
          .padStart(spec.width / 4, '0')
        const swapped = BigInt(`0x${digits.match(/../g)!.reverse().join('')}`)
        expect(got[i]).toBe(spec.end === 'le' ? BigInt.asUintN(spec.width, a) : swapped)
      })
    },
  )

  const TESTS: Record<JumpOp, (a: bigint, b: bigint, s: (n: bigint) => bigint) => boolean> = {
    jeq: (a, b) => a === b,
    jne: (a, b) => a !== b,
    jgt: (a, b) => a > b,
    jge: (a, b) => a >= b,
    jlt: (a, b) => a < b,
    jle: (a, b) => a <= b,
    jset: (a, b) => (a & b) !== 0n,
    jsgt: (a, b, s) => s(a) > s(b),
    jsge: (a, b, s) => s(a) >= s(b),
    jslt: (a, b, s) => s(a) < s(b),
    jsle: (a, b, s) => s(a) <= s(b),
  }

  test.each(ISA.filter((spec) => spec.kind === 'jump').map((spec) => [spec.name, spec] as const))(
    '%s',
    (_name, spec) => {
      const width = spec.width
      const sources = spec.source === 'imm' ? EDGES.filter(isImm) : EDGES
      const holds = TESTS[spec.jump!]
      for (const a of EDGES) {
        // r0 counts in its bits which of the sources the test holds for.
        const code: Insn[] = [lddw(3, a), insn('mov_imm', { dst: 0, imm: 0 })]
        sources.forEach((b) => {
          code.push(insn('lsh_imm', { dst: 0, imm: 1 }), lddw(2, b))
          const imm = Number(BigInt.asIntN(32, b))
          code.push(insn(spec, { dst: 3, off: 1, ...(spec.source === 'imm' ? { imm } : { src: 2 }) }))
          code.push(insn('ja', { off: 1 }), insn('or_imm', { dst: 0, imm: 1 }))
        })
        const run = load([...code, insn('exit')], { type: 'xdp', engine }).run(NO_PACKET)
        let expected = 0n
        for (const b of sources) {
          const hit = holds(BigInt.asUintN(width, a), BigInt.asUintN(width, b), (n) => BigInt.asIntN(width, n))
          expected = (expected << 1n) | (hit ? 1n : 0n)
        }
        expect(toBig(run.r0Long), `${spec.name} ${a.toString(16)}`).toBe(expected)
      }
    },
  )

  test('named edges of RFC 9669', () => {
    const min64 = 1n << 63n
    expect(result(engine, min64, u64(-1n), [insn('sdiv_reg', { dst: 0, src: 2 })])).toBe(min64)
    expect(result(engine, min64, u64(-1n), [insn('smod_reg', { dst: 0, src: 2 })])).toBe(0n)
    expect(result(engine, 0x80000000n, u64(-1n), [insn('sdiv32_reg', { dst: 0, src: 2 })])).toBe(0x80000000n)
    expect(result(engine, 0x80000000n, u64(-1n), [insn('smod32_reg', { dst: 0, src: 2 })])).toBe(0n)
    expect(result(engine, 0x1_0000_0005n, 0n, [insn('mod32_reg', { dst: 0, src: 2 })])).toBe(5n)
    expect(result(engine, 5n, 0n, [insn('div_reg', { dst: 0, src: 2 })])).toBe(0n)
  })
})
