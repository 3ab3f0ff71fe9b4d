// Writes `.BTF` and `.BTF.ext`: just the types that libbpf and the kernel want to see for maps, functions and lines.

import type { CType, Kfunc } from '../abi/kfuncs.ts'
import { MAP_TYPES, type MapDef, programsIn } from '../abi/maps.ts'
import type { FunctionProto, ParamDef } from '../object.ts'
import { Strings, Writer } from './bytes.ts'
import { BTF, BTF_MAGIC } from './format.ts'

const HEADER = 24
const EXTERN_LINKAGE = 2
const HEADER_EXT = 24
/** The kernel knows a context by the name of its struct. */
const CONTEXT_SIZE = 4
/** A first argument of these kinds is taken for the context when it gets its name. */
const CONTEXT_LIKE: ReadonlySet<string> = new Set(['ctx', 'other'])

interface Line {
  readonly offset: number
  readonly file: string
  readonly text: string
  /** From 1. */
  readonly line: number
}

/** What is written of a function whose type is not known: `int name(void *ctx)`. */
export const UNKNOWN_PROTO: FunctionProto = {
  global: true,
  params: [{ kind: 'other', what: 'a pointer' }],
  returns: 'scalar',
}

export class BtfBuilder {
  private readonly strings = new Strings()
  private readonly body = new Writer()
  private count = 0
  private readonly int: number
  private readonly pointers = new Map<number, number>()
  private readonly arrays = new Map<number, number>()
  private readonly structs = new Map<string, number>()
  private readonly funcs = new Map<string, { offset: number; type: number }[]>()
  private readonly cTypes = new Map<CType, number>()
  private readonly kernelFunctions: number[] = []
  private readonly sourceLines = new Map<string, Line[]>()

  constructor() {
    this.int = this.type('int', BTF.int, 0, 4)
    this.body.u32((1 << 24) | 32) // signed, 32 bits
  }

  /** The common words of a type; what its kind adds is written behind by the caller. @returns its id, from 1. */
  private type(name: string, kind: number, members: number, sizeOrType: number): number {
    this.body.u32(this.strings.place(name), (kind << 24) | members, sizeOrType)
    return ++this.count
  }

  private pointer(to: number): number {
    const known = this.pointers.get(to)
    if (known !== undefined) return known
    const id = this.type('', BTF.ptr, 0, to)
    this.pointers.set(to, id)
    return id
  }

  private array(element: number, length: number): number {
    const id = this.type('', BTF.array, 0, 0)
    this.body.u32(element, this.int, length)
    return id
  }

  /** libbpf's way to write a number in a type: a pointer to an array of that length. */
  private number(value: number): number {
    const known = this.arrays.get(value)
    if (known !== undefined) return known
    const id = this.pointer(this.array(this.int, value))
    this.arrays.set(value, id)
    return id
  }

  /** The struct that declares a map. */
  mapStruct(map: MapDef): { readonly struct: number; readonly size: number } {
    const { keySize, valueSize, maxEntries, flags, inner } = map
    const members: [string, number][] = [['type', this.number(MAP_TYPES[map.type].id)]]
    // Ring buffers and the like have neither; libbpf wants them left out then.
    if (keySize > 0) members.push(['key_size', this.number(keySize)])
    // Programs that libbpf puts in are values of a type too: functions.
    const programs = programsIn(map).length > 0
    const sized = valueSize > 0 && !inner && !programs
    if (sized) members.push(['value_size', this.number(valueSize)])
    if (maxEntries > 0) members.push(['max_entries', this.number(maxEntries)])
    if (flags) members.push(['map_flags', this.number(flags)])
    if (inner) members.push(['values', this.array(this.pointer(this.mapStruct(inner).struct), 0)])
    if (programs) members.push(['values', this.array(this.pointer(this.type('', BTF.funcProto, 0, this.int)), 0)])
    // `values` is a flexible array: it has no size of its own.
    const size = (members.length - (inner || programs ? 1 : 0)) * 8
    const struct = this.type('', BTF.struct, members.length, size)
    for (const [i, [name, type]] of members.entries()) this.body.u32(this.strings.place(name), type, i * 64)
    return { struct, size }
  }

  /** A data section and its variables. */
  section(
    name: string,
    variables: readonly { name: string; struct: number; offset: number; size: number }[],
    size: number,
  ): void {
    const ids = variables.map((variable) => {
      const id = this.type(variable.name, BTF.var, 0, variable.struct)
      this.body.u32(1) // global
      return id
    })
    this.type(name, BTF.datasec, variables.length, size)
    for (const [i, { offset, size }] of variables.entries()) this.body.u32(ids[i]!, offset, size)
  }

  /** A function that starts at a byte of a section. `context` is the struct that programs of its type get. @returns its type */
  func(
    section: string,
    name: string,
    offset: number,
    { params, returns, global }: FunctionProto,
    context: string,
  ): number {
    const types = params.map((param) => this.param(param, context))
    const result = returns === 'void' ? 0 : returns === 'scalar' ? this.int : this.pointer(this.int)
    const proto = this.type('', BTF.funcProto, params.length, result)
    types.forEach((type, i) => {
      this.body.u32(this.strings.place(i === 0 && CONTEXT_LIKE.has(params[0]!.kind) ? 'ctx' : `arg${i + 1}`), type)
    })
    const func = this.type(name, BTF.func, global ? 1 : 0, proto)
    params.forEach((param, i) => {
      if (param.kind !== 'mem' || param.nullable) return
      this.type('arg:nonnull', BTF.declTag, 0, func)
      this.body.u32(i)
    })
    const list = this.funcs.get(section) ?? []
    this.funcs.set(section, list)
    list.push({ offset, type: func })
    return func
  }

  private param(param: ParamDef, context: string): number {
    switch (param.kind) {
      case 'scalar':
        return this.int
      case 'ctx':
        return this.pointer(this.opaque(context, CONTEXT_SIZE))
      case 'mem':
        return this.pointer(this.opaque(`mem${param.size}`, param.size))
      default:
        return this.pointer(0)
    }
  }

  /** A struct of which only the name and the size matter. */
  private opaque(name: string, size: number): number {
    const known = this.structs.get(name)
    if (known !== undefined) return known
    const id = this.type(name, BTF.struct, 0, size)
    this.structs.set(name, id)
    return id
  }

  /** A function of the kernel's that the object calls: declared with its prototype, in the section of such symbols. */
  kernelFunction(name: string, { returns, params }: Kfunc['prototype']): void {
    const types = Object.values(params).map((type) => this.cType(type))
    const proto = this.type('', BTF.funcProto, types.length, this.cType(returns))
    for (const [i, param] of Object.keys(params).entries()) this.body.u32(this.strings.place(param), types[i]!)
    this.kernelFunctions.push(this.type(name, BTF.func, EXTERN_LINKAGE, proto))
  }

  /** The section of the kernel's functions; none if there are none. */
  kernelSection(): void {
    if (this.kernelFunctions.length === 0) return
    this.type('.ksyms', BTF.datasec, this.kernelFunctions.length, 0)
    for (const id of this.kernelFunctions) this.body.u32(id, 0, 0)
  }

  private cType(type: CType): number {
    const known = this.cTypes.get(type)
    if (known !== undefined) return known
    const id = this.newCType(type)
    this.cTypes.set(type, id)
    return id
  }

  private newCType(type: CType): number {
    if (type === 'int') return this.int
    const struct = /^struct (\w+) \*$/.exec(type)?.[1]
    // Structs of the kernel's need no members: they are known by their kind.
    if (struct !== undefined) return this.pointer(this.type(struct, BTF.struct, 0, 0))
    const bytes = type === '__u64' ? 8 : 4
    const id = this.type(type, BTF.int, 0, bytes)
    this.body.u32(bytes * 8)
    return id
  }

  line(section: string, line: Line): void {
    const list = this.sourceLines.get(section) ?? []
    this.sourceLines.set(section, list)
    list.push(line)
  }

  /** `.BTF.ext`; to be asked for before `types()` is written out, since it places strings. */
  extension(): Uint8Array {
    const funcs = new Writer().u32(8)
    for (const [section, list] of this.funcs) {
      funcs.u32(this.strings.place(section), list.length)
      for (const { offset, type } of list) funcs.u32(offset, type)
    }
    const lines = new Writer().u32(16)
    for (const [section, list] of this.sourceLines) {
      lines.u32(this.strings.place(section), list.length)
      for (const { offset, file, text, line } of list) lines.u32(offset, this.strings.place(file), this.strings.place(text), line << 10) // biome-ignore format: one act
    }
    return new Writer()
      .u16(BTF_MAGIC)
      .u8(1, 0)
      .u32(HEADER_EXT, 0, funcs.length, funcs.length, lines.length)
      .add(funcs.done())
      .add(lines.done())
      .done()
  }

  types(): Uint8Array {
    const types = this.body.done()
    const strings = this.strings.done()
    return new Writer()
      .u16(BTF_MAGIC)
      .u8(1, 0)
      .u32(HEADER, 0, types.length, types.length, strings.length)
      .add(types)
      .add(strings)
      .done()
  }
}
