// tc u32 filters against the verdicts that the kernel gave (u32/record.py): what the front-end makes of them means the same, and so do predicates
// under the profile u32, and programs of both.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionOf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { renderAll, source } from '@netsieve/diag'
import { check, evaluate, type Filter, parse } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { u32 } from '@netsieve/rules'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly name: string
  /** Lines of tc, after `tc filter add dev … ingress`. */
  readonly filters: readonly string[]
  /** The same in the IR. */
  readonly pred?: string
  /** One character a frame: d (dropped), p (passed by a filter), . (not matched), - (could not be sent). */
  readonly base: string
  readonly trunc: string
}

const file = (name: string) => readFileSync(join(import.meta.dirname, name))
const golden: { readonly rows: readonly Row[] } = JSON.parse(file('u32/golden.json').toString())

const CAPTURES = (['base', 'trunc'] as const).map((name) => ({
  name,
  frames: readCapture(name, file(`captures/${name}.pcap`)).records.map(({ data }) => data),
}))

function ofPredicate(pred: string): Filter {
  const text = `filter u32 profile u32
hook ingress view u32 family any chain c policy accept
chain c {
  #0: ${pred}, → drop
}
`
  const { value, diagnostics } = parse(source('u32', text))
  if (!value) throw new Error(renderAll(diagnostics))
  return value
}

function ofLines(lines: readonly string[]): Filter {
  const parsed = u32.parse(source('lines', lines.join('\n')))
  const lowered = parsed.value && u32.lower(parsed.value, {})
  if (!lowered?.value) throw new Error(renderAll([...parsed.diagnostics, ...(lowered?.diagnostics ?? [])]))
  return lowered.value
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
  for (const { name, base } of golden.rows) expect([name, /d/.test(base), /[.p]/.test(base)]).toEqual([name, true, true])
})

const CASES = golden.rows.flatMap((row) => [
  [row.name, row, ofLines(row.filters)] as const,
  ...(row.pred === undefined ? [] : [[`${row.name}, as a predicate`, row, ofPredicate(row.pred)] as const]),
])

describe.each(CASES)('%s', (_, row, filter) => {
  test('meaning', () => {
    expect(check(filter).diagnostics).toEqual([])
    expect(wrong(row, (frame) => evaluate(filter, frame).decision)).toEqual([])
  })

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
