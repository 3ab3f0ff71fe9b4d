// A grammar made to run fast, where only the result counts: what leaves no node is one regular expression, and of a rule's alternatives only
// those are tried that can begin with the character that stands there. match.ts, which can say what is wrong with a text, is the reference.

import { Flat, isHidden } from './flat.ts'
import type { Node } from './match.ts'
import type { GrammarData, GrammarRule, Part } from './types.ts'

/** Rules inside one another at most. */
export const DEEPEST = 400
/** What a text may take. */
export const stepsFor = (length: number): number => 20_000 + 400 * length

/** One of a literal, a regular expression and a rule; how often, and whether it is only looked at, is a rule's. */
interface Step {
  readonly lit: string | undefined
  readonly regex: RegExp | undefined
  readonly rule: Rule | undefined
  readonly min: number
  readonly many: boolean
  readonly look: '&' | '!' | undefined
}

const ASCII = 128
const NONE: readonly Node[] = []

/** A rule; what it needs to run is made when it is first come to. */
interface Rule {
  readonly name: string
  readonly hidden: boolean
  /** All of it, if no node is left inside. */
  readonly flat: RegExp | undefined
  readonly data: GrammarRule
  readonly sequences: (readonly Step[] | undefined)[]
  /** By character code: the alternatives that can begin with it; behind them those for all other characters. */
  readonly starting: (readonly (readonly Step[])[] | undefined)[]
}

export class Quick {
  private readonly data: ReadonlyMap<string, GrammarRule>
  private readonly flat: Flat
  private readonly rules = new Map<string, Rule>()

  constructor(data: GrammarData) {
    this.data = new Map(data.map((rule) => [rule.name, rule]))
    this.flat = new Flat(data)
  }

  has(name: string): boolean {
    return this.data.has(name)
  }

  /** The node of a rule that matches all of `text[from..to)`, if it does within the limits. */
  match(start: string, text: string, from: number, to: number): Node | undefined {
    const run = new Run(this, to < text.length ? text.slice(0, to) : text, from)
    if (run.rule(this.rule(start), from, 0) !== to) return undefined
    return run.nodes[0] ?? { rule: start, start: from, end: to, children: NONE }
  }

  rule(name: string): Rule {
    const known = this.rules.get(name)
    if (known) return known
    const flat = this.flat.isFlatInside(name) ? this.flat.inside(name) : undefined
    const rule: Rule = { name, hidden: isHidden(name), flat, data: this.data.get(name)!, sequences: [], starting: [] }
    this.rules.set(name, rule)
    return rule
  }

  /** The alternatives of a rule that can begin with a character. */
  starting({ data, sequences, starting }: Rule, char: number): readonly (readonly Step[])[] {
    const index = char < ASCII ? char : ASCII
    const known = starting[index]
    if (known) return known
    const may: (readonly Step[])[] = []
    for (const [i, parts] of data.alternatives.entries()) {
      if (char < ASCII && data.begins?.[i]?.includes(String.fromCharCode(char)) === false) continue
      sequences[i] ??= this.steps(parts)
      may.push(sequences[i])
    }
    starting[index] = may
    return may
  }

  /** Flat parts one after the other are one step. */
  private steps(parts: readonly Part[]): Step[] {
    const out: Step[] = []
    for (let i = 0; i < parts.length; ) {
      let end = i
      while (end < parts.length && this.flat.isFlat(parts[end]!)) end++
      const { lit, rule, min = 1, max = 1, look } = parts[i]!
      const many = max === 'many'
      const plain = lit !== undefined && min === 1 && !many && !look
      const none = { lit: undefined, regex: undefined, rule: undefined, min, many, look }
      if (end === i) out.push({ ...none, rule: this.rule(rule!) })
      else if (end === i + 1 && plain) out.push({ ...none, lit })
      else out.push({ ...none, regex: this.flat.sequence(parts.slice(i, end)) })
      i = Math.max(end, i + 1)
    }
    return out
  }
}

const FAILED = -1

/**
 * One run over one text. Everything gives where it ends, or FAILED. Loops count, and little is called, since code that has just begun to run does
 * both slowly.
 */
class Run {
  /** What was found so far and belongs to a rule that is not over yet. */
  readonly nodes: Node[] = []
  private readonly grammar: Quick
  private readonly text: string
  private steps: number

  constructor(grammar: Quick, text: string, from: number) {
    this.grammar = grammar
    this.text = text
    this.steps = stepsFor(text.length - from)
  }

  rule(rule: Rule, at: number, depth: number): number {
    if (--this.steps < 0 || depth > DEEPEST) return FAILED
    const { flat, hidden } = rule
    if (flat) {
      flat.lastIndex = at
      if (!flat.test(this.text)) return FAILED
      const end = flat.lastIndex
      if (!hidden) this.nodes.push({ rule: rule.name, start: at, end, children: NONE })
      return end
    }
    const mark = this.nodes.length
    const may = this.grammar.starting(rule, this.text.charCodeAt(at))
    for (let i = 0; i < may.length; i++) {
      const end = this.sequence(may[i]!, at, depth)
      if (end === FAILED) {
        this.forget(mark)
        continue
      }
      if (hidden) return end
      const children = this.nodes.length === mark ? NONE : this.nodes.splice(mark)
      this.nodes.push({ rule: rule.name, start: at, end, children })
      return end
    }
    return FAILED
  }

  private forget(mark: number): void {
    while (this.nodes.length > mark) this.nodes.pop()
  }

  private sequence(steps: readonly Step[], start: number, depth: number): number {
    let at = start
    for (let i = 0; i < steps.length; i++) {
      const { lit, regex, rule, look, min, many } = steps[i]!
      if (regex) {
        regex.lastIndex = at
        if (!regex.test(this.text)) return FAILED
        at = regex.lastIndex
      } else if (!rule) {
        if (!this.text.startsWith(lit!, at)) return FAILED
        at += lit!.length
      } else if (look) {
        const mark = this.nodes.length
        const seen = this.rule(rule, at, depth + 1) !== FAILED
        this.forget(mark)
        if (seen !== (look === '&')) return FAILED
      } else {
        let next = this.rule(rule, at, depth + 1)
        if (next === FAILED && min > 0) return FAILED
        while (next !== FAILED) {
          const stuck = next === at
          at = next
          next = many && !stuck ? this.rule(rule, at, depth + 1) : FAILED
        }
      }
    }
    return at
  }
}
