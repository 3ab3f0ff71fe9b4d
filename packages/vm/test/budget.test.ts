// What a run may take beside instructions: the work of helpers, what is sent out, memory. Programs that want more are stopped by a fault.

import { Code, HELPERS, type Insn, type MapDef } from '@netsieve/asm'
import { describe, expect, test } from 'vitest'
import { type LoadOptions, load } from '../src/index.ts'

const RING: MapDef = { name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 1 << 20 }
const LARGE: MapDef = { name: 'large', type: 'array', keySize: 4, valueSize: 1 << 20, maxEntries: 1 }
const MANY: MapDef = { name: 'many', type: 'array', keySize: 4, valueSize: 1, maxEntries: 4_000_000 }
const TABLE: MapDef = { name: 'table', type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 << 17 }
const MAPS = [RING, LARGE, MANY, TABLE]

/** Does something for ever. */
function endless(write: (code: Code) => void): Insn[] {
  const code = new Code()
  const again = code.label()
  code.mov(6, { reg: 1 })
  code.bind(again)
  write(code)
  code.goto(again)
  return code.layout()
}

/** Text on the stack, its address in r1 and its length in r2. */
function text(code: Code, words: string): void {
  const bytes = Buffer.alloc((words.length + 8) & ~7, 0)
  bytes.write(words, 'latin1')
  for (let at = 0; at < bytes.length; at += 8) {
    code.lddw(1, bytes.readBigUInt64LE(at))
    code.store(8, 10, -128 + at, { reg: 1 })
  }
  code.mov(1, { reg: 10 })
  code.alu('add', 1, -128)
  code.mov(2, words.length + 1)
}

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  const run = (program: readonly Insn[], options: Partial<LoadOptions> = {}) =>
    load(program, { type: 'xdp', engine, patience: 0, maps: MAPS, ...options }).run(new Uint8Array(64))

  test.each<[string, (code: Code) => void, RegExp]>([
    [
      'events',
      (c) => {
        c.map(1, 0)
        c.mapValue(2, 1)
        c.mov(3, 1 << 19)
        c.mov(4, 0)
        c.call(HELPERS.ringbuf_output.id)
      },
      /^more than 4194304 bytes were sent out at insn/,
    ],
    [
      'text',
      (c) => {
        text(c, '%1000d')
        c.call(HELPERS.trace_printk.id)
      },
      /^more than 4194304 bytes were sent out at insn/,
    ],
    [
      'sums over much memory',
      (c) => {
        c.mapValue(1, 1)
        c.mov(2, 1 << 20)
        c.mov(3, 0)
        c.mov(4, 0)
        c.mov(5, 0)
        c.call(HELPERS.csum_diff.id)
      },
      /^helpers went through more than 67108864 bytes at insn/,
    ],
    [
      'going through an empty table',
      (c) => {
        const [back, on] = [c.label('back'), c.label('on')]
        c.map(1, 3)
        c.emit('lddw_func', { dst: 2 }, back)
        c.mov(3, 0)
        c.mov(4, 0)
        c.call(HELPERS.for_each_map_elem.id)
        c.goto(on)
        c.bind(back)
        c.mov(0, 0)
        c.exit()
        c.bind(on)
      },
      /^helpers went through more than 67108864 bytes at insn/,
    ],
  ])('%s for ever', (_, write, reason) => {
    const budget = { helperBytes: 1 << 26, outputBytes: 1 << 22 }
    expect(run(endless(write), { budget }).fault).toMatchObject({
      kind: 'budget',
      reason: expect.stringMatching(reason),
    })
  })

  test('what is small is paid for by its instructions', () => {
    const program = endless((c) => {
      c.mov(1, { reg: 10 })
      c.alu('add', 1, -512)
      c.mov(2, 512)
      c.mov(3, 0)
      c.mov(4, 0)
      c.mov(5, 0)
      c.call(HELPERS.csum_diff.id)
    })
    const { fault } = run(program, { budget: { insns: 100_000, helperBytes: 1000 } })
    expect(fault?.reason).toMatch(/^more than 100000 instructions/)
  })

  test('each run has the whole budget, in a batch too', () => {
    const code = new Code()
    code.mapValue(1, 1)
    code.mov(2, 4096)
    code.mov(3, 0)
    code.mov(4, 0)
    code.mov(5, 0)
    code.call(HELPERS.csum_diff.id)
    code.mov(0, 2)
    code.exit()
    const machine = load(code.layout(), { type: 'xdp', engine, patience: 0, maps: MAPS, budget: { helperBytes: 5000 } })
    for (let i = 0; i < 3; i++) expect(machine.run(new Uint8Array(64)).fault).toBeUndefined()
    const batch = machine.batch()
    const record = new Uint8Array(16 + 64)
    new DataView(record.buffer).setUint32(8, 64, true)
    new DataView(record.buffer).setUint32(12, 64, true)
    for (let i = 0; i < 3; i++) batch.input.set(record, i * record.length)
    const { records, faults, r0 } = batch.run(3 * record.length)
    expect([records, faults, [...r0]]).toEqual([3, [], [2, 2, 2]])
  })

  test('a callback that stops at the first of many elements costs one', () => {
    const code = new Code()
    const back = code.label('back')
    code.map(1, 2)
    code.emit('lddw_func', { dst: 2 }, back)
    code.mov(3, 0)
    code.mov(4, 0)
    code.call(HELPERS.for_each_map_elem.id)
    code.exit()
    code.bind(back)
    code.mov(0, 1)
    code.exit()
    const machine = load(code.layout(), { type: 'xdp', engine, patience: 0, maps: MAPS })
    const began = performance.now()
    for (let i = 0; i < 1000; i++) expect(machine.run(new Uint8Array(64)).r0).toBe(1)
    expect(performance.now() - began).toBeLessThan(5000)
  })

  test('a callback inside a callback has a key of its own', () => {
    const code = new Code()
    const [outer, inner] = [code.label('outer'), code.label('inner')]
    const forEach = (back: typeof outer): void => {
      code.map(1, 0)
      code.emit('lddw_func', { dst: 2 }, back)
      code.mov(3, { reg: 10 })
      code.alu('add', 3, -8)
      code.mov(4, 0)
      code.call(HELPERS.for_each_map_elem.id)
    }
    code.store(8, 10, -8, 0)
    forEach(outer)
    code.load(8, 0, 10, -8)
    code.exit()
    code.bind(outer)
    // *context = *context · 10 + key, after the inner one went through all keys
    code.mov(6, { reg: 2 })
    code.mov(7, { reg: 4 })
    forEach(inner)
    code.load(4, 1, 6, 0)
    code.load(8, 2, 7, 0)
    code.alu('mul', 2, 10)
    code.alu('add', 2, { reg: 1 })
    code.store(8, 7, 0, { reg: 2 })
    code.mov(0, 0)
    code.exit()
    code.bind(inner)
    code.mov(0, 0)
    code.exit()
    const maps: MapDef[] = [{ name: 'few', type: 'array', keySize: 4, valueSize: 8, maxEntries: 4 }]
    expect(run(code.layout(), { maps })).toMatchObject({ r0: 123 })
  })

  test('memory that a helper wants and the budget has not', () => {
    const code = new Code()
    const back = code.label('back')
    code.map(1, 0)
    code.emit('lddw_func', { dst: 2 }, back)
    code.mov(3, 0)
    code.mov(4, 0)
    code.call(HELPERS.for_each_map_elem.id)
    code.exit()
    code.bind(back)
    code.mov(0, 0)
    code.exit()
    const maps: MapDef[] = [{ name: 'few', type: 'array', keySize: 4, valueSize: 8, maxEntries: 4 }]
    const outcomes = new Set<string>()
    for (let memory = 80_000; memory < 300_000; memory += 512) {
      try {
        const { fault, r0 } = run(code.layout(), { maps, budget: { memory } })
        outcomes.add(fault ? fault.kind : `${r0}`)
      } catch (e) {
        // Only making the machine may throw.
        outcomes.add(String(e).replace(/\d+/g, 'N'))
      }
    }
    expect([...outcomes].sort()).toEqual(['4', 'RangeError: N bytes of memory are above the budget of N', 'budget'])
  })
})
