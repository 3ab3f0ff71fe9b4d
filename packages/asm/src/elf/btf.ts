// BTF as BPF objects carry it: the types, the maps that `.maps` declares with them, and the lines of source of `.BTF.ext`.
// Documentation/bpf/btf.rst.

import { MAP_TYPES, type MapDef, type MapTypeName } from '../abi/maps.ts'
import { Broken, type View } from './bytes.ts'
import { BTF, BTF_MAGIC } from './format.ts'

export interface BtfMember {
  readonly name: string
  readonly type: number
  /** Of a member, its offset in bits; of a variable in a section, in bytes. */
  readonly offset: number
  readonly size: number
}

export interface BtfType {
  readonly kind: number
  readonly name: string
  /** Number of members; of a function, its linkage. */
  readonly vlen: number
  /** Of a tag: the argument that it is about. */
  readonly component?: number
  /** Bytes, or the type referred to, by kind. */
  readonly sizeOrType: number
  readonly members: readonly BtfMember[]
  /** Of an array: element type and count. */
  readonly array?: { readonly type: number; readonly count: number }
}

export interface Btf {
  /** By id; 0 is void. */
  readonly types: readonly BtfType[]
  text(at: number): string
}

const VOID: BtfType = { kind: 0, name: '', vlen: 0, sizeOrType: 0, members: [] }

/** @throws Broken */
export function readBtf(view: View): Btf {
  if (view.u16(0) !== BTF_MAGIC) throw new Broken('.BTF: no BTF magic; big-endian BTF is not read')
  const header = view.u32(4)
  const types = view.part(header + view.u32(8), view.u32(12), 'the types of .BTF')
  const strings = view.part(header + view.u32(16), view.u32(20), 'the strings of .BTF')
  const list = [VOID]
  for (let at = 0; at < types.length; ) {
    const info = types.u32(at + 4)
    const count = info & 0xffff
    const kind = (info >>> 24) & 0x1f
    const extra = extraBytes(kind, count)
    const base = { kind, name: strings.text(types.u32(at)), vlen: count, sizeOrType: types.u32(at + 8) }
    types.part(at + 12, extra, 'the types of .BTF')
    list.push({ ...base, members: members(types, strings, { kind, count, at: at + 12, kindFlag: info >>> 31 }), ...(kind === BTF.array && { array: { type: types.u32(at + 12), count: types.u32(at + 20) } }), ...(kind === BTF.declTag && { component: types.u32(at + 12) }) }) // biome-ignore format: one act
    at += 12 + extra
  }
  return { types: list, text: (at) => strings.text(at) }
}

/** Bytes behind the three common words of a type. */
function extraBytes(kind: number, count: number): number {
  switch (kind) {
    case BTF.int:
    case BTF.var:
    case BTF.declTag:
      return 4
    case BTF.array:
      return 12
    case BTF.struct:
    case BTF.union:
    case BTF.datasec:
    case BTF.enum64:
      return count * 12
    case BTF.enum:
    case BTF.funcProto:
      return count * 8
    case BTF.ptr:
    case BTF.fwd:
    case BTF.typedef:
    case BTF.volatile:
    case BTF.const:
    case BTF.restrict:
    case BTF.func:
    case BTF.float:
    case BTF.typeTag:
      return 0
    default:
      throw new Broken(`.BTF: unknown kind of type ${kind}`)
  }
}

function members(
  types: View,
  strings: View,
  { kind, count, at, kindFlag }: { kind: number; count: number; at: number; kindFlag: number },
): BtfMember[] {
  if (kind === BTF.funcProto)
    return Array.from({ length: count }, (_, i) => ({ name: strings.text(types.u32(at + i * 8)), type: types.u32(at + i * 8 + 4), offset: 0, size: 0 })) // biome-ignore format: one act
  if (kind !== BTF.struct && kind !== BTF.union && kind !== BTF.datasec) return []
  return Array.from({ length: count }, (_, i) => {
    const [a, b, c] = [types.u32(at + i * 12), types.u32(at + i * 12 + 4), types.u32(at + i * 12 + 8)]
    if (kind === BTF.datasec) return { name: '', type: a, offset: b, size: c }
    return { name: strings.text(a), type: b, offset: kindFlag ? c & 0xffffff : c, size: 0 }
  })
}

const MODIFIERS = new Set<number>([BTF.typedef, BTF.volatile, BTF.const, BTF.restrict, BTF.typeTag])
const DEEPEST = 32

/** The type behind typedefs and qualifiers. */
export function plainType({ types }: Btf, id: number): BtfType {
  let type = types[id]
  for (let depth = 0; type && MODIFIERS.has(type.kind); depth++) {
    if (depth === DEEPEST) throw new Broken('.BTF: types that refer to each other in a circle')
    type = types[type.sizeOrType]
  }
  if (!type) throw new Broken(`.BTF: no type ${id}`)
  return type
}

/** Bytes of a value of a type. */
export function sizeOfType(btf: Btf, id: number, depth = 0): number {
  const type = plainType(btf, id)
  if (depth > DEEPEST) throw new Broken('.BTF: types that refer to each other in a circle')
  if (type.kind === BTF.ptr) return 8
  if (type.array) return type.array.count * sizeOfType(btf, type.array.type, depth + 1)
  return type.sizeOrType
}

/** A map of `.maps` and the byte of the section where its variable stands. */
export interface DeclaredMap {
  readonly def: MapDef
  readonly offset: number
  /** Bytes from there to the first of its values, where it declares some. */
  readonly valuesAt: number | undefined
}

/** The maps that a `.maps` section declares. libbpf's convention: numbers are array lengths, types are pointers. */
export function btfMaps(btf: Btf): DeclaredMap[] {
  const section = btf.types.find(({ kind, name }) => kind === BTF.datasec && name === '.maps')
  return (section?.members ?? []).map(({ type, offset }) => {
    const variable = plainType(btf, type)
    const values = plainType(btf, variable.sizeOrType).members.find(({ name }) => name === 'values')
    const valuesAt = values && values.offset >> 3
    return { def: mapOf(btf, variable.sizeOrType, variable.name, 0), offset, valuesAt }
  })
}

function mapOf(btf: Btf, id: number, name: string, depth: number): MapDef {
  const struct = plainType(btf, id)
  if (struct.kind !== BTF.struct) throw new Broken(`map ${name} is no struct`)
  if (depth > 1) throw new Broken(`map ${name}: maps of maps of maps`)
  const member = (wanted: string) => struct.members.find((each) => each.name === wanted)
  const pointee = (wanted: string): number | undefined => {
    const found = member(wanted)
    return found && plainType(btf, found.type).sizeOrType
  }
  const number = (wanted: string): number | undefined => {
    const target = pointee(wanted)
    return target === undefined ? undefined : plainType(btf, target).array?.count
  }
  const size = (wanted: string): number => {
    const type = pointee(wanted)
    return number(`${wanted}_size`) ?? (type === undefined ? 0 : sizeOfType(btf, type))
  }
  const flags = number('map_flags')
  const values = member('values')
  const spinLockAt = spinLockOf(btf, pointee('value'))
  const type = mapType(number('type') ?? 0, name)
  // The values of a prog array are programs.
  const inner = type === 'prog_array' ? undefined : values && plainType(btf, plainType(btf, values.type).array?.type ?? 0).sizeOrType // biome-ignore format: one choice
  return {
    name,
    type,
    keySize: size('key'),
    valueSize: values ? 4 : size('value'),
    maxEntries: number('max_entries') ?? 0,
    ...(flags && { flags }),
    ...(spinLockAt !== undefined && { spinLockAt }),
    ...(inner !== undefined && { inner: mapOf(btf, inner, `${name}.inner`, depth + 1) }),
  }
}

/** Where a map's value has its `struct bpf_spin_lock`: bytes. */
function spinLockOf(btf: Btf, value: number | undefined): number | undefined {
  if (value === undefined) return undefined
  const lock = plainType(btf, value).members.find(({ type }) => plainType(btf, type).name === 'bpf_spin_lock')
  return lock && lock.offset >> 3
}

/** @throws Broken for a type that is not known here. */
export function mapType(id: number, name: string): MapTypeName {
  const found = Object.entries(MAP_TYPES).find(([, row]) => row.id === id)
  if (!found) throw new Broken(`map ${name} is of type ${id}, which is not known here`)
  return found[0] as MapTypeName
}

/** A line of source and the byte of the section where its code starts. */
export interface LineInfo {
  readonly offset: number
  readonly file: string
  readonly text: string
  readonly line: number
  readonly column: number
}

/** Bytes of CO-RE relocations in `.BTF.ext`: field offsets that a loader would fit to the running kernel. */
export function coreRelocationBytes(view: View): number {
  return view.u32(4) >= 32 ? view.u32(28) : 0
}

/** The line table of `.BTF.ext`, by section name. */
export function lineInfo(view: View, btf: Btf): Map<string, LineInfo[]> {
  const lines = new Map<string, LineInfo[]>()
  if (view.u16(0) !== BTF_MAGIC) throw new Broken('.BTF.ext: no BTF magic')
  const table = view.part(view.u32(4) + view.u32(16), view.u32(20), 'the lines of .BTF.ext')
  if (table.length === 0) return lines
  const record = table.u32(0)
  if (record < 16) throw new Broken(`.BTF.ext: lines of ${record} bytes`)
  for (let at = 4; at < table.length; ) {
    const name = btf.text(table.u32(at))
    const count = table.u32(at + 4)
    const rows = table.part(at + 8, count * record, 'the lines of .BTF.ext')
    const section = lines.get(name) ?? []
    lines.set(name, section)
    for (let i = 0; i < count; i++) {
      const row = i * record
      const position = rows.u32(row + 12)
      section.push({ offset: rows.u32(row), file: btf.text(rows.u32(row + 4)), text: btf.text(rows.u32(row + 8)), line: position >>> 10, column: position & 0x3ff }) // biome-ignore format: one act
    }
    at += 8 + count * record
  }
  return lines
}
