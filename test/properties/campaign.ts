// The big property: evaluate(ir, packet) = run(generate(simplify(ir)), packet), as long as one likes. Not part of the tests: a command,
//   node bench/run.mjs test/properties/campaign.ts [cases] [seed]
// Random filters of every view and program type, without passes and with those that keep the deciding rule; frames of the captures, changed and
// cut, and frames made from each filter's constants. The same seed gives the same cases. Exit code 1 if any case differs.

import { decisionOf, PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { generate, insnOf } from '@netsieve/codegen'
import { collectConstants, frameArbitrary } from '@netsieve/equiv'
import { check, evaluate, type Filter, print, simplify, VIEWS, type ViewName } from '@netsieve/ir'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { byForce, verifyAll } from './by-force.ts'
import { FRAMES, frame } from './frames.ts'
import { filterOf } from './random-ir.ts'
import { ruleListOf } from './random-lists.ts'

const [cases = 1_000_000, seed = 1] = process.argv.slice(2).map(Number)
const TYPES = (Object.keys(PROG_TYPES) as ProgTypeName[]).filter((type) => PROG_TYPES[type].firstHeader === 'link')
const BLOCK = 20
const MOST_SHOWN = 20

interface Sums {
  cases: number
  programs: number
  rejected: number
  differ: number
}

/** Judges frames by a program and by the meaning. */
function judge(filter: Filter, type: ProgTypeName, level: 0 | 1, frames: readonly Uint8Array[], sums: Sums): void {
  // One program in three is divided into functions, of a few rules each, every other one of them into several programs.
  const plan = { part: 40, inline: 0, depth: sums.programs % 4, program: sums.programs % 2 ? 150 : 1_000_000 }
  const simple = simplify(filter, { level })
  const generated = sums.programs % 3 === 2 ? byForce(simple, { type }, plan) : generate(simple, { type })
  const { insns } = generated
  sums.programs++
  const verdict = verifyAll(generated)
  if (verdict.status !== 'accepted') {
    sums.rejected++
    if (sums.rejected <= MOST_SHOWN)
      console.log(`${type} -O${level}: ${verdict.status}: ${verdict.message}\n${print(filter)}`)
    return
  }
  const machine = load(insns, { ...generated, engine: sums.programs % 2 === 0 ? 'jit' : 'interpreter', patience: 0 })
  for (const bytes of frames) {
    sums.cases++
    const { r0, exit, fault } = machine.run(bytes)
    const got = fault ? fault.reason : `${decisionOf(type, r0)} by ${insnOf(generated, exit!)?.origin?.rule}`
    const { decision, rule } = evaluate(filter, bytes)
    if (got === `${decision} by ${rule}`) continue
    sums.differ++
    if (sums.differ <= MOST_SHOWN)
      console.log(`${type} -O${level}: program ${got}, meaning ${decision} by ${rule}\n${print(filter)}frame ${Buffer.from(bytes).toString('hex')}\n`) // biome-ignore format: one message
  }
}

const sums: Sums = { cases: 0, programs: 0, rejected: 0, differ: 0 }
const start = performance.now()
for (let block = 0; sums.cases < cases; block++) {
  const view = (Object.keys(VIEWS) as ViewName[])[block % Object.keys(VIEWS).length]!
  const own = { numRuns: BLOCK, seed: seed * 1_000_003 + block }
  const filters = fc.sample(block % 3 === 2 ? ruleListOf(view) : filterOf(view), own)
  const common = fc.sample(frame, { ...own, numRuns: 80 })
  for (const [i, filter] of filters.entries()) {
    if (check(filter).value === undefined) continue
    const near = fc.sample(frameArbitrary(collectConstants([filter])), { numRuns: 40, seed: own.seed + i })
    const frames = [...common.slice((i % 4) * 20, (i % 4) * 20 + 20), ...near, ...FRAMES.slice(i, i + 20)]
    const type = TYPES[(block + i) % TYPES.length]!
    judge(filter, type, ((block + i) % 2) as 0 | 1, frames, sums)
  }
  if (block % 50 === 49)
    console.log(`${sums.cases} cases, ${sums.programs} programs, ${sums.rejected} rejected, ${sums.differ} differ, ${Math.round((performance.now() - start) / 1000)} s`) // biome-ignore format: one message
}
console.log(
  `${sums.cases} cases of ${sums.programs} programs (seed ${seed}): ${sums.differ} differ, ${sums.rejected} programs rejected`,
)
process.exitCode = sums.differ + sums.rejected > 0 ? 1 : 0
