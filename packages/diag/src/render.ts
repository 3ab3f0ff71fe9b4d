// Diagnostics as text: `file:line:col: severity: message`, the line, a caret under the place, what was expected.

import type { Diagnostic, Severity } from './diagnostic.ts'
import { lineText, position, type Span } from './source.ts'

const WIDEST_LINE = 160

/** One diagnostic as lines of text, without a final newline. `file`: what it is about if it has no place. */
export function render(diagnostic: Diagnostic, file?: string): string {
  const { severity, message, span, expected, notes, hint } = diagnostic
  const lines = place(severity, `${message} [${diagnostic.code}]`, span, file)
  if (expected?.length) lines.push(`  expected ${expected.length > 1 ? 'one of ' : ''}${expected.join(', ')}`)
  if (hint) lines.push(`  hint: ${hint}`)
  for (const note of notes ?? []) lines.push(...place('note', note.message, note.span))
  return lines.join('\n')
}

/** Many diagnostics, each ended by a newline; the empty string for none. */
export function renderAll(diagnostics: readonly Diagnostic[], file?: string): string {
  return diagnostics.map((diagnostic) => `${render(diagnostic, file)}\n`).join('')
}

/** Messages quote what they are about, which may be of any length. */
const LONGEST = 1000
const shortened = (text: string): string =>
  text.length <= LONGEST ? text : `${text.slice(0, LONGEST / 2)} … ${text.slice(-LONGEST / 4)}`

function place(severity: Severity, whole: string, span: Span | undefined, file?: string): string[] {
  const message = shortened(whole)
  if (!span) return [`${file === undefined ? '' : `${file}: `}${severity}: ${message}`]
  const { line, column } = position(span.source, span.start)
  return [`${span.source.name}:${line}:${column}: ${severity}: ${message}`, ...excerpt(span)]
}

/** The source line and its caret line; a long line is cut around the span. */
function excerpt(span: Span): string[] {
  const line = lineText(span.source, span.start)
  const from = span.start - line.start
  const shift = from > WIDEST_LINE - 40 ? from - 60 : 0
  const shown = printable(line.text.slice(shift, shift + WIDEST_LINE))
  const width = Math.max(1, Math.min(span.end, line.start + line.text.length) - span.start)
  const room = Math.max(1, Math.min(width, WIDEST_LINE - (from - shift)))
  return [`    ${shown}`, `    ${' '.repeat(from - shift)}${'^'.repeat(room)}`]
}

/** Control characters (tabs too) as one blank or `?` each, so that the caret stays below its text. */
function printable(text: string): string {
  return text.replace(/\t/g, ' ').replace(/\p{Cc}/gu, '?')
}
