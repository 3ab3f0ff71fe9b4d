// Classic pcap files: a header of 24 bytes, then records with a header of 16 bytes each (draft-ietf-opsawg-pcap).
//
//   magic  major minor  reserved reserved  snaplen  FCS f 0 linktype   |   seconds  µs or ns  captured length  original length

import { type ByteQueue, u16, u32 } from './bytes.ts'
import { type CaptureFormat, type CapturePart, MAX_PACKET_BYTES, more, type Pause, stop, tooLong } from './record.ts'

export const PCAP_HEADER_BYTES = 24
export const PCAP_RECORD_BYTES = 16

type PcapFormat = Extract<CaptureFormat, { format: 'pcap' }>

export class PcapDecoder {
  format: PcapFormat | undefined
  private readonly little: boolean
  private readonly nanoseconds: boolean
  private packets = 0
  /** Before version 2.3 the two lengths stood the other way round; 2.3 was written both ways. */
  private lengths: 'as-now' | 'swapped' | 'either' = 'as-now'

  constructor(little: boolean, nanoseconds: boolean) {
    this.little = little
    this.nanoseconds = nanoseconds
  }

  next(queue: ByteQueue): CapturePart | Pause {
    return this.format ? this.record(queue, this.format) : this.header(queue)
  }

  private header(queue: ByteQueue): CapturePart | Pause {
    if (!queue.has(PCAP_HEADER_BYTES)) return more(PCAP_HEADER_BYTES)
    const { bytes, at } = queue
    const [major, minor] = [u16(bytes, at + 4, this.little), u16(bytes, at + 6, this.little)]
    if (major !== 2 || minor > 4)
      return stop('capture/version', `pcap version ${major}.${minor} is not known, only up to 2.4`)
    if (minor < 3) this.lengths = 'swapped'
    else if (minor === 3) this.lengths = 'either'
    const network = u32(bytes, at + 20, this.little)
    this.format = {
      format: 'pcap',
      little: this.little,
      nanoseconds: this.nanoseconds,
      version: `${major}.${minor}`,
      snaplen: u32(bytes, at + 16, this.little),
      linkType: network & 0xffff,
      ...(network & 0x0400_0000 && { fcsBytes: (network >>> 28) * 2 }), // in units of 16 bits
    }
    return { kind: 'block', raw: queue.take(PCAP_HEADER_BYTES) }
  }

  private record(queue: ByteQueue, format: PcapFormat): CapturePart | Pause {
    if (!queue.has(PCAP_RECORD_BYTES)) return more(PCAP_RECORD_BYTES)
    const { bytes, at } = queue
    const sec = u32(bytes, at, this.little)
    const fraction = u32(bytes, at + 4, this.little)
    let captured = u32(bytes, at + 8, this.little)
    let originalLength = u32(bytes, at + 12, this.little)
    if (this.lengths === 'swapped' || (this.lengths === 'either' && captured > originalLength))
      [captured, originalLength] = [originalLength, captured]
    if (captured > MAX_PACKET_BYTES) return tooLong(captured)
    const whole = PCAP_RECORD_BYTES + captured
    if (!queue.has(whole)) return more(whole)
    const raw = queue.take(whole)
    const data = raw.subarray(PCAP_RECORD_BYTES)
    const nsec = this.nanoseconds ? fraction : fraction * 1000
    return {
      kind: 'packet',
      index: this.packets++,
      // A fraction of a second or more is wrong, but what it means is plain.
      sec: nsec < 1e9 ? sec : sec + Math.floor(nsec / 1e9),
      nsec: nsec % 1e9,
      originalLength,
      linkType: format.linkType,
      data,
      raw,
    }
  }
}
