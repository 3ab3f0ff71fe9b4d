// A matched rule as steps.

import { at, type Diagnostics } from '@netsieve/diag'
import type { Node } from '../grammar/match.ts'
import { child } from '../grammar/node.ts'
import type { Word } from '../shared/index.ts'
import type { Operator, Rule, Selector, Step } from './ast.ts'
import type { Here } from './scan.ts'
import { readKey } from './selectors.ts'
import { Statements } from './statements.ts'
import type { Values } from './value.ts'

const NAMED_OPERATORS: Readonly<Record<string, Operator>> = { eq: '==', ne: '!=', lt: '<', gt: '>', le: '<=', ge: '>=' }

export function readRule(here: Here, node: Node, values: Values, diagnostics: Diagnostics): Rule {
  const { source, text } = here
  const word = ({ start, end }: Node): Word => ({ text: text.slice(start, end), span: at(source, start, end) })
  const statements = new Statements(here, values, diagnostics)
  const steps: Step[] = []
  let ended = false
  for (const each of node.children) {
    if (each.rule !== 'step') continue
    const step = readStep(each.children[0]!, word, values, statements)
    if (!step) continue
    if (ended) {
      diagnostics.error('nft/after-verdict', 'a statement after a verdict has no effect', step.span)
      break
    }
    if (steps.at(-1)?.kind === 'vmap') {
      steps.push({ kind: 'unsupported', what: 'a statement behind a verdict map', span: step.span })
      break
    }
    steps.push(step)
    ended = ENDS.includes(step.kind)
  }
  return { text: source.text.slice(node.start, node.end), span: at(source, node.start, node.end), steps }
}

/** Steps behind which nothing is done. */
const ENDS: readonly Step['kind'][] = ['verdict', 'jump', 'goto', 'reject', 'queue']

/** A step, or undefined where a value in it is wrong (which has been said). */
function readStep(node: Node, word: (node: Node) => Word, values: Values, statements: Statements): Step | undefined {
  const { text, span } = word(node)
  switch (node.rule) {
    case 'verdict':
      return { kind: 'verdict', verdict: text as 'accept', span }
    case 'jump': {
      const kind = word(child(node, 'jumpword')!).text as 'jump' | 'goto'
      const name = child(node, 'name')
      const value = name ? word(name) : values.atom(child(node, 'var')!)
      return value && 'text' in value ? { kind, chain: { text: value.text, span: value.span }, span } : undefined
    }
    case 'match':
      return readMatch(node, word, values)
    case 'binding':
      return { kind: 'unsupported', what: 'a chain in the place where it is called', span: at(span.source, span.start, span.start + 4) } // biome-ignore format: one value
    case 'objectmap':
      return { kind: 'unsupported', what: `a ${/^\w+/.exec(text)![0]} that a map names`, span }
    case 'queuemap':
      return { kind: 'unsupported', what: 'a queue that a map or a hash of fields names', span }
    case 'mapadd':
      return { kind: 'unsupported', what: 'adding to a map', span }
    default: {
      const named = child(node, 'unsupportedword') ?? child(node, 'unsupportedoption')
      if (!named) return statements.read(node)
      const what = word(named)
      return { kind: 'unsupported', what: `\`${what.text}\``, span: what.span }
    }
  }
}

function readMatch(node: Node, word: (node: Node) => Word, values: Values): Step | undefined {
  const { span } = word(node)
  const existence = child(node, 'existence')
  if (existence) {
    const [presence, equality] = [child(existence, 'presence')!, child(existence, 'equality')]
    const { end } = child(existence, 'entry') ?? child(existence, 'entryname')!
    const header = word({ ...existence, end })
    const differs = equality !== undefined && ['!=', 'ne'].includes(word(equality).text)
    const asked = word(presence)
    if (!/^(exists|missing|0|1)$/.test(asked.text))
      return { kind: 'unsupported', what: 'a number for exists (1) or missing (0)', span: asked.span }
    const missing = ['missing', '0'].includes(asked.text) !== differs
    return { kind: 'exists', header: { ...header, text: header.text.split(/\s+/).join(' ') }, missing, span }
  }
  const key = readKey(child(node, 'key')!, { word, values })
  const [{ header, field, index, of, bits }, ...more] = key as [Selector, ...Selector[]]
  const vmap = child(node, 'vmap')
  if (vmap) {
    const [inner] = vmap.children
    const map = inner!.rule === 'var' ? values.atom(inner!) : values.right(vmap)
    return map && { kind: 'vmap', key, map, span }
  }
  const test = child(node, 'test')
  if (!test) return { kind: 'unsupported', what: 'a map that is not what something is set to', span }
  const operator = child(test, 'operator')
  const spelled = operator ? word(operator).text : ''
  const right = values.right(child(test, 'rhs')!)
  if (!right) return undefined
  return {
    kind: 'match',
    header,
    field,
    ...(index && { index }),
    ...(of && { of }),
    ...(more.length > 0 && { more }),
    ...(bits && { bits }),
    operator: NAMED_OPERATORS[spelled] ?? (spelled as Operator),
    right,
    span,
  }
}
