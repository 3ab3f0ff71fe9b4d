// `netsieve run`: a capture through the rules.

import { evaluate } from '@netsieve/ir'
import type { CaptureRecord } from '@netsieve/packet'
import { type Command, Option } from 'commander'
import type { PacketVerdict } from '../pipeline.ts'
import { Counter, type Totals, table } from '../report.ts'
import { captureParts, concat, err, out, say, Trouble, writeOutput } from './io.ts'
import { ETHERNET, type Line, Lines } from './packets.ts'
import { compileOptions, type RuleFlags, rulesOf, withRuleOptions } from './rules.ts'

export interface RunFlags extends RuleFlags {
  readonly read?: string
  readonly write?: string
  readonly count?: string
  readonly json?: boolean
  readonly jsonl?: boolean
  readonly engine: string
  readonly check?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withRuleOptions(command)
    .argument('[expression...]', 'rules as words, instead of -f')
    .option('-r, --read <capture>', 'pcap or pcapng file, also .gz; - is stdin')
    .option('-w, --write <capture>', 'write the packets that pass, byte for byte; - is stdout')
    .option('-c, --count <n>', 'stop after n packets that pass')
    .option('--json', 'one object with totals and hits a rule')
    .option('--jsonl', 'a line a packet: {"i", "verdict", "r0", "rule"}')
    .option('--check', 'hold each verdict against the meaning of the rules')
    .addOption(
      new Option('--engine <name>', 'what runs the program').choices(['interpreter', 'jit']).default('interpreter'),
    )
    .action((words: string[], flags: RunFlags) => done(run(words, flags)))
}

/** @returns exit code: 0, or 2 if a program's verdict was not what the rules mean (`--check`) */
export function run(words: readonly string[], flags: RunFlags): number {
  if (flags.read === undefined) throw new Trouble('error: no capture: name one with -r, or - for stdin [cli/capture]')
  if (flags.json && flags.jsonl) throw new Trouble('error: --json and --jsonl: choose one [cli/output]')
  if (flags.write === '-' && (flags.json || flags.jsonl))
    throw new Trouble('error: -w - and a report cannot both go to stdout [cli/output]')
  const most = count(flags.count)
  const rules = rulesOf(flags, words)
  const lines = new Lines(rules, compileOptions(flags), flags.engine === 'jit' ? 'jit' : 'interpreter')
  const counter = new Counter()
  const kept: Uint8Array[] = []
  const jsonl = new LineWriter()
  let line: Line | undefined
  let wrong = 0
  const parts = captureParts(flags.read)
  let step = parts.next()
  for (; !step.done; step = parts.next()) {
    const part = step.value
    if (part.kind === 'block') {
      if (flags.write !== undefined) kept.push(part.raw)
      continue
    }
    line = lines.for(part.linkType)
    const verdict = judge(line, part)
    counter.add(verdict)
    if (flags.check && !agrees(line, part, verdict)) wrong++
    if (flags.jsonl) jsonl.write(`${JSON.stringify(lineOf(part, verdict))}\n`)
    if (verdict.verdict !== 'pass') continue
    if (flags.write !== undefined) kept.push(part.raw)
    if (most !== undefined && --most.left <= 0) break
  }
  const reader = step.done ? step.value : undefined
  if (reader) {
    say(reader.diagnostics)
    if (!reader.format || reader.diagnostics.some(({ severity }) => severity === 'error')) return 2
  }
  line ??= lines.for(reader?.format?.format === 'pcap' ? reader.format.linkType : ETHERNET)
  jsonl.flush()
  if (flags.write !== undefined) writeOutput(flags.write, concat(kept))
  const totals = counter.totals(line.sieve.compiled.filter)
  if (flags.json) out(`${JSON.stringify(object(flags, line, totals))}\n`)
  else if (!flags.jsonl) (flags.write === '-' ? err : out)(text(flags, line, totals))
  if (wrong > 0)
    err(
      `error: ${wrong} of ${totals.packets} verdicts are not what the rules mean (a fault of netsieve: please report it) [cli/check]\n`,
    )
  return wrong > 0 || totals.faults > 0 ? 2 : 0
}

function count(text: string | undefined): { left: number } | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new Trouble(`error: -c ${text}: a number of packets from 1 on is expected [cli/count]`)
  return { left: Number(text) }
}

function judge(line: Line, record: CaptureRecord): PacketVerdict {
  const frame = line.frame(record)
  return line.sieve.judge(frame, line.meta(record, frame))
}

/** The program's verdict is what the IR means. XDP programs know the captured length only. */
function agrees(line: Line, record: CaptureRecord, verdict: PacketVerdict): boolean {
  const frame = line.frame(record)
  const { compiled } = line.sieve
  const wireLength = compiled.type === 'xdp' ? frame.length : (line.meta(record, frame).wireLength ?? frame.length)
  return evaluate(compiled.filter, frame, { wireLength }).decision === verdict.verdict
}

function lineOf(record: CaptureRecord, { verdict, r0, rule, by, fault }: PacketVerdict): object {
  return { i: record.index, verdict, r0, rule, ...(rule === null && { by }), ...(fault !== undefined && { fault }) }
}

function object(flags: RunFlags, { sieve, verifier }: Line, totals: Totals): object {
  const { compiled } = sieve
  const { status, stats, message } = verifier
  return {
    v: 1,
    capture: flags.read,
    rules: compiled.source.name,
    syntax: compiled.syntax,
    profile: compiled.filter.profile,
    hooks: compiled.filter.base.map(({ hook, chain }) => ({ hook, chain })),
    prog: compiled.type,
    instructions: compiled.insns.length,
    verifier: { status, processed: stats.processedInsns, ...(message !== undefined && { message }) },
    packets: totals.packets,
    passed: totals.passed,
    dropped: totals.dropped,
    faults: totals.faults,
    executed: totals.insns,
    hits: totals.rules,
    others: totals.others,
  }
}

function text(flags: RunFlags, { sieve, verifier }: Line, totals: Totals): string {
  const { compiled } = sieve
  const { status, stats, message } = verifier
  const hooks = [...new Set(compiled.filter.base.map(({ hook }) => hook))].join(', ')
  const each = totals.packets > 0 ? `, ${(totals.insns / totals.packets).toFixed(1)} executed a packet` : ''
  const head = table([
    ['capture', `${flags.read}: ${totals.packets} packets`],
    ['rules', `${compiled.source.name}: ${compiled.syntax}, profile ${compiled.filter.profile}, hook ${hooks}`],
    ['program', `${compiled.type}, ${compiled.insns.length} instructions${each}`],
    [
      'verifier',
      status === 'accepted' ? `accepted, ${stats.processedInsns} instructions processed` : `${status}: ${message}`,
    ],
    [
      'verdicts',
      `${totals.passed} passed, ${totals.dropped} dropped${totals.faults > 0 ? `, ${totals.faults} of them by faults` : ''}`,
    ],
  ])
  const rows = [...totals.rules, ...totals.others].map(
    (row) => [row.hits, row.verdict, place(row), row.by.replace(/\s+/g, ' ')] as const,
  )
  return `${head}\n${table([['hits', 'verdict', 'line', 'decided by'], ...rows], '  ')}`
}

function place({ line }: { readonly line?: number }): string {
  return line === undefined ? '' : String(line)
}

/** Lines gathered to larger writes. */
class LineWriter {
  private waiting: string[] = []
  private length = 0

  write(text: string): void {
    this.waiting.push(text)
    this.length += text.length
    if (this.length > 1 << 16) this.flush()
  }

  flush(): void {
    if (this.waiting.length > 0) out(this.waiting.join(''))
    this.waiting = []
    this.length = 0
  }
}
