import { describe, expect, test } from 'vitest'
import { disassemble, formatInsn, type Insn, insn, Long } from '../src/index.ts'

const program: Insn[] = [
  insn('ldxw', { dst: 2, src: 1, off: 76, origin: { text: 'prologue' } }),
  insn('jne_imm', { dst: 2, imm: 8, off: 3, origin: { rule: 0, text: 'tcp dport 80\ndrop' } }),
  insn('lddw', { dst: 3, imm64: Long.fromString('-2'), origin: { rule: 0, text: 'tcp dport 80\ndrop' } }),
  insn('call', { imm: 1 }),
  insn('exit'),
]

describe('formatInsn', () => {
  test.each([
    ['kernel', 0, '(61) r2 = *(u32 *)(r1 +76)'],
    ['llvm', 0, 'w2 = *(u32 *)(r1 + 76)'],
    ['ubpf', 0, 'ldxw r2, [r1+76]'],
    ['gcc', 0, 'ldxw %r2,[%r1+76]'],
    ['kernel', 1, '(55) if r2 != 0x8 goto pc+3'],
    ['llvm', 1, 'if r2 != 8 goto +3'],
    ['ubpf', 1, 'jne r2, 8, +3'],
    ['gcc', 1, 'jne %r2,8,+3'],
    ['kernel', 2, '(18) r3 = 0xfffffffffffffffe'],
    ['llvm', 2, 'r3 = -2 ll'],
    ['kernel', 3, '(85) call bpf_map_lookup_elem#1'],
    ['llvm', 3, 'call 1'],
  ] as const)('%s of instruction %i', (dialect, index, text) => {
    expect(formatInsn(program[index]!, { dialect })).toBe(text)
  })

  test('names a jump target that has a label', () => {
    expect(formatInsn(program[1]!, { dialect: 'llvm', slot: 1, labels: new Map([[5, 'out']]) })).toBe(
      'if r2 != 8 goto out',
    )
  })
})

describe('disassemble', () => {
  test('numbers slots as the kernel does, LD_IMM64 counting two', () => {
    expect(disassemble(program)).toBe(
      [
        '   0: (61) r2 = *(u32 *)(r1 +76)',
        '   1: (55) if r2 != 0x8 goto pc+3',
        '   2: (18) r3 = 0xfffffffffffffffe',
        '   4: (85) call bpf_map_lookup_elem#1',
        '   5: (95) exit',
        '',
      ].join('\n'),
    )
  })

  test('writes labels and the text that asked for the code, kept on one line', () => {
    expect(disassemble(program, { dialect: 'llvm', origins: true, helperNames: true })).toBe(
      [
        '    ; prologue',
        '    w2 = *(u32 *)(r1 + 76)',
        '    ; rule 0: tcp dport 80 drop',
        '    if r2 != 8 goto L5',
        '    r3 = -2 ll',
        '    call bpf_map_lookup_elem',
        'L5:',
        '    exit',
        '',
      ].join('\n'),
    )
  })
})
