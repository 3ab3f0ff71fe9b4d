// What a map lookup costs: compiled, in a loop inside one program, beside the kernel's maps with the same contents and the same program
// under BPF_PROG_TEST_RUN. Both must end with the same sum of values before any time is believed.
//   node bench/run.mjs bench/maps.ts [rounds]          as root, with gcc, for the kernel's side

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { Code, encode, type Insn, MAP_TYPES, type MapDef, type MapTypeName } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { generator } from './filter-workloads.ts'
import { buildPeer, Peer } from './peer.ts'

const ROUNDS = Number(process.argv[2] ?? 9)
/** Lookups of one run: each with a key of its own. */
const LOOKUPS = 4000
const SOURCE = join(process.cwd(), 'bench', 'map-peer.c')

interface Subject {
  readonly name: string
  readonly type: MapTypeName
  readonly keySize: number
  readonly entries: number
  /** Goal: how many times faster than the kernel's. */
  readonly goal?: number
}
const SUBJECTS: readonly Subject[] = [
  { name: 'array of 1,024', type: 'array', keySize: 4, entries: 1024 },
  { name: 'per-CPU array of 1,024', type: 'percpu_array', keySize: 4, entries: 1024 },
  { name: 'hash of 1,000, keys of 4 bytes', type: 'hash', keySize: 4, entries: 1000 },
  { name: 'hash of 100,000, keys of 16 bytes', type: 'hash', keySize: 16, entries: 100_000 },
  { name: 'LPM trie of 1,000 IPv4 prefixes', type: 'lpm_trie', keySize: 8, entries: 1000 },
  { name: 'LPM trie of 100,000 IPv4 prefixes', type: 'lpm_trie', keySize: 8, entries: 100_000, goal: 5 },
  { name: 'LPM trie of 100,000 IPv6 prefixes', type: 'lpm_trie', keySize: 20, entries: 100_000 },
]

/** Keys and values: values are 8 bytes. Prefixes are 17 to 32 (IPv6: 33 to 64) bits long. */
function contents({ type, keySize, entries }: Subject): { keys: Uint8Array; values: Uint8Array } {
  const random = generator(5)
  const keys = new Uint8Array(entries * keySize)
  const values = new Uint8Array(entries * 8)
  const [k, v] = [new DataView(keys.buffer), new DataView(values.buffer)]
  for (let i = 0; i < entries; i++) {
    const at = i * keySize
    v.setUint32(i * 8, i + 1, true)
    if (type === 'lpm_trie') {
      k.setUint32(at, (keySize === 8 ? 17 : 33) + random(keySize === 8 ? 16 : 32), true)
      for (let w = 4; w < keySize; w += 4) k.setUint32(at + w, random(4294967296), true)
      if (keySize > 8) keys[at + 4] = 0x20
    } else if (type === 'hash') fillKey(k, at, keySize, i)
    else k.setUint32(at, i, true)
  }
  return { keys, values }
}

/** A key of a number: words that are all different. */
function fillKey(view: DataView, at: number, keySize: number, i: number): void {
  for (let w = 0; w < keySize; w += 4) view.setUint32(at + w, Math.imul(i + w, 0x9e3779b1), true)
}

/** LOOKUPS keys, one after the other from the seed in the packet (xorshift32), and the sum of the values found. */
function program({ type, keySize, entries }: Subject): Insn[] {
  const code = new Code()
  const again = code.label()
  const none = code.label()
  const short = code.label()
  code.load(4, 2, 1, 0)
  code.load(4, 3, 1, 4)
  code.mov(4, { reg: 2 })
  code.alu('add', 4, 4)
  code.jump('jgt', 4, { reg: 3 }, short)
  code.load(4, 6, 2, 0)
  code.mov(7, 0)
  code.mov(8, LOOKUPS)
  code.bind(again)
  for (const [op, by] of [['lsh', 13], ['rsh', 17], ['lsh', 5]] as const) {
    code.mov(2, { reg: 6 }, 32)
    code.alu(op, 2, by, 32)
    code.alu('xor', 6, { reg: 2 }, 32)
  } // biome-ignore format: one list
  const trie = type === 'lpm_trie'
  if (trie) {
    code.store(4, 10, -32, (keySize - 4) * 8)
    for (let w = 4; w < keySize; w += 4) code.store(4, 10, -32 + w, { reg: 6 })
    if (keySize > 8) code.store(1, 10, -28, 0x20)
  } else {
    code.mov(1, { reg: 6 }, 32)
    code.alu('mod', 1, entries, 32)
    for (let w = 0; w < keySize; w += 4) {
      code.mov(2, { reg: 1 }, 32)
      if (type === 'hash') {
        code.alu('add', 2, w, 32)
        code.alu('mul', 2, 0x9e3779b1 | 0, 32)
      }
      code.store(4, 10, -32 + w, { reg: 2 })
    }
  }
  code.emit('lddw_map_index', { dst: 1, imm: 0 })
  code.mov(2, { reg: 10 })
  code.alu('add', 2, -32)
  code.call(1)
  code.jump('jeq', 0, 0, none)
  code.load(8, 1, 0, 0)
  code.alu('add', 7, { reg: 1 })
  code.bind(none)
  code.alu('sub', 8, 1)
  code.jump('jne', 8, 0, again)
  code.mov(0, { reg: 7 }, 32)
  code.exit()
  code.bind(short)
  code.mov(0, 0)
  code.exit()
  return code.layout()
}

interface Kernel {
  readonly fillMs: number
  run(seed: number): Promise<{ readonly ns: number; readonly sum: number }>
  close(): void
}

async function kernelSide(folder: string, subject: Subject, insns: readonly Insn[]): Promise<Kernel | undefined> {
  const { keys, values } = contents(subject)
  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes)
    return join(folder, name)
  }
  const { type, keySize, entries } = subject
  const numbers = [MAP_TYPES[type].id, keySize, entries, type === 'lpm_trie' ? 1 : 0].map(String)
  const files = [file('keys', keys), file('values', values), file('program', encode(insns))]
  const peer = new Peer(join(folder, 'peer'), [...numbers, ...files])
  const [word, ns, ...why] = ((await peer.line()) ?? 'missing').split(' ')
  if (word !== 'ready') {
    console.log(`${subject.name}: the kernel's side is missing: ${[ns, ...why].join(' ')}`)
    return undefined
  }
  return {
    fillMs: Number(ns) / 1e6,
    async run(seed) {
      const [time, sum] = (await peer.ask(String(seed))).split(' ').map(Number)
      return { ns: time!, sum: sum! }
    },
    close: () => peer.close(),
  }
}

async function measure(folder: string, subject: Subject, withKernel: boolean): Promise<void> {
  const { type, keySize, entries, name, goal } = subject
  const flags = type === 'lpm_trie' ? { flags: 1 } : {}
  const insns = program(subject)
  const maps: MapDef[] = [{ name: 'm', type, keySize, valueSize: 8, maxEntries: entries, ...flags }]
  const machine = load(insns, { type: 'xdp', maps, engine: 'jit', proved: () => true })
  const { keys, values } = contents(subject)
  const from = performance.now()
  for (let i = 0; i < entries; i++)
    machine.map('m').set(keys.subarray(i * keySize, (i + 1) * keySize), values.subarray(i * 8, i * 8 + 8))
  const fillMs = performance.now() - from
  const packet = new Uint8Array(64)
  const timed = (seed: number): { ns: number; sum: number } => {
    new DataView(packet.buffer).setUint32(0, seed, true)
    const start = performance.now()
    const { r0, fault } = machine.run(packet)
    if (fault) throw new Error(fault.reason)
    return { ns: (performance.now() - start) * 1e6, sum: r0 >>> 0 }
  }
  const first = timed(1)
  const kernel = withKernel ? await kernelSide(folder, subject, insns) : undefined
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
  for (let round = -100; round < ROUNDS; round++) {
    const seed = 1_000_003 * (round + 200)
    const a = timed(seed)
    const b = await kernel?.run(seed)
    if (b && a.sum !== b.sum) throw new Error(`${name}: the sum is ${a.sum}, the kernel's ${b.sum}`)
    if (round < 0) continue
    times.ours.push(a.ns / LOOKUPS)
    if (b) times.theirs.push(b.ns / LOOKUPS)
  }
  kernel?.close()
  const [ours, theirs] = [scoreOf(times.ours), scoreOf(times.theirs)]
  const ratio = kernel
    ? `   kernel ${theirs.text}   ${(theirs.median / ours.median).toFixed(1)} (${(theirs.least / ours.least).toFixed(1)}) times`
    : ''
  const target =
    kernel && goal
      ? `; the goal is ${goal}: ${Math.max(theirs.median / ours.median, theirs.least / ours.least) >= goal ? 'met' : 'missed'}`
      : ''
  const filled = `   filled in ${fillMs.toFixed(0)} ms${kernel ? ` (kernel ${kernel.fillMs.toFixed(0)})` : ''}, first run ${(first.ns / 1e6).toFixed(1)} ms`
  console.log(`${name.padEnd(36)} ${ours.text}${ratio}${target}${filled}`)
}

function scoreOf(times: readonly number[]): { median: number; least: number; text: string } {
  const sorted = times.toSorted((a, b) => a - b)
  const [median = 0, least = 0] = [sorted[sorted.length >> 1], sorted[0]]
  return { median, least, text: `${median.toFixed(1).padStart(6)} /${least.toFixed(1).padStart(6)}` }
}

const folder = mkdtempSync(join(tmpdir(), 'netsieve-maps-'))
try {
  const built = buildPeer(SOURCE, join(folder, 'peer'))
  console.log(`${LOOKUPS} lookups a run, ${ROUNDS} rounds; ns a lookup with the making of its key, median / least`)
  for (const subject of SUBJECTS) await measure(folder, subject, built)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
