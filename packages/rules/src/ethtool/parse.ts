// ethtool commands to their tree: the grammar says what stands where, this reads the words as ethtool 6.1 does (strtoull with base 0:
// `010` is 8). The bits of a mask are bits to ignore.

import { type Diagnostic, Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import { parseIpv4, parseIpv6, parseMac } from '@netsieve/packet'
import { Grammar, type Node } from '../grammar/match.ts'
import { commandLines, type Line, matchLine, nearest, nodeWord, parseNumber, type Word } from '../shared/index.ts'
import type { EthtoolAst, EthtoolDelete, EthtoolRule, FieldMatch } from './ast.ts'
import { GRAMMAR } from './ethtool.gen.ts'
import { DISCARD, type FieldRow, FLOW_TYPES, type FlowType, OTHER_WORDS, WAKE } from './words.ts'

const grammar = new Grammar(GRAMMAR, {
  value: 'a value',
  name: 'a field',
  S: 'a blank',
  END: 'a blank',
  field: 'a mask',
})
const LAST_LOC = 0xfffffffen

export function parse(source: Source): Outcome<EthtoolAst> {
  const diagnostics = new Diagnostics()
  const commands: (EthtoolRule | EthtoolDelete)[] = []
  for (const line of commandLines(source)) {
    const node = matchLine(grammar, 'command', line, diagnostics)
    const command = node && new Reader(line, diagnostics).command(node)
    if (command) commands.push(command)
  }
  return diagnostics.outcome({ commands })
}

class Reader {
  private readonly line: Line
  private readonly diagnostics: Diagnostics
  private readonly fields: FieldMatch[] = []
  private readonly seen = new Set<string>()
  private action: EthtoolRule['action'] = { queue: 0n }
  private actionSpan: Span
  private loc: bigint | undefined

  constructor(line: Line, diagnostics: Diagnostics) {
    this.line = line
    this.diagnostics = diagnostics
    this.actionSpan = line.span
  }

  command(node: Node): EthtoolRule | EthtoolDelete | undefined {
    const before = this.diagnostics.list.filter(isError).length
    const device = node.children.find(({ rule }) => rule === 'prefix')?.children.find(({ rule }) => rule === 'device')
    const common = { span: this.line.span, ...(device && { device: this.word(device).text }) }
    const main = node.children.find(({ rule }) => rule === 'insert' || rule === 'delete' || rule === 'hash')!
    if (main.rule === 'hash') {
      this.unsupported(this.word(main), 'receive hashing (rx-flow-hash)')
      return undefined
    }
    if (main.rule === 'delete') {
      const loc = this.readNumber(this.child(main, 'value'), LAST_LOC, 'loc')
      return loc === undefined ? undefined : { kind: 'delete', ...common, loc }
    }
    const type = this.child(main, 'type')
    const known = Object.hasOwn(FLOW_TYPES, type.text) ? FLOW_TYPES[type.text] : undefined
    if (!known) {
      const expected = Object.keys(FLOW_TYPES).map((each) => `'${each}'`)
      this.diagnostics.error('ethtool/flow-type', `\`${type.text}\` is no flow type`, type.span, { expected })
      return undefined
    }
    for (const item of main.children.filter(({ rule }) => rule === 'item')) this.item(item, type.text, known)
    if (this.diagnostics.list.filter(isError).length > before) return undefined
    const { line, fields, action, actionSpan, loc } = this
    const place = loc === undefined ? {} : { loc }
    return {
      kind: 'insert',
      text: line.text,
      ...common,
      type: type.text,
      typeSpan: type.span,
      fields,
      action,
      actionSpan,
      ...place,
    }
  }

  private item(node: Node, type: string, { fields }: FlowType): void {
    const name = this.child(node, 'name')
    const mask = node.children.find(({ rule }) => rule === 'mask')
    if (this.seen.has(name.text)) {
      this.diagnostics.error('rules/twice', `${name.text} is given twice`, name.span)
      return
    }
    this.seen.add(name.text)
    const row = Object.hasOwn(fields, name.text) ? fields[name.text] : undefined
    if (row) this.field(node, name, row, mask)
    else if (name.text === 'action' || name.text === 'queue' || name.text === 'loc') this.setting(node, name, mask)
    else if (OTHER_WORDS.includes(name.text)) this.unsupported(name, name.text)
    else {
      const known = [...Object.keys(fields), 'action', 'queue', 'loc']
      const meant = nearest(name.text, known)
      this.diagnostics.error('rules/unknown-key', `flow type ${type} has no field \`${name.text}\``, name.span, {
        ...(meant ? { hint: `did you mean ${meant}?` } : { expected: known.map((each) => `'${each}'`) }),
      })
    }
  }

  private field(node: Node, name: Word, row: FieldRow, maskNode: Node | undefined): void {
    const long = maskNode?.children.find(({ rule }) => rule === 'long')
    if (long && this.word(long).text !== `${name.text}-mask`) {
      this.diagnostics.error('ethtool/mask', `this mask does not belong to ${name.text}`, this.word(long).span, {
        expected: ["'m'", `'${name.text}-mask'`],
      })
      return
    }
    const other = this.fields.find((each) => each.row.group && row.group && each.row.group !== row.group)
    if (other) {
      this.diagnostics.error('ethtool/overlap', `${name.text} and ${other.name} are the same bytes`, name.span, {
        notes: [{ message: 'the other is here', span: other.span }],
      })
      return
    }
    const value = this.readValue(this.child(node, 'value'), row, 'value')
    const ignored = maskNode ? this.readValue(this.child(maskNode, 'value'), row, 'mask') : 0n
    if (value === undefined || ignored === undefined) return
    const mask = ((1n << BigInt(row.bits)) - 1n) ^ ignored
    this.fields.push({ name: name.text, row, value: value & mask, mask, span: this.word(node).span })
  }

  private setting(node: Node, name: Word, mask: Node | undefined): void {
    if (mask) {
      this.diagnostics.error('ethtool/mask', `${name.text} takes no mask`, this.word(mask).span)
      return
    }
    const word = this.child(node, 'value')
    if (name.text === 'loc') {
      this.loc = this.readNumber(word, LAST_LOC, 'loc')
      return
    }
    if (this.seen.has('action') && this.seen.has('queue')) {
      this.diagnostics.error('ethtool/action', 'action and queue do not go together', name.span)
      return
    }
    const minus = name.text === 'action' && word.text.startsWith('-')
    const number = parseNumber(minus ? word.text.slice(1) : word.text, true)
    const value = number === undefined ? undefined : minus ? -number : number
    if (value === WAKE) this.unsupported(word, 'waking the host (action -2)')
    else if (value === undefined || value < DISCARD || value > 0xffffffffn) {
      const expected = name.text === 'action' ? ['-1 to drop', 'the number of a queue'] : ['the number of a queue']
      this.diagnostics.error('rules/number', `\`${word.text}\` is no ${name.text}`, word.span, { expected })
    } else {
      this.action = value === DISCARD ? 'drop' : { queue: value }
      this.actionSpan = this.word(node).span
    }
  }

  private readValue(word: Word, row: FieldRow, what: 'value' | 'mask'): bigint | undefined {
    if (row.form === 'number') return this.readNumber(word, (1n << BigInt(row.bits)) - 1n, what)
    const read = { ipv4: parseIpv4, ipv6: parseIpv6, mac: parseMac }[row.form]
    const value = read(word.text)
    if (value !== undefined) return value
    const example = {
      ipv4: 'an IPv4 address such as 192.0.2.1',
      ipv6: 'an IPv6 address such as 2001:db8::1',
      mac: 'six bytes in hexadecimal: 00:1b:21:3c:9d:f8',
    }[row.form]
    const hint = word.text.includes('/')
      ? 'ethtool has no prefixes: write `m` and the bits to ignore (m 0.0.0.255 for /24)'
      : undefined
    const fault = row.form === 'mac' ? 'rules/mac' : 'rules/address'
    this.diagnostics.error(fault, `\`${word.text}\` is not such a ${what}`, word.span, {
      expected: [what === 'mask' ? `${example}, its bits being those to ignore` : example],
      ...(hint && { hint }),
    })
    return undefined
  }

  private readNumber(word: Word, max: bigint, what: string): bigint | undefined {
    const value = parseNumber(word.text, true)
    if (value !== undefined && value <= max) return value
    const message = value === undefined ? `\`${word.text}\` is not a number` : `${word.text} is above ${max}`
    this.diagnostics.error('rules/number', message, word.span, {
      expected: [`a ${what} from 0 to ${max}; a leading 0 makes it octal, 0x hexadecimal`],
    })
    return undefined
  }

  private unsupported({ span }: Word, what: string): void {
    this.diagnostics.error('rules/unsupported', `unsupported: ${what}`, span)
  }

  private child(node: Node, rule: string): Word {
    const child = node.children.find((each) => each.rule === rule)
    if (!child) throw new Error(`the grammar gives ${node.rule} no ${rule}`)
    return this.word(child)
  }

  private word(node: Node): Word {
    return nodeWord(this.line, node)
  }
}

const isError = ({ severity }: Diagnostic) => severity === 'error'
