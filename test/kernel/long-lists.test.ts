// Lists that are one decision in the real kernel: its verifier accepts them, and BPF_PROG_TEST_RUN gives what the rules mean, of cut packets too.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import type { ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listPacket, longListOf } from '../properties/random-lists.ts'
import { judgeInKernel } from './judge.ts'
import { MISSING } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 6)
const SEED = 20_261_127
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const VIEWS = ['nft-ip', 'nft-netdev', 'xt-ip', 'xt-compat', 'flower'] as const satisfies readonly ViewName[]

describe.skipIf(MISSING)(`long lists in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  it.each(VIEWS)('view %s', { timeout: 120_000 }, (view) => {
    const filters = fc.sample(longListOf(view), { numRuns: PROGRAMS, seed: SEED })
    const frames = fc.sample(listPacket, { numRuns: 300, seed: SEED })
    const programs = filters.flatMap((filter) =>
      TYPES.map((type) => ({ filter, generated: generate(filter, { type }) })),
    )
    const judged = judgeInKernel(programs, frames)
    expect(judged).toBeGreaterThan(programs.length * 200)
  })
})
