// evaluate(ir, packet) = run(generate(ir), packet), for every view and program type; the generated code is accepted.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, VIEWS, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frame } from './frames.ts'
import { judge } from './judge.ts'
import { filterOf } from './random-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 20)
const FRAMES_EACH = 50
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]

describe.each(Object.keys(VIEWS) as ViewName[])('view %s', (view) => {
  it.each(TYPES)('%s programs decide as evaluate does, and are accepted', (type) => {
    let judged = 0
    fc.assert(
      fc.property(
        filterOf(view),
        fc.array(frame, { minLength: FRAMES_EACH, maxLength: FRAMES_EACH }),
        (filter, frames) => {
          fc.pre(check(filter).value !== undefined)
          judged += judge(filter, generate(filter, { type }), frames).length
        },
      ),
      { numRuns: RUNS, seed: 20_261_123, endOnFailure: false },
    )
    expect(judged).toBeGreaterThan(RUNS * FRAMES_EACH * 0.5)
  })
})
