// Our reading of tcpdump's expressions against libpcap's: pcap.golden.json, recorded by pcap.record.py on the captures beside it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { pcapFilter } from '@netsieve/rules'
import { describe, expect, test } from 'vitest'

interface Row {
  readonly expr: string
  readonly error?: string
  readonly [capture: string]: string | undefined
}
interface Golden {
  readonly tool: string
  readonly packets: Readonly<Record<string, number>>
  readonly rows: readonly Row[]
}

const file = (name: string) => join(import.meta.dirname, name)
const golden: Golden = JSON.parse(readFileSync(file('pcap.golden.json'), 'utf8'))
const captures = Object.entries(golden.packets).map(([name, packets]) => {
  const { records } = readCapture(name, readFileSync(file(`captures/${name}.pcap`)))
  return { name, packets, records }
})

/** Expressions that libpcap takes and we refuse, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  'decnet host 64.1': 'no such DECnet address: areas end at 63',
  'decnet host 1.1024': 'no such DECnet address: nodes end at 1023',
}

/** Expressions that libpcap refuses on a capture and we take. */
const TAKEN: Readonly<Record<string, string>> = {
  'on eth0': 'the name of the interface is metadata, which a pcapng file has',
  'ifname eth0': 'the name of the interface is metadata, which a pcapng file has',
}

function lowered(expr: string) {
  const { value } = pcapFilter.parse({ name: 'expression', text: expr })
  return value && pcapFilter.lower(value, {}).value
}

/** `0,4-6` as one character a packet. */
function marks(ranges: string, packets: number): string {
  const out = Array<string>(packets).fill('.')
  for (const range of ranges.split(',').filter((each) => each !== '')) {
    const [first, last = first] = range.split('-').map(Number)
    out.fill('x', first, last! + 1)
  }
  return out.join('')
}

describe(`verdicts of ${golden.tool}`, () => {
  test('every capture is as it was recorded', () => {
    for (const { packets, records } of captures) expect(records).toHaveLength(packets)
    expect(golden.rows.length).toBeGreaterThan(300)
  })

  test.each(golden.rows.filter(({ error }) => error === undefined))('$expr', (row) => {
    const filter = lowered(row.expr)
    if (row.expr in REFUSED) return expect(filter).toBeUndefined()
    expect(filter).toBeDefined()
    for (const { name, packets, records } of captures) {
      const ours = records.map(({ data, originalLength }) => {
        const { decision } = evaluate(filter!, data, { wireLength: originalLength })
        return decision === 'pass' ? 'x' : '.'
      })
      expect(ours.join(''), name).toBe(marks(row[name]!, packets))
    }
  })

  test.each(golden.rows.filter(({ error }) => error !== undefined))('refused: $expr', ({ expr }) => {
    if (expr in TAKEN) expect(lowered(expr)).toBeDefined()
    else expect(lowered(expr)).toBeUndefined()
  })
})
