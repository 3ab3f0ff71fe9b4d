// pcapng files: blocks of a type, a length, a body and the length again; sections of either byte order (draft-ietf-opsawg-pcapng).
//
//   type  total length  body (a multiple of 4 bytes, with options at its end)  total length

import { packetOptions, textOf } from './arrival.ts'
import { type ByteQueue, u16, u32 } from './bytes.ts'
import {
  type CaptureInterface,
  type CapturePart,
  type CaptureRecord,
  MAX_BLOCK_BYTES,
  MAX_PACKET_BYTES,
  more,
  type Pause,
  stop,
  tooLong,
} from './record.ts'
import { timeOf } from './time.ts'

export const BLOCK = { section: 0x0a0d0d0a, interface: 1, packet: 2, simple: 3, enhanced: 6 } as const
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d

/** A section may describe so many interfaces; each costs memory. */
const MAX_INTERFACES = 65_536
const LONGEST_NAME = 256

/** What messages call the obsolete block. */
const OBSOLETE = 'Packet Block'

const OPTION = { end: 0, name: 2, tsresol: 9, tsoffset: 14 } as const

export class PcapngDecoder {
  format: { readonly format: 'pcapng'; readonly little: boolean; readonly version: string } | undefined
  private little = true
  private interfaces: CaptureInterface[] = []
  private packets = 0
  private readonly warn: (code: string, message: string) => void

  /** @param warn is told of faults in a block that leave the blocks after it readable */
  constructor(warn: (code: string, message: string) => void) {
    this.warn = warn
  }

  next(queue: ByteQueue): CapturePart | Pause {
    if (!queue.has(12)) return more(12)
    const isSection = u32(queue.bytes, queue.at, true) === BLOCK.section // the same in both byte orders
    if (isSection) {
      const magic = u32(queue.bytes, queue.at + 8, true)
      if (magic !== BYTE_ORDER_MAGIC && magic !== 0x4d3c2b1a)
        return stop('capture/block', 'a section header without the byte-order magic 0x1a2b3c4d')
      this.little = magic === BYTE_ORDER_MAGIC
    }
    const length = u32(queue.bytes, queue.at + 4, this.little)
    if (length < (isSection ? 28 : 12) || length % 4 !== 0)
      return stop('capture/block', `a block that says it is ${length} bytes long`)
    if (length > MAX_BLOCK_BYTES)
      return stop('capture/length', `a block of ${length} bytes, above the limit of ${MAX_BLOCK_BYTES}`)
    if (!queue.has(length)) return more(length)
    const { bytes, at } = queue
    const trailer = u32(bytes, at + length - 4, this.little)
    if (trailer !== length)
      return stop('capture/block', `a block of ${length} bytes by its head and ${trailer} by its tail`)
    const type = u32(bytes, at, this.little)
    const trouble = isSection ? this.section(bytes, at) : type === BLOCK.interface && this.describe(bytes, at, length)
    if (trouble) return trouble
    const captured = length > MAX_PACKET_BYTES ? this.captured(type, bytes, at) : 0
    if (captured > MAX_PACKET_BYTES && captured < length) return tooLong(captured)
    const raw = queue.take(length)
    return this.packet(type, raw) ?? { kind: 'block', raw }
  }

  private section(bytes: Uint8Array, at: number): Pause | undefined {
    const [major, minor] = [u16(bytes, at + 12, this.little), u16(bytes, at + 14, this.little)]
    if (major !== 1) return stop('capture/version', `pcapng version ${major}.${minor} is not known, only 1.x`)
    this.format ??= { format: 'pcapng', little: this.little, version: `${major}.${minor}` }
    this.interfaces = []
    return undefined
  }

  private describe(bytes: Uint8Array, at: number, length: number): Pause | undefined {
    if (length < 20)
      return stop('capture/block', `an interface description of ${length} bytes, too short for its fields`)
    if (this.interfaces.length >= MAX_INTERFACES)
      return stop('capture/interface', `more than ${MAX_INTERFACES} interfaces in a section`)
    const options = this.options(bytes.subarray(at + 16, at + length - 4))
    this.interfaces.push({
      id: this.interfaces.length,
      linkType: u16(bytes, at + 8, this.little),
      snaplen: u32(bytes, at + 12, this.little),
      unitsPerSecond: 1_000_000n,
      offsetSeconds: 0,
      ...options,
    })
    return undefined
  }

  /** The options of an interface that matter here; a wrong length ends them. */
  private options(body: Uint8Array): Partial<CaptureInterface> {
    let found: Partial<CaptureInterface> = {}
    for (let at = 0; at + 4 <= body.length; ) {
      const [code, length] = [u16(body, at, this.little), u16(body, at + 2, this.little)]
      if (code === OPTION.end) break
      if (at + 4 + length > body.length) {
        this.warn('capture/option', `an option of ${length} bytes, longer than the rest of its interface description`)
        break
      }
      found = { ...found, ...this.option(code, body.subarray(at + 4, at + 4 + length)) }
      at += 4 + length + (-length & 3)
    }
    return found
  }

  private option(code: number, value: Uint8Array): Partial<CaptureInterface> {
    if (code === OPTION.name) return { name: printable(textOf(value.subarray(0, LONGEST_NAME))) }
    if (code === OPTION.tsresol && value.length >= 1) {
      // The top bit says whether the rest is a power of 2 or of 10.
      const [power, exponent] = [value[0]! & 0x80 ? 2n : 10n, BigInt(value[0]! & 0x7f)]
      return { unitsPerSecond: power ** exponent }
    }
    if (code === OPTION.tsoffset && value.length >= 8) {
      const [first, second] = [u32(value, 0, this.little), u32(value, 4, this.little)]
      const [high, low] = this.little ? [second, first] : [first, second]
      return { offsetSeconds: (high | 0) * 2 ** 32 + low }
    }
    return {}
  }

  /** The packet of a block, or undefined for a block without one (another type, or faulty: then it is told). */
  private packet(type: number, raw: Uint8Array): CaptureRecord | undefined {
    if (type === BLOCK.enhanced) {
      const id = raw.length >= 32 ? u32(raw, 8, this.little) : 0
      return this.timed('Enhanced Packet Block', id, raw)
    }
    if (type === BLOCK.packet) {
      const id = raw.length >= 32 ? u16(raw, 8, this.little) : 0 // the other 16 bits count drops
      return this.timed(OBSOLETE, id, raw)
    }
    return type === BLOCK.simple ? this.simple(raw) : undefined
  }

  /** The bytes that a block says it has of a packet. */
  private captured(type: number, bytes: Uint8Array, at: number): number {
    if (type !== BLOCK.simple)
      return type === BLOCK.enhanced || type === BLOCK.packet ? u32(bytes, at + 20, this.little) : 0
    return snapped(u32(bytes, at + 8, this.little), this.interfaces[0])
  }

  /** Enhanced and obsolete Packet Blocks: interface, time stamp (high, low), captured and original length, from byte 8 on. */
  private timed(what: string, id: number, raw: Uint8Array): CaptureRecord | undefined {
    if (raw.length < 32) return this.faulty(`${what} of ${raw.length} bytes, too short for its fields`)
    const captured = u32(raw, 20, this.little)
    if (captured > raw.length - 32)
      return this.faulty(`${what} with a captured length of ${captured} in a block of ${raw.length} bytes`)
    const seen = this.interfaces[id]
    if (!seen) return this.unknownInterface(what, id)
    const time = timeOf(u32(raw, 12, this.little), u32(raw, 16, this.little), seen)
    return this.record(seen, raw, 28, captured, u32(raw, 24, this.little), time, what)
  }

  /** A Simple Packet Block has no captured length: it is what the interface's snapshot length leaves. */
  private simple(raw: Uint8Array): CaptureRecord | undefined {
    const what = 'Simple Packet Block'
    if (raw.length < 16) return this.faulty(`${what} of ${raw.length} bytes, too short for its fields`)
    const seen = this.interfaces[0]
    if (!seen) return this.unknownInterface(what, 0)
    const original = u32(raw, 8, this.little)
    const captured = snapped(original, seen)
    if (captured > raw.length - 16)
      return this.faulty(`${what} with a packet of ${captured} bytes in a block of ${raw.length} bytes`)
    return this.record(seen, raw, 12, captured, original, { sec: 0, nsec: 0 })
  }

  private record(
    seen: CaptureInterface,
    raw: Uint8Array,
    dataAt: number,
    captured: number,
    originalLength: number,
    time: { readonly sec: number; readonly nsec: number },
    what?: string,
  ): CaptureRecord {
    // Behind the packet, filled up to 4 bytes, and before the block's second length.
    const optionsAt = dataAt + captured + (-captured & 3)
    const options =
      what !== undefined && raw.length - 4 > optionsAt
        ? packetOptions(raw.subarray(optionsAt, raw.length - 4), this.little, what === OBSOLETE, (length) =>
            this.warn('capture/option', `an option of ${length} bytes, longer than the rest of its ${what}`),
          )
        : undefined
    return {
      kind: 'packet',
      index: this.packets++,
      sec: time.sec,
      nsec: time.nsec,
      originalLength,
      linkType: seen.linkType,
      interface: seen,
      ...(options && Object.keys(options).length > 0 && { options }),
      data: raw.subarray(dataAt, dataAt + captured),
      raw,
    }
  }

  private faulty(message: string): undefined {
    this.warn('capture/block', message)
  }

  private unknownInterface(what: string, id: number): undefined {
    this.warn('capture/interface', `${what} of interface ${id}, which its section does not describe`)
  }
}

/** `?` for control characters: names go into messages. */
function printable(text: string): string {
  return Array.from(text, (char) => (char < ' ' || (char >= '\x7f' && char < '\xa0') ? '?' : char)).join('')
}

/** What an interface's snapshot length leaves of a packet. */
const snapped = (original: number, { snaplen }: Partial<CaptureInterface> = {}): number =>
  snaplen ? Math.min(original, snaplen) : original
