// Rules that change sets of ipset against the verdicts of real kernels (ipset/record-changes.py): evaluate and programs must say the same.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, newState } from '@netsieve/ir'
import { SYNTAXES } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { Sieve } from 'netsieve'
import { describe, expect, test } from 'vitest'
import { framesOf, letter } from './state-rows.ts'

interface Row {
  readonly name: string
  readonly tool: 'iptables-nft' | 'iptables-legacy'
  readonly frames: string
  readonly sets: string
  readonly rules: string
  readonly verdicts: string
}

const { rows }: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, 'ipset/changes.golden.json'), 'utf8'),
)

const NOW = 1_700_000_000_000_000_000n

test('both tools are recorded', () => {
  expect(new Set(rows.map(({ tool }) => tool)).size).toBe(2)
  expect(rows.length).toBeGreaterThan(10)
})

describe.each(rows)('$name under $tool', ({ name, tool, frames, sets, rules, verdicts }) => {
  const profile = tool === 'iptables-nft' ? 'xt-nft' : 'xt-legacy'
  const { value, diagnostics } = SYNTAXES.iptables.read(source(name, rules), { profile, hook: 'input', ipsets: source('sets', sets) })
  const checked = value && check(value).value
  if (!checked) throw new Error(renderAll(diagnostics))

  test('meaning', () => {
    const state = newState(checked)
    const told = framesOf(frames).map((frame) => letter(evaluate(checked, frame, { state, timestampNs: NOW }).decision))
    expect(told.join('')).toBe(verdicts)
  })

  test.each(['xdp', 'sched_cls'] as const)('%s program', (type) => {
    const generated = generate(checked, { type })
    expect(verify(generated.insns, generated)).toMatchObject({ status: 'accepted' })
    const sieve = new Sieve({ source: source('', ''), syntax: 'iptables', filter: checked, ...generated }, 'jit')
    const told = framesOf(frames).map((frame) => letter(sieve.judge(frame, { timestampNs: NOW }).verdict))
    expect(told.join('')).toBe(verdicts)
  })
})
