// `netsieve trace`: one packet through the program, every instruction with what it read and wrote and the rule it comes from.

import { formatInsn } from '@netsieve/asm'
import { programsOf } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import { buildPacket, type CaptureRecord } from '@netsieve/packet'
import type { TraceStep } from '@netsieve/vm'
import type { Command } from 'commander'
import { captureParts, out, say, Trouble } from './io.ts'
import { LinkSieves } from './link-sieve.ts'
import { type MetadataFlags, MetadataSources, withMetadataOptions } from './metadata.ts'
import { compileOptions, type RuleFlags, rulesOf, withRuleOptions } from './rules.ts'

export interface TraceFlags extends RuleFlags, MetadataFlags {
  readonly read?: string
  readonly p: string
  readonly packet?: string
  readonly json?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withMetadataOptions(withRuleOptions(command))
    .argument('[expression...]', 'rules as words, instead of -f')
    .option('-r, --read <capture>', 'the capture; - is stdin')
    .option('-p <n>', 'which packet of the capture, from 0', '0')
    .option('--packet <text>', "a packet in words instead: 'eth / ipv4(src=10.0.0.1) / tcp(dport=80, flags=S)', or 0x…")
    .option('--json', 'a line an instruction')
    .action((words: string[], flags: TraceFlags) => done(trace(words, flags)))
}

/** Steps that are shown. */
const MOST_STEPS = 100_000

export function trace(words: readonly string[], flags: TraceFlags): number {
  const record = flags.packet === undefined ? captured(flags) : built(flags.packet, flags.read)
  const link = new LinkSieves(
    rulesOf(flags, words),
    compileOptions(flags),
    'interpreter',
    new MetadataSources(flags),
  ).for(record.linkType)
  const { compiled, machine } = link.sieve
  const programs = programsOf(compiled)
  const insnAt = ({ program, insn }: TraceStep) => programs[program]!.insns[insn]
  const frame = link.frame(record)
  const [meta, values] = [link.meta(record, frame), link.values(record)]
  const steps = machine.trace(link.sieve.frameFor(frame), link.sieve.prepare(frame, meta, values), MOST_STEPS)
  let more = 0
  while (machine.step()) more++
  // The run that is shown, and no other: what rules keep would make another one end elsewhere.
  const { r0, exit, fault, insns } = machine.result()
  const verdict = { ...link.sieve.told(exit ?? -1, r0, fault?.reason), insns }
  if (flags.json) {
    for (const step of steps) {
      const insn = insnAt(step)
      const { origin } = insn ?? {}
      out(
        `${JSON.stringify({ ...step, text: insn && formatInsn(insn, { slot: step.slot }), rule: origin?.rule ?? null, for: origin?.text })}\n`,
      )
    }
    out(`${JSON.stringify({ i: record.index, ...verdict, ...(more > 0 && { more }) })}\n`)
    return verdict.fault === undefined ? 0 : 2
  }
  let before: string | undefined
  let program = 0
  for (const step of steps) {
    if (step.program !== program) out(`; program ${step.program}\n`)
    program = step.program
    const insn = insnAt(step)
    const origin = insn?.origin
    if (origin && origin.text !== before)
      out(`; ${origin.rule === undefined ? '' : `rule ${origin.rule}: `}${origin.text}\n`)
    before = origin?.text ?? before
    const text = insn ? formatInsn(insn, { slot: step.slot }) : '?'
    out(`${String(step.slot).padStart(5)}: ${text.padEnd(36)}${effects(step)}\n`)
  }
  if (more > 0) out(`; ${more} more instructions are not shown\n`)
  out(
    `packet ${record.index}: ${verdict.verdict}, r0 = ${verdict.r0}, by ${verdict.rule === null ? '' : `rule ${verdict.rule}: `}${verdict.by}\n`,
  )
  return verdict.fault === undefined ? 0 : 2
}

type TracedPacket = Pick<CaptureRecord, 'index' | 'data' | 'originalLength' | 'linkType' | 'sec' | 'nsec' | 'interface'>

/** The packet of the capture that `-p` counts to. @throws Trouble */
function captured(flags: TraceFlags): TracedPacket {
  if (flags.read === undefined) {
    throw new Trouble(
      'error: no packet: name a capture with -r (- for stdin), or write a packet with --packet [cli/capture]',
    )
  }
  if (!/^\d{1,15}$/.test(flags.p)) {
    throw new Trouble(`error: -p ${flags.p}: the number of a packet from 0 on is expected [cli/packet]`)
  }
  return find(flags.read, Number(flags.p))
}

/** A packet from its text. @throws Trouble */
function built(text: string, read: string | undefined): TracedPacket {
  if (read !== undefined) throw new Trouble('error: the packet is given twice, by -r and by --packet [cli/packet]')
  const { value, diagnostics } = buildPacket(source('<packet>', text))
  say(diagnostics)
  if (!value) throw new Trouble('')
  return { index: 0, data: value.data, originalLength: value.data.length, linkType: value.linkType, sec: 0, nsec: 0 }
}

function find(path: string, wanted: number): CaptureRecord {
  const parts = captureParts(path)
  let packets = 0
  let step = parts.next()
  for (; !step.done; step = parts.next()) {
    if (step.value.kind !== 'packet') continue
    if (step.value.index === wanted) return step.value
    packets++
  }
  say(step.value.diagnostics)
  if (!step.value.format) throw new Trouble('')
  throw new Trouble(
    `${path}: error: there is no packet ${wanted}: the capture has ${packets}, counted from 0 [cli/packet]`,
  )
}

/** `r1: 0x0 → 0x5000`, bytes read and written, a fault. */
function effects({ registers, reads, writes, maps, fault }: TraceStep): string {
  const parts = [
    ...registers.map(({ register, before, after }) => `r${register}: ${short(before)} → ${short(after)}`),
    ...reads.map(({ region, offset, before }) => `${region}[${offset}] = ${before}`),
    ...writes.map(({ region, offset, before, after }) => `${region}[${offset}]: ${before} → ${after ?? ''}`),
    ...maps.map((change) => JSON.stringify(change)),
    ...(fault ? [`fault: ${fault.reason}`] : []),
  ]
  return parts.length > 0 ? `; ${parts.join(', ')}`.replace(/\s+$/, '') : ''
}

const short = (hex: string) => hex.replace(/^0x0+(?=.)/, '0x')
