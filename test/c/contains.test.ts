// C of searches for bytes, through clang: accepted by the verifier, and the verdicts that the rules mean.

import { decisionOf, type ProgTypeName, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { evaluate, type Pred, print } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containsFrame, containsPred } from '../properties/contains-cases.ts'
import { listFilter } from '../properties/list-ir.ts'
import { compileC, NO_CLANG } from './clang.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 4)
const TYPES = ['xdp', 'sched_cls', 'netfilter'] as const satisfies readonly ProgTypeName[]

const narrow = (pred: Pred): boolean =>
  pred.kind === 'not' ? narrow(pred.arg) : pred.kind === 'contains' && pred.to - pred.from <= 256

describe.skipIf(NO_CLANG)(`C that looks for bytes${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  it.each(TYPES)('%s', { timeout: 120_000 }, (type) => {
    const frames = fc.sample(containsFrame, { numRuns: 60, seed: 5 })
    const preds = fc.sample(containsPred, { numRuns: RUNS * 4, seed: 6 })
    const [near, far] = [true, false].map((want) => preds.filter((pred) => narrow(pred) === want)) as [Pred[], Pred[]]
    expect([near.length > 1, far.length > 0]).toEqual([true, true])
    for (const pred of far)
      expect(
        generateC(listFilter('xt-ip', [pred]), { type })
          .diagnostics.map(({ message }) => message)
          .join(),
      ).toContain('more than 256 places')
    for (const pred of near) {
      const filter = listFilter('xt-ip', [pred])
      const { programs, maps } = readElf(compileC(generateC(filter, { type }).value!, { debug: true })).value!
      const { insns } = programs[0]!
      const told = verify(insns, { type, maps })
      if (told.status !== 'accepted') throw new Error(`${told.status}: ${told.message}\n${print(filter)}`)
      const machine = load(insns, { type, maps })
      for (const frame of frames) {
        const { r0, fault } = machine.run(frame)
        expect([print(filter), fault?.reason ?? decisionOf(type, r0)]).toEqual([
          print(filter),
          evaluate(filter, frame).decision,
        ])
      }
    }
  })
})
