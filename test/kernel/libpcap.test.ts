// Pcap expressions against libpcap itself, on every link type: what it takes and refuses, and its verdict on each packet, with ours by the
// meaning, by eBPF and by classic BPF. NETSIEVE_RUNS says how many expressions a link type, NETSIEVE_SEED which ones; NETSIEVE_CAPTURES may name
// a folder of captures more.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { PcapLink } from '@netsieve/rules'
import { describe, expect, it } from 'vitest'
import { expressions, lists } from './expressions.ts'
import { compareWithLibpcap, LINKS, MISSING, packetsOf } from './libpcap.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 100)
const SEED = Number(process.env.NETSIEVE_SEED ?? 20_261_127)
const FOLDER = process.env.NETSIEVE_CAPTURES
const CAPTURES = [
  ...['base', 'flags', 'trunc'].map((name) => join(import.meta.dirname, `../golden/captures/${name}.pcap`)),
  ...(FOLDER ? readdirSync(FOLDER).filter((name) => /\.pcap(ng)?$/.test(name)).map((name) => join(FOLDER, name)) : []), // biome-ignore format: one list
]

/** What we refuse and libpcap takes, or the other way: test/golden/pcap.md. */
const KNOWN = [
  /shift by more than 31 bits|division by zero|modulus by zero/, // libpcap takes the index of an accessor for the operand
]

describe.skipIf(MISSING)(`expressions as libpcap has them${MISSING ? ` (skipped: ${MISSING})` : ''}`, () => {
  it.each(Object.keys(LINKS) as PcapLink[])('%s', { timeout: 3_600_000 }, (link) => {
    const packets = packetsOf(link, CAPTURES)
    let equal = 0
    let refused = 0
    for (const finding of compareWithLibpcap(link, expressions(RUNS, SEED), packets, { evaluateEvery: 7 })) {
      expect(finding.differ, finding.expr).toBeUndefined()
      if (finding.insns) equal++
      if (finding.refused && !KNOWN.some((reason) => reason.test(finding.refused!.why))) refused++
    }
    expect(packets.length).toBeGreaterThan(100)
    expect(equal).toBeGreaterThan(RUNS / 4)
    expect(refused).toBeLessThanOrEqual(RUNS / 100)
  })

  it('long lists of alternatives', { timeout: 3_600_000 }, () => {
    const packets = packetsOf('EN10MB', CAPTURES)
    let equal = 0
    for (const finding of compareWithLibpcap('EN10MB', lists(RUNS, SEED, 80), packets, { evaluateEvery: 7 })) {
      expect(finding.differ, finding.expr).toBeUndefined()
      if (finding.insns) equal++
    }
    expect(equal).toBeGreaterThan(RUNS / 2)
  })
})
