// Generated programs in the real kernel: its verifier accepts them, and BPF_PROG_TEST_RUN gives what the rules mean.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, VIEWS, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES, frame } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'
import { judgeInKernel } from './judge.ts'
import { MISSING } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 60)
const SEED = 20_261_123

describe.skipIf(MISSING)(`random filters in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const cases = (Object.keys(VIEWS) as ViewName[]).flatMap((view) =>
    (['xdp', 'sched_cls', 'socket_filter'] as const).map((type) => [view, type] as const),
  )
  it.each(cases)('view %s, %s', (view: ViewName, type: ProgTypeName) => {
    const filters = fc.sample(filterOf(view), { numRuns: PROGRAMS, seed: SEED }).filter((filter) => check(filter).value)
    const frames = [...fc.sample(frame, { numRuns: 40, seed: SEED }), ...FRAMES.slice(0, 40)]
    const programs = filters.map((filter) => ({ filter, generated: generate(filter, { type }) }))
    const judged = judgeInKernel(programs, frames)
    expect(judged).toBeGreaterThan(filters.length * 20)
  })
})
