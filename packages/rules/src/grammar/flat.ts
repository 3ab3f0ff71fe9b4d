// Parts of a grammar that leave no node as regular expressions. They take what the matcher takes: a choice once made, and what was once taken,
// is not given back where what follows does not match.

import type { GrammarData, GrammarRule, Part } from './types.ts'

/** Rules that leave no node: made for brackets, or blanks and digits. */
export const isHidden = (name: string): boolean => /^(%|[A-Z0-9_]+$)/.test(name)

export class Flat {
  private readonly rules: ReadonlyMap<string, GrammarRule>
  private readonly known = new Map<string, boolean>()

  constructor(data: GrammarData) {
    this.rules = new Map(data.map((rule) => [rule.name, rule]))
  }

  /** Whether a part leaves no node. */
  isFlat({ rule, look }: Part): boolean {
    return rule === undefined || ((look !== undefined || isHidden(rule)) && this.isFlatInside(rule, look !== undefined))
  }

  /** Whether no node is left inside a rule; one that comes back to itself is no regular expression. */
  isFlatInside(name: string, looked = false): boolean {
    const key = `${name}${looked ? '?' : ''}`
    const before = this.known.get(key)
    if (before !== undefined) return before
    this.known.set(key, false)
    const parts = this.rules.get(name)!.alternatives.flat()
    const flat = parts.every((part) => (looked && part.rule ? this.isFlatInside(part.rule, true) : this.isFlat(part)))
    this.known.set(key, flat)
    return flat
  }

  /** What matches flat parts, one after the other. */
  sequence(parts: readonly Part[]): RegExp {
    return new RegExp(new Writer(this.rules).sequence(parts, true), 'uy')
  }

  /** What matches a rule that is flat inside. */
  inside(name: string): RegExp {
    return new RegExp(new Writer(this.rules).alternatives(name, true), 'uy')
  }
}

class Writer {
  private readonly rules: ReadonlyMap<string, GrammarRule>
  private groups = 0

  constructor(rules: ReadonlyMap<string, GrammarRule>) {
    this.rules = rules
  }

  /** @param last nothing comes behind that could ask for another way to match */
  alternatives(name: string, last: boolean): string {
    return this.rules.get(name)!.alternatives.map((parts) => this.sequence(parts, last)).join('|') // biome-ignore format: one line
  }

  sequence(parts: readonly Part[], last: boolean): string {
    return parts.map((part, i) => this.part(part, last && i === parts.length - 1)).join('')
  }

  private part(part: Part, last: boolean): string {
    const { rule, look, min = 1, max } = part
    if (look) return `(?${look === '&' ? '=' : '!'}${this.once(part, true)})`
    const repeat = max === 'many' ? (min === 0 ? '*' : '+') : min === 0 ? '?' : ''
    const choice = rule !== undefined && this.rules.get(rule)!.alternatives.length > 1
    if (repeat === '' && !choice) return this.once(part, last)
    if (last) return this.once(part, true) + repeat
    // A group that is found by looking ahead stays as it was found: it is the last for what is in it.
    const group = ++this.groups
    return `(?:(?=(${this.once(part, true)}${repeat}))\\${group})`
  }

  private once({ lit, chars, rule }: Part, last: boolean): string {
    if (rule !== undefined) return `(?:${this.alternatives(rule, last)})`
    if (chars !== undefined) return chars
    const quoted = lit!.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    return lit!.length === 1 ? quoted : `(?:${quoted})`
  }
}
