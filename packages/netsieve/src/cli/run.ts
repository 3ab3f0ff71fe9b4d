// `netsieve run`: a capture through the rules.

import { programsOf } from '@netsieve/codegen'
import { actText, evaluate } from '@netsieve/ir'
import { type CaptureRecord, timestampNs } from '@netsieve/packet'
import { type Command, Option } from 'commander'
import type { Compiled, CompiledVerdict, PacketVerdict } from '../pipeline.ts'
import { Counter, type Totals, table } from '../report.ts'
import { countOf, threadsOf } from './counts.ts'
import { captureParts, err, OutputFile, out, say, Trouble } from './io.ts'
import { ETHERNET, type LinkSieve, LinkSieves } from './link-sieve.ts'
import { type MetadataFlags, MetadataSources, withMetadataOptions } from './metadata.ts'
import { compileOptions, type RuleFlags, rulesOf, withRuleOptions } from './rules.ts'
import { type Judged, judgeStream, type StreamEnd } from './stream.ts'
import { Tally } from './tally.ts'
import { ownOption } from './words.ts'

export interface RunFlags extends RuleFlags, MetadataFlags {
  readonly read?: string
  readonly write?: string
  readonly count?: string
  readonly threads?: string
  readonly json?: boolean
  readonly jsonl?: boolean
  readonly engine: string
  readonly check?: boolean
  readonly counters?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withMetadataOptions(withRuleOptions(command))
    .argument('[expression...]', 'rules as words, instead of -f')
    .option('-r, --read <capture>', 'pcap or pcapng file, also .gz; - is stdin')
    .option('-w, --write <capture>', 'write the packets that pass, byte for byte; - is stdout')
    .option('-c, --count <n>', 'stop after n packets that pass')
    .option(
      '-j, --threads <n>',
      'threads that share the work; one does it all where verdicts depend on earlier packets, of pcapng and .gz files, with --jsonl and -c',
    )
    .option('--json', 'one object with totals and hits a rule')
    .option('--jsonl', 'a line a packet: {"i", "verdict", "r0", "rule"}')
    .option('--counters', 'count packets and bytes of each rule in the program')
    .option('--check', 'hold each verdict against the meaning of the rules (slow)')
    .addOption(
      new Option('--engine <name>', 'what runs the program; the interpreter counts instructions')
        .choices(['jit', 'interpreter'])
        .default('jit'),
    )
    .action(async (words: string[], flags: RunFlags) => done(await run(words, flags)))
}

function noCapture(words: readonly string[]): string {
  const hint = words.map(ownOption).find((found, i) => found && /^(-r|--read(=.*)?)$/.test(words[i]!))
  return `error: no capture: name one with -r, or - for stdin [cli/capture]${hint ? `\n  hint: ${hint}` : ''}`
}

/** @returns exit code: 0, or 2 if a program's verdict was not what the rules mean (`--check`), or it faulted */
export async function run(words: readonly string[], flags: RunFlags): Promise<number> {
  if (flags.read === undefined) throw new Trouble(noCapture(words))
  if (flags.json && flags.jsonl) throw new Trouble('error: --json and --jsonl: choose one [cli/output]')
  if (flags.write === '-' && (flags.json || flags.jsonl))
    throw new Trouble('error: -w - and a report cannot both go to stdout [cli/output]')
  const job: Job = {
    path: flags.read,
    sieves: new LinkSieves(
      rulesOf(flags, words),
      { ...compileOptions(flags), ...(flags.counters && { counters: true }) },
      flags.engine === 'jit' ? 'jit' : 'interpreter',
      new MetadataSources(flags),
    ),
    counter: new Counter(),
    output: flags.write === undefined ? undefined : new OutputFile(flags.write),
    jsonl: flags.jsonl ? new LineWriter() : undefined,
    most: countOf(flags.count),
    threads: threadsOf(flags.threads),
  }
  try {
    return await finish(flags, job)
  } finally {
    job.output?.abort()
  }
}

async function finish(flags: RunFlags, job: Job): Promise<number> {
  // One packet at a time where something is to be told of each that only a single run tells, or where it matters which is the last.
  const single = flags.check || flags.engine === 'interpreter' || job.most !== undefined
  const { end, link: seen, wrong } = single ? runSingly(job, flags.check ?? false) : await runChunks(job)
  if (end) {
    say(end.diagnostics)
    if (!end.format || end.diagnostics.some(({ severity }) => severity === 'error')) return 2
  }
  const link = seen ?? job.sieves.for(end?.format?.format === 'pcap' ? end.format.linkType : ETHERNET)
  job.jsonl?.flush()
  job.output?.commit()
  const totals = job.counter.totals(link.sieve.compiled.merged ?? link.sieve.compiled.filter, link.sieve.counted)
  if (flags.json) out(`${JSON.stringify(object(flags, link, totals))}\n`)
  else if (!flags.jsonl) (flags.write === '-' ? err : out)(text(flags, link, totals))
  const { shortage } = job.sieves
  if (shortage !== undefined) err(shortage)
  if (wrong > 0)
    err(
      `error: ${wrong} of ${totals.packets} verdicts are not what the rules mean (a fault of netsieve: please report it) [cli/check]\n`,
    )
  return wrong > 0 || totals.faults > 0 ? 2 : 0
}

interface Job {
  readonly path: string
  readonly sieves: LinkSieves
  readonly counter: Counter
  readonly output: OutputFile | undefined
  readonly jsonl: LineWriter | undefined
  /** Packets to pass before the end. */
  readonly most: number | undefined
  readonly threads: number
}

interface Done {
  /** Absent if the end of the file was not reached. */
  readonly end?: StreamEnd
  readonly link: LinkSieve | undefined
  readonly wrong: number
}

function runSingly({ path, sieves, counter, output, jsonl, most }: Job, check: boolean): Done {
  let link: LinkSieve | undefined
  let wrong = 0
  let passed = 0
  const parts = captureParts(path)
  let step = parts.next()
  for (; !step.done; step = parts.next()) {
    const part = step.value
    if (part.kind === 'block') {
      output?.write(part.raw)
      continue
    }
    link = sieves.for(part.linkType)
    const frame = link.frame(part)
    const verdict = link.sieve.judge(frame, link.meta(part, frame), link.values(part))
    counter.add(verdict)
    if (check && !agrees(link, part, verdict)) wrong++
    jsonl?.write(lineOf(part.index, verdict))
    if (verdict.verdict !== 'pass') continue
    output?.write(part.raw)
    if (++passed === most) return { link, wrong }
  }
  return { end: step.value, link, wrong }
}

/** Chunks of packets; what decided is counted by the instruction that ended each run. */
async function runChunks({ path, sieves, counter, output, jsonl, threads }: Job): Promise<Done> {
  let link: LinkSieve | undefined
  const tallies = new Map<LinkSieve, Tally>()
  const sieveFor = (linkType: number) => {
    link = sieves.for(linkType)
    return link
  }
  const options = { keep: output !== undefined, exits: true, sieveFor, threads: jsonl ? 1 : threads, output }
  const stream = judgeStream(path, options)
  let step = await stream.next()
  for (; !step.done; step = await stream.next()) {
    const judged = step.value
    if (judged.kind === 'packets') await output?.writeBehind(judged.kept)
    if (!link) continue
    const tally = tallies.get(link) ?? new Tally()
    tallies.set(link, tally)
    if (judged.kind === 'together') tally.merge(judged.tally)
    else {
      tally.add(judged.r0, judged.exits, judged.faults)
      if (jsonl) writeLines(jsonl, link, judged)
    }
  }
  await output?.settled()
  for (const [of, tally] of tallies) countAll(counter, of, tally)
  return { end: step.value, link, wrong: 0 }
}

function writeLines(jsonl: LineWriter, link: LinkSieve, { first, count, r0, exits, faults }: Judged): void {
  const reasons = new Map(faults.map(({ record, fault }) => [record, fault.reason]))
  for (let i = 0; i < count; i++) jsonl.write(lineOf(first + i, link.sieve.told(exits[i]!, r0[i]!, reasons.get(i))))
}

function countAll(counter: Counter, { sieve }: LinkSieve, tally: Tally): void {
  const { ends, faults } = tally.rows()
  for (const { exit, r0, packets } of ends) counter.add(sieve.told(exit, r0), packets)
  for (const [reason, packets] of faults) counter.add(sieve.told(-1, 0, reason), packets)
}

/** The program's verdict is what the IR means. XDP programs know the captured length only. */
function agrees(link: LinkSieve, record: CaptureRecord, verdict: PacketVerdict): boolean {
  const frame = link.frame(record)
  const { compiled } = link.sieve
  if (!compiled.filter)
    throw new Trouble(
      `error: unsupported: ${compiled.syntax} has no meaning apart from its program to check it against [cli/check]`,
    )
  const wireLength = compiled.type === 'xdp' ? frame.length : (link.meta(record, frame).wireLength ?? frame.length)
  const options = { wireLength, meta: link.values(record), timestampNs: timestampNs(record), state: link.state }
  const { decision, act } = evaluate(compiled.filter, frame, options)
  // An act of an earlier base chain is not what ended the packet's way.
  return decision === verdict.verdict && (verdict.act === undefined || verdict.act === (act && actText(act)))
}

function lineOf(index: number, { verdict, r0, rule, by, act, fault }: PacketVerdict): string {
  return `${JSON.stringify({ i: index, verdict, r0, rule, ...(act !== undefined && { act }), ...(rule === null && { by }), ...(fault !== undefined && { fault }) })}\n`
}

function object(flags: RunFlags, { sieve, missing, verifier }: LinkSieve, totals: Totals): object {
  const { compiled } = sieve
  const { status, message, stats, programs } = verifier
  const several = compiled.programs && programs.map(({ stats }) => stats.processedInsns)
  return {
    v: 1,
    capture: flags.read,
    rules: compiled.source.name,
    syntax: compiled.syntax,
    ...(compiled.filter && {
      profile: compiled.filter.profile,
      hooks: compiled.filter.base.map(({ hook, chain }) => ({ hook, chain })),
    }),
    prog: compiled.type,
    instructions: sizeOf(compiled),
    ...(compiled.programs && { programs: compiled.programs.length + 1 }),
    verifier: {
      status,
      processed: stats.processedInsns,
      ...(several && { programs: several }),
      ...(message !== undefined && { message }),
    },
    packets: totals.packets,
    passed: totals.passed,
    dropped: totals.dropped,
    faults: totals.faults,
    ...(totals.insns > 0 && { executed: totals.insns }),
    ...(missing.length > 0 && { needsSidecar: missing }),
    hits: totals.rules,
    others: totals.others,
    ...(sieve.named.size > 0 && { counters: Object.fromEntries([...sieve.named].map(([name, { packets, bytes }]) => [name, { packets: Number(packets), bytes: Number(bytes) }])) }), // biome-ignore format: a row
  }
}

function text(flags: RunFlags, { sieve, missing, verifier }: LinkSieve, totals: Totals): string {
  const { compiled } = sieve
  const { filter } = compiled
  const inAll = compiled.programs ? ` in ${compiled.programs.length + 1} programs` : ''
  const hooks =
    filter && `, profile ${filter.profile}, hook ${[...new Set(filter.base.map(({ hook }) => hook))].join(', ')}`
  const each = totals.insns > 0 ? `, ${(totals.insns / totals.packets).toFixed(1)} executed a packet` : ''
  const head = table([
    ['capture', `${flags.read}: ${totals.packets} packets`],
    ['rules', `${compiled.source.name}: ${compiled.syntax}${hooks ?? ''}`],
    ['program', `${compiled.type}, ${sizeOf(compiled)} instructions${inAll}${each}`],
    ['verifier', said(verifier)],
    [
      'verdicts',
      `${totals.passed} passed, ${totals.dropped} dropped${totals.faults > 0 ? `, ${totals.faults} of them by faults` : ''}`,
    ],
    ...(missing.length > 0
      ? [['metadata', `needs-sidecar: no packet has ${missing.join(', ')}; --meta and --meta-file tell`]]
      : []),
    ...[...sieve.named].map(([name, { packets, bytes }]) => ['counter', `${name}: ${packets} packets, ${bytes} bytes`]),
  ])
  const counts = sieve.counted !== undefined
  const rows = [...totals.rules, ...totals.others].map((row) => [
    row.hits,
    ...(counts ? [row.packets ?? '', row.bytes ?? ''] : []),
    row.act?.replace(/\(.*/, '') ?? row.verdict,
    row.line === undefined ? '' : `${row.file === compiled.source.name ? '' : `${row.file}:`}${row.line}`,
    row.by.replace(/\s+/g, ' '),
  ])
  const titles = ['hits', ...(counts ? ['packets', 'bytes'] : []), 'verdict', 'line', 'decided by']
  return `${head}\n${table([titles, ...rows], '  ')}`
}

/** Instructions of all programs. */
const sizeOf = (compiled: Compiled): number => programsOf(compiled).reduce((sum, { insns }) => sum + insns.length, 0)

function said({ status, message, stats, programs }: CompiledVerdict): string {
  if (status !== 'accepted') return `${status}: ${message}`
  const most = Math.max(...programs.map((each) => each.stats.processedInsns))
  return `accepted, ${stats.processedInsns} instructions processed${programs.length > 1 ? `, ${most} at most of one program` : ''}`
}

/** Lines gathered to larger writes. */
class LineWriter {
  private waiting: string[] = []
  private length = 0

  write(line: string): void {
    this.waiting.push(line)
    this.length += line.length
    if (this.length > 1 << 16) this.flush()
  }

  flush(): void {
    if (this.waiting.length > 0) out(this.waiting.join(''))
    this.waiting = []
    this.length = 0
  }
}
