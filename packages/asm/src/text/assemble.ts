// Assembly text to a BPF object. Each line is read by itself, so that many errors come out of one run; labels are resolved
// when all lines are read. Listings of llvm-objdump, bpftool and the verifier's log are read as well.

import { at, Diagnostics, nearWords, type Outcome, type Source, type Span } from '@netsieve/diag'
import { HELPERS } from '../abi/helpers.ts'
import { type MapDef, type MapEntry, programEntry } from '../abi/maps.ts'
import { type Insn, slotTable } from '../insn.ts'
import { type CodeSection, link, type Target } from '../link.ts'
import type { BpfObject, FunctionDef, Program } from '../object.ts'
import { type Data, type Directives, directive, type Held } from './directives.ts'
import { FAMILIES, type Family, familyOf, firstWords, type Mismatch, match } from './match.ts'
import type { Field } from './operands.ts'
import type { Dialect } from './templates.ts'
import { type Token, tokenize } from './tokens.ts'

export interface AssembleOptions {
  /** Found from the text if left out. */
  readonly dialect?: Dialect
  /** Put the source line on each instruction as its `origin`. Default true. */
  readonly origins?: boolean
  /** The section of code before any `.section`, and so the program type. Default `prog`. */
  readonly section?: string
}

/** A name that an instruction waits for. */
interface Pending {
  readonly insn: number
  readonly name: string
  readonly field: Field
  readonly span: Span
}

interface Section {
  readonly name: string
  readonly insns: Insn[]
  slot: number
  readonly labels: Map<string, number>
  readonly globals: Set<string>
  readonly pending: Pending[]
  readonly lines: Span[]
}

/** Reads a program. @returns no value if there is any error; warnings come with a value. */
export function assemble(source: Source, options: AssembleOptions = {}): Outcome<BpfObject> {
  const diagnostics = new Diagnostics(200)
  const family = options.dialect ? familyOf(options.dialect) : detect(source.text)
  const assembler = new Assembler(source, family, options, diagnostics)
  for (const [start, end] of lines(source.text)) assembler.line(start, end)
  const { value, diagnostics: list } = diagnostics.outcome(assembler.finish())
  // Labels are judged last; people read from the top.
  const sorted = [...list].sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0))
  return { ...(value && { value }), diagnostics: sorted }
}

function* lines(text: string): Generator<readonly [number, number]> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    yield [start, end]
    start = end + 1
  }
}

/** The family that most of the first lines belong to. */
function detect(text: string): Family {
  const score: Record<Family, number> = { c: 0, ubpf: 0, gcc: 0 }
  let seen = 0
  for (const [start, end] of lines(text)) {
    const prefix = listingPrefix(text, start, end)
    const tokens = tokenize(text, prefix?.end ?? start, end)
    const from = tokens[0]?.kind === 'word' && tokens[1]?.text === ':' ? 2 : 0
    if (tokens.length === from || tokens[0]!.text.startsWith('.')) continue
    for (const family of FAMILIES) {
      const matched = match(tokens, from, family, prefix?.opcode)
      // A line that is wrong still tells by how far it goes.
      score[family] += 'insn' in matched ? 100 : Math.min(matched.at - from, 10)
    }
    if (++seen === 100) break
  }
  return FAMILIES.reduce((best, family) => (score[family] > score[best] ? family : best))
}

/** `  12: (b7) ` of the kernel and bpftool, `  12:⇥b7 00 00 …⇥` of llvm-objdump: where the instruction starts, and its opcode. */
const PREFIX = /[ \t]*\d+:(?:[ \t]*\(([0-9a-f]{2})\)|[ \t]+(?:[0-9a-f]{2} ){7,15}[0-9a-f]{2}(?=\s)|(?=[ \t]))/y
const OPCODE = /[ \t]*\(([0-9a-f]{2})\)[ \t]/y

function listingPrefix(text: string, start: number, end: number) {
  for (const pattern of [PREFIX, OPCODE]) {
    pattern.lastIndex = start
    const found = pattern.exec(text)
    if (!found || pattern.lastIndex > end) continue
    return { end: pattern.lastIndex, ...(found[1] !== undefined && { opcode: Number.parseInt(found[1], 16) }) }
  }
  return undefined
}

/** What llvm-objdump writes between instructions (file, section and function headings, relocations), and bpftool's function headings. */
const HEADING =
  /^(?:.*:\s+file format \S+|Disassembly of section (\S+):|[0-9a-f]{16} <([^>]+)>:|\s+[0-9a-f]{16}:\s+R_BPF_.*|\w[\w *]*?\b(\w+)\(.*\):)\s*$/

/** A cheap look at a line before HEADING is tried on it. */
function mayBeHeading(text: string, start: number, end: number): boolean {
  if (end - start < 14) return false
  if (text.charCodeAt(start) === 9 || text.charCodeAt(end - 1) === 58) return true // a tab, a colon
  return text.slice(start, end).includes(':\t')
}

class Assembler implements Directives {
  readonly sections = new Map<string, Section>()
  readonly maps: MapDef[] = []
  readonly data: Data[] = []
  readonly held: Held[] = []
  license: string | undefined
  current: Section | Data
  readonly diagnostics: Diagnostics
  private readonly source: Source
  private readonly family: Family
  private readonly origins: boolean

  constructor(source: Source, family: Family, options: AssembleOptions, diagnostics: Diagnostics) {
    this.source = source
    this.family = family
    this.origins = options.origins ?? true
    this.diagnostics = diagnostics
    this.current = this.section(options.section ?? 'prog')
  }

  section(name: string): Section {
    let found = this.sections.get(name)
    if (!found) {
      found = { name, insns: [], slot: 0, labels: new Map(), globals: new Set(), pending: [], lines: [] }
      this.sections.set(name, found)
    }
    return found
  }

  global(name: string): void {
    if ('globals' in this.current) this.current.globals.add(name)
  }

  span(token: Token): Span {
    return at(this.source, token.start, token.end)
  }

  error(what: string, message: string, token: Token, expected: readonly string[] = []): undefined {
    this.diagnostics.error(`asm/${what}`, message, this.span(token), expected.length > 0 ? { expected } : {})
  }

  line(start: number, end: number): void {
    const { text } = this.source
    if (mayBeHeading(text, start, end)) {
      const heading = HEADING.exec(text.slice(start, Math.min(end, start + 300)))
      if (heading?.[1]) this.current = this.section(heading[1])
      const named = heading?.[2] ?? heading?.[3]
      if (named) this.label(named, { kind: 'word', text: named, start, end }, true)
      if (heading) return
    }
    const prefix = listingPrefix(text, start, end)
    const tokens = tokenize(text, prefix?.end ?? start, end)
    let from = 0
    while (tokens[from]?.kind === 'word' && tokens[from + 1]?.text === ':') {
      this.label(tokens[from]!.text, tokens[from]!)
      from += 2
    }
    if (from === tokens.length) return
    if (tokens[from]!.text.startsWith('.')) directive(this, tokens, from)
    else if ('insns' in this.current) this.instruction(tokens, from, this.current, prefix?.opcode)
    else this.error('section', `an instruction in the data section ${this.current.name}`, tokens[from]!)
  }

  private label(name: string, token: Token, global = false): undefined {
    const { current } = this
    if (current.labels.has(name)) return this.error('label', `${name} is defined twice`, token)
    current.labels.set(name, 'insns' in current ? current.slot : current.size)
    if (global) this.global(name)
  }

  private instruction(tokens: readonly Token[], from: number, section: Section, opcode: number | undefined): undefined {
    const matched = match(tokens, from, this.family, opcode)
    if (!('insn' in matched)) return this.mismatch(tokens, from, matched)
    const { insn, target, extended, cut } = matched
    const span = at(this.source, tokens[from]!.start, tokens.at(-1)!.end)
    if (extended) this.extended(extended)
    if (cut)
      this.diagnostics.warning(
        'asm/cut',
        `${cut.text} does not fit 32 bits: its low half ${insn.imm >>> 0} is taken`,
        this.span(cut),
      )
    if (target) section.pending.push({ insn: section.insns.length, name: target.name, field: target.field, span: this.span(target.token) }) // biome-ignore format: one act
    section.insns.push(this.origins ? { ...insn, origin: { text: this.source.text.slice(span.start, span.end), span } } : insn) // biome-ignore format: one act
    section.lines.push(span)
    section.slot += insn.spec.slots
  }

  private extended(token: Token): void {
    const message = `${token.text} is taken as ${Number(token.text) | 0}: a 32-bit immediate of a 64-bit operation is sign-extended`
    this.diagnostics.warning('asm/sign-extended', message, this.span(token))
  }

  private mismatch(tokens: readonly Token[], from: number, { at: index, expected, misfit }: Mismatch): undefined {
    const token = tokens[index] ?? endOf(tokens)
    if (misfit) return this.error('range', misfit, token)
    const others = FAMILIES.filter((family) => family !== this.family && 'insn' in match(tokens, from, family))
    const known = index === from ? [] : expected.slice(0, 12)
    const message =
      index >= tokens.length
        ? 'the instruction is not complete'
        : index === from
          ? `no instruction starts with ${token.text}`
          : `${token.text} does not fit here`
    const hint = others.length > 0 ? `this line is of the ${others[0] === 'c' ? 'llvm' : others[0]} dialect, those before of ${this.family === 'c' ? 'llvm' : this.family}` : near(token.text, index === from ? mnemonics() : []) // biome-ignore format: one choice
    this.diagnostics.error('asm/syntax', message, this.span(token), { expected: known, ...(hint && { hint }) })
  }

  finish(): BpfObject {
    const code: CodeSection[] = []
    const sections = [...this.sections.values()].filter(({ insns }) => insns.length > 0)
    for (const section of sections) code.push(this.resolve(section, sections))
    const programs = link(code, this.diagnostics, (section, index) => sections[section]?.lines[index])
    if (code.length === 0 && !this.diagnostics.hasErrors) this.diagnostics.error('asm/empty', 'no instructions', at(this.source, 0)) // biome-ignore format: one act
    const data = this.data.map((section) => section.finish(this.maps))
    this.fillProgArrays(programs)
    return { programs, maps: this.maps, data, ...(this.license !== undefined && { license: this.license }) }
  }

  private fillProgArrays(programs: readonly Program[]): void {
    const names = programs.map(({ name }) => name)
    const numbers = new Map(names.map((name, number) => [name, number]))
    const arrays = new Map(this.maps.map((map) => [map.name, { map, entries: new Map<number, MapEntry>() }]))
    for (const { map, index, program } of this.held) {
      const array = arrays.get(map.text)
      const number = numbers.get(program.text)
      if (array?.map.type !== 'prog_array') this.error('map', `${map.text} is no prog array`, map)
      else if (number === undefined) this.error('map', `${program.text} is no program`, program, names)
      else if (array.entries.has(index)) this.error('map', `${map.text} holds another program at ${index}`, map)
      else if (index >= array.map.maxEntries) this.error('map', `${map.text} has ${array.map.maxEntries} entries`, map)
      else array.entries.set(index, programEntry(index, number))
    }
    for (const [at, map] of this.maps.entries()) {
      const { entries } = arrays.get(map.name)!
      if (entries.size > 0) this.maps[at] = { ...map, entries: [...entries.values()] }
    }
  }

  private resolve(section: Section, sections: readonly Section[]): CodeSection {
    const slots = slotTable(section.insns)
    const starts = new Set(slots)
    const refs = new Map<number, Target>()
    const functions = new Map<number, string>()
    for (const name of section.globals) {
      const slot = section.labels.get(name)
      if (slot !== undefined) functions.set(slot, name)
    }
    // A program is named by the label at its start.
    for (const [name, slot] of section.labels) if (slot === 0 && !functions.has(0)) functions.set(0, name)
    for (const { insn: index, name, field, span } of section.pending) {
      const one = section.insns[index]!
      const local = section.labels.get(name) ?? (name === 'exit' ? this.firstExit(section, slots) : undefined)
      if (local !== undefined && field !== 'imm64') {
        if (!starts.has(local)) this.diagnostics.error('asm/label', `${name} is not at an instruction`, span)
        section.insns[index] = this.withDistance(one, field, local - slots[index]! - 1, name, span)
        continue
      }
      const target = this.find(name, section, sections)
      if (
        target &&
        (field === 'imm64' || (target.kind === 'code' && one.spec.kind !== 'jump' && one.spec.kind !== 'goto'))
      )
        refs.set(index, target)
      else this.unknownName(name, one, target, span)
    }
    const list: FunctionDef[] = [...functions].map(([slot, name]) => ({ name, slot })).sort((a, b) => a.slot - b.slot)
    return { name: section.name, insns: section.insns, functions: list, refs }
  }

  private unknownName(name: string, one: Insn, target: Target | undefined, span: Span): void {
    const message = target ? `${name} is not in this section` : `${name} is not defined`
    const short = name.replace(/^bpf_/, '')
    const helpers = one.spec.kind === 'call' ? [...new Set([...Object.keys(HELPERS).filter((each) => each.startsWith(short)), ...nearWords(short, Object.keys(HELPERS))])] : [] // biome-ignore format: one choice
    const hint = helpers.length > 0 && { hint: `did you mean ${helpers.slice(0, 3).map((each) => `bpf_${each}`).join(' or ')}?` } // biome-ignore format: one line
    this.diagnostics.error('asm/label', message, span, hint || {})
  }

  /** The conformance suite's rule: `exit` is also a label, that of the first exit instruction. */
  private firstExit(section: Section, slots: Uint32Array): number | undefined {
    const index = section.insns.findIndex(({ spec }) => spec.kind === 'exit')
    return index < 0 ? undefined : slots[index]
  }

  private withDistance(one: Insn, field: Field, distance: number, name: string, span: Span): Insn {
    if (field !== 'off')
      return { ...one, imm: distance, ...(one.imm64 && { imm64: one.imm64.and(0).or(distance >>> 0) }) }
    if (distance === (distance << 16) >> 16) return { ...one, off: distance }
    const hint = one.spec.name === 'ja' ? { hint: 'use the jump with a 32-bit distance: gotol, ja32' } : {}
    this.diagnostics.error('asm/range', `${name} is ${distance} slots away; a jump reaches 32767`, span, hint)
    return one
  }

  private find(name: string, from: Section, sections: readonly Section[]): Target | undefined {
    const map = this.maps.findIndex((each) => each.name === name)
    if (map >= 0) return { kind: 'map', map }
    for (const section of this.data) {
      const offset = section.labels.get(name)
      if (offset !== undefined) return { kind: 'data', map: section.mapIndex(this.maps), offset }
    }
    for (const section of [from, ...sections]) {
      const slot = section.labels.get(name)
      if (slot !== undefined) return { kind: 'code', section: sections.indexOf(section), slot }
    }
    return undefined
  }
}

function endOf(tokens: readonly Token[]): Token {
  const end = tokens.at(-1)!.end
  return { kind: 'mark', text: '', start: end, end: end + 1 }
}

/** The words that some instruction of some dialect starts with. */
const mnemonics = (): readonly string[] => [...new Set(FAMILIES.flatMap(firstWords))]

/** A hint with the words that are one letter away. */
function near(word: string, words: readonly string[]): string | undefined {
  const close = nearWords(word, words)
  return close.length > 0 ? `did you mean ${close.join(' or ')}?` : undefined
}
