// Every message that the verifier can print, read from its sources: the texts of `new Rejection(…)` and of the needs that are
// never met, as patterns in which anything may stand for what is filled in.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'

const SOURCES = fileURLToPath(new URL('../../packages/verifier/src', import.meta.url))

export interface Message {
  readonly pattern: RegExp
  readonly file: string
}

/** A node of the syntax tree (ESTree), by the few fields that are looked at. */
interface Node {
  readonly type: string
  readonly name?: string
  readonly value?: unknown
  readonly key?: Node
  readonly quasis?: readonly { readonly value: { readonly cooked: string } }[]
  readonly callee?: Node
  readonly object?: Node
  readonly left?: Node
  readonly right?: Node
  readonly consequent?: Node
  readonly alternate?: Node
  readonly arguments?: readonly Node[]
  readonly elements?: readonly Node[]
  readonly properties?: readonly Node[]
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** The patterns of an expression that makes a message; none where it only passes one on. */
function patterns(node: Node | undefined): string[] {
  switch (node?.type) {
    case 'Literal':
      return typeof node.value === 'string' ? [escaped(node.value)] : []
    case 'TemplateLiteral':
      return [node.quasis!.map(({ value }) => escaped(value.cooked)).join('[^]*?')]
    case 'ConditionalExpression':
      return [...patterns(node.consequent), ...patterns(node.alternate)]
    case 'BinaryExpression':
      return patterns(node.right).flatMap((right) => patterns(node.left).map((left) => left + right))
    case 'CallExpression': // [...lines, `the last`].join('\n')
      return patterns(node.callee?.object?.elements?.at(-1))
    default:
      return []
  }
}

function messageOf(node: Node): Node | undefined {
  if (node.type === 'NewExpression' && node.callee?.name === 'Rejection') return node.arguments?.[0]
  if (node.type !== 'ObjectExpression') return undefined
  const field = (name: string) => node.properties?.find(({ key }) => key?.name === name)?.value as Node | undefined
  const kind = field('kind')?.value
  return kind === 'never' || kind === 'fields' ? field('message') : undefined
}

function* nodes(tree: unknown): Generator<Node> {
  if (typeof tree !== 'object' || tree === null) return
  if ('type' in tree) yield tree as Node
  for (const child of Object.values(tree)) yield* nodes(child)
}

/** All messages, by file. */
export function allMessages(): Message[] {
  const found: Message[] = []
  for (const file of readdirSync(SOURCES).filter((name) => name.endsWith('.ts'))) {
    const { program } = parseSync(file, readFileSync(join(SOURCES, file), 'utf8'))
    for (const node of nodes(program))
      for (const pattern of patterns(messageOf(node))) found.push({ pattern: new RegExp(pattern), file })
  }
  return found
}
