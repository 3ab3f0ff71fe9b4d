// Cuts a ruleset into statements and blocks: `table … { … }`, `chain … { … }`, `set … { … }`. A statement ends at a newline or `;` outside
// of braces; braces of values (`{ 80, 443 }`) stay inside their statement. Linear, and two blocks deep at most.

import { at, type Diagnostics, type Source } from '@netsieve/diag'

/** A statement, or the head of a block with what stands in it. Offsets into the text, blanks and comments around left out. */
export interface Item {
  readonly start: number
  readonly end: number
  /** Present for a block. */
  readonly body?: readonly Item[]
}

/** The text that nodes are of: another one while an included file is read. */
export interface Here {
  source: Source
  text: string
}

export interface Scan {
  /** The text to parse: as long as the source's, with what only the shell sees (`nft`, quotes, backslashes) as blanks. */
  readonly text: string
  readonly items: readonly Item[]
  /** Where a last statement ends that no line end or `;` ends. */
  readonly open?: number
}

/** Where a statement stands. */
export type Place = 'top' | 'table' | 'inner'

/** @param place where the statements of the text stand: those of an included file may be inside of blocks */
export function scan(source: Source, diagnostics: Diagnostics, place: Place = 'top'): Scan {
  const text = withoutShell(source.text)
  const scanner = new Scanner(source, text, diagnostics)
  const items = scanner.items(place, true)
  const { last } = scanner
  return { text, items, ...(last !== undefined && !/[\n;]/.test(text.slice(last)) && { open: last }) }
}

const HEAD: Readonly<Record<Place, RegExp | undefined>> = {
  top: /^(?:(?:add|create)\s+)?(table|chain|set|map|flowtable|counter|quota|limit|secmark|synproxy|ct)\s/,
  table: /^(chain|set|map|flowtable|counter|quota|limit|secmark|synproxy|ct)\s/,
  inner: undefined,
}

class Scanner {
  private at = 0
  /** Where the last statement outside of the text's blocks ends. */
  last: number | undefined
  private readonly source: Source
  private readonly text: string
  private readonly diagnostics: Diagnostics

  constructor(source: Source, text: string, diagnostics: Diagnostics) {
    this.source = source
    this.text = text
    this.diagnostics = diagnostics
  }

  /** Statements up to the closing brace of the block, which is left where it is, or to the end of the text. */
  items(place: Place, outermost = false): Item[] {
    const out: Item[] = []
    for (;;) {
      this.blanks()
      if (this.at >= this.text.length) return out
      if (this.text[this.at] === '}') {
        if (!outermost) return out
        this.error('syntax', 'this `}` closes nothing', this.at)
        this.at++
      } else {
        out.push(this.statement(place))
        if (outermost) this.last = this.at
      }
    }
  }

  private error(what: string, message: string, offset: number, expected?: readonly string[]): void {
    this.diagnostics.error(`nft/${what}`, message, at(this.source, offset), expected && { expected })
  }

  private blanks(): void {
    for (; this.at < this.text.length; this.at++) {
      const char = this.text[this.at]!
      if (char === '#') this.at = this.lineEnd(this.at) - 1
      else if (char === '\\') {
        if (!/^\\\r?\n/.test(this.text.slice(this.at, this.at + 3))) return
      } else if (!/[\s;]/.test(char)) return
    }
  }

  private lineEnd(from: number): number {
    const newline = this.text.indexOf('\n', from)
    return newline < 0 ? this.text.length : newline
  }

  private statement(place: Place): Item {
    const start = this.at
    while (this.at < this.text.length) {
      const char = this.text[this.at]!
      if (char === '\n' || char === ';' || char === '}' || char === '#') break
      if (char === '{') {
        const word = HEAD[place]?.exec(this.text.slice(start, Math.min(this.at, start + 200)))?.[1]
        if (word) return this.block(start, word === 'table' ? 'table' : 'inner')
        this.value()
      } else this.step(char)
    }
    return { start, end: this.trimmed(start) }
  }

  /** Over one character, or over a quoted string, or over a joined line's end. */
  private step(char: string): void {
    if (char === '"') {
      const close = this.text.indexOf('"', this.at + 1)
      const line = this.lineEnd(this.at)
      if (close < 0 || close > line) {
        this.error('string', 'this string is not closed', this.at, ["'\"'"])
        this.at = line
      } else this.at = close + 1
    } else if (char === '\\') this.at += this.text[this.at + 1] === '\r' ? 3 : 2
    else this.at++
  }

  /** Over the braces of a value. */
  private value(): void {
    const open = this.at
    let depth = 0
    while (this.at < this.text.length) {
      const char = this.text[this.at]!
      if (char === '#') this.at = this.lineEnd(this.at)
      else {
        this.step(char)
        if (char === '{') depth++
        if (char === '}' && --depth === 0) return
      }
    }
    this.error('unterminated', 'this `{` is never closed', open, ["'}'"])
  }

  private block(start: number, inside: Place): Item {
    const open = this.at
    const end = this.trimmed(start)
    this.at++
    const body = this.items(inside)
    if (this.at >= this.text.length) this.error('unterminated', 'this `{` is never closed', open, ["'}'"])
    else this.at++
    return { start, end, body }
  }

  private trimmed(start: number): number {
    let end = Math.min(this.at, this.text.length)
    while (end > start && /[\s\\]/.test(this.text[end - 1]!)) end--
    return end
  }
}

/** Blanks out what the shell takes from a line such as `nft add chain ip t c '{ policy drop ; }'`, keeping every offset. */
function withoutShell(text: string): string {
  return text.replace(
    /^([ \t]*(?:sudo[ \t]+)?(?:[\w./-]*\/)?nft[ \t]+)((?:\\\r?\n|[^\n])*)/gm,
    (_, program: string, rest: string) =>
      ' '.repeat(program.length) +
      rest
        .replace(/'/g, ' ')
        .replace(/"(\{[^"]*\})"/g, ' $1 ')
        .replace(/\\([;{}"()])/g, ' $1')
        .replace(/^"(.*)"([ \t\r]*)$/, ' $1 $2'),
  )
}
