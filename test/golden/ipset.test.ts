// iptables' `-m set` against the verdicts that the kernel gave on whole and cut frames, with the sets of ipset/sets.txt (ipset/record.py): evaluate
// says the same of each, and so do programs.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, type Filter, fromJson, parse, print, toJson } from '@netsieve/ir'
import { type Metadata, parseName, readCapture } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { Sieve } from 'netsieve'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly match: string
  readonly capture: 'base' | 'trunc'
  readonly tool: 'iptables-nft' | 'iptables-legacy'
  readonly hook: string
  readonly rules: string
  /** Which list of frames nothing is told of. */
  readonly untold: number
  readonly dropped: readonly number[]
}

const file = (name: string) => join(import.meta.dirname, name)
const golden: { readonly untold: readonly (readonly number[])[]; readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(file('ipset/golden.json'), 'utf8'),
)
const ipsets = source('sets.txt', readFileSync(file('ipset/sets.txt'), 'utf8'))
const framesOf = (name: string) => readCapture(name, readFileSync(file(`captures/${name}.pcap`))).records.map(({ data }) => data) // biome-ignore format: one call
const frames = { base: framesOf('base'), trunc: framesOf('trunc') }
const PROFILES = { 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const
/** The device that the frames came in by. */
const meta: Metadata = { 'meta.iifname': parseName('in0')! }

function filterOf({ tool, rules, hook, match }: Row): Filter {
  const { value, diagnostics } = SYNTAXES.iptables.read(source(match, rules), { profile: PROFILES[tool], hook, ipsets })
  const checked = value && check(value)
  if (!checked?.value) throw new Error(renderAll([...diagnostics, ...(checked?.diagnostics ?? [])]))
  return checked.value
}

/** Frames that `decide` and the kernel differ on. */
function wrong(row: Row, decide: (frame: Uint8Array) => string): string[] {
  const untold = new Set(golden.untold[row.untold])
  const dropped = new Set(row.dropped)
  return frames[row.capture].flatMap((frame, i) => {
    const told = dropped.has(i) ? 'drop' : 'pass'
    if (untold.has(i)) return []
    const decision = decide(frame)
    return decision === told ? [] : [`frame ${i}: ${decision}, told ${told}`]
  })
}

test('most matches drop some frames, and not all', () => {
  const some = golden.rows.filter(({ dropped, capture }) => dropped.length > 0 && dropped.length < frames[capture].length)
  expect(golden.rows.length).toBeGreaterThan(150)
  expect(some.length).toBeGreaterThan(golden.rows.length * 0.75)
})

describe.each(golden.rows)('$match under $tool at $hook on $capture', (row) => {
  const filter = filterOf(row)

  test('meaning', () => {
    expect(wrong(row, (frame) => evaluate(filter, frame, { meta }).decision)).toEqual([])
  })

  test('program', () => {
    const generated = generate(filter, { type: 'xdp' })
    expect(verify(generated.insns, generated)).toMatchObject({ status: 'accepted' })
    const sieve = new Sieve({ source: source('', ''), syntax: 'iptables', filter, ...generated }, 'jit')
    expect(wrong(row, (frame) => sieve.judge(frame, {}, meta).verdict)).toEqual([])
  })

  test('text and JSON', () => {
    const text = print(filter)
    expect(print(parse(source('', text)).value!)).toBe(text)
    expect(print(fromJson(JSON.parse(JSON.stringify(toJson(filter)))).value!)).toBe(text)
  })
})
