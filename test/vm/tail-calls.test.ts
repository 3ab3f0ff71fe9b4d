// Tail calls from functions: what the program that they lead to returns, the function's caller gets. The numbers are those of Linux 6.18.44, which
// ran the same programs, compiled from C with BTF.

import { Code, type Insn, type MapDef } from '@netsieve/asm'
import { type LoadOptions, load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'

const FRAME = new Uint8Array(64)

/** Place 1 of the array holds a program, or no place does. */
function programs(held: number | undefined): MapDef {
  const entries = held === undefined ? [] : [[Uint8Array.of(1, 0, 0, 0), Uint8Array.of(held, 0, 0, 0)] as const]
  return { name: 'programs', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 4, entries }
}

/** Tail call to place 1, or else 7. */
function goOn(code: Code): void {
  code.emit('lddw_map_index', { dst: 2, imm: 0 })
  code.mov(3, 1)
  code.call(12)
  code.mov(0, 7)
  code.exit()
}

/** Calls the function so many times and gives the sum of what it returned, and 1. */
function calling(times: number): Insn[] {
  const code = new Code()
  const sub = code.label()
  code.mov(6, { reg: 1 })
  code.mov(7, 1)
  for (let i = 0; i < times; i++) {
    code.mov(1, { reg: 6 })
    code.emit('call_local', {}, sub)
    code.alu('add', 7, { reg: 0 })
  }
  code.mov(0, { reg: 7 })
  code.exit()
  code.bind(sub)
  goOn(code)
  return code.layout()
}

/** The caller's stack and registers are as they were, but for what the function wrote by a pointer. */
function withStack(): Insn[] {
  const code = new Code()
  const sub = code.label()
  code.mov(6, 10_000)
  code.store(8, 10, -8, 900)
  code.mov(2, { reg: 10 })
  code.alu('add', 2, -8)
  code.emit('call_local', {}, sub)
  code.alu('mul', 0, { reg: 6 })
  code.load(8, 1, 10, -8)
  code.alu('add', 0, { reg: 1 })
  code.exit()
  code.bind(sub)
  code.mov(6, 1)
  code.store(8, 10, -8, 3)
  code.load(8, 3, 2, 0)
  code.alu('add', 3, 100)
  code.store(8, 2, 0, { reg: 3 })
  goOn(code)
  return code.layout()
}

function five(): Insn[] {
  const code = new Code()
  code.store(8, 10, -8, 77)
  code.mov(6, 0)
  code.mov(0, 5)
  code.exit()
  return code.layout()
}

/** What the engines give, and a batch of two packets. */
function answers(program: readonly Insn[], held: number | undefined): number[] {
  const options: LoadOptions = { type: 'xdp', maps: [programs(held)], programs: [{ insns: five() }] }
  const batch = load(program, { ...options, patience: 0 }).batch({ chunkBytes: 4096 })
  expect(batch.compiled).toBe(true)
  const record = new Uint8Array(16 + FRAME.length)
  new DataView(record.buffer).setUint32(8, FRAME.length, true)
  batch.input.set(record)
  batch.input.set(record, record.length)
  return [
    load(program, options).run(FRAME).r0,
    load(program, { ...options, engine: 'jit', patience: 0 }).run(FRAME).r0,
    ...batch.run(2 * record.length).r0,
  ]
}

const four = (n: number): number[] => [n, n, n, n]

describe('a tail call from a function', () => {
  it('returns to the caller', () => {
    expect(answers(withStack(), undefined)).toEqual(four(71_000))
    expect(answers(withStack(), 1)).toEqual(four(51_000))
  })

  it('goes on 33 times in a run, however many functions do it', () => {
    expect(answers(calling(1), undefined)).toEqual(four(8))
    expect(answers(calling(1), 0)).toEqual(four(41))
    expect(answers(calling(2), undefined)).toEqual(four(15))
    expect(answers(calling(2), 0)).toEqual(four(279))
  })

  it('a place that is filled between packets is seen at the next', () => {
    const program = calling(1)
    const options: LoadOptions = { type: 'xdp', maps: [programs(undefined)], programs: [{ insns: five() }] }
    for (const engine of ['interpreter', 'jit'] as const) {
      const machine = load(program, { ...options, engine, patience: 0 })
      expect(machine.run(FRAME).r0).toBe(8)
      machine.setProgram('programs', 1, 1)
      expect(machine.run(FRAME).r0).toBe(6)
      machine.setProgram('programs', 1, 9)
      expect(machine.run(FRAME).r0).toBe(8)
    }
  })
})
