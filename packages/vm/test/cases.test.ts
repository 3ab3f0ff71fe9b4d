// Sequences with cases of their own do what their instructions do one at a time: registers, faults, counts and places of exit, with any operands,
// wherever their jumps lead, and where a jump leads into the middle of one.

import { Code, type Insn, type Label } from '@netsieve/asm'
import { describe, expect, test, vi } from 'vitest'
import { CASES, SEQUENCES, withSequences } from '../src/cases.ts'
import { OP } from '../src/decode.ts'
import { load } from '../src/index.ts'

const PACKET = Uint8Array.from({ length: 24 }, (_, i) => (i % 5 === 0 ? 0 : i * 37))

type Random = (below: number) => number

/** mulberry32 */
function generator(seed: number): Random {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Of the classes JMP and JMP32. */
const isJump = (op: number): boolean => op < 0x100 && ((op & 7) === 5 || (op & 7) === 6)

/** r0..r5: numbers of all kinds, and pointers to the packet, the stack and the context. */
function setUp(code: Code, random: Random): void {
  code.load(4, 7, 1, 0)
  code.mov(8, { reg: 1 })
  for (let register = 0; register < 6; register++) {
    const kind = random(8)
    if (kind < 3) code.mov(register, [0, 1, -1, 37, 0xffff, 0x7fffffff, random(256)][random(7)]!)
    else if (kind === 3) code.lddw(register, (BigInt(random(0xffffffff)) << 32n) | BigInt(random(0xffffffff)))
    else {
      code.mov(register, { reg: kind === 4 ? 10 : kind === 5 ? 8 : 7 })
      code.alu('add', register, kind === 4 ? -random(40) : random(26))
    }
  }
}

/** Instructions of a sequence on one register, with any other operands. */
function write(code: Code, ops: readonly number[], d: number, random: Random, targets: readonly Label[]): void {
  const reg = (): { reg: number } => ({ reg: [0, 1, 2, 3, 4, 5, 10][random(7)]! })
  const any = (): number | { reg: number } => (random(2) ? reg() : [0, 4, 37, -1, 0xffff, 0x2500][random(6)]!)
  const target = (): Label => targets[random(targets.length)]!
  const writers = new Map<number, () => void>([
    [0xbf, () => code.mov(d, reg())],
    [0x0f, () => code.alu('add', d, any())],
    [0x2d, () => code.jump('jgt', d, any(), target())],
    [0x1d, () => code.jump('jeq', d, any(), target())],
    [0x5d, () => code.jump('jne', d, any(), target())],
    [0x1e, () => code.jump('jeq', d, any(), target(), 32)],
    [0x5e, () => code.jump('jne', d, any(), target(), 32)],
    [0x5c, () => code.alu('and', d, any(), 32)],
    [0x61, () => code.load(4, d, reg().reg, random(12) - 4)],
    [0x69, () => code.load(2, d, reg().reg, random(12) - 4)],
    [0x71, () => code.load(1, d, reg().reg, random(12) - 4)],
    [OP.be16, () => code.be(d, 16)],
    [OP.be32, () => code.be(d, 32)],
  ])
  for (const op of ops) writers.get(op)!()
}

/** A sequence whose jumps lead behind it and back to the start; now and then the program first jumps into its middle. */
function program(ops: readonly number[], random: Random): Insn[] {
  const code = new Code()
  const [start, middle, end] = [code.label(), code.label(), code.label()]
  const d = random(6)
  code.bind(start)
  setUp(code, random)
  if (random(4) === 0) code.jump('jset', random(6), 1, middle)
  write(code, ops.slice(0, 1), d, random, [start, end])
  code.bind(middle)
  write(code, ops.slice(1), d, random, [start, end])
  code.mov(9, 1)
  code.exit()
  code.bind(end)
  code.mov(9, 2)
  code.exit()
  return code.layout()
}

describe.each(SEQUENCES.map((ops, i) => [ops.map((op) => `0x${op.toString(16)}`).join(' '), ops, i] as const))(
  '%s',
  (_, ops, index) => {
    const number = CASES - SEQUENCES.length + index

    test('at once is one after the other', () => {
      const random = generator(index + 1)
      const seen = new Map<string, number>()
      let written = 0
      for (let i = 0; i < 900; i++) {
        const insns = program(ops, random)
        const machine = load(insns, { type: 'xdp', budget: { insns: 90 } })
        const { engine } = machine
        const { code } = engine.programs[0]!
        if (!withSequences(code).some((one, at) => at % 4 === 0 && one === number)) continue
        written++
        const run = machine.run(PACKET).toJSON()
        const registers = [...engine.regs.subarray(0, 22)]
        machine.trace(PACKET)
        expect({ run, registers }).toEqual({
          run: machine.result().toJSON(),
          registers: [...engine.regs.subarray(0, 22)],
        })
        const how = engine.fault?.kind ?? `r9 = ${registers[18]}`
        seen.set(how, (seen.get(how) ?? 0) + 1)
      }
      expect(written).toBeGreaterThan(600)
      expect(seen.get('r9 = 1')).toBeGreaterThan(5)
      if (isJump(ops.at(-1)!)) {
        expect(seen.get('r9 = 2')).toBeGreaterThan(5)
        expect(seen.get('budget')).toBeGreaterThan(1)
      }
      if ((ops[0]! & 7) === 1) expect(seen.get('out-of-bounds')).toBeGreaterThan(5)
    })
  },
)

test('what runs before the first program leaves nothing behind', async () => {
  vi.resetModules()
  const fresh = await import('../src/index.ts')
  const code = new Code()
  code.load(4, 0, 1, 0)
  code.exit()
  const machines = [1, 2].map(() => fresh.load(code.layout(), { type: 'xdp' }))
  const [first, second] = machines.map((machine) => {
    expect(machine.run(PACKET).fault).toBeUndefined()
    return machine.engine.mem.bytes
  })
  expect(first!.length).toBeGreaterThan(70_000)
  expect(Buffer.compare(first!, second!)).toBe(0)
})
