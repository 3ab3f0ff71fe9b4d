import { describe, expect, test } from 'vitest'
import { ISA, insn, requiredCpu, requiredGroups, specByName, specsByOpcode } from '../src/index.ts'

/** RFC 9669, appendix A (IANA's BPF Instruction Set registry): the opcodes of each conformance group. */
const REGISTRY = {
  base32:
    '04 05 06 0c 14 16 1c 1e 26 2e 36 3e 44 46 4c 4e 54 56 5c 5e 61 62 63 64 66 69 6a 6b 6c 6e 71 72 73 74 76 7c 7e 84 85 95 a4 a6 ac ae b4 b6 bc be c4 c6 cc ce d4 d6 d7 dc de',
  base64:
    '07 0f 15 17 18 1d 1f 25 2d 35 3d 45 47 4d 4f 55 57 5d 5f 65 67 6d 6f 75 77 79 7a 7b 7d 7f 87 a5 a7 ad af b5 b7 bd bf c5 c7 cd cf d4 d5 d7 dc dd',
  divmul32: '24 2c 34 3c 94 9c',
  divmul64: '27 2f 37 3f 97 9f',
  atomic32: 'c3',
  atomic64: 'db',
  packet: '20 28 30 40 48 50',
} as const

/** Forms with sign extension of loads are in the RFC's text (§5.2) and not in the appendix. */
const NOT_LISTED = ['ldxsb', 'ldxsh', 'ldxsw']

describe('groups are those of the registry', () => {
  test.each(Object.entries(REGISTRY))('%s', (group, opcodes) => {
    const ours = ISA.filter((spec) => spec.group === group && !NOT_LISTED.includes(spec.name))
    const hex = ours.map(({ opcode }) => opcode.toString(16).padStart(2, '0'))
    expect([...new Set(hex)].sort()).toEqual(opcodes.split(' '))
  })

  test('atomics and swaps by their immediates, divisions and moves by their offsets', () => {
    const values = (opcode: number, field: 'imm' | 'off' | 'src') =>
      specsByOpcode(opcode)
        .filter(({ group }) => group !== 'linux')
        .map(({ fixed }) => fixed[field])
    for (const opcode of [0xc3, 0xdb]) {
      expect(values(opcode, 'imm')).toEqual([0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1])
    }
    for (const opcode of [0xd4, 0xdc, 0xd7]) expect(values(opcode, 'imm')).toEqual([0x10, 0x20, 0x40])
    for (const opcode of [0x34, 0x37, 0x3c, 0x3f, 0x94, 0x97, 0x9c, 0x9f]) expect(values(opcode, 'off')).toEqual([0, 1])
    expect(values(0xbf, 'off')).toEqual([0, 8, 16, 32])
    expect(values(0xbc, 'off')).toEqual([0, 8, 16])
    expect(values(0x18, 'src')).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(values(0x85, 'src')).toEqual([0, 1, 2])
  })
})

test('names and encodings are one to one', () => {
  expect(new Set(ISA.map(({ name }) => name)).size).toBe(ISA.length)
  const encodings = ISA.map(({ opcode, fixed }) => `${opcode} ${fixed.src} ${fixed.off} ${fixed.imm}`)
  expect(new Set(encodings).size).toBe(ISA.length)
  expect(() => specByName('nonesuch')).toThrow(RangeError)
})

test('a field is either used or fixed', () => {
  for (const { name, uses, fixed } of ISA) {
    for (const field of ['src', 'off', 'imm'] as const) {
      expect(uses.has(field) && fixed[field] !== undefined, `${name} ${field}`).toBe(false)
    }
  }
})

test('what a program needs', () => {
  const specs = [insn('mov_imm'), insn('jlt_imm'), insn('movsx832'), insn('exit')].map(({ spec }) => spec)
  expect(requiredCpu(specs.slice(0, 1))).toBe('v1')
  expect(requiredCpu(specs.slice(0, 2))).toBe('v2')
  expect(requiredCpu(specs)).toBe('v4')
  expect(requiredGroups(specs)).toEqual(['base32', 'base64'])
  expect(requiredCpu([])).toBe('v1')
})
