// Text to tokens: the grammar's `tokens` rule cuts, this file says what each piece is.

import { at, type Source, type Span } from '@netsieve/diag'
import { parseIpv6, parseMac } from '@netsieve/packet'
import { Grammar } from '../grammar/match.ts'
import { Fault } from './fault.ts'
import { GRAMMAR } from './pcap-filter.gen.ts'
import { CONSTANTS, KEYWORDS } from './words.ts'

export type Token =
  /** An operator or a keyword, by its text. */
  | { readonly kind: 'mark' | 'keyword' | 'end'; readonly text: string; readonly span: Span }
  | { readonly kind: 'number'; readonly text: string; readonly value: number; readonly span: Span }
  | { readonly kind: 'name'; readonly text: string; readonly span: Span }
  /** 2 to 4 numbers with dots. */
  | { readonly kind: 'dotted'; readonly text: string; readonly span: Span }
  | { readonly kind: 'ipv6'; readonly text: string; readonly value: bigint; readonly span: Span }
  | { readonly kind: 'mac'; readonly text: string; readonly value: bigint; readonly span: Span }
  | { readonly kind: 'arcnet'; readonly text: string; readonly span: Span }

const grammar = new Grammar(GRAMMAR, { token: 'a word, a number, an address or an operator' })

/** All tokens of a source, ended by one of kind `end`. @throws Fault */
export function tokenize(source: Source): readonly Token[] {
  const { text } = source
  const end: Token = { kind: 'end', text: 'the end of the expression', span: at(source, text.length, text.length) }
  if (text === '') return [end]
  const result = grammar.match('tokens', text)
  if (!result.ok) {
    const span = at(source, result.at)
    if (result.tooComplex) throw new Fault('rules/too-long', 'this expression is too long', span)
    throw new Fault('rules/character', `\`${text.slice(result.at, result.at + 1)}\` has no meaning here`, span)
  }
  const tokens: Token[] = []
  const { children } = result.node
  for (let i = 0; i < children.length; i++) {
    const { rule, start, end, children: what } = children[i]!
    if (rule === 'token') tokens.push(classify(what[0]!.rule, text.slice(start, end), at(source, start, end)))
  }
  tokens.push(end)
  return tokens
}

function classify(rule: string, text: string, span: Span): Token {
  switch (rule) {
    case 'escape':
      return { kind: 'name', text: text.slice(1), span }
    case 'mac':
      return { kind: 'mac', text, value: parseMac(text)!, span }
    case 'ipv6': {
      const value = parseIpv6(text)
      if (value === undefined) throw new Fault('rules/address', `\`${text}\` is not an IPv6 address`, span)
      return { kind: 'ipv6', text, value, span }
    }
    case 'word':
      return word(text, span)
    default:
      return { kind: text === '!' || text === '&&' || text === '||' ? 'keyword' : 'mark', text, span }
  }
}

function word(text: string, span: Span): Token {
  const named = Object.hasOwn(CONSTANTS, text) ? CONSTANTS[text] : undefined
  if (named !== undefined) return { kind: 'number', text, value: named, span }
  if (KEYWORDS.has(text)) return { kind: 'keyword', text, span }
  if (text.startsWith('$')) {
    if (/^\$[0-9a-f]{1,2}$/i.test(text)) return { kind: 'arcnet', text, span }
    throw new Fault('rules/character', `\`${text}\` has no meaning here`, span)
  }
  if (/^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text) && !/^[0-9]{12}$/.test(text)) return number(text, span)
  const mac = hardware(text)
  if (mac !== undefined) return { kind: 'mac', text, value: mac, span }
  if (/^[0-9]+(\.[0-9]+){1,3}$/.test(text)) return { kind: 'dotted', text, span }
  return { kind: 'name', text, span }
}

/** A number as C writes it: 0x hexadecimal, 0 octal. */
function number(text: string, span: Span): Token {
  if (/^0[0-9]*[89]/.test(text))
    throw new Fault('rules/number', `${text} starts with 0, so it is octal, and has no 8 or 9`, span)
  const value = /^0[0-7]+$/.test(text) ? BigInt(`0o${text.slice(1)}`) : BigInt(text)
  if (value > 0xffffffffn) throw new Fault('rules/number', `${text} is above 4294967295 (32 bits)`, span)
  return { kind: 'number', text, value: Number(value), span }
}

const SHORTEST_MAC = '1-2-3-4-5-6'.length

/** MAC addresses without colons: `1-2-3-4-5-6`, `1.2.3.4.5.6`, `0102.0304.0506`, `010203040506`. */
function hardware(text: string): bigint | undefined {
  if (text.length < SHORTEST_MAC) return undefined
  const bytes = /^[0-9a-f]{1,2}([-.])(?:[0-9a-f]{1,2}\1){4}[0-9a-f]{1,2}$/i.exec(text)
  if (bytes) return parseMac(text.replaceAll(bytes[1]!, ':'))
  if (/^[0-9a-f]{12}$/i.test(text)) return BigInt(`0x${text}`)
  if (!/^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i.test(text)) return undefined
  return BigInt(`0x${text.replaceAll('.', '')}`)
}
