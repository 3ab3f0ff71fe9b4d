import { renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import {
  CBPF,
  checkCbpf,
  decodeCbpf,
  disassemble,
  encodeCbpf,
  parseCbpf,
  printCbpf,
  translateCbpf,
} from '../src/index.ts'

function parse(text: string) {
  const { value, diagnostics } = parseCbpf(source('t', text))
  if (!value) throw new Error(renderAll(diagnostics))
  return value
}

const faults = (text: string) => checkCbpf(parse(text)).diagnostics.map(({ message }) => message)

test('every form survives bytes and each notation', () => {
  const program = CBPF.map(({ code, op, mode }) => ({
    code,
    jt: op === 'jump' ? 1 : 0,
    jf: 0,
    k: ['none', 'x', 'a', 'len'].includes(mode) ? 0 : 5,
  }))
  expect(decodeCbpf(encodeCbpf(program))).toEqual(program)
  for (const dialect of ['d', 'dd', 'ddd', 'asm'] as const) expect(parse(printCbpf(program, dialect))).toEqual(program)
})

test('bpf_asm: labels, tests the other way round, extensions, negative numbers', () => {
  const program = parse(`
    /* not IPv4: */ ldh [12]
    jne #0x800, drop
    ld vlan_tci
    jlt #5, drop, on
  on: ld [-4096]
    ret a
  drop: ret #-1`)
  expect(printCbpf(program, 'd').trimEnd().split('\n')).toEqual([
    '(000) ldh      [12]',
    '(001) jeq      #0x800           jt 2\tjf 6',
    '(002) ld       [vlan_tci]',
    '(003) jge      #0x5             jt 4\tjf 6',
    '(004) ld       [proto]',
    '(005) ret      ',
    '(006) ret      #4294967295',
  ])
})

describe('what the kernel would refuse', () => {
  test.each([
    ['ld [0]', 'the last instruction is no ret'],
    ['jmp 5\nret #0', 'instruction 0: a jump to 5, behind the end'],
    ['div #0\nret a', 'instruction 0: division by 0'],
    ['lsh #32\nret a', 'instruction 0: a shift by 32 of 32 bits'],
    ['st M[16]\nret a', 'instruction 0: M[16] is above M[15]'],
    ['ld M[3]\nret a', 'instruction 0: M[3] is read before it is written'],
    ['ld #1\njeq #1, w, r\nw: st M[0]\nr: ld M[0]\nret a', 'instruction 3: M[0] is read before it is written'],
    ['1\n255 0 0 0', 'instruction 0: unknown code 0xff'],
  ])('%j', (text, message) => expect(faults(text)).toContain(message))

  test.each(['back: ld #1\njmp back', 'frob #1', 'jeq #1, nowhere', 'ld [x * 2]', 'ld #4294967296'])('%j', (text) =>
    expect(parseCbpf(source('t', text)).value).toBeUndefined(),
  )
})

test('translation keeps the classic text beside each instruction', () => {
  const { value } = translateCbpf(parse('ldh [12]\njeq #0x800, ok, no\nok: ret #-1\nno: ret #0'))
  expect(disassemble(value!, { origins: true })).toBe(
    `    ; prologue
   0: (bf) r6 = r1
   1: (b7) r0 = 0
   2: (b7) r7 = 0
    ; (000) ldh      [12]
   3: (28) r0 = *(u16 *)skb[12]
    ; (001) jeq      #0x800           jt 2 jf 3
   4: (16) if w0 == 0x800 goto pc+1
   5: (05) goto pc+2
    ; (002) ret      #4294967295
   6: (b4) w0 = -1
   7: (95) exit
    ; (003) ret      #0
   8: (b4) w0 = 0
   9: (95) exit
`,
  )
})
