// Operands read from tokens: the other direction of print.ts. A reader takes what has the operand's form; whether a number
// fits its field is asked afterwards, so that the message can say which field and what fits.

import Long from 'long'
import { HELPERS } from '../abi/helpers.ts'
import { kfuncId } from '../abi/kfuncs.ts'
import type { Operand } from './print.ts'
import type { Token } from './tokens.ts'

/** A name that is resolved once all labels are known. */
export interface Name {
  readonly name: string
}

/** What an operand stands for; a number may have any size before `fits`. */
export type Value = number | bigint | Name

/** A value read and the index of the token after it; nothing if the tokens have another form. */
export interface Read {
  readonly value: Value
  readonly next: number
}

type Reader = (tokens: readonly Token[], at: number) => Read | undefined

function number(tokens: readonly Token[], at: number): Read | undefined {
  const token = tokens[at]
  if (token?.kind !== 'number') return undefined
  return { value: numeric(token.text), next: at + 1 }
}

/** A number of up to 15 characters is exact as a double. */
function numeric(text: string): number | bigint {
  if (text.length < 15) return Number(text)
  return text.length <= 40 && text.length > 2 ? BigInt(text) : Number.POSITIVE_INFINITY
}

const negative = (value: Value): Value =>
  typeof value === 'bigint' ? -value : typeof value === 'number' ? 0 - value : value

function signed(tokens: readonly Token[], at: number): Read | undefined {
  const mark = tokens[at]?.text
  if (mark !== '-' && mark !== '+') return number(tokens, at)
  return withSign(tokens, at)
}

/** A number with a sign that must be there. */
function withSign(tokens: readonly Token[], at: number): Read | undefined {
  const mark = tokens[at]?.text
  if (mark !== '-' && mark !== '+') return undefined
  const read = number(tokens, at + 1)
  return read && { value: mark === '-' ? negative(read.value) : read.value, next: read.next }
}

const optional =
  (reader: Reader): Reader =>
  (tokens, at) =>
    reader(tokens, at) ?? { value: 0, next: at }

const register =
  (letter: string): Reader =>
  (tokens, at) => {
    const token = tokens[at]
    if (token?.kind !== 'word' || token.text[0] !== letter) return undefined
    const text = token.text
    if (letter === 'r' && text === 'rfp') return { value: 10, next: at + 1 }
    const digit = text.charCodeAt(1) - 48
    if (text.length === 2 && digit >= 0 && digit <= 9) return { value: digit, next: at + 1 }
    // 11 to 15 can be encoded; which of them exist is the verifier's matter.
    if (text.length === 3 && digit === 1) {
      const second = text.charCodeAt(2) - 48
      return second >= 0 && second <= 5 ? { value: 10 + second, next: at + 1 } : undefined
    }
    return undefined
  }

function name(tokens: readonly Token[], at: number): Read | undefined {
  const token = tokens[at]
  if (token?.kind !== 'word' || REGISTER.test(token.text)) return undefined
  return { value: { name: token.text }, next: at + 1 }
}
const REGISTER = /^[rw](\d|1[0-5])$/

/** `+3`, `3`, a label; llvm-objdump puts the target's name behind in `<>`, bpftool behind a `#`. */
function target(tokens: readonly Token[], at: number): Read | undefined {
  const read = signed(tokens, at) ?? name(tokens, at)
  if (read && tokens[read.next]?.text === '#' && tokens[read.next + 1]?.kind === 'word')
    return { ...read, next: read.next + 2 }
  if (read && tokens[read.next]?.text === '<') {
    for (let i = read.next + 1; i < tokens.length; i++) if (tokens[i]!.text === '>') return { ...read, next: i + 1 }
  }
  return read
}

/** A helper by number, or by name with or without `bpf_`. */
function helper(tokens: readonly Token[], at: number): Read | undefined {
  const token = tokens[at]
  if (token?.kind !== 'word') return number(tokens, at)
  const id = helperId(token.text)
  return id === undefined ? undefined : { value: id, next: at + 1 }
}

function helperId(text: string): number | undefined {
  const short = text.startsWith('bpf_') ? text.slice(4) : text
  return Object.hasOwn(HELPERS, short) ? HELPERS[short as keyof typeof HELPERS].id : undefined
}

/** `bpf_map_lookup_elem#1`, `unknown#250`: the number counts. */
function numberedHelper(tokens: readonly Token[], at: number): Read | undefined {
  if (tokens[at]?.kind !== 'word' || tokens[at + 1]?.text !== '#') return undefined
  const known = tokens[at]!.text.startsWith('bpf_unspec') || tokens[at]!.text === 'unknown' || helperId(tokens[at]!.text) !== undefined // biome-ignore format: one question
  return known ? signed(tokens, at + 2) : undefined
}

/** `bpf_xdp_metadata_rx_hash#123`: a kernel function, since no helper has that name. */
function kernelFunction(tokens: readonly Token[], at: number): Read | undefined {
  if (tokens[at]?.kind !== 'word' || tokens[at + 1]?.text !== '#') return undefined
  return numberedHelper(tokens, at) ? undefined : signed(tokens, at + 2)
}

/** A kernel function by its number, or by a name that is known here. */
function namedFunction(tokens: readonly Token[], at: number): Read | undefined {
  const token = tokens[at]
  if (token?.kind !== 'word') return signed(tokens, at)
  const id = kfuncId(token.text)
  return id === undefined ? undefined : { value: id, next: at + 1 }
}

const after =
  (words: readonly string[], reader: Reader): Reader =>
  (tokens, at) =>
    words.every((word, i) => tokens[at + i]?.text === word) ? reader(tokens, at + words.length) : undefined

function fdIndex(tokens: readonly Token[], at: number): Read | undefined {
  const read = after(['[', 'fd', ':'], number)(tokens, at)
  return read && tokens[read.next]?.text === ']' ? { ...read, next: read.next + 1 } : undefined
}

/** How a local call names its function: a distance with its sign, or a name. A bare number is a helper's. */
function localFunction(tokens: readonly Token[], at: number): Read | undefined {
  return tokens[at]?.kind === 'number' ? undefined : target(tokens, at)
}

export type Field = 'dst' | 'src' | 'off' | 'imm' | 'imm64' | 'hi'

/** Each operand: how it is read, which field it fills, and its name in messages. */
export const OPERANDS: Readonly<
  Record<Operand, { readonly read: Reader; readonly field: Field; readonly what: string }>
> = {
  dst: { read: register('r'), field: 'dst', what: 'a register r0..r10' },
  src: { read: register('r'), field: 'src', what: 'a register r0..r10' },
  wdst: { read: register('w'), field: 'dst', what: 'a register w0..w10' },
  wsrc: { read: register('w'), field: 'src', what: 'a register w0..w10' },
  imm: { read: signed, field: 'imm', what: 'a 32-bit number' },
  ximm: { read: signed, field: 'imm', what: 'a 32-bit number' },
  imm64: { read: signed, field: 'imm64', what: 'a 64-bit number' },
  ximm64: { read: signed, field: 'imm64', what: 'a 64-bit number' },
  symbol: { read: name, field: 'imm64', what: 'the name of a map, variable or function' },
  disp: { read: optional(withSign), field: 'off', what: 'an offset such as + 12' },
  kdisp: { read: optional(withSign), field: 'off', what: 'an offset such as +12' },
  cdisp: { read: optional(withSign), field: 'off', what: 'an offset such as +12' },
  optimm: { read: optional(withSign), field: 'imm', what: 'an offset such as + 12' },
  rel: { read: target, field: 'off', what: 'a label or a distance such as +3' },
  rel32: { read: target, field: 'imm', what: 'a label or a distance such as +3' },
  func: { read: localFunction, field: 'imm', what: 'a function or a distance such as +3' },
  helper: { read: helper, field: 'imm', what: 'a helper by name or number' },
  khelper: { read: numberedHelper, field: 'imm', what: 'a helper such as bpf_map_lookup_elem#1' },
  nkfunc: { read: namedFunction, field: 'imm', what: 'a kernel function by number or name' },
  kfunc: { read: kernelFunction, field: 'imm', what: 'a kernel function such as kfunc#123' },
  module: { read: optional(after(['module'], signed)), field: 'off', what: 'module N' },
  lo: { read: signed, field: 'imm', what: 'a number' },
  hi: { read: signed, field: 'hi', what: 'a number' },
  opthi: { read: optional(fdIndex), field: 'hi', what: '[fd:N]' },
}

const RANGE: Readonly<Record<Field, readonly [number | bigint, number | bigint]>> = {
  dst: [0, 15],
  src: [0, 15],
  off: [-32768, 32767],
  // Unsigned is taken as well: 0xffffffff is how people and the kernel's log write -1.
  imm: [-2147483648, 4294967295],
  hi: [-2147483648, 4294967295],
  imm64: [-(2n ** 63n), 2n ** 64n - 1n],
}

/** What is wrong with a number for its field, if anything. */
export function misfit(value: number | bigint, field: Field): string | undefined {
  const [min, max] = RANGE[field]
  if (value >= min && value <= max) return undefined
  if (!Number.isFinite(Number(value))) return 'no number of up to 64 bits'
  const bits = field === 'off' ? 16 : field === 'imm64' ? 64 : 32
  return `${value} does not fit ${bits} bits: ${value > max ? `at most ${max}` : `at least ${min}`}`
}

/** A number that fits 64 bits, as a Long of the same bits. */
export function toLong(value: number | bigint): Long {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return Long.fromNumber(value)
  const bits = BigInt.asUintN(64, BigInt(value))
  return Long.fromBits(Number(bits & 0xffffffffn) | 0, Number(bits >> 32n) | 0)
}
