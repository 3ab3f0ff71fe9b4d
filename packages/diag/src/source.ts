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

/** Where the lines of texts start, found when they are first asked for. */
const lineStarts = new WeakMap<Source, readonly number[]>()

function startsOf(src: Source): readonly number[] {
  const known = lineStarts.get(src)
  if (known) return known
  const starts = [0]
  for (let at = src.text.indexOf('\n'); at >= 0; at = src.text.indexOf('\n', at + 1)) starts.push(at + 1)
  lineStarts.set(src, starts)
  return starts
}

/** Line and column of an offset. */
export function position(src: Source, offset: number): Position {
  const starts = startsOf(src)
  let [low, high] = [0, starts.length]
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= offset) low = middle
    else high = middle
  }
  return { line: low + 1, column: offset - starts[low]! + 1 }
}

/** The line that holds an offset, without its line end, and where it starts. */
export function lineText(src: Source, offset: number): { readonly text: string; readonly start: number } {
  const start = offset === 0 ? 0 : src.text.lastIndexOf('\n', offset - 1) + 1
  const newline = src.text.indexOf('\n', start)
  const end = newline < 0 ? src.text.length : newline
  return { text: src.text.slice(start, end).replace(/\r$/, ''), start }
}
