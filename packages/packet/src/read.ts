// Reading bits out of bytes, as numbers. Exact and slow: the reference that generated code is held against.

import { FIELDS, type FieldId } from './fields.ts'

/** `bits` bits from bit `bit` of `bytes` as a big-endian number; undefined if any of them lies outside. */
export function readBits(bytes: Uint8Array, bit: number, bits: number): bigint | undefined {
  const first = Math.floor(bit / 8)
  const last = Math.ceil((bit + bits) / 8)
  if (bit < 0 || last > bytes.length) return undefined
  let value = 0n
  for (let i = first; i < last; i++) value = (value << 8n) | BigInt(bytes[i]!)
  return (value >> BigInt(last * 8 - (bit + bits))) & ((1n << BigInt(bits)) - 1n)
}

/** A field's value, given where its header starts in the packet (in bytes); undefined if it lies outside. */
export function read(field: FieldId, bytes: Uint8Array, headerOffset: number): bigint | undefined {
  const { bit, bits } = FIELDS[field]
  return readBits(bytes, headerOffset * 8 + bit, bits)
}

/** Writes a big-endian number into bits; the reverse of `readBits`. @throws RangeError outside the bytes or if it does not fit. */
export function writeBits(bytes: Uint8Array, bit: number, bits: number, value: bigint): void {
  if (bit < 0 || bit + bits > bytes.length * 8)
    throw new RangeError(`bits ${bit}..${bit + bits} lie outside ${bytes.length} bytes`)
  if (value < 0n || value >> BigInt(bits) !== 0n) throw new RangeError(`${value} does not fit ${bits} bits`)
  let rest = value
  for (let i = bit + bits - 1; i >= bit; i--) {
    const mask = 0x80 >> (i & 7)
    const index = i >> 3
    bytes[index] = rest & 1n ? bytes[index]! | mask : bytes[index]! & ~mask
    rest >>= 1n
  }
}
