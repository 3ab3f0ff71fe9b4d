// What divides programs: the count of waiting branches, frames without unused slots, which chains become functions, and what is said of too much.

import { Code, decisionOf, HELPERS, type Insn, slotTable } from '@netsieve/asm'
import { type Chain, evaluate, type Filter, type Rule, verdict } from '@netsieve/ir'
import type { MetadataId } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it, test } from 'vitest'
import { compacted } from '../src/frame.ts'
import { insnOf, programsOf } from '../src/functions.ts'
import { generate } from '../src/generate.ts'
import { fitsWhole, pendingOf, TooLong } from '../src/limits.ts'
import { Maps } from '../src/lookup/maps.ts'
import { outlined } from '../src/outline.ts'
import { SLOT } from '../src/path.ts'
import { stateFor } from '../src/state.ts'

function code(write: (code: Code) => void): Insn[] {
  const out = new Code()
  write(out)
  return out.layout()
}

test.each<[string, number, (c: Code) => void]>([
  ['a straight program', 0, (c) => c.exit()],
  [
    'branches that lead on, one after the other',
    3,
    (c) => {
      for (let i = 0; i < 3; i++) {
        const next = c.label()
        c.jump('jeq', 1, i, next)
        c.mov(0, i)
        c.bind(next)
      }
      c.exit()
    },
  ],
  [
    'of two ways the longer one',
    2,
    (c) => {
      const [far, end] = [c.label(), c.label()]
      c.jump('jeq', 1, 0, far)
      c.goto(end)
      c.bind(far)
      c.jump('jeq', 1, 1, end)
      c.jump('jeq', 1, 2, end)
      c.bind(end)
      c.exit()
    },
  ],
])('branches that wait: %s', (_, count, write) => {
  expect(pendingOf(code(write))).toBe(count)
})

test('8,192 branches that wait are too many for one function', () => {
  const branches = (count: number) =>
    code((c) => {
      const end = c.label()
      for (let i = 0; i < count; i++) c.jump('jeq', 1, i, end)
      c.bind(end)
      c.exit()
    })
  expect(fitsWhole(branches(7000))).toBe(true)
  expect(fitsWhole(branches(8192))).toBe(false)
})

test('a frame keeps its used slots alone, in their order, and numbers put aside are 0 at first', () => {
  const insns = code((c) => {
    c.mov(3, { reg: 10 })
    c.alu('add', 3, SLOT.bytes)
    c.store(2, 10, SLOT.netAt, { reg: 1 })
    c.store(8, 10, SLOT.spill, { reg: 1 })
    c.load(8, 1, 10, SLOT.spill)
    c.exit()
  })
  const { insns: out, stack } = compacted(insns)
  expect(stack).toBe(40 + 8 + 8)
  expect(out.map(({ spec, off, imm }) => [spec.name, off, imm])).toEqual([
    ['stdw', -48, 0],
    ['mov_reg', 0, 0],
    ['add_imm', 0, -40],
    ['stxh', -56 + (SLOT.netAt & 7), 0],
    ['stxdw', -48, 0],
    ['ldxdw', -48, 0],
    ['exit', 0, 0],
  ])
})

const rule = (id: number, steps: Rule['steps']): Rule => ({ id, text: `rule ${id}`, steps })
const port = (value: number) =>
  ({
    kind: 'match',
    pred: { kind: 'cmp', term: { kind: 'field', field: 'th.dport' }, test: '<=', value: BigInt(value) },
  }) as const
const jump = (chain: string) => ({ kind: 'verdict', verdict: { kind: 'jump', chain } }) as const
const chain = (name: string, rules: Chain['rules']): Chain => ({ name, rules })
let ids = 0
const long = (name: string, count: number, to?: string): Chain =>
  chain(
    name,
    Array.from({ length: count }, (_, i) => rule(ids++, [port(i), to ? jump(to) : verdict('drop')])),
  )
const filter = (chains: readonly Chain[]): Filter => ({
  syntax: 'ir',
  profile: 'nft-6.18',
  base: [{ chain: 'main', hook: 'input', view: 'nft-ip', family: 'ipv4', policy: 'accept' }],
  chains,
})

it('makes functions of long chains that are called more than once, as deep as a plan has it', () => {
  const chains = [
    chain('main', [
      rule(0, [jump('twice')]),
      rule(1, [jump('twice')]),
      rule(2, [jump('once')]),
      rule(3, [jump('short')]),
      rule(4, [jump('short')]),
    ]),
    long('twice', 50, 'inner'),
    long('inner', 50),
    long('once', 50),
    long('short', 2),
  ]
  const plan = { part: 4000, inline: 100, program: 1_000_000 }
  expect([...outlined(filter(chains), { ...plan, depth: 4 }).near].sort()).toEqual(['inner', 'twice'])
  expect([...outlined(filter(chains), { ...plan, depth: 1 }).near]).toEqual(['inner'])
  expect([...outlined(filter(chains), { ...plan, depth: 0 }).near]).toEqual([])
  expect([...outlined(filter(chains), { ...plan, part: 200, depth: 4 }).near].sort()).toEqual([
    'inner',
    'once',
    'twice',
  ])
})

it('puts each function where its definition says, and calls nothing else', () => {
  const { insns, functions } = generate(filter([long('main', 100)]), {
    type: 'xdp',
    oneByOne: true,
    plan: { part: 100, inline: 0, depth: 0, program: 1_000_000 },
  })
  const slots = slotTable(insns)
  const starts = new Set(functions!.map(({ slot }) => slot))
  expect(functions!.length).toBeGreaterThan(3)
  expect(functions!.map(({ proto }) => proto?.global)).toEqual(functions!.map(() => true))
  const calls = insns.flatMap(({ spec, imm }, i) => (spec.call === 'local' ? [slots[i]! + 1 + imm] : []))
  expect(new Set([0, ...calls])).toEqual(starts)
})

describe('several programs', () => {
  const plan = { part: 60, inline: 0, depth: 1, program: 600 }
  const accepted = (generated: ReturnType<typeof generate>) =>
    programsOf(generated).map(({ insns, functions }) => verify(insns, { ...generated, functions: functions! }).status)

  it('puts no more into a program than it has room for, and leads from each to the next', () => {
    const generated = generate(filter([long('main', 200)]), { type: 'xdp', oneByOne: true, plan })
    const programs = programsOf(generated)
    expect(programs.length).toBeGreaterThan(4)
    for (const { insns } of programs) expect(insns.length).toBeLessThan(plan.program / 2 + 200)
    const led = programs.map(({ insns }) => insns.flatMap(({ spec, imm }, i) => (spec.call === 'helper' && imm === HELPERS.tail_call.id ? [insns[i - 1]!.imm] : []))) // biome-ignore format: a row
    expect(led).toEqual(programs.map((_, i) => (i + 1 < programs.length ? [i + 1] : [])))
    expect(new Set(accepted(generated))).toEqual(new Set(['accepted']))
  })

  it('calls a chain that fills programs from the main function, and comes back behind each call', () => {
    const chains = [
      chain('main', [
        rule(0, [port(100), jump('big')]),
        rule(1, [port(5), verdict('drop')]),
        rule(2, [port(200), jump('big')]),
        rule(3, [port(300), { kind: 'verdict', verdict: { kind: 'goto', chain: 'big' } }]),
        rule(4, [verdict('drop')]),
      ]),
      // Each of its rules asks for one port alone, and every other one returns.
      chain(
        'big',
        Array.from({ length: 120 }, (_, i) =>
          rule(10 + i, [
            { kind: 'match', pred: { kind: 'cmp', term: { kind: 'field', field: 'th.dport' }, test: '==', value: BigInt(2 * i) } }, // biome-ignore format: a row
            i % 2 ? { kind: 'verdict', verdict: { kind: 'return' } } : verdict('accept'),
          ]),
        ),
      ),
    ]
    const called = filter(chains)
    expect(outlined(called, plan)).toEqual({ near: new Set(), far: new Set(['big', 'main']) })
    const generated = generate(called, { type: 'xdp', oneByOne: true, plan })
    expect(generated.programs!.length).toBeGreaterThan(4)
    expect(new Set(accepted(generated))).toEqual(new Set(['accepted']))
    const machine = load(generated.insns, generated)
    const bytes = new Uint8Array(60)
    bytes.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6], 12)
    for (let dport = 0; dport < 310; dport++) {
      bytes.set([dport >> 8, dport & 255], 36)
      const { r0, exit } = machine.run(bytes)
      const { decision, rule: deciding } = evaluate(called, bytes)
      expect([dport, decisionOf('xdp', r0), insnOf(generated, exit!)?.origin?.rule]).toEqual([dport, decision, deciding]) // biome-ignore format: a row
    }
  })

  it('goes on 33 times at most', () => {
    const short = { ...plan, program: 60 }
    expect(() => generate(filter([long('main', 600)]), { type: 'xdp', oneByOne: true, plan: short })).toThrow(/34 programs/) // biome-ignore format: a row
  })

  const set = (field: MetadataId) =>
    ({ kind: 'set', field, term: { kind: 'const', value: 1n } }) as const satisfies Rule['steps'][number]
  const setting = (fields: readonly MetadataId[], hook: 'input' | 'output'): Filter => {
    const rules = Array.from({ length: 100 }, (_, i) => rule(i, [port(i), set(fields[i % fields.length]!)]))
    const whole = filter([chain('main', rules)])
    return { ...whole, base: [{ ...whole.base[0]!, hook }] }
  }

  it.each([
    ['netfilter', ['meta.mark'], 'output', /programs of type netfilter cannot hand on at the hook output/],
    [
      'sched_cls',
      ['meta.mark', 'meta.priority', 'ct.mark', 'ct.state', 'meta.nftrace'],
      'input',
      /set more than 4 fields/,
    ],
  ] as const)('%s: fields %j that are set at the hook %s cannot be handed on', (type, fields, hook, message) => {
    expect(() => generate(setting(fields, hook), { type, plan })).toThrow(message)
    expect(accepted(generate(setting(['meta.mark'], 'input'), { type, plan })).length).toBeGreaterThan(2)
    expect(generate(setting(fields, hook), { type, plan: { ...plan, program: 1_000_000 } }).programs).toBeUndefined()
  })
})

it('is one function where that is short enough', () => {
  expect(generate(filter([long('main', 100)]), { type: 'xdp' }).functions).toBeUndefined()
})

it('says so of chains that call one another beyond all measure', () => {
  const levels = Array.from({ length: 12 }, (_, level) => long(level === 0 ? 'main' : `c${level}`, 40, level < 11 ? `c${level + 1}` : undefined)) // biome-ignore format: one list
  // Twelve levels are more than the kernel's calls go, and written out they are 40 to the eighth times too many rules.
  expect(() => generate(filter(levels), { type: 'xdp' })).toThrow(TooLong)
}, 60_000)

describe('very many', () => {
  const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
  const short = (id: number, chain?: string): Rule => ({ id, text: `rule ${id}`, steps: [chain ? { kind: 'verdict', verdict: { kind: 'jump', chain } } : verdict('drop')] }) // biome-ignore format: one rule

  it('rules have counters, more than a call can be given as arguments', () => {
    const rules = many(200_000, (i) => short(i))
    const maps = new Maps()
    stateFor(filter([{ name: 'main', rules }]), true, maps)
    expect(maps.finish()).toMatchObject([{ valueSize: 200_000 * 16 }])
  })

  it('chains are found in time that does not grow with their number', () => {
    const names = many(50_000, (i) => `c${i}`)
    const chains = [{ name: 'main', rules: names.map((name, i) => short(i, name)) }, ...names.map((name) => ({ name, rules: [] }))] // biome-ignore format: one list
    const start = performance.now()
    generate(filter(chains), { type: 'xdp' })
    expect(performance.now() - start).toBeLessThan(25_000)
  }, 120_000)
})
