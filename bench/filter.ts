// What a filter costs a packet: the JIT in batches and the interpreter, beside the kernel's JIT and libpcap's interpreter, on the
// same programs and packets, in turn (contenders.ts). Before any time is believed the verdicts of all engines must be the same.
//   node bench/run.mjs bench/filter.ts [packets] [rounds]          as root, with gcc and libpcap's headers, for the peers

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { encode, type Insn } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import {
  buildPeers,
  type Contender,
  type Cost,
  chunks,
  classic,
  costOf,
  hash,
  jit,
  Peers,
  type Score,
} from './contenders.ts'
import { accessList, capture, EXPRESSIONS, translate } from './filter-workloads.ts'

const PACKETS = Number(process.argv[2] ?? 200_000)
const ROUNDS = Number(process.argv[3] ?? 9)
/** Of filters that take long, less at a time: a chunk shall be through before something else gets its turn. */
const CHUNK = 256 * 1024
const SMALL_CHUNK = 16 * 1024

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
    jit('jit, proved', program, parts),
    jit('jit, every check', program, parts, { proved: false }),
    ...(program.length <= 64 ? [jit('jit, proved, with branches', program, parts, { flatten: false })] : []),
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
  const binary = buildPeers(folder)
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
