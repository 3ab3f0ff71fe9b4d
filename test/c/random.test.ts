// Random filters as C, through clang: every kind of term and predicate in every view and program type, on frames with their tag in
// them and beside them; what C cannot say is left out. No warnings, accepted by the verifier, and the verdicts that the filters mean.

import { decisionOf, type ProgTypeName, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { check, evaluate, print, VIEWS, type ViewName } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load, type PacketMeta } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES, frame } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'
import { compileC, NO_CLANG } from './clang.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 2)
const SEED = Number(process.env.NETSIEVE_SEED ?? 20_261_127)
const CASES = (Object.keys(VIEWS) as ViewName[]).flatMap((view) =>
  (['xdp', 'sched_cls', 'socket_filter'] as const).map((type) => [view, type] as const),
)

/** The frame as it is given to a program: skb programs get an outermost tag beside it. */
function given(bytes: Uint8Array, type: ProgTypeName): { readonly data: Uint8Array; readonly meta: PacketMeta } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const tagged = bytes.length >= 18 && (view.getUint16(12) === 0x8100 || view.getUint16(12) === 0x88a8)
  if (type === 'xdp' || !tagged) return { data: bytes, meta: {} }
  const vlan = { proto: view.getUint16(12), tci: view.getUint16(14) }
  return { data: new Uint8Array([...bytes.subarray(0, 12), ...bytes.subarray(16)]), meta: { vlan } }
}

describe.skipIf(NO_CLANG)(`random filters as C${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  it.each(CASES)('view %s, %s', { timeout: 120_000 + RUNS * 4000 }, (view, type) => {
    const filters = fc.sample(filterOf(view), { numRuns: RUNS * 2, seed: SEED }).filter((filter) => check(filter).value)
    const frames = [...fc.sample(frame, { numRuns: 60, seed: SEED }), ...FRAMES.slice(0, 60)]
    expect(filters.length).toBeGreaterThanOrEqual(RUNS)
    for (const filter of filters.slice(0, RUNS)) {
      const divide = filters.indexOf(filter) % 2 === 1
      const text = generateC(filter, { type, divide }).value
      if (text === undefined) continue
      const { programs, maps } = readElf(compileC(text, { debug: true })).value!
      const { insns, functions } = programs[0]!
      const verdict = verify(insns, { type, maps, ...(divide && { functions }) })
      if (verdict.status !== 'accepted') throw new Error(`${verdict.status}: ${verdict.message}\n${text}`)
      const machine = load(insns, { type, maps })
      for (const bytes of frames) {
        for (const { data, meta } of [{ data: bytes, meta: {} }, given(bytes, type)]) {
          const { r0, fault } = machine.run(data, meta)
          const got = fault ? fault.reason : decisionOf(type, r0)
          const { decision } = evaluate(filter, bytes)
          if (got !== decision) {
            const hex = Buffer.from(bytes).toString('hex')
            throw new Error(
              `program: ${got}, meaning: ${decision}, ${JSON.stringify(meta)}\n${print(filter)}\nframe ${hex}\n${text}`,
            )
          }
        }
      }
    }
  })
})
