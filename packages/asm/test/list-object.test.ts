import { readFileSync } from 'node:fs'
import { renderAll, source } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import { assemble, type BpfObject, DIALECTS, listObject, programsIn, readElf } from '../src/index.ts'

const object = (name: string) =>
  readElf(new Uint8Array(readFileSync(new URL(`../../../test/asm/objects/${name}.o`, import.meta.url)))).value!
/** Without origins, which are the lines of the other text. */
const bare = (value: BpfObject) =>
  JSON.parse(JSON.stringify(value, (key, each) => (key === 'origin' ? undefined : each)))

describe.each(['xdp', 'tc', 'socket'])('%s.o', (name) => {
  test.each(DIALECTS)('as %s text reads back as the same object', (dialect) => {
    const text = listObject(object(name), { dialect, origins: true })
    const { value, diagnostics } = assemble(source(name, text), { dialect })
    expect(renderAll(diagnostics)).toBe('')
    const again = bare(value!)
    // Text of the kernel's dialect has no labels inside a program but its functions.
    for (const program of again.programs) program.functions = []
    const before = bare(object(name))
    for (const program of before.programs) program.functions = []
    expect(again).toEqual(before)
  })
})

test('the text of an object', () => {
  const { value } = assemble(
    source('t', '.license "GPL"\n.map m hash key 4 value 8 entries 2 flags 1\n.section .data\na: .byte 1,2\nb: .byte 3\n.section tc\nmain: if r1 == 0 goto out\nr1 = b ll\nout: exit'), // biome-ignore format: one text
  )
  expect(listObject(value!, { dialect: 'llvm' })).toBe(`.license "GPL"
.map m hash key 4 value 8 entries 2 flags 1
.section .data
a:
    .byte 0x1, 0x2
b:
    .byte 0x3
.section tc
.globl main
main:
    if r1 == 0 goto L3
    r1 = map[idx:1][0]+2 ll
L3:
    exit
`)
})

test('maps that text declares in another order get other numbers', () => {
  const text = '.section .data\na: .byte 1,2\n.section xdp\nmain: r1 = a ll\nr2 = map[idx:1] ll\nexit\n'
  const { value } = assemble(source('t', text), { dialect: 'llvm' })
  const map = { name: 'm', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 2 } as const
  const listed = listObject({ ...value!, maps: [...value!.maps, map] }, { dialect: 'llvm' })
  expect(listed).toMatch(
    /\.map m hash[\s\S]*\.section \.data[\s\S]*r1 = map\[idx:1\]\[0\]\+0 ll\n {4}r2 = map\[idx:0\] ll\n/,
  )
  const again = assemble(source('t', listed), { dialect: 'llvm' }).value!
  expect(again.maps.map(({ name }) => name)).toEqual(['m', '.data'])
  expect(listObject(again, { dialect: 'llvm' })).toBe(listed)
})

const SET = `.license "GPL"
.map programs prog_array key 4 value 4 entries 3
.holds programs 1 second
.holds programs 2 third
.section xdp
.globl first
first:
    exit
.section xdp
.globl second
second:
    exit
.section xdp
.globl third
third:
    exit
`

test('what a prog array holds is in the text, and reads back', () => {
  const { value, diagnostics } = assemble(source('t', SET), { dialect: 'llvm' })
  expect(renderAll(diagnostics)).toBe('')
  expect(programsIn(value!.maps[0]!)).toEqual([
    { index: 1, program: 1 },
    { index: 2, program: 2 },
  ])
  expect(listObject(value!, { dialect: 'llvm' })).toBe(SET)
})

test.each([
  ['.holds programs 3 second', 'programs has 3 entries'],
  ['.holds programs 2 second', 'programs holds another program at 2'],
  ['.holds programs 0 fourth', 'fourth is no program'],
  ['.holds maps 0 second', 'maps is no prog array'],
  ['.holds programs second', '.holds MAP INDEX PROGRAM'],
])('%s: %s', (line, message) => {
  expect(assemble(source('t', `${SET}${line}\n`), { dialect: 'llvm' }).diagnostics).toMatchObject([{ message }])
})

test('a prog array of thousands of entries is read in linear time', () => {
  const held = Array.from({ length: 16_000 }, (_, i) => `.holds programs ${i} second\n`).join('')
  const start = performance.now()
  const { value, diagnostics } = assemble(source('t', SET.replace(/entries 3\n(\.holds.*\n)*/, `entries 16000\n${held}`)), { dialect: 'llvm' }) // biome-ignore format: one call
  expect(diagnostics).toEqual([])
  expect(programsIn(value!.maps[0]!)).toHaveLength(16_000)
  expect(performance.now() - start).toBeLessThan(5000)
})

test('many zeros are one line, and read back', () => {
  const text =
    '.section .data\na:\n    .byte 0x1, 0x0\nb:\n    .zero 100\nc:\n    .zero 17\n    .byte 0x2\n.section tc\n.globl main\nmain:\n    r1 = map[idx:0][0]+2 ll\n    exit\n'
  const { value, diagnostics } = assemble(source('t', text), { dialect: 'llvm' })
  expect(renderAll(diagnostics)).toBe('')
  expect([...value!.data[0]!.bytes]).toEqual([1, ...Array<number>(118).fill(0), 2])
  expect(listObject(value!, { dialect: 'llvm' })).toContain(text.slice(0, text.indexOf('.section tc')))
})
