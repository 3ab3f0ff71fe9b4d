// Texts that are alike but for their digits are matched once. Where every class of characters has all digits or none, and literals have digits
// only behind letters (`ip6`), a digit that does not stand behind a letter may be any other, and the same is matched in the same places.

import type { Node } from './match.ts'
import type { GrammarData } from './types.ts'

/** Longer texts are seldom alike. */
const LONGEST = 400
/** Shapes that are kept. */
const MOST = 1000

const ALL_DIGITS = '0123456789'

/** What has been matched. */
interface Known {
  readonly rule: string
  /** The codes of its characters. */
  readonly chars: Uint16Array
  /** Where its node says that it begins. */
  from: number
  readonly node: Moving
}

type Moving = { -readonly [key in 'start' | 'end']: Node[key] } & { readonly children: readonly Moving[] }

/** What has been matched, by shape. No strings are made to look there, since that is done for every text. */
export class Shapes {
  private readonly known = new Map<number, Known>()
  private readonly data: GrammarData
  private usable: boolean | undefined

  constructor(data: GrammarData) {
    this.data = data
  }

  /** The node of a part of a text, if another one of its shape has been matched by the same rule: that one's node, moved. */
  find(rule: string, text: string, from: number, to: number): Node | undefined {
    if (to - from > LONGEST) return undefined
    const known = this.known.get(hashOf(text, from, to))
    if (!known || known.rule !== rule || !areAlike(text, from, to, known.chars)) return undefined
    if (from !== known.from) move(known.node, from - known.from)
    known.from = from
    return known.node as Moving & Node
  }

  keep(rule: string, text: string, from: number, to: number, node: Node): void {
    this.usable ??= areDigitsAlike(this.data)
    if (!this.usable || to - from > LONGEST || this.known.size >= MOST) return
    const chars = new Uint16Array(to - from)
    for (let i = from; i < to; i++) chars[i - from] = text.charCodeAt(i)
    this.known.set(hashOf(text, from, to), { rule, chars, from, node })
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

/** Whether a part is the same as what was matched but for digits that do not stand behind a letter. */
function areAlike(text: string, from: number, to: number, chars: Uint16Array): boolean {
  if (to - from !== chars.length) return false
  let letter = false
  for (let i = from; i < to; i++) {
    const char = text.charCodeAt(i)
    const other = chars[i - from]!
    if (char !== other && (letter || !isDigit(char) || !isDigit(other))) return false
    letter = (char | 32) >= 97 && (char | 32) <= 122
  }
  return true
}

const isDigit = (char: number): boolean => char >= 48 && char <= 57

function move(node: Moving, by: number): void {
  node.start += by
  node.end += by
  const { children } = node
  for (let i = 0; i < children.length; i++) move(children[i]!, by)
}
