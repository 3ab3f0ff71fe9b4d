// Sets, maps and lists of rules in the real kernel: its verifier accepts the programs, and BPF_PROG_TEST_RUN gives what the rules mean.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, type ViewName } from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { FRAMES } from '../properties/frames.ts'
import { setFilter } from '../properties/random-sets.ts'
import { judgeInKernel } from './judge.ts'
import { MISSING } from './oracle.ts'

const PROGRAMS = Math.ceil(Number(process.env.NETSIEVE_RUNS ?? 60) / 4)

describe.skipIf(MISSING)(`random sets in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const cases = [
    ['nft-ip', 'xdp'],
    ['nft-ip', 'socket_filter'],
    ['nft-netdev', 'sched_cls'],
    ['ethtool', 'xdp'],
  ] as const
  it.each(cases)('view %s, %s', (view: ViewName, type: ProgTypeName) => {
    const filters = Array.from({ length: PROGRAMS }, (_, i) => setFilter(view, i * 17 + 3))
    for (const filter of filters) expect(check(filter).diagnostics).toEqual([])
    const programs = filters.map((filter) => ({ filter, generated: generate(filter, { type }) }))
    const judged = judgeInKernel(programs, FRAMES)
    expect(judged).toBeGreaterThan(filters.length * 20)
  })
})
