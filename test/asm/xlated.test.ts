// Our listing against `bpftool prog dump xlated`: golden/xlated.txt, recorded by record-xlated.mjs.

import { readFileSync } from 'node:fs'
import { assemble, conformanceProgram, disassemble, encode, type Insn, parseConformance } from '@netsieve/asm'
import { renderAll, source } from '@netsieve/diag'
import { expect, test } from 'vitest'

const text = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const blocks = text('golden/xlated.txt').split(/^=== /m).slice(1)

const listings = blocks.map((block) => {
  const [name = '', heading = '', ...lines] = block.trimEnd().split('\n')
  const { program = [] } = conformanceProgram(parseConformance(name, text(`../conformance/rfc9669/${name}`))!)
  return { name, heading, lines, program }
})

test('is what bpftool writes', () => {
  // This bpftool (7.1) is older than cpu v4: it writes `r1 = r2` for a sign-extending move.
  const old = listings.filter(({ program }) => program.every(({ spec }) => spec.cpu !== 'v4'))
  expect(old.length).toBeGreaterThan(80)
  for (const { lines, program } of old) expect(disassemble(program).trimEnd().split('\n')).toEqual(lines)
})

test('and reads back, with the heading and labels of functions', () => {
  for (const { name, heading, lines, program } of listings) {
    if (program.some(({ spec }) => spec.cpu === 'v4')) continue
    const { value, diagnostics } = assemble(source(name, [heading, ...lines].join('\n')))
    expect(renderAll(diagnostics)).toBe('')
    expect(value!.programs[0]!.name).toBe('main')
    expect(encode(value!.programs[0]!.insns)).toEqual(encode(program))
  }
})

test('what only loaded programs show', () => {
  const listing = `
int filter(struct xdp_md * ctx):
; int dport = port(ctx);
   0: (85) call pc+6#bpf_prog_54a79eaa21a3a4c7_port
   1: (18) r1 = map[id:1058]
   3: (18) r1 = map[id:1058][0]+8
   5: (85) call bpf_xdp_metadata_rx_hash#31337
   6: (95) exit
int port(struct xdp_md * ctx):
   7: (b7) r0 = 0
   8: (95) exit
`
  const { value, diagnostics } = assemble(source('xlated', listing))
  expect(renderAll(diagnostics)).toBe('')
  const programs = value!.programs.map(({ name, insns }) => [
    name,
    insns.map(({ spec, imm }: Insn) => [spec.name, imm]),
  ])
  expect(programs[0]).toEqual([
    'filter',
    [['call_local', 6], ['lddw_map_fd', 1058], ['lddw_map_value', 1058], ['call_kfunc', 31337], ['exit', 0], ['mov_imm', 0], ['exit', 0]],
  ]) // biome-ignore format: rows
})
