// Rules that one program cannot hold, on the command line: run, checked, traced and verified as a set of programs.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeCapture } from '@netsieve/packet'
import { afterAll, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'netsieve-programs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const COUNT = 4000
const rules = Array.from({ length: COUNT }, (_, i) => `ip saddr & 0.0.255.255 == 0.0.${i >> 8}.${i & 255} ip ttl > ${i % 60} ip id != ${i + 1} meta length > ${i % 40} ip daddr & 0.255.0.255 != 0.1.0.${i % 250} udp dport < ${1000 + (i % 50)} ${i % 2 ? 'drop' : 'accept'}`) // biome-ignore format: a row
writeFileSync(join(folder, 'rules.nft'), `table ip t {\n chain c {\n  type filter hook input priority 0; policy drop\n${rules.join('\n')}\n }\n}\n`) // biome-ignore format: one act

const packet = (id: number, port: number): Uint8Array => {
  const bytes = new Uint8Array(60)
  bytes.set([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, id >> 8, id & 255, 10, 0, 0, 1, 0, 1, port >> 8, port & 255], 12) // biome-ignore format: a header
  return bytes
}
const ids = [0, 1, 2000, COUNT - 2, COUNT - 1, COUNT]
const packets = ids.flatMap((id) => [packet(id, 53), packet(id, 2000)])
writeFileSync(join(folder, 'in.pcap'), writeCapture(packets.map((data) => ({ data, linkType: 1 })), { format: 'pcap' })) // biome-ignore format: one act

function netsieve(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'packages/netsieve/bin/netsieve.js'), ...args, '-f', 'rules.nft', '--prog', 'socket'], { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 }) // biome-ignore format: one act
  return { status, stdout, stderr }
}

it('runs, and decides as the rules mean, by whichever rule it is', { timeout: 240_000 }, () => {
  const { status, stdout, stderr } = netsieve('run', '-r', 'in.pcap', '--json', '--check')
  expect([status, stderr]).toEqual([0, ''])
  const told = JSON.parse(stdout) as {
    programs: number
    packets: number
    dropped: number
    verifier: { status: string; processed: number; programs: number[] }
    hits: { rule: number; hits: number }[]
  }
  expect(told).toMatchObject({ packets: packets.length, dropped: 9, verifier: { status: 'accepted' } })
  expect(told.programs).toBeGreaterThan(1)
  expect(told.verifier.programs).toHaveLength(told.programs)
  expect(told.verifier.programs.reduce((sum, each) => sum + each, 0)).toBe(told.verifier.processed)
  expect(told.hits.filter(({ hits }) => hits > 0).map(({ rule, hits }) => [rule, hits])).toEqual(
    ids.slice(0, -1).map((id) => [id, 1]),
  )
})

it('traces from program to program', { timeout: 240_000 }, () => {
  const { status, stdout } = netsieve('trace', '-r', 'in.pcap', '-p', String(2 * (ids.length - 2)))
  expect(status).toBe(0)
  const marks = stdout.split('\n').filter((line) => /^; (on to )?program|^packet/.test(line))
  expect(marks).toEqual([
    '; program start',
    '; on to program 1',
    '; program 1',
    '; program start',
    expect.stringContaining(`drop, r0 = 0, by rule ${COUNT - 1}: `),
  ])
})
