// C of programs that start at the network header, of cgroups and of netfilter: random filters of each view, and the recorded rulesets that ask nothing of
// the link header, through clang. No warnings, accepted by the verifier, and the verdicts that the rules mean.

import { decisionOf, type ProgTypeName, readElf } from '@netsieve/asm'
import { beyondType, generateC } from '@netsieve/codegen'
import { check, evaluate, type Filter, locate, print, VIEWS, type ViewName } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recorded } from '../golden/recorded.ts'
import { arrives, FRAMES, frame } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'
import { compileC, NO_CLANG } from './clang.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 2)
const SEED = Number(process.env.NETSIEVE_SEED ?? 20_261_127)
const TYPES = ['cgroup_skb', 'netfilter'] as const satisfies readonly ProgTypeName[]

/** How many frames were judged; none if C has no way to say the filter. */
function hold(filter: Filter, type: ProgTypeName, frames: readonly Uint8Array[], divide = false): number {
  const text = generateC(filter, { type, divide }).value
  if (text === undefined) return 0
  const { programs, maps } = readElf(compileC(text, { debug: true })).value!
  const { insns, functions } = programs[0]!
  const verdict = verify(insns, { type, maps, ...(divide && { functions }) })
  if (verdict.status !== 'accepted') throw new Error(`${verdict.status}: ${verdict.message}\n${text}`)
  const machine = load(insns, { type, maps, engine: 'jit' })
  // Without tags: the machine starts behind an Ethernet header.
  const judged = frames.filter((one) => filter.base.every(({ view }) => arrives(view, one) && locate(VIEWS[view], one).net === 14)) // biome-ignore format: one act
  for (const bytes of judged) {
    const { r0, fault } = machine.run(bytes)
    const got = fault ? fault.reason : decisionOf(type, r0)
    const { decision } = evaluate(filter, bytes)
    if (got !== decision)
      throw new Error(
        `program: ${got}, meaning: ${decision}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}\n${text}`,
      )
  }
  return judged.length
}

describe.skipIf(NO_CLANG)(`C at the network header${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, () => {
  const views = ['nft-ip', 'nft-netdev', 'xt-ip', 'flower', 'ethtool'] as const satisfies readonly ViewName[]
  it.each(views.flatMap((view) => TYPES.map((type) => [view, type] as const)))(
    'random filters, view %s, %s',
    { timeout: 120_000 + RUNS * 4000 },
    (view, type) => {
      const filters = fc
        .sample(filterOf(view), { numRuns: RUNS * 8, seed: SEED })
        .filter((filter) => check(filter).value && beyondType(filter, type).length === 0)
        .slice(0, RUNS)
      const frames = [...fc.sample(frame, { numRuns: 60, seed: SEED }), ...FRAMES]
      expect(filters.length).toBe(RUNS)
      for (const [i, filter] of filters.entries()) hold(filter, type, frames, i % 2 === 1)
    },
  )

  it.each(TYPES)('recorded rulesets, %s', { timeout: 120_000 }, (type) => {
    const rulesets = recorded(0).filter(({ filter }) => beyondType(filter, type).length === 0)
    const counts = rulesets
      .filter((_, i) => i % 4 === (type === 'netfilter' ? 0 : 2))
      .map(({ filter }, i) => hold(filter, type, FRAMES, i % 2 === 1))
    expect(counts.length).toBeGreaterThan(8)
    expect(Math.min(...counts)).toBeGreaterThan(10)
  })
})
