import { cmp, type Filter, type Step } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import { normalForm, Parts } from '../src/normal.ts'

/** Drops what one of two buckets of packets has tokens for, one after the other. */
function limited(first: string, second: string, burst = 5n, more: readonly Step[] = []): Filter {
  const limit = (state: string): Step[] => [
    { kind: 'limit', state, over: false },
    { kind: 'verdict', verdict: { kind: 'drop' } },
  ]
  const state = [...new Set([first, second])].map(
    (name) => ({ kind: 'limit', name, rate: 1n, per: 1_000_000_000n, burst, unit: 'packets' }) as const,
  )
  return {
    syntax: 'test',
    profile: 'nft-6.18',
    base: [{ chain: 'input', hook: 'input', view: 'nft-ip', family: 'any', policy: 'accept' }],
    chains: [
      {
        name: 'input',
        rules: [
          { id: 0, text: '', steps: [...more, ...limit(first)] },
          { id: 1, text: '', steps: limit(second) },
        ],
      },
    ],
    state,
  }
}

/** Drops ports that a set holds. */
function held(name: string, ports: readonly bigint[]): Filter {
  return {
    ...limited('a', 'b'),
    state: [],
    sets: [{ name, keys: [{ bits: 16 }], elements: ports.map((port) => ({ key: [{ lo: port, hi: port }] })) }],
    chains: [
      {
        name: 'input',
        rules: [
          {
            id: 0,
            text: '',
            steps: [
              { kind: 'match', pred: { kind: 'inSet', terms: [{ kind: 'field', field: 'th.dport' }], set: name } },
              { kind: 'verdict', verdict: { kind: 'drop' } },
            ],
          },
        ],
      },
    ],
  }
}

function same(a: Filter, b: Filter): boolean {
  const parts = new Parts()
  return JSON.stringify(normalForm(a, parts)) === JSON.stringify(normalForm(b, parts))
}

describe('what is in the normal form', () => {
  test.each<[string, Filter, Filter]>([
    ['names of states', limited('a', 'b'), limited('b', 'c')],
    ['names of sets', held('a', [1n, 2n]), held('b', [1n, 2n])],
    ['counts and messages', limited('a', 'b', 5n, [{ kind: 'count' }, { kind: 'log', words: 'x' }]), limited('a', 'b')],
  ])('not %s', (_, a, b) => {
    expect(same(a, b)).toBe(true)
  })

  test.each<[string, Filter, Filter]>([
    ['whether two rules ask for one state', limited('a', 'b'), limited('a', 'a')],
    ['what a state is', limited('a', 'b'), limited('a', 'b', 6n)],
    ['what a set holds', held('a', [1n, 2n]), held('a', [1n, 3n])],
    ['a match', limited('a', 'b', 5n, [{ kind: 'match', pred: cmp('th.dport', '==', 1) }]), limited('a', 'b')],
    [
      'the policy',
      limited('a', 'b'),
      { ...limited('a', 'b'), base: limited('a', 'b').base.map((base) => ({ ...base, policy: 'drop' })) },
    ],
  ])('%s', (_, a, b) => {
    expect(same(a, b)).toBe(false)
  })
})
