// Lists long enough to be one decision: the rule that decides is the one that evaluate finds, of packets whose headers are whole, cut, or not there too.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, evaluate, print, VIEWS, type ViewName } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frame } from './frames.ts'
import { listPacket, longListOf } from './random-lists.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 2)
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
/** Where a number that is not there ends the program, no list is one decision. */
const LISTS = (Object.keys(VIEWS) as ViewName[]).filter((view) => VIEWS[view].missing !== 'reject')

/** As one function, and as parts that find the headers anew. */
const PLANS = [undefined, { part: 4000, inline: 400, depth: 2, program: 1_000_000 }]
const cases = TYPES.flatMap((type) => PLANS.map((plan) => [type, plan ? 'divided' : 'whole', plan] as const))

describe.each(LISTS)('view %s', (view) => {
  it.each(cases)('%s, %s', (type, _, plan) => {
    let [judged, decisions, dropped] = [0, 0, 0]
    fc.assert(
      fc.property(
        longListOf(view),
        fc.array(fc.oneof({ weight: 9, arbitrary: listPacket }, frame), { minLength: 200, maxLength: 200 }),
        (filter, frames) => {
          expect(check(filter).diagnostics).toEqual([])
          const { insns, maps } = generate(filter, { type, ...(plan && { plan }) })
          if (maps.some(({ name }) => name === 'tables')) decisions++
          const told = verify(insns, { type, maps })
          if (told.status !== 'accepted') throw new Error(`${told.status}: ${told.message}\n${print(filter)}`)
          const machine = load(insns, { type, maps })
          for (const bytes of frames) {
            const { r0, exit, fault } = machine.run(bytes)
            const got = fault ? fault.reason : `${decisionOf(type, r0)} by ${insns[exit!]?.origin?.rule}`
            const { decision, rule } = evaluate(filter, bytes)
            if (got !== `${decision} by ${rule}`)
              throw new Error(`program: ${got}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}`) // biome-ignore format: one message
            judged++
            if (decision === 'drop') dropped++
          }
        },
      ),
      { numRuns: RUNS, seed: 20_261_127, endOnFailure: true },
    )
    expect(judged).toBe(RUNS * 200)
    expect(decisions).toBeGreaterThanOrEqual(RUNS / 2)
    expect(dropped).toBeGreaterThan(judged / 50)
  })
})
