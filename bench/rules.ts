// What a list of rules costs a packet, by its length: compiled as one decision (bit vectors), rule by rule, and as classic BPF made by tcpdump
// where it can say the list; in the JIT, and in the kernel by its test run (the same packet many times: branches are foreseen there, so these
// are lower bounds) less an empty program. Verdicts must be the same before any time is believed.
//   [NETSIEVE_ORACLE=folder with kbpf.py] node bench/run.mjs bench/rules.ts [packets] [rounds]          as root, for the kernel

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { encode, type Insn, type MapDef } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, type Filter } from '@netsieve/ir'
import { nft } from '@netsieve/rules'
import { load } from '@netsieve/vm'
import { capture, generator, translate } from './filter-workloads.ts'

// The engine's first compiler makes code for large functions that is many times slower, and the second takes seconds to follow.
setFlagsFromString('--no-liftoff')
setFlagsFromString('--no-wasm-lazy-compilation')

const PACKETS = Number(process.argv[2] ?? 50_000)
const ROUNDS = Number(process.argv[3] ?? 9)
const CHUNK = 256 * 1024
const SIZES = [1, 10, 100, 1000, 10_000]
/** Rule by rule, longer programs are refused by the kernel, and take long to compile anywhere. */
const MOST_LINEAR = 1000
/** Above this libpcap's optimizer takes minutes. */
const MOST_CLASSIC = 100
const KERNEL_PACKETS = 200

interface Listed {
  readonly text: string
  readonly expression: string
}

/** Five-tuples: source and destination networks, protocol, ranges of both ports. What is in none is dropped. */
function listOf(count: number): Listed {
  const random = generator(13)
  const rules: string[] = []
  const terms: string[] = []
  for (let i = 0; i < count; i++) {
    const proto = random(2) ? 'tcp' : 'udp'
    const [from, to] = [`${random(2) ? 10 : 192}.${random(24)}.0.0/16`, `172.${random(16)}.0.0/16`]
    const [low, sport] = [random(60000), random(30000)]
    const high = low + random(4000)
    rules.push(`ip saddr ${from} ip daddr ${to} ${proto} sport ${sport}-65535 ${proto} dport ${low}-${high} accept`)
    terms.push(`(ip src net ${from} and dst net ${to} and ${proto} src portrange ${sport}-65535 and ${proto} dst portrange ${low}-${high})`) // biome-ignore format: one term
  }
  const text = `table netdev t {\n chain c {\n  type filter hook ingress device "eth0" priority 0; policy drop;\n  ${rules.join('\n  ')}\n }\n}\n`
  return { text, expression: terms.join(' or ') }
}

function filterOf(text: string): Filter {
  const parsed = nft.parse(source('list', text))
  const lowered = parsed.value && nft.lower(parsed.value, {})
  const filter = lowered?.value && check(lowered.value).value
  if (!filter) throw new Error(`${lowered?.diagnostics[0]?.message ?? parsed.diagnostics[0]?.message}`)
  return filter
}

interface Program {
  readonly name: string
  readonly insns: readonly Insn[]
  readonly maps: readonly MapDef[]
}

function classic(expression: string): Insn[] | undefined {
  try {
    const text = execFileSync('tcpdump', ['-ddd', '-y', 'EN10MB', expression], { stdio: ['ignore', 'pipe', 'ignore'], timeout: 60_000 }).toString() // biome-ignore format: one call
    return translate(text.trim().split('\n').slice(1).map((line) => line.split(' ').map(Number) as [number, number, number, number])) // biome-ignore format: one call
  } catch {
    return undefined
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Pieces of whole records. */
function chunks(records: Uint8Array): Uint8Array[] {
  const view = new DataView(records.buffer)
  const parts: Uint8Array[] = []
  for (let at = 0, end = 0; at < records.length; at = end) {
    while (end < records.length && end + 16 + view.getUint32(end + 8, true) - at <= CHUNK)
      end += 16 + view.getUint32(end + 8, true)
    parts.push(records.subarray(at, end))
  }
  return parts
}

class Timed {
  readonly program: Program
  readonly times: number[][] = []
  verdicts = ''
  private readonly batch

  constructor(program: Program) {
    this.program = program
    const machine = load(program.insns, { type: 'xdp', maps: program.maps, patience: 0, proved: () => true })
    this.batch = machine.batch({ chunkBytes: CHUNK })
    if (!this.batch.compiled) throw new Error(`${program.name} is not compiled`)
  }

  round(parts: readonly Uint8Array[], keep: boolean): void {
    let hash = 0
    for (const [i, part] of parts.entries()) {
      this.batch.input.set(part)
      const from = performance.now()
      const { r0, records } = this.batch.run(part.length)
      const ns = ((performance.now() - from) * 1e6) / records
      if (keep) this.times[i] = [...(this.times[i] ?? []), ns]
      for (let k = 0; k < records; k++) hash = (Math.imul(hash, 31) + (r0[k] === 2 ? 1 : 0)) >>> 0
    }
    this.verdicts = String(hash)
  }

  /** Each chunk counts with its median over the rounds, or with its best. */
  ns(): { readonly mid: number; readonly min: number } {
    const mean = (pick: (values: readonly number[]) => number) =>
      this.times.reduce((sum, each) => sum + pick(each), 0) / this.times.length
    return { mid: mean(median), min: mean((values) => Math.min(...values)) }
  }
}

/** Instructions that a packet takes, by the interpreter. */
function executed({ insns, maps }: Program, records: Uint8Array): number {
  const machine = load(insns, { type: 'xdp', maps })
  const view = new DataView(records.buffer)
  let [count, sum] = [0, 0]
  for (let at = 0; at < records.length && count < 2000; count++) {
    const length = view.getUint32(at + 8, true)
    sum += machine.run(records.subarray(at + 16, at + 16 + length)).insns
    at += 16 + length
  }
  return sum / count
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** ns a packet in the kernel, less an empty program; why not, where it refuses. */
function inKernel({ insns, maps }: Program, records: Uint8Array): string {
  const folder = process.env.NETSIEVE_ORACLE
  if (!folder) return '-'
  const frames: string[] = []
  const view = new DataView(records.buffer)
  for (let at = 0; at < records.length && frames.length < KERNEL_PACKETS; ) {
    const length = view.getUint32(at + 8, true)
    frames.push(hex(records.subarray(at + 16, at + 16 + length)))
    at += 16 + length
  }
  const request = {
    op: 'run', type: 'sched_cls', hex: hex(encode(insns)), frames, repeat: 2000,
    maps: maps.map(({ type, keySize, valueSize, maxEntries, entries = [] }) => ({
      type, key_size: keySize, value_size: valueSize, max_entries: maxEntries, initial: entries.map(([key, value]) => [hex(key), hex(value)]),
    })),
  } // biome-ignore format: a table
  const { stdout } = spawnSync('python3', [join(folder, 'kbpf.py'), 'serve'], { input: `${JSON.stringify(request)}\n`, maxBuffer: 1 << 28, encoding: 'utf8' }) // biome-ignore format: one call
  const reply = JSON.parse(stdout) as {
    accepted: boolean
    reason?: string
    run?: { ns: (number | null)[]; baseline_ns?: number }
    baseline_ns?: number
  }
  if (!reply.accepted) return `refused: ${reply.reason?.slice(0, 40)}`
  const ns = (reply.run?.ns ?? []).filter((each): each is number => each !== null)
  return (
    ns.reduce((sum, each) => sum + each, 0) / ns.length -
    (reply.run?.baseline_ns ?? reply.baseline_ns ?? 0)
  ).toFixed(0)
}

const records = capture('mixed', PACKETS)
const parts = chunks(records)
const folder = mkdtempSync(join(tmpdir(), 'netsieve-rules-'))
try {
  console.log(`${PACKETS} packets, ${ROUNDS} rounds; ns a packet in the JIT (median / best), in the kernel (test run)`)
  for (const size of SIZES) {
    const { text, expression } = listOf(size)
    writeFileSync(join(folder, 'list.nft'), text)
    const filter = filterOf(text)
    const of = (name: string, oneByOne: boolean, type: 'xdp' | 'sched_cls' = 'xdp'): Program => ({
      name,
      ...generate(filter, { type, oneByOne }),
    })
    const programs = [of('one decision', false), ...(size <= MOST_LINEAR ? [of('rule by rule', true)] : [])]
    const short = size <= MOST_CLASSIC ? classic(expression) : undefined
    if (short) programs.push({ name: 'tcpdump -d', insns: short, maps: [] })
    const timed = programs.map((program) => new Timed(program))
    for (let round = -2; round < ROUNDS; round++) for (const each of timed) each.round(parts, round >= 0)
    if (new Set(timed.filter(({ program }) => program.name !== 'tcpdump -d').map(({ verdicts }) => verdicts)).size > 1) throw new Error(`verdicts differ at ${size} rules`) // biome-ignore format: one test
    console.log(`\n${size} rules`)
    for (const each of timed) {
      const { mid, min } = each.ns()
      const { program } = each
      const kernel =
        program.name === 'tcpdump -d' ? '-' : inKernel(of('', program.name === 'rule by rule', 'sched_cls'), records)
      console.log(`  ${program.name.padEnd(14)} ${String(program.insns.length).padStart(7)} insns ${executed(program, records).toFixed(0).padStart(6)} executed ${mid.toFixed(0).padStart(6)} / ${min.toFixed(0).padStart(5)} ns   kernel ${kernel}`) // biome-ignore format: one line
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
