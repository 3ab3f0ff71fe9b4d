// A linked object to an ELF file that libbpf loads: program sections, functions in `.text`, maps in `.maps` with their BTF,
// variables, license, and line information whose source lines are the instructions' origins (the text of the rules), so that
// the kernel's log and bpftool's listings quote them.

import type { Span } from '@netsieve/diag'
import { KFUNCS, type KfuncName, kfuncName } from '../abi/kfuncs.ts'
import { type MapDef, programsIn } from '../abi/maps.ts'
import { PROG_TYPES } from '../abi/prog-types.ts'
import { encode } from '../codec.ts'
import { type Insn, insn, slotTable } from '../insn.ts'
import type { BpfObject, DataSection, FunctionDef, Program } from '../object.ts'
import { targetSlot } from '../text/print.ts'
import { utf8 } from '../utf8.ts'
import { BtfBuilder, UNKNOWN_PROTO } from './btf-builder.ts'
import { Strings, Writer } from './bytes.ts'
import { BIND, ELF, FLAG, RELOC, SECTION, SYMBOL } from './format.ts'

/** What a program has that no object can say; where it was written, if that is known. */
export class UnwritableError extends RangeError {
  readonly span: Span | undefined

  constructor(message: string, one?: Insn) {
    super(message)
    this.span = one?.origin?.span
  }
}

export interface WriteOptions {
  /** The name that stands for the source file in line information. Default `rules`. */
  readonly file?: string
}

interface Out {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly bytes: Uint8Array
  readonly align: number
  /** Of a symbol or relocation table. */
  readonly link?: number
  readonly info?: number
  readonly entry?: number
  /** Of SHT_NOBITS. */
  readonly size?: number
}

interface Sym {
  readonly name: string
  readonly kind: number
  readonly bind: number
  /** Undefined for what another object defines. */
  readonly section: string | undefined
  readonly value: number
  readonly size: number
}

/** A piece of code on its way into a section. */
interface Placed {
  readonly name: string
  readonly insns: readonly Insn[]
  /** Which program and slot of it the piece was cut from. */
  readonly program: number
  readonly slot: number
  /** Bytes from the start of its section. */
  readonly at: number
}

/**
 * The bytes of an object file. Programs of one section keep their order; names of functions are made unique. A prog array names the programs that it
 * holds, so libbpf fills it.
 * @throws UnwritableError for a program that refers to a map by something else than its index, or to a map or variable that is not there.
 */
export function writeElf(object: BpfObject, { file = 'rules' }: WriteOptions = {}): Uint8Array {
  return new ObjectWriter(object, file).done()
}

/** The functions that a program names, and those that it calls or points to without naming them. */
function functionsOf({ name, insns, functions }: Program, slots: Uint32Array): readonly FunctionDef[] {
  const names = new Map([[0, name], ...functions.map((each) => [each.slot, each.name] as const)])
  insns.forEach((one, i) => {
    const isCall = one.spec.call === 'local' || one.spec.imm64 === 'func'
    const slot = isCall ? targetSlot(one, slots[i]!) : undefined
    if (slot !== undefined && !names.has(slot)) names.set(slot, `function_${slot}`)
  })
  return [...names].map(([slot, name]) => ({ name, slot })).sort((a, b) => a.slot - b.slot)
}

class ObjectWriter {
  private readonly object: BpfObject
  private readonly file: string
  private readonly outs: Out[] = []
  private readonly symbols: Sym[] = []
  private readonly btf = new BtfBuilder()
  /** Code by section: program sections first, `.text` last. */
  private readonly code = new Map<string, Placed[]>()
  private readonly names = new Set<string>()
  /** Functions of the kernel's that are called. */
  private readonly kernel = new Set<KfuncName>()

  constructor(object: BpfObject, file: string) {
    this.object = object
    this.file = file
    for (const [index, program] of object.programs.entries()) this.place(program, index)
  }

  done(): Uint8Array {
    const { maps, data, license } = this.object
    const variables = new Map(data.map((section) => [section.map, section]))
    const declared = maps.filter((_, i) => !variables.has(i))
    this.writeMaps(declared)
    for (const section of data) this.writeData(section)
    const sections = [...this.code].sort(([a], [b]) => Number(a === '.text') - Number(b === '.text'))
    if (this.code.has('.text')) this.symbols.push({ name: '', kind: SYMBOL.section, bind: BIND.local, section: '.text', value: 0, size: 0 }) // biome-ignore format: a row
    for (const [name, pieces] of sections) this.writeCode(name, pieces, variables)
    if (license !== undefined) this.outs.push({ name: 'license', type: SECTION.progbits, flags: FLAG.alloc | FLAG.write, bytes: new Writer().add(utf8(license)).u8(0).done(), align: 1 }) // biome-ignore format: a row
    for (const name of this.kernel) {
      this.symbols.push({ name, kind: SYMBOL.notype, bind: BIND.global, section: undefined, value: 0, size: 0 })
      this.btf.kernelFunction(name, KFUNCS[name].prototype)
    }
    this.btf.kernelSection()
    // The extension first: it adds its strings to those of .BTF.
    const extension = this.btf.extension()
    this.outs.push({ name: '.BTF', type: SECTION.progbits, flags: 0, bytes: this.btf.types(), align: 4 })
    this.outs.push({ name: '.BTF.ext', type: SECTION.progbits, flags: 0, bytes: extension, align: 4 })
    return this.assemble()
  }

  private unique(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)|^$/, '_')
    let free = plain
    for (let i = 2; this.names.has(free); i++) free = `${plain}_${i}`
    this.names.add(free)
    return free
  }

  /** Cuts a program at its functions: the first stays in the program's section, the others go to `.text`. */
  private place(program: Program, index: number): void {
    const slots = slotTable(program.insns)
    const starts = functionsOf(program, slots)
    let next = 0
    starts.forEach(({ name, slot }, i) => {
      const section = i === 0 ? program.section : '.text'
      const end = starts[i + 1]?.slot ?? slots[program.insns.length]!
      const from = next
      while (next < program.insns.length && slots[next]! < end) next++
      const insns = program.insns.slice(from, next)
      const pieces = this.code.get(section) ?? []
      this.code.set(section, pieces)
      const last = pieces.at(-1)
      const at = last ? last.at + last.insns.reduce((sum, { spec }) => sum + spec.slots * 8, 0) : 0
      pieces.push({ name: this.unique(i === 0 ? program.name : name), insns, program: index, slot, at })
    })
  }

  private writeMaps(maps: readonly MapDef[]): void {
    if (maps.length === 0) return
    const variables: { name: string; struct: number; offset: number; size: number }[] = []
    let offset = 0
    const programs: { offset: number; type: number; symbol: string }[] = []
    for (const map of maps) {
      const declared = this.btf.mapStruct(map)
      const { struct } = declared
      let { size } = declared
      for (const { index, program } of programsIn(map)) {
        const piece = this.pieceAt(program, 0)
        if (!piece) throw new UnwritableError(`map ${map.name}: there is no program ${program}`)
        const at = declared.size + index * 8
        programs.push({ offset: offset + at, type: RELOC.abs64, symbol: piece.name })
        size = Math.max(size, at + 8)
      }
      variables.push({ name: map.name, struct, offset, size })
      this.symbols.push({
        name: map.name,
        kind: SYMBOL.object,
        bind: BIND.global,
        section: '.maps',
        value: offset,
        size,
      })
      offset += size
    }
    if (programs.length > 0) this.relocations.set('.maps', programs)
    this.btf.section('.maps', variables, offset)
    this.outs.push({ name: '.maps', type: SECTION.progbits, flags: FLAG.alloc | FLAG.write, bytes: new Uint8Array(offset), align: 8 }) // biome-ignore format: a row
  }

  private writeData({ name, bytes, symbols }: DataSection): void {
    const write = name.startsWith('.rodata') ? 0 : FLAG.write
    const bss = name.startsWith('.bss')
    this.outs.push({ name, type: bss ? SECTION.nobits : SECTION.progbits, flags: FLAG.alloc | write, bytes: bss ? new Uint8Array(0) : bytes, align: 8, size: bytes.length }) // biome-ignore format: a row
    this.symbols.push({ name: '', kind: SYMBOL.section, bind: BIND.local, section: name, value: 0, size: 0 })
    for (const symbol of symbols) this.symbols.push({ name: symbol.name, kind: SYMBOL.object, bind: BIND.global, section: name, value: symbol.offset, size: 0 }) // biome-ignore format: a row
  }

  private writeCode(name: string, pieces: readonly Placed[], variables: ReadonlyMap<number, DataSection>): void {
    const insns: Insn[] = []
    const relocations: { offset: number; type: number; symbol: string }[] = []
    for (const piece of pieces) {
      const slots = slotTable(piece.insns)
      piece.insns.forEach((one, i) => {
        const slot = piece.slot + slots[i]!
        const ref = this.reference(one, slot, piece, variables)
        insns.push(ref ? ref.insn : one)
        if (ref) relocations.push({ offset: piece.at + slots[i]! * 8, type: ref.type, symbol: ref.symbol })
      })
      const size = slots[piece.insns.length]! * 8
      const { type, functions } = this.object.programs[piece.program]!
      const { proto = UNKNOWN_PROTO } = functions.find(({ slot }) => slot === piece.slot) ?? {}
      const global = name !== '.text' || (proto !== UNKNOWN_PROTO && proto.global)
      this.symbols.push({ name: piece.name, kind: SYMBOL.func, bind: global ? BIND.global : BIND.local, section: name, value: piece.at, size }) // biome-ignore format: a row
      this.btf.func(name, piece.name, piece.at, { ...proto, global }, PROG_TYPES[type ?? 'xdp'].context)
      this.lines(name, piece, slots)
    }
    this.outs.push({ name, type: SECTION.progbits, flags: FLAG.alloc | FLAG.exec, bytes: encode(insns), align: 8 })
    if (relocations.length > 0) this.relocations.set(name, relocations)
  }

  private readonly relocations = new Map<string, { offset: number; type: number; symbol: string }[]>()

  /** The instruction as it stands in the file and the relocation that makes it whole; nothing if it refers to nothing. */
  private reference(one: Insn, slot: number, piece: Placed, variables: ReadonlyMap<number, DataSection>) {
    const { imm64, call, kind } = one.spec
    if (imm64 === 'map_index' || imm64 === 'map_index_value') {
      const section = variables.get(one.imm)
      const map = this.object.maps[one.imm]
      if (!map) throw new UnwritableError(`there is no map ${one.imm}: ${this.object.maps.length} are declared`, one)
      if (imm64 === 'map_index_value' && !section)
        throw new UnwritableError(`the value of map ${map.name} is not a section of variables`, one)
      const imm = imm64 === 'map_index_value' ? (one.imm64?.high ?? 0) : 0
      return { insn: insn('lddw', { dst: one.dst, imm }), type: RELOC.imm64, symbol: section ? section.name : map.name }
    }
    if (imm64 === 'map_fd' || imm64 === 'map_value')
      throw new UnwritableError('a map by file descriptor cannot be written to a file', one)
    const kernel = call === 'kfunc' ? kfuncName(one.imm) : undefined
    if (kernel) {
      this.kernel.add(kernel)
      return { insn: insn('call_local', { imm: -1 }), type: RELOC.call, symbol: kernel }
    }
    if (call !== 'local' && imm64 !== 'func') return undefined
    const to = targetSlot(one, slot)!
    const callee = this.pieceAt(piece.program, to)
    if (!callee) throw new UnwritableError(`slot ${to} is not the start of a function`, one)
    // As clang does it for static functions, the only way that libbpf takes: the section's symbol, the rest in the immediate.
    const placed = kind === 'call' ? insn('call_local', { imm: callee.at / 8 - 1 }) : insn('lddw', { dst: one.dst, imm: callee.at }) // biome-ignore format: one choice
    return { insn: placed, type: kind === 'call' ? RELOC.call : RELOC.imm64, symbol: '.text' }
  }

  private pieceAt(program: number, slot: number): Placed | undefined {
    for (const pieces of this.code.values()) {
      const found = pieces.find((piece) => piece.program === program && piece.slot === slot)
      if (found) return found
    }
    return undefined
  }

  /** A line wherever the origin changes, and one at the start of each function, as the kernel demands. */
  private lines(section: string, piece: Placed, slots: Uint32Array): void {
    // A text may be long, and that of thousands of instructions.
    const inOneLine = new Map<string, string>()
    let last: string | undefined
    piece.insns.forEach(({ origin }, i) => {
      if (!origin && i > 0) return
      const whole = origin?.text ?? piece.name
      const text = inOneLine.get(whole) ?? whole.replace(/\s+/g, ' ').trim()
      inOneLine.set(whole, text)
      if (text === last) return
      last = text
      this.btf.line(section, { offset: piece.at + slots[i]! * 8, file: this.file, text, line: (origin?.rule ?? 0) + 1 })
    })
  }

  private assemble(): Uint8Array {
    const strings = new Strings()
    const index = new Map(this.outs.map(({ name }, i) => [name, i + 1]))
    const sorted = [...this.symbols].sort((a, b) => a.bind - b.bind)
    const places = new Map(
      sorted.map(({ name, section, kind }, i) => [kind === SYMBOL.section ? section! : name, i + 1]),
    )
    const table = new Writer().add(new Uint8Array(ELF.symbolSize))
    for (const { name, kind, bind, section, value, size } of sorted) {
      table
        .u32(strings.place(name))
        .u8((bind << 4) | kind, 0)
        .u16(section === undefined ? 0 : index.get(section)!)
        .u64(value, size)
    }
    const symtab = this.outs.length + this.relocations.size + 1
    for (const [section, list] of this.relocations) {
      const rows = new Writer()
      for (const { offset, type, symbol } of list) rows.u64(offset).u32(type, places.get(symbol)!)
      this.outs.push({ name: `.rel${section}`, type: SECTION.rel, flags: 0, bytes: rows.done(), align: 8, link: symtab, info: index.get(section)!, entry: 16 }) // biome-ignore format: a row
    }
    const locals = sorted.filter(({ bind }) => bind === BIND.local).length
    this.outs.push({ name: '.symtab', type: SECTION.symtab, flags: 0, bytes: table.done(), align: 8, link: symtab + 1, info: locals + 1, entry: ELF.symbolSize }) // biome-ignore format: a row
    const names = this.outs.map(({ name }) => strings.place(name))
    names.push(strings.place('.strtab'))
    this.outs.push({ name: '.strtab', type: SECTION.strtab, flags: 0, bytes: strings.done(), align: 1 })
    return layOut(this.outs, names)
  }
}

/** Header, sections, section headers. The last section holds the names. */
function layOut(outs: readonly Out[], names: readonly number[]): Uint8Array {
  const body = new Writer().add(new Uint8Array(ELF.headerSize))
  const headers = new Writer().add(new Uint8Array(ELF.sectionSize))
  outs.forEach(({ type, flags, bytes, align, link = 0, info = 0, entry = 0, size }, i) => {
    body.align(align)
    headers
      .u32(names[i]!, type)
      .u64(flags, 0, body.length, size ?? bytes.length)
      .u32(link, info)
      .u64(align, entry)
    body.add(bytes)
  })
  body.align(8)
  const file = body.length
  const bytes = body.add(headers.done()).done()
  const header = new Writer()
    .u32(ELF.ident)
    .u8(ELF.class64, ELF.little, ELF.version, 0)
    .u64(0)
    .u16(ELF.relocatable, ELF.machineBpf)
    .u32(ELF.version)
    .u64(0, 0, file)
    .u32(0)
    .u16(ELF.headerSize, 0, 0, ELF.sectionSize, outs.length + 1, outs.length)
  bytes.set(header.done())
  return bytes
}
