// Texts that are alike but for their digits are matched once. Where every class of characters has all digits or none, and literals have digits
// only behind letters (`ip6`), a digit that does not stand behind a letter may be any other, and the same is matched in the same places.

import type { Node } from './match.ts'
import type { GrammarData } from './types.ts'

/** Longer texts are seldom alike. */
const LONGEST = 400
/** Shapes that are kept. */
const MOST = 1000

const ALL_DIGITS = '0123456789'

/** A part of the text that has been matched, and what it is. */
interface Known {
  readonly rule: string
  readonly from: number
  readonly to: number
  readonly node: Node
}

/** What of one text has been matched so far, by shape. No strings are made to look there, since that is done for every part. */
export class Shapes {
  private readonly known = new Map<number, Known>()
  private text = ''
  private readonly data: GrammarData
  private usable: boolean | undefined

  constructor(data: GrammarData) {
    this.data = data
  }

  /** The node of a part of the text, if another one of its shape has been matched by the same rule. */
  find(rule: string, text: string, from: number, to: number): Node | undefined {
    if (text !== this.text || to - from > LONGEST) return undefined
    const known = this.known.get(hashOf(text, from, to))
    if (!known || known.rule !== rule || !areAlike(text, from, to, known)) return undefined
    return moved(known.node, from - known.from)
  }

  keep(rule: string, text: string, from: number, to: number, node: Node): void {
    this.usable ??= areDigitsAlike(this.data)
    if (!this.usable || to - from > LONGEST) return
    if (text !== this.text) this.known.clear()
    this.text = text
    if (this.known.size < MOST) this.known.set(hashOf(text, from, to), { rule, from, to, node })
  }
}

/** Whether a grammar tells no digit from another, but in literals behind a letter. */
export function areDigitsAlike(data: GrammarData): boolean {
  const classes = new Set<string>()
  for (const { alternatives } of data)
    for (const parts of alternatives)
      for (const { lit, chars } of parts) {
        if (lit !== undefined && /(?<![A-Za-z])[0-9]/.test(lit)) return false
        if (chars !== undefined) classes.add(chars)
      }
  // What is left of the digits is all of them or none.
  return [...classes].every((chars) => ['', ALL_DIGITS].includes(ALL_DIGITS.replace(new RegExp(chars, 'gu'), '')))
}

/** Of all characters, digits counted as one. */
function hashOf(text: string, from: number, to: number): number {
  let hash = to - from
  for (let i = from; i < to; i++) {
    const char = text.charCodeAt(i)
    hash = (Math.imul(hash, 31) + (isDigit(char) ? 48 : char)) | 0
  }
  return hash
}

/** Whether two parts are the same but for digits that do not stand behind a letter. */
function areAlike(text: string, from: number, to: number, known: Known): boolean {
  if (to - from !== known.to - known.from) return false
  let letter = false
  for (let i = from, j = known.from; i < to; i++, j++) {
    const char = text.charCodeAt(i)
    const other = text.charCodeAt(j)
    if (char !== other && (letter || !isDigit(char) || !isDigit(other))) return false
    letter = (char | 32) >= 97 && (char | 32) <= 122
  }
  return true
}

const isDigit = (char: number): boolean => char >= 48 && char <= 57

function moved({ rule, start, end, children }: Node, by: number): Node {
  // An array that grows by pushes has room for more than most of these hold.
  const inside =
    children.length === 0
      ? children
      : children.length === 1
        ? [moved(children[0]!, by)]
        : children.map((each) => moved(each, by))
  return { rule, start: start + by, end: end + by, children: inside }
}
