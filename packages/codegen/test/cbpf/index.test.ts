import { printCbpf } from '@netsieve/asm'
import {
  and,
  between,
  cmp,
  type Filter,
  load,
  masked,
  match,
  or,
  type Pred,
  type Step,
  type Term,
  verdict,
} from '@netsieve/ir'
import { expect, test } from 'vitest'
import { generateCbpf } from '../../src/cbpf/index.ts'

const filter = (rules: readonly (readonly Step[])[], policy: 'accept' | 'drop' = 'drop'): Filter => ({
  syntax: 'test',
  profile: 'pcap-file',
  base: [{ chain: 'c', hook: 'capture', view: 'pcap', family: 'any', policy }],
  chains: [{ name: 'c', rules: rules.map((steps, id) => ({ id, text: '', steps })) }],
})

/** The program's lines without their numbers. */
function code(of: Filter): string[] {
  const { value, diagnostics } = generateCbpf(of)
  expect(diagnostics).toEqual([])
  return printCbpf(value!, 'd').trim().split('\n').map((line) => line.replace(/^\(\d+\) /, '').replace(/\s+/g, ' ').trim()) // biome-ignore format: a pipeline
}
const accepting = (pred: Pred) => code(filter([[match(pred), verdict('accept')]]))

const bin = (op: 'add' | 'sub' | 'mul' | 'lsh', left: Term, right: Term): Term => ({ kind: 'bin', op, left, right })
const number = (value: bigint): Term => ({ kind: 'const', value })
const RETURNS = ['ret #262144', 'ret #0']

test.each<[string, Pred, string[]]>([
  ['a field', cmp('ipv4.protocol', '==', 6), ['ldb [23]', 'jeq #0x6 jt 2 jf 3']],
  ['bits of a field', cmp('ipv4.fragoff', '==', 0), ['ldh [20]', 'jset #0x1fff jt 3 jf 2']],
  ['a field in the middle of a byte', cmp('ipv4.version', '==', 4), ['ldb [14]', 'rsh #4', 'jeq #0x4 jt 3 jf 4']],
  ['behind the IPv4 header', cmp('th.dport', '==', 80), ['ldxb 4*([14]&0xf)', 'ldh [x + 16]', 'jeq #0x50 jt 3 jf 4']],
  [
    'six bytes',
    cmp('eth.dst', '==', 0x010203040506n),
    ['ld [2]', 'jeq #0x3040506 jt 2 jf 5', 'ldh [0]', 'jeq #0x102 jt 4 jf 5'],
  ],
  [
    'one load for two tests',
    or(cmp('ipv4.ttl', '==', 1), cmp('ipv4.ttl', '==', 2)),
    ['ldb [22]', 'jeq #0x1 jt 3 jf 2', 'jeq #0x2 jt 3 jf 4'],
  ],
  ['a range', between('ipv4.ttl', 1, 9), ['ldb [22]', 'jge #0x1 jt 2 jf 4', 'jgt #0x9 jt 4 jf 3']],
  ['the length', cmp({ kind: 'length' }, '<', 60), ['ld #pktlen', 'jge #0x3c jt 3 jf 2']],
  [
    'an index',
    cmp(load('link', 4, 2, load('link', 0, 1)), '==', 1),
    ['ldb [0]', 'tax', 'ldh [x + 4]', 'jeq #0x1 jt 4 jf 5'],
  ],
  [
    'two computed sides',
    { kind: 'relation', left: load('link', 0, 1), test: '>', right: { kind: 'length' } },
    ['ldb [0]', 'ldx #pktlen', 'jgt x jt 3 jf 4'],
  ],
  [
    'a right side that needs memory',
    cmp(bin('sub', load('link', 0, 1, load('link', 1, 1)), masked(load('link', 2, 1), 3n)), '==', 0),
    ['ldb [2]', 'and #0x3', 'st M[0]', 'ldb [1]', 'tax', 'ldb [x + 0]', 'ldx M[0]', 'sub x', 'jeq #0x0 jt 9 jf 10'],
  ],
  ['a known outcome', and(cmp('ipv4.ttl', '==', 1), cmp('ipv4.ttl', '==', 2)), ['ldb [22]', 'jeq #0x1 jt 2 jf 2']],
])('%s', (name, pred, lines) => {
  const returns = name === 'a known outcome' ? ['ret #0'] : RETURNS
  expect(accepting(pred)).toEqual([...lines, ...returns])
})

test('a term that is used again has a word of memory', () => {
  const index = bin('add', bin('mul', load('link', 0, 1), number(3n)), number(7n))
  const byte = (offset: number) => load('link', offset, 1, index)
  expect(accepting(and(cmp(byte(0), '==', 1), cmp(byte(1), '==', 2)))).toEqual([
    'ldb [0]',
    'mul #3',
    'add #7',
    'tax',
    'ldb [x + 0]',
    'jeq #0x1 jt 6 jf 9',
    'ldb [x + 1]',
    'jeq #0x2 jt 8 jf 9',
    ...RETURNS, // biome-ignore format: a listing
  ])
})

test('rules in order, with a policy', () => {
  const rules = [
    [match(cmp('eth.type', '!=', 0x800)), verdict('drop')],
    [match(cmp('ipv4.ttl', '==', 1)), verdict('continue')],
    [match(cmp('ipv4.protocol', '==', 6)), verdict('drop')],
  ]
  expect(code(filter(rules, 'accept'))).toEqual([
    'ldh [12]',
    'jeq #0x800 jt 2 jf 5',
    'ldb [23]',
    'jeq #0x6 jt 5 jf 4',
    ...RETURNS,
  ])
})

test.each<[string, Filter]>([
  [
    'another view',
    { ...filter([]), base: [{ chain: 'c', hook: 'input', view: 'nft-ip', family: 'any', policy: 'drop' }] },
  ],
  ['two base chains', { ...filter([]), base: [filter([]).base[0]!, filter([]).base[0]!] }],
  ['a jump', filter([[{ kind: 'verdict', verdict: { kind: 'jump', chain: 'd' } }]])],
  ['metadata', filter([[match(cmp('meta.l4proto', '==', 6)), verdict('accept')]])],
])('%s is refused', (_, each) => {
  const { value, diagnostics } = generateCbpf(each)
  expect(value).toBeUndefined()
  expect(diagnostics.map(({ code: what }) => what)).toEqual(['codegen/cbpf'])
})
