import { source } from '@netsieve/diag'
import {
  and,
  between,
  cmp,
  field,
  inPrefix,
  inRanges,
  load,
  masked,
  match,
  not,
  or,
  type Pred,
  print,
  printPred,
  TRUE,
  toJson,
  verdict,
} from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { base, filter, rule } from './frames.ts'

const PORT = cmp('tcp.dport', '==', 80)

describe('printPred', () => {
  it.each<[Pred, string]>([
    [TRUE, 'true'],
    [PORT, 'tcp.dport == 80'],
    [not(PORT), 'not (tcp.dport == 80)'],
    [not(not(PORT)), 'tcp.dport == 80'],
    [
      and(PORT, or(PORT, not(and(PORT, PORT)))),
      'tcp.dport == 80 and (tcp.dport == 80 or not (tcp.dport == 80 and tcp.dport == 80))',
    ],
    [and(), 'and()'],
    [or(), 'or()'],
    [inPrefix('ipv4.src', 0x0a010203n, 8), 'ipv4.src & 255.0.0.0 == 10.0.0.0'],
    [inPrefix('ipv4.src', 0x0a010203n, 32), 'ipv4.src == 10.1.2.3'],
    [inPrefix('ipv4.src', 0x0a010203n, 0), 'ipv4.src & 0.0.0.0 == 0.0.0.0'],
    [inPrefix('ipv6.dst', 0xfe80n << 112n, 10), 'ipv6.dst & ffc0:: == fe80::'],
    [cmp('eth.src', '!=', 0x001b213c9df8), 'eth.src != 00:1b:21:3c:9d:f8'],
    [cmp('eth.type', '==', 0x86dd), 'eth.type == 0x86dd'],
    [cmp(masked(field('tcp.flags'), 0x17n), '==', 2), 'tcp.flags & 0x17 == 0x2'],
    // Adjacent and overlapping ranges are one, and in order.
    [
      inRanges('udp.sport', [
        { lo: 53n, hi: 53n },
        { lo: 7n, hi: 9n },
        { lo: 10n, hi: 12n },
        { lo: 8n, hi: 9n },
      ]),
      'udp.sport in {7-12, 53}',
    ],
    [between('udp.sport', 1, 2), 'udp.sport in {1-2}'],
    [cmp(load('transport', 12, 2), '>', 1), 'transport[12:2] > 1'],
    [cmp(load('net', 4, 1, load('net', 0, 1)), '>', 1), 'net[net[0:1] + 4:1] > 1'],
    [
      {
        kind: 'relation',
        left: { kind: 'length' },
        test: '<=',
        right: { kind: 'bin', op: 'lsh', left: field('ipv4.ihl'), right: { kind: 'const', value: 2n } },
      },
      'length <= (ipv4.ihl << 2)',
    ],
  ])('%#', (pred, text) => {
    expect(printPred(pred)).toBe(text)
  })
})

const text = source('r.nft', 'table\n  tcp dport 80 drop\n')
const FILTER = filter([base('in', 'nft-ip', { family: 'ipv4', policy: 'drop' })], {
  in: [
    {
      id: 0,
      text: 'tcp  dport\n80 drop',
      span: { source: text, start: 8, end: 25 },
      steps: [match(PORT), { kind: 'count' }, verdict('drop')],
    },
    rule(1, { kind: 'verdict', verdict: { kind: 'goto', chain: 'more' } }),
  ],
  more: [],
})

it('print shows hooks, chains and rules with the words of the user', () => {
  expect(print(FILTER)).toBe(
    `filter nft profile nft-6.18
hook input view nft-ip family ipv4 chain in policy drop
chain in {
  #0: tcp.dport == 80, count, → drop    ; "tcp  dport\\n80 drop"
  #1: → goto more    ; rule 1
}
chain more {
}
`,
  )
})

it('toJson has numbers as hex and spans as places', () => {
  const json = JSON.parse(JSON.stringify(toJson(FILTER))) as { chains: { rules: object[] }[] }
  expect(json.chains[0]!.rules[0]).toEqual({
    id: 0,
    text: 'tcp  dport\n80 drop',
    span: { file: 'r.nft', line: 2, column: 3, endLine: 2, endColumn: 20 },
    steps: [
      { kind: 'match', pred: { kind: 'cmp', term: { kind: 'field', field: 'tcp.dport' }, test: '==', value: '0x50' } },
      { kind: 'count' },
      { kind: 'verdict', verdict: { kind: 'drop' } },
    ],
  })
})
