// Control flow: jump, goto, return, continue, policies, several base chains.

import { cmp, evaluate, match, type Rule, type Step, type Verdict, verdict } from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { base, filter, frame, rule } from './frames.ts'

const PACKET = frame('eth / ipv4 / tcp(dport=80)')
const V6 = frame('eth / ipv6 / tcp(dport=80)')
const ARP = frame('eth / arp')

function to(kind: 'jump' | 'goto', chain: string): Step {
  return { kind: 'verdict', verdict: { kind, chain } satisfies Verdict }
}

/** Chains as lists of steps; rules are numbered in the order of the text. */
function chains(lists: Readonly<Record<string, readonly Step[]>>): Record<string, Rule[]> {
  let id = 0
  return Object.fromEntries(Object.entries(lists).map(([name, steps]) => [name, steps.map((step) => rule(id++, step))]))
}

const [ACCEPT, DROP, RETURN, CONTINUE] = (['accept', 'drop', 'return', 'continue'] as const).map(verdict) as [
  Step,
  Step,
  Step,
  Step,
]

describe('in one base chain with policy drop', () => {
  it.each<[string, Readonly<Record<string, readonly Step[]>>, string]>([
    ['nothing', { c: [] }, 'drop by policy'],
    ['accept', { c: [ACCEPT, DROP] }, 'pass by rule 0'],
    ['continue goes on', { c: [CONTINUE, ACCEPT] }, 'pass by rule 1'],
    ['return in a base chain', { c: [RETURN, ACCEPT] }, 'drop by policy'],
    ['jump comes back at the end', { c: [to('jump', 'd'), ACCEPT], d: [CONTINUE] }, 'pass by rule 1'],
    ['jump comes back by return', { c: [to('jump', 'd'), ACCEPT], d: [RETURN, DROP] }, 'pass by rule 1'],
    ['a verdict in a called chain', { c: [to('jump', 'd'), ACCEPT], d: [DROP] }, 'drop by rule 2'],
    ['goto does not come back', { c: [to('goto', 'd'), ACCEPT], d: [CONTINUE] }, 'drop by policy'],
    ['goto, return', { c: [to('goto', 'd'), ACCEPT], d: [RETURN] }, 'drop by policy'],
    // Row 27 of the traps: -g returns to the caller's caller.
    ['goto in a called chain', { c: [to('jump', 'd'), ACCEPT], d: [to('goto', 'e'), DROP], e: [] }, 'pass by rule 1'],
    ['and return there', { c: [to('jump', 'd'), ACCEPT], d: [to('goto', 'e'), DROP], e: [RETURN] }, 'pass by rule 1'],
    ['a chain called twice', { c: [to('jump', 'd'), to('jump', 'd'), ACCEPT], d: [] }, 'pass by rule 2'],
  ])('%s', (_, lists, outcome) => {
    const {
      decision,
      by,
      rule: id,
    } = evaluate(filter([base('c', 'nft-ip', { policy: 'drop' })], chains(lists)), PACKET)
    expect(`${decision} by ${by}${id === undefined ? '' : ` ${id}`}`).toBe(outcome)
  })
})

it('steps behind a verdict, or behind a match that fails, are not reached', () => {
  const port = (value: number) => match(cmp('tcp.dport', '==', value))
  const decide = (...steps: Step[]) =>
    evaluate(filter([base('c', 'nft-ip')], { c: [rule(0, ...steps)] }), PACKET).decision
  expect(decide(port(80), { kind: 'count' }, DROP, ACCEPT)).toBe('drop')
  expect(decide(port(81), DROP)).toBe('pass')
  expect(decide(port(80), port(81), DROP)).toBe('pass')
  expect(decide(CONTINUE, DROP)).toBe('pass')
})

describe('two base chains', () => {
  const two = (first: Step, second: Step) =>
    filter([base('a', 'nft-ip'), base('b', 'nft-ip', { policy: 'drop' })], chains({ a: [first], b: [second] }))
  it.each([
    ['accept is final in its base chain only', ACCEPT, DROP, { decision: 'drop', rule: 1, by: 'rule' }],
    ['drop is final', DROP, ACCEPT, { decision: 'drop', rule: 0, by: 'rule' }],
    ['each has its policy', RETURN, RETURN, { decision: 'drop', by: 'policy' }],
    ['both accept', ACCEPT, ACCEPT, { decision: 'pass', rule: 1, by: 'rule' }],
  ])('%s', (_, first, second, outcome) => {
    expect(evaluate(two(first, second), PACKET)).toEqual(outcome)
  })
})

describe('a family', () => {
  it.each([
    ['any', ['drop', 'drop', 'drop']],
    ['ip', ['drop', 'drop', 'unseen']],
    ['ipv4', ['drop', 'unseen', 'unseen']],
    ['ipv6', ['unseen', 'drop', 'unseen']],
  ] as const)('%s is asked about its packets', (family, outcomes) => {
    const dropAll = filter([base('c', 'nft-netdev', { family })], { c: [rule(0, DROP)] })
    const told = [PACKET, V6, ARP].map((bytes) => {
      const { decision, by } = evaluate(dropAll, bytes)
      return by === 'unseen' ? by : decision
    })
    expect(told).toEqual(outcomes)
  })
})

it.each([
  ['not there', { c: [to('jump', 'd')] }, /chain d is not defined/],
  ['a cycle', { c: [to('jump', 'd')], d: [to('goto', 'c')] }, /chain \w is in a cycle/],
])('throws for a chain that is %s', (_, lists, message) => {
  expect(() => evaluate(filter([base('c', 'nft-ip')], chains(lists)), PACKET)).toThrow(message)
})
