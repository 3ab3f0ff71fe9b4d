// Rules that keep something from packet to packet, set marks, log and reject, against the verdicts of nft, iptables-nft and iptables-legacy on
// packets that came at once (state/record.py).

import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { evaluate, newState } from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { Sieve } from 'netsieve'
import { describe, expect, test } from 'vitest'
import { filterOf, framesOf, letter, rows } from './state-rows.ts'

test('every tool has rules that keep something', () => {
  for (const tool of ['nft', 'iptables-nft', 'iptables-legacy']) expect(rows.filter((row) => row.tool === tool).length).toBeGreaterThan(10)
  expect(rows.filter(({ verdicts }) => verdicts.includes('a') && verdicts.includes('d')).length).toBeGreaterThan(20)
})

describe.each(rows)('$name under $tool', (row) => {
  const filter = filterOf(row)
  const frames = framesOf(row.frames)

  test('meaning', () => {
    const state = newState(filter)
    const now = 1_700_000_000_000_000_000n
    expect(frames.map((frame) => letter(evaluate(filter, frame, { state, timestampNs: now }).decision)).join('')).toBe(row.verdicts)
  })

  test.each(['xdp', 'sched_cls'] as const)('%s program', (type) => {
    const generated = generate(filter, { type })
    expect(verify(generated.insns, generated)).toMatchObject({ status: 'accepted' })
    const sieve = new Sieve({ source: source('', ''), syntax: 'nft', filter, ...generated }, 'jit')
    expect(frames.map((frame) => letter(sieve.judge(frame, { timestampNs: 1_700_000_000_000_000_000n }).verdict)).join('')).toBe(row.verdicts)
  })
})
