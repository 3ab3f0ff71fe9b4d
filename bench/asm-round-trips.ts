// Round trips of many random instructions through bytes, JSON, the builder and each dialect's text.
//
//   node bench/run.mjs bench/asm-round-trips.ts [instructions] [seed]

import { roundTrips } from '../test/asm/round-trip.ts'

const [instructions = '1000000', seed = '1'] = process.argv.slice(2)
const length = 1000
const started = performance.now()
let done = 0
for (let part = Number(seed); done < Number(instructions); part++, done += 10 * length) {
  const wrong = roundTrips(part, 10, length)
  if (wrong) {
    console.error(wrong)
    process.exit(1)
  }
}
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(`${done} random instructions, seeds from ${seed}: no difference (${seconds} s)`)
