// The cases of docs/semantics.md: what the real tools did with every packet under every rule (semantics/record.py), under our profiles: the meaning
// and the program say the same.

import { readFileSync } from 'node:fs'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, type Filter, type ProfileName, simplify } from '@netsieve/ir'
import { SYNTAXES, type SyntaxName } from '@netsieve/rules'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'
import { cases, folder, frames, golden, page, TOOLS, type Tool } from './semantics-data.ts'

const FRAMES = Object.entries(frames())
const { verdicts } = golden()

interface Way {
  readonly syntax: SyntaxName
  readonly profile: ProfileName
  readonly hook?: string
  readonly text: (rule: string) => string
}

const chain = (family: string, hook: string) => (rule: string) =>
  `table ${family} t {\n chain c {\n type filter hook ${hook} priority 0; policy accept;\n ${rule} drop\n }\n}\n`
const iptables = (rule: string) =>
  (rule.includes('10.') || rule.split(' ').includes('-f') ? ['iptables'] : ['iptables', 'ip6tables']).map((program) => `${program} -t raw -A PREROUTING ${rule} -j DROP\n`).join('') // biome-ignore format: one chain

/** How each tool's rules are read; u32 has no front-end (its words are in u32.test.ts). */
const WAYS: Readonly<Partial<Record<Tool, Way>>> = {
  nft: { syntax: 'nft', profile: 'nft-6.18', hook: 'prerouting', text: chain('inet', 'prerouting') },
  'nft ingress': { syntax: 'nft', profile: 'nft-6.18', hook: 'ingress', text: chain('netdev', 'ingress device "in0"') },
  'iptables-nft': { syntax: 'iptables', profile: 'xt-nft', hook: 'prerouting', text: iptables },
  'iptables-legacy': { syntax: 'iptables', profile: 'xt-legacy', hook: 'prerouting', text: iptables },
  pcap: { syntax: 'pcap', profile: 'pcap-file', text: (rule) => rule },
}

function read(way: Way, rule: string): Filter | string {
  const { syntax, profile, hook, text } = way
  const { value, diagnostics } = SYNTAXES[syntax].read(source('rule', text(rule)), { profile, ...(hook && { hook }) })
  if (value) return check(value).value ?? 'not taken by check'
  return renderAll(diagnostics)
}

const rows = Object.entries(cases.rules).flatMap(([name, rule]) =>
  TOOLS.flatMap((tool) => {
    const way = WAYS[tool]
    const told = verdicts[name]?.[tool]
    const words = way && rule[way.syntax as keyof typeof rule]
    return way && words !== undefined && told !== undefined ? [{ name, tool, way, words, told }] : []
  }),
)

test('most rules are recorded with most tools', () => expect(rows.length).toBeGreaterThan(60))

describe.each(rows)('$name by $tool', ({ name, tool, way, words, told }) => {
  const filter = read(way, words)
  test('verdicts', () => {
    if (typeof told !== 'string') return expect(typeof filter).toBe('string')
    if (typeof filter === 'string') throw new Error(filter)
    const { insns, maps } = generate(simplify(filter), { type: 'xdp' })
    const machine = load(insns, { type: 'xdp', maps })
    // A pcap expression passes what it matches, the others drop it.
    const matched = tool === 'pcap' ? 'pass' : 'drop'
    const wrong = FRAMES.flatMap(([packet, frame], i) => {
      if (told[i] === '-') return []
      const want = told[i] === 'd'
      const meant = evaluate(filter, frame).decision === matched
      const { r0, fault } = machine.run(frame)
      const ran = !fault && decisionOf('xdp', r0) === matched
      return meant === want && ran === want ? [] : [`${packet}: told ${told[i]}, meaning ${meant}, program ${ran}`]
    })
    return expect(wrong).toEqual([])
  })
})

test('the packets are those that were recorded', () => {
  const recorded: Record<string, string> = JSON.parse(readFileSync(`${folder}frames.json`, 'utf8'))
  expect(Object.fromEntries(FRAMES.map(([name, bytes]) => [name, Buffer.from(bytes).toString('hex')]))).toEqual(recorded)
})

test('docs/semantics.md is what was recorded', () => {
  expect(readFileSync(`${folder}../../../docs/semantics.md`, 'utf8')).toBe(page())
})
