// Which maps can be made, and what their owner's updates and deletions give for maps whose values stand for something outside: the golden is what
// bpf(2) of Linux 6.18 answered (map-calls.record.py).

import { readFileSync } from 'node:fs'
import { insn, type MapDef, type MapTypeName } from '@netsieve/asm'
import { checkMaps, load } from '@netsieve/vm'
import { describe, expect, test } from 'vitest'

type Sizes = readonly [keySize: number, valueSize: number, maxEntries: number, flags: number]
type Call = readonly ['update', key: number, value: 'v' | 0, flags: number] | readonly ['delete' | 'there', key: number]
interface Golden {
  readonly definitions: Readonly<Record<string, readonly (readonly [Sizes, number])[]>>
  readonly calls: Readonly<Record<string, readonly (readonly [Call, number | boolean])[]>>
}
const golden: Golden = JSON.parse(readFileSync(new URL('map-calls.golden.json', import.meta.url), 'utf8'))

const PROGRAM = [insn('mov_imm', { dst: 0 }), insn('exit')]
const INNER: MapDef = { name: 'inner', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 }
const define = (type: string, [keySize, valueSize, maxEntries, flags]: Sizes): MapDef => ({
  name: 'map',
  type: type as MapTypeName,
  keySize,
  valueSize,
  maxEntries,
  flags,
  ...(type.endsWith('of_maps') && { inner: INNER }),
})
const word = (n: number): Uint8Array => new Uint8Array(Uint32Array.of(n).buffer)

test.each(Object.entries(golden.definitions))('definitions of a %s', (type, rows) => {
  const ours = rows.map(([sizes]) => [sizes, checkMaps([define(type, sizes)]).length === 0])
  expect(ours).toEqual(rows.map(([sizes, result]) => [sizes, result === 0]))
  expect(ours.some(([, good]) => good) && ours.some(([, good]) => !good)).toBe(true)
})

describe.each(Object.entries(golden.calls))('calls on a %s', (type, rows) => {
  test('what they give, and what is there', () => {
    const machine = load(PROGRAM, { type: 'xdp', maps: [define(type, [4, 4, 2, 0]), INNER] })
    const map = machine.map('map')
    const all = rows.map(([call]) => {
      if (call[0] === 'update') return map.set(word(call[1]), word(call[2] === 'v' ? 1 : 0), call[3])
      return call[0] === 'delete' ? map.remove(word(call[1])) : map.get(word(call[1])) !== undefined
    })
    // Sockets cannot be asked for, and what is no socket says so by an error of its own.
    const told = (i: number): boolean =>
      type !== 'xskmap' || (rows[i]![0][0] !== 'there' && !(rows[i]![0][0] === 'update' && rows[i]![0][2] === 0))
    // A program of number 0 there is.
    const zero = (i: number): boolean => type === 'prog_array' && rows[i]![0][0] === 'update' && rows[i]![0][2] === 0
    for (const [i, [call, result]] of rows.entries())
      if (told(i) && !zero(i)) expect([i, call, all[i]]).toEqual([i, call, result])
  })
})

test('a map of maps takes maps like its inner one', () => {
  const others: MapDef[] = [
    { ...INNER, name: 'longer', maxEntries: 2 },
    { ...INNER, name: 'wider', valueSize: 16 },
    { ...INNER, name: 'hash', type: 'hash' },
    { ...INNER, name: 'read only', flags: 0x80 },
    { ...INNER, name: 'same' },
  ]
  for (const type of ['array_of_maps', 'hash_of_maps'] as const) {
    const machine = load(PROGRAM, { type: 'xdp', maps: [define(type, [4, 4, 8, 0]), ...others] })
    const results = others.map((_, i) => machine.map('map').set(word(i), word(i + 1)))
    expect(results).toEqual([-22, -22, -22, -22, 0])
    expect(machine.map('map').set(word(0), word(99))).toBe(-22)
  }
})
