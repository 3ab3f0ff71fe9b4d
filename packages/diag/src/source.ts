// A named text and places in it. Offsets are UTF-16 code units from 0; lines and columns, for people, start at 1.

/** A text with the name that messages quote: a file's path, `<stdin>`, `<expression>`. */
export interface Source {
  readonly name: string
  readonly text: string
}

/** A half-open range `[start, end)` of a source's text, in UTF-16 code units. */
export interface Span {
  readonly source: Source
  readonly start: number
  readonly end: number
}

/** A place as people count: both from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Makes a source. */
export function source(name: string, text: string): Source {
  return { name, text }
}

/** Makes a span; `end` defaults to one character after `start`, and both are kept within the text. */
export function at(src: Source, start: number, end: number = start + 1): Span {
  const first = Math.min(Math.max(start, 0), src.text.length)
  return { source: src, start: first, end: Math.min(Math.max(end, first), src.text.length) }
}

/** The smallest span that covers both; they must be of the same source. */
export function cover(a: Span, b: Span): Span {
  return { source: a.source, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) }
}

/** The characters a span covers. */
export function spanText(span: Span): string {
  return span.source.text.slice(span.start, span.end)
}

/** Line and column of an offset. Linear in the text before it: for messages, not for hot paths. */
export function position(src: Source, offset: number): Position {
  let line = 1
  let lineStart = 0
  for (let newline = src.text.indexOf('\n'); newline >= 0 && newline < offset; ) {
    line++
    lineStart = newline + 1
    newline = src.text.indexOf('\n', lineStart)
  }
  return { line, column: offset - lineStart + 1 }
}

/** The line that holds an offset, without its line end, and where it starts. */
export function lineText(src: Source, offset: number): { readonly text: string; readonly start: number } {
  const start = offset === 0 ? 0 : src.text.lastIndexOf('\n', offset - 1) + 1
  const newline = src.text.indexOf('\n', start)
  const end = newline < 0 ? src.text.length : newline
  return { text: src.text.slice(start, end).replace(/\r$/, ''), start }
}
