import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { timeOf } from '../../src/capture/time.ts'

test('exact for every resolution that a file can give', () => {
  const u32 = fc.nat(0xffffffff)
  const resolution = fc.nat(0xff).map((byte) => (byte & 0x80 ? 2n : 10n) ** BigInt(byte & 0x7f))
  fc.assert(
    fc.property(u32, u32, resolution, fc.integer(), (high, low, unitsPerSecond, offsetSeconds) => {
      const units = (BigInt(high) << 32n) + BigInt(low)
      expect(timeOf(high, low, { unitsPerSecond, offsetSeconds })).toEqual({
        sec: Number(units / unitsPerSecond) + offsetSeconds,
        nsec: Number(((units % unitsPerSecond) * 10n ** 9n) / unitsPerSecond),
      })
    }),
    { numRuns: 2000 },
  )
})
