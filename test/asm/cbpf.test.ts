// Classic BPF against tcpdump's own printing: golden/tcpdump.txt, recorded by record-tcpdump.sh.

import { readFileSync } from 'node:fs'
import { type CbpfDialect, type CbpfInsn, cbpfSpec, parseCbpf, printCbpf } from '@netsieve/asm'
import { renderAll, source } from '@netsieve/diag'
import { expect, test } from 'vitest'

const text = readFileSync(new URL('golden/tcpdump.txt', import.meta.url), 'utf8')
const blocks = [...text.matchAll(/^=== (\w+) (.*)\n([^=]*)/gm)].map(
  ([, dialect, expression, body]) => [dialect as CbpfDialect, expression!, body!] as const,
)

const UNUSED = new Set(['none', 'x', 'a', 'len'])

function parse(body: string): readonly CbpfInsn[] {
  const { value, diagnostics } = parseCbpf(source('golden', body))
  if (!value) throw new Error(renderAll(diagnostics))
  // libpcap leaves numbers in fields that an instruction does not use; they are in -dd and -ddd only.
  return value.map((insn) => (UNUSED.has(cbpfSpec(insn.code)!.mode) ? { ...insn, k: 0 } : insn))
}

test.each(blocks)('-%s %s', (dialect, expression, body) => {
  const program = parse(body)
  const { value = [] } = parseCbpf(source('golden', body))
  expect(printCbpf(value, dialect).replace(/ +$/gm, '')).toBe(body.replace(/ +$/gm, ''))
  // All three notations are of one program.
  const [, , decimal] = blocks.find(([d, e]) => d === 'ddd' && e === expression)!
  expect(program).toEqual(parse(decimal))
  expect(parse(printCbpf(program, 'asm'))).toEqual(program)
})

test('tcpdump used every operation but those it has no need of', () => {
  const used = new Set(blocks.flatMap(([, , body]) => parse(body).map(({ code }) => cbpfSpec(code)?.mnemonic)))
  const all = ['ld', 'ldh', 'ldb', 'ldxb', 'st', 'add', 'sub', 'mul', 'div', 'or', 'and', 'lsh', 'rsh', 'mod', 'xor', 'neg', 'jeq', 'jgt', 'jge', 'jset', 'ret', 'tax'] // biome-ignore format: a list
  expect(all.filter((mnemonic) => !used.has(mnemonic))).toEqual([])
})
