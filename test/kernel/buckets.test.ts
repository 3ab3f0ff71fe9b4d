// Limits with a bucket for each key in the real kernel: its verifier accepts the programs, their hash tables fill up as the tools' sets do.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { buildPacket } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'
import { describe, expect, it } from 'vitest'
import { askKernel, MISSING, programOf } from './oracle.ts'

interface Row {
  readonly name: string
  readonly tool: string
  readonly frames: string
  readonly rules: string
  readonly verdicts: string
}

const { rows }: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../golden/state/golden.json'), 'utf8'),
)
const KEYED = rows.filter(
  ({ name, tool }) =>
    /^(?:meter|add-to|update-|seen|not-seen|x-hash|x-recent)/.test(name) && tool !== 'iptables-legacy',
)

function frames(text: string): string[] {
  return text.split(',').flatMap((part) => {
    const [times = 0, length = 0, from = 1] = part.split(/[x@]/).map(Number)
    const { value } = buildPacket(`eth / ipv4(src=10.0.0.${from}, dst=10.0.0.2) / udp(sport=1000, dport=53) / zeros(${length - 28})`) // biome-ignore format: one packet
    return Array<string>(times).fill(Buffer.from(value!.data).toString('hex'))
  })
}

describe.skipIf(MISSING)(`limits with keys in the kernel${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  it('there are some', () => {
    expect(KEYED.length).toBeGreaterThan(10)
  })

  it.each(['xdp', 'sched_cls'] as const)('%s', (type) => {
    const programs = KEYED.map(({ name, tool, rules }) => {
      const { value } = SYNTAXES[tool === 'nft' ? 'nft' : 'iptables'].read(source(name, rules), { hook: 'input' })
      return programOf(generate(value!, { type }))
    })
    const replies = askKernel(programs.map((program, i) => ({ op: 'run', type, ...program, frames: frames(KEYED[i]!.frames) }))) // biome-ignore format: one call
    for (const [i, { accepted, reason, run }] of replies.entries()) {
      if (!accepted) throw new Error(`the kernel rejects ${KEYED[i]!.name}: ${reason}`)
      const told = run!.retvals.map((r0) => (decisionOf(type, r0!) === 'pass' ? 'a' : 'd')).join('')
      expect({ name: KEYED[i]!.name, told }).toEqual({ name: KEYED[i]!.name, told: KEYED[i]!.verdicts })
    }
  })
})
