// Our text and bytes against what the kernel's verifier and LLVM wrote and read: golden/*.txt, recorded by record-*.

import { readFileSync } from 'node:fs'
import { assemble, type Dialect, decode, encode, formatInsn, type Insn } from '@netsieve/asm'
import { renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'

interface Line {
  readonly hex: string
  readonly text: string
  readonly insn: Insn
  /** The oracle reads its own text as other bytes. */
  readonly oneWay: boolean
}

function golden(name: string): { asked: Line[]; unknown: Line[] } {
  const lines = readFileSync(new URL(`golden/${name}`, import.meta.url), 'utf8').split('\n')
  const all = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [hex = '', text = ''] = line.split(/\t(?=[^\t]*)/, 1).concat(line.slice(line.indexOf('\t') + 1))
      const [insn] = decode(Buffer.from(hex, 'hex')).program
      return { hex, text: text.replace(/\t! \w+$/, ''), insn: insn!, oneWay: /\t! /.test(text) }
    })
  return { asked: all.filter(({ text }) => text !== '-'), unknown: all.filter(({ text }) => text === '-') }
}

const forms = (lines: readonly Line[]) => [...new Set(lines.map(({ insn }) => insn.spec.name))]
const hexOf = (program: readonly Insn[]) => Buffer.from(encode(program)).toString('hex')

function assembled(text: string, dialect: Dialect): string {
  const { value, diagnostics } = assemble(source('golden', text), { dialect })
  return value ? hexOf(value.programs[0]!.insns) : renderAll(diagnostics)
}

const POINTERS = ['lddw_map_fd', 'lddw_map_value', 'lddw_btf_id', 'lddw_func', 'lddw_map_index', 'lddw_map_index_value']

describe("the kernel's log", () => {
  const { asked, unknown } = golden('kernel.txt')

  test('is what we print, and what we print reads back as the bytes that the kernel was given', () => {
    expect(asked.length).toBeGreaterThan(800)
    for (const { hex, text, insn } of asked) {
      // The kernel has no name for function number 0.
      expect(formatInsn(insn)).toBe(text.replace('call #0', 'call kfunc#0'))
      expect(assembled(formatInsn(insn), 'kernel')).toBe(hex)
    }
  })

  test('has all forms but those it answers with addresses and names of its own', () => {
    expect(forms(unknown)).toEqual([...POINTERS, 'call_kfunc', 'callx'])
  })
})

// LLVM 22 as -mcpu=v4 knows everything but what maps and kernel functions are.
describe('llvm-objdump and llvm-mc', () => {
  const { asked, unknown } = golden('llvm.txt')
  // Written by LLVM as `ld_pseudo r1, 1, 5` and `call 5`: without saying what the number refers to.
  const known = asked.filter(({ insn, text }) => !text.startsWith('ld_pseudo') && !/^call_/.test(insn.spec.name))

  test('text is what LLVM writes, and LLVM reads it as the same bytes', () => {
    expect(known.length).toBeGreaterThan(800)
    for (const { hex, text, insn, oneWay } of known) {
      // LLVM does not write the displacement of an indirect packet load; a negative number is a local function to us.
      if (insn.imm !== 0 && insn.spec.name.startsWith('ldind')) continue
      if (insn.imm < 0 && insn.spec.name === 'call') continue
      expect(formatInsn(insn, { dialect: 'llvm' })).toBe(text)
      expect(oneWay, text).toBe(false)
      expect(assembled(text, 'llvm')).toBe(hex)
    }
  })

  test('know every form', () => expect(forms(unknown)).toEqual([]))

  test('an older llvm-mc, -mcpu=v3, gives the same bytes for what it knows', () => {
    const { asked: older } = golden('llvm-mc-14-v3.txt')
    expect(older.length).toBeGreaterThan(550)
    for (const { hex, text } of older) if (!/^call -|^ld_pseudo/.test(text)) expect(assembled(text, 'llvm')).toBe(hex)
  })
})
