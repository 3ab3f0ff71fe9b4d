// Rules as several programs, by force: what the verifier says of each, what decides over all of them, and every form that they are written in.

import { formatInsn, programsIn, readElf } from '@netsieve/asm'
import { generate, type ProgramCode, programsOf } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { evaluate } from '@netsieve/ir'
import { expect, it, test } from 'vitest'
import { EMITS } from '../src/cli/compile.ts'
import { type Compiled, objectOf, readRules, Sieve, verifyCompiled } from '../src/index.ts'

const rules = Array.from({ length: 200 }, (_, i) => `ip saddr & 0.0.0.255 == 0.0.0.${i} th dport != 7 ${i % 2 ? 'drop' : 'accept'}`) // biome-ignore format: a row
const text = source(
  'rules',
  `table ip t { chain c { type filter hook prerouting priority 0; policy accept;\n${rules.join('\n')}\n} }`,
)
const filter = readRules(text).value!
const plan = { part: 100, inline: 0, depth: 0, program: 600 }
const compiled: Compiled = { source: text, syntax: 'nft', filter, ...generate(filter, { type: 'xdp', plan }) }
const count = programsOf(compiled).length

const packet = (host: number, port: number): Uint8Array => {
  const bytes = new Uint8Array(60)
  bytes.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, host, 10, 0, 0, 1, 0, 1, 0, port], 12)
  return bytes
}

it('is several programs, each accepted by itself', () => {
  expect(count).toBeGreaterThan(3)
  const { status, programs, stats, facts } = verifyCompiled(compiled)
  expect([status, programs.length]).toEqual(['accepted', count])
  expect(stats.processedInsns).toBe(programs.reduce((sum, each) => sum + each.stats.processedInsns, 0))
  const [first, second] = programsOf(compiled) as [Compiled, Compiled]
  second.insns.forEach((_, i) => {
    expect(facts!.proved(first.insns.length + i)).toBe(programs[1]!.facts!.proved(i))
  })
})

it('tells which program is not accepted, and looks at none behind it', () => {
  const [broken, ...others] = compiled.programs!.slice(1)
  const unfinished = {
    ...compiled,
    programs: [compiled.programs![0]!, { insns: broken!.insns.slice(0, -1) }, ...others],
  }
  expect(verifyCompiled(unfinished)).toMatchObject({ status: 'rejected', programs: [{ status: 'accepted' }, { status: 'accepted' }, { status: 'rejected' }] }) // biome-ignore format: a row
})

test.each(['interpreter', 'jit'] as const)('%s: the rule that decides is told in whichever program it is', (engine) => {
  const sieve = new Sieve(compiled, engine, verifyCompiled(compiled).facts)
  for (const host of [0, 1, 50, 99, 150, 199, 200])
    for (const port of [7, 53]) {
      const bytes = packet(host, port)
      const { verdict, rule, fault } = sieve.judge(bytes)
      const meant = evaluate(filter, bytes)
      expect([verdict, rule ?? undefined, fault]).toEqual([meant.decision, meant.rule, undefined])
    }
})

it('drops a packet where a program is not there', () => {
  const maps = compiled.maps.map((map) => ({ ...map, entries: map.entries?.slice(0, 1) ?? [] }))
  const sieve = new Sieve({ ...compiled, maps })
  expect(sieve.judge(packet(0, 53))).toMatchObject({ verdict: 'pass', rule: filter.chains[0]!.rules[0]!.id })
  expect(sieve.judge(packet(199, 53))).toMatchObject({ verdict: 'drop', rule: null, by: 'a program of the set is not there' }) // biome-ignore format: a row
})

it('is an object whose prog array names the programs', () => {
  const { value, diagnostics } = readElf(EMITS.elf!(compiled) as Uint8Array)
  expect(diagnostics).toEqual([])
  expect(value!.programs.map(({ name, section }) => [name, section])).toEqual(
    Array.from({ length: count }, (_, i) => [i === 0 ? 'netsieve' : `netsieve_${i}`, 'xdp']),
  )
  const array = value!.maps.find(({ type }) => type === 'prog_array')!
  expect(programsIn(array)).toEqual(Array.from({ length: count - 1 }, (_, i) => ({ index: i + 1, program: i + 1 })))
  const code = (programs: readonly ProgramCode[]) => programs.map(({ insns }) => insns.map((each) => formatInsn(each)))
  expect(code(value!.programs)).toEqual(code(programsOf(compiled)))
  expect(objectOf(compiled).programs).toHaveLength(count)
})

it('is written in every form that can hold it, and refused by those that cannot', () => {
  const listing = EMITS.asm!(compiled) as string
  expect(listing.match(/^\.globl netsieve/gm)).toHaveLength(count)
  expect(listing).toContain('.holds netsieve_progs 1 netsieve_1\n')
  const json = JSON.parse([...(EMITS.json!(compiled) as Iterable<string>)].join('')) as {
    programs: { hex: string; instructions: unknown[] }[]
  }
  expect(json.programs.map(({ instructions }) => instructions.length)).toEqual(
    compiled.programs!.map(({ insns }) => insns.length),
  )
  expect(JSON.parse(EMITS.maps!(compiled) as string)).toEqual({ v: 1, maps: [] })
  expect(EMITS['load-script']!(compiled)).toContain('bpftool prog load')
  for (const form of ['hex', 'bin'])
    expect(() => EMITS[form]!(compiled)).toThrow(`these rules are ${count} programs that lead to one another`)
})
