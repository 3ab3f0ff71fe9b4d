import { renderAll, source } from '@netsieve/diag'
import { type Filter, fromJson, type Pred, parse, print, printPred, type Term, toJson } from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { base, filter, rule } from './frames.ts'

/** The filter of a text that has nothing wrong, its spans left out. */
function read(text: string): Filter {
  const { value, diagnostics } = parse(source('f.ir', text))
  if (!value) throw new Error(renderAll(diagnostics))
  return bare(value)
}

function bare(value: Filter): Filter {
  return fromJson(toJson(value)).value!
}

/** What is said of one predicate. */
function said(pred: string): string {
  const text = `filter nft profile nft-6.18\nchain c {\n  #0: ${pred}, → drop    ; words\n}\n`
  return renderAll(parse(source('f.ir', text)).diagnostics)
}

const number = (value: bigint): Term => ({ kind: 'const', value })
const port: Term = { kind: 'field', field: 'tcp.dport' }
const masked: Term = { kind: 'mask', term: port, mask: 3n }
const FORMS: readonly Pred[] = [
  // Arithmetic and masks, empty and single lists, numbers on either side: forms that look alike but are not the same.
  { kind: 'cmp', term: { kind: 'bin', op: 'and', left: port, right: number(3n) }, test: '==', value: 3n },
  { kind: 'cmp', term: masked, test: '==', value: 3n },
  { kind: 'cmp', term: { kind: 'mask', term: masked, mask: 1n }, test: '==', value: 1n },
  { kind: 'cmp', term: { kind: 'bin', op: 'and', left: masked, right: masked }, test: '==', value: 1n },
  { kind: 'cmp', term: { kind: 'load', base: 'net', offset: 4, bytes: 1, index: masked }, test: '>', value: 1n },
  { kind: 'cmp', term: { kind: 'load', base: 'net', offset: 4, bytes: 1, index: number(7n) }, test: '>', value: 1n },
  { kind: 'relation', left: port, test: '==', right: number(3n) },
  { kind: 'relation', left: number(3n), test: '==', right: masked },
  { kind: 'relation', left: masked, test: '<=', right: { kind: 'length' } },
  { kind: 'and', args: [] },
  { kind: 'or', args: [{ kind: 'and', args: [{ kind: 'const', value: true }] }] },
  { kind: 'not', arg: { kind: 'not', arg: { kind: 'const', value: false } } },
  {
    kind: 'and',
    args: [
      {
        kind: 'and',
        args: [
          { kind: 'in', term: port, ranges: [] },
          { kind: 'const', value: true },
        ],
      },
      { kind: 'or', args: [] },
    ],
  },
  { kind: 'cmp', term: { kind: 'field', field: 'ipv6.src' }, test: '!=', value: 0n },
  { kind: 'in', term: { kind: 'field', field: 'eth.src' }, ranges: [{ lo: 0n, hi: 0xffffffffffffn }] },
]

describe('parse', () => {
  it.each(FORMS.map((pred) => [printPred(pred), pred] as const))('%s', (text, pred) => {
    const whole = filter([base('c', 'nft-ip')], { c: [rule(0, { kind: 'match', pred })] })
    expect(print(whole)).toContain(`#0: ${text} `)
    expect(read(print(whole))).toEqual(whole)
  })

  it('names and words of any kind', () => {
    const names = ['inet/filter/in', 'a b', '', '"', '//', 'drop', '}', 'é\n']
    const texts = ['plain words', '', ' blank in front', '"quoted"', 'two\nlines', 'a // b ; c', 'tab\tin it', '}']
    const whole: Filter = {
      syntax: 'my own',
      profile: 'xt-legacy',
      base: names.map((chain) => base(chain, 'xt-ip', { hook: chain })),
      chains: names.map((name, i) => ({
        name,
        rules: [{ id: i, text: texts[i]!, steps: [{ kind: 'verdict', verdict: { kind: 'jump', chain: name } }] }],
      })),
    }
    expect(read(print(whole))).toEqual(whole)
    expect(read(print(whole).replaceAll('\n', '\r\n'))).toEqual(whole)
  })

  it('takes comments, blank lines and other spellings', () => {
    const text = `// by hand
filter nft profile nft-6.18

hook input view nft-ip family any chain c policy accept // hook
chain c { // chain
  // a rule
  #0: meta.l4proto==0x6,(((tcp.dport   in { 80 , 443-0x1bc })) or not(ipv4.src == 10)), count, -> drop // no words
}
`
    expect(print(read(text))).toBe(`filter nft profile nft-6.18
hook input view nft-ip family any chain c policy accept
chain c {
  #0: meta.l4proto == 6, tcp.dport in {80, 443-444} or not (ipv4.src == 0.0.0.10), count, → drop
}
`)
  })

  it('has the places of rules and steps', () => {
    const text = 'filter a profile flower\nchain c {\n  #7: true, → drop  ; words  \n}\n'
    const { value } = parse(source('f.ir', text))
    const [only] = value!.chains[0]!.rules
    const words = ({ start, end }: { start: number; end: number }) => text.slice(start, end)
    expect(words(only!.span!)).toBe('#7: true, → drop  ; words')
    expect(only!.steps.map((step) => 'span' in step && words(step.span!))).toEqual(['true', '→ drop'])
  })

  it.each([
    [
      'tcp.dprt == 80',
      /f\.ir:3:7: error: there is no field tcp\.dprt .*\n.*\n {10}\^{8}\n {2}expected one of .*tcp\.dport/,
    ],
    ['tcp.dport = 80', /f\.ir:3:17: error: unexpected = .*\n.*\n {20}\^\n {2}expected one of .*==/],
    ['tcp.dport == 256.1.1.1', /256\.1\.1\.1 is no number and no address/],
    ['tcp.dport in {80', /unexpected → .*\n.*\n.*\n {2}expected a value/],
    ['true and false or true', /unexpected or/],
    ['(tcp.dport == 80', /unexpected ,/],
    ['→ accpt', /accpt is no verdict .*\n.*\n.*\n {2}expected one of accept, drop/],
    [`${'('.repeat(5000)}true`, /inside one another/],
    ['net[1:2', /unexpected ,/],
    ['tcp.dport == 0x111111111111111111111111111111111', /unexpected 0x1/],
  ])('%s', (pred, message) => {
    expect(said(pred)).toMatch(message)
  })

  it('tells every line that is wrong', () => {
    const text = 'filter a profile nft-6.19\nhook x\nchain c {\n  #0: →\n  rule\n'
    expect(parse(source('f.ir', text)).diagnostics.map(({ message }) => message)).toEqual([
      'nft-6.19 is no profile',
      'the line ends too early',
      'the line ends too early',
      'unexpected rule',
      'chain c has no end',
    ])
    expect(renderAll(parse(source('f.ir', 'filter a profile flower\nchain c {\n')).diagnostics)).toMatch(/2:1.*no end/)
    expect(renderAll(parse(source('f.ir', '')).diagnostics)).toMatch(/no filter in this text/)
  })
})

describe('fromJson', () => {
  const json = () => JSON.parse(JSON.stringify(toJson(filter([base('c', 'flower')], { c: [rule(0, { kind: 'match', pred: FORMS[1]! })] })))) // biome-ignore format: one value
  it.each([
    ['[]', (_: unknown) => [], 'filter: an object is expected'],
    ['a profile', (f) => ({ ...f, profile: 'x' }), 'filter.profile: "x" is not known; there are nft-6.18'],
    ['a member', (f) => ({ ...f, extra: 1 }), 'filter: "extra" is not known'],
    ['no chains', ({ chains: _, ...f }) => f, 'filter.chains: a list is expected'],
    ['a kind', (f) => withPred(f, { kind: '__proto__' }), 'filter.chains[0].rules[0].steps[0].pred.kind: "__proto__"'],
    ['a number', (f) => withPred(f, { kind: 'const', value: 1 }), 'pred.value: true or false is expected'],
    ['depth', (f) => withPred(f, deep(3000)), 'more than 1000 inside one another'],
  ] as [string, (f: Json) => unknown, string][])('%s', (_, change, message) => {
    expect(
      fromJson(change(json()))
        .diagnostics.map((one) => one.message)
        .join(),
    ).toContain(message)
  })

  it('has no members that are not there', () => {
    expect(fromJson(json()).value).toEqual(filter([base('c', 'flower')], { c: [rule(0, { kind: 'match', pred: FORMS[1]! })] })) // biome-ignore format: one value
  })
})

type Json = Readonly<Record<string, unknown>>

function withPred(from: Json, pred: unknown): unknown {
  return { ...from, chains: [{ name: 'c', rules: [{ id: 0, text: '', steps: [{ kind: 'match', pred }] }] }] }
}

function deep(depth: number): unknown {
  let pred: unknown = { kind: 'const', value: true }
  for (let i = 0; i < depth; i++) pred = { kind: 'not', arg: pred }
  return pred
}
