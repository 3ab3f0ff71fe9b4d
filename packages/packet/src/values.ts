// Addresses and numbers as text, strictly: no octal, no short forms, no names that need a resolver.
// Parsers give undefined for text that is none of theirs; what to say about it is the caller's.

/** `192.0.2.1` as a 32-bit number. Four decimal numbers without leading zeros (which some tools read as octal). */
export function parseIpv4(text: string): bigint | undefined {
  const parts = IPV4.exec(text)
  if (!parts) return undefined
  const [, a, b, c, d] = parts
  return BigInt(((Number(a) * 256 + Number(b)) * 256 + Number(c)) * 256 + Number(d))
}

const BYTE = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}$`)

/** An IPv6 address (RFC 4291 §2.2, with `::` and a dotted tail) as a 128-bit number. */
export function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [groups(halves[0]!), halves.length === 2 ? groups(halves[1]!) : []]
  if (!head || !tail) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  // A dotted tail may end the address only.
  if (halves.length === 2 && halves[0]!.includes('.')) return undefined
  return [...head, ...Array<number>(missing).fill(0), ...tail].reduce(
    (value, group) => (value << 16n) | BigInt(group),
    0n,
  )
}

function groups(text: string): number[] | undefined {
  if (text === '') return []
  const out: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes('.')) {
      const v4 = parseIpv4(part)
      if (v4 === undefined) return undefined
      out.push(Number(v4 >> 16n), Number(v4 & 0xffffn))
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) out.push(Number.parseInt(part, 16))
    else return undefined
  }
  return out
}

/** `00:1b:21:3c:9d:f8` as a 48-bit number; one or two hex digits a byte, split by `:`. */
export function parseMac(text: string): bigint | undefined {
  const parts = text.split(':')
  if (parts.length !== 6 || !parts.every((part) => /^[0-9a-f]{1,2}$/i.test(part))) return undefined
  return parts.reduce((value, part) => (value << 8n) | BigInt(Number.parseInt(part, 16)), 0n)
}

/** The mask of a prefix length: 24 of 32 bits is 0xffffff00. @throws RangeError unless 0 ≤ length ≤ bits. */
export function prefixMask(length: number, bits: number): bigint {
  if (!Number.isInteger(length) || length < 0 || length > bits)
    throw new RangeError(`no prefix of ${length} bits in ${bits}`)
  if (bits === 32) return length === 0 ? 0n : BigInt((-1 << (32 - length)) >>> 0)
  return ((1n << BigInt(length)) - 1n) << BigInt(bits - length)
}

/** The length of the prefix that a mask is, or undefined if its ones are not all in front. */
export function maskPrefix(mask: bigint, bits: number): number | undefined {
  if (bits === 32 && mask >= 0n && mask <= 0xffffffffn) {
    const behind = ~Number(mask)
    return (behind & (behind + 1)) === 0 ? Math.clz32(behind) : undefined
  }
  const behind = mask ^ ((1n << BigInt(bits)) - 1n)
  if (behind < 0n || behind >> BigInt(bits) !== 0n || (behind & (behind + 1n)) !== 0n) return undefined
  return bits - bitLength(behind)
}

/** Bits up to the highest that is set; 0 for 0. */
export function bitLength(value: bigint): number {
  return value <= 0xffffffffn ? 32 - Math.clz32(Number(value)) : 32 + bitLength(value >> 32n)
}

export function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
export function formatIpv6(value: bigint): string {
  const words = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn))
  let best = { start: -1, length: 1 }
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && words[i + length] === 0) length++
    if (length > best.length) best = { start: i, length }
  }
  const hex = (part: number[]) => part.map((word) => word.toString(16)).join(':')
  if (best.start < 0) return hex(words)
  return `${hex(words.slice(0, best.start))}::${hex(words.slice(best.start + best.length))}`
}

export function formatMac(value: bigint): string {
  return [40n, 32n, 24n, 16n, 8n, 0n].map((shift) => ((value >> shift) & 0xffn).toString(16).padStart(2, '0')).join(':')
}

/** Bytes of a device's name, the closing zero included (IFNAMSIZ). */
const NAME_BYTES = 16

/** A device's name, or the start of one, as the 128 bits that the kernel compares; undefined if it is empty, too long, or no name. */
export function parseName(text: string): bigint | undefined {
  if (!/^[!-.0-~]{1,15}$/.test(text)) return undefined
  let value = 0n
  for (let i = 0; i < NAME_BYTES; i++) value = (value << 8n) | BigInt(text.charCodeAt(i) || 0)
  return value
}

export function formatName(value: bigint): string {
  let text = ''
  for (let shift = (NAME_BYTES - 1) * 8; shift >= 0; shift -= 8) {
    const byte = Number((value >> BigInt(shift)) & 0xffn)
    if (byte === 0) break
    text += String.fromCharCode(byte)
  }
  return text
}
