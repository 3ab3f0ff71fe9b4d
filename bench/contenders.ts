// Who takes part in bench/filter.ts and bench/rules.ts: the JIT in batches, and the peers of bench/filter-peers.c. All get the same packets in the
// same chunks, in turn. Each chunk is timed by itself (some 10 to 1,000 microseconds), and counts with its median over the rounds: what else the
// machine does hits few of them.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Insn, MapDef } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { buildPeer, Peer } from './peer.ts'

const SOURCE = join(process.cwd(), 'bench', 'filter-peers.c')

export interface Score {
  /** Of each chunk. */
  readonly ns: readonly number[]
  readonly packets: number
  readonly matches: number
  readonly sum: number
}
export interface Contender {
  readonly name: string
  run(): Score | Promise<Score>
  readonly insns?: () => number
}

/** Pieces of whole records, so long at most. */
export function chunks(records: Uint8Array, most: number): Uint8Array[] {
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

export function hash(r0: Int32Array, score: { matches: number; sum: number }): void {
  for (let i = 0; i < r0.length; i++) {
    const hit = r0[i] === 2 ? 1 : 0
    score.matches += hit
    score.sum = (Math.imul(score.sum, 31) + hit) >>> 0
  }
}

export function jit(
  name: string,
  program: readonly Insn[],
  parts: readonly Uint8Array[],
  { proved = true, flatten = true, maps = [] }: { proved?: boolean; flatten?: boolean; maps?: readonly MapDef[] } = {},
): Contender {
  const machine = load(program, { type: 'xdp', maps, patience: 0, ...(proved && { proved: () => true }) })
  const batch = machine.batch({ chunkBytes: Math.max(...parts.map(({ length }) => length)), flatten })
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

/** Builds the C program of the peers; undefined, and says why, where that is not possible. */
export function buildPeers(folder: string): string | undefined {
  const binary = join(folder, 'peers')
  return buildPeer(SOURCE, binary, ['-lpcap']) ? binary : undefined
}

/** The C program with its peers, asked by number. */
export class Peers {
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

export interface Cost {
  readonly median: number
  readonly least: number
}

/** Nanoseconds a packet: each chunk's median over the rounds, and each chunk's least. */
export function costOf(rounds: readonly Score[]): Cost {
  const { ns, packets } = rounds[0]!
  let [median, least] = [0, 0]
  for (let chunk = 0; chunk < ns.length; chunk++) {
    const times = rounds.map((score) => score.ns[chunk]!).sort((a, b) => a - b)
    median += times[times.length >> 1]!
    least += times[0]!
  }
  return { median: median / packets, least: least / packets }
}

/** The classic BPF that tcpdump makes of an expression; undefined if it makes none. */
export function classic(expression: string): [number, number, number, number][] | undefined {
  try {
    const text = execFileSync('tcpdump', ['-ddd', '-y', 'EN10MB', expression], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
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
