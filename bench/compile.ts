// What compiling a list of rules takes, from text to bytes, as a whole process: the command line on lists of five-tuples in each syntax.
// Starting and loading the code are told apart from compiling by a list of one rule, in turn with the others. Least of some rounds, and growth.
//   node bench/run.mjs bench/compile.ts [rounds] [sizes…]

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { generator } from './filter-workloads.ts'

const ROUNDS = Number(process.argv[2] ?? 5)
const SIZES = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [1000, 2000, 4000, 8000]
/** Seconds, from text to bytes. */
const GOALS: Readonly<Record<number, number>> = { 1000: 0.3, 10000: 3 }
const NETSIEVE = join(process.cwd(), 'packages/netsieve/bin/netsieve.js')

interface Tuple {
  readonly number: number
  readonly proto: 'tcp' | 'udp'
  readonly from: string
  readonly to: string
  readonly sport: number
  readonly low: number
  readonly high: number
}

function tuples(count: number): Tuple[] {
  const random = generator(13)
  return Array.from({ length: count }, (_, number) => {
    const low = 1 + random(60_000)
    return {
      number,
      proto: random(2) ? 'tcp' : 'udp',
      from: `${random(2) ? 10 : 192}.${random(24)}.0.0/16`,
      to: `172.${random(16)}.0.0/16`,
      sport: 1 + random(30_000),
      low,
      high: low + 1 + random(4000),
    }
  })
}

const SYNTAXES: Readonly<Record<string, (list: readonly Tuple[]) => string>> = {
  nft: (list) =>
    `table netdev t {\n chain c {\n  type filter hook ingress device "eth0" priority 0; policy drop;\n  ${list
      .map((t) => `ip saddr ${t.from} ip daddr ${t.to} ${t.proto} sport ${t.sport}-65535 ${t.proto} dport ${t.low}-${t.high} accept`) // biome-ignore format: one rule
      .join('\n  ')}\n }\n}\n`,
  iptables: (list) =>
    `*filter\n:INPUT DROP [0:0]\n${list
      .map((t) => `-A INPUT -s ${t.from} -d ${t.to} -p ${t.proto} -m ${t.proto} --sport ${t.sport}:65535 --dport ${t.low}:${t.high} -j ACCEPT\n`) // biome-ignore format: one rule
      .join('')}COMMIT\n`,
  pcap: (list) =>
    list
      .map((t) => `(ip src net ${t.from} and dst net ${t.to} and ${t.proto} src portrange ${t.sport}-65535 and ${t.proto} dst portrange ${t.low}-${t.high})`) // biome-ignore format: one term
      .join(' or '),
  flower: (list) =>
    list
      .map((t) => `tc filter add dev eth0 ingress protocol ip pref ${t.number + 1} flower ip_proto ${t.proto} src_ip ${t.from} dst_ip ${t.to} src_port ${t.sport} dst_port ${t.low}-${t.high} action drop\n`) // biome-ignore format: one rule
      .join(''),
  ethtool: (list) =>
    list
      .map((t) => `ethtool -N eth0 flow-type ${t.proto}4 src-ip ${t.from.split('/')[0]} dst-ip ${t.to.split('/')[0]} src-port ${t.sport} dst-port ${t.low} loc ${t.number} action -1\n`) // biome-ignore format: one rule
      .join(''),
}

const folder = mkdtempSync(join(tmpdir(), 'netsieve-compile-'))

/** Seconds of a whole process. @throws Error if it fails */
function once(syntax: string, size: number): number {
  const words = [
    NETSIEVE,
    'compile',
    '-s',
    syntax,
    '-f',
    fileOf(syntax, size),
    '--emit',
    'bin',
    '-o',
    join(folder, 'out'),
  ]
  const start = performance.now()
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  const seconds = (performance.now() - start) / 1000
  if (status !== 0) throw new Error(`${syntax}, ${size} rules: ${stderr}`)
  return seconds
}

const fileOf = (syntax: string, size: number): string => join(folder, `${syntax}.${size}`)

try {
  console.log(
    `least of ${ROUNDS} rounds, in seconds: the whole process; that beyond what a process takes for one rule (growth)`,
  )
  for (const [syntax, write] of Object.entries(SYNTAXES)) {
    let before: number | undefined
    writeFileSync(fileOf(syntax, 1), write(tuples(1)))
    for (const size of SIZES) {
      writeFileSync(fileOf(syntax, size), write(tuples(size)))
      let [whole, one] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
      for (let round = 0; round < ROUNDS; round++) {
        one = Math.min(one, once(syntax, 1))
        whole = Math.min(whole, once(syntax, size))
      }
      const own = whole - one
      const growth = before === undefined ? '' : ` (${(own / before).toFixed(2)})`
      const goal =
        GOALS[size] === undefined ? '' : `   the goal is ${GOALS[size]}: ${own <= GOALS[size]! ? 'met' : 'missed'}`
      console.log(
        `  ${syntax.padEnd(9)} ${String(size).padStart(6)} rules  ${whole.toFixed(2)}  ${own.toFixed(2)}${growth}${goal}`,
      )
      before = own
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
