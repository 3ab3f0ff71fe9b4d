// Words that tc u32 loads, against the verdicts that the kernel gave (u32/record.py): the profile u32 means the same, and so do its programs.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, type Filter, parse } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly name: string
  readonly pred: string
  /** One character a frame: d (matched), . (not), - (could not be sent). */
  readonly base: string
  readonly trunc: string
}

const file = (name: string) => readFileSync(join(import.meta.dirname, name))
const golden: { readonly rows: readonly Row[] } = JSON.parse(file('u32/golden.json').toString())

const CAPTURES = (['base', 'trunc'] as const).map((name) => ({
  name,
  frames: readCapture(name, file(`captures/${name}.pcap`)).records.map(({ data }) => data),
}))

function filterOf({ pred }: Row): Filter {
  const text = `filter u32 profile u32
hook ingress view u32 family any chain c policy accept
chain c {
  #0: ${pred}, → drop
}
`
  const { value, diagnostics } = parse(source('u32', text))
  if (!value) throw new Error(renderAll(diagnostics))
  expect(check(value).diagnostics).toEqual([])
  return value
}

/** Frames on which `decide` and the kernel differ. */
function wrong(row: Row, decide: (frame: Uint8Array) => string): string[] {
  return CAPTURES.flatMap(({ name, frames }) => {
    expect(frames.length).toBe(row[name].length)
    return frames.flatMap((frame, i) => {
      const told = row[name][i]
      if (told === '-') return []
      return decide(frame) === (told === 'd' ? 'drop' : 'pass') ? [] : [`${name} ${i}: told ${told}`]
    })
  })
}

test('every case matches some frames and not others', () => {
  for (const row of golden.rows) expect([row.name, /d/.test(row.base), /\./.test(row.base)]).toEqual([row.name, true, true])
})

describe.each(golden.rows)('$name', (row) => {
  const filter = filterOf(row)
  test('meaning', () => expect(wrong(row, (frame) => evaluate(filter, frame).decision)).toEqual([]))

  test.each(['xdp', 'sched_cls'] as const)('%s', (type) => {
    const { insns, maps } = generate(filter, { type })
    expect(verify(insns, { type, maps })).toMatchObject({ status: 'accepted' })
    const machine = load(insns, { type, maps })
    const run = (frame: Uint8Array) => {
      const { r0, fault } = machine.run(frame)
      return fault?.reason ?? decisionOf(type, r0)
    }
    expect(wrong(row, run)).toEqual([])
  })
})
