import { isIPv4, isIPv6 } from 'node:net'
import {
  formatIpv4,
  formatIpv6,
  formatMac,
  maskPrefix,
  parseIpv4,
  parseIpv6,
  parseMac,
  prefixMask,
} from '@netsieve/packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const number = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n })
/** Texts that look like addresses, most of them wrong. */
const addressLike = fc
  .array(
    fc.constantFrom(
      '0',
      '00',
      '1',
      '9',
      '12',
      '255',
      '256',
      'f',
      'FFFF',
      'abcd',
      '12345',
      ':',
      '::',
      '.',
      '%',
      'g',
      ' ',
      '1.2.3.4',
      '0:0:0',
    ),
    {
      maxLength: 15,
    },
  )
  .map((parts) => parts.join(''))

describe('IPv4', () => {
  it.each([
    ['0.0.0.0', 0n],
    ['192.0.2.1', 0xc0000201n],
    ['255.255.255.255', 0xffffffffn],
  ])('%s', (text, value) => {
    expect(parseIpv4(text)).toBe(value)
    expect(formatIpv4(value)).toBe(text)
  })

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '+1.2.3.4',
    '1.2.3.1e1',
    '१.2.3.4',
  ])('%j is none', (text) => {
    expect(parseIpv4(text)).toBeUndefined()
  })

  it('is what Node takes for one', () => {
    fc.assert(fc.property(addressLike, (text) => (parseIpv4(text) !== undefined) === isIPv4(text)))
  })

  it('reads what it writes', () => {
    fc.assert(fc.property(number(32), (value) => parseIpv4(formatIpv4(value)) === value))
  })
})

describe('IPv6', () => {
  // RFC 4291 §2.2, RFC 5952 §4.
  it.each([
    ['::', 0n, '::'],
    ['::1', 1n, '::1'],
    ['1::', 1n << 112n, '1::'],
    ['2001:DB8:0:0:8:800:200C:417A', 0x20010db80000000000080800200c417an, '2001:db8::8:800:200c:417a'],
    ['::ffff:192.0.2.1', 0xffffc0000201n, '::ffff:c000:201'],
    ['64:ff9b::192.0.2.33', (0x64ff9bn << 96n) | 0xc0000221n, '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:1.2.3.4', 0x00010002000300040005000601020304n, '1:2:3:4:5:6:102:304'],
    // One zero group is written out; of two runs the longest goes, of equal ones the first.
    ['2001:db8:0:1:1:1:1:1', 0x20010db8000000010001000100010001n, '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', 0x20010000000000010000000000000001n, '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', 0x20010db8000000000001000000000001n, '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:7::', 0x00010002000300040005000600070000n, '1:2:3:4:5:6:7:0'],
  ])('%s', (text, value, written) => {
    expect(parseIpv6(text)).toBe(value)
    expect(formatIpv6(value)).toBe(written)
  })

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    '12345::',
    'g::',
    ':1::',
    '1::2:',
    '::1.2.3',
    '1.2.3.4::',
    '1:1.2.3.4:2::',
    '::1%eth0',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
  ])('%j is none', (text) => {
    expect(parseIpv6(text)).toBeUndefined()
  })

  it('is what Node takes for one, but for zones', () => {
    const property = fc.property(
      addressLike,
      (text) => (parseIpv6(text) !== undefined) === (isIPv6(text) && !text.includes('%')),
    )
    fc.assert(property, { numRuns: 2000 })
  })

  it('reads what it writes, and so does URL', () => {
    const sparse = fc
      .array(fc.constantFrom(0n, 0n, 1n, 0xffffn, 0x10n), { minLength: 8, maxLength: 8 })
      .map((words) => words.reduce<bigint>((value, word) => (value << 16n) | word, 0n))
    fc.assert(
      fc.property(fc.oneof(number(128), sparse), (value) => {
        const text = formatIpv6(value)
        expect(parseIpv6(text)).toBe(value)
        // The URL standard writes addresses by the same rules.
        expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`)
      }),
    )
  })
})

describe('MAC addresses', () => {
  it.each([
    ['00:1b:21:3c:9d:f8', 0x001b213c9df8n],
    ['0:1B:21:3c:9d:8', 0x001b213c9d08n],
    ['ff:ff:ff:ff:ff:ff', 0xffffffffffffn],
  ])('%s', (text, value) => expect(parseMac(text)).toBe(value))

  it.each([
    '',
    '00:1b:21:3c:9d',
    '00:1b:21:3c:9d:f8:1',
    '00-1b-21-3c-9d-f8',
    '001b213c9df8',
    '000:1b:21:3c:9d:f8',
    '00:1b:21:3c:9d:g8',
    ':::::',
  ])('%j is none', (text) => {
    expect(parseMac(text)).toBeUndefined()
  })

  it('reads what it writes', () => {
    fc.assert(fc.property(number(48), (value) => parseMac(formatMac(value)) === value))
  })
})

describe('prefixes', () => {
  it('have their ones in front', () => {
    for (const bits of [32, 128]) {
      for (let length = 0; length <= bits; length++) {
        const mask = prefixMask(length, bits)
        expect(mask.toString(2).padStart(bits, '0')).toBe('1'.repeat(length) + '0'.repeat(bits - length))
        expect(maskPrefix(mask, bits)).toBe(length)
      }
    }
  })

  it.each([0xff00ff00n, 1n, 0x7fffffffn, 0x1_0000_0000n])('%s is none', (mask) => {
    expect(maskPrefix(mask, 32)).toBeUndefined()
  })

  it.each([-1, 33, 1.5, Number.NaN])('of %s bits are none', (length) => {
    expect(() => prefixMask(length, 32)).toThrow(RangeError)
  })
})
