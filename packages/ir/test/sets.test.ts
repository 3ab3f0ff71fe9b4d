import { renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import {
  check,
  evaluate,
  type Filter,
  field,
  findElement,
  fromJson,
  inSet,
  parse,
  print,
  type SetDef,
  type Step,
  type Term,
  termsOf,
  toJson,
} from '../src/index.ts'
import { frame } from './frames.ts'

const point = (value: number | bigint) => ({ lo: BigInt(value), hi: BigInt(value) })
const range = (lo: number | bigint, hi: number | bigint) => ({ lo: BigInt(lo), hi: BigInt(hi) })

const WEB: SetDef = {
  name: 'web',
  keys: [{ bits: 16, kind: 'port' }],
  elements: [{ key: [point(80)] }, { key: [range(8000, 8080)] }],
}
const PAIRS: SetDef = {
  name: 'pairs',
  keys: [
    { bits: 32, kind: 'ipv4' },
    { bits: 16, kind: 'port' },
  ],
  elements: [{ key: [range(0x0a000000, 0x0affffff), point(80)] }, { key: [point(0xc0000201), range(0, 1023)] }],
}
const PORTS: SetDef = {
  name: 'ports',
  keys: [{ bits: 16, kind: 'port' }],
  data: 'verdict',
  elements: [
    { key: [point(80)], verdict: { kind: 'drop' } },
    { key: [range(81, 90)], verdict: { kind: 'jump', chain: 'low' } },
  ],
  catchAll: { verdict: { kind: 'return' } },
}
const MARKS: SetDef = {
  name: 'marks',
  keys: [{ bits: 16 }],
  data: { bits: 32 },
  elements: [{ key: [point(80)], value: 7n }],
}

function filter(steps: readonly Step[], sets: readonly SetDef[], policy: 'accept' | 'drop' = 'accept'): Filter {
  return {
    syntax: 'test',
    profile: 'nft-6.18',
    base: [{ chain: 'main', hook: 'input', view: 'nft-ip', family: 'ip', policy }],
    chains: [
      { name: 'main', rules: [{ id: 0, text: 'r', steps }] },
      { name: 'low', rules: [{ id: 1, text: 'l', steps: [{ kind: 'verdict', verdict: { kind: 'drop' } }] }] },
    ],
    sets,
  }
}

const drop: Step = { kind: 'verdict', verdict: { kind: 'drop' } }
const http = frame('eth / ipv4(src=10.0.0.1, dst=10.0.0.2) / tcp(sport=40000, dport=80)')

describe('findElement', () => {
  test.each([
    [WEB, [80n], true],
    [WEB, [8080n], true],
    [WEB, [8081n], false],
    [PAIRS, [0x0a000001n, 80n], true],
    [PAIRS, [0x0a000001n, 81n], false],
    [PAIRS, [0xc0000201n, 81n], true],
  ])('%#', (set, key, found) => {
    expect(findElement(set, key) !== undefined).toBe(found)
  })

  test('the first of overlapping elements of several components counts, the catch-all last', () => {
    const map: SetDef = {
      name: 'm',
      keys: [{ bits: 8 }, { bits: 8 }],
      data: { bits: 8 },
      elements: [
        { key: [range(0, 9), range(5, 9)], value: 1n },
        { key: [range(5, 20), range(0, 9)], value: 2n },
      ],
      catchAll: { value: 3n },
    }
    expect(
      [
        [5n, 5n],
        [5n, 0n],
        [21n, 0n],
      ].map((key) => findElement(map, key)?.value),
    ).toEqual([1n, 2n, 3n])
  })
})

describe('evaluate', () => {
  test.each<[string, readonly Step[], string]>([
    ['in a set', [{ kind: 'match', pred: inSet('web', 'tcp.dport') }, drop], 'drop by rule 0'],
    [
      'in a set of two components',
      [{ kind: 'match', pred: inSet('pairs', 'ipv4.src', 'tcp.dport') }, drop],
      'drop by rule 0',
    ],
    [
      'not in a set',
      [{ kind: 'match', pred: { kind: 'not', arg: inSet('web', 'tcp.sport') } }, drop],
      'drop by rule 0',
    ],
    ['a verdict map', [{ kind: 'vmap', terms: [field('tcp.dport')], map: 'ports' }], 'drop by rule 0'],
    ['its catch-all', [{ kind: 'vmap', terms: [field('tcp.sport')], map: 'ports' }], 'pass by rule undefined'],
    [
      'a number of a map',
      [
        {
          kind: 'match',
          pred: {
            kind: 'cmp',
            term: { kind: 'mapped', terms: [field('tcp.dport')], map: 'marks' },
            test: '==',
            value: 7n,
          },
        },
        drop,
      ],
      'drop by rule 0',
    ],
    [
      'a number that a map has not',
      [
        {
          kind: 'match',
          pred: {
            kind: 'cmp',
            term: { kind: 'mapped', terms: [field('tcp.sport')], map: 'marks' },
            test: '!=',
            value: 7n,
          },
        },
        drop,
      ],
      'pass by rule undefined',
    ],
    [
      'a field that is not there',
      [{ kind: 'match', pred: { kind: 'not', arg: inSet('pairs', 'ipv6.flowlabel', 'tcp.dport') } }, drop],
      'pass by rule undefined',
    ],
  ])('%s', (_, steps, told) => {
    const short = http.slice(0, 36)
    const { decision, rule } = evaluate(
      filter(steps, [WEB, PAIRS, PORTS, MARKS]),
      _ === 'a field that is not there' ? short : http,
    )
    expect(`${decision} by rule ${rule}`).toBe(told)
  })
})

describe('check', () => {
  const codes = (steps: readonly Step[], sets: readonly SetDef[]) =>
    check(filter(steps, sets)).diagnostics.map(({ code }) => code)
  test.each<[string, string, readonly Step[], readonly SetDef[]]>([
    ['an unknown set', 'ir/set', [{ kind: 'match', pred: inSet('nowhere', 'tcp.dport') }], []],
    ['two of a name', 'ir/set', [], [WEB, WEB]],
    ['a key too narrow', 'ir/set', [{ kind: 'match', pred: inSet('web', 'ipv4.src') }], [WEB]],
    ['a key too short', 'ir/set', [{ kind: 'match', pred: inSet('pairs', 'ipv4.src') }], [PAIRS]],
    ['a set as a verdict map', 'ir/set', [{ kind: 'vmap', terms: [field('tcp.dport')], map: 'web' }], [WEB]],
    ['elements that overlap', 'ir/overlap', [], [{ ...WEB, elements: [{ key: [range(1, 5)] }, { key: [point(5)] }] }]],
    ['an element too wide', 'ir/value', [], [{ ...WEB, elements: [{ key: [point(65536)] }] }]],
    ['an element of two components', 'ir/set', [], [{ ...WEB, elements: [{ key: [point(1), point(1)] }] }]],
    ['an element without its verdict', 'ir/set', [], [{ ...PORTS, elements: [{ key: [point(1)] }] }]],
    [
      'a chain that a map names',
      'ir/chain',
      [{ kind: 'vmap', terms: [field('tcp.dport')], map: 'ports' }],
      [{ ...PORTS, elements: [{ key: [point(1)], verdict: { kind: 'jump', chain: 'no' } }] }],
    ],
    [
      'a circle through a map',
      'ir/cycle',
      [{ kind: 'vmap', terms: [field('tcp.dport')], map: 'ports' }],
      [{ ...PORTS, elements: [{ key: [point(1)], verdict: { kind: 'jump', chain: 'main' } }] }],
    ],
  ])('%s', (_, code, steps, sets) => {
    expect(codes(steps, sets)).toContain(code)
  })

  test('what is right', () => {
    expect(
      codes(
        [
          { kind: 'match', pred: inSet('pairs', 'ipv4.src', 'tcp.dport') },
          { kind: 'vmap', terms: [field('tcp.dport')], map: 'ports' },
        ],
        [WEB, PAIRS, PORTS, MARKS],
      ),
    ).toEqual([])
  })
})

test('as text, as JSON, and the terms in it', () => {
  const whole = filter(
    [
      { kind: 'match', pred: inSet('pairs', 'ipv4.src', 'tcp.dport') },
      { kind: 'vmap', terms: [field('tcp.dport')], map: 'ports' },
    ],
    [PAIRS, PORTS],
  )
  expect(print(whole)).toBe(`filter test profile nft-6.18
hook input view nft-ip family ip chain main policy accept
set pairs 32:ipv4 . 16:port {
  10.0.0.0-10.255.255.255 . 80
  192.0.2.1 . 0-1023
}
map ports 16:port → verdict {
  80 → drop
  81-90 → jump low
  * → return
}
chain main {
  #0: ipv4.src . tcp.dport in @pairs, → @ports[tcp.dport]    ; r
}
chain low {
  #1: → drop    ; l
}
`)
  const read = parse(source('t', print(whole)))
  expect(print(read.value!)).toBe(print(whole))
  expect([...termsOf(whole)]).toEqual([field('ipv4.src'), field('tcp.dport')])
  expect(fromJson(JSON.parse(JSON.stringify(toJson(whole)))).value).toEqual(whole)
})

test('maps of numbers, keys of masks and quoted names are read as they are written', () => {
  const map: SetDef = {
    name: 'a map',
    keys: [
      { bits: 32, kind: 'ipv4' },
      { bits: 128, kind: 'ipv6' },
    ],
    data: { bits: 32 },
    elements: [{ key: [range(1, 2), range(5, 9n << 100n)], value: 7n }],
    catchAll: { value: 9n },
  }
  const key: Term[] = [{ kind: 'mask', term: field('ipv4.src'), mask: 0xff000000n }, field('ipv6.src')]
  const term: Term = { kind: 'mapped', terms: key, map: 'a map' }
  const whole = filter(
    [
      { kind: 'match', pred: { kind: 'cmp', term, test: '>', value: 7n } },
      {
        kind: 'match',
        pred: {
          kind: 'relation',
          left: term,
          test: '==',
          right: { kind: 'bin', op: 'add', left: term, right: field('tcp.dport') },
        },
      },
      { kind: 'match', pred: { kind: 'not', arg: { kind: 'inSet', terms: key, set: 'a map' } } },
    ],
    [map],
  )
  const { value, diagnostics } = parse(source('t', print(whole)))
  expect(diagnostics).toEqual([])
  expect(print(value!)).toBe(print(whole))
  expect(toJson(value!)).toMatchObject({ sets: [{ elements: [{ value: '0x7' }] }] })
})

test.each([
  ['filter x profile nft-6.18\nset s 16 {\n  5 → drop\n}', 't:3:5'],
  ['filter x profile nft-6.18\nmap s 16 {', 't:2:10'],
  ['filter x profile nft-6.18\nset s 16:nothing {', 't:2:10'],
  ['filter x profile nft-6.18\nset s 16 {', 't:2:1'],
])('text that is wrong: %s', (text, place) => {
  expect(renderAll(parse(source('t', text)).diagnostics)).toContain(place)
})
