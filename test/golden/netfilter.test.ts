// Rulesets against the verdicts that nft, iptables-nft and iptables-legacy gave on real kernels (netfilter/record.py): parse, lower and
// evaluate must say the same of every frame that came to the hook, and so must the eBPF program that is made of the ruleset.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { evaluate, type Filter } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { iptables, nft } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

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

/** Frames of a capture on which `decide` and the kernel differ. */
function wrong(row: Row, capture: CaptureName, decide: (frame: Uint8Array) => string): string[] {
  const verdicts = row[capture]
  expect(frames[capture].length).toBe(verdicts.length)
  return frames[capture].flatMap((frame, i) => {
    if (verdicts[i] === '-') return []
    const decision = decide(frame)
    return decision === (verdicts[i] === 'a' ? 'pass' : 'drop') ? [] : [`frame ${i}: ${decision}, told ${verdicts[i]}`]
  })
}

describe.each(golden.rows)('$name under $tool at $hook', (row) => {
  const filter = filterOf(row)

  test.each(Object.keys(FILES) as CaptureName[])('meaning on %s', (capture) => {
    expect(wrong(row, capture, (frame) => evaluate(filter, frame).decision)).toEqual([])
  })

  test('program', () => {
    const { insns, maps } = generate(filter, { type: 'xdp' })
    expect(verify(insns, { type: 'xdp', maps })).toMatchObject({ status: 'accepted' })
    const machine = load(insns, { type: 'xdp', maps })
    const run = (frame: Uint8Array) => {
      const { r0, fault } = machine.run(frame)
      return fault?.reason ?? decisionOf('xdp', r0)
    }
    expect([...wrong(row, 'base', run), ...wrong(row, 'trunc', run)]).toEqual([])
  })
})
