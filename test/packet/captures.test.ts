// Our reading of captures against tshark's: recorded for the captures in samples/ (record-captures.sh), asked afresh for those of a folder
// given as NETSIEVE_PCAPS, and of captures that we wrote, where tshark is installed.

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type CaptureRecord, filterCapture, readCapture, writeCapture } from '../../packages/packet/src/index.ts'

const SAMPLES = join(import.meta.dirname, '../../samples')
const golden: {
  captures: Record<string, { packets: number; first: string; last: string; sha256: string }>
} = JSON.parse(readFileSync(join(import.meta.dirname, 'captures.golden.json'), 'utf8'))

/** A record as record-captures.sh has tshark print it. */
function row({ sec, nsec, originalLength, data, interface: seen }: CaptureRecord, sections = ''): string {
  const md5 = createHash('md5').update(data).digest('hex')
  return `${sec}.${String(nsec).padStart(9, '0')} ${originalLength} ${data.length} ${md5} ${seen?.id ?? sections}`
}

const rows = (bytes: Uint8Array) => readCapture('x', bytes).records.map((record) => row(record))

describe('samples, as tshark read them', () => {
  test('every one is recorded, over 1,000 packets and under 1 MB together', () => {
    const files = readdirSync(SAMPLES).filter((file) => /\.pcap(ng)?$/.test(file))
    expect(Object.keys(golden.captures).sort()).toEqual(files.sort())
    const sizes = files.map((file) => readFileSync(join(SAMPLES, file)).length)
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1_000_000)
    expect(golden.captures['talk.pcap']!.packets).toBeGreaterThan(1000)
  })

  test.each(Object.entries(golden.captures))('%s', (file, { packets, first, last, sha256 }) => {
    const bytes = readFileSync(join(SAMPLES, file))
    const { diagnostics } = readCapture(file, bytes)
    const ours = rows(bytes)
    expect(diagnostics).toEqual([])
    expect([ours.length, ours[0], ours.at(-1)]).toEqual([packets, first, last])
    expect(
      createHash('sha256')
        .update(ours.map((line) => `${line}\n`).join(''))
        .digest('hex'),
    ).toBe(sha256)
    expect(Buffer.from(filterCapture(file, bytes, () => true)).equals(bytes)).toBe(true)
  })
})

const hasTshark = spawnSync('tshark', ['--version']).status === 0

function tshark(file: string): string[] {
  const fields = ['frame.time_epoch', 'frame.len', 'frame.cap_len', 'frame.md5_hash', 'frame.interface_id']
  const args = ['-r', file, '-o', 'frame.generate_md5_hash:TRUE', '-T', 'fields', '-E', 'separator= ']
  const out = execFileSync('tshark', [...args, ...fields.flatMap((field) => ['-e', field])], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return out.split('\n').slice(0, -1)
}

const folder = process.env.NETSIEVE_PCAPS
test.skipIf(!hasTshark || !folder)(
  'captures of the folder NETSIEVE_PCAPS, as tshark reads them',
  { timeout: 300_000 },
  () => {
    const files = readdirSync(folder!).filter((file) => /\.pcap(ng)?$/.test(file))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) {
      const path = join(folder!, file)
      expect([file, ...rows(readFileSync(path))]).toEqual([file, ...tshark(path)])
    }
  },
)

describe.skipIf(!hasTshark)('captures that we wrote, as tshark reads them', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'netsieve-'))
  afterAll(() => rmSync(temporary, { recursive: true }))

  test.each([
    { format: 'pcap' as const, little: true, nanoseconds: true },
    { format: 'pcap' as const, little: false, nanoseconds: false },
    { format: 'pcapng' as const, little: true, nanoseconds: false },
    { format: 'pcapng' as const, little: false, nanoseconds: true },
  ])('%o', (options) => {
    const { records } = readCapture('dns.pcapng', readFileSync(join(SAMPLES, 'dns.pcapng')))
    const path = join(temporary, `written.${options.format}`)
    writeFileSync(path, writeCapture(records, options))
    const id = options.format === 'pcapng' ? '0' : ''
    expect(tshark(path)).toEqual(records.map(({ interface: _, ...record }) => row(record, id)))
  })
})
