// Searches in lists in the real kernel: its verifier accepts the loops, and BPF_PROG_TEST_RUN finds what evaluate finds.

import { decisionOf, encode } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { evaluate, print, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listFrame } from '../properties/list-frames.ts'
import { LISTS, listFilter, listPred } from '../properties/list-ir.ts'
import { askKernel, MISSING } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 4)
const SEED = 20_261_127
const VIEWS = ['nft-ip', 'nft-netdev', 'xt-ip', 'ethtool'] as const satisfies readonly ViewName[]

describe.skipIf(MISSING)(`searches in lists in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const cases = VIEWS.flatMap((view) => LISTS.map((list) => [view, list] as const))
  it.each(cases)('view %s, list %s', { timeout: 120_000 }, (view, list) => {
    const preds = fc.sample(fc.array(listPred(list), { minLength: 1, maxLength: 3 }), { numRuns: PROGRAMS, seed: SEED })
    const frames = fc.sample(listFrame(list), { numRuns: 80, seed: SEED })
    const hex = frames.map((frame) => Buffer.from(frame).toString('hex'))
    const programs = preds.flatMap((all) =>
      (['xdp', 'sched_cls', 'socket_filter'] as const).map((type) => {
        const filter = listFilter(view, all)
        return { type, filter, hex: Buffer.from(encode(generate(filter, { type }).insns)).toString('hex') }
      }),
    )
    const replies = askKernel(
      programs.map(({ type, hex: program }) => ({ op: 'run', type, hex: program, frames: hex })),
    )
    let judged = 0
    for (const [i, reply] of replies.entries()) {
      const { filter, type } = programs[i]!
      if (!reply.accepted) throw new Error(`the kernel rejects: ${reply.reason}\n${print(filter)}`)
      for (const [j, r0] of (reply.run?.retvals ?? []).entries()) {
        if (r0 === null || r0 < -1) continue
        // Of test runs of tc and socket filters the kernel takes the tag off as it does on the wire; evaluate sees it all the same.
        judged++
        const want = evaluate(filter, frames[j]!).decision
        if (decisionOf(type, r0) !== want)
          throw new Error(`kernel ${type}: ${r0}, meaning: ${want}\n${print(filter)}\nframe ${hex[j]}`)
      }
    }
    expect(judged).toBeGreaterThan(programs.length * 20)
  })
})
