// Text that bpf_snprintf makes, and numbers that bpf_strtol and bpf_strtoul read: the golden is what Linux 6.18 gave (texts.record.py).

import { readFileSync } from 'node:fs'
import { Code, HELPERS, type MapDef } from '@netsieve/asm'
import { load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

interface Golden {
  /** Template and values; 8 bytes of r0 and the 64 of the buffer, which were aa before. */
  readonly texts: readonly (readonly [readonly string[], string | null])[]
  /** Text and flags; r0 and the number, of strtol and strtoul. */
  readonly numbers: readonly (readonly [readonly [string, number], readonly [string, string]])[]
}
const golden: Golden = JSON.parse(readFileSync(new URL('texts.golden.json', import.meta.url), 'utf8'))

function stored(code: Code, at: number, bytes: Uint8Array): void {
  const padded = Buffer.alloc((bytes.length + 7) & ~7)
  padded.set(bytes)
  for (let i = 0; i < padded.length; i += 8) {
    code.lddw(1, padded.readBigUInt64LE(i))
    code.store(8, 10, at + i, { reg: 1 })
  }
}

function onStack(code: Code, register: number, at: number): void {
  code.mov(register, { reg: 10 })
  code.alu('add', register, at)
}

/** The value of the first map after a run. */
function afterRun(code: Code, maps: readonly MapDef[], size: number, engine: 'interpreter' | 'jit'): string {
  code.mov(0, 0)
  code.exit()
  const out: MapDef = { name: 'out', type: 'array', keySize: 4, valueSize: size, maxEntries: 1 }
  const machine = load(code.layout(), { type: 'sched_cls', maps: [out, ...maps], engine, patience: 0 })
  machine.map('out').set(new Uint8Array(4), new Uint8Array(size).fill(0xaa))
  expect(machine.run(new Uint8Array(64)).fault).toBeUndefined()
  return Buffer.from(machine.map('out').get(new Uint8Array(4))!).toString('hex')
}

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  test.each(golden.texts.filter(([, answer]) => answer !== null))('snprintf %j', ([template, ...values], answer) => {
    const text = Buffer.from(`${template}\0`, 'latin1')
    const code = new Code()
    stored(code, -64, Buffer.from('hello\0wor'))
    stored(code, -48, Buffer.from('0a0000ff20010db8000000000000abcd', 'hex'))
    values.forEach((value, i) => {
      if (value === 'S' || value === 'A') onStack(code, 1, value === 'S' ? -64 : -48)
      else code.lddw(1, BigInt(value))
      code.store(8, 10, -32 + 8 * i, { reg: 1 })
    })
    code.mapValue(1, 0, 8)
    code.mov(2, 64)
    code.mapValue(3, 1)
    onStack(code, 4, -32)
    code.mov(5, 8 * values.length)
    code.call(HELPERS.snprintf.id)
    code.mapValue(1, 0)
    code.store(8, 1, 0, { reg: 0 })
    const words: MapDef = { name: 'words', type: 'array', keySize: 4, valueSize: text.length, maxEntries: 1, flags: 0x80, entries: [[new Uint8Array(4), text]] } // biome-ignore format: one row
    expect(afterRun(code, [words], 72, engine)).toBe(answer)
  })

  test.each(golden.numbers)('numbers in %j', ([text, flags], answers) => {
    const ours = (['strtol', 'strtoul'] as const).map((helper) => {
      const bytes = Buffer.from(`${text}\0`, 'latin1')
      const code = new Code()
      stored(code, -128, bytes)
      code.store(8, 10, -16, 0)
      onStack(code, 1, -128)
      code.mov(2, bytes.length)
      code.mov(3, flags)
      onStack(code, 4, -16)
      code.call(HELPERS[helper].id)
      code.mapValue(1, 0)
      code.store(8, 1, 0, { reg: 0 })
      code.load(8, 2, 10, -16)
      code.store(8, 1, 8, { reg: 2 })
      return afterRun(code, [], 16, engine)
    })
    expect(ours).toEqual(answers)
  })
})

test('most were taken by the verifier', () => {
  expect(golden.texts.filter(([, answer]) => answer !== null).length).toBeGreaterThan(70)
})
