// Lists of constants that a value is compared with one after the other become a look into a table: with and without byte swaps before,
// of 32 and 64 bits, with other uses of the value behind, with jumps into the middle of the list.

import { Code, type Insn } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { expect, test } from 'vitest'
import { Random } from './generate.ts'

interface Case {
  readonly program: readonly Insn[]
  readonly constants: readonly number[]
  readonly size: 1 | 2 | 4
}

/** r0 tells whether the packet's first bytes are one of the constants, and what else became of them. */
function chain(seed: number): Case {
  const random = new Random(seed)
  const code = new Code()
  const size = random.pick([1, 2, 4] as const)
  const width = random.pick([32, 64] as const)
  const count = random.pick([5, 8, 9, 20, 64, 65, 130])
  const found = code.label()
  const middle = code.label()
  const constants = Array.from({ length: count }, () => {
    const value = random.next() >>> (32 - size * 8)
    return random.below(8) === 0 ? random.s32() : value | 0
  })
  if (random.below(3) === 0) constants[1] = constants[0]!
  code.load(4, 6, 1, 0)
  code.load(4, 7, 1, 4)
  code.mov(2, { reg: 6 })
  code.alu('add', 2, 8)
  const short = code.label()
  code.jump('jgt', 2, { reg: 7 }, short)
  code.load(1, 4, 6, 7)
  code.load(size, 3, 6, 0)
  if (random.below(4) === 0) code.jump('jeq', 4, 1, middle)
  const swapped = size > 1 && random.below(3) > 0
  if (swapped) {
    code.load(size, 3, 6, 0)
    code.be(3, size === 2 ? 16 : 32)
  }
  const jumpedInto = random.below(count)
  constants.forEach((constant, i) => {
    if (i === jumpedInto) code.bind(middle)
    code.jump('jeq', 3, constant, found, width)
  })
  if (random.below(2)) code.mov(0, { reg: 3 })
  else code.mov(0, 5)
  code.exit()
  code.bind(found)
  code.mov(0, random.below(2) ? 7 : { reg: 3 })
  code.exit()
  code.bind(short)
  code.mov(0, 1)
  code.exit()
  return { program: code.layout(), constants, size }
}

function frames({ constants, size }: Case, seed: number): Uint8Array[] {
  const random = new Random(seed)
  return Array.from({ length: 60 }, (_, i) => {
    const frame = Uint8Array.from({ length: 14 }, () => random.below(256))
    const view = new DataView(frame.buffer)
    if (i % 2) {
      const constant = random.pick(constants)
      if (size === 2) view.setUint16(0, constant & 0xffff, i % 4 === 1)
      else if (size === 4) view.setUint32(0, constant, i % 4 === 1)
      else frame[0] = constant
    }
    frame[7] = random.below(3)
    return frame
  })
}

function records(all: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + 16 + length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const frame of all) {
    view.setUint32(at + 8, frame.length, true)
    view.setUint32(at + 12, frame.length, true)
    bytes.set(frame, at + 16)
    at += 16 + frame.length
  }
  return bytes
}

test.each([false, true])('a batch gives what the interpreter gives, loads proved: %s', (proved) => {
  let hits = 0
  for (let seed = 1; seed <= 400; seed++) {
    const one = chain(seed)
    const packets = frames(one, seed)
    const interpreter = load(one.program, { type: 'xdp' })
    const expected = packets.map((packet) => interpreter.run(packet))
    const machine = load(one.program, { type: 'xdp', ...(proved && { proved: () => true }) })
    const batch = machine.batch({ chunkBytes: 4096, exits: true, flatten: seed % 2 === 0 })
    expect(batch.compiled).toBe(true)
    const bytes = records(packets)
    batch.input.set(bytes)
    const { r0, exits } = batch.run(bytes.length)
    expect([...r0], `seed ${seed}`).toEqual(expected.map((run) => run.r0))
    expect([...exits], `seed ${seed}`).toEqual(expected.map((run) => run.exit))
    hits += expected.filter((run) => run.r0 === 7).length
  }
  expect(hits).toBeGreaterThan(1000)
})
