// Speed of the assembler: instructions a second that are decoded, encoded, printed and parsed.
//
//   node bench/run.mjs bench/asm.ts [seed] [instructions a program]

import { assemble, DIALECTS, decode, disassemble, encode } from '@netsieve/asm'
import { source } from '@netsieve/diag'
import Benchmark from 'benchmark'
import { random, randomProgram } from '../test/asm/random.ts'

const [seed = '1', length = '10000'] = process.argv.slice(2)
const program = randomProgram(random(Number(seed)), Number(length))
const bytes = encode(program)

const suite = new Benchmark.Suite()
const options = { maxTime: 1.5 }
suite.add('decode', () => decode(bytes), options)
suite.add('encode', () => encode(program), options)
for (const dialect of DIALECTS) {
  const text = source('text', disassemble(program, { dialect }))
  suite.add(`print ${dialect}`, () => disassemble(program, { dialect }), options)
  suite.add(`parse ${dialect}`, () => assemble(text, { dialect, origins: false }), options)
}
suite.on('cycle', ({ target }: { target: Benchmark }) => {
  const rate = (target.hz ?? 0) * program.length
  console.log(`${`${target.name}`.padEnd(14)} ${Math.round(rate / 1000).toLocaleString('en').padStart(9)} thousand insns/s  ±${target.stats?.rme.toFixed(1)}%`) // biome-ignore format: a line
})
suite.run()

const million = randomProgram(random(Number(seed)), 1_000_000)
const started = performance.now()
const listing = disassemble(decode(encode(million)).program)
console.log(`1,000,000 instructions from bytes to a listing of ${(listing.length / 1e6).toFixed(0)} MB: ${((performance.now() - started) / 1000).toFixed(2)} s`) // biome-ignore format: a line
