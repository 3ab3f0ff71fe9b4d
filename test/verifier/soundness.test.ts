// What the verifier accepts runs without a fault, and at every step every number is one that it thought possible.
// NETSIEVE_SOUNDNESS_SEED and NETSIEVE_SOUNDNESS_COUNT choose where to begin and how many programs.

import { type Insn, slotTable } from '@netsieve/asm'
import { type VerifyOptions, type Visit, verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { generate, MAPS } from './generate.ts'
import { random } from './random.ts'

const SEED = Number(process.env.NETSIEVE_SOUNDNESS_SEED ?? 1)
const COUNT = Number(process.env.NETSIEVE_SOUNDNESS_COUNT ?? 400)
const NAMED = MAPS.map((map, i) => ({ ...map, name: `map${i}` }))

function frames(seed: number): Uint8Array[] {
  const rand = random(seed ^ 0x5eed)
  return Array.from({ length: 4 }, () => Uint8Array.from({ length: 14 + rand.below(120) }, () => rand.below(256)))
}

/** All that was known before each instruction, by slot and call depth; undefined if there are too many paths to walk them all. */
function everyVisit(program: readonly Insn[], options: VerifyOptions): Map<string, Visit[]> | undefined {
  const visits = new Map<string, Visit[]>()
  const { status } = verify(program, {
    ...options,
    prune: false,
    budget: 3000,
    observe: (visit) => {
      const key = `${visit.slot}/${visit.depth}`
      const list = visits.get(key)
      if (list) list.push(visit)
      else visits.set(key, [visit])
    },
  })
  return status === 'accepted' ? visits : undefined
}

/** Steps at which a number was outside what was thought possible. */
function violations(
  program: readonly Insn[],
  options: VerifyOptions,
  visits: Map<string, Visit[]>,
  frame: Uint8Array,
): string[] {
  const found: string[] = []
  const regs = new Map<number, bigint>()
  const slots = slotTable(program)
  let top: number | undefined
  for (const step of load(program, { type: options.type, maps: NAMED }).trace(frame)) {
    top ??= step.depth
    const known = visits.get(`${slots[step.insn]}/${step.depth - top}`)
    const fits = known?.some((visit) =>
      visit.regs.every((reg, r) => reg.type !== 'scalar' || !regs.has(r) || reg.contains(regs.get(r)!)),
    )
    if (!fits) found.push(`insn ${step.insn} (slot ${slots[step.insn]}, depth ${step.depth - top})`)
    for (const { register, after } of step.registers) regs.set(register, BigInt(after))
  }
  return found
}

test('accepted programs do not fault, and stay within the abstract states', () => {
  const count = { accepted: 0, walked: 0, steps: 0 }
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const { program, type, functions } = generate(seed)
    const options = { type, maps: NAMED, ...(functions && { functions }) }
    const verdict = verify(program, options)
    if (verdict.status !== 'accepted') continue
    count.accepted++
    const machine = load(program, options)
    const visits = everyVisit(program, options)
    if (visits) count.walked++
    for (const frame of frames(seed)) {
      const run = machine.run(frame)
      expect(run.fault, `seed ${seed}`).toBeUndefined()
      if (visits) expect(violations(program, options, visits, frame), `seed ${seed}`).toEqual([])
    }
  }
  expect(count.accepted).toBeGreaterThan(COUNT / 2)
  expect(count.walked).toBeGreaterThan(COUNT / 4)
}, 7_200_000)
