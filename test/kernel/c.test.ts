// The C of every recorded ruleset, compiled by clang, in the running kernel: its verifier takes the programs, and BPF_PROG_TEST_RUN gives what
// the rules mean on every frame that it takes.

import { decisionOf, type ProgTypeName, readElf } from '@netsieve/asm'
import { beyondType, generateC } from '@netsieve/codegen'
import { evaluate, type Filter, locate, VIEWS } from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { compileC, NO_CLANG } from '../c/clang.ts'
import { CAPTURES, recorded } from '../golden/recorded.ts'
import { arrives } from '../properties/frames.ts'
import { askKernel, type KernelReply, MISSING, programOf, testRuns } from './oracle.ts'

const WHY = MISSING ?? NO_CLANG

/** Holds the kernel's verdicts against the meaning; how many frames its test run took: it refuses some cut ones. */
function hold(
  reply: KernelReply,
  { name, filter, type }: { readonly name: string; readonly filter: Filter; readonly type: ProgTypeName },
  frames: readonly Uint8Array[],
): number {
  let told = 0
  const wrong = frames.flatMap((frame, i) => {
    const r0 = reply.run?.retvals[i]
    if (r0 === null || r0 === undefined || r0 < -1) return []
    told++
    const { decision } = evaluate(filter, frame)
    return decisionOf(type, r0) === decision ? [] : [`frame ${i}: kernel ${r0}, meaning ${decision}`]
  })
  expect(wrong, name).toEqual([])
  return told
}

describe.skipIf(WHY)(`C of recorded rulesets in the kernel${WHY ? ` (skipped: ${WHY})` : ''}`, () => {
  it.each(['xdp', 'sched_cls', 'socket_filter'] as const)('as %s', { timeout: 600_000 }, (type) => {
    const frames = CAPTURES.flatMap((capture) => capture.frames)
    const hex = frames.map((frame) => Buffer.from(frame).toString('hex'))
    let told = 0
    for (const { name, filter } of recorded(60)) {
      const { programs, maps } = readElf(compileC(generateC(filter, { type }).value!, { debug: true })).value!
      const [reply] = askKernel([{ op: 'run', type, ...programOf({ ...programs[0]!, maps }), frames: hex }])
      expect(reply, name).toMatchObject({ accepted: true })
      told += hold(reply!, { name, filter, type }, frames)
    }
    expect(told).toBeGreaterThan(100 * 5000)
  })

  it.each(['cgroup_skb', 'netfilter'] as const)('as %s, on packets without tags', { timeout: 600_000 }, (type) => {
    const frames = CAPTURES.flatMap((capture) => capture.frames)
    let told = 0
    for (const { name, filter } of recorded(0)) {
      if (beyondType(filter, type).length > 0) continue
      const { programs, maps } = readElf(compileC(generateC(filter, { type }).value!, { debug: true })).value!
      const seen = frames.filter((one) => filter.base.every(({ view }) => arrives(view, one) && locate(VIEWS[view], one).net === 14)) // biome-ignore format: one act
      for (const { whole, frames: given, ...context } of testRuns(type, seen)) {
        const hex = given.map((one) => Buffer.from(one).toString('hex'))
        const [reply] = askKernel([{ op: 'run', type, ...programOf({ ...programs[0]!, maps }), ...context, frames: hex }]) // biome-ignore format: one act
        expect(reply, name).toMatchObject({ accepted: true })
        told += hold(reply!, { name, filter, type }, whole)
      }
    }
    expect(told).toBeGreaterThan(50_000)
  })
})
