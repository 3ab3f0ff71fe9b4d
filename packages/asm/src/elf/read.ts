// A BPF object file (ELF64, little endian, EM_BPF, relocatable) to a linked object. Conventions are libbpf's: program types by
// section name, maps from `.maps` or `maps`, variables as maps of one element, functions of `.text` linked behind who calls them.

import { Diagnostics, type Outcome } from '@netsieve/diag'
import { kfuncId } from '../abi/kfuncs.ts'
import { type MapDef, type MapEntry, programEntry } from '../abi/maps.ts'
import { decode } from '../codec.ts'
import { type Insn, slotTable } from '../insn.ts'
import { type CodeSection, link, type Target } from '../link.ts'
import {
  type BpfObject,
  type DataSection,
  dataMap,
  type FunctionDef,
  type FunctionProto,
  isDataSection,
  type Program,
} from '../object.ts'
import { fromUtf8 } from '../utf8.ts'
import { type Btf, btfMaps, coreRelocationBytes, type LineInfo, lineInfo, mapType, readBtf } from './btf.ts'
import { Broken, View } from './bytes.ts'
import { BIND, ELF, FLAG, RELOC, SECTION, SYMBOL } from './format.ts'
import { btfFunctions } from './protos.ts'

interface Section {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly info: number
  readonly link: number
  /** Empty for SHT_NOBITS, whose size is `size`. */
  readonly view: View
  readonly size: number
}

interface Symbol {
  readonly name: string
  readonly kind: number
  readonly bind: number
  /** Not seen by other objects: libbpf verifies it where it is called, as if it were local. */
  readonly hidden: boolean
  readonly section: number
  readonly value: number
}

interface Relocation {
  /** Of the section that it stands in. */
  readonly name: string
  readonly offset: number
  readonly type: number
  readonly symbol: Symbol | undefined
}

/** Bounds on what a small hostile file may make us do: its sections may all be the same bytes. */
const MOST_CODE = 1 << 26
const MOST_CODE_SECTIONS = 1024
const MOST_MAPS = 1024
const MOST_RELOCATIONS = 1 << 20

/** Bytes of variables in all, `.bss` among them: a header alone may ask for any amount. */
const MOST_DATA = 1 << 26

/** Reads an object file. Anything that is wrong with it is a diagnostic; nothing is thrown. */
export function readElf(bytes: Uint8Array): Outcome<BpfObject> {
  const diagnostics = new Diagnostics(100)
  try {
    return diagnostics.outcome(new Reader(bytes, diagnostics).read())
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    diagnostics.error('elf/broken', error.message)
    return { diagnostics: diagnostics.list }
  }
}

class Reader {
  private readonly diagnostics: Diagnostics
  private readonly sections: readonly Section[]
  private readonly symbols: readonly Symbol[]
  private readonly codeSections: readonly Section[]
  private relocations = 0
  private readonly maps: MapDef[] = []
  /** Where the values of maps that declare some begin in `.maps`. */
  private readonly valuesAt: { readonly map: number; readonly at: number }[] = []
  /** Maps by section and byte. */
  private readonly mapAt = new Map<string, number>()
  private readonly data = new Map<number, DataSection>()

  constructor(bytes: Uint8Array, diagnostics: Diagnostics) {
    this.diagnostics = diagnostics
    const file = new View(bytes, 'the file')
    this.sections = readSections(file)
    this.symbols = readSymbols(this.sections)
    this.codeSections = this.sections.filter(isCode)
    const bytesOfCode = this.codeSections.reduce((sum, { size }) => sum + size, 0)
    if (this.codeSections.length > MOST_CODE_SECTIONS)
      throw new Broken(`more than ${MOST_CODE_SECTIONS} sections of code`)
    if (bytesOfCode > MOST_CODE) throw new Broken(`more than ${MOST_CODE} bytes of code`)
  }

  read(): BpfObject {
    const btfSection = this.find('.BTF')
    const btf = btfSection && readBtf(btfSection.view)
    const extension = this.find('.BTF.ext')
    // The table has a record size even where it has no records.
    if (extension && coreRelocationBytes(extension.view) > 4) {
      this.diagnostics.warning(
        'elf/core',
        'relocations of kernel types (CO-RE) are not applied: offsets stay those of the compiler',
      )
    }
    const lines = btf && extension ? lineInfo(extension.view, btf) : new Map<string, LineInfo[]>()
    this.declareMaps(btf)
    this.declareData()
    const protos = btf ? btfFunctions(btf) : new Map<string, FunctionProto>()
    const code = this.codeSections.map((section) => this.code(section, lines.get(section.name) ?? [], protos))
    const license = this.find('license')
    if (code.length === 0) this.diagnostics.error('elf/empty', 'there is no code')
    const programs = link(code, this.diagnostics)
    this.fillProgArrays(programs)
    return {
      programs,
      maps: this.maps,
      data: [...this.data.values()],
      ...(license && { license: fromUtf8(license.view.bytes).replace(/\0.*$/s, '') }),
    }
  }

  private find(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name)
  }

  private addMap(def: MapDef, section: string, offset: number): void {
    if (this.maps.length >= MOST_MAPS) throw new Broken(`more than ${MOST_MAPS} maps`)
    this.mapAt.set(`${section}@${offset}`, this.maps.push(def) - 1)
  }

  private declareMaps(btf: Btf | undefined): void {
    if (btf && this.find('.maps')) {
      const index = this.sections.findIndex(({ name }) => name === '.maps')
      for (const { def, offset, valuesAt } of btfMaps(btf)) {
        // Before linking, the offsets in BTF are 0: the symbols have them.
        const symbol = this.symbols.find((each) => each.section === index && each.name === def.name)
        const at = symbol?.value ?? offset
        this.addMap(def, '.maps', at)
        if (valuesAt !== undefined) this.valuesAt.push({ map: this.maps.length - 1, at: at + valuesAt })
      }
    }
    this.declareLegacyMaps()
  }

  /** `struct bpf_map_def { type, key_size, value_size, max_entries, map_flags }` of old libbpf and iproute2. */
  private declareLegacyMaps(): void {
    const index = this.sections.findIndex(({ name }) => name === 'maps')
    const section = this.sections[index]
    if (!section) return
    for (const { name, value, kind } of this.symbols.filter((symbol) => symbol.section === index)) {
      if (kind === SYMBOL.section) continue
      const [type, keySize, valueSize, maxEntries] = [0, 4, 8, 12].map((at) => section.view.u32(value + at)) as [number, number, number, number] // biome-ignore format: one act
      const flags = section.size >= value + 20 ? section.view.u32(value + 16) : 0
      this.addMap({ name, type: mapType(type, name), keySize, valueSize, maxEntries, ...(flags && { flags }) }, 'maps', value) // biome-ignore format: one act
    }
  }

  private declareData(): void {
    let total = 0
    this.sections.forEach(({ name, type, size, view }, index) => {
      if (!isDataSection(name) || size === 0) return
      total += size
      if (total > MOST_DATA) throw new Broken(`more than ${MOST_DATA} bytes of variables`)
      // A copy: what `slice` gives of a Buffer is none.
      const bytes = type === SECTION.nobits ? new Uint8Array(size) : Uint8Array.from(view.bytes)
      const symbols = this.symbols.filter((symbol) => symbol.section === index && symbol.kind === SYMBOL.object).map((symbol) => ({ name: symbol.name, offset: symbol.value })) // biome-ignore format: a pipeline
      this.data.set(index, { name, bytes, map: this.maps.push(dataMap(name, bytes)) - 1, symbols })
    })
  }

  private code(section: Section, lines: readonly LineInfo[], protos: ReadonlyMap<string, FunctionProto>): CodeSection {
    const index = this.sections.indexOf(section)
    const { program, bad } = decode(section.view.bytes)
    for (const { slot, reason } of bad)
      this.diagnostics.error('elf/insn', `section ${section.name}, slot ${slot}: ${reason}`)
    const insns = withLines(program, lines)
    const functions = new Map<number, FunctionDef & { local: boolean }>()
    for (const { name, kind, value, section: at, bind, hidden } of this.symbols) {
      if (at !== index || kind !== SYMBOL.func) continue
      const found = protos.get(name)
      const proto = found && { ...found, global: found.global && !hidden }
      functions.set(value / 8, { name, slot: value / 8, local: bind === BIND.local, ...(proto && { proto }) })
    }
    return {
      name: section.name,
      insns,
      functions: [...functions.values()].sort((a, b) => a.slot - b.slot),
      refs: bad.length > 0 ? new Map() : this.references(index, insns),
    }
  }

  /** Prog arrays hold the programs that relocations of their values name, as libbpf puts them there. */
  private fillProgArrays(programs: readonly Program[]): void {
    const index = this.sections.findIndex(({ name }) => name === '.maps')
    if (index < 0 || this.valuesAt.length === 0) return
    const sorted = [...this.valuesAt].sort((a, b) => b.at - a.at)
    const entries = new Map<number, MapEntry[]>()
    for (const { offset, symbol, name } of this.relocationsOf(index)) {
      const owner = sorted.find(({ at }) => at <= offset)
      if (!owner || this.maps[owner.map]!.type !== 'prog_array') continue
      const program = programs.findIndex((each) => each.name === symbol?.name)
      const slot = (offset - owner.at) / 8
      const { maxEntries, name: map } = this.maps[owner.map]!
      if (program < 0 || !Number.isInteger(slot) || slot >= maxEntries)
        this.diagnostics.error('elf/reloc', `${name}: byte ${offset}: map ${map} cannot hold ${symbol?.name || 'this'} there`) // biome-ignore format: one act
      else entries.set(owner.map, [...(entries.get(owner.map) ?? []), programEntry(slot, program)])
    }
    for (const [map, list] of entries) this.maps[map] = { ...this.maps[map]!, entries: list }
  }

  private *relocationsOf(index: number): Generator<Relocation> {
    for (const { type, info, view, name } of this.sections) {
      if (info !== index || (type !== SECTION.rel && type !== SECTION.rela)) continue
      const size = type === SECTION.rela ? 24 : 16
      for (let at = 0; at + size <= view.length; at += size) {
        if (++this.relocations > MOST_RELOCATIONS) throw new Broken(`more than ${MOST_RELOCATIONS} relocations`)
        yield { name, offset: view.size(at), type: view.u32(at + 8), symbol: this.symbols[view.u32(at + 12)] }
      }
    }
  }

  /** What the relocations of a section say its instructions refer to. */
  private references(index: number, insns: readonly Insn[]): Map<number, Target> {
    const refs = new Map<number, Target>()
    const slots = slotTable(insns)
    const insnAt = new Map(Array.from(insns, (_, i) => [slots[i]!, i]))
    for (const { name, offset, type, symbol } of this.relocationsOf(index)) {
      const insn = insnAt.get(offset / 8)
      if (insn === undefined || !symbol) {
        this.diagnostics.error('elf/reloc', `${name}: a relocation of byte ${offset}, where no instruction is, or of a symbol that is not there`) // biome-ignore format: one act
        continue
      }
      const target = this.target(insns[insn]!, symbol, type)
      if (typeof target === 'string') this.diagnostics.error('elf/reloc', `${name}, byte ${offset}: ${target}`)
      else refs.set(insn, target)
    }
    return refs
  }

  private target(insn: Insn, { name, section, value }: Symbol, type: number): Target | string {
    const into = this.sections[section]
    const kernel = section === 0 && type === RELOC.call && insn.spec.kind === 'call' ? kfuncId(name) : undefined
    if (kernel !== undefined) return { kind: 'kernel', id: kernel }
    if (section === 0 || !into) return `${name} is not defined here`
    const code = this.codeSections.indexOf(into)
    if (type === RELOC.call) {
      if (insn.spec.kind !== 'call') return `a call relocation of ${insn.spec.name}`
      return code < 0 ? `${name} is no function` : { kind: 'code', section: code, slot: value / 8 + insn.imm + 1 }
    }
    if (type !== RELOC.imm64 || insn.spec.kind !== 'ldimm64') return `relocation ${type} of ${insn.spec.name}`
    if (code >= 0) return { kind: 'code', section: code, slot: (value + insn.imm) / 8 }
    const map = this.mapAt.get(`${into.name}@${value}`)
    if (map !== undefined) return { kind: 'map', map }
    const data = this.data.get(section)
    return data ? { kind: 'data', map: data.map, offset: value + insn.imm } : `${name || into.name} is neither map, variable nor function` // biome-ignore format: one choice
  }
}

const isCode = ({ type, flags, size }: Section): boolean => type === SECTION.progbits && (flags & FLAG.exec) !== 0 && size > 0 // biome-ignore format: one question

/** Each instruction with the line of source that its code comes from. */
function withLines(program: readonly Insn[], lines: readonly LineInfo[]): readonly Insn[] {
  if (lines.length === 0) return program
  const byOffset = [...lines].sort((a, b) => a.offset - b.offset)
  const slots = slotTable(program)
  let next = 0
  return program.map((insn, i) => {
    while (next < byOffset.length && byOffset[next]!.offset <= slots[i]! * 8) next++
    const text = byOffset[next - 1]?.text.trim()
    return text ? { ...insn, origin: { text } } : insn
  })
}

function readSections(file: View): Section[] {
  if (file.length < ELF.headerSize || file.u32(0) !== ELF.ident) throw new Broken('this is no ELF file')
  if (file.u8(4) !== ELF.class64 || file.u8(5) !== ELF.little) throw new Broken('only 64-bit little-endian ELF is read')
  if (file.u16(18) !== ELF.machineBpf)
    throw new Broken(`this is an object for machine ${file.u16(18)}, not for BPF (${ELF.machineBpf})`)
  const start = file.size(40)
  const count = file.u16(60)
  if (file.u16(58) !== ELF.sectionSize) throw new Broken(`section headers of ${file.u16(58)} bytes`)
  const headers = file.part(start, count * ELF.sectionSize, 'the section headers')
  const names = file.u16(62)
  const raw = Array.from({ length: count }, (_, i) => {
    const at = i * ELF.sectionSize
    const type = headers.u32(at + 4)
    const offset = headers.size(at + 24)
    const size = headers.size(at + 32)
    const view = file.part(offset, type === SECTION.nobits || type === 0 ? 0 : size, `section ${i}`)
    return { at, name: headers.u32(at), type, flags: headers.u32(at + 8), link: headers.u32(at + 40), info: headers.u32(at + 44), view, size } // biome-ignore format: a row
  })
  const strings = raw[names]
  if (!strings) throw new Broken('there are no section names')
  return raw.map((section) => ({ ...section, name: strings.view.text(section.name) }))
}

const MOST_SYMBOLS = 1 << 18

function readSymbols(sections: readonly Section[]): Symbol[] {
  const table = sections.find(({ type }) => type === SECTION.symtab)
  const strings = table && sections[table.link]
  if (!table || !strings) return []
  const count = Math.floor(table.view.length / ELF.symbolSize)
  if (count > MOST_SYMBOLS) throw new Broken(`${count} symbols; at most ${MOST_SYMBOLS}`)
  return Array.from({ length: count }, (_, i) => {
    const at = i * ELF.symbolSize
    const info = table.view.u8(at + 4)
    return { name: strings.view.text(table.view.u32(at)), kind: info & 0xf, bind: info >> 4, hidden: (table.view.u8(at + 5) & 3) === ELF.hidden, section: table.view.u16(at + 6), value: table.view.size(at + 8) } // biome-ignore format: a row
  })
}
