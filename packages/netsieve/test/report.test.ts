import { source } from '@netsieve/diag'
import { describe, expect, it } from 'vitest'
import { Counter, compile, type PacketVerdict, table } from '../src/index.ts'

const { value } = compile(
  source('r', 'iptables -A INPUT -p tcp -j DROP\niptables -A INPUT -p udp\niptables -A INPUT -p icmp -j ACCEPT'),
)
const [first, , third] = value!.filter!.chains[0]!.rules

function verdict(rule: number | null, more: Partial<PacketVerdict> = {}): PacketVerdict {
  return { verdict: 'drop', r0: 1, rule, by: rule === null ? 'policy' : 'text', insns: 10, ...more }
}

describe('Counter', () => {
  it('has a row for every rule, hit or not, and one for whatever else decided', () => {
    const counter = new Counter()
    for (const one of [
      verdict(0),
      verdict(0),
      verdict(null, { verdict: 'pass', by: 'policy accept of INPUT' }),
      verdict(null, { by: 'fault', fault: 'bad load' }),
      verdict(null, { verdict: 'pass', by: 'policy accept of INPUT', insns: 5 }),
    ])
      counter.add(one)
    const totals = counter.totals(value!.filter)
    expect(totals).toMatchObject({ packets: 5, passed: 2, dropped: 3, faults: 1, insns: 45 })
    expect(totals.rules).toEqual([
      { verdict: 'drop', by: first!.text, rule: 0, file: 'r', line: 1, hits: 2 },
      { verdict: 'pass', by: expect.stringContaining('udp') as string, rule: 1, file: 'r', line: 2, hits: 0 },
      { verdict: 'pass', by: third!.text, rule: 2, file: 'r', line: 3, hits: 0 },
    ])
    expect(totals.others).toEqual([
      { verdict: 'pass', by: 'policy accept of INPUT', rule: null, hits: 2 },
      { verdict: 'drop', by: 'fault', rule: null, hits: 1 },
    ])
  })

  it('keeps apart both verdicts of one rule: a cut header drops by an accepting rule', () => {
    const counter = new Counter()
    counter.add(verdict(2, { verdict: 'pass' }))
    counter.add(verdict(2))
    counter.add(verdict(2))
    expect(
      counter
        .totals(value!.filter)
        .rules.filter(({ rule }) => rule === 2)
        .map((row) => [row.verdict, row.hits]),
    ).toEqual([
      ['pass', 1],
      ['drop', 2],
    ])
  })

  it('does not mix rules up with what is named like their number', () => {
    const counter = new Counter()
    counter.add(verdict(0))
    counter.add(verdict(null, { by: '0' }))
    const { rules, others } = counter.totals(value!.filter)
    expect([rules[0]!.hits, others[0]?.hits]).toEqual([1, 1])
  })
})

it('table aligns columns, numbers to the right, and ends lines clean', () => {
  expect(
    table(
      [
        ['hits', 'rule'],
        [5, 'a'],
        [1234, ''],
        ['x', 'longer', 1],
      ],
      '> ',
    ),
  ).toBe(['> hits  rule', '>    5  a', '> 1234', '> x     longer  1', ''].join('\n'))
  expect(table([])).toBe('')
})
