import { source } from '@netsieve/diag'
import {
  check,
  cmp,
  field,
  load,
  masked,
  match,
  type Pred,
  type Rule,
  type Step,
  samePlaces,
  type Term,
  verdict,
} from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { base, dropping, filter, rule } from './frames.ts'

const says = (pred: Pred, view: 'nft-ip' | 'flower' = 'nft-ip') =>
  check(dropping(view, pred)).diagnostics.map(({ code, message }) => `${code}: ${message}`)

function jump(chain: string): Step {
  return { kind: 'verdict', verdict: { kind: 'jump', chain } }
}

/** A chain of calls: c0 calls c1 `times` times, and so on. */
function calls(depth: number, times: number): Record<string, Rule[]> {
  let id = 0
  const lists: Record<string, Rule[]> = {}
  for (let i = 0; i < depth; i++) {
    lists[`c${i}`] = Array.from({ length: times }, () =>
      rule(id++, i < depth - 1 ? jump(`c${i + 1}`) : verdict('continue')),
    )
  }
  return lists
}

const codes = (chains: Record<string, readonly Rule[]>, start = 'c0') =>
  check(filter([base(start, 'nft-ip')], chains)).diagnostics.map(({ code }) => code)

describe('chains', () => {
  it.each([
    ['are fine 16 deep', calls(16, 1), []],
    ['are too deep with 17', calls(17, 1), ['ir/depth']],
    // 4 + 4² + … + 4⁹ = 349,524 rules, with one more level 1,398,100.
    ['are fine with 349,524 rules in all', calls(9, 4), []],
    ['are too many with 1,398,100', calls(10, 4), ['ir/size']],
    ['are too many beyond counting', calls(16, 300), ['ir/size']],
    ['must be there', { c0: [rule(0, jump('x'))] }, ['ir/chain']],
    ['do not call themselves', { c0: [rule(0, jump('c0'))] }, ['ir/cycle']],
    ['do not call each other', { c0: [rule(0, jump('c1'))], c1: [rule(1, jump('c0'))] }, ['ir/cycle']],
  ])('%s', (_, chains, expected) => {
    expect(codes(chains)).toEqual(expected)
  })

  it('are looked for at base chains too', () => {
    expect(codes({}, 'gone')).toEqual(['ir/chain'])
  })
})

const wide: Term = field('ipv6.src')
const of = (value: bigint): Term => ({ kind: 'const', value })
const sum = (left: Term): Term => ({ kind: 'bin', op: 'add', left, right: of(1n) })

describe('values and terms', () => {
  it.each<[string, Pred, string[]]>([
    ['a port', cmp('tcp.dport', '==', 65535), []],
    ['a port too high', cmp('tcp.dport', '==', 65536), ['ir/value: 65536 does not fit 16 bits']],
    ['below 0', cmp('tcp.dport', '==', -1), ['ir/value: -1 does not fit 16 bits']],
    [
      'inside and, or, not',
      { kind: 'not', arg: { kind: 'and', args: [cmp('ipv4.ttl', '<', 256)] } },
      ['ir/value: 256 does not fit 8 bits'],
    ],
    ['a mask too wide', cmp(masked(field('ipv4.ttl'), 0x100n), '==', 0), ['ir/value: 256 does not fit 8 bits']],
    [
      'an empty range',
      { kind: 'in', term: field('tcp.dport'), ranges: [{ lo: 9n, hi: 8n }] },
      ['ir/value: the range 9-8 is empty'],
    ],
    [
      'a range too high',
      { kind: 'in', term: field('tcp.dport'), ranges: [{ lo: 9n, hi: 65536n }] },
      ['ir/value: 65536 does not fit 16 bits'],
    ],
    [
      'a wide masked comparison',
      cmp(masked(wide, 1n), '<', 1),
      ['ir/term: a masked field of more than 64 bits can only be compared for equality'],
    ],
    ['a wide masked equality', cmp(masked(wide, 1n), '==', 1), []],
    [
      'wide masked ranges',
      { kind: 'in', term: masked(wide, 1n), ranges: [{ lo: 0n, hi: 1n }] },
      ['ir/term: a masked field of more than 64 bits has no ranges'],
    ],
    [
      'a wide relation',
      { kind: 'relation', left: wide, test: '==', right: wide },
      Array(2).fill('ir/term: a term of more than 64 bits has no arithmetic'),
    ],
    [
      'arithmetic on 48 bits',
      cmp(sum(field('eth.src')), '==', 0),
      ['ir/term: arithmetic takes terms of at most 32 bits'],
    ],
    ['an empty load', cmp(load('net', 0, 0), '==', 0), ['ir/term: a load takes 1 to 16 bytes, not 0']],
    ['a load before the header', cmp(load('link', -1, 1), '==', 0), ['ir/term: a load at -1 is out of reach']],
    ['a load far out', cmp(load('net', 0xf001, 1), '==', 0), ['ir/term: a load at 61441 is out of reach']],
    ['a wide index', cmp(load('net', 0, 1, wide), '==', 0), ['ir/term: a term of more than 64 bits has no arithmetic']],
  ])('%s', (_, pred, expected) => {
    expect(says(pred)).toEqual(expected)
  })

  it('relations need a view that knows missing fields', () => {
    const pred: Pred = { kind: 'relation', left: field('tcp.sport'), test: '==', right: field('tcp.dport') }
    expect(says(pred)).toEqual([])
    expect(says(pred, 'flower')).toEqual(['ir/term: views that read missing fields as 0 have no relations'])
  })
})

it('gives the filter itself, or says where it is wrong', () => {
  const good = dropping('nft-ip', cmp('tcp.dport', '==', 80))
  expect(check(good).value).toBe(good)
  const text = source('r', 'dport 70000')
  const [ruleSpan, stepSpan] = [
    { source: text, start: 0, end: 11 },
    { source: text, start: 6, end: 11 },
  ]
  const step = match(cmp('tcp.dport', '==', 70000))
  const bad = (one: Step) => check(filter([base('c', 'nft-ip')], { c: [{ ...rule(0, one), span: ruleSpan }] }))
  expect(bad(step).diagnostics[0]!.span).toEqual(ruleSpan)
  expect(bad({ ...step, span: stepSpan } as Step).diagnostics[0]!.span).toEqual(stepSpan)
  expect(bad(step).value).toBeUndefined()
})

describe('what packets at a hook do not have', () => {
  const at = (hook: string, ...preds: readonly Pred[]) => {
    const rules = [rule(0, ...preds.map((pred) => match(pred)), verdict('drop'))]
    const called = [rule(1, jump('called'))]
    const { diagnostics } = check(filter([{ ...base('start', 'nft-ip'), hook }], { start: called, called: rules }))
    return diagnostics.map(({ code, message }) => `${code}: ${message}`)
  }

  it.each<[string, Pred, readonly string[]]>([
    ['input', cmp('meta.iif', '==', 1), []],
    [
      'input',
      cmp('meta.oif', '==', 1),
      ['ir/hook: packets at the hook input have no meta.oif (index of the device it leaves by)'],
    ],
    [
      'output',
      cmp('meta.iifname', '==', 1),
      ['ir/hook: packets at the hook output have no meta.iifname (name of the device it came in by)'],
    ],
    [
      'ingress',
      cmp('ct.state', '==', 1),
      ['ir/hook: packets at the hook ingress have no ct.state (state of its connection)'],
    ],
    ['output', cmp('eth.src', '==', 1), ['ir/hook: packets at the hook output have no link header']],
    ['postrouting', cmp(load('link', 0, 1), '==', 1), ['ir/hook: packets at the hook postrouting have no link header']],
    ['output', cmp('meta.mark', '==', 1), []],
  ])('%s', (hook, pred, expected) => {
    expect(at(hook, pred)).toEqual(expected)
    expect(at(hook, { kind: 'not', arg: pred }, pred)).toEqual(expected)
  })
})

it('a match has a view of its own only where headers lie at the same places, and fragments are told', () => {
  expect(samePlaces('nft-ip', 'xt-compat')).toBe(true)
  // The base chain's view does not tell an offset of 1 from others; finds other headers; sees other frames.
  for (const other of ['nft-ip-fragfix', 'xt-ip', 'nft-netdev', 'pcap'] as const)
    expect([other, samePlaces(other, 'xt-compat')]).toEqual([other, false])
})

it('terms of a billion bits are told, not made', () => {
  expect(says(cmp(load('net', 0, 1e9), '==', 1))).toEqual(['ir/term: a load takes 1 to 16 bytes, not 1000000000'])
  expect(says({ kind: 'cmp', term: { kind: 'raw', base: 'net', bit: 0, bits: 4e9 }, test: '==', value: 1n })).toEqual([
    'ir/term: 4000000000 bits from bit 0 on do not lie in 1 to 16 bytes',
  ])
})
