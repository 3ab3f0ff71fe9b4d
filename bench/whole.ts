// The whole process, pcap file in and pcap file out: `netsieve -r IN -w OUT EXPR` beside `tcpdump -r IN -w OUT EXPR`, in turn, on the same
// generated capture; and the start alone, on a capture without packets, beside a node that does nothing. What a node takes that only reads the
// capture, by one thread and by two, bounds what can be reached. Before any time is believed the outputs must be the same, byte for byte. Times are of the wall clock; compare ratios only.
//   node bench/run.mjs bench/whole.ts [rounds] [millions of frames, …]        default: 9 1 5
//   node bench/run.mjs bench/whole.ts hosts     an expression of 1,000 hosts instead, once: tcpdump takes a minute

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { capture, EXPRESSIONS } from './filter-workloads.ts'

// Generating takes much memory, and a process that has much takes longer to start others: that is done in a process of its own.
if (process.argv[2] === 'make') {
  makeCapture(process.argv[3]!, Number(process.argv[4]))
  process.exit(0)
}
const isOfHosts = process.argv[2] === 'hosts'
const [rounds = 9, ...asked] = process.argv.slice(isOfHosts ? 3 : 2).map(Number)
const sizes = asked.length > 0 ? asked : [1, 5]
/** How many times faster than tcpdump: by frames in millions and by expression. */
const GOALS: Readonly<Record<number, Readonly<Record<keyof typeof EXPRESSIONS, number>>>> = {
  1: { a: 1.6, b: 2.3 },
  5: { a: 2.4, b: 3 },
}
/** The same with two threads. */
const GOALS_OF_TWO: typeof GOALS = { 5: { a: 3.2, b: 4.5 } }
const START_GOAL_MS = 15
const MEMORY_GOAL_KB = 80 * 1024

const NETSIEVE = join(process.cwd(), 'packages/netsieve/bin/netsieve.js')
// Memory has no disk to wait for. Others may write there: tcpdump gives up being root before it opens its output.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'netsieve-whole-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
process.on('SIGINT', () => process.exit(130))
chmodSync(folder, 0o777)
const at = (name: string): string => join(folder, name)

// Certificates that the environment names are read before anything else: that is not what is measured.
const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env

interface Contender {
  readonly command: string
  readonly args: readonly string[]
  readonly output?: string
}

/** Milliseconds of one run. @throws Error if it fails */
function once({ command, args, output }: Contender): number {
  // Giving back the pages of the last output is not part of a run.
  if (output !== undefined) rmSync(output, { force: true })
  const from = performance.now()
  const { status, stderr, error } = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const ms = performance.now() - from
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}\n${stderr}`)
  return ms
}

interface Times {
  readonly median: number
  readonly least: number
}

/** Contenders in turn, so that what else the machine does hits all of them alike. */
function inTurn(contenders: readonly Contender[]): Times[] {
  const all = contenders.map((): number[] => [])
  for (let round = 0; round < rounds; round++) for (const [i, one] of contenders.entries()) all[i]!.push(once(one))
  return all.map((times) => {
    times.sort((one, other) => one - other)
    return { median: times[times.length >> 1]!, least: times[0]! }
  })
}

function make(path: string, frames: number): void {
  const args = ['bench/run.mjs', 'bench/whole.ts', 'make', path, String(frames)]
  if (spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] }).status !== 0)
    throw new Error('no capture was made')
}

function sameBytes(one: string, other: string): boolean {
  const files = [openSync(one, 'r'), openSync(other, 'r')] as const
  const parts = [Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)] as const
  try {
    for (;;) {
      const [a, b] = [readSync(files[0], parts[0]), readSync(files[1], parts[1])]
      if (a !== b || !parts[0].subarray(0, a).equals(parts[1].subarray(0, b))) return false
      if (a === 0) return true
    }
  } finally {
    for (const file of files) closeSync(file)
  }
}

/** Repeats the same million (or fewer) frames. */
function makeCapture(path: string, frames: number): void {
  const head = new DataView(new ArrayBuffer(24))
  for (const [offset, word] of [[0, 0xa1b2c3d4], [4, 0x00040002], [16, 262144], [20, 1]] as const) head.setUint32(offset, word, true) // biome-ignore format: a header
  const fd = openSync(path, 'w')
  if (frames > 0) {
    const body = capture('mixed', Math.min(frames, 1_000_000))
    writeSync(fd, new Uint8Array(head.buffer))
    for (let done = 0; done < frames; done += 1_000_000)
      for (let from = 0; from < body.length; ) from += writeSync(fd, body, from)
  } else writeSync(fd, new Uint8Array(head.buffer))
  closeSync(fd)
}

const netsieve = (input: string, expression: string, threads = 1): Contender => ({
  command: process.execPath,
  args: [NETSIEVE, '-r', input, '-w', at(`ours${threads}.pcap`), '-j', String(threads), expression],
  output: at(`ours${threads}.pcap`),
})
const tcpdump = (input: string, expression: string): Contender => ({
  command: 'tcpdump',
  args: ['-r', input, '-w', at('theirs.pcap'), expression],
  output: at('theirs.pcap'),
})

/** Reads a file in pieces, by as many threads of Node's pool as are asked for, and does nothing with it. */
const READER = `process.env.UV_THREADPOOL_SIZE = process.argv[3]
const { openSync, read } = require('node:fs')
const [fd, piece] = [openSync(process.argv[2], 'r'), 1 << 21]
let [next, open] = [0, 0]
const on = (into) => read(fd, into, 0, piece, piece * next++, (error, count) => (count > 0 ? on(into) : --open || process.exit(0)))
for (; open < Number(process.argv[3]); open++) on(Buffer.allocUnsafeSlow(piece))
`
const reader = (input: string, threads: number): Contender => ({
  command: process.execPath,
  args: [at('reader.cjs'), input, String(threads)],
})

/** Most memory that one run had resident, in KiB. Not getrusage's: that begins with what the process that started it had. */
function peakOf({ args }: Contender): number {
  const status = "require('node:fs').readFileSync('/proc/self/status', 'latin1')"
  writeFileSync(at('peak.cjs'), `process.on('exit', () => console.error(/^VmHWM.*$/m.exec(${status})[0]))\n`)
  const { stderr } = spawnSync(process.execPath, ['--require', at('peak.cjs'), ...args], { env, encoding: 'utf8' })
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(stderr)
  if (!found) throw new Error(`no peak of memory: ${stderr}`)
  return Number(found[1])
}

const met = (yes: boolean): string => (yes ? 'met' : 'missed')
const ms = ({ median, least }: Times): string => `${median.toFixed(0).padStart(6)} /${least.toFixed(0).padStart(6)} ms`
function tellRatio(who: string, theirs: Times, ours: Times, goal: number | undefined): void {
  const [median, least] = [theirs.median / ours.median, theirs.least / ours.least]
  const target = goal === undefined ? '' : `; the goal is ${goal}: ${met(Math.max(median, least) >= goal)}`
  console.log(`${who.padStart(24)} ${ms(ours)}   ${median.toFixed(2)} / ${least.toFixed(2)} times as fast${target}`)
}

const peer = spawnSync('tcpdump', ['--version'], { encoding: 'utf8' })
const setup = spawnSync(process.execPath, ['scripts/setup.mjs'], { stdio: ['ignore', 2, 2] })
if (setup.status !== 0) throw new Error('the set-up failed')

console.log(
  `node ${process.version}; ${peer.error ? 'tcpdump is missing' : peer.stderr.split('\n', 1)[0] || peer.stdout.split('\n', 1)[0]}`,
)
if (isOfHosts) {
  make(at('in.pcap'), 1_000_000)
  const hosts = Array.from({ length: 1000 }, (_, i) => `host 10.${i % 3}.${i >> 8}.${(i * 7) & 255}`).join(' or ')
  const [ours, theirs] = [netsieve(at('in.pcap'), hosts), tcpdump(at('in.pcap'), hosts)]
  console.log(`1,000 hosts, 1 M frames: netsieve ${once(ours).toFixed(0)} ms, tcpdump ${once(theirs).toFixed(0)} ms`)
  if (!sameBytes(ours.output!, theirs.output!)) throw new Error('the outputs differ')
  process.exit(0)
}
console.log(`${rounds} rounds; median / least\n`)

make(at('none.pcap'), 0)
writeFileSync(at('empty.cjs'), '')
writeFileSync(at('reader.cjs'), READER)
const [empty, startA, startB] = inTurn([
  { command: process.execPath, args: [at('empty.cjs')] },
  netsieve(at('none.pcap'), EXPRESSIONS.a),
  netsieve(at('none.pcap'), EXPRESSIONS.b),
])
const over = Math.min(startA!.median - empty!.median, startA!.least - empty!.least)
console.log(`empty node      ${ms(empty!)}`)
console.log(
  `start, (a)      ${ms(startA!)}   + ${over.toFixed(0)} ms; the goal is + ${START_GOAL_MS} ms: ${met(over <= START_GOAL_MS)}`,
)
console.log(`start, (b)      ${ms(startB!)}`)

for (const millions of sizes) {
  const input = at('in.pcap')
  make(input, millions * 1_000_000)
  for (const [name, expression] of Object.entries(EXPRESSIONS) as [keyof typeof EXPRESSIONS, string][]) {
    const ours = netsieve(input, expression)
    const theirs = tcpdump(input, expression)
    const title = `${millions} M frames, (${name})`.padEnd(16)
    if (peer.error) {
      console.log(`${title} netsieve ${ms(inTurn([ours])[0]!)}; no ratio: tcpdump is missing`)
    } else {
      const two = netsieve(input, expression, 2)
      for (const each of [ours, two, theirs]) once(each)
      for (const each of [ours, two])
        if (!sameBytes(each.output!, theirs.output!)) throw new Error(`${title}: the outputs differ`)
      const [a, b, c, one, both] = inTurn([theirs, ours, two, reader(input, 1), reader(input, 2)])
      console.log(`${title} tcpdump ${ms(a!)}`)
      tellRatio('netsieve', a!, b!, GOALS[millions]?.[name])
      tellRatio('two threads', a!, c!, GOALS_OF_TWO[millions]?.[name])
      tellRatio('only reading', a!, one!, undefined)
      tellRatio('by two threads', a!, both!, undefined)
    }
    const peak = peakOf(ours)
    console.log(`${''.padEnd(16)} peak memory ${(peak / 1024).toFixed(0)} MiB: ${met(peak <= MEMORY_GOAL_KB)}`)
  }
}
