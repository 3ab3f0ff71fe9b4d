// Generated programs in the real kernel: its verifier accepts them, and BPF_PROG_TEST_RUN gives what the rules mean.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, evaluate, print, VIEWS, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES, frame } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'
import { askKernel, MISSING, programOf } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 60)
const SEED = 20_261_123

describe.skipIf(MISSING)(`random filters in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const cases = (Object.keys(VIEWS) as ViewName[]).flatMap((view) =>
    (['xdp', 'sched_cls', 'socket_filter'] as const).map((type) => [view, type] as const),
  )
  it.each(cases)('view %s, %s', (view: ViewName, type: ProgTypeName) => {
    const filters = fc.sample(filterOf(view), { numRuns: PROGRAMS, seed: SEED }).filter((filter) => check(filter).value)
    const bytes = [...fc.sample(frame, { numRuns: 40, seed: SEED }), ...FRAMES.slice(0, 40)]
    const frames = bytes.map((one) => Buffer.from(one).toString('hex'))
    const programs = filters.map((filter) => generate(filter, { type }))
    const replies = askKernel(programs.map((program) => ({ op: 'run', type, ...programOf(program), frames })))
    let judged = 0
    for (const [i, reply] of replies.entries()) {
      if (!reply.accepted) throw new Error(`the kernel rejects: ${reply.reason}\n${print(filters[i]!)}`)
      for (const [j, r0] of (reply.run?.retvals ?? []).entries()) {
        if (r0 === null || r0 < -1) continue
        judged++
        const want = evaluate(filters[i]!, bytes[j]!).decision
        if (decisionOf(type, r0) !== want)
          throw new Error(`kernel: ${r0}, meaning: ${want}\n${print(filters[i]!)}\nframe ${frames[j]}`)
      }
    }
    expect(judged).toBeGreaterThan(filters.length * 20)
  })
})
