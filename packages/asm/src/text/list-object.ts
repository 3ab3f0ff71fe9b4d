// A whole object as assembly text that reads back as the same object: license, maps, variables, programs.

import { type MapDef, programsIn } from '../abi/maps.ts'
import type { BpfObject, DataSection, Program } from '../object.ts'
import { disassemble, type ListingOptions } from './print.ts'

export type ObjectListingOptions = Pick<ListingOptions, 'dialect' | 'origins' | 'helperNames'>

/** The text of an object. Maps of maps, and what a prog array holds, cannot be declared in text: they are shown as comments. */
export function listObject(object: BpfObject, options: ObjectListingOptions = {}): string {
  const variables = new Set(object.data.map(({ map }) => map))
  const names = new Set<string>()
  return [
    object.license === undefined ? '' : `.license "${object.license.replace(/["\\]/g, '\\$&')}"\n`,
    ...object.maps.map((map, index) => (variables.has(index) ? '' : mapLine(map, object))),
    ...[...object.data].sort((a, b) => a.map - b.map).map(dataLines),
    ...object.programs.map((program, index) => programLines(program, index, names, options)),
  ].join('')
}

function mapLine(map: MapDef, { programs }: BpfObject): string {
  const { name, type, keySize, valueSize, maxEntries, flags = 0, inner } = map
  const line = `.map ${name} ${type} key ${keySize} value ${valueSize} entries ${maxEntries}${flags === 0 ? '' : ` flags ${flags}`}`
  const held = programsIn(map).map(({ index, program }) => `; ${name}[${index}] = ${programs[program]?.name}\n`)
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
    let end = at + 1
    while (end < bytes.length && end - at < WIDTH && !starts.has(end)) end++
    text += `    .byte ${[...bytes.subarray(at, end)].map((byte) => `0x${byte.toString(16)}`).join(', ')}\n`
    at = end
  }
  return text
}

function programLines(
  { name, section, functions, insns }: Program,
  index: number,
  names: Set<string>,
  options: ObjectListingOptions,
): string {
  const unique = (wanted: string): string => {
    let free = wanted
    for (let i = 2; names.has(free); i++) free = `${wanted}_${i}`
    names.add(free)
    return free
  }
  const labels = new Map(functions.map((each) => [each.slot, unique(each.name)]))
  if (!labels.has(0)) labels.set(0, unique(name))
  const labelPrefix = index === 0 ? '' : `p${index}_`
  return `.section ${section}\n.globl ${labels.get(0)}\n${disassemble(insns, { ...options, names: labels, labelPrefix })}`
}
