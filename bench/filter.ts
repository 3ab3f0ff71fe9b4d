// What a filter costs a packet: the JIT in batches and the interpreter, beside the kernel's JIT and libpcap's interpreter, on the
// same programs and packets, in turn. Before any time is believed the verdicts of all engines must be the same.
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
const CHUNK = 256 * 1024
const SOURCE = join(process.cwd(), 'bench', 'filter-peers.c')

interface Score {
  readonly ns: number
  readonly packets: number
  readonly matches: number
  readonly sum: number
}
interface Contender {
  readonly name: string
  run(): Score | Promise<Score>
  readonly insns?: () => number
}

/** Pieces of whole records, at most CHUNK long. */
function chunks(records: Uint8Array): Uint8Array[] {
  const view = new DataView(records.buffer)
  const parts: Uint8Array[] = []
  for (let at = 0; at < records.length; ) {
    let end = at
    while (end < records.length) {
      const next = end + 16 + view.getUint32(end + 8, true)
      if (next - at > CHUNK) break
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
  const machine = load(program, { type: 'xdp', ...(proved && { proved: () => true }) })
  const batch = machine.batch({ chunkBytes: CHUNK, flatten })
  if (!batch.compiled) throw new Error(`${name} is not compiled`)
  return {
    name,
    run() {
      const score = { ns: 0, packets: 0, matches: 0, sum: 0 }
      for (const part of parts) {
        batch.input.set(part)
        const from = performance.now()
        const { r0, records } = batch.run(part.length)
        score.ns += (performance.now() - from) * 1e6
        score.packets += records
        hash(r0, score)
      }
      return score
    },
  }
}

function interpreter(program: readonly Insn[], parts: readonly Uint8Array[]): Contender {
  const machine = load(program, { type: 'xdp' })
  let insns = 0
  return {
    name: 'interpreter, one call a packet',
    insns: () => insns,
    run() {
      const score = { ns: 0, packets: 0, matches: 0, sum: 0 }
      insns = 0
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
        score.ns += (performance.now() - from) * 1e6
        score.packets += n
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
    const [ns, packets, matches, sum] = (await this.peer.ask(String(peer))).split(' ').map(Number)
    return { ns: ns!, packets: packets!, matches: matches!, sum: sum! }
  }
  close(): void {
    this.peer.close()
  }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

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
  const parts = chunks(records)
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
    const args = [file('records', records), 'walk', '-', 'kernel', file('kernel', encode(program))]
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
  const times = contenders.map((): number[] => [])
  const sums = new Map<string, number>()
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, contender] of contenders.entries()) {
      const score = await contender.run()
      if (round >= 0) times[i]!.push(score.ns / score.packets)
      else if (contender.name !== 'walk only (C)' && score.packets === PACKETS) sums.set(contender.name, score.sum)
    }
  }
  peers?.close()
  if (new Set(sums.values()).size > 1) throw new Error(`verdicts differ: ${JSON.stringify([...sums])}`)
  report(kind, name, program, contenders, times)
}

function report(
  kind: string,
  name: string,
  program: readonly Insn[],
  contenders: readonly Contender[],
  times: readonly (readonly number[])[],
): void {
  console.log(`\n${name}, ${kind}: ${program.length} instructions, ${PACKETS} packets, ${ROUNDS} rounds; ns a packet`)
  const kernel = contenders.findIndex((c) => c.name === 'kernel JIT image')
  contenders.forEach((contender, i) => {
    const [mid, min] = [median(times[i]!), Math.min(...times[i]!)]
    const ratio =
      kernel >= 0 && i !== kernel
        ? `   ${(mid / median(times[kernel]!)).toFixed(2)} (${(min / Math.min(...times[kernel]!)).toFixed(2)}) × kernel`
        : ''
    const insns = contender.insns
      ? `   ${((contender.insns() / (times[i]!.at(-1)! * (PACKETS / 4))) * 1000).toFixed(0)} M insns/s`
      : ''
    console.log(
      `  ${contender.name.padEnd(32)} ${mid.toFixed(1).padStart(8)} / ${min.toFixed(1).padStart(7)}${ratio}${insns}`,
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
