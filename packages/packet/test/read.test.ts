import { FIELDS, read, readBits, writeBits } from '@netsieve/packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** The same by text: all bits in a row. */
const bitsOf = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')

const place = fc.record({
  bytes: fc.uint8Array({ minLength: 1, maxLength: 24 }),
  bit: fc.nat(150),
  bits: fc.integer({ min: 1, max: 128 }),
})

describe('readBits', () => {
  it('reads what stands there, or nothing where any of it is outside', () => {
    const property = fc.property(place, ({ bytes, bit, bits }) => {
      const text = bitsOf(bytes).slice(bit, bit + bits)
      expect(readBits(bytes, bit, bits)).toBe(text.length === bits ? BigInt(`0b${text}`) : undefined)
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('reads nothing before the bytes', () => {
    expect(readBits(Uint8Array.of(1, 2), -8, 8)).toBeUndefined()
    expect(readBits(Uint8Array.of(1, 2), -1, 2)).toBeUndefined()
  })
})

describe('writeBits', () => {
  it('writes the bits it is told, and no other', () => {
    const property = fc.property(
      place,
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      ({ bytes, bit, bits }, random) => {
        fc.pre(bit + bits <= bytes.length * 8)
        const value = BigInt.asUintN(bits, random)
        const before = bitsOf(bytes)
        writeBits(bytes, bit, bits, value)
        expect(bitsOf(bytes)).toBe(
          before.slice(0, bit) + value.toString(2).padStart(bits, '0') + before.slice(bit + bits),
        )
      },
    )
    fc.assert(property, { numRuns: 500 })
  })

  it.each([
    [-1, 4, 0n],
    [13, 4, 0n],
    [0, 4, 16n],
    [0, 4, -1n],
  ])('throws for %i, %i bits, %s, and writes nothing', (bit, bits, value) => {
    const bytes = Uint8Array.of(0xaa, 0x55)
    expect(() => writeBits(bytes, bit, bits, value)).toThrow(RangeError)
    expect(bytes).toEqual(Uint8Array.of(0xaa, 0x55))
  })
})

it('read finds fields from where their header starts', () => {
  // RFC 791's picture: version 4, ihl 6, dscp 46, ecn 1, …, MF and offset 3, ttl 64, UDP.
  const packet = Uint8Array.of(
    0xff,
    0xff,
    0x46,
    0xb9,
    0x01,
    0x02,
    0xbe,
    0xef,
    0x20,
    0x03,
    64,
    17,
    0x12,
    0x34,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
  )
  const fields = Object.fromEntries(
    (Object.keys(FIELDS) as (keyof typeof FIELDS)[])
      .filter((id) => FIELDS[id].proto === 'ipv4')
      .map((id) => [id.slice(5), Number(read(id, packet, 2))]),
  )
  expect(fields).toEqual({
    version: 4,
    ihl: 6,
    tos: 0xb9,
    dscp: 46,
    ecn: 1,
    length: 258,
    id: 0xbeef,
    frag: 0x2003,
    df: 0,
    rf: 0,
    mf: 1,
    fragoff: 3,
    ttl: 64,
    protocol: 17,
    checksum: 0x1234,
    src: 0x0a000001,
    dst: 0x0a000002,
  })
  expect(read('ipv4.dst', packet, 3)).toBeUndefined()
})
