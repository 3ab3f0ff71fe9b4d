// Values of a statement, with variables replaced by what they stand for; the scopes of `define`.

import { at, type Diagnostics, type Span } from '@netsieve/diag'
import type { Node } from '../grammar/match.ts'
import { child } from '../grammar/node.ts'
import { nearest } from '../shared/index.ts'
import type { Value } from './ast.ts'
import { readElements } from './elements.ts'
import type { Here } from './scan.ts'

export class Values {
  private readonly scopes: Map<string, Value>[] = [new Map()]
  private readonly here: Here
  private readonly diagnostics: Diagnostics

  constructor(here: Here, diagnostics: Diagnostics) {
    this.here = here
    this.diagnostics = diagnostics
  }

  /** A block has its own variables, and sees those around it. */
  enter(): void {
    this.scopes.push(new Map())
  }

  leave(): void {
    this.scopes.pop()
  }

  /** `define x = …`, `redefine x = …`, `undefine x`. */
  definition(node: Node): void {
    const name = child(node, 'variable')!
    const text = this.slice(name)
    const scope = this.scopes.at(-1)!
    if (node.rule === 'undefine') {
      if (!scope.delete(text)) this.unknown(text, this.span(name))
      return
    }
    if (scope.has(text) && !this.here.text.startsWith('redefine', node.start)) {
      this.diagnostics.error('nft/redefinition', `\`${text}\` is defined already`, this.span(name))
      return
    }
    const value = this.right(child(node, 'rhs')!)
    if (value) scope.set(text, value)
  }

  /** The right side of a match, a child of its node. Undefined after an error. */
  right(node: Node, index = 0): Value | undefined {
    const inner = node.children[index]!
    switch (inner.rule) {
      case 'set':
        return { kind: 'set', elements: this.elements(inner), span: this.span(inner) }
      case 'setref': {
        const name = child(inner, 'name')!
        return { kind: 'setref', name: { text: this.slice(name), span: this.span(name) }, span: this.span(inner) }
      }
      default:
        return this.value(inner.children[0]!)
    }
  }

  elements(node: Node): Value[] {
    const { start, end } = child(node, 'elements')!
    const resolve = (name: string, span: Span) => this.variable(name, span)
    return readElements(this.here.source, this.here.text, start, end, resolve, this.diagnostics)
  }

  /** A range, a prefix, a list or an atom. */
  value(node: Node): Value | undefined {
    const span = this.span(node)
    switch (node.rule) {
      case 'range': {
        const [lo, hi] = node.children.map((each) => this.atom(each))
        return lo && hi && { kind: 'range', lo, hi, span }
      }
      case 'prefix': {
        const base = this.atom(node.children[0]!)
        const length = child(node, 'length')!
        return base && { kind: 'prefix', base, length: { text: this.slice(length), span: this.span(length) }, span }
      }
      case 'flagmask': {
        const [value, mask] = node.children.map((each) => this.value(each))
        return value && mask && { kind: 'flagmask', value, mask, span }
      }
      case 'list':
      case 'barred': {
        const items = node.children.map((each) => this.value(each))
        const by = node.rule === 'list' ? ',' : '|'
        return items.every((item) => item !== undefined) ? { kind: 'list', items, by, span } : undefined
      }
      case 'group':
        return this.value(node.children[0]!)
      default:
        return this.atom(node)
    }
  }

  /** A word, or what a variable stands for. */
  atom(node: Node): Value | undefined {
    const inner = node.rule === 'atom' ? node.children[0]! : node
    if (inner.rule === 'var') return this.variable(this.slice(child(inner, 'variable')!), this.span(inner))
    const quoted = inner.rule === 'string' ? 1 : 0
    const span = at(this.here.source, inner.start + quoted, inner.end - quoted)
    return { kind: 'word', text: this.here.text.slice(span.start, span.end), span }
  }

  private variable(name: string, span: Span): Value | undefined {
    for (const scope of this.scopes.toReversed()) {
      const value = scope.get(name)
      if (value) return value
    }
    this.unknown(name, span)
    return undefined
  }

  private unknown(name: string, span: Span): void {
    const meant = nearest(
      name,
      this.scopes.flatMap((scope) => [...scope.keys()]),
    )
    this.diagnostics.error('nft/variable', `unknown identifier '${name}'`, span, {
      hint: meant ? `did you mean $${meant}?` : `define it first: define ${name} = …`,
    })
  }

  private slice({ start, end }: Node): string {
    return this.here.text.slice(start, end)
  }

  private span({ start, end }: Node): Span {
    return at(this.here.source, start, end)
  }
}
