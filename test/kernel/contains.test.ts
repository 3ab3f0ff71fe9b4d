// Searches for bytes in the real kernel: its verifier accepts the loops, and BPF_PROG_TEST_RUN finds what evaluate finds.

import { decisionOf, encode } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { evaluate, print } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containsFrame, containsPred } from '../properties/contains-cases.ts'
import { listFilter } from '../properties/list-ir.ts'
import { askKernel, MISSING } from './oracle.ts'

const PROGRAMS = Number(process.env.NETSIEVE_RUNS ?? 8)

describe.skipIf(MISSING)(`searches for bytes in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  it.each(['xdp', 'sched_cls', 'socket_filter'] as const)('%s', { timeout: 120_000 }, (type) => {
    const frames = fc.sample(containsFrame, { numRuns: 60, seed: 7 })
    const hex = frames.map((frame) => Buffer.from(frame).toString('hex'))
    const filters = fc
      .sample(fc.array(containsPred, { minLength: 1, maxLength: 3 }), { numRuns: PROGRAMS, seed: 8 })
      .map((preds) => listFilter('nft-ip', preds))
    const replies = askKernel(
      filters.map((filter) => ({
        op: 'run',
        type,
        hex: Buffer.from(encode(generate(filter, { type }).insns)).toString('hex'),
        frames: hex,
      })),
    )
    for (const [i, reply] of replies.entries()) {
      const filter = filters[i]!
      if (!reply.accepted) throw new Error(`the kernel rejects: ${reply.reason}\n${print(filter)}`)
      const got = (reply.run?.retvals ?? []).map((r0) => decisionOf(type, r0!))
      expect([print(filter), got]).toEqual([print(filter), frames.map((frame) => evaluate(filter, frame).decision)])
    }
  })
})
