// A compiled ruleset as an object that libbpf loads: its programs, the first first, its maps, and as much of what the maps hold at first as an object can say.
// A map of one value that the program reads by its address is a section of variables, which is loaded as it stands; what other maps hold
// is written beside the object, for whoever loads it.

import { type BpfObject, type DataSection, MAP_FLAGS, type MapDef, type Program, sectionOf } from '@netsieve/asm'
import { programsOf } from '@netsieve/codegen'
import type { Compiled } from './pipeline.ts'

/** The name of the program in the object; of those that it goes on in, with their number behind it. */
export const PROGRAM = 'netsieve'

export function objectOf(compiled: Compiled): BpfObject {
  const { type, attach, maps } = compiled
  const section = sectionOf(type, attach)
  const direct = new Set<number>()
  const programs = programsOf(compiled).map(({ insns, functions = [] }, i): Program => {
    for (const { spec, imm64 } of insns) if (spec.imm64 === 'map_index_value') direct.add(imm64!.low)
    const name = i === 0 ? PROGRAM : `${PROGRAM}_${i}`
    return { name, section, type, insns, functions: [{ name, slot: 0 }, ...functions.slice(1)] }
  })
  const data = maps.flatMap((map, i) => (direct.has(i) ? [variables(map, i)] : []))
  return { programs, maps, data, license: 'GPL' }
}

/** The only value of a map as a section. */
function variables({ name, valueSize, flags = 0, entries = [] }: MapDef, map: number): DataSection {
  const bytes = new Uint8Array(valueSize)
  for (const [, value] of entries) bytes.set(value)
  const section = flags & MAP_FLAGS.rdonly_prog ? '.rodata' : '.data'
  return { name: `${section}.${name}`, bytes, map, symbols: [{ name, offset: 0 }] }
}

/** A map with what it must hold before the program runs. */
export interface MapContents {
  readonly name: string
  readonly type: string
  readonly key_size: number
  readonly value_size: number
  readonly max_entries: number
  /** Bytes as they lie in the map: numbers in the machine's own order. */
  readonly entries: readonly { readonly key: string; readonly value: string }[]
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** The maps of an object that are filled after it is loaded: of programs, libbpf knows which go where. */
export function contentsOf({ maps, data }: BpfObject): MapContents[] {
  const sections = new Set(data.map(({ map }) => map))
  return maps.flatMap(({ name, type, keySize, valueSize, maxEntries, entries = [] }, i) =>
    sections.has(i) || entries.length === 0 || type === 'prog_array'
      ? []
      : [
          {
            name,
            type,
            key_size: keySize,
            value_size: valueSize,
            max_entries: maxEntries,
            entries: entries.map(([key, value]) => ({ key: hex(key), value: hex(value) })),
          },
        ],
  )
}

/** One `bpftool map update` a value, for maps that are pinned in a folder under their names. */
export function updateLines(contents: readonly MapContents[], folder: string): string[] {
  const spaced = (digits: string) => digits.replace(/..(?=.)/g, '$& ')
  return contents.flatMap(({ name, entries }) =>
    entries.map(
      ({ key, value }) =>
        `bpftool map update pinned ${folder}/${name} key hex ${spaced(key)} value hex ${spaced(value)}`,
    ),
  )
}
