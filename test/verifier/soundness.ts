// Holds runs of accepted programs against what the verifier thought of them: no fault, and at every step every number is one that
// it thought possible.

import { type Insn, slotTable } from '@netsieve/asm'
import { type VerifyOptions, type Visit, verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { generate, MAPS } from './generate.ts'
import { random } from './random.ts'

/** Programs that take longer to verify are left out. */
const MOST_INSNS = 50_000
const NAMED = MAPS.map((map, i) => ({ ...map, name: `map${i}` }))

function frames(seed: number): Uint8Array[] {
  const rand = random(seed ^ 0x5eed)
  return Array.from({ length: 4 }, () => Uint8Array.from({ length: 14 + rand.below(120) }, () => rand.below(256)))
}

/** Instructions of one run. */
const BUDGET = { insns: 20_000 }

/** Visits of one place; a global function is verified by itself, so there its depth says nothing. */
function placeOf({ functions = [] }: VerifyOptions, slot: number, depth: number): string {
  return functions.some(({ proto }) => proto?.global) ? `${slot}` : `${slot}/${depth}`
}

/** All that was known before each instruction, by slot and call depth; undefined if there are too many paths to walk them all. */
function everyVisit(program: readonly Insn[], options: VerifyOptions): Map<string, Visit[]> | undefined {
  const visits = new Map<string, Visit[]>()
  const { status } = verify(program, {
    ...options,
    prune: false,
    budget: 3000,
    observe: (visit) => {
      const key = placeOf(options, visit.slot, visit.depth)
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
  for (const step of load(program, { type: options.type, maps: NAMED, budget: BUDGET }).trace(frame)) {
    top ??= step.depth
    const known = visits.get(placeOf(options, slots[step.insn]!, step.depth - top))
    const fits = known?.some((visit) =>
      visit.regs.every((reg, r) => reg.type !== 'scalar' || !regs.has(r) || reg.contains(regs.get(r)!)),
    )
    if (!fits) found.push(`insn ${step.insn} (slot ${slots[step.insn]}, depth ${step.depth - top})`)
    for (const { register, after } of step.registers) regs.set(register, BigInt(after))
  }
  return found
}

export interface Soundness {
  accepted: number
  /** Programs whose paths could all be walked. */
  walked: number
  runs: number
  /** What went wrong: none of it should. */
  readonly violations: string[]
}

/** Runs the programs of `count` seeds on random packets. */
export function soundness(first: number, count: number): Soundness {
  const result: Soundness = { accepted: 0, walked: 0, runs: 0, violations: [] }
  for (let seed = first; seed < first + count; seed++) {
    const { program, type, functions } = generate(seed)
    const options = { type, maps: NAMED, ...(functions && { functions }) }
    if (verify(program, { ...options, budget: MOST_INSNS }).status !== 'accepted') continue
    result.accepted++
    const machine = load(program, { type, maps: NAMED, budget: BUDGET })
    const visits = everyVisit(program, options)
    if (visits) result.walked++
    for (const frame of frames(seed)) {
      result.runs++
      const { fault } = machine.run(frame)
      // may_goto alone ends a loop after 8 million rounds: nobody waits for that.
      if (fault && !fault.reason.startsWith('more than')) result.violations.push(`seed ${seed}: ${fault.reason}`)
      if (!visits) continue
      for (const place of violations(program, options, visits, frame)) result.violations.push(`seed ${seed}: ${place}`)
    }
  }
  return result
}
