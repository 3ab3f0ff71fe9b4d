// Walking what a grammar matched.

import { at, type Source, type Span } from '@netsieve/diag'
import type { Word } from '../shared/index.ts'
import type { Node } from './match.ts'

/** The first child of a rule's name. */
export function child(node: Node, rule: string): Node | undefined {
  const { children } = node
  for (let i = 0; i < children.length; i++) if (children[i]!.rule === rule) return children[i]
  return undefined
}

/** All children of a rule's name. */
export function children(node: Node, rule: string): Node[] {
  const found: Node[] = []
  for (let i = 0; i < node.children.length; i++) if (node.children[i]!.rule === rule) found.push(node.children[i]!)
  return found
}

/** The text that a node covers, with its place. */
export function wordOf(source: Source, node: Node): Word {
  return { text: source.text.slice(node.start, node.end), span: spanOf(source, node) }
}

export function spanOf(source: Source, node: Node): Span {
  return at(source, node.start, node.end)
}
