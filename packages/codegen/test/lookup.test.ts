// Lookups at sizes that random properties do not come to: lists of several blocks, hash tables, searches among thousands of pieces.

import { decisionOf } from '@netsieve/asm'
import {
  check,
  cmp,
  evaluate,
  type Filter,
  field,
  inRanges,
  inSet,
  match,
  type Pred,
  type Rule,
  type SetDef,
  type ViewName,
  verdict,
} from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'
import { generate } from '../src/index.ts'

/** Numbers that look random, the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >> 8) % below
  }
}

const point = (value: number) => ({ lo: BigInt(value), hi: BigInt(value) })

function filterOf(rules: readonly Rule[], sets: readonly SetDef[] = [], view: ViewName = 'nft-ip'): Filter {
  const filter: Filter = {
    syntax: 'test',
    profile: 'nft-6.18',
    base: [{ chain: 'c', hook: 'prerouting', view, family: 'ipv4', policy: 'accept' }],
    chains: [{ name: 'c', rules }],
    sets,
  }
  expect(check(filter).diagnostics).toEqual([])
  return filter
}

const rule = (id: number, preds: readonly Pred[], what: 'accept' | 'drop'): Rule => ({ id, text: `r${id}`, steps: [...preds.map(match), verdict(what)] }) // biome-ignore format: one value

function frame(source: number, dport: number): Uint8Array {
  const address = [24, 16, 8, 0].map((shift) => (source >>> shift) & 255).join('.')
  return buildPacket(`eth / ipv4(src=${address}, dst=10.0.0.2) / udp(sport=1000, dport=${dport})`).value!.data
}

/** The program is accepted, and decides the frames by the same rules as evaluate. */
function same(filter: Filter, frames: readonly Uint8Array[]): { readonly drops: number; readonly insns: number } {
  const { insns, maps } = generate(filter, { type: 'xdp' })
  expect(verify(insns, { type: 'xdp', maps })).toMatchObject({ status: 'accepted' })
  const machine = load(insns, { type: 'xdp', maps })
  let drops = 0
  for (const bytes of frames) {
    const { r0, exit } = machine.run(bytes)
    const { decision, rule: id } = evaluate(filter, bytes)
    expect([decisionOf('xdp', r0), insns[exit!]?.origin?.rule]).toEqual([decision, id])
    if (decision === 'drop') drops++
  }
  return { drops, insns: insns.length }
}

describe('lists', () => {
  test('of several blocks, with words that are not full', () => {
    const random = numbers(7)
    const rules = Array.from({ length: 2100 }, (_, id) => {
      const [low, net] = [random(60000), random(200)]
      const ports = inRanges('udp.dport', [{ lo: BigInt(low), hi: BigInt(low + random(3000)) }])
      const from = inRanges('ipv4.src', [{ lo: BigInt(net * 65536), hi: BigInt((net + 1 + random(4)) * 65536) }])
      return rule(id, random(9) === 0 ? [ports, from, inRanges('ipv4.ttl', [point(random(3) + 62)])] : [from, ports], random(2) ? 'accept' : 'drop') // biome-ignore format: one choice
    })
    const frames = Array.from({ length: 150 }, () => frame(random(200 * 65536), random(65536)))
    const { drops, insns } = same(filterOf(rules), frames)
    expect(drops).toBeGreaterThan(10)
    // Less than four instructions a rule.
    expect(insns).toBeLessThan(8400)
  })

  test('over one number are told apart by comparisons', () => {
    const rules = Array.from({ length: 300 }, (_, id) => rule(id, [inRanges('udp.dport', [{ lo: BigInt(id * 7), hi: BigInt(id * 7 + 20) }])], id % 3 ? 'drop' : 'accept')) // biome-ignore format: one rule
    const frames = Array.from({ length: 120 }, (_, i) => frame(1, i * 19))
    expect(same(filterOf(rules), frames).drops).toBeGreaterThan(40)
  })

  test('of rules that drop what is cut are one decision for each thing that may be left of a header', () => {
    const rules = Array.from({ length: 500 }, (_, id) => {
      const proto = id % 2 ? 'tcp' : 'udp'
      const from = inRanges('ipv4.src', [{ lo: BigInt(id * 256), hi: BigInt(id * 256 + 1000) }])
      return rule(id, [from, cmp('meta.l4proto', '==', id % 2 ? 6 : 17), inRanges(`${proto}.dport`, [{ lo: BigInt(id * 100), hi: BigInt(id * 100 + 3000) }])], id % 3 ? 'accept' : 'drop') // biome-ignore format: one rule
    })
    const filter = filterOf(rules, [], 'xt-ip')
    const whole = Array.from({ length: 100 }, (_, i) => frame(i * 1280 + 7, i * 500))
    // The packet's end moves into its UDP header.
    const cut = whole.map((bytes, i) => {
      const shorter = bytes.slice()
      shorter[17] = 20 + (i % 8)
      return shorter
    })
    const { drops, insns } = same(filter, [...whole, ...cut])
    expect(drops).toBeGreaterThan(90)
    expect(insns).toBeLessThan(12 * 500)
    const { insns: linear } = generate(filter, { type: 'xdp', oneByOne: true })
    expect(linear.length).toBeGreaterThan(20 * 500)
    const program = generate(filter, { type: 'xdp' })
    const machine = load(program.insns, { type: 'xdp', maps: program.maps })
    for (const bytes of [...whole, ...cut]) expect(machine.run(bytes).insns).toBeLessThan(300)
  })

  test('rule by rule, if that is asked for, and the same', () => {
    const rules = Array.from({ length: 40 }, (_, id) => rule(id, [inRanges('udp.dport', [point(id * 3)])], 'drop'))
    const { insns: long } = generate(filterOf(rules), { type: 'xdp', oneByOne: true })
    const { insns: short, maps } = generate(filterOf(rules), { type: 'xdp' })
    expect(short.length).toBeLessThan(long.length)
    expect(maps).toEqual([])
  })
})

describe('sets', () => {
  const random = numbers(3)
  const sources = Array.from({ length: 60 }, () => random(1 << 22) * 256 + random(256))

  test('points of 32 bits go into a hash table', () => {
    const elements = [...new Set([...sources.slice(0, 30), ...Array.from({ length: 1000 }, () => random(1 << 30))])]
    const set: SetDef = { name: 'a/long name of a set', keys: [{ bits: 32 }], elements: elements.map((value) => ({ key: [point(value)] })) } // biome-ignore format: one value
    const filter = filterOf([rule(0, [inSet(set.name, 'ipv4.src')], 'drop')], [set])
    const { maps } = generate(filter, { type: 'xdp' })
    expect(maps).toMatchObject([{ type: 'hash', name: 'long_name_of_a_', keySize: 4 }])
    expect(
      same(
        filter,
        sources.map((source) => frame(source, 1)),
      ).drops,
    ).toBeGreaterThanOrEqual(30)
  })

  test('thousands of networks are one search', () => {
    const ranges = Array.from({ length: 140_000 }, (_, i) => ({ lo: BigInt(i * 7_669), hi: BigInt(i * 7_669 + random(7_000)) })) // biome-ignore format: one range
    const filter = filterOf([rule(0, [inRanges('ipv4.src', ranges)], 'drop')])
    const { insns, maps } = generate(filter, { type: 'xdp' })
    expect(maps).toMatchObject([{ type: 'array', name: 'tables', maxEntries: 1 }])
    expect(insns.length).toBeLessThan(220)
    const { drops } = same(
      filter,
      sources.map((source) => frame(source, 1)),
    )
    expect(drops).toBeGreaterThan(5)
    expect(drops).toBeLessThan(60)
  })

  test('maps of many numbers, by ranges and by tuples', () => {
    const wide: SetDef = { name: 'm', keys: [{ bits: 16 }], data: { bits: 32 }, elements: Array.from({ length: 900 }, (_, i) => ({ key: [{ lo: BigInt(i * 70), hi: BigInt(i * 70 + 50) }], value: BigInt(i) })) } // biome-ignore format: one value
    const tuple: SetDef = { name: 't', keys: [{ bits: 16 }, { bits: 8 }], data: { bits: 32 }, elements: Array.from({ length: 300 }, (_, i) => ({ key: [point(i * 9), point(17)], value: BigInt(i % 7) })) } // biome-ignore format: one value
    const above: Pred = {
      kind: 'cmp',
      term: { kind: 'mapped', terms: [field('udp.dport')], map: 'm' },
      test: '>',
      value: 500n,
    }
    const three: Pred = { kind: 'cmp', term: { kind: 'mapped', terms: [field('udp.dport'), field('ipv4.protocol')], map: 't' }, test: '==', value: 3n } // biome-ignore format: one value
    const filter = filterOf([rule(0, [above], 'drop'), rule(1, [three], 'drop')], [wide, tuple])
    const frames = Array.from({ length: 200 }, (_, i) => frame(1, i < 100 ? i * 9 : i * 311))
    expect(same(filter, frames).drops).toBeGreaterThan(30)
  })
})

describe('chains that are called for some packets each', () => {
  const below = numbers(7)
  const to = (kind: 'jump' | 'goto', chain: string): Rule['steps'][number] => ({
    kind: 'verdict',
    verdict: { kind, chain },
  })
  /** Rules of sources and ports, those of one chain with one verdict that is not final where `odd` says so. */
  const called = (from: number, odd?: Rule['steps'][number]): Rule[] =>
    Array.from({ length: 60 }, (_, i) => {
      const preds = [inRanges(field('ipv4.src'), [{ lo: 0x0a000000n, hi: BigInt(0x0a000000 + below(64)) }]), inRanges(field('th.dport'), [point(below(60))])] // biome-ignore format: two tests
      const plain = rule(from + i, preds, i % 2 ? 'accept' : 'drop')
      return odd && i === 30 ? { ...plain, steps: [...preds.map(match), odd] } : plain
    })
  const filterWith = (odd?: Rule['steps'][number]): Filter => {
    const jump = (id: number, proto: number, chain: string): Rule => ({ id, text: `r${id}`, steps: [match(cmp('meta.l4proto', '==', proto)), to('jump', chain)] }) // biome-ignore format: one rule
    const filter: Filter = {
      ...filterOf([]),
      chains: [
        { name: 'c', rules: [jump(0, 17, 'udp'), jump(1, 6, 'tcp'), ...called(2)] },
        { name: 'udp', rules: called(100, odd) },
        { name: 'tcp', rules: called(200) },
      ],
    }
    expect(check(filter).diagnostics).toEqual([])
    return filter
  }
  const frames = Array.from({ length: 300 }, () => frame(0x0a000000 + below(70), below(64)))

  test('are one list with the rules around the calls', () => {
    const { insns, drops } = same(filterWith(), frames)
    expect(drops).toBeGreaterThan(20)
    // Rule by rule each of the 180 would load and compare two numbers.
    expect(insns).toBeLessThan(180 * 5)
  })

  test.each([
    ['return', verdict('return')],
    ['goto', to('goto', 'tcp')],
    ['continue', verdict('continue')],
    ['jump', to('jump', 'tcp')],
  ] as const)('with a rule that says %s', (_, odd) => {
    expect(same(filterWith(odd), frames).drops).toBeGreaterThan(20)
  })
})
