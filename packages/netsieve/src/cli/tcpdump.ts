// tcpdump's own way to be called: `netsieve -r in.pcap -w out.pcap tcp port 80`, with the options of tcpdump(8) that make sense on a file.

import { statSync } from 'node:fs'
import { type CbpfDialect, printCbpf } from '@netsieve/asm'
import { source } from '@netsieve/diag'
import { type CaptureRecord, type Conversations, LINK_TYPES, summarize } from '@netsieve/packet'
import type { Command } from 'commander'
import { classicOf } from './classic.ts'
import { countOf, threadsOf } from './counts.ts'
import { captureParts, err, OutputFile, out, readText, say, Trouble } from './io.ts'
import { LinkSieves } from './link-sieve.ts'
import { type MetadataFlags, MetadataSources, withMetadataOptions } from './metadata.ts'
import { compileOrEnd, namesOf } from './rules.ts'
import { judgeStream } from './stream.ts'

interface TcpdumpFlags extends MetadataFlags {
  readonly r?: string
  readonly w?: string
  readonly F?: string
  readonly c?: string
  readonly y?: string
  readonly n?: boolean
  readonly e?: boolean
  readonly count?: boolean
  readonly hosts?: string
  readonly ethers?: string
  readonly networks?: string
  readonly netmask?: string
  readonly j?: string
  readonly t: number
  readonly S?: boolean
  readonly d: number
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withMetadataOptions(command)
    .argument('[expression...]', 'a pcap-filter expression')
    .option('-r <capture>', 'the capture; - is stdin')
    .option('-w <capture>', 'write the packets that match, byte for byte; - is stdout')
    .option('-F <file>', 'read the expression from a file')
    .option('-c <n>', 'stop after n packets that match')
    .option('-y <link type>', 'link type to compile for, where no capture tells it', 'EN10MB')
    .option('-n', 'no names for addresses and ports: there are never any')
    .option('-t', 'print no times; -tt seconds since 1970, -tttt the date too', (_, times: number) => times + 1, 0)
    .option('-S', 'print TCP sequence numbers as they are, not from the start of their connection')
    .option('-e', 'print the link header too')
    .option('-j <n>', 'threads that share the work of -w (tcpdump has no such option)')
    .option('--count', 'only count the packets that match')
    .option('--hosts <file>', 'names of hosts, as in hosts(5): no resolver is asked')
    .option('--ethers <file>', 'names of Ethernet addresses, as in ethers(5)')
    .option('--networks <file>', 'names of networks, as in networks(5)')
    .option('--netmask <mask>', 'the mask that `ip broadcast` needs')
    .option(
      '-d',
      'print the compiled expression and stop; -dd as C, -ddd as numbers',
      (_, times: number) => times + 1,
      0,
    )
    .action(async (words: string[], flags: TcpdumpFlags) => done(await tcpdump(words, flags)))
}

const DUMPS: readonly CbpfDialect[] = ['d', 'd', 'dd', 'ddd']

/** @returns exit code 0; everything else is Trouble */
export async function tcpdump(words: readonly string[], flags: TcpdumpFlags): Promise<number> {
  const most = countOf(flags.c)
  if (flags.F !== undefined && words.length > 0)
    err('warning: the expression on the command line is ignored: -F names a file [cli/rules]\n')
  const rules = flags.F === undefined ? source('<expression>', words.join(' ')) : readText(flags.F)
  const names = namesOf(flags)
  const options = { ...names, syntax: 'pcap', type: 'socket_filter' } as const
  // What classic BPF cannot say is better off as a program that reads packets in place than as a socket filter that copies from them.
  const running = { ...names, syntax: 'pcap', type: 'sched_cls', classic: true } as const
  if (flags.d > 0) {
    const compiled = compileOrEnd(
      rules,
      options,
      flags.r === undefined ? linkTypeNamed(flags.y ?? 'EN10MB') : linkTypeOf(flags.r),
    )
    out(printCbpf(classicOf(compiled), DUMPS[Math.min(flags.d, 3)]))
    return 0
  }
  if (flags.r === undefined)
    throw new Trouble(
      'error: no capture: name one with -r, or - for stdin; there is nothing to listen to here [cli/capture]',
    )
  const sieves = new LinkSieves(rules, running, 'jit', new MetadataSources(flags), worthVerifying(flags.r))
  const code =
    flags.w === undefined || most !== undefined
      ? slowly(flags, sieves, most)
      : await quickly(flags.r, flags.w, sieves, threadsOf(flags.j))
  const { missing } = sieves
  if (missing.length > 0)
    err(
      `warning: no packet has ${missing.join(', ')}, so none can match by it; --meta and --meta-file tell [cli/metadata]\n`,
    )
  return code
}

/** Bytes of capture for each instruction above which a proof takes less time than the checks that it saves. */
const PROOF_PAYS = 20_000_000

function worthVerifying(path: string): (insns: number) => boolean {
  const size = path === '-' ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0)
  return (insns) => size > insns * PROOF_PAYS
}

/** The number of a link type by its name, as tcpdump -L writes it. @throws Trouble */
function linkTypeNamed(name: string): number {
  const found = Object.entries(LINK_TYPES).find((row) => row[1].name === name.toUpperCase())
  if (!found) throw new Trouble(`error: unsupported: link type ${name}; there are ${[...new Set(Object.values(LINK_TYPES).map((row) => row.name))].join(', ')} [cli/link-type]`) // biome-ignore format: one message
  return Number(found[0])
}

/** The link type of a capture: of its header, or of its first packet. */
function linkTypeOf(path: string): number {
  const parts = captureParts(path)
  for (let step = parts.next(); !step.done; step = parts.next())
    if (step.value.kind === 'packet') return step.value.linkType
  return 1
}

/** All packets that match, straight into a file. */
async function quickly(path: string, to: string, sieves: LinkSieves, threads: number): Promise<number> {
  const output = new OutputFile(to)
  try {
    const sieveFor = (linkType: number) => sieves.for(linkType)
    const stream = judgeStream(path, { keep: true, exits: false, sieveFor, threads, output })
    let step = await stream.next()
    for (; !step.done; step = await stream.next())
      if (step.value.kind === 'packets') await output.writeBehind(step.value.kept)
    const { format, diagnostics } = step.value
    say(diagnostics)
    if (!format || diagnostics.some(({ severity }) => severity === 'error')) return 2
    await output.settled()
    output.commit()
  } finally {
    output.abort()
  }
  return 0
}

/** The time as `-t` given so often asks for it, to the microsecond: by default that of the day, in UTC. */
function timeOf({ sec, nsec }: CaptureRecord, times: number): string {
  if (times === 1) return ''
  const fraction = String(Math.floor(nsec / 1000)).padStart(6, '0')
  if (times === 2) return `${sec}.${fraction} `
  const of = (unit: number, most: number) => String(Math.floor(sec / unit) % most).padStart(2, '0')
  const date = times === 4 ? `${new Date(sec * 1000).toISOString().slice(0, 10)} ` : ''
  return `${date}${of(3600, 24)}:${of(60, 60)}:${of(1, 60)}.${fraction} `
}

/** Packets one at a time: counted, written up to a number, or printed. */
function slowly(flags: TcpdumpFlags, sieves: LinkSieves, most: number | undefined): number {
  const output = flags.w === undefined ? undefined : new OutputFile(flags.w)
  try {
    let matched = 0
    const conversations: Conversations | undefined = flags.S ? undefined : new Map()
    const parts = captureParts(flags.r!)
    let step = parts.next()
    for (; !step.done; step = parts.next()) {
      const part = step.value
      if (part.kind === 'block') {
        output?.write(part.raw)
        continue
      }
      const link = sieves.for(part.linkType)
      const frame = link.frame(part)
      if (link.sieve.judge(frame, link.meta(part, frame), link.values(part)).verdict !== 'pass') continue
      matched++
      output?.write(part.raw)
      if (!output && !flags.count)
        out(
          `${part.data.length === 0 ? '' : timeOf(part, flags.t)}${summarize(part.data, { linkType: part.linkType, wireLength: part.originalLength, link: flags.e ?? false, ...(conversations && { conversations }) })}\n`,
        )
      if (matched === most) break
    }
    if (step.done) {
      say(step.value.diagnostics)
      if (!step.value.format || step.value.diagnostics.some(({ severity }) => severity === 'error')) return 2
    }
    if (flags.count) out(`${matched} packet${matched === 1 ? '' : 's'}\n`)
    output?.commit()
  } finally {
    output?.abort()
  }
  return 0
}
