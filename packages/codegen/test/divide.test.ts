// What divides programs: the count of waiting branches, frames without unused slots, which chains become functions, and what is said of too much.

import { Code, type Insn, slotTable } from '@netsieve/asm'
import { type Chain, type Filter, type Rule, verdict } from '@netsieve/ir'
import { expect, it, test } from 'vitest'
import { compacted } from '../src/frame.ts'
import { generate } from '../src/generate.ts'
import { fitsWhole, pendingOf, TooLong } from '../src/limits.ts'
import { outlined } from '../src/outline.ts'
import { SLOT } from '../src/path.ts'

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

it('is one function where that is short enough', () => {
  expect(generate(filter([long('main', 100)]), { type: 'xdp' }).functions).toBeUndefined()
})

it('says so of chains that call one another beyond all measure', () => {
  const levels = Array.from({ length: 12 }, (_, level) => long(level === 0 ? 'main' : `c${level}`, 40, level < 11 ? `c${level + 1}` : undefined)) // biome-ignore format: one list
  // Twelve levels are more than the kernel's calls go, and written out they are 40 to the eighth times too many rules.
  expect(() => generate(filter(levels), { type: 'xdp' })).toThrow(TooLong)
}, 60_000)
