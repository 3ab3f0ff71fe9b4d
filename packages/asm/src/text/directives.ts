// Directives of assembly text: sections, functions, maps, data, license. Those that compilers write for linkers are passed over.

import { MAP_TYPES, type MapDef, type MapTypeName } from '../abi/maps.ts'
import { type DataSection, dataMap, isDataSection } from '../object.ts'
import { utf8 } from '../utf8.ts'
import { misfit, toLong } from './operands.ts'
import type { Token } from './tokens.ts'

/** A data section while it grows. */
export class Data {
  readonly name: string
  readonly labels = new Map<string, number>()
  private bytes = new Uint8Array(64)
  private index: number | undefined
  size = 0

  constructor(name: string) {
    this.name = name
  }

  /** @returns false if the section would grow over its limit. */
  append(bytes: ArrayLike<number>): boolean {
    if (this.size + bytes.length > LARGEST_DATA) return false
    if (this.size + bytes.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.size + bytes.length))
      grown.set(this.bytes)
      this.bytes = grown
    }
    this.bytes.set(bytes, this.size)
    this.size += bytes.length
    return true
  }

  /** The section's place among the maps, where it is put when first asked for. */
  mapIndex(maps: MapDef[]): number {
    this.index ??= maps.push(dataMap(this.name, new Uint8Array(0))) - 1
    return this.index
  }

  finish(maps: MapDef[]): DataSection {
    const symbols = [...this.labels].map(([name, offset]) => ({ name, offset }))
    const bytes = this.bytes.slice(0, this.size)
    const map = this.mapIndex(maps)
    maps[map] = dataMap(this.name, bytes)
    return { name: this.name, bytes, map, symbols }
  }
}

const LARGEST_DATA = 1 << 24

/** A program, by its name, in a prog array. */
export interface Held {
  readonly map: Token
  readonly index: number
  readonly program: Token
}

/** What directives act on. */
export interface Directives {
  readonly maps: MapDef[]
  readonly data: Data[]
  /** What prog arrays are to hold: programs are known at the end only. */
  readonly held: Held[]
  license: string | undefined
  current: { readonly name: string } | Data
  section(name: string): { readonly name: string }
  global(name: string): void
  error(what: string, message: string, token: Token, expected?: readonly string[]): undefined
}

/** The arguments of a directive, and the directive itself for messages. */
interface Call {
  readonly name: Token
  readonly args: readonly Token[]
}

type Action = (state: Directives, call: Call) => void

const PASSED_OVER = new Set('.p2align .align .type .size .file .ident .addrsig .loc .weak .hidden .local .cfi_startproc .cfi_endproc'.split(' ')) // biome-ignore format: a list

const ACTIONS: Readonly<Record<string, Action>> = {
  '.text': (state) => enter(state, '.text'),
  '.data': (state) => enter(state, '.data'),
  '.rodata': (state) => enter(state, '.rodata'),
  '.bss': (state) => enter(state, '.bss'),
  '.section': (state, call) => {
    const name = sectionName(call.args)
    if (name) enter(state, name)
    else state.error('directive', '.section wants a name', call.name)
  },
  '.globl': (state, call) => declare(state, call),
  '.global': (state, call) => declare(state, call),
  '.license': (state, call) => {
    const license = string(call.args[0])
    if (license === undefined) state.error('directive', '.license wants a string', call.name, ['"GPL"'])
    else state.license = license
  },
  '.map': map,
  '.holds': holds,
  '.byte': (state, call) => numbers(state, call, 1),
  '.short': (state, call) => numbers(state, call, 2),
  '.2byte': (state, call) => numbers(state, call, 2),
  '.long': (state, call) => numbers(state, call, 4),
  '.4byte': (state, call) => numbers(state, call, 4),
  '.quad': (state, call) => numbers(state, call, 8),
  '.8byte': (state, call) => numbers(state, call, 8),
  '.zero': (state, call) => {
    const count = Number(call.args[0]?.text)
    if (Number.isInteger(count) && count >= 0 && count <= LARGEST_DATA) append(state, call, new Uint8Array(count))
    else state.error('directive', `.zero wants a number of bytes up to ${LARGEST_DATA}`, call.name)
  },
  '.ascii': (state, call) => ascii(state, call, false),
  '.asciz': (state, call) => ascii(state, call, true),
  '.string': (state, call) => ascii(state, call, true),
}

/** Runs the directive that starts at `tokens[from]`. */
export function directive(state: Directives, tokens: readonly Token[], from: number): void {
  const name = tokens[from]!
  const action = ACTIONS[name.text]
  if (action) action(state, { name, args: tokens.slice(from + 1) })
  else if (!PASSED_OVER.has(name.text)) state.error('directive', `${name.text} is no directive`, name, Object.keys(ACTIONS)) // biome-ignore format: one act
}

/** `xdp`, `"cgroup_skb/ingress"`, `cgroup_skb/ingress,"ax",@progbits`: up to a comma. */
function sectionName(args: readonly Token[]): string | undefined {
  const quoted = string(args[0])
  if (quoted !== undefined) return quoted
  const comma = args.findIndex(({ text }) => text === ',')
  const parts = comma < 0 ? args : args.slice(0, comma)
  return parts.map(({ text }) => text).join('') || undefined
}

function enter(state: Directives, name: string): void {
  if (!isDataSection(name) && name !== 'license') {
    state.current = state.section(name)
    return
  }
  let section = state.data.find((each) => each.name === name)
  if (!section) {
    section = new Data(name)
    state.data.push(section)
  }
  state.current = section
}

function declare(state: Directives, { name, args }: Call): void {
  if (args[0]?.kind === 'word') state.global(args[0].text)
  else state.error('directive', `${name.text} wants a name`, name)
}

const MAP_USE = '.map NAME TYPE key BYTES value BYTES entries COUNT [flags NUMBER]'

/** `.map counts array key 4 value 8 entries 256` */
function map(state: Directives, { name: directive, args }: Call): undefined {
  const [name, type, ...rest] = args
  if (name?.kind !== 'word' || type?.kind !== 'word') return state.error('directive', MAP_USE, directive)
  if (!Object.hasOwn(MAP_TYPES, type.text)) return state.error('map', `${type.text} is no map type`, type, Object.keys(MAP_TYPES)) // biome-ignore format: one act
  if (state.maps.some((each) => each.name === name.text))
    return state.error('map', `${name.text} is defined twice`, name)
  const given: Record<string, number> = { key: 0, value: 0, entries: 0, flags: 0 }
  for (let i = 0; i < rest.length; i += 2) {
    const word = rest[i]!
    const value = Number(rest[i + 1]?.text)
    if (!(word.text in given)) return state.error('map', `${word.text} does not fit here`, word, Object.keys(given))
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) return state.error('map', `${word.text} wants a number of 32 bits`, word) // biome-ignore format: one act
    given[word.text] = value
  }
  const { key, value, entries, flags } = given as { key: number; value: number; entries: number; flags: number }
  state.maps.push({ name: name.text, type: type.text as MapTypeName, keySize: key, valueSize: value, maxEntries: entries, ...(flags !== 0 && { flags }) }) // biome-ignore format: one act
}

/** `.holds programs 1 part`: a prog array has a program at an index. */
function holds(state: Directives, { name: directive, args }: Call): undefined {
  const [map, index, program, more] = args
  if (map?.kind !== 'word' || index?.kind !== 'number' || program?.kind !== 'word' || more)
    return state.error('directive', '.holds MAP INDEX PROGRAM', directive)
  state.held.push({ map, index: Number(index.text), program })
}

function append(state: Directives, call: Call, bytes: ArrayLike<number>): undefined {
  if (!(state.current instanceof Data)) state.error('section', `${call.name.text} outside a data section`, call.name)
  else if (!state.current.append(bytes)) state.error('directive', `a data section of more than ${LARGEST_DATA} bytes`, call.name) // biome-ignore format: one act
}

function numbers(state: Directives, call: Call, size: 1 | 2 | 4 | 8): undefined {
  const bytes: number[] = []
  for (let i = 0; i < call.args.length; i++) {
    const minus = call.args[i]!.text === '-'
    const token = call.args[minus ? ++i : i]
    if (token?.kind !== 'number') return state.error('directive', `${call.name.text} wants numbers`, token ?? call.name)
    const value = BigInt(token.text.length > 40 || token.text === '0x' ? 1n << 70n : token.text) * (minus ? -1n : 1n)
    const bits = BigInt(size * 8)
    if (value < -(1n << (bits - 1n)) || value >= 1n << bits) return state.error('range', `${token.text} does not fit ${bits} bits`, token) // biome-ignore format: one act
    bytes.push(
      ...toLong(misfit(value, 'imm64') ? 0 : value)
        .toBytesLE()
        .slice(0, size),
    )
    const comma = call.args[i + 1]
    if (comma && comma.text !== ',') return state.error('directive', `${comma.text} does not fit here`, comma, [','])
    i++
  }
  append(state, call, bytes)
}

function ascii(state: Directives, call: Call, zero: boolean): undefined {
  const text = string(call.args[0])
  if (text === undefined) return state.error('directive', `${call.name.text} wants a string`, call.name)
  const bytes = [...utf8(text), ...(zero ? [0] : [])]
  if (state.current.name === 'license') state.license = text
  else append(state, call, bytes)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0' }

/** The value of a string token, its quotes and escapes taken off. */
function string(token: Token | undefined): string | undefined {
  if (token?.kind !== 'string') return undefined
  return token.text.slice(1, -1).replace(/\\(.)/g, (_, c: string) => ESCAPES[c] ?? c)
}
