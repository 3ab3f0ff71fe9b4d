// Sets of programs that go on in one another by tail calls, in the running kernel: its verifier takes each, after as many instructions as the simulated
// one, and they return what evaluate means. Of every program type. Needs root and the oracle; skipped, and said so, without.

import { decisionOf, PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { beyondType, type Generated, generate, programsOf, TooLong } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, evaluate, type Filter, locate, print, VIEWS, type ViewName } from '@netsieve/ir'
import { SYNTAXES } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES } from '../properties/frames.ts'
import { filterOf } from '../properties/random-ir.ts'
import { askKernelSets, MISSING, testRuns } from './oracle.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 12)

/** Small programs of a filter; undefined where they would be too many, or the filter is beyond the type. */
function setOf(filter: Filter, type: ProgTypeName, i: number): Generated | undefined {
  if (check(filter).value === undefined || beyondType(filter, type).length > 0) return undefined
  try {
    const generated = generate(filter, { type, plan: { part: 30, inline: 0, depth: i % 3, program: 60 } })
    return generated.programs && generated
  } catch (long) {
    if (long instanceof TooLong) return undefined
    throw long
  }
}

type Case = { readonly type: ProgTypeName; readonly set: Generated; readonly filter: Filter }

/** Loads sets and runs them over frames: the kernel's count of instructions is ours, its verdicts what is meant. Returns how many. */
function judge(cases: readonly Case[], frames: readonly Uint8Array[]): number {
  const lots = cases.map(({ type }) => testRuns(type, frames))
  const replies = askKernelSets(cases.map(({ type, set }, i) => ({ type, set, runs: lots[i]! })))
  let judged = 0
  for (const [i, { accepted, reason, insns_processed, runs = [] }] of replies.entries()) {
    const { type, set, filter } = cases[i]!
    if (!accepted) throw new Error(`the kernel rejects: ${reason}\n${print(filter)}`)
    const ours = programsOf(set).map(({ insns }) => verify(insns, { type, maps: set.maps }).stats.processedInsns)
    expect(insns_processed, print(filter)).toEqual(ours)
    for (const [lot, { whole }] of lots[i]!.entries())
      for (const [k, bytes] of whole.entries()) {
        const r0 = runs[lot]![k]
        if (r0 === null || r0 === undefined) continue
        judged++
        const { decision } = evaluate(filter, bytes)
        if (decisionOf(type, r0) !== decision)
          throw new Error(
            `kernel: ${r0}, meaning: ${decision}\n${print(filter)}\n${Buffer.from(bytes).toString('hex')}`,
          )
      }
  }
  return judged
}

describe.skipIf(MISSING)(`in the running kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  const types: readonly (readonly [ProgTypeName, readonly ViewName[]])[] = [
    ['xdp', ['nft-netdev', 'xt-ip', 'raw']],
    ['sched_cls', ['nft-netdev', 'xt-ip', 'raw']],
    ['socket_filter', ['pcap', 'nft-netdev', 'raw']],
    ['cgroup_skb', ['nft-ip', 'xt-ip', 'flower']],
    ['netfilter', ['nft-ip', 'xt-ip', 'flower']],
  ]
  /** Frames that programs of a type see. */
  const framesFor = (type: ProgTypeName) =>
    PROG_TYPES[type].firstHeader === 'link'
      ? FRAMES
      : FRAMES.filter((one) => {
          const { seen, net, nfproto } = locate(VIEWS['nft-ip'], one)
          return seen && net === 14 && nfproto !== undefined
        })

  it.each(types)('%s: random filters as sets of small programs', { timeout: 600_000 }, (type, views) => {
    const filters = views.flatMap((view) => fc.sample(filterOf(view), { numRuns: RUNS, seed: 20_261_128 }))
    const cases = filters.flatMap((filter, i): Case[] => {
      const set = setOf(filter, type, i)
      return set ? [{ type, set, filter }] : []
    })
    expect(judge(cases, framesFor(type))).toBeGreaterThan(RUNS * 10)
  })

  it.each(types)('%s: what rules set is handed on', (type) => {
    const rules = Array.from({ length: 48 }, (_, i) => `th dport & 0x${(1 << (i % 16)).toString(16)} != 0 meta mark set meta mark ^ ${i + 1}`) // biome-ignore format: a row
    const text = `table inet t { chain c { type filter hook prerouting priority 0; policy accept;
${rules.join('\n')}
meta mark & 1 == 1 drop
meta mark & 0xf0 == 0x10 drop
} }`
    const filter = SYNTAXES.nft.read(source('rules', text), {}).value!
    const set = setOf(filter, type, 0)!
    expect(set.programs!.length).toBeGreaterThan(2)
    const frames = Array.from({ length: 64 }, (_, i) => {
      const port = (i * 2741) & 0xffff
      const bytes = new Uint8Array(60)
      bytes.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1, 0, 1, port >> 8, port & 255], 12) // biome-ignore format: a header
      return bytes
    })
    expect(judge([{ type, set, filter }], frames)).toBe(64)
    expect(new Set(frames.map((bytes) => evaluate(filter, bytes).decision)).size).toBe(2)
  })
})
