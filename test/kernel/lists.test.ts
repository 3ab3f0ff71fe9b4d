// Searches in lists in the real kernel: its verifier accepts the loops, and BPF_PROG_TEST_RUN finds what evaluate finds.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import type { ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listFrame } from '../properties/list-frames.ts'
import { LISTS, listFilter, listPred } from '../properties/list-ir.ts'
import { judgeInKernel } from './judge.ts'
import { MISSING } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 4)
const SEED = 20_261_127
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const VIEWS = ['nft-ip', 'nft-netdev', 'xt-ip', 'ethtool'] as const satisfies readonly ViewName[]

describe.skipIf(MISSING)(`searches in lists in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const cases = VIEWS.flatMap((view) => LISTS.map((list) => [view, list] as const))
  it.each(cases)('view %s, list %s', { timeout: 120_000 }, (view, list) => {
    const preds = fc.sample(fc.array(listPred(list), { minLength: 1, maxLength: 3 }), { numRuns: PROGRAMS, seed: SEED })
    const frames = fc.sample(listFrame(list), { numRuns: 80, seed: SEED })
    const programs = preds.flatMap((all) => {
      const filter = listFilter(view, all)
      return TYPES.map((type) => ({ filter, generated: generate(filter, { type }) }))
    })
    // Of test runs of tc and socket filters the kernel takes the tag off as it does on the wire; evaluate sees it all the same.
    const judged = judgeInKernel(programs, frames)
    expect(judged).toBeGreaterThan(programs.length * 20)
  })
})
