// Limits with a bucket for each key in the real kernel: its verifier accepts the programs, their hash tables fill up as the tools' sets do.

import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { SYNTAXES } from '@netsieve/rules'
import { describe, expect, it } from 'vitest'
import { framesOf, rows } from '../golden/state-rows.ts'
import { askKernel, MISSING, programOf } from './oracle.ts'

const KEYED = rows.filter(
  ({ name, tool }) =>
    /^(?:meter|add-to|update-|seen|not-seen|x-hash|x-recent)/.test(name) && tool !== 'iptables-legacy',
)

const frames = (text: string): string[] => framesOf(text).map((frame) => Buffer.from(frame).toString('hex'))

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
