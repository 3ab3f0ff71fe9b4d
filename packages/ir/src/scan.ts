// A place in one line of IR text, and what can stand there: marks, words, names, numbers. The furthest thing that was missing is what is told.

import { at, type Diagnostic, type Source, type Span } from '@netsieve/diag'
import { parseIpv4, parseIpv6, parseMac, parseName } from '@netsieve/packet'
import type { Range } from './types.ts'

/** Ends the reading of a line: what is wrong with it. */
export class Fault extends Error {
  readonly diagnostic: Diagnostic
  /** Another way to read the same may come to an end. */
  readonly open: boolean

  constructor(code: string, message: string, span: Span, expected: readonly string[] = [], open = false) {
    super(message)
    this.open = open
    this.diagnostic = { severity: 'error', code, message, span, ...(expected.length > 0 && { expected }) }
  }
}

/** Predicates and terms inside one another at most. */
const MAX_NESTING = 1000

export class Scan {
  private readonly source: Source
  private readonly end: number
  private place: number
  private wanted: { at: number; readonly what: Set<string> }
  private depth = 0

  /** Reads from `start` to before `end`, the end of a line. */
  constructor(source: Source, start: number, end: number) {
    this.source = source
    this.end = end
    this.place = start
    this.wanted = { at: start, what: new Set() }
    this.blanks()
  }

  /** Where the next thing starts. */
  get offset(): number {
    return this.place
  }

  /** Whether the line ends here, or only a comment follows. */
  get done(): boolean {
    return this.place >= this.end || this.source.text.startsWith('//', this.place)
  }

  span(start: number, end: number = this.place): Span {
    const { text } = this.source
    let last = end
    while (last > start && /\s/.test(text[last - 1]!)) last--
    return at(this.source, start, Math.max(last, start + 1))
  }

  /** What a pattern (sticky) matches here, blanks behind it left out; undefined, and remembered as `what` missing, if it does not. */
  take(pattern: RegExp, what: string): string | undefined {
    pattern.lastIndex = this.place
    const found = pattern.exec(this.source.text)?.[0]
    if (found === undefined || this.place + found.length > this.end) {
      this.want(what)
      return undefined
    }
    this.place += found.length
    this.blanks()
    return found
  }

  /** Whether a mark stands here. */
  at(mark: string): boolean {
    return this.source.text.startsWith(mark, this.place)
  }

  /** A mark such as `==` or `(`, if it stands here. */
  mark(mark: string): boolean {
    if (!this.source.text.startsWith(mark, this.place) || this.place + mark.length > this.end) {
      this.want(mark)
      return false
    }
    this.place += mark.length
    this.blanks()
    return true
  }

  /** A whole word, if it stands here. */
  word(word: string): boolean {
    const start = this.place
    if (this.peekWord() !== word) {
      this.want(word)
      return false
    }
    this.place = start + word.length
    this.blanks()
    return true
  }

  /** The letters, digits, points and dashes here. */
  peekWord(): string {
    WORD.lastIndex = this.place
    return WORD.exec(this.source.text)?.[0] ?? ''
  }

  needMark(mark: string): void {
    if (!this.mark(mark)) throw this.fault()
  }

  needWord(word: string): void {
    if (!this.word(word)) throw this.fault()
  }

  /** One of some words. @throws Fault */
  oneOf<Word extends string>(words: readonly Word[], what: string): Word {
    const start = this.place
    const found = this.take(WORD, what)
    const known = words.find((word) => word === found)
    if (known !== undefined) return known
    if (found === undefined) throw this.fault()
    throw new Fault('ir/syntax', `${found} is no ${what}`, this.span(start), words.length <= 20 ? words : [])
  }

  /** A name: one word, or quoted. @throws Fault */
  name(): string {
    const start = this.place
    if (this.source.text[start] !== '"') {
      const found = this.take(NAME, 'a name')
      if (found === undefined) throw this.fault()
      return found
    }
    const quoted = this.take(QUOTED, 'a closing quote')
    if (quoted === undefined) throw this.fault()
    return this.unquoted(quoted, start)
  }

  /** What quoted words say. @throws Fault */
  unquoted(quoted: string, start: number): string {
    try {
      const value: unknown = JSON.parse(quoted)
      if (typeof value === 'string') return value
    } catch {
      // Told below.
    }
    throw new Fault('ir/syntax', 'quoted text is written as in JSON', this.span(start, start + quoted.length))
  }

  /** Everything up to the line's end. */
  rest(): string {
    const rest = this.source.text.slice(this.place, this.end)
    this.place = this.end
    return rest
  }

  /** A small number. @throws Fault */
  integer(what: string): number {
    const digits = this.take(DIGITS, what)
    if (digits === undefined) throw this.fault()
    return Number(digits)
  }

  /** A value in any spelling: decimal, hexadecimal, an address, a quoted name. Undefined if none stands here. @throws Fault for one that is none */
  value(): bigint | undefined {
    const start = this.place
    const quoted = this.source.text[start] === '"' ? this.take(QUOTED, 'a closing quote') : undefined
    if (quoted !== undefined) {
      const name = parseName(this.unquoted(quoted, start))
      if (name !== undefined) return name
      throw new Fault('ir/syntax', `${quoted} is no name of 1 to 15 characters`, this.span(start))
    }
    const text = this.take(VALUE, 'a value')
    if (text === undefined) return undefined
    const value = /^(?:0x[0-9a-f]+|\d+)$/.test(text)
      ? BigInt(text)
      : (parseIpv4(text) ?? parseMac(text) ?? parseIpv6(text))
    if (value === undefined) throw new Fault('ir/syntax', `${text} is no number and no address`, this.span(start))
    return value
  }

  /** @throws Fault */
  needValue(): bigint {
    const value = this.value()
    if (value === undefined) throw this.fault()
    return value
  }

  /** One value, or two with a dash between. @throws Fault */
  range(): Range {
    const lo = this.needValue()
    return { lo, hi: this.mark('-') ? this.needValue() : lo }
  }

  /** The first of two ways to read on that comes to an end. @throws Fault */
  either<T>(first: () => T, second: () => T): T {
    const start = this.place
    try {
      return first()
    } catch (fault) {
      if (!(fault instanceof Fault) || !fault.open) throw fault
      this.place = start
      return second()
    }
  }

  /** Reads something that may hold others of its kind. @throws Fault where they are nested too deep */
  nested<T>(read: () => T): T {
    if (++this.depth > MAX_NESTING)
      throw new Fault('ir/nesting', `more than ${MAX_NESTING} terms or predicates inside one another`, this.span(this.place, this.place + 1)) // biome-ignore format: one message
    try {
      return read()
    } finally {
      this.depth--
    }
  }

  /** What is wrong at the furthest place that reading came to. */
  fault(): Fault {
    const { at: start, what } = this.wanted
    const found = /^(?:[\w.]+|\S)/.exec(this.source.text.slice(start, this.end))?.[0]
    const message = found === undefined ? 'the line ends too early' : `unexpected ${found}`
    return new Fault('ir/syntax', message, this.span(start, start + (found?.length ?? 1)), [...what], true)
  }

  /** Remembers that something could have stood here. */
  want(what: string): void {
    const { wanted, place } = this
    if (place > wanted.at) this.wanted = { at: place, what: new Set([what]) }
    else if (place === wanted.at) wanted.what.add(what)
  }

  private blanks(): void {
    const { text } = this.source
    while (this.place < this.end && /[ \t\r]/.test(text[this.place]!)) this.place++
  }
}

const WORD = /[\w.-]+/y
const NAME = /[\w./+-]+/y
const QUOTED = /"(?:[^"\\\n]|\\.)*"/y
const DIGITS = /\d{1,9}(?![\w.])/y
/** Numbers of up to 128 bits, addresses; a `-` is the range's. */
const VALUE = /0x[0-9a-f]{1,32}(?![\w.:])|(?=[0-9a-f:])[0-9a-f:.]{1,45}(?![\w.:])/y
