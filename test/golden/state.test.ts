// Rules that keep something from packet to packet, set marks, log and reject, against the verdicts of nft, iptables-nft and iptables-legacy on
// packets that came at once (state/record.py).

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, type Filter, newState } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { Sieve } from 'netsieve'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly name: string
  readonly tool: 'nft' | 'iptables-nft' | 'iptables-legacy'
  /** Packets by their number, length and the end of their source: `4x100,1x200@7`. */
  readonly frames: string
  readonly rules: string
  /** One character a packet: a or d. */
  readonly verdicts: string
}

const { rows }: { readonly rows: readonly Row[] } = JSON.parse(readFileSync(join(import.meta.dirname, 'state/golden.json'), 'utf8'))
const PROFILES = { nft: 'nft-6.18', 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const

function filterOf({ tool, rules, name }: Row): Filter {
  const { value, diagnostics } = SYNTAXES[tool === 'nft' ? 'nft' : 'iptables'].read(source(name, rules), { profile: PROFILES[tool], hook: 'input' })
  const checked = value && check(value)
  if (!checked?.value) throw new Error(renderAll([...diagnostics, ...(checked?.diagnostics ?? [])]))
  return checked.value
}

function framesOf(text: string): Uint8Array[] {
  return text.split(',').flatMap((part) => {
    const [times = 0, length = 0, source = 1] = part.split(/[x@]/).map(Number)
    const { value } = buildPacket(`eth / ipv4(src=10.0.0.${source}, dst=10.0.0.2) / udp(sport=1000, dport=53) / zeros(${length - 28})`)
    return Array<Uint8Array>(times).fill(value!.data)
  })
}

test('every tool has rules that keep something', () => {
  for (const tool of ['nft', 'iptables-nft', 'iptables-legacy']) expect(rows.filter((row) => row.tool === tool).length).toBeGreaterThan(10)
  expect(rows.filter(({ verdicts }) => verdicts.includes('a') && verdicts.includes('d')).length).toBeGreaterThan(20)
})

describe.each(rows)('$name under $tool', (row) => {
  const filter = filterOf(row)
  const frames = framesOf(row.frames)
  const letter = (decision: string) => (decision === 'pass' ? 'a' : 'd')

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
