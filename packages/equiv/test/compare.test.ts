import type { Filter, Pred, Rule } from '@netsieve/ir'
import { and, between, cmp, evaluate, inPrefix, not, or } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import { compare } from '../src/index.ts'

type View = Filter['base'][number]['view']

/** A filter of one chain: each rule is a predicate and what it does. */
function filter(rules: readonly (readonly [Pred, 'accept' | 'drop'])[], view: View = 'nft-ip'): Filter {
  const chain = rules.map(([pred, kind], id): Rule => {
    return {
      id,
      text: `rule ${id}`,
      steps: [
        { kind: 'match', pred },
        { kind: 'verdict', verdict: { kind } },
      ],
    }
  })
  return {
    syntax: 'test',
    profile: 'nft-6.18',
    base: [{ chain: 'input', hook: 'input', view, family: 'any', policy: 'accept' }],
    chains: [{ name: 'input', rules: chain }],
  }
}

const tcp = cmp('meta.l4proto', '==', 6)
const port = (lo: number, hi = lo) => between('th.dport', lo, hi)
const from = (length: number, value = 0xc0a80000n) => inPrefix('ipv4.src', value, length)

describe('differences that are found', () => {
  test.each<[string, Filter, Filter]>([
    ['another verdict', filter([[and(tcp, port(80)), 'drop']]), filter([[and(tcp, port(80)), 'accept']])],
    [
      'a port off by one',
      filter([[and(tcp, port(1000, 2000)), 'drop']]),
      filter([[and(tcp, port(1000, 2001)), 'drop']]),
    ],
    ['a prefix of a bit less', filter([[from(16), 'drop']]), filter([[from(17), 'drop']])],
    [
      'an address of IPv6',
      filter([[inPrefix('ipv6.dst', 0x20010db8n << 96n, 127), 'drop']]),
      filter([[inPrefix('ipv6.dst', 0x20010db8n << 96n, 128), 'drop']]),
    ],
    [
      'another protocol',
      filter([[and(tcp, port(80)), 'drop']]),
      filter([[and(cmp('meta.l4proto', '==', 17), port(80)), 'drop']]),
    ],
    [
      'rules that change places',
      filter([
        [from(24), 'accept'],
        [from(16), 'drop'],
      ]),
      filter([
        [from(16), 'drop'],
        [from(24), 'accept'],
      ]),
    ],
    [
      'a rule less',
      filter([
        [from(32), 'accept'],
        [from(16), 'drop'],
      ]),
      filter([[from(16), 'drop']]),
    ],
    // Equal over ports, not over packets: those without ports are in neither half.
    [
      'any port as two halves',
      filter([[tcp, 'drop']]),
      filter([
        [and(tcp, port(0, 32767)), 'drop'],
        [and(tcp, port(32768, 65535)), 'drop'],
      ]),
    ],
    [
      'a negated comparison of a field that may be missing',
      filter([[not(port(80)), 'drop']]),
      filter([[and(tcp, not(port(80))), 'drop']]),
    ],
    [
      'first fragments',
      filter([[and(tcp, port(80)), 'drop']], 'nft-ip'),
      filter([[and(tcp, port(80)), 'drop']], 'flower'),
    ],
    [
      'tags',
      filter([[cmp('meta.protocol', '==', 0x800), 'drop']], 'nft-netdev'),
      filter([[cmp('meta.protocol', '==', 0x800), 'drop']], 'flower'),
    ],
    [
      'IPv6 extension headers',
      filter([[and(cmp('ipv6.nexthdr', '==', 6), port(80)), 'drop']]),
      filter([[and(tcp, cmp('meta.nfproto', '==', 10), port(80)), 'drop']]),
    ],
    [
      'a TCP header that is cut',
      filter([[and(tcp, cmp('tcp.flags', '>=', 0)), 'drop']]),
      filter([[and(tcp, port(0, 65535)), 'drop']]),
    ],
    ['one address of four billion', filter([[cmp('ipv4.src', '==', 0x12345678), 'drop']]), filter([])],
    [
      'the last of many alternatives',
      filter([[or(...Array.from({ length: 300 }, (_, i) => and(tcp, port(100 + 7 * i)))), 'drop']]),
      filter([[or(...Array.from({ length: 299 }, (_, i) => and(tcp, port(100 + 7 * i)))), 'drop']]),
    ],
    [
      'the length of the frame',
      filter([[cmp({ kind: 'length' }, '>', 99), 'drop']]),
      filter([[cmp({ kind: 'length' }, '>', 100), 'drop']]),
    ],
  ])('%s', (_, a, b) => {
    const result = compare({ filter: a }, { filter: b }, { runs: 4000 })
    if (result.status !== 'different') throw new Error('no difference found')
    expect(evaluate(a, result.frame)).toEqual(result.a)
    expect(evaluate(b, result.frame)).toEqual(result.b)
    expect(result.a.decision).not.toBe(result.b.decision)
    expect(result.frame.length).toBeLessThanOrEqual(118)
    expect(compare({ filter: a }, { filter: b }, { runs: 4000 })).toEqual(result)
  })
})

test('the witness is the plainest frame', () => {
  const [a, b] = [filter([[and(tcp, port(1000, 2000)), 'drop']]), filter([[and(tcp, port(1000, 2001)), 'drop']])]
  const result = compare({ filter: a }, { filter: b }, { seed: 42 })
  if (result.status !== 'different') throw new Error('no difference found')
  const hex = Buffer.from(result.frame).toString('hex')
  expect(hex).toBe(
    '020000000002020000000001' +
      '0800' +
      '4500002800000000400666ce' +
      '0a0000010a000002' +
      '000007d1' +
      '0000000000000000' +
      '5000000000000000',
  )
})

describe('none found', () => {
  test.each<[string, Filter, Filter]>([
    ['itself', filter([[and(tcp, port(80)), 'drop']]), filter([[and(tcp, port(80)), 'drop']])],
    [
      'a shadowed rule more',
      filter([[from(16), 'drop']]),
      filter([
        [from(16), 'drop'],
        [from(24), 'accept'],
      ]),
    ],
    [
      'disjoint neighbours swapped',
      filter([
        [port(1), 'drop'],
        [port(2), 'accept'],
      ]),
      filter([
        [port(2), 'accept'],
        [port(1), 'drop'],
      ]),
    ],
    ['two empty filters', filter([]), filter([])],
    ['a rule that cannot hold', filter([[cmp('ipv4.ttl', '>', 999), 'drop']]), filter([])],
  ])('%s', (_, a, b) => {
    expect(compare({ filter: a }, { filter: b }, { runs: 3000, seed: 7 })).toEqual({
      status: 'none-found',
      runs: 3000,
      seed: 7,
    })
  })
})

describe('plain frames', () => {
  const [nft, dissector] = [
    filter([[and(tcp, port(80)), 'drop']], 'nft-netdev'),
    filter([[and(tcp, port(80)), 'drop']], 'flower'),
  ]

  test('a difference says what is unusual about its frame', () => {
    const result = compare({ filter: nft }, { filter: dissector })
    if (result.status !== 'different') throw new Error('no difference found')
    expect(result.odd).toHaveLength(1)
    const plain = compare({ filter: filter([[port(1), 'drop']]) }, { filter: filter([[port(2), 'drop']]) })
    expect(plain.status === 'different' && plain.odd).toEqual([])
  })

  test('a plain difference goes before an unusual one', () => {
    const other = filter(
      [
        [and(tcp, port(80)), 'drop'],
        [and(tcp, port(8080)), 'drop'],
      ],
      'flower',
    )
    expect(compare({ filter: nft }, { filter: other })).toMatchObject({ status: 'different', odd: [] })
  })

  test('two tools that differ on unusual frames only', () => {
    expect(compare({ filter: nft }, { filter: dissector }, { frames: 'plain', runs: 5000 }).status).toBe('none-found')
    const other = filter([[and(tcp, port(80, 81)), 'drop']], 'flower')
    expect(compare({ filter: nft }, { filter: other }, { frames: 'plain' })).toMatchObject({
      status: 'different',
      odd: [],
    })
  })
})

test('a side that throws is heard', () => {
  const plain = filter([[tcp, 'drop']])
  const decide = () => {
    throw new RangeError('broken')
  }
  expect(() => compare({ filter: plain, decide }, { filter: plain })).toThrow(RangeError)
})
