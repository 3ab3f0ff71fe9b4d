// tc flower text to its tree. Each line is matched by the grammar; then every word is read as tc 6.1 reads it, in tc's order: a key that
// needs another one (`dst_port` needs `ip_proto tcp`) wants it before itself.

import { type Diagnostic, Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import { Grammar, type Node } from '../grammar/match.ts'
import { commandLines, type Line, matchLine, nearest, nodeWord, type Word } from '../shared/index.ts'
import type { FlowerAst, FlowerFilter, Key } from './ast.ts'
import { GRAMMAR } from './flower.gen.ts'
import { etherTypeNumber, handleNumber, prioNumber, readValue } from './values.ts'
import { ACTIONS, ALL, KEYS, type KeyName, type KeyRow, LOOKED_BEHIND, OTHER_KEYS, PROTOCOL_NAMES } from './words.ts'

const grammar = new Grammar(GRAMMAR, {
  value: 'a value',
  name: 'a key',
  S: 'a blank',
  END: 'a blank',
  other: 'a command',
})

export function parse(source: Source): Outcome<FlowerAst> {
  const diagnostics = new Diagnostics()
  const filters: FlowerFilter[] = []
  for (const line of commandLines(source)) {
    const node = matchLine(grammar, 'filter', line, diagnostics)
    const filter = node && new Reader(line, diagnostics).filter(node)
    if (filter) filters.push(filter)
  }
  return diagnostics.outcome({ filters })
}

const PARENTS: Readonly<Record<string, 'ingress' | 'egress'>> = {
  'ffff:': 'ingress',
  'ffff:0': 'ingress',
  'ffff:fff1': 'ingress',
  'ffff:fff2': 'ingress',
  'ffff:fff3': 'egress',
}

/** Reads one command. What is wrong goes to `diagnostics`; the result is only whole if nothing was. */
class Reader {
  private readonly line: Line
  private readonly diagnostics: Diagnostics
  private hook: 'ingress' | 'egress' = 'ingress'
  private dev: string | undefined
  private protocol: number | 'all' = 'all'
  private protocolSpan: Span
  private prio = 0
  private prioSpan: Span
  private handle = 0
  private readonly keys: Key[] = []
  private action: FlowerFilter['action'] = { kind: 'accept' }
  private actionSpan: Span

  constructor(line: Line, diagnostics: Diagnostics) {
    this.line = line
    this.diagnostics = diagnostics
    this.protocolSpan = line.span
    this.prioSpan = line.span
    this.actionSpan = line.span
  }

  filter(node: Node): FlowerFilter | undefined {
    const before = this.diagnostics.list.filter(isError).length
    const verb = this.verb(node)
    const seen = new Set<string>()
    for (const { children } of node.children.filter(({ rule }) => rule === 'option')) {
      const option = children.find(({ rule }) => rule !== 'S')!
      if (seen.has(option.rule)) this.twice(option, option.rule)
      seen.add(option.rule)
      this.option(option)
    }
    for (const { children } of node.children.filter(({ rule }) => rule === 'item')) this.item(children[0]!, seen)
    if (this.diagnostics.list.filter(isError).length > before || !verb) return undefined
    const { line, hook, dev, protocol, protocolSpan, prio, prioSpan, handle, keys, action, actionSpan } = this
    return {
      text: line.text,
      span: line.span,
      verb,
      hook,
      ...(dev !== undefined && { dev }),
      protocol,
      protocolSpan,
      prio,
      prioSpan,
      handle,
      keys,
      action,
      actionSpan,
    }
  }

  private verb(node: Node): 'add' | 'replace' | undefined {
    const command = node.children.find(({ rule }) => rule === 'command')
    if (!command) return 'add'
    const verb = this.word(command.children.find(({ rule }) => rule === 'verb')!)
    if (verb.text === 'add' || verb.text === 'replace') return verb.text
    this.diagnostics.error('rules/unsupported', `unsupported: \`tc filter ${verb.text}\``, verb.span, {
      expected: ["'add'", "'replace'"],
    })
    return undefined
  }

  private option(node: Node): void {
    const value = node.children.find(({ rule }) => rule === 'value')
    const word = value ? this.word(value) : this.word(node)
    switch (node.rule) {
      case 'dev':
        this.dev = word.text
        return
      case 'place': {
        const hook = value ? PARENTS[word.text] : word.text === 'egress' ? 'egress' : 'ingress'
        if (hook && word.text !== 'root') this.hook = hook
        else this.unsupported(word, `filters at ${word.text}`, 'ingress and egress of clsact are modelled')
        return
      }
      case 'protocol':
        this.readProtocol(word)
        return
      case 'prio': {
        const prio = prioNumber(word.text)
        if (prio === undefined) this.number(word, 'priority', 'a number from 1 to 65535')
        else [this.prio, this.prioSpan] = [prio, word.span]
        return
      }
      case 'handle': {
        const handle = handleNumber(word.text)
        if (handle === undefined) this.number(word, 'handle', 'a number of 32 bits')
        else this.handle = handle
        return
      }
      case 'chain':
        if (word.text !== '0') this.unsupported(word, 'filter chains other than 0')
        return
      default:
        this.unsupported(this.word(node), 'shared blocks')
    }
  }

  private readProtocol(word: Word): void {
    this.protocolSpan = word.span
    const name = word.text.toLowerCase()
    const number = name === 'all' ? ALL : (PROTOCOL_NAMES[name] ?? etherTypeNumber(word.text))
    if (number === undefined || number === 0) {
      this.diagnostics.error('rules/protocol', `\`${word.text}\` is no protocol known here`, word.span, {
        expected: ["'all'", ...Object.keys(PROTOCOL_NAMES).map((known) => `'${known}'`), 'a number from 1 to 0xffff'],
        ...(name === 'ip6' && { hint: 'tc calls it ipv6' }),
      })
    } else if (number === ALL) this.protocol = 'all'
    else if (number < 0x600) this.unsupported(word, 'frames without an Ethernet type')
    else if (LOOKED_BEHIND[number])
      this.unsupported(word, `protocols that Linux looks behind (${LOOKED_BEHIND[number]})`)
    else this.protocol = number
  }

  private item(node: Node, seen: Set<string>): void {
    if (node.rule === 'action') {
      if (seen.has('action')) this.twice(node, 'action')
      seen.add('action')
      this.readAction(node)
      return
    }
    const name = this.word(node.rule === 'flag' ? node : node.children.find(({ rule }) => rule === 'name')!)
    if (node.rule === 'flag') {
      // skip_hw says: software only, which is what is modelled. skip_sw filters are not seen by Linux at all.
      if (name.text === 'skip_sw') this.unsupported(name, 'filters that only hardware runs (skip_sw)')
      return
    }
    if (!isKey(name.text)) this.unknown(name)
    else if (seen.has(name.text)) this.twice(node, name.text)
    else {
      seen.add(name.text)
      this.key(name.text, name, node)
    }
  }

  private key(known: KeyName, name: Word, node: Node): void {
    const row: KeyRow = KEYS[known]
    if (!this.allowed(name, row)) return
    const value = this.word(node.children.find(({ rule }) => rule === 'value')!)
    const other = this.protocol === 0x86dd ? 'icmp' : 'icmpv6'
    if (known === 'ip_proto' && value.text === other) {
      const expected = [`'${other === 'icmp' ? 'icmpv6' : 'icmp'}'`]
      this.diagnostics.error('rules/protocol', `${other} is not of this protocol`, value.span, { expected })
      return
    }
    const constraint = readValue(row, value, this.protocol === 0x86dd ? 'ipv6' : 'ipv4', this.diagnostics)
    if (constraint) this.keys.push({ name: known, constraint, span: this.word(node).span })
  }

  /** What tc wants of the protocol, and of `ip_proto` before this key. */
  private allowed(name: Word, row: KeyRow): boolean {
    const { protocol } = this
    const kinds = { 2048: 'ipv4', 34525: 'ipv6', 2054: 'arp', 33024: 'vlan', 34984: 'vlan' } as const
    const kind = protocol === 'all' ? undefined : kinds[protocol as keyof typeof kinds]
    if (row.with && !(kind && row.with.includes(kind))) {
      const wanted = row.with.map((each) => ({ ipv4: 'ip', ipv6: 'ipv6', arp: 'arp', vlan: '802.1q' })[each])
      this.diagnostics.error('flower/needs-protocol', `${name.text} does not go with this protocol`, name.span, {
        expected: wanted.map((each) => `'protocol ${each}' before flower`),
        notes: [{ message: 'the protocol is given here, or is all', span: this.protocolSpan }],
      })
      return false
    }
    if (!row.after) return true
    const proto = this.keys.find((key) => key.name === 'ip_proto')?.constraint
    const number = proto?.kind === 'masked' ? Number(proto.value) : undefined
    const fits = number !== undefined && row.after.includes(number)
    const icmp = name.text === 'type' || name.text === 'code'
    if (fits && (!icmp || (number === 58) === (protocol === 0x86dd))) return true
    const wanted = icmp
      ? [protocol === 0x86dd ? 'icmpv6' : 'icmp']
      : row.after.map((each) => ({ 6: 'tcp', 17: 'udp', 132: 'sctp' })[each])
    this.diagnostics.error('flower/needs-proto', `${name.text} needs an ip_proto before it`, name.span, {
      expected: wanted.map((each) => `'ip_proto ${each}'`),
    })
    return false
  }

  private readAction(node: Node): void {
    const words = node.children.filter(({ rule }) => rule === 'value').map((value) => this.word(value))
    const [first, ...rest] = words[0]!.text === 'gact' && words.length > 1 ? words.slice(1) : words
    const action = Object.entries(ACTIONS).find(([name]) => name === first!.text)?.[1]
    this.actionSpan = this.word(node).span
    const redirect =
      first!.text === 'mirred' && /^(egress|ingress) redirect dev (\S+)$/.exec(rest.map(({ text }) => text).join(' '))
    if (redirect) this.action = { kind: 'act', act: 'redirect', args: [redirect[2]!, redirect[1]!] }
    else if (first!.text === 'trap' && rest.length === 0) this.action = { kind: 'act', act: 'trap', args: [] }
    else if (action === undefined) {
      this.unsupported(first!, `the action ${first!.text}`, undefined, [
        ...Object.keys(ACTIONS),
        'trap',
        'mirred egress redirect dev …',
      ])
    } else if (rest.length > 0)
      this.unsupported(rest[0]!, `\`${rest[0]!.text}\` after the action (only one action, without options)`)
    else this.action = { kind: action }
  }

  private unknown(name: Word): void {
    if (OTHER_KEYS.includes(name.text)) {
      this.unsupported(name, `the key ${name.text}`)
      return
    }
    const meant = nearest(name.text, Object.keys(KEYS))
    this.diagnostics.error('rules/unknown-key', `tc flower has no key \`${name.text}\``, name.span, {
      ...(meant && { hint: `did you mean ${meant}?` }),
    })
  }

  private twice(node: Node, what: string): void {
    this.diagnostics.error('rules/twice', `${what} is given twice`, this.word(node).span)
  }

  private number(word: Word, what: string, expected: string): void {
    this.diagnostics.error('rules/number', `\`${word.text}\` is no ${what}`, word.span, { expected: [expected] })
  }

  private unsupported({ span }: Word, what: string, hint?: string, expected?: readonly string[]): void {
    const extra = { ...(hint && { hint }), ...(expected && { expected: expected.map((each) => `'${each}'`) }) }
    this.diagnostics.error('rules/unsupported', `unsupported: ${what}`, span, extra)
  }

  private word(node: Node): Word {
    return nodeWord(this.line, node)
  }
}

function isKey(name: string): name is KeyName {
  return Object.hasOwn(KEYS, name)
}

const isError = ({ severity }: Diagnostic) => severity === 'error'
