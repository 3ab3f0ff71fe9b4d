import fc from 'fast-check'
import { expect, test } from 'vitest'
import { disassembleBytes, emitC, emitHex, encode, fromJson, insn, Long, toJson } from '../src/index.ts'

const program = [
  insn('lddw', { dst: 1, imm64: Long.fromString('-2'), origin: { rule: 3, text: 'tcp dport 80' } }),
  insn('mov_imm', { dst: 0, imm: -2147483648 }),
  insn('exit'),
]

test('hexadecimal', () => {
  expect(emitHex(program)).toBe('18010000feffffff\n00000000ffffffff\nb700000000000080\n9500000000000000\n')
})

test('C', () => {
  expect(emitC(program, 'filter')).toBe(`static const struct bpf_insn filter[] = {
  { .code = 0x18, .dst_reg = 1, .src_reg = 0, .off = 0, .imm = -2 }, /* r1 = 0xfffffffffffffffe */
  { .imm = -1 },
  { .code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = (-2147483647 - 1) }, /* r0 = -2147483648 */
  { .code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0 }, /* exit */
};
`)
})

test('JSON has both forms of a 64-bit immediate, the text and the rule', () => {
  expect(toJson(program)[0]).toEqual({
    slot: 0,
    form: 'lddw',
    opcode: 0x18,
    dst: 1,
    src: 0,
    off: 0,
    imm: -2,
    imm64: { decimal: '-2', hex: '0xfffffffffffffffe' },
    text: '(18) r1 = 0xfffffffffffffffe',
    rule: 3,
    for: 'tcp dport 80',
  })
  expect(toJson(program)[1]!.slot).toBe(2)
})

test('64-bit immediates are exact through JSON and bytes, by BigInt', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const one = insn('lddw', { imm64: Long.fromString(value.toString()) })
      const [json] = toJson([one])
      expect(BigInt(json!.imm64!.decimal)).toBe(value)
      expect(BigInt(json!.imm64!.hex)).toBe(BigInt.asUintN(64, value))
      expect(fromJson([json!])).toEqual([one])
      const bytes = encode([one])
      const view = new DataView(bytes.buffer)
      expect(BigInt.asIntN(64, (BigInt(view.getUint32(12, true)) << 32n) | BigInt(view.getUint32(4, true)))).toBe(value)
    }),
  )
})

test('bytes that hold no program are listed as data', () => {
  const hex = 'b700000001000000ff112233445566771811000005000000000000000100000095000000000000000102'
  const bytes = Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16))
  expect(disassembleBytes(bytes)).toBe(
    `   0: (b7) r0 = 1
   1: .byte ff 11 22 33 44 55 66 77 ; unknown opcode ff
   2: .byte 18 11 00 00 05 00 00 00 00 00 00 00 01 00 00 00 ; reserved field next_imm is not 0 for opcode 18
   4: (95) exit
   5: .byte 01 02 ; 2 bytes are no whole instruction
`,
  )
})
