// The programs of filters decide as their meaning says, on frames around their constants: every line of the recordings that is taken.

import { readFileSync } from 'node:fs'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { compare } from '@netsieve/equiv'
import type { Filter } from '@netsieve/ir'
import { SYNTAXES } from '@netsieve/rules'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

const FRAMES = 400

function rows(path: string): string[] {
  const { rows } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
    readonly rows: readonly { readonly line: string; readonly accepted: boolean }[]
  }
  return rows.filter(({ accepted }) => accepted).map(({ line }) => line)
}

function lowered(syntax: 'flower' | 'ethtool' | 'u32', line: string): Filter | undefined {
  return SYNTAXES[syntax].read(source('line', line), {}).value
}

describe.each([
  ['flower', rows('./tc-6.1.golden.json')],
  ['ethtool', rows('../ethtool/ethtool-6.1.golden.json')],
  ['u32', rows('../u32/tc-6.1.golden.json')],
] as const)('%s', (front, lines) => {
  const filters = lines.flatMap((line) => {
    const filter = lowered(front, line)
    return filter ? [[line, filter] as const] : []
  })

  test('most recorded lines are taken', () => {
    expect(filters.length).toBeGreaterThan(lines.length / 2)
  })

  test.each(filters)('%s', (_, filter) => {
    const { insns, maps } = generate(filter, { type: 'xdp' })
    const machine = load(insns, { type: 'xdp', maps })
    const decide = (frame: Uint8Array) => {
      const { r0, fault, exit } = machine.run(frame)
      if (fault) throw new Error(fault.reason)
      const decision = decisionOf('xdp', r0)
      if (decision !== 'pass' && decision !== 'drop') throw new Error(`the program returns ${r0}`)
      const act = insns[exit!]?.origin?.act
      return { decision, ...(act !== undefined && { act }) }
    }
    expect(compare({ filter }, { filter, decide }, { runs: FRAMES })).toEqual({
      status: 'none-found',
      runs: FRAMES,
      seed: 1,
    })
  })
})
