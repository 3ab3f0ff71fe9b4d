// Tokens to tree, by precedence climbing. The grammar's surprises, all libpcap's: `and` and `or` bind equally, from the left; a bare
// identifier may follow them and takes the last qualifiers; parentheses hold an expression, arithmetic or identifiers, told by content;
// `%` and `^` take all that follows as their right side.

import { cover, type Source, type Span } from '@netsieve/diag'
import type { BinOp, Test } from '@netsieve/ir'
import { nearest } from '../shared/index.ts'
import type { Arith, Ast, Direction, Encapsulation, Expr, Qualifiers } from './ast.ts'
import { Fault, type FaultExtra } from './fault.ts'
import { readIdentifier } from './identifier.ts'
import { type Token, tokenize } from './tokens.ts'
import {
  CONNECTIVES,
  KEYWORDS,
  KINDS,
  type Kind,
  LLC_TYPES,
  type LlcType,
  NEGATIONS,
  PROTOCOL_WORDS,
  type ProtocolWord,
  TESTS,
  UNSUPPORTED,
} from './words.ts'

/** What may stand here: a whole primitive, a bare identifier, or (after `and` / `or`) either. */
type Place = 'term' | 'identifier' | 'either'

const DEEPEST = 250
const PRIMITIVE = [
  "a protocol ('tcp')",
  "a qualifier ('host', 'port', 'src')",
  "a comparison ('len > 60')",
  "'not'",
  "'('",
]
const IDENTIFIER = ['an address', 'a number', 'a name']

/** Binding strength of arithmetic; `%` and `^` have none of their own in libpcap's grammar. */
const OPERATORS: Readonly<Record<string, { readonly op: BinOp; readonly level: number }>> = {
  '|': { op: 'or', level: 1 },
  '&': { op: 'and', level: 2 },
  '<<': { op: 'lsh', level: 3 },
  '>>': { op: 'rsh', level: 3 },
  '+': { op: 'add', level: 4 },
  '-': { op: 'sub', level: 4 },
  '*': { op: 'mul', level: 5 },
  '/': { op: 'div', level: 5 },
}
const TAKES_THE_REST: Readonly<Record<string, BinOp>> = { '%': 'mod', '^': 'xor' }
const UNARY_LEVEL = 6

/** Reads an expression. @throws Fault */
export function parseExpression(source: Source): Ast {
  const tokens = tokenize(source)
  const span: Span = { source, start: 0, end: source.text.length }
  if (tokens[0]!.kind === 'end') return { span }
  const parser = new Parser(tokens)
  return { expr: parser.whole(), span }
}

const isDirection = (token: Token | undefined): boolean =>
  token?.kind === 'keyword' && (token.text === 'src' || token.text === 'dst')

class Parser {
  private at = 0
  private depth = 0
  /** What a bare identifier means now; nothing after a primitive that takes none. */
  private qualifiers: Qualifiers | undefined
  private readonly tokens: readonly Token[]

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  whole(): Expr {
    const { expr } = this.sentence('term')
    if (this.token.kind === 'end') return expr
    if (this.is(')')) this.fail("this ')' closes nothing")
    if (this.token.kind === 'keyword' && UNSUPPORTED.has(this.token.text))
      throw new Fault('rules/unsupported', `\`${this.token.text}\` is not supported`, this.token.span)
    const before = this.tokens[this.at - 1]!
    const protocol = before.kind === 'keyword' && Object.hasOwn(PROTOCOL_WORDS, before.text)
    const hint = protocol && this.token.kind === 'number' ? `did you mean ${before.text} port ${this.token.text}?` : ''
    return this.fail(`\`${this.token.text}\` cannot follow here`, {
      expected: ["'and'", "'or'", 'the end of the expression'],
      ...(hint && { hint }),
      ...this.typo(),
    })
  }

  /** Operands joined by `and` / `or`. Says whether it began with a bare identifier: then all of it is. */
  private sentence(place: Place): { readonly expr: Expr; readonly bare: boolean } {
    const first = this.operand(place)
    const bare = first.bare
    let left = first.expr
    for (;;) {
      const kind = CONNECTIVES[this.token.text]
      if (!kind || this.token.kind === 'name') return { expr: left, bare }
      this.at++
      const { expr: right } = this.operand(bare ? 'identifier' : 'either')
      left = { kind, left, right, span: cover(left.span, right.span) }
    }
  }

  private operand(place: Place): { readonly expr: Expr; readonly bare: boolean } {
    if (++this.depth > DEEPEST) this.fail(`more than ${DEEPEST} levels of parentheses and negations`)
    try {
      const start = this.token.span
      if (this.token.kind === 'keyword' && NEGATIONS.has(this.token.text)) {
        this.at++
        const { expr: arg, bare } = this.operand(place)
        return { expr: { kind: 'not', arg, span: cover(start, arg.span) }, bare }
      }
      return this.is('(') ? this.parentheses(place) : this.single(place)
    } finally {
      this.depth--
    }
  }

  private parentheses(place: Place): { readonly expr: Expr; readonly bare: boolean } {
    if (place !== 'identifier') {
      const relation = this.relationHere()
      if (relation) return { expr: relation, bare: false }
    }
    const open = this.token
    const before = this.qualifiers
    this.at++
    const { expr, bare } = this.sentence(place)
    // What was said inside is forgotten: in `port 80 or (host a) or 443` the last is a port.
    this.qualifiers = before
    if (!this.is(')')) {
      const notes = [{ message: 'the parenthesis opened here', span: open.span }]
      this.fail(`${this.here()} where ')' should close a parenthesis`, { expected: ["')'"], notes })
    }
    this.at++
    return { expr, bare }
  }

  private single(place: Place): { readonly expr: Expr; readonly bare: boolean } {
    const { token } = this
    if (place !== 'identifier') {
      const relation = this.relationHere()
      if (relation) return { expr: relation, bare: false }
      if (token.kind === 'keyword') return { expr: this.primitive(token), bare: false }
    }
    if (place === 'term' || token.kind === 'end' || token.kind === 'mark' || token.kind === 'keyword')
      return this.unexpected(place)
    return { expr: this.identifier(), bare: true }
  }

  private unexpected(place: Place): never {
    const { token } = this
    const expected = place === 'identifier' ? IDENTIFIER : PRIMITIVE
    const hints: Record<string, string> = {
      dotted: `to match an address, write: host ${token.text}`,
      ipv6: `to match an address, write: host ${token.text}`,
      mac: `to match a hardware address, write: ether host ${token.text}`,
      number: `to match a port, write: port ${token.text}`,
    }
    const typo = this.typo()
    const keyword = place === 'identifier' && token.kind === 'keyword'
    const hint = hints[token.kind] ?? (keyword ? `to use the keyword as a name, escape it: \\${token.text}` : undefined)
    const what = token.kind === 'end' ? 'the expression ends too early' : `\`${token.text}\` cannot stand here`
    return this.fail(what, { expected, ...(hint && { hint }), ...typo })
  }

  /** A bare identifier: an address, a number, a name, with the qualifiers in force. */
  private identifier(): Expr {
    const start = this.token
    const { qualifiers } = this
    if (!qualifiers) {
      return this.fail(
        `\`${start.text}\` has no keyword before it that says what it is`,
        this.typo().hint ? this.typo() : { expected: ["'host'", "'port'", "'net'", 'another keyword'] },
      )
    }
    const { id, used } = readIdentifier(this.tokens.slice(this.at, this.at + 3), qualifiers.proto === 'decnet')
    const last = this.tokens[this.at + used - 1]!
    this.at += used
    const span = cover(start.span, last.span)
    return { kind: 'id', qualifiers, id, span, idSpan: span }
  }

  private primitive(token: Token): Expr {
    const { text, span } = token
    if (UNSUPPORTED.has(text) && text !== 'ra' && text !== 'ta')
      throw new Fault('rules/unsupported', `\`${text}\` is not supported`, span)
    const protocol = Object.hasOwn(PROTOCOL_WORDS, text)
      ? PROTOCOL_WORDS[text as keyof typeof PROTOCOL_WORDS]
      : undefined
    const after = protocol === undefined ? token : this.tokens[this.at + 1]!
    if (after.kind === 'keyword') {
      if (after.text === 'broadcast' || after.text === 'multicast') {
        this.at += protocol === undefined ? 1 : 2
        this.qualifiers = undefined
        return { kind: 'cast', cast: after.text, protocol, span: cover(span, after.span) }
      }
      if (after.text === 'src' || after.text === 'dst' || isKind(after.text)) return this.qualified(protocol)
    }
    if (protocol === undefined) return this.special(token)
    this.at++
    this.qualifiers = undefined
    return { kind: 'protocol', protocol, span }
  }

  /** `tcp src or dst port` and the identifiers it is about. */
  private qualified(proto: ProtocolWord | undefined): Expr {
    const start = this.token.span
    if (proto !== undefined) this.at++
    const dir = this.direction()
    let kind: Kind | undefined
    if (this.token.kind === 'keyword' && isKind(this.token.text)) {
      kind = this.token.text
      if (dir !== undefined && (kind === 'gateway' || kind === 'proto' || kind === 'protochain'))
        this.fail(`\`${kind}\` takes no \`${dir}\` before it`)
      this.at++
    }
    const span = cover(start, this.tokens[this.at - 1]!.span)
    this.qualifiers = { ...(proto && { proto }), ...(dir && { dir }), ...(kind && { kind }), span }
    const { expr } = this.operand('identifier')
    return { ...expr, span: cover(span, expr.span) }
  }

  private direction(): Direction | undefined {
    const first = this.tokens[this.at]
    if (!isDirection(first)) return undefined
    const [join, second] = [this.tokens[this.at + 1], this.tokens[this.at + 2]]
    const joined = join?.kind !== 'name' ? CONNECTIVES[join?.text ?? ''] : undefined
    if (!joined) {
      this.at++
      return first!.text as Direction
    }
    if (!isDirection(second) || second!.text === first!.text) {
      this.at += 2
      return this.fail(`\`${this.token.text}\` cannot follow here`, {
        expected: [first!.text === 'src' ? "'dst'" : "'src'"],
      })
    }
    this.at += 3
    return `src ${joined} dst`
  }

  private special(token: Token): Expr {
    const { span } = token
    this.at++
    this.qualifiers = undefined
    switch (token.text) {
      case 'less':
      case 'greater': {
        const { value } = this.number()
        return { kind: 'size', test: token.text === 'less' ? '<=' : '>=', value, span: this.since(span) }
      }
      case 'byte': {
        const index = this.number().value
        const op = this.token.text
        if (op !== '=' && op !== '<' && op !== '>' && op !== '&' && op !== '|')
          return this.fail(`\`${op}\` cannot stand here`, { expected: ["'='", "'<'", "'>'", "'&'", "'|'"] })
        this.at++
        return { kind: 'byte', index, op, value: this.number().value, span: this.since(span) }
      }
      case 'inbound':
      case 'outbound':
        return { kind: 'direction', inbound: token.text === 'inbound', span }
      case 'ifindex':
        return { kind: 'ifindex', value: this.number().value, span: this.since(span) }
      case 'ifname':
      case 'on': {
        const { token: device } = this
        if (device.kind !== 'name' && device.kind !== 'number')
          return this.fail(`\`${device.text}\` is no name of a device`, { expected: ["a name such as 'eth0'"] })
        this.at++
        return { kind: 'ifname', name: device.text, span: this.since(span) }
      }
      case 'llc':
        return this.llc(span)
      case 'vlan':
      case 'mpls':
      case 'pppoed':
      case 'pppoes':
      case 'geneve':
      case 'vxlan':
        return this.encapsulation(token.text, span)
      default:
        this.at--
        return this.unexpected('term')
    }
  }

  private encapsulation(name: Encapsulation, span: Span): Expr {
    const id = name === 'pppoed' ? undefined : this.optionalNumber()
    return { kind: 'encapsulation', name, ...(id !== undefined && { id }), span: this.since(span) }
  }

  private llc(span: Span): Expr {
    const { token } = this
    // `llc and …`: a connective is no type; `rnr` is a keyword of another primitive too.
    const word = token.kind === 'name' || (token.kind === 'keyword' && token.text === 'rnr')
    if (!word) return { kind: 'llc', span }
    if (!Object.hasOwn(LLC_TYPES, token.text)) {
      this.fail(`\`${token.text}\` is no type of LLC frame`, { expected: Object.keys(LLC_TYPES) })
    }
    this.at++
    return { kind: 'llc', type: token.text as LlcType, span: cover(span, token.span) }
  }

  /** A number, in parentheses or not, if one is here. A relation (`vlan and 5 < len`) cannot follow, so nothing is taken by mistake. */
  private optionalNumber(): number | undefined {
    let opened = 0
    while (this.tokens[this.at + opened]!.kind === 'mark' && this.tokens[this.at + opened]!.text === '(') opened++
    if (this.tokens[this.at + opened]!.kind !== 'number') return undefined
    this.at += opened
    const { value } = this.number()
    for (; opened > 0; opened--) this.take(')')
    return value
  }

  private number(): { readonly value: number; readonly span: Span } {
    const { token } = this
    if (token.kind !== 'number') return this.fail(`\`${token.text}\` is not a number`, { expected: ['a number'] })
    this.at++
    return token
  }

  /** A comparison of arithmetic, if that is what is here; else nothing is taken. */
  private relationHere(): Expr | undefined {
    if (!this.startsArithmetic()) return undefined
    const from = this.at
    const certain = this.certainlyArithmetic()
    let left: Arith
    try {
      left = this.arithmetic(0)
    } catch (fault) {
      if (certain || !(fault instanceof Fault)) throw fault
      this.at = from
      return undefined
    }
    const test: Test | undefined = this.token.kind === 'mark' ? TESTS[this.token.text] : undefined
    if (!test) {
      if (certain && left.kind !== 'number')
        this.fail(`${this.here()} where a comparison should be`, {
          expected: ['an operator', ...Object.keys(TESTS).map((each) => `'${each}'`)],
        })
      this.at = from
      return undefined
    }
    this.at++
    const right = this.arithmetic(0)
    this.qualifiers = undefined
    return { kind: 'relation', left, test, right, span: cover(left.span, right.span) }
  }

  /** What is certainly arithmetic, also in parentheses. */
  private startsArithmetic(): boolean {
    if (!this.is('(')) return this.certainlyArithmetic()
    const from = this.at
    while (this.is('(') || this.is('-')) this.at++
    const starts = this.certainlyArithmetic()
    this.at = from
    return starts
  }

  private certainlyArithmetic(): boolean {
    const { token } = this
    if (token.kind === 'number') return true
    if (token.kind === 'mark') return token.text === '-'
    return token.kind === 'keyword' && (isLength(token.text) || this.isAccessor())
  }

  private isAccessor(): boolean {
    const next = this.tokens[this.at + 1]
    return Object.hasOwn(PROTOCOL_WORDS, this.token.text) && next?.kind === 'mark' && next.text === '['
  }

  /** Arithmetic whose operators bind at least as strongly as `level`. */
  private arithmetic(level: number): Arith {
    if (++this.depth > DEEPEST) this.fail(`more than ${DEEPEST} levels of parentheses and negations`)
    try {
      let left = this.factor()
      for (let operators = 0; ; operators++) {
        if (operators > DEEPEST) this.fail(`more than ${DEEPEST} operators in a row`)
        const { token } = this
        if (token.kind !== 'mark') return left
        const rest = Object.hasOwn(TAKES_THE_REST, token.text) ? TAKES_THE_REST[token.text] : undefined
        const operator = Object.hasOwn(OPERATORS, token.text) ? OPERATORS[token.text] : undefined
        if (!rest && (!operator || operator.level < level)) return left
        this.at++
        const right = this.arithmetic(rest ? 0 : operator!.level + 1)
        left = { kind: 'binary', op: rest ?? operator!.op, left, right, span: cover(left.span, right.span) }
      }
    } finally {
      this.depth--
    }
  }

  private factor(): Arith {
    const { token } = this
    const { span } = token
    if (token.kind === 'number') {
      this.at++
      return { kind: 'number', value: token.value, span }
    }
    if (this.is('-')) {
      this.at++
      const arg = this.arithmetic(UNARY_LEVEL)
      return { kind: 'negate', arg, span: cover(span, arg.span) }
    }
    if (this.is('(')) {
      this.at++
      const inner = this.arithmetic(0)
      this.take(')')
      return { ...inner, span: this.since(span) }
    }
    if (token.kind === 'keyword' && isLength(token.text)) {
      this.at++
      return { kind: 'length', span }
    }
    if (token.kind === 'keyword' && this.isAccessor()) return this.accessor(token)
    return this.fail(`\`${token.text}\` is not a number`, {
      expected: ['a number', "'len'", "packet bytes ('ip[0]')", "'('"],
      ...this.typo(),
    })
  }

  /** `tcp[13]`, `ip[2:2]`. */
  private accessor({ text, span }: Token): Arith {
    const protocol = PROTOCOL_WORDS[text as keyof typeof PROTOCOL_WORDS]
    this.at += 2
    const index = this.arithmetic(0)
    let bytes = 1
    if (this.is(':')) {
      this.at++
      const size = this.number()
      bytes = size.value
      if (bytes !== 1 && bytes !== 2 && bytes !== 4)
        throw new Fault('rules/size', `packet bytes cannot be read ${bytes} at a time`, size.span, {
          expected: ['1', '2', '4'],
        })
    }
    this.take(']')
    return { kind: 'accessor', protocol, index, bytes: bytes as 1 | 2 | 4, span: this.since(span) }
  }

  private get token(): Token {
    return this.tokens[this.at]!
  }

  private is(mark: string): boolean {
    return this.token.kind === 'mark' && this.token.text === mark
  }

  private take(mark: string): void {
    if (!this.is(mark))
      this.fail(`${this.here()} where '${mark}' should be`, { expected: [`'${mark}'`, 'an operator'] })
    this.at++
  }

  private since(start: Span): Span {
    return cover(start, this.tokens[this.at - 1]!.span)
  }

  /** A hint if the word here looks like a keyword. */
  private typo(): FaultExtra {
    if (this.token.kind !== 'name') return {}
    const meant = nearest(this.token.text, KEYWORDS)
    return meant ? { hint: `did you mean ${meant}?` } : {}
  }

  /** What stands here, as a message calls it. */
  private here(): string {
    return this.token.kind === 'end' ? this.token.text : `\`${this.token.text}\``
  }

  private fail(message: string, extra: FaultExtra = {}): never {
    throw new Fault('rules/syntax', message, this.token.span, extra)
  }
}

function isKind(text: string): text is Kind {
  return (KINDS as readonly string[]).includes(text)
}

function isLength(text: string): boolean {
  return text === 'len' || text === 'length'
}
