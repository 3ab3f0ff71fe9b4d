import { source } from '@netsieve/diag'
import {
  and,
  between,
  type Chain,
  check,
  cmp,
  type Filter,
  field,
  inPrefix,
  inRanges,
  lint,
  masked,
  match,
  not,
  or,
  PASSES,
  type Pred,
  parse,
  print,
  printPred,
  simplify,
  type ViewName,
  verdict,
} from '@netsieve/ir'
import { describe, expect, it } from 'vitest'
import { base, filter, rule } from './frames.ts'

const TCP = cmp('meta.l4proto', '==', 6)
const UDP = cmp('meta.l4proto', '==', 17)
const PORT = cmp('tcp.dport', '==', 80)

const pass = (name: string) => PASSES.find((each) => each.name === name)!
const in_ = (lo: number, hi: number) => between('tcp.dport', lo, hi)

/** The first match of a filter's only rule, after a pass. */
function after(name: string, pred: Pred): string {
  const [only] = pass(name).run(filter([base('c', 'nft-ip')], { c: [rule(0, match(pred), verdict('drop'))] }))
    .chains[0]!.rules
  const [first] = only!.steps
  return first?.kind === 'match' ? printPred(first.pred) : 'true'
}

/** A chain's lines after a pass, from lines of IR text. */
function lines(name: string, view: ViewName, text: string): string[] {
  const head = `filter nft profile nft-6.18\nhook input view ${view} family any chain c policy accept\n`
  const { value, diagnostics } = parse(source('t.ir', `${head}${text}`))
  if (!value) throw new Error(diagnostics.map(({ message }) => message).join())
  expect(check(value).diagnostics).toEqual([])
  return print(pass(name).run(value)).split('\n').slice(2, -1)
}

describe('constants', () => {
  it.each<[Pred, string]>([
    [cmp(masked(field('tcp.dport'), 0xffffn), '==', 80), 'tcp.dport == 80'],
    [cmp(masked(masked(field('tcp.dport'), 0xff0fn), 0xf0ffn), '==', 8), 'tcp.dport & 0xf00f == 8'],
    [inPrefix('ipv4.src', 0x0a000000n, 8), 'ipv4.src & 255.0.0.0 == 10.0.0.0'],
    [between('ipv4.src', 0x0a000000, 0x0affffff), 'ipv4.src & 255.0.0.0 == 10.0.0.0'],
    [
      inRanges('ipv6.src', [{ lo: 0xfe80n << 112n, hi: (0xfe80n << 112n) | ((1n << 118n) - 1n) }]),
      'ipv6.src & ffc0:: == fe80::',
    ],
    [in_(1024, 65535), 'tcp.dport >= 1024'],
    [in_(0, 1023), 'tcp.dport <= 1023'],
    [in_(80, 80), 'tcp.dport == 80'],
    // The whole range still asks for the field to be there; so does none of it.
    [in_(0, 65535), 'tcp.dport in {0-65535}'],
    [not(in_(0, 65535)), 'tcp.dport in {}'],
    [inPrefix('ipv4.src', 0n, 0), 'ipv4.src in {0.0.0.0-255.255.255.255}'],
    [cmp(masked(field('tcp.flags'), 2n), '==', 3), 'tcp.flags & 0x2 == 0x3'],
    [{ kind: 'not', arg: { kind: 'not', arg: PORT } }, 'tcp.dport == 80'],
    [not(PORT), 'tcp.dport != 80'],
    [not(and(TCP, or(PORT, not(UDP)))), 'not (meta.l4proto == 6 and (tcp.dport == 80 or meta.l4proto != 17))'],
    [and(TCP, and(PORT, TCP)), 'meta.l4proto == 6 and tcp.dport == 80'],
    [or(in_(1, 5), in_(6, 9), PORT), 'tcp.dport in {1-9, 80}'],
    [and(in_(1, 100), in_(50, 200)), 'tcp.dport in {50-100}'],
    [and({ kind: 'const', value: true }), 'true'],
    // What comes before a constant is asked all the same: it may be missing.
    [and(PORT, { kind: 'const', value: false }, TCP), 'tcp.dport == 80 and false'],
    [and({ kind: 'const', value: false }, PORT), 'false'],
  ])('%#', (pred, text) => {
    expect(after('constants', pred)).toBe(text)
  })

  it('has one form for each comparison, whichever way it comes to it', () => {
    const twice = (pred: Pred): Pred => ({ kind: 'not', arg: { kind: 'not', arg: pred } })
    for (const [id, bits] of [
      ['ipv4.dscp', 6],
      ['tcp.dport', 16],
      ['ipv4.src', 32],
      ['eth.dst', 48],
      ['ipv6.src', 128],
    ] as const) {
      // biome-ignore format: a table
      const top = (1n << BigInt(bits)) - 1n
      const edges = [0n, 1n, 2n, top >> 1n, (top >> 1n) + 1n, top - 1n, top, 0x0a0100fe1200n & top, 6n, 4n]
      const masks = [1, 3, bits / 2, bits - 1, bits].map((length) => top ^ (top >> BigInt(length)))
      for (const lo of edges) {
        const preds = edges.filter((hi) => lo <= hi).map((hi) => between(id, lo, hi))
        for (const test of ['==', '!='] as const) {
          preds.push(cmp(id, test, lo))
          for (const mask of [...masks, 5n])
            for (const value of [lo, lo & mask]) preds.push(cmp(masked(field(id), mask), test, value))
        }
        for (const pred of preds)
          expect(after('constants', pred), printPred(pred)).toBe(after('constants', twice(pred)))
      }
    }
  })
})

describe('guards', () => {
  it.each([
    [
      'asked before in the rule',
      'chain c {\n  #0: meta.l4proto == 6, meta.l4proto == 6 and tcp.dport == 80, → drop\n}\n',
      ['#0: meta.l4proto == 6, tcp.dport == 80, → drop'],
    ],
    [
      'asked by every caller',
      'chain c {\n  #0: meta.l4proto == 6, → jump d\n  #1: meta.l4proto in {6, 17}, → jump d\n}\nchain d {\n  #2: meta.l4proto in {6, 17}, tcp.dport == 80, → drop\n  #3: meta.l4proto == 1, → drop\n}\n',
      [
        '#0: meta.l4proto == 6, → jump d',
        '#1: meta.l4proto in {6, 17}, → jump d',
        '#2: tcp.dport == 80, → drop',
        '#3: false',
      ],
    ],
    [
      'ended by a rule above',
      'chain c {\n  #0: meta.l4proto != 6, → accept\n  #1: meta.l4proto == 17, → drop\n  #2: meta.l4proto == 6, → drop\n}\n',
      ['#0: meta.l4proto != 6, → accept', '#1: meta.l4proto in {}, → drop', '#2: meta.l4proto in {0-255}, → drop'],
    ],
  ])('%s', (_, text, want) => {
    expect(
      lines('guards', 'nft-ip', text)
        .filter((line) => line.includes('#'))
        .map((line) => line.trim()),
    ).toEqual(want)
  })
})

describe('dead and shadowed', () => {
  const covered =
    'chain c {\n  #0: ipv4.src & 255.0.0.0 == 10.0.0.0, → accept\n  #1: ipv4.src & 255.255.0.0 == 10.1.0.0, tcp.dport == 80, → drop\n  #2: tcp.dport == 80, → drop\n}\n'
  const ids = (all: readonly string[]) => all.flatMap((line) => /#[\d+]+/.exec(line)?.[0] ?? [])

  it('a covered rule goes where not asking it leaves no trace', () => {
    expect(ids(lines('shadowed', 'nft-ip', covered))).toEqual(['#0', '#2'])
    // A cut TCP header drops the packet; a field that is not there ends the program.
    expect(ids(lines('shadowed', 'xt-ip', covered))).toEqual(['#0', '#1', '#2'])
    expect(ids(lines('shadowed', 'pcap', covered))).toEqual(['#0', '#1', '#2'])
  })

  it('rules that cover together, and a counter that stays', () => {
    const together =
      'chain c {\n  #0: tcp.dport <= 1023, → accept\n  #1: tcp.dport >= 1024, → accept\n  #2: tcp.dport == 80, → drop\n  #3: count, tcp.dport == 81, → drop\n}\n'
    expect(ids(lines('shadowed', 'nft-ip', together))).toEqual(['#0', '#1', '#3'])
  })

  it('another term may be missing: it does not cover', () => {
    const other = 'chain c {\n  #0: udp.dport >= 0, → accept\n  #1: tcp.dport == 80, → drop\n}\n'
    expect(ids(lines('shadowed', 'nft-ip', other))).toEqual(['#0', '#1'])
  })

  it('what no packet comes to, and what does nothing', () => {
    const text =
      'chain c {\n  #0: tcp.dport == 80\n  #1: false, → drop\n  #2: true, → jump empty\n  #3: count, → continue\n  #4: → accept\n  #5: tcp.dport == 80, → drop\n}\nchain empty {\n  #6: tcp.dport == 1, → return\n}\nchain alone {\n  #7: → drop\n}\n'
    expect(lines('dead', 'nft-ip', text)).toEqual(['chain c {', '  #3: count, → continue', '  #4: → accept', '}'])
  })
})

describe('merge and groups', () => {
  it('neighbours that differ in one term become one, under all their numbers', () => {
    const text =
      'chain c {\n  #0: meta.l4proto == 6, tcp.dport == 80, → drop    ; a\n  #1: meta.l4proto == 6, tcp.dport == 81, → drop    ; b\n  #2: meta.l4proto == 6, tcp.dport == 443, → accept    ; c\n}\n'
    expect(lines('merge', 'nft-ip', text)).toContain(
      '  #0+1: meta.l4proto == 6, tcp.dport & 0xfffe == 80, → drop    ; a (and 1 more)',
    )
  })

  it('the same first match is asked once', () => {
    const text =
      'chain c {\n  #0: meta.l4proto == 6, tcp.dport == 1, → drop\n  #1: meta.l4proto == 6, tcp.dport == 2, → accept\n  #2: meta.l4proto == 6, tcp.dport == 3, → drop\n  #3: meta.l4proto == 6, → return\n}\n'
    expect(lines('groups', 'nft-ip', text)).toEqual([
      'chain c {',
      '  #4: meta.l4proto == 6, → jump c+1    ; rules 0 to 2',
      '  #3: meta.l4proto == 6, → return',
      '}',
      'chain c+1 {',
      '  #0: tcp.dport == 1, → drop',
      '  #1: tcp.dport == 2, → accept',
      '  #2: tcp.dport == 3, → drop',
      '}',
    ])
  })
})

describe('simplify', () => {
  const whole: Filter = filter([base('c', 'nft-ip')], { c: [rule(0, match(TCP), match(in_(1, 2)), verdict('drop')), rule(1, match(TCP), match(in_(3, 4)), verdict('drop'))] }) // biome-ignore format: one value

  it('does no pass at level 0, and merges at level 2 only', () => {
    expect(simplify(whole, { level: 0 })).toBe(whole)
    const rules = (level: 1 | 2) => simplify(whole, { level }).chains.flatMap((chain: Chain) => chain.rules).length
    expect([rules(1), rules(2)]).toEqual([2, 1])
  })

  it('is quick on long lists: 5,000 rules take no time that people notice', () => {
    const rules = Array.from({ length: 5000 }, (_, i) => rule(i, match(TCP), match(cmp('ipv4.src', '==', i * 7)), match(cmp('tcp.dport', '==', i % 600)), verdict('drop'))) // biome-ignore format: one value
    const start = performance.now()
    simplify(filter([base('c', 'nft-ip')], { c: rules }), { level: 2 })
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('lint', () => {
  it('names what it found, and the rules that take the packets', () => {
    const found = lint(filter([base('c', 'nft-ip')], {
      c: [
        rule(0, match(in_(1, 100)), verdict('accept')),
        rule(1, match(PORT), verdict('drop')),
        rule(2, match(in_(101, 200)), verdict('accept')),
        rule(3, match(in_(50, 150)), verdict('accept')),
        rule(4, match(and(in_(1, 2), in_(3, 4))), verdict('drop')),
        rule(5, verdict('drop')),
        rule(6, match(TCP), verdict('drop')),
      ],
      alone: [],
    })) // biome-ignore format: one value
    expect(found.map(({ code, message, notes = [] }) => [code, message, notes.length])).toEqual([
      ['ir/unused', 'no packet comes to the chain alone: nothing calls it', 0],
      ['ir/unreachable', 'no packet comes to this rule: rule 6', 1],
      ['ir/shadowed', 'no packet comes to this rule: rule 1', 1],
      ['ir/redundant', 'without this rule all packets are decided alike: rule 3', 2],
      ['ir/never', 'no packet that comes to this rule matches it: rule 4', 0],
    ])
  })

  it('sees that a match leaves nothing to the next one of its rule', () => {
    const rules = [
      rule(0, match(TCP), match(in_(80, 80)), match(in_(81, 90)), verdict('drop')),
      rule(1, match(TCP), match(in_(80, 90)), match(in_(81, 81)), verdict('drop')),
      rule(2, match(TCP), match(in_(80, 90)), match(not(in_(1, 100))), verdict('drop')),
    ]
    expect(lint(filter([base('c', 'nft-ip')], { c: rules })).map(({ code, message }) => [code, message])).toEqual([
      ['ir/never', 'no packet that comes to this rule matches it: rule 0'],
      ['ir/never', 'no packet that comes to this rule matches it: rule 2'],
    ])
  })

  it('says nothing of rules that are asked', () => {
    expect(lint(filter([base('c', 'xt-ip')], { c: [rule(0, match(PORT), verdict('drop')), rule(1, match(TCP), verdict('drop'))] }))).toEqual([]) // biome-ignore format: one value
  })
})
