// Reads captures of either format from chunks, in memory that does not grow with the file. Lengths in the file are never trusted:
// whatever it holds, reading ends with records and diagnostics.

import { type Diagnostic, Diagnostics } from '@netsieve/diag'
import { ByteQueue, concat } from './bytes.ts'
import { LINK_TYPE_NAMES, LINK_TYPES } from './link-types.ts'
import { identify, MAGIC_BYTES } from './magic.ts'
import { PcapDecoder } from './pcap.ts'
import { PcapngDecoder } from './pcapng.ts'
import type { CaptureFormat, CapturePart, CaptureRecord, Pause } from './record.ts'

/**
 * Feed it with `push`, say `end` when there is no more, and ask for records with `next` until it gives undefined (which, before `end`, means
 * that it waits for bytes). Chunks are not copied: they must not be overwritten while records from them are in use.
 */
export class CaptureReader {
  private readonly name: string
  private readonly queue = new ByteQueue()
  private readonly found = new Diagnostics(100)
  private readonly toldLinkTypes = new Set<number>()
  private decoder: PcapDecoder | PcapngDecoder | undefined
  private packets = 0
  private ended = false
  private stopped = false

  /** @param name what messages call the file */
  constructor(name: string) {
    this.name = name
  }

  /** What the file header says, once it was read. */
  get format(): CaptureFormat | undefined {
    return this.decoder?.format
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.found.list
  }

  /** Nothing more will come of this file, whatever is pushed. */
  get done(): boolean {
    return this.stopped
  }

  /** Others have read so many bytes that would have been next, whole records with so many packets. For pcap only. */
  passOver(bytes: number, packets: number): void {
    this.queue.offset += bytes
    this.packets += packets
  }

  push(chunk: Uint8Array): void {
    if (!this.stopped) this.queue.push(chunk)
  }

  end(): void {
    this.ended = true
  }

  /** The next packet. */
  next(): CaptureRecord | undefined {
    for (let part = this.nextPart(); part; part = this.nextPart()) if (part.kind === 'packet') return part
    return undefined
  }

  /** The next part, packet or not: writing each part's `raw` copies the file. */
  nextPart(): CapturePart | undefined {
    if (this.stopped) return undefined
    if (!this.decoder && !this.open()) return undefined
    const part = this.decoder!.next(this.queue)
    if (!('pause' in part)) {
      if (part.kind === 'packet') this.count(part)
      return part
    }
    if (part.pause === 'stop') this.fail(part.code, part.message)
    else if (this.ended) this.cut(part)
    return undefined
  }

  /** Chooses the decoder by the first bytes; false while there are too few, or if there is none. */
  private open(): boolean {
    if (this.queue.available < MAGIC_BYTES && !this.ended) return false
    const size = Math.min(this.queue.available, MAGIC_BYTES)
    this.queue.has(size)
    const magic = identify(this.queue.bytes.subarray(this.queue.at, this.queue.at + size))
    if (typeof magic === 'string') {
      this.stopped = true
      this.found.error('capture/magic', `${this.name}: not a pcap or pcapng capture: ${magic}`)
      return false
    }
    this.decoder =
      magic.format === 'pcap'
        ? new PcapDecoder(magic.little, magic.nanoseconds)
        : new PcapngDecoder((code, message) =>
            this.found.add({ severity: 'warning', code, message: this.where(message) }),
          )
    return true
  }

  private count(record: CaptureRecord): void {
    this.packets++
    const { linkType } = record
    if (LINK_TYPES[linkType] || this.toldLinkTypes.has(linkType)) return
    this.toldLinkTypes.add(linkType)
    this.found.error(
      'capture/link-type',
      `${this.name}: link type ${linkType} is not supported, from packet ${record.index} (counted from 0) on`,
      undefined,
      { expected: LINK_TYPE_NAMES },
    )
  }

  /** The file ended where `wanted.bytes` should have followed. Exactly between two records is no cut. */
  private cut(wanted: Pause & { pause: 'more' }): void {
    this.stopped = true
    const left = this.queue.available
    if (left === 0 && this.format) return
    const message = this.where(
      `the capture is cut at byte ${this.queue.offset + left}: ${left} of at least ${wanted.bytes} bytes are there`,
    )
    if (this.format) this.found.warning('capture/cut', message)
    else this.found.error('capture/cut', message)
  }

  private fail(code: string, message: string): void {
    this.stopped = true
    this.found.error(code, this.where(message))
  }

  /** The message with the file, the byte and the packet it is about. */
  private where(message: string): string {
    const place = this.format ? `packet ${this.packets} (counted from 0)` : 'the file header'
    return `${this.name}: at byte ${this.queue.offset}, ${place}: ${message}`
  }
}

export interface Capture {
  /** Undefined if the file is no capture. */
  readonly format: CaptureFormat | undefined
  readonly records: readonly CaptureRecord[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads a whole capture in memory. */
export function readCapture(name: string, bytes: Uint8Array): Capture {
  const reader = new CaptureReader(name)
  reader.push(bytes)
  reader.end()
  const records: CaptureRecord[] = []
  for (let record = reader.next(); record; record = reader.next()) records.push(record)
  return { format: reader.format, records, diagnostics: reader.diagnostics }
}

/** A copy of a capture with the packets that `keep` chooses and every other block, byte for byte. */
export function filterCapture(name: string, bytes: Uint8Array, keep: (record: CaptureRecord) => boolean): Uint8Array {
  const reader = new CaptureReader(name)
  reader.push(bytes)
  reader.end()
  const kept: Uint8Array[] = []
  for (let part = reader.nextPart(); part; part = reader.nextPart())
    if (part.kind === 'block' || keep(part)) kept.push(part.raw)
  return concat(kept)
}
