// What rules keep from packet to packet, in C: the recorded rulesets through clang, against the verdicts of the real tools on packets that came at
// once, and against the meaning on packets that come one after the other.

import { decisionOf, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { evaluate, type Filter, newState } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load, type Machine } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { filterOf, framesOf, letter, rows } from '../golden/state-rows.ts'
import { compileC, NO_CLANG } from './clang.ts'

const HOLDING = 'seen-elements'
const NOW = 1_700_000_000_000_000_000n
const SECOND = 1_000_000_000n

/** Makes machines that have seen no packet, of a filter's C. */
function machinesOf(filter: Filter, divide: boolean): () => Machine {
  const { programs, maps } = readElf(compileC(generateC(filter, { type: 'xdp', divide }).value!, { debug: true }))
    .value!
  const { insns, functions } = programs[0]!
  expect(verify(insns, { type: 'xdp', maps, functions })).toMatchObject({ status: 'accepted' })
  return () => load(insns, { type: 'xdp', maps })
}

describe.skipIf(NO_CLANG)(`state in C${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  it('keys that a table has from the start are not written', () => {
    const { value, diagnostics } = generateC(filterOf(rows.find(({ name }) => name === HOLDING)!), { type: 'xdp' })
    expect([value, diagnostics.map(({ code }) => code)]).toEqual([undefined, ['codegen/c']])
  })

  it.each(rows.filter(({ name }) => name !== HOLDING).map((row, i) => [row.name, row, i % 2 === 1] as const))(
    '%s',
    (_, row, divide) => {
      const filter = filterOf(row)
      const frames = framesOf(row.frames)
      const fresh = machinesOf(filter, divide)
      const told = (machine: Machine, at: (i: number) => bigint) =>
        frames.map((frame, i) => letter(decisionOf('xdp', machine.run(frame, { timestampNs: at(i) }).r0))).join('')
      expect(told(fresh(), () => NOW)).toBe(row.verdicts)
      // So that buckets fill up again, and run out.
      for (const step of [SECOND / 3n, 40n * SECOND]) {
        const state = newState(filter)
        const at = (i: number) => NOW + BigInt(i) * step
        const meant = frames.map((frame, i) => letter(evaluate(filter, frame, { state, timestampNs: at(i) }).decision))
        expect(told(fresh(), at)).toBe(meant.join(''))
      }
    },
  )
})
