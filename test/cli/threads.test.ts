// `-j`: several threads give what one gives, byte for byte, whatever the capture does to those who guess where its records begin.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generate, programsOf } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check } from '@netsieve/ir'
import { nft } from '@netsieve/rules'
import { load } from '@netsieve/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { guessBoundary } from '../../packages/netsieve/src/cli/team/boundary.ts'
import { jobOf } from '../../packages/netsieve/src/cli/team/team.ts'
import { batchOf } from '../../packages/netsieve/src/cli/team/worker.ts'
import { Random } from '../vm/generate.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'packages/netsieve/bin/netsieve.js')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'netsieve-threads-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SECOND = 1_700_000_000

/** A record with an Ethernet frame: IPv4 and TCP to port 80 in every third. */
function record(i: number, length: number, second: number, fillWith: (data: Uint8Array) => void): Uint8Array {
  const out = new Uint8Array(16 + length)
  const view = new DataView(out.buffer)
  view.setUint32(0, second, true)
  view.setUint32(4, i % 1_000_000, true)
  view.setUint32(8, length, true)
  view.setUint32(12, length, true)
  if (length > 60) fillWith(out.subarray(70))
  out.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45], 16)
  view.setUint16(16 + 16, Math.min(length - 14, 65535))
  out[16 + 23] = 6
  view.setUint16(16 + 36, i % 3 === 0 ? 80 : 443)
  return out
}

function capture(
  megabytes: number,
  seed: number,
  options: { second?: number; lengths: readonly number[]; fill: (data: Uint8Array) => void },
): Uint8Array {
  const random = new Random(seed)
  const out = new Uint8Array(megabytes * 1_000_000)
  const view = new DataView(out.buffer)
  view.setUint32(0, 0xa1b2c3d4, true)
  view.setUint32(4, 0x00040002, true)
  view.setUint32(16, 262_144, true)
  view.setUint32(20, 1, true)
  let at = 24
  for (let i = 0; ; i++) {
    const one = record(i, random.pick(options.lengths), options.second ?? SECOND, options.fill)
    if (at + one.length > out.length) return out.subarray(0, at)
    out.set(one, at)
    at += one.length
  }
}

/** Bytes that are themselves records of a capture, with a false length here and there. */
function nested(data: Uint8Array): void {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  for (let at = 0; at + 16 <= data.length; at += 16) {
    view.setUint32(at, SECOND, true)
    view.setUint32(at + 4, 5, true)
  }
}
const nothing = (): void => {}

const CAPTURES: Readonly<Record<string, () => Uint8Array>> = {
  'frames of usual lengths': () => capture(19, 1, { lengths: [60, 66, 90, 200, 1514], fill: nothing }),
  'captures inside of frames': () => capture(19, 2, { lengths: [1514, 9000, 60], fill: nested }),
  'time stamps and bytes of 0': () => capture(19, 3, { second: 0, lengths: [1514, 60], fill: nothing }),
  'frames longer than what is looked back': () => capture(19, 4, { lengths: [200_000, 60, 262_144], fill: nested }),
}

function run(args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    // These captures are small: threads would not be worth their start.
    env: { ...process.env, NETSIEVE_SHARE: 'at once' },
  })
  return { status, stdout, stderr }
}

describe.each(Object.entries(CAPTURES))('%s', (name, make) => {
  const path = (): string => join(folder, `${name}.pcap`)
  beforeAll(() => writeFileSync(path(), make()))
  afterAll(() => rmSync(path()))

  test('the packets that pass, byte for byte', () => {
    const [one, many] = ['1', '3'].map((threads) => {
      const to = join(folder, `out${threads}.pcap`)
      expect(run(['-r', path(), '-w', to, '-j', threads, 'tcp dst port 80'])).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      })
      return readFileSync(to)
    })
    expect(one!.length).toBeGreaterThan(1_000_000)
    expect(one!.equals(many!)).toBe(true)
  })

  test('the counts', () => {
    const [one, many] = ['1', '2'].map((threads) =>
      run(['run', '-r', path(), '-f', 'samples/rules/web.nft', '-j', threads, '--json']),
    )
    expect(one!.status).toBe(0)
    expect(many).toEqual(one)
  })
})

test('the counts of rules that are divided into functions', () => {
  const path = join(folder, 'divided.pcap')
  writeFileSync(path, capture(10, 5, { lengths: [200, 1514], fill: nothing }))
  const rules = join(folder, 'divided.rules')
  // Numbers that are compared with one another are no list, and asking so many rules takes longer than another thread needs to begin.
  const lines = Array.from({ length: 2500 }, (_, i) => `-A INPUT -p tcp -m bpf --bytecode "7,40 0 0 2,7 0 0 0,48 0 0 8,4 0 0 ${i + 2000},29 0 1 0,6 0 0 1,6 0 0 0" -j DROP`) // biome-ignore format: one rule a line
  writeFileSync(rules, [...lines, '-A INPUT -p tcp --dport 80 -j DROP'].join('\n'))
  const [one, many] = ['1', '2'].map((threads) => run(['run', '-r', path, '-f', rules, '--hook', 'input', '-j', threads, '--json'])) // biome-ignore format: one call
  const { hits } = JSON.parse(one!.stdout)
  expect(hits.find(({ rule }: { rule: number }) => rule === 2500).hits).toBeGreaterThan(1000)
  expect(many).toEqual(one)
})

test('another thread has the same programs, of rules that are divided into several', () => {
  const rules = Array.from({ length: 40 }, (_, i) => `tcp dport ${i} tcp sport ${i} ${i % 2 ? 'accept' : 'drop'}`)
  const text = `table inet t { chain c { type filter hook input priority 0; policy accept; ${rules.join('; ')}; tcp dport 80 drop } }`
  const filter = check(nft.lower(nft.parse(source('list', text)).value!, {}).value!).value!
  const plan = { part: 60, inline: 0, depth: 0, program: 200 }
  const compiled = { ...generate(filter, { type: 'xdp', oneByOne: true, plan }), filter }
  expect(programsOf(compiled).length).toBeGreaterThan(2)
  const bytes = capture(0.1, 7, { lengths: [60, 200], fill: nothing }).subarray(24)
  const options = { chunkBytes: 1 << 17, exits: true }
  const machine = load(compiled.insns, { type: 'xdp', maps: compiled.maps, programs: compiled.programs! })
  expect(machine.stateless).toBe(true)
  const sieve = { compiled, facts: undefined }
  const job = jobOf({ sieve } as unknown as Parameters<typeof jobOf>[0], {} as Parameters<typeof jobOf>[1], options)
  const [first, other] = [machine.batch(options), batchOf(structuredClone(job))].map((batch) => {
    expect(batch.compiled).toBe(true)
    batch.input.set(bytes)
    const { records, r0, exits } = batch.run(bytes.length)
    return { records, r0: [...r0], exits: [...exits] }
  })
  expect(new Set(first!.r0).size).toBe(2)
  expect(other).toEqual(first)
})

test.each([
  ['cut in the middle of a record', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 7)],
  [
    'a false length in the middle',
    (bytes: Uint8Array) => {
      // The record that begins after the first 9 MB.
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      let at = 24
      while (at < 9_000_000) at += 16 + view.getUint32(at + 8, true)
      view.setUint32(at + 8, 0x7fffffff, true)
      return bytes
    },
  ],
] as const)('%s: the same message, and the same packets', (name, spoil) => {
  const path = join(folder, 'spoilt.pcap')
  writeFileSync(path, spoil(CAPTURES['frames of usual lengths']!()))
  const results = ['1', '3'].map((threads) => run(['run', '-r', path, '-j', threads, '--json', 'tcp dst port 80']))
  expect(results[1], name).toEqual(results[0])
  expect(results[0]!.stderr).toMatch(/capture\/(cut|length)/)
})

test('a file that there is no room for', () => {
  const path = join(folder, 'room.pcap')
  writeFileSync(path, CAPTURES['frames of usual lengths']!())
  const [one, many] = ['1', '3'].map((threads) => {
    const args = [BIN, '-r', path, '-w', join(folder, 'small.pcap'), '-j', threads, 'tcp']
    const { status, stderr } = spawnSync('sh', ['-c', 'ulimit -f 2000; exec "$@"', 'sh', process.execPath, ...args], { encoding: 'utf8' }) // biome-ignore format: one call
    return { status, stderr }
  })
  expect(one!.status).toBe(2)
  expect(one!.stderr).toMatch(/small\.pcap: error: .*\[io\/write\]\n$/)
  expect(many).toEqual(one)
  expect(readdirSync(folder).filter((name) => name.startsWith('small'))).toEqual([])
})

test('a file whose last chunk would begin behind its end', () => {
  const path = join(folder, 'edge.pcap')
  // Twelve chunks of 1 MiB and 10 bytes: the record that ends there is made as long as it has to be.
  const all = CAPTURES['frames of usual lengths']!()
  const size = 12 * 1024 * 1024 + 10
  const view = new DataView(all.buffer, all.byteOffset)
  let at = 24
  while (at + 16 + view.getUint32(at + 8, true) < size - 2000) at += 16 + view.getUint32(at + 8, true)
  view.setUint32(at + 8, size - at - 16, true)
  view.setUint32(at + 12, size - at - 16, true)
  writeFileSync(path, all.subarray(0, size))
  const results = ['1', '2', '3'].map((threads) => run(['run', '-r', path, '-j', threads, '--json', 'tcp dst port 80']))
  expect(results[0]!.stderr).toBe('')
  expect(results[1]).toEqual(results[0])
  expect(results[2]).toEqual(results[0])
})

test('a number of threads that is none', () => {
  expect(run(['run', '-r', 'samples/talk.pcap', '-j', '0', 'tcp']).stderr).toMatch(/1 to 99 threads/)
})

test('a guess is the first record that ends behind the place', () => {
  const bytes = capture(1, 9, { lengths: [60, 300], fill: nothing })
  const view = new DataView(bytes.buffer)
  const starts = [24]
  while (starts.at(-1)! < 600_000) starts.push(starts.at(-1)! + 16 + view.getUint32(starts.at(-1)! + 8, true))
  for (let k = 1000; k < 1200; k++) {
    const shape = { little: true, nanoseconds: false, second: SECOND }
    const base = starts[k]! - 5000
    expect(guessBoundary(bytes.subarray(base), 5000, shape)).toBe(5000)
    expect(guessBoundary(bytes.subarray(base), 5001, shape)).toBe(5000)
    expect(guessBoundary(bytes.subarray(base), 5001 + 15, shape)).toBe(5000)
  }
})
