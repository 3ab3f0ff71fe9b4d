// What a list of rules costs a packet, by its length: compiled as one decision (bit vectors), rule by rule, and as classic BPF made by tcpdump
// where it can say the list. Each program runs in the JIT and as the machine code that the kernel's JIT makes of it, on the same stream of different
// packets, in turn (contenders.ts). Verdicts must be the same before any time is believed.
//   node bench/run.mjs bench/rules.ts [packets] [rounds] [sizes]          as root, with gcc and libpcap's headers, for the kernel

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { encode, type Insn, type MapDef } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { check, type Filter } from '@netsieve/ir'
import { nft } from '@netsieve/rules'
import { load } from '@netsieve/vm'
import { buildPeers, type Contender, type Cost, chunks, classic, costOf, jit, Peers, type Score } from './contenders.ts'
import { capture, generator, translate } from './filter-workloads.ts'

// The engine's first compiler makes code for large functions that is many times slower, and the second takes seconds to follow.
setFlagsFromString('--no-liftoff')
setFlagsFromString('--no-wasm-lazy-compilation')

const PACKETS = Number(process.argv[2] ?? 50_000)
const ROUNDS = Number(process.argv[3] ?? 9)
const SIZES = (process.argv[4] ?? '1,10,100,1000,10000').split(',').map(Number)
const CHUNK = 32 * 1024
/** Rule by rule, longer programs are refused by the kernel, and take long to compile anywhere. */
const MOST_LINEAR = 1000
/** Above this libpcap's optimizer takes minutes. */
const MOST_CLASSIC = 100

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

/** The programs of a list, and what can be said of their verdicts: those of libpcap's own view may differ. */
function programsOf(size: number): Program[] {
  const { text, expression } = listOf(size)
  const filter = filterOf(text)
  const of = (name: string, oneByOne: boolean): Program => ({ name, ...generate(filter, { type: 'xdp', oneByOne }) })
  const short = size <= MOST_CLASSIC ? classic(expression) : undefined
  return [
    of('one decision', false),
    ...(size <= MOST_LINEAR ? [of('rule by rule', true)] : []),
    ...(short ? [{ name: 'tcpdump -d', insns: translate(short), maps: [] }] : []),
  ]
}

/** The code that the kernel makes of programs, as contenders; undefined for those that it does not take, which is said. */
async function inKernel(
  peers: string,
  records: Uint8Array,
  programs: readonly Program[],
): Promise<{ readonly all: (Contender | undefined)[]; close(): void }> {
  const file = join(folder, 'records')
  writeFileSync(file, records)
  const args = programs.flatMap(({ insns, maps }, i) => {
    const path = join(folder, `program-${i}`)
    writeFileSync(path, encode(insns))
    rmSync(`${path}.tables`, { force: true })
    const tables = maps[0]?.entries?.[0]?.[1]
    if (tables) writeFileSync(`${path}.tables`, tables)
    return ['kernel', path]
  })
  const peer = new Peers(peers, [file, String(CHUNK), ...args])
  await peer.ready()
  const all = programs.map(({ name }, i) => {
    const why = peer.missing.get(i)
    if (why) console.log(`  ${name} is missing in the kernel: ${why}`)
    return why ? undefined : { name, run: () => peer.run(i) }
  })
  return { all, close: () => peer.close() }
}

/** Each contender's cost; `sums` tell their verdicts apart. */
async function race(
  contenders: readonly (Contender | undefined)[],
): Promise<{ costs: (Cost | undefined)[]; sums: (number | undefined)[] }> {
  const scores = contenders.map((): Score[] => [])
  for (let round = -2; round < ROUNDS; round++)
    for (const [i, contender] of contenders.entries()) {
      const score = await contender?.run()
      if (score && round >= 0) scores[i]!.push(score)
    }
  return {
    costs: scores.map((rounds) => (rounds.length > 0 ? costOf(rounds) : undefined)),
    sums: scores.map(([first]) => first?.sum),
  }
}

const told = (cost: Cost | undefined): string =>
  cost ? `${cost.median.toFixed(1).padStart(8)} / ${cost.least.toFixed(1).padStart(7)}` : '-'.padStart(18)

async function measure(size: number, peers: string | undefined): Promise<void> {
  const programs = programsOf(size)
  const kernel = peers ? await inKernel(peers, records, programs) : undefined
  const ours = programs.map(({ name, insns, maps }) => jit(name, insns, parts, { maps }))
  const { costs, sums } = await race([...ours, ...(kernel?.all ?? [])])
  kernel?.close()
  const own = programs.flatMap(({ name }, i) => (name === 'tcpdump -d' ? [] : [sums[i], sums[programs.length + i]]))
  if (new Set(own.filter((sum) => sum !== undefined)).size > 1) throw new Error(`verdicts differ at ${size} rules`)
  console.log(`\n${size} rules`)
  programs.forEach((program, i) => {
    const [jitted, image] = [costs[i], costs[programs.length + i]]
    const { insns } = program
    console.log(`  ${program.name.padEnd(14)}${String(insns.length).padStart(7)} insns ${executed(program, records).toFixed(0).padStart(6)} executed   jit ${told(jitted)}   kernel ${told(image)}`) // biome-ignore format: one line
  })
  const [decision, linear] = [costs[0], costs[programs.length + 1]]
  if (decision && linear && programs[1]?.name === 'rule by rule')
    console.log(`  rule by rule in the kernel / one decision in the JIT: ${(linear.median / decision.median).toFixed(1)} (${(linear.least / decision.least).toFixed(1)})`) // biome-ignore format: one line
}

const records = capture('mixed', PACKETS)
const parts = chunks(records, CHUNK)
const folder = mkdtempSync(join(tmpdir(), 'netsieve-rules-'))
try {
  console.log(`${PACKETS} packets, ${ROUNDS} rounds; ns a packet (median / least)`)
  const peers = buildPeers(folder)
  for (const size of SIZES) await measure(size, peers)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
