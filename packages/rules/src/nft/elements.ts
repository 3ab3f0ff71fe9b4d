// The elements between the braces of a set, by hand: sets of a hundred thousand addresses are common, so this is one pass.

import { at, type Diagnostics, type Source, type Span } from '@netsieve/diag'
import type { Value, VerdictWord } from './ast.ts'

/** The value of `$name`, or undefined after saying that there is none. */
export type Resolve = (name: string, span: Span) => Value | undefined

// What has colons ends in `::` or in a digit: the colon of `22: accept` parts a key from what the map holds for it.
const TOKEN =
  /\$[A-Za-z_][\w./-]*|"[^"\n]*"|(?:[0-9a-fA-F]*:)+(?:[0-9a-fA-F.]+|:)(?![0-9A-Za-z_])|[0-9][0-9A-Za-z.]*|[A-Za-z_][\w.-]*\*?|\*/y
const BLANKS = /(?:\s|#[^\n]*|\\\r?\n)*/y
const VERDICT = /(?:accept|drop|return|continue|jump|goto)(?![\w.-])/y
const LENGTH = /\/[0-9]+/y
/** What may follow an element without changing what is in the set. */
const REMARK = /(?:comment\s+"[^"\n]*"|counter(?:\s+packets\s+\d+\s+bytes\s+\d+)?|(?:timeout|expires)\s+[0-9a-z]+)/y
const OTHER = /[^,]*/y

export function readElements(
  source: Source,
  text: string,
  from: number,
  to: number,
  resolve: Resolve,
  diagnostics: Diagnostics,
): Value[] {
  return new Elements(source, text.slice(0, to), from, resolve, diagnostics).all()
}

class Elements {
  private readonly source: Source
  private readonly text: string
  private at: number
  private readonly resolve: Resolve
  private readonly diagnostics: Diagnostics

  constructor(source: Source, text: string, from: number, resolve: Resolve, diagnostics: Diagnostics) {
    this.source = source
    this.text = text
    this.at = from
    this.resolve = resolve
    this.diagnostics = diagnostics
  }

  all(): Value[] {
    const out: Value[] = []
    for (this.take(BLANKS); this.at < this.text.length; this.take(BLANKS)) {
      const element = this.element()
      if (!element) return out
      // A set inside a set, by a variable, adds its elements.
      if (element.kind === 'set') for (const each of element.elements) out.push(each)
      else out.push(element)
      this.take(BLANKS)
      if (this.at >= this.text.length) break
      if (this.text[this.at] !== ',') {
        this.expected(["','", "'}'"])
        return out
      }
      this.at++
    }
    return out
  }

  /** What a regular expression matches here, with its place; it is stepped over. */
  private take(regex: RegExp): { readonly text: string; readonly span: Span } | undefined {
    regex.lastIndex = this.at
    const found = regex.exec(this.text)
    if (!found) return undefined
    const start = this.at
    this.at = regex.lastIndex
    return { text: found[0], span: at(this.source, start, this.at) }
  }

  private expected(what: readonly string[]): undefined {
    const word = /^[^\s,]*/.exec(this.text.slice(this.at, this.at + 40))![0]
    const span = at(this.source, this.at, this.at + Math.max(1, word.length))
    const message = word ? `\`${word}\` cannot stand here` : 'the set ends too soon'
    this.diagnostics.error('nft/syntax', message, span, { expected: what })
    return undefined
  }

  private element(): Value | undefined {
    const start = this.at
    const key = this.key()
    if (!key) return undefined
    this.remarks()
    if (this.text[this.at] !== ':') return this.other(key)
    this.at++
    this.take(BLANKS)
    const data = this.data()
    const span = at(this.source, start, this.at)
    this.remarks()
    return data && this.other({ kind: 'mapping', key, data, span })
  }

  private remarks(): void {
    for (this.take(BLANKS); this.take(REMARK); ) this.take(BLANKS)
  }

  /** What an element has that is not understood takes its place. */
  private other(value: Value): Value {
    const next = this.text[this.at]
    if (next === undefined || !/[.:a-z]/.test(next)) return value
    const { text, span } = this.take(OTHER)!
    return { kind: 'unsupported', what: `\`${text.split(/\s/)[0]}\` of an element`, span }
  }

  /** One value, or several joined by points. */
  private key(): Value | undefined {
    const start = this.at
    const parts: Value[] = []
    for (;;) {
      const value = this.text[this.at] === '(' ? this.group() : this.part()
      if (!value) return undefined
      parts.push(value)
      if (!this.joins('.')) break
    }
    if (parts.length === 1) return parts[0]
    return { kind: 'concat', parts, span: at(this.source, start, this.at) }
  }

  private part(): Value | undefined {
    const start = this.at
    const first = this.atom()
    return first && this.rest(first, start)
  }

  /** `(syn | ack)`. */
  private group(): Value | undefined {
    this.joins('(')
    const value = this.part()
    if (!value) return undefined
    this.take(BLANKS)
    if (this.text[this.at] !== ')') return this.expected(["')'"])
    this.at++
    return value
  }

  /** What a map holds for a key: a verdict, or a value. */
  private data(): Value | undefined {
    const verdict = this.take(VERDICT)
    if (!verdict) return this.key()
    const word = verdict.text as VerdictWord
    if (word !== 'jump' && word !== 'goto') return { kind: 'verdict', verdict: word, span: verdict.span }
    this.take(BLANKS)
    const chain = this.atom()
    if (!chain) return undefined
    if (chain.kind !== 'word') return this.expected(["a chain's name"])
    return { kind: 'verdict', verdict: word, chain, span: at(this.source, verdict.span.start, this.at) }
  }

  /** A prefix, a range or bits joined by bars, if the atom begins one. */
  private rest(first: Value, start: number): Value | undefined {
    const slash = this.take(LENGTH)
    if (slash) {
      const length = { text: slash.text.slice(1), span: at(this.source, slash.span.start + 1, slash.span.end) }
      return { kind: 'prefix', base: first, length, span: at(this.source, start, this.at) }
    }
    if (this.joins('-')) {
      const hi = this.atom()
      return hi && { kind: 'range', lo: first, hi, span: at(this.source, start, this.at) }
    }
    const items = [first]
    while (this.joins('|')) {
      const next = this.atom()
      if (!next) return undefined
      items.push(next)
    }
    return items.length === 1 ? first : { kind: 'list', items, by: '|', span: at(this.source, start, this.at) }
  }

  /** Steps over a sign and the blanks around it, if it comes next. */
  private joins(sign: string): boolean {
    const back = this.at
    this.take(BLANKS)
    if (this.text[this.at] !== sign) {
      this.at = back
      return false
    }
    this.at++
    this.take(BLANKS)
    return true
  }

  private atom(): Value | undefined {
    const token = this.take(TOKEN)
    if (!token) return this.expected(['an element such as an address, a port or a name'])
    const { text, span } = token
    if (text.startsWith('$')) return this.resolve(text.slice(1), span)
    if (text === '*') return { kind: 'any', span }
    if (!text.startsWith('"')) return { kind: 'word', text, span }
    return { kind: 'word', text: text.slice(1, -1), span: at(this.source, span.start + 1, span.end - 1) }
  }
}
