// Options, extension headers, chunks and parts of messages against the verdicts that nft, iptables-nft and iptables-legacy gave on frames with
// lists of every kind, many of them odd (netfilter/record-lists.py): evaluate says the same of each, and so do programs.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { evaluate, type Filter } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { iptables, nft } from '@netsieve/rules'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly match: string
  readonly tool: 'nft' | 'iptables-nft' | 'iptables-legacy'
  readonly hook: string
  readonly rules: string
  /** Which list of frames nothing is told of. */
  readonly untold: number
  readonly dropped: readonly number[]
}

const file = (name: string) => join(import.meta.dirname, name)
interface Golden {
  readonly untold: readonly (readonly number[])[]
  readonly rows: readonly Row[]
}
const NAMES = ['lists', 'matches'] as const
const recorded = NAMES.map((name) => ({
  name,
  golden: JSON.parse(readFileSync(file(`netfilter/${name}.golden.json`), 'utf8')) as Golden,
  frames: readCapture(name, readFileSync(file(`captures/${name}.pcap`))).records.map(({ data }) => data),
}))
type Recorded = (typeof recorded)[number]
const PROFILES = { nft: 'nft-6.18', 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const

function filterOf({ tool, rules, hook, match }: Row): Filter {
  const front = tool === 'nft' ? nft : iptables
  const parsed = front.parse(source(match, rules))
  const lowered = parsed.value && front.lower(parsed.value as never, { profile: PROFILES[tool], hook })
  if (!lowered?.value) throw new Error(renderAll([...parsed.diagnostics, ...(lowered?.diagnostics ?? [])]))
  return lowered.value
}

/** Frames that `decide` and the kernel differ on. */
function wrong({ golden, frames }: Recorded, row: Row, decide: (frame: Uint8Array) => string): string[] {
  const untold = new Set(golden.untold[row.untold])
  const dropped = new Set(row.dropped)
  return frames.flatMap((frame, i) => {
    const told = dropped.has(i) ? 'drop' : 'pass'
    if (untold.has(i)) return []
    const decision = decide(frame)
    return decision === told ? [] : [`frame ${i}: ${decision}, told ${told}`]
  })
}

test.each(recorded)('$name: most matches drop some frames, and not all', ({ golden: { rows }, frames }) => {
  expect(rows.filter(({ dropped }) => dropped.length > 0).length).toBeGreaterThan(rows.length * 0.95)
  expect(rows.every(({ dropped }) => dropped.length < frames.length / 2 + 900)).toBe(true)
})

test('there are many of them', () => {
  expect(recorded.flatMap(({ golden }) => golden.rows).length).toBeGreaterThan(280)
})

describe.each(recorded.flatMap((of) => of.golden.rows.map((row) => ({ ...row, of }))))('$match under $tool at $hook on $of.name', (row) => {
  const filter = filterOf(row)

  test('meaning', () => {
    expect(wrong(row.of, row, (frame) => evaluate(filter, frame).decision)).toEqual([])
  })

  test('program', () => {
    const { insns, maps } = generate(filter, { type: 'xdp' })
    const machine = load(insns, { type: 'xdp', maps, engine: 'jit', patience: 0 })
    expect(
      wrong(row.of, row, (frame) => {
        const { r0, fault } = machine.run(frame)
        return fault?.reason ?? decisionOf('xdp', r0)
      }),
    ).toEqual([])
  })
})
