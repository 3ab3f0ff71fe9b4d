import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { source } from '@netsieve/diag'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GRAMMAR as ETHTOOL } from '../src/ethtool/ethtool.gen.ts'
import { GRAMMAR as FLOWER } from '../src/flower/flower.gen.ts'
import { Grammar } from '../src/grammar/match.ts'
import { child, children } from '../src/grammar/node.ts'
import { areDigitsAlike, Shapes } from '../src/grammar/shapes.ts'
import type { GrammarData } from '../src/grammar/types.ts'
import { iptables, nft } from '../src/index.ts'
import { GRAMMAR as IPTABLES } from '../src/iptables/iptables.gen.ts'
import { GRAMMAR as NFT } from '../src/nft/nft.gen.ts'
import { GRAMMAR as PCAP } from '../src/pcap-filter/pcap-filter.gen.ts'
import { sentences } from './sentences.ts'

// pair ::= name "=" (number | name) ; list ::= pair ("," pair)* ; deep ::= "(" deep ")" | "x"
const DATA: GrammarData = [
  { name: 'list', alternatives: [[{ rule: 'pair' }, { rule: '%more', min: 0, max: 'many' }]] },
  { name: '%more', alternatives: [[{ lit: ',' }, { rule: 'pair' }]] },
  { name: 'pair', alternatives: [[{ rule: 'name' }, { lit: '=' }, { rule: '%value' }]] },
  { name: '%value', alternatives: [[{ rule: 'number' }], [{ rule: 'name' }]] },
  {
    name: 'name',
    alternatives: [
      [
        { rule: '%letter', max: 'many' },
        { look: '!', lit: '!' },
      ],
    ],
  },
  { name: '%letter', alternatives: [[{ chars: '[a-z]' }]] },
  { name: 'number', alternatives: [[{ rule: 'DIGIT', max: 'many' }]] },
  { name: 'DIGIT', alternatives: [[{ chars: '[0-9]' }]] },
  { name: 'deep', alternatives: [[{ lit: '(' }, { rule: 'deep' }, { lit: ')' }], [{ lit: 'x' }]] },
]

describe('the matcher', () => {
  const grammar = new Grammar(DATA, { number: 'a number', name: 'a name' })

  test('gives the named rules with their places', () => {
    const result = grammar.match('list', 'ab=12,c=d')
    if (!result.ok) throw new Error('no match')
    const pairs = children(result.node, 'pair').map((pair) =>
      pair.children.map(({ rule, start, end }) => [rule, start, end]),
    )
    expect(pairs).toEqual([
      [
        ['name', 0, 2],
        ['number', 3, 5],
      ],
      [
        ['name', 6, 7],
        ['name', 8, 9],
      ],
    ])
    expect(child(result.node, 'number')).toBeUndefined()
  })

  test.each([
    ['ab', 2, ["'='"]],
    ['ab=', 3, ['a name', 'a number']],
    ['ab=1,', 5, ['a name']],
    ['ab=1;', 4, ["','", '[0-9]', 'end of input']],
    ['', 0, ['a name']],
    ['ab!=1', 0, ['a name']],
  ])('%j fails at %i', (text, at, expected) => {
    expect(grammar.match('list', text)).toEqual({ ok: false, at, expected })
  })

  test('matches a part of a text, with places in the whole', () => {
    const result = grammar.match('list', '<<a=1>>', 2, 5)
    expect(result.ok && [result.node.start, result.node.end]).toEqual([2, 5])
  })

  test('a text too deep ends in a word about it, not in a crash', () => {
    const result = grammar.match('deep', `${'('.repeat(100_000)}x`)
    expect(result).toMatchObject({ ok: false, tooComplex: true })
  })

  test('a rule that is named but not there is our own fault', () => {
    expect(() => new Grammar([{ name: 'a', alternatives: [[{ rule: 'b' }]] }]).explain('a', '')).toThrow(
      'grammar names b',
    )
    expect(() => grammar.match('nothing', '')).toThrow('no rule nothing')
  })
})

test('generated grammars are those of their files', async () => {
  const { grammars } = (await import('../../../scripts/grammars.mjs' as string)) as {
    grammars: () => { file: string; output: string; text: string }[]
  }
  const files = grammars()
  expect(files.length).toBeGreaterThanOrEqual(2)
  for (const { output, text } of files) expect(readFileSync(join(output), 'utf8')).toBe(text)
})

describe('sentences made from the grammars', () => {
  // The shares are what ordered choice and look-ahead leave of sentences that the rules alone describe.
  test.each([
    ['iptables', 'line', IPTABLES, 1],
    ['nft', 'top', NFT, 0.95],
    ['nft', 'tableitem', NFT, 0.95],
    ['nft', 'chainitem', NFT, 0.9],
    ['nft', 'setitem', NFT, 0.95],
  ] as const)('%s %s', (_, start, data, share) => {
    const grammar = new Grammar(data)
    const made = fc.sample(sentences(data, start), { numRuns: 400, seed: 20_261_123 })
    const refused = made.filter((text) => !grammar.match(start, text).ok)
    expect(refused.length, refused.slice(0, 5).join('\n')).toBeLessThanOrEqual(400 * (1 - share))
  })

  test.each([
    ['iptables', 'line', IPTABLES],
    ['nft', 'top', NFT],
    ['nft', 'chainitem', NFT],
    ['nft', 'setitem', NFT],
    ['pcap-filter', 'tokens', PCAP],
    ['flower', 'command', FLOWER],
    ['ethtool', 'command', ETHTOOL],
  ] as const)('%s %s: the fast way gives the nodes that the slow one gives', (_, start, data) => {
    const grammar = new Grammar(data)
    let matched = 0
    fc.assert(
      fc.property(
        sentences(data, start),
        fc.nat(),
        fc.constantFrom('', ' ', 'ip', '-', ':', '1', '"', '}', '\n'),
        (text, place, put) => {
          const at = place % (text.length + 1)
          for (const each of [
            text,
            text.slice(0, at) + put + text.slice(at),
            text.slice(0, at) + put + text.slice(at + 1),
          ]) {
            const slow = grammar.explain(start, each)
            if (slow.ok) matched++
            expect(grammar.match(start, each)).toEqual(slow)
            expect(grammar.match(start, `x${each}x`, 1, each.length + 1)).toEqual(
              grammar.explain(start, `x${each}x`, 1, each.length + 1),
            )
          }
        },
      ),
      { numRuns: Number(process.env.NETSIEVE_RUNS ?? 100), seed: 20_261_127, endOnFailure: true },
    )
    expect(matched).toBeGreaterThan(20)
  })

  test.each([
    ['iptables', 'line', IPTABLES],
    ['nft', 'top', NFT],
    ['nft', 'chainitem', NFT],
    ['flower', 'command', FLOWER],
    ['ethtool', 'command', ETHTOOL],
  ] as const)('%s %s: what differs in digits only has the nodes that the slow way gives', (_, start, data) => {
    expect(areDigitsAlike(data)).toBe(true)
    let found = 0
    fc.assert(
      fc.property(sentences(data, start), fc.array(fc.nat(9), { minLength: 1, maxLength: 7 }), (text, digits) => {
        let next = 0
        const other = text.replace(/[0-9]/g, (digit) => (next % 3 === 2 ? digit : `${digits[next++ % digits.length]}`))
        const [both, from] = [`${text}\n ${other}`, text.length + 2]
        const grammar = new Grammar(data)
        grammar.match(start, both, 0, text.length)
        const slow = grammar.explain(start, both, from)
        expect(grammar.match(start, both, from)).toEqual(slow)
        const [first, shapes] = [grammar.explain(start, both, 0, text.length), new Shapes(data)]
        if (first.ok) shapes.keep(start, both, 0, text.length, first.node)
        const node = shapes.find(start, both, from, both.length)
        if (node) found++
        if (node) expect({ ok: true, node }).toEqual(slow)
      }),
      { numRuns: Number(process.env.NETSIEVE_RUNS ?? 100), seed: 20_261_128, endOnFailure: true },
    )
    expect(found).toBeGreaterThan(20)
  })

  test('digits are not alike where a class has some of them, or a literal begins with one', () => {
    const rule = (...parts: GrammarData[number]['alternatives'][number]) => [{ name: 'a', alternatives: [parts] }]
    expect(areDigitsAlike(rule({ chars: '[^a-z]' }, { lit: 'ip6' }, { chars: '[a-z]' }))).toBe(true)
    expect(areDigitsAlike(rule({ chars: '[0-7]' }))).toBe(false)
    expect(areDigitsAlike(rule({ lit: '0x' }))).toBe(false)
    expect(areDigitsAlike(PCAP)).toBe(false)
    const words = new Grammar(rule({ lit: 'ip6' }))
    expect([words.match('a', 'ip6ip4', 0, 3).ok, words.match('a', 'ip6ip4', 3, 6).ok]).toEqual([true, false])
  })

  const front = { iptables, nft } as const
  const real = readFileSync(join(import.meta.dirname, '../../../test/golden/netfilter/rulesets.txt'), 'utf8').split(
    /^===.*\n/m,
  )
  const broken = fc
    .tuple(
      fc.constantFrom(...real),
      fc.nat(2000),
      fc.nat(12),
      fc.constantFrom('', '{', '}', '"', '\n', '\\', ' ! ', '$x', '70000', 'ip6 '),
    )
    .map(([text, at, length, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + length))
  const texts = fc.oneof(
    { arbitrary: broken, weight: 4 },
    { arbitrary: fc.array(sentences(IPTABLES, 'line'), { maxLength: 4 }).map((lines) => lines.join('\n')), weight: 2 },
    { arbitrary: sentences(NFT, 'top'), weight: 1 },
    {
      arbitrary: fc
        .array(sentences(NFT, 'chainitem'), { maxLength: 4 })
        .map((items) => `table inet t {\nchain c { type filter hook input priority 0;\n${items.join('\n')}\n}\n}`),
      weight: 3,
    },
    { arbitrary: fc.string({ unit: 'binary', maxLength: 80 }), weight: 1 },
    { arbitrary: fc.string({ unit: fc.constantFrom(...Array.from('{}"\'\\;#$@-!,.: \n'), 'ip ', 'tcp ', '-A ', 'table ', 'define '), maxLength: 60 }), weight: 2 }, // biome-ignore format: one row
  )
  test.each(['iptables', 'nft'] as const)('%s never crashes, and says what is wrong in the text', (name) => {
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = front[name].parse(source('random', text))
        const lowered = parsed.value && front[name].lower(parsed.value as never, {})
        const all = [...parsed.diagnostics, ...(lowered?.diagnostics ?? [])]
        if (!lowered?.value) expect(all.some(({ severity }) => severity === 'error')).toBe(true)
        for (const { span } of all) {
          if (!span) continue
          expect(span.start).toBeLessThanOrEqual(span.end)
          expect(span.end).toBeLessThanOrEqual(text.length)
        }
      }),
      { numRuns: Number(process.env.NETSIEVE_RUNS ?? 400), seed: 20_261_123, endOnFailure: true },
    )
  })
})

describe('long texts take a time that grows as they do', () => {
  const line = (i: number) => `-A INPUT -s 10.0.${(i >> 8) & 255}.${i & 255} -p tcp --dport ${i & 0xffff} -j ACCEPT`
  const save = (n: number) =>
    `*filter\n:INPUT DROP [0:0]\n${Array.from({ length: n }, (_, i) => line(i)).join('\n')}\nCOMMIT\n`
  const address = (i: number) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
  const set = (n: number) =>
    `table ip t {\n chain c { type filter hook input priority 0; ip saddr { ${Array.from({ length: n }, (_, i) => address(i)).join(', ')} } drop; }\n}\n`
  const seconds = (front: typeof iptables | typeof nft, text: string) => {
    const start = performance.now()
    const { value } = front.parse(source('long', text))
    expect(value).toBeDefined()
    return (performance.now() - start) / 1000
  }
  test.each([
    ['lines of iptables-save', iptables, save, 500],
    ['elements of a set', nft, set, 2500],
  ] as const)('%s', (_, front, text, n) => {
    seconds(front, text(n))
    const [short, long] = [seconds(front, text(n)), seconds(front, text(8 * n))]
    // Eight times the text: quadratic would be sixty-four times the time.
    expect(long).toBeLessThan(Math.max(30 * short, 1))
  })
})
