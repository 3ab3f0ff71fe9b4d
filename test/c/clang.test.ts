// The C of every recorded ruleset through clang: no warnings, accepted by the verifier, and the verdicts that the rules mean on a frame of each shape.
// Every second ruleset as one program type in turn; NETSIEVE_RUNS=all takes each as all.

import { decisionOf, type ProgTypeName, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { evaluate } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { recorded } from '../golden/recorded.ts'
import { FRAMES } from '../properties/frames.ts'
import { compileC, NO_CLANG } from './clang.ts'

const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const ALL = process.env.NETSIEVE_RUNS === 'all'
const CASES = recorded(60)
  .filter((_, i) => ALL || i % 2 === 0)
  .flatMap(({ name, filter }, i) =>
    TYPES.filter((_, j) => ALL || i % TYPES.length === j).map((type) => ({ name, filter, type })),
  )

describe.skipIf(NO_CLANG)(`C of recorded rulesets${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  it.each(CASES)('$name as $type', { timeout: 30_000 }, ({ filter, type }) => {
    const { programs, maps } = readElf(compileC(generateC(filter, { type }).value!)).value!
    const { insns } = programs[0]!
    expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
    const machine = load(insns, { type, maps, engine: 'jit', patience: 0 })
    const wrong = FRAMES.flatMap((frame) => {
      const { r0, fault } = machine.run(frame)
      const got = fault ? fault.reason : decisionOf(type, r0)
      const { decision } = evaluate(filter, frame)
      return got === decision ? [] : [`${got}, meaning ${decision}: ${Buffer.from(frame).toString('hex')}`]
    })
    expect(wrong).toEqual([])
  })
})
