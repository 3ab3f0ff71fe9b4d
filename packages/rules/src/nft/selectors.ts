// What a match is about: header and field, from their nodes.

import { at } from '@netsieve/diag'
import type { Node } from '../grammar/match.ts'
import { child, children } from '../grammar/node.ts'
import type { Word } from '../shared/index.ts'
import type { Bits, Selector } from './ast.ts'
import type { Values } from './value.ts'

/** Reads parts of one text. */
export interface Reading {
  readonly word: (node: Node) => Word
  readonly values: Pick<Values, 'value'>
}

/** Selectors joined by points, with what is made of their bits. */
export function readKey(key: Node, reading: Reading): Selector[] {
  return children(key, 'part').map((part) => {
    const selector = readSelector(child(part, 'selector')!, reading)
    const bits = children(part, 'bits').flatMap((each): Bits[] => {
      const value = reading.values.value(each.children[1]!)
      return value ? [{ operator: reading.word(each.children[0]!), value }] : []
    })
    return bits.length > 0 ? { ...selector, bits } : selector
  })
}

/** Fields that `typeof` names. */
export function readFields(fields: Node, reading: Reading): Selector[] {
  return children(fields, 'selector').map((selector) => readSelector(selector, reading))
}

/** `tcp dport`, `meta mark`, `rt0 addr[1]`. */
export function readSelector(selector: Node, reading: Reading): Selector {
  const index = child(selector, 'index')
  const found = readPlain(selector, reading)
  if (!index) return found
  const { text, span } = reading.word(index)
  return { ...found, index: { text: text.slice(1, -1).trim(), span } }
}

/** `tcp dport`, `meta mark`, `mark`, `ct state`, `ct original ip saddr`: header and field. */
function readPlain(selector: Node, reading: Reading): Selector {
  const { word } = reading
  const proto = child(selector, 'proto')
  if (proto) return { header: word(proto), field: word(child(selector, 'fieldname')!) }
  const fib = child(selector, 'fib')
  if (fib) {
    const { text, span } = word({ ...fib, start: child(fib, 'fibkey')!.start })
    const header = { text: 'fib', span: at(span.source, fib.start, fib.start + 3) }
    return {
      header,
      field: {
        text: text
          .trim()
          .replace(/\s+/g, ' ')
          .replace(/ ?\. ?/g, ' . '),
        span,
      },
    }
  }
  const number = child(selector, 'made')
  if (number) return readNumber(number, reading)
  const special = selector.children.find(({ rule }) => ['raw', 'rawoption', 'arpaddress', 'entry'].includes(rule))
  if (special) return readSpecial(selector, special, word)
  const conntrack = child(selector, 'conntrack')
  const bare = child(selector, 'baremeta')
  const { span } = word(selector)
  if (bare) return { header: { text: 'meta', span: word(bare).span }, field: word(bare) }
  if (!conntrack) {
    return {
      header: { text: 'meta', span: at(span.source, span.start, span.start + 4) },
      field: word(child(selector, 'fieldname')!),
    }
  }
  const parts = ['direction', 'ctfield'].flatMap((rule) => child(conntrack, rule) ?? [])
  const text = parts.map((part) => word(part).text.trim().split(/\s+/).join(' ')).join(' ')
  // The protocols of a connection are the same in both directions.
  const same = /^(?:original|reply) (l3proto|protocol)$/.exec(text)
  return {
    header: { text: 'ct', span: at(span.source, span.start, span.start + 2) },
    field: { text: same ? same[1]! : text, span: at(span.source, parts[0]!.start, parts.at(-1)!.end) },
  }
}

/** `numgen inc mod 3`, `jhash ip saddr . tcp dport mod 4 seed 5`, `symhash mod 2 offset 1`: the field is what comes behind the first word. */
export function readNumber(number: Node, reading: Reading): Selector {
  const node = number.children[0]!
  const { text, span } = reading.word(node)
  const field = { text: text.slice(node.rule.length).trim().replace(/\s+/g, ' '), span }
  const header = { text: node.rule, span: at(span.source, node.start, node.start + node.rule.length) }
  const key = child(node, 'key')
  return { header, field, ...(key && { of: readKey(key, reading) }) }
}

/** `@th,0,16`, `tcp option @34,16,32`, `arp saddr ip`, `tcp option maxseg size`: what comes last is the field. */
function readSpecial(
  selector: Node,
  node: Node,
  word: (node: Node) => Word,
): { readonly header: Word; readonly field: Word } {
  const { text, span } = word(node)
  const plain = text.trim().split(/\s+/).join(' ')
  if (node.rule === 'entry') return { header: { text: plain, span }, field: word(child(selector, 'fieldname')!) }
  if (node.rule === 'arpaddress') {
    const last = plain.lastIndexOf(' ')
    return { header: { text: plain.slice(0, last), span }, field: { text: plain.slice(last + 1), span } }
  }
  return readRaw(node, word)
}

/** `@th,0,16`, `tcp option @34,16,32`. */
export function readRaw(node: Node, word: (node: Node) => Word): { readonly header: Word; readonly field: Word } {
  const { text, span } = word(node)
  const [head, ...numbers] = text.replace(/\s+/g, '').replace('tcpoption@', 'tcp option,').split(',')
  return { header: { text: head!, span }, field: { text: numbers.join(), span } }
}
