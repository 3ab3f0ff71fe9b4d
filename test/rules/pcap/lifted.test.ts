// libpcap's own classic programs, read from what `tcpdump -ddd` prints and translated to eBPF: the machine gives libpcap's verdicts.
// And the eBPF that is generated from the same expressions gives them too, whatever the program type.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decisionOf, type ProgTypeName, parseCbpf, translateCbpf } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { type CaptureRecord, readCapture } from '@netsieve/packet'
import { pcapFilter } from '@netsieve/rules'
import { load, type Machine } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

const GOLDEN = join(import.meta.dirname, '../../golden')
const read = (name: string) => readFileSync(join(GOLDEN, name), 'utf8')
const programs: Record<string, string> = JSON.parse(read('pcap-programs.golden.json'))
const golden: { rows: { expr: string; [capture: string]: string }[] } = JSON.parse(read('pcap.golden.json'))
const captures = ['base', 'trunc'].map((name) => ({
  name,
  records: readCapture(name, readFileSync(join(GOLDEN, `captures/${name}.pcap`))).records,
}))
const rows = golden.rows.filter(({ expr }) => expr in programs)

/** The numbers of the packets that a machine passes, as ranges: `0,4-6`. */
function passed(machine: Machine, type: ProgTypeName, records: readonly CaptureRecord[]): string {
  const ranges: [number, number][] = []
  for (const [i, { data, originalLength }] of records.entries()) {
    const { r0, fault } = machine.run(data, { wireLength: originalLength })
    expect(fault).toBeUndefined()
    if (decisionOf(type, r0) !== 'pass') continue
    const last = ranges.at(-1)
    if (last?.[1] === i - 1) last[1] = i
    else ranges.push([i, i])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

describe("libpcap's programs as eBPF", () => {
  test.each(rows)('$expr', ({ expr, ...verdicts }) => {
    const { value: classic } = parseCbpf({ name: 'ddd', text: programs[expr]! })
    const { value: insns, diagnostics } = translateCbpf(classic!)
    expect(diagnostics).toEqual([])
    const machine = load(insns!, { type: 'socket_filter' })
    for (const { name, records } of captures)
      expect(passed(machine, 'socket_filter', records), name).toBe(verdicts[name])
  })
})

describe.each(['xdp', 'socket_filter'] as const)('%s programs that we generate', (type) => {
  test.each(rows)('$expr', ({ expr, ...verdicts }) => {
    const { value: ast } = pcapFilter.parse({ name: 'expression', text: expr })
    const filter = pcapFilter.lower(ast!, {}).value
    // Refused for a reason that golden/pcap.test.ts gives.
    if (!filter) return expect(verdicts.base).toBe('')
    const { insns, maps } = generate(filter, { type })
    const machine = load(insns, { type, maps })
    for (const { name, records } of captures) expect(passed(machine, type, records), name).toBe(verdicts[name])
  })
})
