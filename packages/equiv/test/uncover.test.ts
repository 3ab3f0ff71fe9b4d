import { and, between, cmp, evaluate, type Filter, inPrefix, type Pred } from '@netsieve/ir'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildFrame, pathsOf, planArbitrary } from '../src/index.ts'
import { blockersOf, uncover } from '../src/uncover.ts'

/** Fifty wide rules before one that they nearly cover: together they leave a few addresses and ports. */
const BEFORE = Array.from({ length: 50 }, (_, i): Pred => {
  if (i % 3 === 0) return between('th.dport', (i % 25) * 2621, (i % 25) * 2621 + 2600)
  return i % 3 === 1
    ? inPrefix('ipv4.dst', BigInt((10 << 24) | (i << 16)), 9 + (i % 5))
    : and(inPrefix('ipv4.dst', BigInt((10 << 24) | (i << 18)), 14), cmp('meta.l4proto', '==', 6))
})
const LAST = and(cmp('meta.l4proto', '==', 6), inPrefix('ipv4.dst', BigInt(10 << 24), 8))
const filter: Filter = {
  syntax: 'test',
  profile: 'nft-6.18',
  base: [{ chain: 'c', hook: 'ingress', view: 'nft-netdev', family: 'any', policy: 'accept' }],
  chains: [
    {
      name: 'c',
      rules: [...BEFORE, LAST].map((pred, id) => ({
        id,
        text: '',
        steps: [
          { kind: 'match', pred },
          { kind: 'verdict', verdict: { kind: 'drop' } },
        ],
      })),
    },
  ],
}
const paths = pathsOf(filter)
const last = paths.at(-1)!
const decidedByLast = (frame: Uint8Array) => evaluate(filter, frame).rule === BEFORE.length

test('frames are moved out of the boxes of earlier rules', () => {
  const plan = {
    net: 'ipv4',
    transport: 6,
    tags: [],
    options: 0,
    frag: 0,
    extensions: [],
    oddity: 'none',
    payload: 0,
  } as const
  const blockers = blockersOf(last)
  expect(blockers.map(({ rule }) => rule)).toEqual(BEFORE.map((_, id) => id))
  let [before, after] = [0, 0]
  for (let seed = 1; seed <= 200; seed++) {
    const writes = last.constraints.map((constraint) => {
      if (constraint.kind !== 'ranges') throw new Error('these constraints are ranges')
      const { lo, hi } = constraint.ranges[0]!
      return { slot: constraint.slot, value: lo + (BigInt(seed * 7919 * 65537) % (hi - lo + 1n)) }
    })
    if (decidedByLast(buildFrame({ ...plan, writes }))) before++
    const moved = uncover(writes, last.constraints, blockers, seed)
    if (decidedByLast(buildFrame({ ...plan, writes: moved }))) after++
    expect(uncover(writes, last.constraints, blockers, seed)).toEqual(moved)
  }
  expect(before).toBeLessThan(20)
  expect(after).toBeGreaterThan(100)
})

test('a rule that others cover whole is left where it is', () => {
  const covered: Filter = {
    ...filter,
    chains: [
      { name: 'c', rules: [LAST, LAST].map((pred, id) => ({ id, text: '', steps: [{ kind: 'match', pred }] })) },
    ],
  }
  const [first, second] = pathsOf(covered)
  const choices = [{ slot: second!.constraints[1]!.slot, value: 0x0a000001n }]
  expect(uncover(choices, second!.constraints, [first!], 3)).toEqual(choices)
})

test('frames aimed at a rule reach it', () => {
  const frames = fc.sample(planArbitrary({ slots: [], paths }, [last], 6), { numRuns: 300, seed: 1 }).map(buildFrame)
  expect(frames.filter(decidedByLast).length).toBeGreaterThan(40)
})
