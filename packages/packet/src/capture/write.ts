// Writes captures: new packets in either format. (A copy of a capture needs no writer: the `raw` of its parts, one after the other, is one.)

import { concat } from './bytes.ts'
import { BLOCK, BYTE_ORDER_MAGIC } from './pcapng.ts'

/** A packet to be written; its time is that of the capture if it comes from one. */
export interface NewPacket {
  /** Seconds since 1970: 0 to 2^32 - 1 in pcap. */
  readonly sec?: number
  readonly nsec?: number
  readonly data: Uint8Array
  /** Bytes on the link, where `data` is only their beginning. */
  readonly originalLength?: number
  readonly linkType: number
  /** pcapng: the name of the interface it was seen on. */
  readonly interface?: { readonly name?: string }
}

export interface WriterOptions {
  readonly format: 'pcap' | 'pcapng'
  /** Byte order, little endian by default. */
  readonly little?: boolean
  /** Time stamps in nanoseconds, microseconds by default. */
  readonly nanoseconds?: boolean
  /** The longest packet the header announces, 262,144 by default as tcpdump's. */
  readonly snaplen?: number
}

/** Makes the bytes of a capture packet by packet: file headers and interface descriptions come before the first packet that needs them. */
export class CaptureWriter {
  private readonly options: Required<WriterOptions>
  private readonly interfaces = new Map<string, number>()
  private linkType: number | undefined

  constructor(options: WriterOptions) {
    this.options = { little: true, nanoseconds: false, snaplen: 262_144, ...options }
  }

  /** The header of a capture; a pcap file has one link type for all its packets. */
  header(linkType: number): Uint8Array {
    this.linkType = linkType
    return this.options.format === 'pcap' ? this.pcapHeader(linkType) : this.section()
  }

  /** Whether a packet of this link type can go into the file. */
  accepts(linkType: number): boolean {
    return this.options.format === 'pcapng' || this.linkType === undefined || this.linkType === linkType
  }

  /** The bytes that a packet adds. @throws RangeError if the file does not accept its link type */
  packet(packet: NewPacket): Uint8Array {
    if (!this.accepts(packet.linkType))
      throw new RangeError(`a pcap file of link type ${this.linkType} takes no packet of link type ${packet.linkType}`)
    const parts = this.linkType === undefined ? [this.header(packet.linkType)] : []
    if (this.options.format === 'pcap') parts.push(this.pcapRecord(packet))
    else parts.push(...this.enhanced(packet))
    return parts.length === 1 ? parts[0]! : concat(parts)
  }

  private pcapHeader(linkType: number): Uint8Array {
    const { little, nanoseconds, snaplen } = this.options
    const head = new Fields(24, little)
    head.u32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4)
    head.u16(4, 2)
    head.u16(6, 4)
    head.u32(16, snaplen)
    head.u32(20, linkType)
    return head.bytes
  }

  private pcapRecord(packet: NewPacket): Uint8Array {
    const { sec = 0, nsec = 0, data } = packet
    const record = new Fields(16 + data.length, this.options.little)
    record.u32(0, sec)
    record.u32(4, this.options.nanoseconds ? nsec : Math.floor(nsec / 1000))
    record.u32(8, data.length)
    record.u32(12, packet.originalLength ?? data.length)
    record.bytes.set(data, 16)
    return record.bytes
  }

  private section(): Uint8Array {
    const block = this.block(BLOCK.section, 16)
    block.u32(8, BYTE_ORDER_MAGIC)
    block.u16(12, 1)
    block.u32(16, 0xffffffff) // the section's length is not given
    block.u32(20, 0xffffffff)
    return block.bytes
  }

  private enhanced(packet: NewPacket): Uint8Array[] {
    const { sec = 0, nsec = 0, data } = packet
    const key = `${packet.linkType} ${packet.interface?.name ?? ''}`
    const known = this.interfaces.get(key)
    const id = known ?? this.interfaces.size
    this.interfaces.set(key, id)
    const block = this.block(BLOCK.enhanced, 20 + data.length)
    const units = this.options.nanoseconds
      ? BigInt(sec) * 1_000_000_000n + BigInt(nsec)
      : BigInt(sec) * 1_000_000n + BigInt(Math.floor(nsec / 1000))
    block.u32(8, id)
    block.u32(12, Number((units >> 32n) & 0xffffffffn))
    block.u32(16, Number(units & 0xffffffffn))
    block.u32(20, data.length)
    block.u32(24, packet.originalLength ?? data.length)
    block.bytes.set(data, 28)
    return known === undefined ? [this.describe(packet), block.bytes] : [block.bytes]
  }

  private describe(packet: NewPacket): Uint8Array {
    const name = Array.from(packet.interface?.name ?? '', (c) => (c >= ' ' && c <= '~' ? c.charCodeAt(0) : 0x3f))
    const options = [...(name.length ? [option(2, name)] : []), ...(this.options.nanoseconds ? [option(9, [9])] : [])]
    const size = options.reduce((sum, { length }) => sum + length, 0)
    const block = this.block(BLOCK.interface, 8 + size + (size ? 4 : 0)) // the end of options is four zeros
    block.u16(8, packet.linkType)
    block.u32(12, this.options.snaplen)
    let at = 16
    for (const { code, length, value } of options) {
      block.u16(at, code)
      block.u16(at + 2, value.length)
      block.bytes.set(value, at + 4)
      at += length
    }
    return block.bytes
  }

  private block(type: number, bodyBytes: number): Fields {
    const length = 12 + bodyBytes + (-bodyBytes & 3)
    const block = new Fields(length, this.options.little)
    block.u32(0, type)
    block.u32(4, length)
    block.u32(length - 4, length)
    return block
  }
}

function option(code: number, value: readonly number[]) {
  return { code, value, length: 4 + value.length + (-value.length & 3) }
}

/** Bytes written in one byte order. */
class Fields {
  readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly little: boolean

  constructor(size: number, little: boolean) {
    this.bytes = new Uint8Array(size)
    this.view = new DataView(this.bytes.buffer)
    this.little = little
  }

  u16(at: number, value: number): void {
    this.view.setUint16(at, value, this.little)
  }

  u32(at: number, value: number): void {
    this.view.setUint32(at, value, this.little)
  }
}

/** A whole capture of packets in memory. With no packets, pcap needs to be told the link type (Ethernet by default). */
export function writeCapture(packets: readonly NewPacket[], options: WriterOptions, linkType = 1): Uint8Array {
  const writer = new CaptureWriter(options)
  const header = writer.header(packets[0]?.linkType ?? linkType)
  return concat([header, ...packets.map((packet) => writer.packet(packet))])
}
