// Programs that the verifier's speed is measured on: a long loop, a list of rules, branches that keep numbers apart, and generated ones; and how long they take.

import { Code, type Insn } from '@netsieve/asm'
import { verify } from '@netsieve/verifier'
import { generate, MAPS } from '../test/verifier/generate.ts'
import type { Kernel, KernelVerdict } from '../test/verifier/kernel.ts'

/** One counted loop that nothing prunes: as many instructions as asked. */
export function loop(insns: number): Insn[] {
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

export interface Workload {
  readonly name: string
  readonly programs: readonly (readonly Insn[])[]
}

export const WORKLOADS: readonly Workload[] = [
  { name: 'loop, 100,000 processed', programs: [loop(100_000)] },
  { name: '3,000 rules', programs: [rules(3000)] },
  { name: '3,000 branches', programs: [branches(3000)] },
  {
    name: '2,000 generated',
    programs: Array.from({ length: 4000 }, (_, i) => generate(i)).filter(({ type, functions }) => type === 'xdp' && !functions).slice(0, 2000).map(({ program }) => program), // biome-ignore format: a chain
  },
]

export interface Speed {
  readonly processed: number
  /** The first round, when nothing is compiled yet, and the median one. */
  readonly firstMs: number
  readonly medianMs: number
  /** The kernel's own figures. */
  readonly kernel: { readonly processed: number; readonly ms: number } | undefined
}

const ROUNDS = 5

export async function speedOf({ programs }: Workload, kernel: Kernel | undefined): Promise<Speed> {
  const times: number[] = []
  let processed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    processed = 0
    for (const program of programs) processed += verify(program, { type: 'xdp', maps: MAPS }).stats.processedInsns
    times.push(performance.now() - start)
  }
  const firstMs = times[0]!
  const medianMs = times.sort((a, b) => a - b)[ROUNDS >> 1]!
  if (!kernel) return { processed, firstMs, medianMs, kernel: undefined }
  const answers: KernelVerdict[] = []
  for (const program of programs) answers.push(await kernel.load(program, { type: 'xdp', maps: MAPS, level: 4 }))
  const sum = (number: (answer: KernelVerdict) => number | undefined) =>
    answers.reduce((total, answer) => total + (number(answer) ?? 0), 0)
  const theirs = { processed: sum(({ insns }) => insns), ms: sum(({ micros }) => micros) / 1000 }
  return { processed, firstMs, medianMs, kernel: theirs }
}
