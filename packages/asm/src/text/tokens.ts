// One line of assembly as tokens: words, unsigned numbers, strings, and punctuation one character at a time. Templates are cut the same way.

export type TokenKind = 'word' | 'number' | 'string' | 'mark'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** Offsets in the text that was cut. */
  readonly start: number
  readonly end: number
}

const LETTER = 1
const DIGIT = 2
const BLANK = 3
const KINDS = new Uint8Array(128)
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.$') KINDS[c.charCodeAt(0)] = LETTER
for (const c of '0123456789') KINDS[c.charCodeAt(0)] = DIGIT
for (const c of ' \t\r\f\v') KINDS[c.charCodeAt(0)] = BLANK
const HASH = 35
const SLASH = 47
const SEMICOLON = 59
const QUOTE = 34

const kindAt = (text: string, at: number): number => KINDS[text.charCodeAt(at)] ?? 0

/** A hexadecimal number takes its digits only, so that `5ll` is a number and a word. */
function numberEnd(text: string, at: number, end: number): number {
  const second = at + 1 < end ? text[at + 1] : ''
  if (text[at] === '0' && (second === 'x' || second === 'X')) {
    let stop = at + 2
    while (stop < end && /[0-9a-fA-F]/.test(text[stop]!)) stop++
    return stop
  }
  let stop = at + 1
  while (stop < end && kindAt(text, stop) === DIGIT) stop++
  return stop
}

/** The closing quote's end; of a string that is not closed, the first quote's. */
function stringEnd(text: string, at: number, end: number): number {
  for (let stop = at + 1; stop < end; stop++) {
    if (text[stop] === '\\') stop++
    else if (text.charCodeAt(stop) === QUOTE) return stop + 1
  }
  return at + 1
}

/** `;` and `//` start a comment anywhere, `#` at the start of a line or after a blank: the kernel writes `call name#1`. */
function startsComment(text: string, at: number, start: number): boolean {
  const c = text.charCodeAt(at)
  if (c === SEMICOLON) return true
  if (c === HASH) return at === start || kindAt(text, at - 1) === BLANK
  return c === SLASH && text.charCodeAt(at + 1) === SLASH
}

/** The tokens of `text[start, end)` up to a comment. Any character makes some token: nothing is refused here. */
export function tokenize(text: string, start = 0, end = text.length): Token[] {
  const tokens: Token[] = []
  let at = start
  while (at < end) {
    const kind = kindAt(text, at)
    if (kind === BLANK) {
      at++
      continue
    }
    if (kind === 0 && startsComment(text, at, start)) break
    let stop = at + 1
    if (kind === LETTER) while (stop < end && (kindAt(text, stop) === LETTER || kindAt(text, stop) === DIGIT)) stop++
    else if (kind === DIGIT) stop = numberEnd(text, at, end)
    else if (text.charCodeAt(at) === QUOTE) stop = stringEnd(text, at, end)
    const tokenKind = kind === LETTER ? 'word' : kind === DIGIT ? 'number' : stop > at + 1 ? 'string' : 'mark'
    tokens.push({ kind: tokenKind, text: text.slice(at, stop), start: at, end: stop })
    at = stop
  }
  return tokens
}
