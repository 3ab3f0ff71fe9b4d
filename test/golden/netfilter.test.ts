// Rulesets against the verdicts that nft, iptables-nft and iptables-legacy gave on real kernels (netfilter/record.py): parse, lower and
// evaluate must say the same of every frame that came to the hook.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { renderAll, source } from '../../packages/diag/src/index.ts'
import { evaluate, type Filter } from '../../packages/ir/src/index.ts'
import { readCapture } from '../../packages/packet/src/index.ts'
import { iptables, nft } from '../../packages/rules/src/index.ts'

interface Row {
  readonly name: string
  readonly syntax: 'nft' | 'iptables'
  readonly tool: 'nft' | 'iptables-nft' | 'iptables-legacy'
  readonly hook: string
  readonly rules: string
  /** One character a frame: a, d, or - for not told. */
  readonly base: string
  readonly flags: string
  readonly trunc: string
  readonly talk: string
}

const golden: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'netfilter/golden.json'), 'utf8'),
)

const FILES = {
  base: join(import.meta.dirname, 'captures/base.pcap'),
  flags: join(import.meta.dirname, 'captures/flags.pcap'),
  trunc: join(import.meta.dirname, 'captures/trunc.pcap'),
  talk: join(import.meta.dirname, '../../samples/talk.pcap'),
} as const
type CaptureName = keyof typeof FILES

const frames = Object.fromEntries(
  Object.entries(FILES).map(([name, file]) => [name, readCapture(file, readFileSync(file)).records.map((r) => r.data)]),
) as Record<CaptureName, Uint8Array[]>

function filterOf({ syntax, tool, rules, hook, name }: Row): Filter {
  const front = syntax === 'nft' ? nft : iptables
  const parsed = front.parse(source(name, rules))
  const profile = ({ nft: 'nft-6.18', 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const)[tool]
  const lowered = parsed.value && front.lower(parsed.value as never, { profile, hook })
  if (!lowered?.value) throw new Error(renderAll([...parsed.diagnostics, ...(lowered?.diagnostics ?? [])]))
  return lowered.value
}

test('both backends and at least a dozen rulesets of each syntax are recorded', () => {
  const count = (tool: string) => golden.rows.filter((row) => row.tool === tool).length
  expect(count('nft')).toBeGreaterThanOrEqual(12)
  expect(count('iptables-nft')).toBeGreaterThanOrEqual(12)
  expect(count('iptables-legacy')).toBeGreaterThanOrEqual(12)
})

describe.each(golden.rows)('$name under $tool at $hook', (row) => {
  test.each(Object.keys(FILES) as CaptureName[])('%s', (capture) => {
    const filter = filterOf(row)
    const verdicts = row[capture]
    expect(frames[capture].length).toBe(verdicts.length)
    const wrong = frames[capture].flatMap((frame, i) => {
      if (verdicts[i] === '-') return []
      const { decision } = evaluate(filter, frame)
      return decision === (verdicts[i] === 'a' ? 'pass' : 'drop') ? [] : [`frame ${i}: ${decision}, told ${verdicts[i]}`]
    })
    expect(wrong).toEqual([])
  })
})
