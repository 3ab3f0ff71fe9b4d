// Texts of one command a line: comments and blank lines left out, lines that end in a backslash joined with the next.

import { at, type Diagnostics, type Source, type Span } from '@netsieve/diag'
import type { Grammar, Node } from '../grammar/match.ts'
import type { Word } from './read.ts'

/** One command. `text` is as long as the span: a joined line end stands as blanks, so offsets into it are offsets into the source. */
export interface Line {
  readonly text: string
  readonly span: Span
}

export function commandLines(source: Source): Line[] {
  const text = source.text.replace(/\\\r?\n/g, (joint) => ' '.repeat(joint.length))
  const out: Line[] = []
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const whole = text.slice(start, end)
    const bare = whole.replace(/(^|[ \t])#.*$/, '').trimEnd()
    const from = bare.length - bare.trimStart().length
    if (bare.trim() !== '') out.push({ text: bare.slice(from), span: at(source, start + from, start + bare.length) })
    start = end + 1
  }
  return out
}

/**
 * Matches a grammar against a command; a diagnostic if it does not fit, which calls words of the tool's that are not spoken here (`foreign`)
 * by what they are. The node's offsets count from the command's start.
 */
export function matchLine(
  grammar: Grammar,
  start: string,
  line: Line,
  diagnostics: Diagnostics,
  foreign?: ReadonlyMap<string, string>,
): Node | undefined {
  const result = grammar.match(start, line.text)
  if (result.ok) return result.node
  const { source, start: from } = line.span
  const rest = /^[^ \t]+/.exec(line.text.slice(result.at))?.[0]
  const span = at(source, from + result.at, from + result.at + (rest?.length ?? 1))
  if (result.tooComplex) diagnostics.error('rules/too-complex', 'this command is too long or too deep', line.span)
  else if (rest === undefined)
    diagnostics.error('rules/syntax', 'the command ends too early', span, {
      expected: behindBlank(grammar, start, line) ?? words(result.expected),
    })
  else if (foreign?.has(rest)) diagnostics.error('rules/unsupported', `unsupported: ${foreign.get(rest)}`, span)
  else diagnostics.error('rules/syntax', `\`${rest}\` is not expected here`, span, { expected: words(result.expected) })
  return undefined
}

/** What a command that ends too early lacks is what could stand behind one more blank. */
function behindBlank(grammar: Grammar, start: string, { text }: Line): readonly string[] | undefined {
  const longer = grammar.match(start, `${text} `)
  return !longer.ok && longer.at > text.length ? words(longer.expected) : undefined
}

/** Blanks may stand nearly anywhere: they are named only where nothing else could stand. */
function words(expected: readonly string[]): readonly string[] {
  const other = expected.filter((each) => each !== 'a blank')
  return other.length > 0 ? other : expected
}

/** What a node covers, as a word. */
export function nodeWord(line: Line, node: Node): Word {
  const { source, start } = line.span
  return {
    text: line.text.slice(node.start, node.end),
    span: { source, start: start + node.start, end: start + node.end },
  }
}
