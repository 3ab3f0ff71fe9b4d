import { expect, test } from 'vitest'
import { crc32c, internetChecksum } from '../../src/build/checksum.ts'
import { hex } from '../capture/hex.ts'

test.each([
  ['', 0xffff],
  ['0001 f203 f4f5 f6f7', 0x220d], // RFC 1071 §3: the sum is ddf2
  ['0001 f203 f4f5 f6', 0x2304], // as if a zero followed
  ['ffff ffff', 0],
])('internetChecksum %s', (bytes, expected) => {
  expect(internetChecksum(hex(bytes))).toBe(expected)
})

test('internetChecksum of parts of odd length is that of the whole', () => {
  expect(internetChecksum(hex('00'), hex('01f203'), hex('f4'), hex('f5f6f7'))).toBe(0x220d)
})

test('crc32c: the check value e3069283 of the parameters, and RFC 3720 appendix B.4, least significant byte first', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0x839206e3)
  expect(crc32c(new Uint8Array(32))).toBe(0xaa36918a)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x43aba862)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x4e79dd46)
})
