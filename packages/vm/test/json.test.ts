// Results and maps as JSON, and maps from JSON.

import { Code, HELPERS, insn, type MapDef } from '@netsieve/asm'
import { describe, expect, test } from 'vitest'
import { load, type MapJson } from '../src/index.ts'

const PROGRAM = [insn('mov_imm', { dst: 0 }), insn('exit')]
const map = (type: MapDef['type'], more: Partial<MapDef> = {}): MapDef => ({
  name: 'map',
  type,
  keySize: 4,
  valueSize: 8,
  maxEntries: 4,
  ...more,
})
const made = (def: MapDef, cpus = 1) =>
  load(PROGRAM, { type: 'xdp', maps: [def, { ...map('array'), name: 'next' }], cpus })
const key = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer)
const value = (n: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(n)).buffer)
const again = (json: unknown): MapJson => JSON.parse(JSON.stringify(json))

test('a result: packet, metadata and what was sent, in hexadecimal', () => {
  const code = new Code()
  code.mov(6, { reg: 1 })
  code.mov(2, -4)
  code.call(HELPERS.xdp_adjust_meta.id)
  code.load(4, 2, 6, 0)
  code.store(1, 2, 0, 0xab)
  code.store(8, 10, -8, 7)
  code.map(1, 0)
  code.mov(2, { reg: 10 })
  code.alu('add', 2, -8)
  code.mov(3, 8)
  code.mov(4, 0)
  code.call(HELPERS.ringbuf_output.id)
  code.mov(0, 2)
  code.exit()
  const ring: MapDef = { name: 'ring', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 }
  const run = load(code.layout(), { type: 'xdp', maps: [ring] }).run(new Uint8Array(14))
  expect(again(run)).toEqual({
    r0: 2,
    r0Long: '0x0000000000000002',
    exit: 13,
    insns: 14,
    packet: `ab${'00'.repeat(13)}`,
    metadata: '00000000',
    outputs: [{ kind: 'event', map: 'ring', data: '0700000000000000' }],
  })
})

test('a Bloom filter says the same after it was saved and loaded', () => {
  const bloom = map('bloom_filter', { keySize: 0, valueSize: 4, maxEntries: 16 })
  const one = made(bloom)
  const none = new Uint8Array()
  for (const n of [1, 2, 77]) one.map('map').set(none, key(n))
  const other = made(bloom)
  other.map('map').load(again(one.map('map')))
  const holds = (machine: typeof one, n: number): boolean =>
    machine.map('map').peek(machine.engine.valueBuffer(key(n))) === 0
  const all = Array.from({ length: 300 }, (_, n) => n)
  expect(all.map((n) => holds(other, n))).toEqual(all.map((n) => holds(one, n)))
  expect([1, 2, 77].every((n) => holds(other, n))).toBe(true)
  expect(all.filter((n) => holds(other, n)).length).toBeLessThan(100)
  const wrong = { ...again(one.map('map')), bits: '00' }
  expect(() => other.map('map').load(wrong)).toThrow('its bits are')
})

test('an LRU map drops the same elements after it was saved and loaded', () => {
  const lru = map('lru_hash')
  const one = made(lru)
  for (const n of [1, 2, 3, 4]) one.map('map').set(key(n), value(n))
  // The oldest is used again.
  one.map('map').get(key(1))
  const other = made(lru)
  other.map('map').load(again(one.map('map')))
  for (const machine of [one, other]) {
    machine.map('map').set(key(5), value(5))
    machine.map('map').set(key(6), value(6))
    expect([1, 2, 3, 4, 5, 6].map((n) => machine.map('map').get(key(n)) !== undefined)).toEqual([
      true, false, false, true, true, true,
    ])
  }
}) // biome-ignore format: a row of six

describe('what does not fit is refused, and nothing beyond the map is written', () => {
  const percpu = map('percpu_array', { maxEntries: 1 })
  test.each<[string, MapDef, Partial<MapJson>, string]>([
    ['another type', percpu, { type: 'array' }, 'it is a percpu_array, not a array'],
    ['a long value of the second CPU', percpu, { entries: [['00000000', ['00'.repeat(8), '02'.repeat(64)]]] }, '8 bytes, not 64'],
    ['a short value', percpu, { entries: [['00000000', ['00'.repeat(8), '02']]] }, '8 bytes, not 1'],
    ['values of too many CPUs', percpu, { entries: [['00000000', ['00', '00', '00'].map((b) => b.repeat(8))]] }, 'values of 3 CPUs, where there are 2'],
    ['no value', percpu, { entries: [['00000000', []]] }, 'values of 0 CPUs'],
    ['a list for a shared value', map('hash'), { entries: [['00000000', ['00', '00'].map((b) => b.repeat(8))]] }, 'values of 2 CPUs, where there are 1'],
    ['a key of the wrong length', map('hash'), { entries: [['0000', '00'.repeat(8)]] }, '4 bytes, not 2'],
    ['an index too high', map('array'), { entries: [['09000000', '00'.repeat(8)]] }, 'key 09000000 cannot be set (-7)'],
    ['too many elements', map('hash', { maxEntries: 1 }), { entries: [['00000000', '00'.repeat(8)], ['01000000', '00'.repeat(8)]] }, 'cannot be set (-7)'],
    ['what is not hexadecimal', map('hash'), { entries: [['0000000x', '00'.repeat(8)]] }, 'not hexadecimal'],
  ])('%s', (_, def, json, message) => {
    const machine = made(def, 2)
    expect(() => machine.map('map').load({ name: 'any', type: def.type, entries: [], ...json })).toThrow(message)
    expect(machine.map('next').entries().every(([, bytes]) => bytes.every((byte) => byte === 0))).toBe(true)
  }) // biome-ignore format: a table

  test('one value is that of all CPUs', () => {
    const machine = made(percpu, 2)
    machine.map('map').load({ name: 'map', type: 'percpu_array', entries: [['00000000', '05'.repeat(8)]] })
    expect(machine.map('map').toJSON().entries).toEqual([['00000000', ['05'.repeat(8), '05'.repeat(8)]]])
  })
})
