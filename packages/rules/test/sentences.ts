// Sentences of a grammar, at random: what fast-check makes from the rules that the matcher runs.

import fc from 'fast-check'
import type { GrammarData, Part } from '../src/grammar/types.ts'

const CHARS = [...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), '\t', '\r', '\n']

/** Blanks stand where the grammars look ahead for a word's end, and few kinds of them. */
const GIVEN: Readonly<Record<string, fc.Arbitrary<string>>> = {
  S: fc.constantFrom(' ', ' ', '  ', ' \\\n '),
  END: fc.constant(' '),
  COMMENT: fc.constant('# remark\n'),
}

/** Texts that a rule describes. Look-aheads are not followed: a sentence may still be refused by one. */
export function sentences(data: GrammarData, start: string, depth = 12): fc.Arbitrary<string> {
  const rules = new Map(data.map(({ name, alternatives }) => [name, alternatives]))
  const classes = new Map<string, fc.Arbitrary<string>>()
  const chars = (source: string): fc.Arbitrary<string> => {
    let found = classes.get(source)
    if (!found) {
      const regex = new RegExp(`^${source}$`, 'u')
      found = fc.constantFrom(...CHARS.filter((char) => regex.test(char)))
      classes.set(source, found)
    }
    return found
  }
  const cheapest = cost(data)
  const rule = (name: string, left: number): fc.Arbitrary<string> => {
    if (GIVEN[name]) return GIVEN[name]
    const alternatives = rules.get(name)!
    const least = Math.min(...alternatives.map(cheapest))
    const open = left > 0 ? alternatives : alternatives.filter((each) => cheapest(each) === least)
    return fc.oneof(
      ...open.map((parts) => fc.tuple(...parts.map((part) => one(part, left))).map((texts) => texts.join(''))),
    )
  }
  const one = (part: Part, left: number): fc.Arbitrary<string> => {
    if (part.look) return fc.constant('')
    const body = (): fc.Arbitrary<string> =>
      part.lit !== undefined
        ? fc.constant(part.lit)
        : part.chars !== undefined
          ? chars(part.chars)
          : rule(part.rule!, left - 1)
    const most = left > 0 ? (part.max === 'many' ? 3 : 1) : (part.min ?? 1)
    const least = part.min ?? 1
    if (most === 0) return fc.constant('')
    return fc.array(body(), { minLength: least, maxLength: Math.max(least, most) }).map((texts) => texts.join(''))
  }
  return rule(start, depth)
}

/** How deep the shallowest sentence of a sequence is. */
function cost(data: GrammarData): (parts: readonly Part[]) => number {
  const depths = new Map<string, number>(data.map(({ name }) => [name, Number.POSITIVE_INFINITY]))
  const of = (parts: readonly Part[]) =>
    Math.max(
      0,
      ...parts.map((part) => (part.rule === undefined || part.min === 0 || part.look ? 0 : 1 + depths.get(part.rule)!)),
    )
  for (let changed = true; changed; ) {
    changed = false
    for (const { name, alternatives } of data) {
      const depth = Math.min(...alternatives.map(of))
      if (depth < depths.get(name)!) {
        depths.set(name, depth)
        changed = true
      }
    }
  }
  return of
}
