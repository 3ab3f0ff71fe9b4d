// The corpus through the assembler and all dialects; which instruction forms it lacks.

import { readdirSync, readFileSync } from 'node:fs'
import {
  assemble,
  type ConformanceTest,
  conformancePlugin,
  conformanceProgram,
  DIALECTS,
  disassemble,
  encode,
  type Insn,
  ISA,
  parseConformance,
} from '@netsieve/asm'
import { renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'

interface File {
  readonly name: string
  readonly test: ConformanceTest
  readonly program: readonly Insn[]
}

const files: readonly File[] = ['rfc9669', 'linux'].flatMap((folder) =>
  readdirSync(new URL(folder, import.meta.url)).map((name) => {
    const text = readFileSync(new URL(`${folder}/${name}`, import.meta.url), 'utf8')
    const read = parseConformance(name, text)
    if (!read) throw new Error(`${name} would be skipped`)
    const { program, error } = conformanceProgram(read)
    if (!program) throw new Error(`${name}: ${error}`)
    return { name: `${folder}/${name}`, test: read, program }
  }),
)

test('every instruction form occurs', () => {
  const used = new Set(files.flatMap(({ program }) => program.map(({ spec }) => spec.name)))
  expect(ISA.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([])
})

describe.each(DIALECTS)('%s', (dialect) => {
  test('what is printed reads back as the same bytes', () => {
    for (const { name, program } of files) {
      const text = disassemble(program, { dialect })
      const { value, diagnostics } = assemble(source(name, text), { dialect })
      expect(renderAll(diagnostics), name).toBe('')
      expect(encode(value!.programs[0]!.insns), name).toEqual(encode(program))
    }
  })
})

test('the plugin gets the bytes and the memory of a test and answers in hex', () => {
  const { test: one, program } = files.find(({ name }) => name === 'rfc9669/ldxh.data')!
  const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('  ')
  const reply = conformancePlugin([hex(one.mem!)], `${hex(encode(program))}\n`, (insns, mem) => {
    expect(encode(insns)).toEqual(encode(program))
    return BigInt(mem[8]! | (mem[9]! << 8))
  })
  expect(reply).toEqual({ exitCode: 0, stdout: `${one.result!.toString(16)}\n`, stderr: '' })
  expect(conformancePlugin([], 'zz', () => 0n)).toMatchObject({ exitCode: 1, stdout: '' })
  expect(conformancePlugin([], 'ff00000000000000', () => 0n).stderr).toBe('slot 0: unknown opcode ff\n')
  expect(conformancePlugin([], '9500000000000000', () => ({ error: 'no' }))).toEqual({ exitCode: 1, stdout: '', stderr: 'no\n' }) // biome-ignore format: one act
})
