import { expect, test } from 'vitest'
import { roundTrips } from './round-trip.ts'

// `node bench/run.mjs bench/asm-round-trips.ts 1000000` does a million.
test('random programs come back the same from bytes, JSON, builder and the text of each dialect', () => {
  expect(roundTrips(20_260_101, 100, 200)).toBeUndefined()
})
