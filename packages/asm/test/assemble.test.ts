import { renderAll, source } from '@netsieve/diag'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AssembleOptions, assemble, encode, type Insn, Long } from '../src/index.ts'

function insns(text: string, options: AssembleOptions = {}): readonly Insn[] {
  const { value, diagnostics } = assemble(source('t', text), options)
  if (!value) throw new Error(renderAll(diagnostics))
  return value.programs[0]!.insns
}

const hex = (text: string) => Buffer.from(encode(insns(text))).toString('hex')
const errors = (text: string, options: AssembleOptions = {}) =>
  renderAll(assemble(source('t', text), options).diagnostics)

describe('one program in many spellings', () => {
  const bytes =
    '7112170000000000550202000600000018000000efcdab89000000006745230195000000000000009500000000000000'.slice(0, 80)
  test.each([
    ['llvm', 'r2 = *(u8 *)(r1 + 23)\nif r2 != 6 goto out\nr0 = 0x123456789abcdef ll\nout:\nexit'],
    ['llvm, tight', 'r2=*(u8*)(r1+23)\n if r2!=6 goto +2\nr0=81985529216486895ll\nexit'],
    ['llvm-objdump', 'x.o:\tfile format elf64-bpf\n\nDisassembly of section prog:\n\n0000000000000000 <f>:\n       0:\t71 12 17 00 00 00 00 00\tr2 = *(u8 *)(r1 + 23)\n       1:\t55 02 02 00 06 00 00 00\tif r2 != 6 goto +2 <f+0x20>\n       2:\t18 00 00 00 ef cd ab 89 00 00 00 00 67 45 23 01\tr0 = 81985529216486895 ll\n       4:\t95 00 00 00 00 00 00 00\texit'], // biome-ignore format: a listing
    ['kernel', '0: (71) r2 = *(u8 *)(r1 +23)   ; R1=ctx() R2=scalar()\n1: (55) if r2 != 0x6 goto pc+2\n2: (18) r0 = 0x123456789abcdef\n4: (95) exit'], // biome-ignore format: a listing
    ['ubpf', '# head\nldxb r2, [r1+23]\njne r2, 6, out // to out\nlddw r0, 0x123456789abcdef\nout: exit ; end'],
    ['gcc', 'ldxb %r2,[%r1+23]\njne %r2,6,exit\nlddw %r0,0x123456789abcdef\nexit'],
  ])('%s', (_, text) => expect(hex(text)).toBe(bytes))
})

test('the opcode of a listing tells what the text alone leaves open', () => {
  expect(insns('r1 = 0x5')[0]!.spec.name).toBe('mov_imm')
  expect(insns('0: (18) r1 = 0x5')[0]!.spec.name).toBe('lddw')
})

test('64-bit immediates are exact', () => {
  expect(insns('r1 = 0xfedcba9876543210 ll')[0]!.imm64).toEqual(Long.fromString('fedcba9876543210', false, 16))
  expect(insns('r1 = -9223372036854775808 ll')[0]!.imm64).toEqual(Long.MIN_VALUE)
})

describe('errors', () => {
  test('name the place, what is wrong and what could stand there; many in one run', () => {
    expect(errors('r1 = 5\nr1 = r2 r3\nif r1 > 5 goto nowhere\nr1 = *(u8 *)(r1 + 40000)\nr12 ~ 3\n')).toBe(
      [
        't:2:9: error: r3 does not fit here [asm/syntax]',
        '    r1 = r2 r3',
        '            ^^',
        '  expected the end of the line',
        't:3:16: error: nowhere is not defined [asm/label]',
        '    if r1 > 5 goto nowhere',
        '                   ^^^^^^^',
        't:4:19: error: 40000 does not fit 16 bits: at most 32767 [asm/range]',
        '    r1 = *(u8 *)(r1 + 40000)',
        '                      ^^^^^',
        't:5:5: error: ~ does not fit here [asm/syntax]',
        '    r12 ~ 3',
        '        ^',
        '  expected one of +, -, *, /, s, |, &, <, >, =, %, ^',
        '',
      ].join('\n'),
    )
  })

  test.each([
    ['ldx r1, [r2+0]', 'did you mean'],
    ['mov64 r0, 0\nmov64 r0, 1\nr0 = 5', 'this line is of the llvm dialect'],
    ['r1 = 99999999999999999999 ll', 'does not fit 64 bits'],
    ['a:\na:\nexit', 'a is defined twice'],
    ['call bpf_map_lookup\nexit', 'did you mean bpf_map_lookup_elem'],
    ['exi', 'did you mean exit?'],
    ['', 'no instructions'],
    ['.map m nothing key 4', 'nothing is no map type'],
    ['.wrong', '.wrong is no directive'],
  ])('%j', (text, message) => expect(errors(text)).toContain(message))

  test('a jump that is too far', () => {
    expect(errors(`goto far\n${'r0 = 0\n'.repeat(32768)}far: exit`)).toContain('gotol')
  })

  test('a number that is sign-extended is a warning', () => {
    const { value, diagnostics } = assemble(source('t', 'r1 = 4294967295\nexit'))
    expect(value!.programs[0]!.insns[0]!.imm).toBe(-1)
    expect(diagnostics.map(({ code }) => code)).toEqual(['asm/sign-extended'])
  })
})

test('the gcc dialect cuts hexadecimal numbers to 32 bits, with a warning; the others refuse them', () => {
  const { value, diagnostics } = assemble(source('t', 'mov32 %r1,0x876543210\nexit'))
  expect(value!.programs[0]!.insns[0]!.imm).toBe(0x76543210)
  expect(diagnostics.map(({ code }) => code)).toEqual(['asm/cut'])
  expect(errors('mov32 r1, 0x876543210\nexit', { dialect: 'ubpf' })).toContain('does not fit 32 bits')
})

describe('objects', () => {
  const text = `
    .license "GPL"
    .map counts percpu_array key 4 value 8 entries 256 flags 0
    .section .rodata
    ports: .short 80, 443
    tail: .quad 0x1122334455667788
    .text
    double:
      r0 = r1
      r0 += r1
      exit
    .section xdp
    .globl first
    first:
      r1 = 21
      call double
      r2 = counts ll
      r3 = tail ll
      exit
    .globl second
    second:
      r0 = 2
      exit`
  const { value, diagnostics } = assemble(source('t', text))

  test('programs are the functions of program sections, called functions behind them', () => {
    expect(diagnostics).toEqual([])
    expect(value!.programs.map(({ name, section, type, functions }) => ({ name, section, type, functions }))).toEqual([
      { name: 'first', section: 'xdp', type: 'xdp', functions: [{ name: 'first', slot: 0 }, { name: 'double', slot: 7 }] },
      { name: 'second', section: 'xdp', type: 'xdp', functions: [{ name: 'second', slot: 0 }] },
    ]) // biome-ignore format: rows
    expect(value!.programs[0]!.insns[1]!).toMatchObject({ imm: 5, src: 1 })
  })

  test('maps and data are referred to by index', () => {
    expect(value!.license).toBe('GPL')
    expect(value!.maps.map(({ name, type }) => [name, type])).toEqual([['counts', 'percpu_array'], ['.rodata', 'array']]) // biome-ignore format: rows
    const [, , map, data] = value!.programs[0]!.insns
    expect([map!.spec.name, map!.imm]).toEqual(['lddw_map_index', 0])
    expect([data!.spec.name, data!.imm, data!.imm64!.high]).toEqual(['lddw_map_index_value', 1, 4])
    expect([...value!.data[0]!.bytes]).toEqual([80, 0, 0xbb, 1, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])
  })
})

test('no text crashes it: words of all dialects in any order', () => {
  const words =
    'r0 r1 r10 w2 %r3 = += - + * ( ) [ ] u8 u64 s8 if goto gotol call exit lock fetch add32 add64 ldxw lddw mov jne32 le16 ll skb map idx : , < > ! & | 0 1 -5 0x 0xffffffff 99999999999999999999999 # ; // label .map .section .byte .ascii "x" "\n \u0000 \t é'.split(
      ' ',
    )
  const text = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 4 })), { maxLength: 40 })
  fc.assert(
    fc.property(text, fc.constantFrom(' ', '', '\n'), (parts, between) => {
      const { value, diagnostics } = assemble(source('t', parts.join(between)))
      expect(value !== undefined || diagnostics.length > 0).toBe(true)
      expect(renderAll(diagnostics)).toBeTypeOf('string')
    }),
    { numRuns: 3000 },
  )
})

test('long and hostile text takes time in proportion', () => {
  // Processor time: how busy the machine is does not count.
  const started = process.cpuUsage()
  for (const text of [
    '('.repeat(300_000),
    'a:'.repeat(100_000),
    '- '.repeat(200_000),
    `.byte ${'1,'.repeat(100_000)}1`,
    'x(\n'.repeat(50_000),
    `${' '.repeat(300_000)}:`,
  ]) {
    assemble(source('t', text))
  }
  expect(process.cpuUsage(started).user / 1e6).toBeLessThan(8)
})
