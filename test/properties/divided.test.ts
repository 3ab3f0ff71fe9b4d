// Programs that are divided into functions, and into several programs, as those are that would be too long for the kernel: small ones, divided by
// force, and long ones. evaluate(ir, packet) = run(generate(ir), packet), the rule that decided included, on both engines and in batches.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { COUNTER_MAP, type Generated, generate, insnOf, type Plan, programsOf, readCounters } from '@netsieve/codegen'
import { check, type Filter, type Rule, VIEWS, type ViewName } from '@netsieve/ir'
import { writeCapture } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { byForce } from './by-force.ts'
import { frame } from './frames.ts'
import { judge } from './judge.ts'
import { filterOf } from './random-ir.ts'
import { ruleListOf } from './random-lists.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 5)
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const frames = fc.array(frame, { minLength: 20, maxLength: 20 })
const plans: fc.Arbitrary<Plan> = fc.record({
  part: fc.constantFrom(10, 40, 100),
  inline: fc.constantFrom(0, 40),
  depth: fc.constantFrom(0, 1, 3),
  program: fc.constantFrom(60, 200, 1_000_000),
})

/** Judges packets one by one on both engines and all together. */
function judgeAll(filter: Filter, generated: Generated, packets: readonly Uint8Array[]): void {
  const meant = judge(filter, generated, packets, ['interpreter', 'jit'])
  const batch = load(generated.insns, generated).batch({ exits: true })
  const capture = writeCapture(
    packets.map((data) => ({ data, linkType: 1 })),
    { format: 'pcap' },
  ).subarray(24)
  batch.input.set(capture)
  const { records, r0, exits } = batch.run(capture.length)
  const got = Array.from({ length: records }, (_, i) => ({
    decision: decisionOf(generated.type, r0[i]!),
    rule: insnOf(generated, exits[i]!)?.origin?.rule,
  }))
  expect(got).toEqual(meant.map(({ decision, rule }) => ({ decision, rule })))
}

it.each(Object.keys(VIEWS) as ViewName[])(
  'view %s: rules that no packet of a protocol can match leave its headers looked at',
  (view) => {
    const match = (protocol: bigint) => ({ kind: 'match', pred: { kind: 'cmp', term: { kind: 'field', field: 'meta.nfproto' }, test: '==', value: protocol } }) as const // biome-ignore format: a step
    const sample = fc.sample(frame, { numRuns: 400, seed: 11 })
    // IPv4's rules, IPv6's, and none at all.
    for (const protocols of [[2n, 2n, 2n], [10n], []]) {
      const rules = protocols.map((protocol, id): Rule => ({ id, text: 'a rule', steps: [match(protocol), { kind: 'verdict', verdict: { kind: 'drop' } }] })) // biome-ignore format: a rule
      for (const policy of ['accept', 'drop'] as const) {
        const family = VIEWS[view].reach === 'ip' ? 'ip' : 'any'
        const base = { hook: 'input', view, family, chain: 'c', policy } as const
        const filter: Filter = { syntax: 'ir', profile: 'nft-6.18', base: [base], chains: [{ name: 'c', rules }] }
        expect(check(filter).diagnostics).toEqual([])
        for (const type of TYPES)
          judgeAll(filter, byForce(filter, { type }, { part: 10, inline: 0, depth: 0, program: 60 }), sample)
      }
    }
  },
)

describe.each(Object.keys(VIEWS) as ViewName[])('view %s', (view) => {
  it.each(TYPES)('%s programs of several functions decide as evaluate does, and are accepted', (type) => {
    let divided = 0
    let sets = 0
    fc.assert(
      fc.property(fc.oneof(filterOf(view), ruleListOf(view)), plans, frames, (filter, plan, packets) => {
        fc.pre(check(filter).value !== undefined)
        const generated = byForce(filter, { type }, plan)
        judgeAll(filter, generated, packets)
        for (const { functions } of programsOf(generated)) divided += functions!.length - 1
        if (generated.programs) sets++
      }),
      { numRuns: RUNS, seed: 20_261_127, endOnFailure: false },
    )
    expect(divided).toBeGreaterThan(RUNS)
    expect(sets).toBeGreaterThan(RUNS / 8)
  })
})

describe('lists that no lookup says', () => {
  const rules = (count: number): Rule[] =>
    Array.from({ length: count }, (_, id): Rule => {
      const text = `rule ${id}`
      const ipId = { kind: 'field', field: 'ipv4.id' } as const
      const mixed = { kind: 'bin', op: 'xor', left: ipId, right: { kind: 'const', value: 0x5a5an } } as const
      return {
        id,
        text,
        steps: [
          { kind: 'match', pred: { kind: 'cmp', term: mixed, test: '==', value: BigInt(id) } },
          {
            kind: 'match',
            pred: { kind: 'cmp', term: { kind: 'field', field: 'th.dport' }, test: '<=', value: 1000n },
          },
          { kind: 'verdict', verdict: { kind: id % 3 === 0 ? 'accept' : 'drop' } },
        ],
      }
    })
  const base = { chain: 'c', hook: 'input', view: 'nft-ip', family: 'ipv4', policy: 'accept' } as const
  const filter = (chains: Filter['chains']): Filter => ({ syntax: 'ir', profile: 'nft-6.18', base: [base], chains })
  /** A TCP packet that the first match of a rule holds for. */
  const packet = (id: number, port: number): Uint8Array => {
    const bytes = new Uint8Array(60)
    const ipId = id ^ 0x5a5a
    bytes.set([8, 0, 0x45, 0, 0, 46, ipId >> 8, ipId & 255, 0, 0, 64, 6, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1, 0, 1, port >> 8, port & 255], 12) // biome-ignore format: a header a row
    return bytes
  }

  it('20,000 rules are accepted, and each decides', () => {
    const long = filter([{ name: 'c', rules: rules(20_000) }])
    const generated = generate(long, { type: 'xdp' })
    expect(generated.functions!.length).toBeGreaterThan(20)
    const { status, stats } = verify(generated.insns, generated)
    expect(status).toBe('accepted')
    // It comes by each instruction twice.
    expect(stats.processedInsns).toBeLessThan(750_000)
    const machine = load(generated.insns, { ...generated, engine: 'jit' })
    const ids = [0, 1, 2, 255, 256, 9_999, 19_998, 19_999]
    const decided = ids.map((id) => insnOf(generated, machine.run(packet(id, 80)).exit!)!.origin?.rule)
    expect(decided).toEqual(ids)
    for (const id of [5, 20_000]) {
      const { exit, r0 } = machine.run(packet(id, id === 5 ? 1001 : 80))
      expect([insnOf(generated, exit!)!.origin?.text, decisionOf('xdp', r0)]).toEqual(['policy accept of c', 'pass'])
    }
  })

  it('a chain of 200 rules that is called 200 times is there once', () => {
    const calls = rules(200).map((rule): Rule => {
      const steps = rule.steps.slice(0, 1)
      return {
        ...rule,
        id: rule.id + 200,
        steps: [...steps, { kind: 'verdict', verdict: { kind: 'jump', chain: 'long' } }],
      }
    })
    const called = filter([
      { name: 'long', rules: rules(200).map((rule) => ({ ...rule, steps: rule.steps.slice(1) })) },
      { name: 'c', rules: calls },
    ])
    const generated = generate(called, { type: 'xdp', counters: true })
    expect(generated.insns.length).toBeLessThan(12_000)
    judgeAll(called, generated, [packet(3, 80), packet(3, 2000), packet(300, 80)])
    const machine = load(generated.insns, generated)
    machine.run(packet(7, 80))
    const counted = readCounters(machine.map(COUNTER_MAP).get(new Uint8Array(4))!)
    expect([...counted.keys()].filter((id) => counted.get(id)!.packets > 0n)).toEqual([0, 207])
  })
})
