// Searches in lists: the program finds what evaluate finds, in options, extension headers and chunks that are as they should be, and in odd ones.

import type { ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { cmp, type ViewName } from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judge } from './judge.ts'
import { listFrame } from './list-frames.ts'
import { LISTS, listFilter, listPred } from './list-ir.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 2)
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
/** Views that search lists each in their own way. */
const views = (['nft-ip', 'nft-netdev', 'xt-ip', 'flower', 'ethtool'] as const satisfies readonly ViewName[]).flatMap(
  (view) => LISTS.map((list) => [view, list] as const),
)

describe.each(views)('view %s, list %s', (view, list) => {
  it.each(TYPES)('%s', (type) => {
    let judged = 0
    fc.assert(
      fc.property(
        fc.array(listPred(list), { minLength: 1, maxLength: 2 }),
        fc.array(listFrame(list), { minLength: 60, maxLength: 60 }),
        (preds, frames) => {
          const filter = listFilter(view, preds)
          judged += judge(filter, generate(filter, { type }), frames).length
        },
      ),
      { numRuns: RUNS, seed: 20_261_127, endOnFailure: true },
    )
    expect(judged).toBe(RUNS * 60)
  })
})

it('a search is made once on a way', () => {
  const rules = (count: number) => Array.from({ length: count }, (_, i) => cmp('tcp_maxseg.size', '==', i))
  const size = (count: number) => generate(listFilter('nft-ip', rules(count)), { type: 'xdp' }).insns.length
  const one = size(1)
  // Without that each rule of two would take as much as the first.
  expect(size(11) - one).toBeLessThan(10 * (one / 4))
})
