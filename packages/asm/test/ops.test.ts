import { describe, expect, test } from 'vitest'
import {
  disassemble,
  encode,
  ISA,
  insn,
  Long,
  layout,
  type Op,
  ops,
  R0,
  R1,
  R2,
  R3,
  R10,
  type Reg,
} from '../src/index.ts'

const { add64, call, call_local, exit, func, ja, jne, jslt32, ldxh, lddw, map, map_value, mov32, mov64, stxdw } = ops

test('a program with labels', () => {
  const program = layout([
    mov64(R0, 0),
    ldxh(R3, R1, 12),
    jne(R3, 8, 'out'),
    'again:',
    add64(R0, R3),
    jslt32(R0, R2, 'again'),
    stxdw(R10, -8, R0),
    mov32(R1, -1),
    call(5),
    call_local('function'),
    func(R2, 'function'),
    map(R1, 0),
    map_value(R1, 1, 4),
    ja('out'),
    'out:',
    exit(),
    'function:',
    lddw(R0, 0x123456789abcdef0n),
    exit(),
  ])
  expect(disassemble(program, { dialect: 'llvm', labels: false })).toBe(
    `    r0 = 0
    w3 = *(u16 *)(r1 + 12)
    if r3 != 8 goto +13
    r0 += r3
    if w0 s< w2 goto -2
    *(u64 *)(r10 - 8) = r0
    w1 = -1
    call 5
    call +8
    r2 = subprog[+7] ll
    r1 = map[idx:0] ll
    r1 = map[idx:1][0]+4 ll
    goto +0
    exit
    r0 = 1311768467463790320 ll
    exit
`,
  )
})

test('a label that is missing, or there twice, is a fault of the code', () => {
  expect(() => layout([ja('nowhere')])).toThrow('nowhere')
  expect(() => layout(['here:', 'here:', exit()])).toThrow('twice')
})

describe('every form can be built', () => {
  const arguments_: readonly (readonly (Reg | number)[])[] = [
    [], [R1], [7], [R1, 7], [R1, R2], [R1, 7, R2], [R1, R2, 7], [R1, 7, 7],
  ] // biome-ignore format: short rows
  // The forms that only a loader or an older kernel's file descriptor leads to.
  const left = ['lddw_map_fd', 'lddw_map_value', 'lddw_btf_id']

  test('by one operation', () => {
    const built = new Set<string>()
    for (const make of Object.values(ops) as ((...args: (Reg | number)[]) => Op)[]) {
      for (const args of arguments_) {
        if (args.length !== make.length && !(make === (ops.call_kfunc as unknown) && args.length === 1)) continue
        try {
          const { insn: one } = make(...args)
          if (Object.values(one).every((value) => value !== undefined)) built.add(one.spec.name)
        } catch {
          // Arguments of another kind than the operation takes.
        }
      }
    }
    expect(ISA.map(({ name }) => name).filter((name) => !built.has(name) && !left.includes(name))).toEqual([])
  })
})

test('64-bit immediates from numbers, BigInts and Longs are the same', () => {
  for (const value of [0, -1, 5]) expect(lddw(R0, value).insn).toEqual(lddw(R0, BigInt(value)).insn)
  expect(lddw(R0, 2n ** 64n - 1n).insn).toEqual(insn('lddw', { imm64: Long.NEG_ONE }))
  expect(encode([lddw(R0, Long.MIN_VALUE).insn])[15]).toBe(0x80)
})
