// What is filled in once the layers after a header are bytes: lengths, checksums. A field that the text sets stays as it is.

import { writeBits } from '../read.ts'
import { crc32c, internetChecksum, pseudoHeader } from './checksum.ts'
import { FIELDS_OF, fieldOf, type Header, type HeaderName } from './headers.ts'

/** A header on its way to bytes. */
export interface Draft {
  readonly header: Header
  readonly bytes: Uint8Array
  /** The fields that the text sets. */
  readonly given: ReadonlySet<string>
  /** The draft of the IP header that carries it. */
  readonly ip?: Draft
}

/** Writes a field unless the text sets it, under this name or another one for its bits. @throws RangeError if the value does not fit */
export function fill(draft: Draft, field: string, value: number | bigint): void {
  const { bit, bits } = fieldOf(draft.header.name, field)
  for (const name of draft.given) {
    const other = FIELDS_OF.get(draft.header.name)!.get(name)
    if (other && other.bit < bit + bits && bit < other.bit + other.bits) return
  }
  writeBits(draft.bytes, bit, bits, BigInt(value))
}

type Finish = (draft: Draft, payload: Uint8Array) => void

const FINISH: Partial<Record<HeaderName, Finish>> = {
  ipv4(draft, payload) {
    fill(draft, 'ihl', draft.bytes.length / 4)
    fill(draft, 'length', draft.bytes.length + payload.length)
    fill(draft, 'checksum', internetChecksum(draft.bytes))
  },
  ipv6(draft, payload) {
    fill(draft, 'plen', payload.length)
  },
  tcp(draft, payload) {
    fill(draft, 'doff', draft.bytes.length / 4)
    fill(draft, 'checksum', transportChecksum(draft, payload))
  },
  udp(draft, payload) {
    fill(draft, 'length', draft.bytes.length + payload.length)
    fill(draft, 'checksum', transportChecksum(draft, payload) || 0xffff) // 0 means: none (RFC 768)
  },
  udplite(draft, payload) {
    fill(draft, 'coverage', draft.bytes.length + payload.length)
    const coverage = (draft.bytes[4]! << 8) | draft.bytes[5]!
    const covered = coverage < 8 ? payload : payload.subarray(0, coverage - 8) // 0 covers all (RFC 3828 §3.1)
    fill(draft, 'checksum', transportChecksum(draft, covered, payload.length) || 0xffff)
  },
  dccp(draft, payload) {
    fill(draft, 'checksum', transportChecksum(draft, payload))
  },
  sctp(draft, payload) {
    fill(draft, 'checksum', crc32c(draft.bytes, payload))
  },
  icmp(draft, payload) {
    fill(draft, 'checksum', internetChecksum(draft.bytes, payload))
  },
  icmp6(draft, payload) {
    fill(draft, 'checksum', transportChecksum(draft, payload))
  },
  mobility(draft, payload) {
    fill(draft, 'checksum', transportChecksum(draft, payload))
  },
  pppoe(draft, payload) {
    fill(draft, 'length', payload.length)
  },
  gtpu(draft, payload) {
    fill(draft, 'length', payload.length)
  },
  igmp(draft, payload) {
    fill(draft, 'checksum', internetChecksum(draft.bytes, payload))
  },
}

/** Fills in what follows from the payload. @throws RangeError if a length does not fit its field */
export function finish(draft: Draft, payload: Uint8Array): void {
  FINISH[draft.header.name]?.(draft, payload)
}

function transportChecksum({ header, bytes, ip }: Draft, covered: Uint8Array, payloadBytes = covered.length): number {
  const length = bytes.length + payloadBytes
  const [at, size] = ip?.header.name === 'ipv6' ? [8, 16] : [12, 4]
  const address = (index: number) => ip!.bytes.subarray(at + index * size, at + (index + 1) * size)
  const pseudo = ip ? pseudoHeader(address(0), address(1), header.ipProtocol ?? 0, length) : new Uint8Array(0)
  return internetChecksum(pseudo, bytes, covered)
}
