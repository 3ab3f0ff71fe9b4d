// Cuts a text into command lines: one a line, joined by a backslash at the line's end; blank lines and comments are left out.

import type { Source } from '@netsieve/diag'

/** A range of the source's text, without blanks around it. */
export interface Range {
  readonly start: number
  readonly end: number
}

export function lines({ text }: Source): Range[] {
  const out: Range[] = []
  for (let at = 0; at < text.length; ) {
    const { end, comment } = lineEnd(text, at)
    const range = trim(text, at, comment ?? end)
    if (range.start < range.end) out.push(range)
    at = end + 1
  }
  return out
}

/** Where the line from `start` ends (at its newline or the end of the text), and where a comment in it starts. */
function lineEnd(text: string, start: number): { readonly end: number; readonly comment?: number } {
  let quote = ''
  let comment: number | undefined
  for (let at = start; at < text.length; at++) {
    const char = text[at]!
    if (char === '\n') return { end: at, ...(comment !== undefined && { comment }) }
    if (comment !== undefined) continue
    if (char === '\\' && quote !== "'") {
      if (text[at + 1] === '\r') at++
      at++
    } else if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
    else if (char === '#' && (at === start || /\s/.test(text[at - 1]!))) comment = at
  }
  return { end: text.length, ...(comment !== undefined && { comment }) }
}

const BLANK = /[ \t\r\n\f\v]/

function trim(text: string, from: number, to: number): Range {
  let [start, end] = [from, to]
  while (start < end && (BLANK.test(text[start]!) || (text[start] === '\\' && /[\r\n]/.test(text[start + 1] ?? '\n'))))
    start++
  while (end > start && (BLANK.test(text[end - 1]!) || (text[end - 1] === '\\' && end === to && to === text.length)))
    end--
  return { start, end }
}
