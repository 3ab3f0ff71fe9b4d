// Lists that are one decision in the real kernel: its verifier accepts them, and BPF_PROG_TEST_RUN gives what the rules mean, of cut packets too.

import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { evaluate, print, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listPacket, longListOf } from '../properties/random-lists.ts'
import { askKernel, MISSING, programOf } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 6)
const SEED = 20_261_127
const VIEWS = ['nft-ip', 'nft-netdev', 'xt-ip', 'xt-compat', 'flower'] as const satisfies readonly ViewName[]

describe.skipIf(MISSING)(`long lists in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  it.each(VIEWS)('view %s', { timeout: 120_000 }, (view) => {
    const filters = fc.sample(longListOf(view), { numRuns: PROGRAMS, seed: SEED })
    const frames = fc.sample(listPacket, { numRuns: 300, seed: SEED })
    const hex = frames.map((frame) => Buffer.from(frame).toString('hex'))
    const programs = filters.flatMap((filter) =>
      (['xdp', 'sched_cls', 'socket_filter'] as const).map((type) => ({ type, filter })),
    )
    const replies = askKernel(
      programs.map(({ type, filter }) => ({ op: 'run', type, ...programOf(generate(filter, { type })), frames: hex })),
    )
    let judged = 0
    for (const [i, reply] of replies.entries()) {
      const { filter, type } = programs[i]!
      if (!reply.accepted) throw new Error(`the kernel rejects: ${reply.reason}\n${print(filter)}`)
      for (const [j, r0] of (reply.run?.retvals ?? []).entries()) {
        if (r0 === null || r0 < -1) continue
        judged++
        const want = evaluate(filter, frames[j]!).decision
        if (decisionOf(type, r0) !== want)
          throw new Error(`kernel ${type}: ${r0}, meaning: ${want}\n${print(filter)}\nframe ${hex[j]}`)
      }
    }
    expect(judged).toBeGreaterThan(programs.length * 200)
  })
})
