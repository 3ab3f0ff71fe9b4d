// A grammar as data: what `ebnf` reads from a .ebnf file, reduced to what the matcher needs. Made by scripts/grammars.mjs.

/** One element of a sequence: a literal, a class of characters, or a rule, repeated `min`..`max` times, or only looked at. */
export interface Part {
  readonly lit?: string
  /** A regular expression's character class, `[a-z0-9]`. */
  readonly chars?: string
  readonly rule?: string
  /** Repetition; 1 and 1 where absent. */
  readonly min?: 0
  readonly max?: 'many'
  /** Look-ahead: must (`&`) or must not (`!`) match here; takes nothing. */
  readonly look?: '&' | '!'
}

/** A rule: ordered alternatives, each a sequence. Names that start with `%` (made by `ebnf`
 * for brackets) or are all CAPITALS (blanks, digits) leave no node. */
export interface GrammarRule {
  readonly name: string
  readonly alternatives: readonly (readonly Part[])[]
  /** The ASCII characters that each alternative can begin with; null for those that may begin with any, all where absent. */
  readonly begins?: readonly (string | null)[]
}

export type GrammarData = readonly GrammarRule[]
