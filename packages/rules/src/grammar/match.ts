// Runs a grammar on a text: ordered choice, no left recursion, positions instead of copied strings, the furthest failure and what was
// expected there. Time is bounded by a budget of steps and depth, so hostile text ends in a message.

import type { GrammarData, Part } from './types.ts'

/** A matched rule: its name, the range of text, and the named rules inside. */
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

const DEEPEST = 400

/** A grammar ready to run. */
export class Grammar {
  private readonly rules: ReadonlyMap<string, Compiled>

  /**
   * @param labels what to say is expected where a rule does not match at all: `{ port: 'a port' }`; other rules name their first characters.
   * @throws Error for a rule that is named but not defined.
   */
  constructor(data: GrammarData, labels: Readonly<Record<string, string>> = {}) {
    const rules = new Map<string, Compiled>()
    for (const { name } of data)
      rules.set(name, { name, hidden: name.startsWith('%'), label: labels[name], alternatives: [] })
    const compile = (part: Part): Element => {
      const rule = part.rule === undefined ? undefined : rules.get(part.rule)
      if (part.rule !== undefined && !rule) throw new Error(`grammar names ${part.rule}, which it does not define`)
      const shown = part.lit === undefined ? (part.chars ?? '') : `'${part.lit}'`
      const chars = part.chars === undefined ? undefined : new RegExp(part.chars, 'uy')
      return { lit: part.lit, chars, rule, min: part.min ?? 1, many: part.max === 'many', look: part.look, shown }
    }
    for (const { name, alternatives } of data)
      rules.get(name)!.alternatives = alternatives.map((parts) => parts.map(compile))
    this.rules = rules
  }

  /** Matches `start` against all of `text[from..to)`. @throws Error if there is no rule of that name. */
  match(start: string, text: string, from = 0, to: number = text.length): MatchResult {
    const rule = this.rules.get(start)
    if (!rule) throw new Error(`no rule ${start} in this grammar`)
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
  private readonly text: string

  constructor(text: string, from: number) {
    this.text = text
    this.furthest = from
    this.steps = 20_000 + 400 * (text.length - from)
  }

  expect(at: number, what: string): void {
    if (this.quiet > 0 || at < this.furthest) return
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
    // A labelled rule speaks for its parts where it fails at its very start.
    if (rule.label !== undefined) this.quiet++
    let found: Progress | undefined
    for (const alternative of rule.alternatives) {
      found = this.sequence(alternative, at, depth)
      if (found) break
    }
    if (rule.label !== undefined) {
      this.quiet--
      if (!found) this.expect(at, rule.label)
    }
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
      if (at < this.text.length && element.chars.test(this.text)) return { at: element.chars.lastIndex, nodes: [] }
    }
    this.expect(at, element.shown)
    return undefined
  }
}
