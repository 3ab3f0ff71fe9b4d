// The checksums of the Internet protocols.

/** The ones' complement sum of 16-bit words, complemented (RFC 1071 §1); an odd last byte is followed by a zero. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  let sum = 0
  let odd = false // whether the next byte is the low half of a word
  for (const part of parts)
    for (const byte of part) {
      sum += odd ? byte : byte << 8
      odd = !odd
    }
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/** CRC32c as SCTP writes it: the bytes in order, the number read big endian (RFC 9260 appendix A). */
export function crc32c(...parts: readonly Uint8Array[]): number {
  let crc = 0xffffffff
  for (const part of parts)
    for (const byte of part) {
      crc ^= byte
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
    }
  crc = ~crc
  return ((crc << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24)) >>> 0
}

/** What a transport checksum covers of the IP header (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoHeader(src: Uint8Array, dst: Uint8Array, protocol: number, length: number): Uint8Array {
  const tail = src.length === 4 ? [0, protocol, length >> 8, length & 0xff] : v6Tail(protocol, length)
  return Uint8Array.from([...src, ...dst, ...tail])
}

function v6Tail(protocol: number, length: number): number[] {
  return [length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff, 0, 0, 0, protocol]
}
