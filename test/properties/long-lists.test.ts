// Lists long enough to be one decision: the rule that decides is the one that evaluate finds, of packets whose headers are whole, cut, or not there too.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, VIEWS, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frame } from './frames.ts'
import { judge } from './judge.ts'
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
          const generated = generate(filter, { type, ...(plan && { plan }) })
          if (generated.maps.some(({ name }) => name === 'tables')) decisions++
          const meant = judge(filter, generated, frames)
          judged += meant.length
          dropped += meant.filter(({ decision }) => decision === 'drop').length
        },
      ),
      { numRuns: RUNS, seed: 20_261_127, endOnFailure: true },
    )
    expect(judged).toBe(RUNS * 200)
    expect(decisions).toBeGreaterThanOrEqual(RUNS / 2)
    expect(dropped).toBeGreaterThan(judged / 50)
  })
})
