import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decode, encode, ISA } from '../src/index.ts'

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

describe('decode names the field that should be 0', () => {
  test.each([
    ['b701010000000000', 'off', 'reserved field off is not 0 for opcode b7'],
    ['b721000000000000', 'src', 'reserved field src is not 0 for opcode b7'],
    ['bf21000001000000', 'imm', 'reserved field imm is not 0 for opcode bf'],
    ['9501000000000000', 'dst', 'reserved field dst is not 0 for opcode 95'],
    ['18110000050000000000000001000000', 'next_imm', 'reserved field next_imm is not 0 for opcode 18'],
    ['3701020001000000', 'off', 'off 2 is not one of 0, 1 for opcode 37'],
    ['8530000001000000', 'src', 'src 3 is not one of 0, 1, 2 for opcode 85'],
    ['db21000002000000', 'imm', 'imm 2 is not one of'],
    ['dc01000011000000', 'imm', 'imm 17 is not one of 16, 32, 64 for opcode dc'],
    ['ff00000000000000', undefined, 'unknown opcode ff'],
    ['180100000500000001000000000000009500000000000000', undefined, 'reserved fields of the second half'],
    ['1801000005000000', undefined, 'the second half of a 64-bit immediate is missing'],
    ['950000', undefined, '3 bytes are no whole instruction'],
  ])('%s', (hex, field, reason) => {
    const [first] = decode(bytes(hex)).bad
    expect(first?.field).toBe(field)
    expect(first?.reason).toContain(reason)
  })

  test('such instructions are left out, or kept for a verifier to refuse', () => {
    const hex = 'b7010100000000009500000000000000'
    expect(decode(bytes(hex)).program.map(({ spec }) => spec.name)).toEqual(['exit'])
    const { program, bad } = decode(bytes(hex), { keepReserved: true })
    expect(program.map(({ spec }) => spec.name)).toEqual(['mov_imm', 'exit'])
    expect(bad).toEqual([
      { slot: 0, field: 'off', reason: 'reserved field off is not 0 for opcode b7', hex: 'b701010000000000' },
    ])
    expect(encode(program)).toEqual(bytes(hex))
  })
})

test('any bytes decode, and what decodes encodes to the same bytes', () => {
  const opcodes = [...new Set(ISA.map(({ opcode }) => opcode))]
  const slot = fc.tuple(
    fc.oneof(fc.constantFrom(...opcodes), fc.nat(255)),
    fc.uint8Array({ minLength: 7, maxLength: 7 }),
  )
  fc.assert(
    fc.property(fc.array(slot, { maxLength: 12 }), fc.uint8Array({ maxLength: 7 }), (slots, rest) => {
      const input = Uint8Array.from([...slots.flatMap(([opcode, tail]) => [opcode, ...tail]), ...rest])
      const { program, bad } = decode(input)
      for (const one of program) expect(decode(encode([one])).program).toEqual([one])
      if (bad.length === 0) expect(encode(program)).toEqual(input)
    }),
    { numRuns: 2000 },
  )
})
