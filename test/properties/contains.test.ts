// Searches for bytes: the program finds what evaluate finds, whatever its type, and the packet ends where the view says.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, fromJson, parse, print, toJson } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { containsFrame, containsPred } from './contains-cases.ts'
import { judge } from './judge.ts'
import { listFilter } from './list-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 10)
const TYPES = [
  'xdp',
  'sched_cls',
  'socket_filter',
  'cgroup_skb',
  'netfilter',
] as const satisfies readonly ProgTypeName[]

describe.each(['nft-ip', 'xt-ip', 'xt-compat', 'nft-netdev'] as const)('view %s', (view) => {
  it.each(TYPES)('%s', (type) => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(
        fc.array(containsPred, { minLength: 1, maxLength: 2 }),
        fc.array(containsFrame, { minLength: 40, maxLength: 40 }),
        (preds, frames) => {
          const filter = listFilter(view, preds)
          expect(check(filter).diagnostics).toEqual([])
          const generated = generate(filter, { type })
          for (const { decision } of judge(filter, generated, frames, ['interpreter', 'jit'])) seen.add(decision)
        },
      ),
      { numRuns: RUNS, seed: 20_261_128, endOnFailure: true },
    )
    expect(seen.size).toBe(2)
  })
})

it('is the same after it was printed and read, and as JSON', () => {
  fc.assert(
    fc.property(containsPred, (pred) => {
      const filter = listFilter('nft-ip', [pred])
      const text = print(filter)
      expect(print(parse(source('text', text)).value!)).toBe(text)
      expect(fromJson(toJson(filter)).value).toEqual(filter)
    }),
    { numRuns: 50, seed: 1 },
  )
})

it.each([
  ['zz', 0, 10],
  ['', 0, 10],
  ['4', 0, 10],
  ['41', 10, 9],
  ['41', 0, 0x10000],
  ['41'.repeat(129), 0, 1000],
])('%s from %i to %i is refused', (bytes, from, to) => {
  expect(check(listFilter('nft-ip', [{ kind: 'contains', from, to, bytes, nocase: false }])).value).toBeUndefined()
})
