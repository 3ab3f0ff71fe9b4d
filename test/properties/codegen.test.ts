// evaluate(ir, packet) = run(generate(ir), packet), for every view and program type; the generated code is accepted.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, evaluate, print, VIEWS, type ViewName } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frame } from './frames.ts'
import { filterOf } from './random-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 40)
const FRAMES_EACH = 25
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
          const { insns, maps } = generate(filter, { type })
          const verdict = verify(insns, { type, maps })
          if (verdict.status !== 'accepted') throw new Error(`${verdict.status}: ${verdict.message}\n${print(filter)}`)
          const machine = load(insns, { type, maps })
          for (const bytes of frames) {
            const { r0, exit, fault } = machine.run(bytes)
            const got = fault ? fault.reason : `${decisionOf(type, r0)} by ${insns[exit!]?.origin?.rule}`
            const { decision, rule } = evaluate(filter, bytes)
            if (got !== `${decision} by ${rule}`) {
              throw new Error(
                `program: ${got}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}`,
              )
            }
            judged++
          }
        },
      ),
      { numRuns: RUNS, seed: 20_261_123, endOnFailure: false },
    )
    expect(judged).toBeGreaterThan(RUNS * FRAMES_EACH * 0.5)
  })
})
