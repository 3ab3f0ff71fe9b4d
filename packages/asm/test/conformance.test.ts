import { describe, expect, test } from 'vitest'
import { conformanceProgram, disassemble, hexBytes, parseConformance } from '../src/index.ts'

const FILE = `# a test
-- asm
mov %r0, 0x10   # ten and six
-- c
int entry(void) { return 1; }
-- asm
ja exit
mov r0, -1
exit
-- mem
00 01 ff
 02
-- result
1
0x10
`

describe('files are read as the suite reads them', () => {
  const read = parseConformance('t.data', FILE)!

  test('sections add up, the last result counts, registers may lack their %', () => {
    expect([...read.mem!]).toEqual([0, 1, 255, 2])
    expect(read.result).toBe(16n)
    expect(disassemble(conformanceProgram(read).program!)).toBe(
      '   0: (b7) r0 = 16\n   1: (05) goto pc+1\n   2: (b7) r0 = -1\n   3: (95) exit\n',
    )
  })

  test('messages have the lines of the file', () => {
    const wrong = parseConformance('t.data', FILE.replace('mov r0, -1', 'move r0, -1'))!
    expect(conformanceProgram(wrong).error).toContain('no instruction starts with move')
    expect(wrong.asm.text.split('\n')[7]).toBe('move r0, -1')
  })

  test.each([
    ['no result and no error', '-- asm\nexit\n'],
    ['no program', '-- result\n1\n'],
    ['an unknown section', '-- asm\nexit\n-- nonsense\n-- result\n0\n'],
    ['memory that is no hex', '-- asm\nexit\n-- mem\nzz\n-- result\n0\n'],
  ])('skipped: %s', (_, text) => expect(parseConformance('t.data', text)).toBeUndefined())

  test('raw words count instead of assembly', () => {
    const raw = parseConformance(
      't.data',
      '-- asm\nexit\n-- raw\n0x00000005000000b7 149\n-- result\n0xffffffffffffffff\n',
    )!
    expect(disassemble(conformanceProgram(raw).program!)).toBe('   0: (b7) r0 = 5\n   1: (95) exit\n')
    expect(raw.result).toBe(2n ** 64n - 1n)
  })

  test('an expected error', () => {
    expect(parseConformance('t.data', '-- asm\nexit\n-- error\nno such thing\n')).toMatchObject({
      error: 'no such thing',
    })
  })
})

test('hexadecimal with any white space', () => {
  expect([...hexBytes('b7  00\n0a')!]).toEqual([0xb7, 0, 10])
  for (const text of ['b', 'b7 0', 'xx']) expect(hexBytes(text)).toBeUndefined()
})
