// A capture through a program, a chunk at a time. Classic pcap files are read straight into the machine's memory, where compiled code walks
// the records; other files go record by record. Memory stays the same whatever the file's size.

import { closeSync, fstatSync, readSync } from 'node:fs'
import { programsOf } from '@netsieve/codegen'
import type { Diagnostic } from '@netsieve/diag'
import { type CaptureFormat, CaptureReader, isGzip } from '@netsieve/packet'
import type { Batch, BatchOptions, Fault, PacketMeta } from '@netsieve/vm'
import { FEED_BYTES, Feed } from './feed.ts'
import { captureParts, nameOf, type Opened, type OutputFile, openCapture, readSome, reason, Trouble } from './io.ts'
import type { LinkSieve } from './link-sieve.ts'
import type { TallyRows } from './tally.ts'
import { Sharing } from './team/sharing.ts'
import type { Team } from './team/team.ts'

/** Judged packets in the order of the file. Arrays are views that the next chunk overwrites; `kept` stays until the one after that. */
export interface Judged {
  readonly kind: 'packets'
  /** Number of the first packet, from 0. */
  readonly first: number
  readonly count: number
  readonly r0: Int32Array
  /** Index of the instruction that ended each run, -1 after a fault; empty unless asked for. */
  readonly exits: Int32Array
  readonly faults: readonly { readonly record: number; readonly fault: Fault }[]
  /** What goes to the output: file headers and the records that pass. */
  readonly kept: Uint8Array
}

/** Packets that several threads judged, and wrote where they passed: only how their runs ended is told. */
export interface JudgedTogether {
  readonly kind: 'together'
  readonly tally: TallyRows
}

export interface StreamEnd {
  readonly format: CaptureFormat | undefined
  readonly diagnostics: readonly Diagnostic[]
}

export interface StreamOptions {
  /** Gather the records that pass in `kept`. */
  readonly keep: boolean
  /** Tell which instruction ended each run. */
  readonly exits: boolean
  /** The rules, ready for packets of a link type. */
  readonly sieveFor: (linkType: number) => LinkSieve
  /** Threads that may share the work, where it makes no difference to the verdicts. */
  readonly threads?: number
  /** Where records that pass are written, if it is asked for: threads write them there themselves. */
  readonly output?: OutputFile | undefined
}

export type Stream = AsyncGenerator<Judged | JudgedTogether, StreamEnd>

const FILE_HEADER = 24
/** Bytes of capture for each instruction above which compiling at once takes less time than first trying without. */
const COMPILING_PAYS = 20_000

/** @throws Trouble if the file cannot be read, or its packets cannot be judged */
export async function* judgeStream(path: string, options: StreamOptions): Stream {
  const fast = openFast(path)
  return 'reader' in fast ? yield* judgeFast(path, fast, options) : yield* judgeSlowly(path, options, fast)
}

interface Fast {
  readonly fd: number
  readonly name: string
  readonly header: Uint8Array
  readonly reader: CaptureReader
  readonly format: CaptureFormat & { format: 'pcap' }
}

/** Opens a classic pcap file, or stdin that is one; what was read of anything else (pcapng, gzip, no capture) is for the slow way. */
function openFast(path: string): Fast | Opened {
  const name = nameOf(path)
  const fd = openCapture(path)
  const header = new Uint8Array(FILE_HEADER)
  let length = 0
  try {
    for (let got = 1; got > 0 && length < FILE_HEADER; length += got) got = readSome(fd, header.subarray(length), name)
  } catch (error) {
    if (fd !== 0) closeSync(fd)
    throw error
  }
  const reader = new CaptureReader(name)
  if (length === FILE_HEADER && !isGzip(header)) reader.push(header)
  reader.nextPart()
  const { format } = reader
  // Before version 2.4 the two lengths of a record could stand the other way round.
  if (format?.format !== 'pcap' || format.version !== '2.4') return { fd, start: header.slice(0, length) }
  return { fd, name, header, reader, format }
}

async function* judgeFast(path: string, fast: Fast, options: StreamOptions): Stream {
  const { fd, name, header, format, reader } = fast
  const link = options.sieveFor(format.linkType)
  if (!link.direct) return yield* judgeSlowly(path, options, { fd, start: header })
  const { machine } = link.sieve
  const size = sizeOf(fd)
  const batchOptions: BatchOptions = {
    chunkBytes: FEED_BYTES,
    order: format.little ? 'little' : 'big',
    ticks: format.nanoseconds ? 'ns' : 'us',
    exits: options.exits,
    ...(options.keep && { keep: 'pass' }),
    prepared: size !== undefined && size > COMPILING_PAYS * lengthOf(link),
  }
  const batch = machine.batch(batchOptions)
  const none = new Int32Array(0)
  if (options.keep) yield { kind: 'packets', first: 0, count: 0, r0: none, exits: none, faults: [], kept: header }
  // Pipes have no positions.
  let feed = new Feed(fd, name, () => batch.input, size === undefined ? null : FILE_HEADER)
  let sharing = machine.stateless && batch.compiled ? sharingOf(size, options) : undefined
  let first = 0
  /** Where the next record begins in the file. */
  let position = FILE_HEADER
  const passOver = (bytes: number, packets: number): void => {
    first += packets
    position += bytes
    reader.passOver(bytes, packets)
  }
  // Each piece's in the other half of the area: the one before may still be being written.
  let outputFrom = 0
  try {
    for (;;) {
      const { from, to, last } = await feed.next()
      const { records, consumed, r0, exits, output, faults } = batch.run(to, from, outputFrom)
      outputFrom = FEED_BYTES / 2 - outputFrom
      if (records > 0) yield { kind: 'packets', first, count: records, r0, exits, faults, kept: output }
      passOver(consumed, records)
      const kept = feed.keep(from + consumed, to)
      if (last || !kept) return { format, diagnostics: whatIsWrong(fast, batch.input.slice(from + consumed, to)) }
      const team = sharing?.after(position)
      if (!team) continue
      // Its work is in the memory that is read into and written from.
      await feed.stopped()
      await options.output?.settled()
      const { begin, tally } = judgeTogether(team, link, batch, batchOptions, { fast, from: position, options })
      passOver(begin - position, tally.packets)
      yield { kind: 'together', tally }
      sharing = undefined
      feed = new Feed(fd, name, () => batch.input, position)
    }
  } finally {
    if (fd !== 0) closeSync(fd)
  }
}

function sharingOf(size: number | undefined, { threads = 1, output }: StreamOptions): Sharing | undefined {
  return threads < 2 || size === undefined || (output && !output.places) ? undefined : new Sharing(threads, size)
}

/** Bytes of a plain file; undefined for stdin too, since what it is may not begin where it stands. */
function sizeOf(fd: number): number | undefined {
  const stats = fd === 0 ? undefined : fstatSync(fd)
  return stats?.isFile() ? stats.size : undefined
}

function lengthOf({ sieve }: LinkSieve): number {
  return programsOf(sieve.compiled).reduce((sum, { insns }) => sum + insns.length, 0)
}

/** What is wrong behind the last whole record: the reader knows how to say it. */
function whatIsWrong({ reader }: Fast, tail: Uint8Array): readonly Diagnostic[] {
  if (tail.length === 0) return []
  reader.push(tail)
  reader.nextPart()
  reader.end()
  reader.nextPart()
  return reader.diagnostics
}

interface Rest {
  readonly fast: Fast
  /** Where it begins in the file. */
  readonly from: number
  readonly options: StreamOptions
}

function judgeTogether(team: Team, link: LinkSieve, batch: Batch, batchOptions: BatchOptions, rest: Rest) {
  const { fast, from, options } = rest
  const { fd, format } = fast
  const start = new Uint8Array(4)
  readSync(fd, start, 0, 4, FILE_HEADER)
  const second = new DataView(start.buffer).getUint32(0, format.little)
  const { places } = options.output ?? {}
  const { little, nanoseconds } = format
  const work = {
    fd,
    shape: { little, nanoseconds, second },
    from,
    outputFd: places?.fd,
    exits: options.exits,
  }
  try {
    const done = team.judge(link, batch, batchOptions, work, places?.end ?? 0)
    options.output?.goOnAt(done.output)
    return done
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException
    if (syscall === 'write') throw new Trouble(`${options.output?.path}: error: ${reason(error)} [io/write]`)
    if (syscall === 'read') throw new Trouble(`${fast.name}: error: ${reason(error)} [io/read]`)
    throw new Trouble(`error: ${reason(error)} [io/threads]`)
  }
}

/** Record by record; chunks of as many as came in one read. */
async function* judgeSlowly(path: string, options: StreamOptions, opened: Opened): Stream {
  const parts = captureParts(path, opened)
  const gathered = new Gathered()
  let linkType: number | undefined
  let step = parts.next()
  for (; !step.done; step = parts.next()) {
    const part = step.value
    if (part.kind === 'block') {
      if (options.keep) gathered.keep(part.raw)
      continue
    }
    // Whoever asked takes what is gathered for packets of the link type that was asked for last.
    if (part.linkType !== linkType && gathered.count > 0) yield gathered.take()
    linkType = part.linkType
    const link = options.sieveFor(linkType)
    const frame = link.frame(part)
    const { r0, exit, fault } = link.sieve.machine.run(
      link.sieve.frameFor(frame),
      link.sieve.prepare(frame, link.meta(part, frame), link.values(part)),
    )
    gathered.add(part.index, r0, exit ?? -1, fault)
    if (options.keep && !fault && link.passes(r0)) gathered.keep(part.raw)
    if (gathered.count >= 1024) yield gathered.take()
  }
  if (gathered.count > 0 || gathered.bytes > 0) yield gathered.take()
  return { format: step.value.format, diagnostics: step.value.diagnostics }
}

/** Results of single runs, until there are enough to pass on. */
class Gathered {
  private first = 0
  private r0: number[] = []
  private exits: number[] = []
  private faults: { record: number; fault: Fault }[] = []
  private kept: Uint8Array[] = []
  bytes = 0

  get count(): number {
    return this.r0.length
  }

  add(index: number, r0: number, exit: number, fault: Fault | undefined): void {
    if (this.r0.length === 0) this.first = index
    if (fault) this.faults.push({ record: this.r0.length, fault })
    this.r0.push(r0)
    this.exits.push(exit)
  }

  keep(raw: Uint8Array): void {
    this.kept.push(raw)
    this.bytes += raw.length
  }

  take(): Judged {
    const kept = new Uint8Array(this.bytes)
    let at = 0
    for (const raw of this.kept) {
      kept.set(raw, at)
      at += raw.length
    }
    const { first, r0, exits, faults } = this
    const kind = 'packets' as const
    const judged = {
      kind,
      first,
      count: r0.length,
      r0: Int32Array.from(r0),
      exits: Int32Array.from(exits),
      faults,
      kept,
    }
    this.r0 = []
    this.exits = []
    this.faults = []
    this.kept = []
    this.bytes = 0
    return judged
  }
}

export type { PacketMeta }
