// What a capture is made of, in either format.

import type { PacketOptions } from './arrival.ts'

/** A captured packet. Its views stay right as long as the chunk they were cut from is not overwritten. */
export interface CaptureRecord {
  readonly kind: 'packet'
  /** Its place among the packets of the file, from 0. */
  readonly index: number
  /** Seconds since 1970 and nanoseconds of the second; both 0 in a Simple Packet Block, which has no time. */
  readonly sec: number
  readonly nsec: number
  /** Bytes on the link, of which `data` may be only the first. */
  readonly originalLength: number
  /** A LINKTYPE_ number. */
  readonly linkType: number
  /** pcapng: the interface it was seen on. */
  readonly interface?: CaptureInterface
  /** pcapng: what is told of the packet beside its bytes, if anything is. */
  readonly options?: PacketOptions
  readonly data: Uint8Array
  /** The record itself, header and all: written as it is, it is a byte-for-byte copy. */
  readonly raw: Uint8Array
}

/** Any other part of a capture (the file header, a section, an interface, statistics, …), to be kept on copying. */
export interface CaptureBlock {
  readonly kind: 'block'
  readonly raw: Uint8Array
}

export type CapturePart = CaptureRecord | CaptureBlock

/** An interface of a pcapng section (Interface Description Block). */
export interface CaptureInterface {
  /** Its number in its section. */
  readonly id: number
  readonly linkType: number
  /** The most bytes kept of a packet; 0 for no limit. */
  readonly snaplen: number
  readonly name?: string
  /** Units of a second in its time stamps (if_tsresol), and seconds to add to them (if_tsoffset). */
  readonly unitsPerSecond: bigint
  readonly offsetSeconds: number
}

/** What a file header says. `little` and the versions of pcapng are those of its first section. */
export type CaptureFormat =
  | {
      readonly format: 'pcap'
      readonly little: boolean
      readonly nanoseconds: boolean
      readonly version: string
      readonly snaplen: number
      readonly linkType: number
      /** Bytes of frame check sequence at the end of each packet, where the file says so. */
      readonly fcsBytes?: number
    }
  | { readonly format: 'pcapng'; readonly little: boolean; readonly version: string }

/** The time stamp as one number: nanoseconds since 1970. */
export function timestampNs(record: Pick<CaptureRecord, 'sec' | 'nsec'>): bigint {
  return BigInt(record.sec) * 1_000_000_000n + BigInt(record.nsec)
}

/** What a decoder says when it has no part to give: bytes are missing, or the file cannot be read any further. */
export type Pause =
  | { readonly pause: 'more'; readonly bytes: number } // how many, counted from where reading stands
  | { readonly pause: 'stop'; readonly code: string; readonly message: string }

/** A packet longer than this is taken for a wrong length, as libpcap takes it: the longest snapshot of most link types (MAXIMUM_SNAPLEN). */
export const MAX_PACKET_BYTES = 262_144
/** A pcapng block longer than this is, too (libpcap's limit). */
export const MAX_BLOCK_BYTES = 16 * 1024 * 1024

export const tooLong = (captured: number): Pause =>
  stop('capture/length', `a captured length of ${captured} bytes, above the limit of ${MAX_PACKET_BYTES}`)

export function more(bytes: number): Pause {
  return { pause: 'more', bytes }
}

export function stop(code: string, message: string): Pause {
  return { pause: 'stop', code, message }
}
