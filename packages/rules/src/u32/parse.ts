// tc u32 text to its tree. Each line is matched by the grammar; then every word is read as tc 6.1 reads it.

import { type Diagnostic, Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import { parseName } from '@netsieve/packet'
import { Grammar, type Node } from '../grammar/match.ts'
import { commandLines, type Line, nodeWord, type Word } from '../shared/index.ts'
import { type Action, classText, longNumber, matchFilter, readActions, readFrame, tcNumber } from '../tc/index.ts'
import type { Bucket, HashKey, Offset, U32Ast, U32Filter } from './ast.ts'
import { bucketOf } from './hash.ts'
import { KeyReader, valueAndMask } from './keys.ts'
import { GRAMMAR } from './u32.gen.ts'

const grammar = new Grammar(GRAMMAR, {
  value: 'a value',
  mask: 'a mask in hexadecimal',
  name: "a field's name",
  S: 'a blank',
  END: 'a blank',
  other: 'a command',
})

export function parse(source: Source): Outcome<U32Ast> {
  const diagnostics = new Diagnostics()
  const filters: U32Filter[] = []
  for (const line of commandLines(source)) {
    const node = matchFilter(grammar, line, diagnostics)
    const filter = node && new Reader(line, diagnostics).filter(node)
    if (filter) filters.push(filter)
  }
  return diagnostics.outcome({ filters })
}

/** What a filter has at most once: under the name of its grammar rule. */
const ONCE = new Set([
  'link',
  'table',
  'order',
  'class',
  'offset',
  'hashkey',
  'sample',
  'divisor',
  'device',
  'action',
  'police',
])

/** Tables have 12 bits, buckets 8, the filters in one 12. */
const MOST = { table: 0xfff, bucket: 0xff, node: 0xfff } as const

/** Reads one command. What is wrong goes to `diagnostics`; the result is only whole if nothing was. */
class Reader {
  private readonly line: Line
  private readonly diagnostics: Diagnostics
  private readonly keys: KeyReader
  private mark: U32Filter['mark']
  private indev: U32Filter['indev']
  private link: U32Filter['link']
  private home: Bucket | undefined
  private order: { readonly number: number; readonly span: Span } | undefined
  private offset: Offset | undefined
  private hashkey: HashKey | undefined
  private bucket: number | undefined
  private divisor: number | undefined
  private classid: string | undefined
  private action: Action = { copies: [], verdict: { kind: 'accept' } }
  private actionSpan: Span

  constructor(line: Line, diagnostics: Diagnostics) {
    this.line = line
    this.diagnostics = diagnostics
    this.actionSpan = line.span
    this.keys = new KeyReader((node) => this.word(node), diagnostics)
  }

  filter(node: Node): U32Filter | undefined {
    const before = this.diagnostics.list.filter(isError).length
    const { frame, handle } = readFrame(node, this.line, this.diagnostics)
    const name = handle ? this.handle(handle, 'node') : { table: 0, bucket: 0, node: 0, span: frame.span }
    const items = node.children.filter(({ rule }) => rule === 'item').map(({ children }) => children[0]!)
    const seen = new Set<string>()
    for (const item of items) {
      if (ONCE.has(item.rule) && seen.has(item.rule))
        this.diagnostics.error('rules/twice', `${this.first(item).text} is given twice`, this.word(item).span)
      else this.item(item)
      seen.add(item.rule)
    }
    const node12 = this.order && name && this.placed(name.node, this.order)
    this.alone(items, seen, handle)
    if (this.diagnostics.list.filter(isError).length > before || !name) return undefined
    const { mark, indev, link, offset, hashkey, bucket, divisor, classid, action, actionSpan } = this
    const home = bucket === undefined ? this.home : { ...this.home!, bucket }
    return {
      ...frame,
      kind: 'u32',
      handle: { ...name, ...(node12 !== undefined && { node: node12 }) },
      keys: this.keys.keys,
      terminal: seen.has('action') || seen.has('class') || seen.has('police'),
      action,
      actionSpan,
      ...(divisor !== undefined && { divisor }),
      ...(mark && { mark }),
      ...(indev && { indev }),
      ...(home && { home }),
      ...(link && { link }),
      ...(offset && { offset }),
      ...(hashkey && { hashkey }),
      ...(classid !== undefined && { classid }),
    }
  }

  /** What goes together with what. */
  private alone(items: readonly Node[], seen: ReadonlySet<string>, handle: Word | undefined): void {
    const { line, diagnostics } = this
    const own = (rule: string) => this.word(items.find((item) => item.rule === rule)!).span
    if (seen.has('divisor')) {
      if (items.length > 1) diagnostics.error('u32/table', 'a table is made by a line of its own', own('divisor'))
      if (!handle) diagnostics.error('u32/table', 'a table needs a number: `handle 1:` before u32', own('divisor'))
    } else if (!seen.has('match')) {
      diagnostics.error('u32/empty', 'Linux wants something to match', line.span, {
        expected: ["'match'", "'divisor'"],
        hint: '`match u32 0 0` is true of every packet of four bytes',
      })
    }
    if (seen.has('link') && (seen.has('action') || seen.has('class') || seen.has('police')))
      this.unsupported(own('link'), 'a link that has an action too')
    for (const rule of ['offset', 'hashkey'] as const)
      if (seen.has(rule) && !seen.has('link'))
        diagnostics.error('u32/link', `${rule} is for a link, and there is none`, own(rule), { expected: ["'link'"] })
    if (seen.has('sample') && !seen.has('table'))
      diagnostics.error('u32/table', 'a sample chooses the bucket of a table: which?', own('sample'), {
        expected: ["'ht' and its number"],
      })
  }

  private item(node: Node): void {
    const value = node.children.find(({ rule }) => rule === 'value')
    const word = value ? this.word(value) : this.word(node)
    switch (node.rule) {
      case 'match':
        return this.match(node.children.find(({ rule }) => rule === 'selector')!.children[0]!)
      case 'link': {
        const table = this.handle(word, 'table')
        if (table) this.link = { table: table.table, span: word.span }
        return
      }
      case 'table': {
        const place = this.handle(word, 'bucket')
        if (place) this.home = { table: place.table, bucket: place.bucket, span: word.span }
        return
      }
      case 'order': {
        const number = tcNumber(word.text, 'any')
        if (number !== undefined && number >= 1 && number <= MOST.node) this.order = { number, span: word.span }
        else this.number(word, `a number from 1 to ${MOST.node}`)
        return
      }
      case 'class':
        return this.readClass(word)
      case 'offset':
        this.offset = this.readOffset(node)
        return
      case 'hashkey':
        this.hashkey = this.readHashKey(node)
        return
      case 'sample':
        return this.sample(node)
      case 'divisor':
        this.divisor = this.readDivisor(word)
        return
      case 'device': {
        const name = parseName(word.text)
        if (name === undefined)
          this.diagnostics.error('tc/device', `\`${word.text}\` is no name of a device`, word.span, {
            expected: ['1 to 15 characters'],
          })
        else this.indev = { value: name, span: word.span }
        return
      }
      case 'flag':
        // skip_hw says: software only, which is what is modelled. skip_sw filters are not seen by Linux at all.
        if (word.text === 'skip_sw') this.unsupported(word.span, 'filters that only hardware runs (skip_sw)')
        return
      case 'police':
        return this.police(node)
      case 'action': {
        this.actionSpan = this.word(node).span
        const words = node.children.filter(({ rule }) => rule === 'value').map((each) => this.word(each))
        this.action = readActions(words, this.diagnostics) ?? this.action
      }
    }
  }

  /** `police rate 1mbit burst 10k drop flowid 1:1`: a policer's words, up to a class. */
  private police(node: Node): void {
    const values = node.children.filter(({ rule }) => rule === 'value').map((value) => this.word(value))
    const end = values.findIndex(({ text }) => text === 'flowid' || text === 'classid')
    const own = end < 0 ? values : values.slice(0, end)
    const [word, more] = end < 0 ? [] : values.slice(end + 1)
    if (more) return this.unsupported(more.span, 'what follows the class of a policer')
    if (end >= 0) this.readClass(word ?? values[end]!)
    const head = this.first(node)
    this.actionSpan = { ...head.span, end: (own.at(-1) ?? head).span.end }
    this.action = readActions([head, ...own], this.diagnostics) ?? this.action
  }

  private readClass(word: Word): void {
    const text = classText(word.text)
    if (text === undefined) this.number(word, 'a class such as 1:10')
    // Class 0:0 is none.
    else if (text !== '0:0') this.classid = text
  }

  private match(selector: Node): void {
    if (selector.rule !== 'mark') return this.keys.selector(selector)
    const words = valueAndMask(selector).map((value) => this.word(value))
    const [value, mask] = words.map((word) => longNumber(word.text))
    const { span } = this.word(selector)
    for (const [i, number] of [value, mask].entries()) if (number === undefined) this.number(words[i]!, 'a number of 32 bits') // biome-ignore format: one line
    if (value === undefined || mask === undefined) return
    if (this.mark) this.diagnostics.error('rules/twice', 'mark is given twice', span)
    if ((value & ~mask) >>> 0 !== 0)
      this.diagnostics.error('u32/contradiction', 'this can never match: bits of the value are not in the mask', span)
    this.mark = { value: BigInt(value), mask: BigInt(mask), span }
  }

  /** `offset plus 4 at 0 mask 0f00 shift 6 eat`. */
  private readOffset(node: Node): Offset {
    const { span } = this.word(node)
    const parts = this.parts(node, 'offsetpart')
    const plus = this.part(parts.get('plus'), 'any', 0xffff) ?? 0
    const at = this.part(parts.get('at'), 'any', 0xffff) ?? 0
    const mask = this.part(parts.get('mask'), 'hex', 0xffff)
    const shift = this.part(parts.get('shift'), 'any', 15) ?? 0
    if ((at & 1) !== 0) this.diagnostics.error('u32/at', 'the two bytes lie at an even place', parts.get('at')!.span)
    if (mask === undefined && !parts.has('plus'))
      this.diagnostics.error('u32/link', 'this offset leads nowhere', span, { expected: ["'mask'", "'plus'"] })
    else if (mask === undefined && (parts.has('at') || parts.has('shift')))
      this.diagnostics.error('u32/link', 'without a mask the packet tells no offset', span, { expected: ["'mask'"] })
    return { plus, ...(mask !== undefined && { read: { at, mask, shift } }), eat: parts.has('eat'), span }
  }

  private readHashKey(node: Node): HashKey {
    const parts = this.parts(node, 'hashpart')
    const at = this.part(parts.get('at'), 'any', 0xffff) ?? 0
    if ((at & 3) !== 0) this.diagnostics.error('u32/at', 'four bytes lie at a multiple of 4', parts.get('at')!.span)
    return { mask: this.part(parts.get('mask'), 'hex', 0xffffffff) ?? 0, at, span: this.word(node).span }
  }

  /** The bucket that a packet with these bits would come to. */
  private sample(node: Node): void {
    const { span } = this.word(node)
    const reader = new KeyReader((each) => this.word(each), this.diagnostics)
    const selector = node.children.find(({ rule }) => rule === 'selector')!.children[0]!
    const divisor = node.children.find(({ rule }) => rule === 'divisor')
    const count = divisor ? this.readDivisor(this.word(divisor.children.find(({ rule }) => rule === 'value')!)) : 256
    if (selector.rule === 'mark') return this.unsupported(span, 'a sample of a mark')
    reader.selector(selector)
    const [key, more] = reader.keys
    if (more) return this.unsupported(span, 'a sample of several words')
    if (key && count !== undefined) this.bucket = bucketOf(key.value, key.mask, count)
  }

  private readDivisor(word: Word): number | undefined {
    const number = tcNumber(word.text, 'any')
    if (number !== undefined && number >= 1 && number <= 256 && (number & (number - 1)) === 0) return number
    this.number(word, 'a power of 2 from 1 to 256')
    return undefined
  }

  /** `TABLE:BUCKET:NODE` in hexadecimal, each of which may be empty, or a number of 32 bits. */
  private handle(word: Word, upTo: 'table' | 'bucket' | 'node'): U32Filter['handle'] | undefined {
    const { text, span } = word
    const [table = '', bucket = '', node = '', more] = text.split(':')
    const parts = [table, bucket, node].map((part) => (part === '' ? 0 : (tcNumber(part, 'hex') ?? Number.NaN)))
    const [first, second, third] = parts as [number, number, number]
    const whole = text.startsWith('0x') && !text.includes(':') ? longNumber(text) : undefined
    if (whole !== undefined && upTo === 'node')
      return { table: whole >>> 20, bucket: (whole >>> 12) & 0xff, node: whole & 0xfff, span }
    const fits = first <= MOST.table && second <= MOST.bucket && third <= MOST.node
    const short = (upTo === 'node' || third === 0) && (upTo !== 'table' || second === 0)
    if (text.includes(':') && more === undefined && fits && short) return { table: first, bucket: second, node: third, span } // biome-ignore format: one value
    const expected = { table: 'a table such as 1:', bucket: 'a table such as 1:, or a bucket such as 1:2:', node: 'a table, bucket and filter such as 1:2:3' } as const // biome-ignore format: one row
    this.number(word, expected[upTo])
    return undefined
  }

  /** `order` is another way to name the filter. */
  private placed(node: number, { number, span }: { readonly number: number; readonly span: Span }): number {
    if (node !== 0 && node !== number) this.diagnostics.error('u32/order', 'order contradicts the handle', span)
    return number
  }

  private parts(node: Node, rule: string): Map<string, Word> {
    const out = new Map<string, Word>()
    for (const part of node.children.filter((each) => each.rule === rule)) {
      const name = this.first(part).text
      if (out.has(name)) this.diagnostics.error('rules/twice', `${name} is given twice`, this.word(part).span)
      out.set(name, this.word(part.children.find((each) => each.rule === 'value') ?? part))
    }
    return out
  }

  private part(word: Word | undefined, base: 'any' | 'hex', max: number): number | undefined {
    const number = word && tcNumber(word.text, base)
    if (!word || (number !== undefined && number <= max)) return number
    this.number(word, base === 'hex' ? `a mask up to ${max.toString(16)}, in hexadecimal` : `a number from 0 to ${max}`)
    return undefined
  }

  private number(word: Word, expected: string): void {
    this.diagnostics.error('rules/number', `\`${word.text}\` is not what can stand here`, word.span, {
      expected: [expected],
    })
  }

  private unsupported(span: Span, what: string): void {
    this.diagnostics.error('rules/unsupported', `unsupported: ${what}`, span)
  }

  /** The first word of several. */
  private first(node: Node): Word {
    const { text, span } = this.word(node)
    const word = /^[^ \t]+/.exec(text)?.[0] ?? text
    return { text: word, span: { ...span, end: span.start + word.length } }
  }

  private word(node: Node): Word {
    return nodeWord(this.line, node)
  }
}

const isError = ({ severity }: Diagnostic) => severity === 'error'
