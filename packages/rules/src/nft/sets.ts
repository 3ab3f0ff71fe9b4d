// What stands in the block of a set or map, and elements that are taken out of one again.

import type { Diagnostics } from '@netsieve/diag'
import type { Node } from '../grammar/match.ts'
import { child, children } from '../grammar/node.ts'
import type { Word } from '../shared/index.ts'
import type { NamedSet, Value } from './ast.ts'
import type { Here } from './scan.ts'
import { readFields, readSelector } from './selectors.ts'
import { readLifetime } from './statements.ts'
import type { Values } from './value.ts'

/** Reads nodes of the text that is read into sets. */
export class SetReader {
  private readonly word: (node: Node) => Word
  private readonly here: Here
  private readonly values: Values
  private readonly diagnostics: Diagnostics

  constructor(word: (node: Node) => Word, here: Here, values: Values, diagnostics: Diagnostics) {
    this.word = word
    this.here = here
    this.values = values
    this.diagnostics = diagnostics
  }

  /** One statement of a set's block. */
  read(set: NamedSet, node: Node): void {
    switch (node.rule) {
      case 'settype': {
        set.types = children(child(node, 'types')!, 'typeword').map((each) => this.word(each))
        const data = child(node, 'data')
        if (data) set.data = this.word(data)
        return
      }
      case 'settypeof':
        return this.typeof(set, node)
      case 'setflags':
        for (const flag of children(node, 'flag').map((each) => this.word(each))) {
          if (flag.text === 'interval') set.interval = true
          else if (flag.text === 'timeout') set.timeout = flag.span
          else if (flag.text !== 'constant' && flag.text !== 'dynamic')
            set.unsupported = { what: `the flag \`${flag.text}\` of a set`, span: flag.span }
        }
        return
      case 'setelements': {
        const inner = node.children[0]!
        const value = inner.rule === 'set' ? undefined : this.values.atom(inner)
        const given = inner.rule === 'set' ? this.values.elements(inner) : value?.kind === 'set' ? value.elements : value && [value] // biome-ignore format: one choice
        for (const each of given ?? []) set.elements.push(each)
        return
      }
      default:
        this.attribute(set, node)
    }
  }

  private typeof(set: NamedSet, node: Node): void {
    const reading = { word: this.word, values: this.values }
    const other = child(node, 'othersource')
    if (other) {
      const { text, span } = this.word(other)
      set.unsupported = { what: `a set of \`${text}\``, span }
      return
    }
    set.types = readFields(child(node, 'fields')!, reading)
    const [verdicts, selector] = [child(node, 'verdicts'), child(node, 'selector')]
    if (verdicts) set.data = this.word(verdicts)
    else if (selector) set.data = readSelector(selector, reading)
  }

  private attribute(set: NamedSet, node: Node): void {
    const [room, duration, kept] = [child(node, 'room'), child(node, 'duration'), child(node, 'setkept')]
    if (room) set.size = Number(this.word(room).text)
    const lifetime = duration && readLifetime(this.word(duration), this.diagnostics)
    if (lifetime !== undefined) set.lifetime = lifetime
    if (/^auto-merge/.test(this.here.text.slice(node.start, node.end))) set.autoMerge = true
    if (!kept) return
    const { text, span } = this.word(kept)
    set.unsupported = { what: `a set whose elements have a \`${text.split(/\s+/).join(' ')}\` each`, span }
  }
}

/** Takes elements out of a set; each must be written as it was when it was put in. */
export function withoutElements(set: NamedSet, gone: readonly Value[], diagnostics: Diagnostics): void {
  for (const value of gone) {
    const at = set.elements.findIndex((each) => written(each) === written(value))
    if (at >= 0) set.elements.splice(at, 1)
    else diagnostics.error('nft/element', `${set.name} has no element that is written like this`, value.span)
  }
}

/** How an element's key is written. */
function written(value: Value): string {
  const { span } = value.kind === 'mapping' ? value.key : value
  return span.source.text.slice(span.start, span.end).replace(/\s+/g, ' ')
}
