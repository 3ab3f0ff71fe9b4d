// Sets, maps and lists of rules in the real kernel: its verifier accepts the programs, and BPF_PROG_TEST_RUN gives what the rules mean.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { check, evaluate, print, type ViewName } from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { FRAMES } from '../properties/frames.ts'
import { setFilter } from '../properties/random-sets.ts'
import { askKernel, MISSING, programOf } from './oracle.ts'

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
    const frames = FRAMES.map((one) => Buffer.from(one).toString('hex'))
    const replies = askKernel(
      filters.map((filter) => ({ op: 'run', type, ...programOf(generate(filter, { type })), frames })),
    )
    let judged = 0
    for (const [i, reply] of replies.entries()) {
      if (!reply.accepted) throw new Error(`the kernel rejects: ${reply.reason}\n${print(filters[i]!)}`)
      for (const [j, r0] of (reply.run?.retvals ?? []).entries()) {
        if (r0 === null || r0 < -1) continue
        judged++
        const want = evaluate(filters[i]!, FRAMES[j]!).decision
        if (decisionOf(type, r0) !== want)
          throw new Error(`kernel: ${r0}, meaning: ${want}\n${print(filters[i]!)}\nframe ${frames[j]}`)
      }
    }
    expect(judged).toBeGreaterThan(filters.length * 20)
  })
})
