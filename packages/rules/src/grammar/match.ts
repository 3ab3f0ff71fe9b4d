// Runs a grammar on a text: ordered choice, no left recursion, positions instead of copied strings, the furthest failure and what was
// expected there. A repeated character class is one regular expression, so long texts cost a step a word, not a step a character.
// Time is bounded by a budget of steps and depth, so hostile text ends in a message.

import { isHidden } from './flat.ts'
import { DEEPEST, Quick, stepsFor } from './quick.ts'
import { Shapes } from './shapes.ts'
import type { GrammarData, GrammarRule, Part } from './types.ts'

/** A matched rule: its name, the range of text, and the named rules inside. It holds until its grammar matches another text. */
export interface Node {
  readonly rule: string
  readonly start: number
  readonly end: number
  readonly children: readonly Node[]
}

export type MatchResult =
  | { readonly ok: true; readonly node: Node }
  /** Where no alternative could go on, and what could have stood there. */
  | { readonly ok: false; readonly at: number; readonly expected: readonly string[]; readonly tooComplex?: true }

interface Element {
  readonly lit: string | undefined
  readonly chars: RegExp | undefined
  rule: Compiled | undefined
  readonly min: number
  readonly many: boolean
  readonly look: '&' | '!' | undefined
  readonly shown: string
}

interface Compiled {
  readonly name: string
  readonly hidden: boolean
  readonly label: string | undefined
  alternatives: readonly (readonly Element[])[]
}

/** A grammar ready to run. */
export class Grammar {
  private readonly data: GrammarData
  private readonly labels: Readonly<Record<string, string>>
  private readonly quick: Quick
  private readonly shapes: Shapes
  /** For texts that are wrong: made when the first one comes. */
  private rules: ReadonlyMap<string, Compiled> | undefined

  /**
   * @param labels what to say is expected where a rule does not match at all: `{ port: 'a port' }`, or '' to say nothing of
   *   the rule and its parts (blanks). Other rules name their first literals and characters; what is missing after a rule's start is said.
   */
  constructor(data: GrammarData, labels: Readonly<Record<string, string>> = {}) {
    this.data = data
    this.labels = labels
    this.quick = new Quick(data)
    this.shapes = new Shapes(data)
  }

  /** @throws Error for a rule that is named but not defined. */
  private compiled(): ReadonlyMap<string, Compiled> {
    const { data, labels } = this
    const rules = new Map<string, Compiled>()
    for (const { name } of data)
      rules.set(name, { name, hidden: isHidden(name), label: labels[name], alternatives: [] })
    const classes = new Map(data.flatMap((rule) => onlyClass(rule)))
    const compile = (part: Part): Element => {
      const { lit, look } = part
      const min = part.min ?? 1
      const many = part.max === 'many'
      const chars = part.chars ?? (part.rule === undefined ? undefined : classes.get(part.rule))
      if (chars !== undefined) {
        const repeat = many ? (min === 0 ? '*' : '+') : min === 0 ? '?' : ''
        const regex = new RegExp(chars + repeat, 'uy')
        return { lit, chars: regex, rule: undefined, min: 1, many: false, look, shown: chars }
      }
      const rule = part.rule === undefined ? undefined : rules.get(part.rule)
      if (part.rule !== undefined && !rule) throw new Error(`grammar names ${part.rule}, which it does not define`)
      return { lit, chars, rule, min, many, look, shown: `'${lit}'` }
    }
    for (const { name, alternatives } of data)
      rules.get(name)!.alternatives = alternatives.map((parts) => parts.map(compile))
    return rules
  }

  /** Matches `start` against all of `text[from..to)`. @throws Error if there is no rule of that name. */
  match(start: string, text: string, from = 0, to: number = text.length): MatchResult {
    if (!this.quick.has(start)) throw new Error(`no rule ${start} in this grammar`)
    const known = this.shapes.find(start, text, from, to)
    if (known) return { ok: true, node: known }
    // Most texts are right: what was expected where is only found out for those that are not.
    const node = this.quick.match(start, text, from, to)
    if (!node) return this.explain(start, text, from, to)
    this.shapes.keep(start, text, from, to, node)
    return { ok: true, node }
  }

  /** The same step by step. */
  explain(start: string, text: string, from = 0, to: number = text.length): MatchResult {
    this.rules ??= this.compiled()
    const rule = this.rules.get(start)!
    const run = new Run(text.slice(0, to), from)
    const end = run.rule(rule, from, 0)
    if (end !== undefined && end.at === to)
      return { ok: true, node: end.nodes[0] ?? { rule: start, start: from, end: to, children: [] } }
    if (end && end.at >= run.furthest) run.expect(end.at, 'end of input')
    return {
      ok: false,
      at: run.furthest,
      expected: [...run.expected].sort(),
      ...(run.exhausted && { tooComplex: true }),
    }
  }
}

/** Rules that `ebnf` made for a repeated class of characters: nothing but the class. */
function onlyClass({ name, alternatives }: GrammarRule): [string, string][] {
  const [only, ...others] = alternatives.flat()
  const plain = only?.chars !== undefined && only.min === undefined && only.max === undefined && only.look === undefined
  return name.startsWith('%') && plain && others.length === 0 ? [[name, only.chars!]] : []
}

interface Progress {
  readonly at: number
  readonly nodes: readonly Node[]
}

/** One run over one text: the furthest failure and the budget. */
class Run {
  furthest: number
  readonly expected = new Set<string>()
  exhausted = false
  private steps: number
  private quiet = 0
  /** Where a labelled rule starts that is being tried: what is missing right there, the label says. */
  private labelled = -1
  private readonly text: string

  constructor(text: string, from: number) {
    this.text = text
    this.furthest = from
    this.steps = stepsFor(text.length - from)
  }

  expect(at: number, what: string): void {
    if (this.quiet > 0 || at < this.furthest || at === this.labelled) return
    if (at > this.furthest) {
      this.furthest = at
      this.expected.clear()
    }
    this.expected.add(what)
  }

  rule(rule: Compiled, at: number, depth: number): Progress | undefined {
    if (--this.steps < 0 || depth > DEEPEST) {
      this.exhausted = true
      return undefined
    }
    const outer = this.labelled
    if (rule.label !== undefined) this.labelled = at
    if (rule.label === '') this.quiet++
    let found: Progress | undefined
    for (let i = 0; i < rule.alternatives.length && !found; i++) found = this.sequence(rule.alternatives[i]!, at, depth)
    this.labelled = outer
    if (rule.label === '') this.quiet--
    if (!found && rule.label) this.expect(at, rule.label)
    if (!found) return undefined
    return rule.hidden
      ? found
      : { at: found.at, nodes: [{ rule: rule.name, start: at, end: found.at, children: found.nodes }] }
  }

  private sequence(elements: readonly Element[], start: number, depth: number): Progress | undefined {
    let at = start
    const nodes: Node[] = []
    for (const element of elements) {
      if (element.look) {
        this.quiet++
        const seen = this.once(element, at, depth) !== undefined
        this.quiet--
        if (seen !== (element.look === '&')) return undefined
        continue
      }
      let count = 0
      for (;;) {
        const next = this.once(element, at, depth)
        if (!next) break
        for (const node of next.nodes) nodes.push(node)
        count++
        const stuck = next.at === at
        at = next.at
        if (!element.many || stuck) break
      }
      if (count < element.min) return undefined
    }
    return { at, nodes }
  }

  private once(element: Element, at: number, depth: number): Progress | undefined {
    if (element.rule) return this.rule(element.rule, at, depth + 1)
    if (--this.steps < 0) {
      this.exhausted = true
      return undefined
    }
    if (element.lit !== undefined) {
      if (this.text.startsWith(element.lit, at)) return { at: at + element.lit.length, nodes: [] }
    } else if (element.chars) {
      element.chars.lastIndex = at
      if (element.chars.test(this.text)) return { at: element.chars.lastIndex, nodes: [] }
    }
    this.expect(at, element.shown)
    return undefined
  }
}
