// The programs of every recorded ruleset, in the running kernel: its verifier takes them, ours says the same, and BPF_PROG_TEST_RUN gives the VM's
// verdict on every frame that it takes.

import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { CAPTURES, recorded } from '../golden/recorded.ts'
import { askKernel, MISSING, programOf } from './oracle.ts'

describe.skipIf(MISSING)(`recorded rulesets in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  it.each(['xdp', 'sched_cls', 'socket_filter'] as const)('as %s', { timeout: 600_000 }, (type) => {
    const frames = CAPTURES.flatMap((capture) => capture.frames)
    const hex = frames.map((frame) => Buffer.from(frame).toString('hex'))
    let told = 0
    for (const { name, filter } of recorded(60)) {
      const { insns, maps } = generate(filter, { type })
      const [reply] = askKernel([{ op: 'run', type, ...programOf({ insns, maps }), frames: hex }])
      expect(reply, name).toMatchObject({ accepted: true })
      expect(verify(insns, { type, maps }), name).toMatchObject({ status: 'accepted' })
      const machine = load(insns, { type, maps, engine: 'jit', patience: 0 })
      const wrong = frames.flatMap((frame, i) => {
        const kernel = reply!.run?.retvals[i]
        // The test run refuses some cut frames.
        if (kernel === null || kernel === undefined || kernel < -1) return []
        told++
        const { r0, fault } = machine.run(frame)
        return !fault && decisionOf(type, r0) === decisionOf(type, kernel)
          ? []
          : [`frame ${i}: VM ${fault?.reason ?? r0}, kernel ${kernel}`]
      })
      expect(wrong, name).toEqual([])
    }
    expect(told).toBeGreaterThan(100 * 5000)
  })
})
