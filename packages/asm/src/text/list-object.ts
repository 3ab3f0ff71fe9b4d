// A whole object as assembly text that reads back as the same object: license, maps, variables, programs.

import Long from 'long'
import { type MapDef, programsIn } from '../abi/maps.ts'
import type { Insn } from '../insn.ts'
import type { BpfObject, DataSection, Program } from '../object.ts'
import { disassemble, type ListingOptions } from './print.ts'

export type ObjectListingOptions = Pick<ListingOptions, 'dialect' | 'origins' | 'helperNames'>

/** The text of an object. Maps of maps cannot be declared in text: they are shown as comments. */
export function listObject(object: BpfObject, options: ObjectListingOptions = {}): string {
  const data = [...object.data].sort((a, b) => a.map - b.map)
  const variables = new Set(data.map(({ map }) => map))
  const numbers = numbersOf(object, variables)
  const names = new Set<string>()
  const labels = object.programs.map((program) => labelsOf(program, names))
  return [
    object.license === undefined ? '' : `.license "${object.license.replace(/["\\]/g, '\\$&')}"\n`,
    ...object.maps.map((map, index) => (variables.has(index) ? '' : mapLine(map, labels))),
    ...data.map(dataLines),
    ...object.programs.map((program, index) =>
      programLines(program, renumbered(program.insns, numbers), index, labels[index]!, options),
    ),
  ].join('')
}

/** By map: which it is of those that text declares, maps before sections of variables; maps of maps, which it does not, are behind them. */
function numbersOf({ maps }: BpfObject, variables: ReadonlySet<number>): Uint32Array {
  const rank = (map: number) => (maps[map]!.inner ? 2 : variables.has(map) ? 1 : 0)
  const order = maps.map((_, map) => map).sort((a, b) => rank(a) - rank(b) || a - b)
  const numbers = new Uint32Array(maps.length)
  for (const [number, map] of order.entries()) numbers[map] = number
  return numbers
}

function renumbered(insns: readonly Insn[], numbers: Uint32Array): readonly Insn[] {
  if (numbers.every((number, map) => number === map)) return insns
  return insns.map((one) => {
    const { imm64 } = one.spec
    const number = imm64 === 'map_index' || imm64 === 'map_index_value' ? numbers[one.imm] : undefined
    return number === undefined ? one : { ...one, imm: number, imm64: Long.fromBits(number, one.imm64?.high ?? 0) }
  })
}

/** By program: its label is that of its first slot. */
type Labels = ReadonlyMap<number, string>

function mapLine(map: MapDef, labels: readonly Labels[]): string {
  const { name, type, keySize, valueSize, maxEntries, flags = 0, inner } = map
  const line = `.map ${name} ${type} key ${keySize} value ${valueSize} entries ${maxEntries}${flags === 0 ? '' : ` flags ${flags}`}`
  const held = programsIn(map).map(({ index, program }) => `.holds ${name} ${index} ${labels[program]?.get(0)}\n`)
  return inner ? `; ${line}, maps of ${inner.type}\n` : `${line}\n${held.join('')}`
}

const WIDTH = 16

/** Bytes, cut where variables start. */
function dataLines({ name, bytes, symbols }: DataSection): string {
  let text = `.section ${name}\n`
  const starts = new Map(symbols.map((symbol) => [symbol.offset, symbol.name]))
  for (let at = 0; at < bytes.length; ) {
    const label = starts.get(at)
    if (label !== undefined) text += `${label}:\n`
    let end = at
    while (end < bytes.length && bytes[end] === 0 && (end === at || !starts.has(end))) end++
    if (end - at > WIDTH) {
      text += `    .zero ${end - at}\n`
      at = end
      continue
    }
    end = at + 1
    while (end < bytes.length && end - at < WIDTH && !starts.has(end)) end++
    text += `    .byte ${[...bytes.subarray(at, end)].map((byte) => `0x${byte.toString(16)}`).join(', ')}\n`
    at = end
  }
  return text
}

/** The names of a program and its functions, made different from those of the others. */
function labelsOf({ name, functions }: Program, names: Set<string>): Labels {
  const unique = (wanted: string): string => {
    let free = wanted
    for (let i = 2; names.has(free); i++) free = `${wanted}_${i}`
    names.add(free)
    return free
  }
  const labels = new Map(functions.map((each) => [each.slot, unique(each.name)]))
  if (!labels.has(0)) labels.set(0, unique(name))
  return labels
}

function programLines(
  { section }: Program,
  insns: readonly Insn[],
  index: number,
  names: Labels,
  options: ObjectListingOptions,
): string {
  const labelPrefix = index === 0 ? '' : `p${index}_`
  return `.section ${section}\n.globl ${names.get(0)}\n${disassemble(insns, { ...options, names, labelPrefix })}`
}
