// How fast the verifier is: processed instructions a second on programs of four shapes, and on the whole corpus of generated
// ones; beside the kernel's own time for the same programs where there is a kernel to ask.

import { Code, type Insn } from '@netsieve/asm'
import { verify } from '@netsieve/verifier'
import { generate, MAPS } from '../test/verifier/generate.ts'
import { startKernel, whyNoKernel } from '../test/verifier/kernel.ts'

/** One counted loop that nothing prunes: as many instructions as asked. */
function loop(insns: number): Insn[] {
  const c = new Code()
  const top = c.label()
  c.mov(6, 0)
  c.mov(7, 1)
  c.bind(top)
  c.alu('add', 7, 3)
  c.alu('xor', 7, 5)
  c.alu('and', 7, 0xffff)
  c.store(8, 10, -8, { reg: 7 })
  c.load(8, 8, 10, -8)
  c.alu('add', 6, 1)
  c.jump('jlt', 6, Math.floor(insns / 7), top)
  c.mov(0, 0)
  c.exit()
  return c.layout()
}

/** A list of rules over one loaded field, each a comparison: states merge after every one. */
function rules(count: number): Insn[] {
  const c = new Code()
  const out = c.label()
  c.load(4, 2, 1, 0)
  c.load(4, 3, 1, 4)
  c.mov(4, { reg: 2 })
  c.alu('add', 4, 40)
  c.jump('jgt', 4, { reg: 3 }, out)
  for (let i = 0; i < count; i++) {
    const next = c.label()
    c.load(4, 5, 2, 26)
    c.alu('and', 5, 0xffff)
    c.jump('jne', 5, i, next)
    c.load(2, 5, 2, 36)
    c.jump('jgt', 5, 1000 + i, next)
    c.mov(0, 1)
    c.exit()
    c.bind(next)
  }
  c.bind(out)
  c.mov(0, 2)
  c.exit()
  return c.layout()
}

/** Unrelated numbers kept over many branches, and a stack access that needs one of them. */
function branches(count: number): Insn[] {
  const c = new Code()
  c.call(7)
  c.mov(6, { reg: 0 })
  for (let i = 0; i < count; i++) {
    const next = c.label()
    c.mov(2, { reg: 6 })
    c.alu('and', 2, 0xff)
    c.jump('jeq', 2, i & 0xff, next)
    c.alu('add', 6, i)
    c.store(8, 10, -16, { reg: 2 })
    c.bind(next)
  }
  c.mov(0, 0)
  c.exit()
  return c.layout()
}

interface Row {
  readonly name: string
  readonly programs: readonly (readonly Insn[])[]
}

const ROWS: readonly Row[] = [
  { name: 'loop, 100,000 processed', programs: [loop(100_000)] },
  { name: '3,000 rules', programs: [rules(3000)] },
  { name: '3,000 branches', programs: [branches(3000)] },
  {
    name: '2,000 generated',
    programs: Array.from({ length: 4000 }, (_, i) => generate(i)).filter(({ type, functions }) => type === 'xdp' && !functions).slice(0, 2000).map(({ program }) => program), // biome-ignore format: a chain
  },
]

const ROUNDS = 5
const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1]!
const kernel = whyNoKernel() ? undefined : startKernel()
console.log('| programs | processed | first ms | median ms | M insn/s | kernel processed | kernel ms |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const { name, programs } of ROWS) {
  const times: number[] = []
  let processed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    processed = 0
    for (const program of programs) processed += verify(program, { type: 'xdp', maps: MAPS }).stats.processedInsns
    times.push(performance.now() - start)
  }
  const first = times[0]!
  const middle = median(times)
  let theirs = ['', '']
  if (kernel) {
    const answers = []
    for (const program of programs) answers.push(await kernel.load(program, { type: 'xdp', maps: MAPS, level: 4 }))
    const insns = answers.reduce((sum, answer) => sum + (answer.insns ?? 0), 0)
    const us = answers.reduce((sum, answer) => sum + (answer.micros ?? 0), 0)
    theirs = [`${insns}`, (us / 1000).toFixed(1)]
  }
  console.log(`| ${name} | ${processed} | ${first.toFixed(0)} | ${middle.toFixed(0)} | ${(processed / middle / 1000).toFixed(2)} | ${theirs.join(' | ')} |`) // biome-ignore format: one row
}
kernel?.close()
