// What a filter costs a packet: the JIT in batches and the interpreter, beside the kernel's JIT and libpcap's interpreter, on the
// same programs and packets, in turn. Before any time is believed the verdicts of all engines must be the same. Each chunk of packets
// is timed by itself (some 10 to 1,000 microseconds), and counts with its median over the rounds: what else the machine does hits
// few of them.
//   node bench/run.mjs bench/filter.ts [packets] [rounds]          as root, with gcc and libpcap's headers, for the peers

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { encode, type Insn } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { accessList, capture, EXPRESSIONS, translate } from './filter-workloads.ts'
import { buildPeer, Peer } from './peer.ts'

const PACKETS = Number(process.argv[2] ?? 200_000)
const ROUNDS = Number(process.argv[3] ?? 9)
/** Of filters that take long, less at a time: a chunk shall be through before something else gets its turn. */
const CHUNK = 256 * 1024
const SMALL_CHUNK = 16 * 1024
const SOURCE = join(process.cwd(), 'bench', 'filter-peers.c')

interface Score {
  /** Of each chunk. */
  readonly ns: readonly number[]
  readonly packets: number
  readonly matches: number
  readonly sum: number
}
interface Contender {
  readonly name: string
  run(): Score | Promise<Score>
  readonly insns?: () => number
}

/** Pieces of whole records, so long at most. */
function chunks(records: Uint8Array, most: number): Uint8Array[] {
  const view = new DataView(records.buffer)
  const parts: Uint8Array[] = []
  for (let at = 0; at < records.length; ) {
    let end = at
    while (end < records.length) {
      const next = end + 16 + view.getUint32(end + 8, true)
      if (next - at > most) break
      end = next
    }
    parts.push(records.subarray(at, end))
    at = end
  }
  return parts
}

function hash(r0: Int32Array, score: { matches: number; sum: number }): void {
  for (let i = 0; i < r0.length; i++) {
    const hit = r0[i] === 2 ? 1 : 0
    score.matches += hit
    score.sum = (Math.imul(score.sum, 31) + hit) >>> 0
  }
}

function jit(
  name: string,
  program: readonly Insn[],
  parts: readonly Uint8Array[],
  proved: boolean,
  flatten = true,
): Contender {
  const machine = load(program, { type: 'xdp', patience: 0, ...(proved && { proved: () => true }) })
  const batch = machine.batch({ chunkBytes: CHUNK, flatten })
  if (!batch.compiled) throw new Error(`${name} is not compiled`)
  return {
    name,
    run() {
      const score = { ns: [] as number[], packets: 0, matches: 0, sum: 0 }
      for (const part of parts) {
        batch.input.set(part)
        const from = performance.now()
        const { r0, records } = batch.run(part.length)
        score.ns.push((performance.now() - from) * 1e6)
        score.packets += records
        hash(r0, score)
      }
      return score
    },
  }
}

function interpreter(program: readonly Insn[], parts: readonly Uint8Array[]): Contender {
  const machine = load(program, { type: 'xdp' })
  let [insns, packets] = [0, 0]
  return {
    name: 'interpreter, one call a packet',
    insns: () => insns / packets,
    run() {
      const score = { ns: [] as number[], packets: 0, matches: 0, sum: 0 }
      insns = packets = 0
      for (const part of parts.slice(0, Math.max(1, parts.length >> 2))) {
        const view = new DataView(part.buffer, part.byteOffset, part.length)
        const r0 = new Int32Array(part.length >> 5)
        let n = 0
        const from = performance.now()
        for (let at = 0; at < part.length; ) {
          const length = view.getUint32(at + 8, true)
          const run = machine.run(part.subarray(at + 16, at + 16 + length))
          r0[n++] = run.r0
          insns += run.insns
          at += 16 + length
        }
        score.ns.push((performance.now() - from) * 1e6)
        score.packets += n
        packets += n
        hash(r0.subarray(0, n), score)
      }
      return score
    },
  }
}

/** The C program with its peers, asked by number. */
class Peers {
  private readonly peer: Peer
  readonly missing = new Map<number, string>()

  constructor(binary: string, args: readonly string[]) {
    this.peer = new Peer(binary, args)
  }
  async ready(): Promise<void> {
    for (let line = await this.peer.line(); line !== undefined && line !== 'ready'; line = await this.peer.line()) {
      const found = /^missing (\d+) (.*)/.exec(line)
      if (found) this.missing.set(Number(found[1]), found[2]!)
    }
  }
  async run(peer: number): Promise<Score> {
    const [packets = 0, matches = 0, sum = 0, ...ns] = (await this.peer.ask(String(peer))).split(' ').map(Number)
    return { ns, packets, matches, sum }
  }
  close(): void {
    this.peer.close()
  }
}

interface Cost {
  readonly median: number
  readonly least: number
}

/** Nanoseconds a packet: each chunk's median over the rounds, and each chunk's least. */
function costOf(rounds: readonly Score[]): Cost {
  const { ns, packets } = rounds[0]!
  let [median, least] = [0, 0]
  for (let chunk = 0; chunk < ns.length; chunk++) {
    const times = rounds.map((score) => score.ns[chunk]!).sort((a, b) => a - b)
    median += times[times.length >> 1]!
    least += times[0]!
  }
  return { median: median / packets, least: least / packets }
}

function classic(expression: string): [number, number, number, number][] | undefined {
  try {
    const text = execFileSync('tcpdump', ['-ddd', '-y', 'EN10MB', expression], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString()
    return text
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(' ').map(Number) as [number, number, number, number])
  } catch {
    return undefined
  }
}

async function measure(
  folder: string,
  binary: string | undefined,
  kind: 'mixed' | 'small',
  name: string,
  program: readonly Insn[],
  expression?: string,
): Promise<void> {
  const records = capture(kind, PACKETS)
  const most = program.length > 5000 ? SMALL_CHUNK : CHUNK
  const parts = chunks(records, most)
  const file = (label: string, content: Uint8Array | string): string => {
    const path = join(folder, label)
    writeFileSync(path, content)
    return path
  }
  const contenders: Contender[] = [
    jit('jit, proved', program, parts, true),
    jit('jit, every check', program, parts, false),
    ...(program.length <= 64 ? [jit('jit, proved, with branches', program, parts, true, false)] : []),
    ...(program.length < 5000 ? [interpreter(program, parts)] : []),
  ]
  let peers: Peers | undefined
  if (binary) {
    const args = [file('records', records), String(most), 'walk', '-', 'kernel', file('kernel', encode(program))]
    if (expression) args.push('pcap', file('expression', expression))
    peers = new Peers(binary, args)
    await peers.ready()
    const names = ['walk only (C)', 'kernel JIT image', 'libpcap interpreter'].slice(0, expression ? 3 : 2)
    names.forEach((peer, i) => {
      const why = peers!.missing.get(i)
      if (why) console.log(`  ${peer} is missing: ${why}`)
      else contenders.push({ name: peer, run: () => peers!.run(i) })
    })
  }
  const scores = contenders.map((): Score[] => [])
  const sums = new Map<string, number>()
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, contender] of contenders.entries()) {
      const score = await contender.run()
      if (round >= 0) scores[i]!.push(score)
      else if (contender.name !== 'walk only (C)' && score.packets === PACKETS) sums.set(contender.name, score.sum)
    }
  }
  peers?.close()
  if (new Set(sums.values()).size > 1) throw new Error(`verdicts differ: ${JSON.stringify([...sums])}`)
  report(kind, name, program, contenders, scores.map(costOf))
}

function report(
  kind: string,
  name: string,
  program: readonly Insn[],
  contenders: readonly Contender[],
  costs: readonly Cost[],
): void {
  console.log(`\n${name}, ${kind}: ${program.length} instructions, ${PACKETS} packets, ${ROUNDS} rounds; ns a packet`)
  const against = (peer: string, cost: Cost): string => {
    const i = contenders.findIndex((c) => c.name.startsWith(peer))
    if (i < 0 || costs[i] === cost) return ''
    return `   ${(cost.median / costs[i]!.median).toFixed(2)} (${(cost.least / costs[i]!.least).toFixed(2)}) × ${peer}`
  }
  contenders.forEach((contender, i) => {
    const cost = costs[i]!
    const insns = contender.insns ? `   ${((contender.insns() / cost.median) * 1000).toFixed(0)} M insns/s` : ''
    console.log(
      `  ${contender.name.padEnd(32)} ${cost.median.toFixed(1).padStart(8)} / ${cost.least.toFixed(1).padStart(7)}${against('kernel', cost)}${against('libpcap', cost)}${insns}`,
    )
  })
}

const folder = mkdtempSync(join(tmpdir(), 'netsieve-filter-'))
try {
  const peers = join(folder, 'peers')
  const binary = buildPeer(SOURCE, peers, ['-lpcap']) ? peers : undefined
  for (const kind of ['mixed', 'small'] as const) {
    for (const name of ['a', 'b'] as const) {
      const program = classic(EXPRESSIONS[name])
      if (!program) console.log(`(${name}) is missing: tcpdump is not installed`)
      else await measure(folder, binary, kind, `(${name})`, translate(program), EXPRESSIONS[name])
    }
  }
  await measure(folder, binary, 'mixed', '(ck) 1,000 rules', accessList(1000))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
