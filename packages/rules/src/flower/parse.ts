// tc flower text to its tree. Each line is matched by the grammar; then every word is read as tc 6.1 reads it, in tc's order: a key that
// needs another one (`dst_port` needs `ip_proto tcp`) wants it before itself.

import { type Diagnostic, Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import { Grammar, type Node } from '../grammar/match.ts'
import { commandLines, type Line, nearest, nodeWord, readNumber, type Word } from '../shared/index.ts'
import { classText, type Frame, longNumber, matchFilter, readActions, readFrame } from '../tc/index.ts'
import type { FlowerAst, FlowerFilter, Key } from './ast.ts'
import { GRAMMAR } from './flower.gen.ts'
import { readValue } from './values.ts'
import {
  CFM_KEYS,
  KEYS,
  type KeyName,
  type KeyRow,
  LAYERS,
  LOOKED_BEHIND,
  LSE_KEYS,
  MAX_LABELS,
  OTHER_KEYS,
} from './words.ts'

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
    const node = matchFilter(grammar, line, diagnostics)
    const filter = node && new Reader(line, diagnostics).filter(node)
    if (filter) filters.push(filter)
  }
  return diagnostics.outcome({ filters })
}

/** Reads one command. What is wrong goes to `diagnostics`; the result is only whole if nothing was. */
class Reader {
  private readonly line: Line
  private readonly diagnostics: Diagnostics
  private frame!: Frame
  private handle = 0
  private matchall = false
  private readonly keys: Key[] = []
  /** The Ethernet type of what keys are about, behind the tags that were named so far; and whether it lies in a PPPoE session. */
  private type: number | 'all' = 'all'
  private inPppoe = false
  private classid: string | undefined
  private action: FlowerFilter['action'] = { copies: [], verdict: { kind: 'accept' } }
  private actionSpan: Span

  constructor(line: Line, diagnostics: Diagnostics) {
    this.line = line
    this.diagnostics = diagnostics
    this.actionSpan = line.span
  }

  filter(node: Node): FlowerFilter | undefined {
    const before = this.diagnostics.list.filter(isError).length
    const seen = new Set<string>()
    this.matchall = this.word(node.children.find(({ rule }) => rule === 'classifier')!).text.startsWith('matchall')
    const { frame, handle } = readFrame(node, this.line, this.diagnostics)
    this.frame = frame
    this.checkFrame(handle)
    this.type = this.frame.protocol
    for (const { children } of node.children.filter(({ rule }) => rule === 'item')) this.item(children[0]!, seen)
    if (this.diagnostics.list.filter(isError).length > before) return undefined
    const { keys, classid, action, actionSpan } = this
    return {
      ...frame,
      kind: this.matchall ? 'matchall' : 'flower',
      handle: this.handle,
      keys,
      ...(classid !== undefined && { classid }),
      action,
      actionSpan,
    }
  }

  private checkFrame(handle: Word | undefined): void {
    const { protocol, protocolSpan } = this.frame
    if (LOOKED_BEHIND[Number(protocol)])
      this.unsupported(
        { text: '', span: protocolSpan },
        `protocols that Linux looks behind (${LOOKED_BEHIND[Number(protocol)]})`,
      )
    if (!handle) return
    const number = longNumber(handle.text)
    if (number === undefined) this.number(handle, 'handle', 'a number of 32 bits')
    else this.handle = number
  }

  private item(node: Node, seen: Set<string>): void {
    switch (node.rule) {
      case 'action':
        if (seen.has('action')) this.twice(node, 'action')
        seen.add('action')
        return this.readAction(node)
      case 'class': {
        const word = this.word(node.children.find(({ rule }) => rule === 'value')!)
        if (seen.has('class')) this.twice(node, 'the class')
        seen.add('class')
        const text = classText(word.text)
        if (text === undefined) this.number(word, 'class', 'a class such as 1:10')
        // Class 0:0 is none.
        else if (text !== '0:0') this.classid = text
        return
      }
      case 'mpls':
      case 'cfm': {
        if (seen.has(node.rule)) this.twice(node, node.rule)
        seen.add(node.rule)
        if (this.matchall) {
          this.diagnostics.error('rules/unknown-key', 'matchall has no keys', this.head(node).span)
          return
        }
        if (!this.allowed(this.head(node), { form: 'decimal', with: [node.rule] })) return
        return node.rule === 'mpls' ? this.labels(node, seen) : this.cfm(node)
      }
    }
    const name = this.word(node.rule === 'flag' ? node : node.children.find(({ rule }) => rule === 'name')!)
    if (node.rule === 'flag') {
      // skip_hw says: software only, which is what is modelled. skip_sw filters are not seen by Linux at all.
      if (name.text === 'skip_sw') this.unsupported(name, 'filters that only hardware runs (skip_sw)')
      return
    }
    if (this.matchall)
      this.diagnostics.error('rules/unknown-key', 'matchall has no keys', name.span, { expected: ["'action'"] })
    else if (!isKey(name.text)) this.unknown(name)
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
    const family = LAYERS[Number(this.type)] === 'ipv6' ? 'ipv6' : 'ipv4'
    const other = family === 'ipv6' ? 'icmp' : 'icmpv6'
    if (known === 'ip_proto' && value.text === other) {
      const expected = [`'${other === 'icmp' ? 'icmpv6' : 'icmp'}'`]
      this.diagnostics.error('rules/protocol', `${other} is not of this protocol`, value.span, { expected })
      return
    }
    const constraint = readValue(row, value, family, this.diagnostics)
    if (!constraint) return
    this.keys.push({
      name: known,
      ...(known.startsWith('mpls_') && { depth: 1 }),
      constraint,
      span: this.word(node).span,
    })
    if (constraint.kind !== 'masked') return
    if (row.form === 'ether-type') this.innerType(known, Number(constraint.value), value)
    else if (row.form === 'ppp-proto') this.inPppoe = true
  }

  /** The type behind a tag: what the keys after this one are about. */
  private innerType(known: KeyName, type: number, value: Word): void {
    if (LOOKED_BEHIND[type]) this.unsupported(value, `protocols that Linux looks behind (${LOOKED_BEHIND[type]})`)
    else if (type < 0x600) this.unsupported(value, 'frames without an Ethernet type')
    else if (known === 'cvlan_ethtype' && LAYERS[type] === 'vlan') this.unsupported(value, 'what a third tag says')
    this.type = type
  }

  /** `mpls lse depth 1 label 5 lse depth 2 bos 1`. */
  private labels(node: Node, seen: Set<string>): void {
    const single = Object.values(LSE_KEYS).find((key) => seen.has(key))
    if (single) {
      this.diagnostics.error('rules/twice', `labels are given by ${single} and by mpls`, this.head(node).span)
      return
    }
    for (const key of Object.values(LSE_KEYS)) seen.add(key)
    const depths = new Set<number>()
    for (const lse of node.children.filter(({ rule }) => rule === 'lse')) {
      const parts = this.parts(lse)
      const depth = parts?.get('depth')
      if (!parts) return
      if (!depth) {
        this.diagnostics.error('flower/lse', 'a label needs its depth', this.word(lse).span, {
          expected: [`'depth' and a number from 1 to ${MAX_LABELS}`],
        })
        return
      }
      const at = Number(this.bounded(depth, 1, MAX_LABELS))
      if (depths.has(at)) this.twice(lse, `depth ${at}`)
      depths.add(at)
      const { span } = this.word(lse)
      this.keys.push({ name: 'lse', depth: at, constraint: { kind: 'masked', value: 1n, mask: 1n }, span })
      for (const [part, word] of parts) {
        if (part === 'depth') continue
        const name = LSE_KEYS[part as keyof typeof LSE_KEYS]
        const constraint = name && readValue(KEYS[name], word, 'ipv4', this.diagnostics)
        if (constraint) this.keys.push({ name, depth: at, constraint, span: word.span })
        else if (!name) this.unsupported(word, `\`${part}\` of a label`)
      }
    }
  }

  /** `cfm mdl 3 op 1`. */
  private cfm(node: Node): void {
    for (const [part, word] of this.parts(node) ?? []) {
      const row = CFM_KEYS[part as keyof typeof CFM_KEYS]
      const value = row ? this.bounded(word, 0, row.max) : undefined
      const mask = row && BigInt(row.max)
      if (value !== undefined && mask !== undefined)
        this.keys.push({ name: `cfm_${part as keyof typeof CFM_KEYS}`, constraint: { kind: 'masked', value, mask }, span: word.span }) // biome-ignore format: one key
      else if (!row) this.unsupported(word, `\`${part}\` of cfm`)
    }
  }

  /** Names with their values, each once. */
  private parts(node: Node): Map<string, Word> | undefined {
    const out = new Map<string, Word>()
    for (const part of node.children.filter(({ rule }) => rule === 'part')) {
      const name = this.word(part.children.find(({ rule }) => rule === 'partname')!).text
      if (out.has(name)) {
        this.twice(part, name)
        return undefined
      }
      out.set(name, this.word(part.children.find(({ rule }) => rule === 'value')!))
    }
    return out
  }

  private bounded(word: Word, min: number, max: number): bigint | undefined {
    return readNumber(word, { min, max }, this.diagnostics)
  }

  /** The first word of a key of several. */
  private head(node: Node): Word {
    const { span } = this.word(node)
    return { text: node.rule, span: { ...span, end: span.start + node.rule.length } }
  }

  /** What tc wants of the protocol, of tags, and of `ip_proto` before this key. */
  private allowed(name: Word, row: KeyRow): boolean {
    if (row.tag !== undefined) return this.tagged(name, row.tag)
    const kind = LAYERS[Number(this.type)]
    if (row.with && this.inPppoe) {
      const inside = name.text !== 'pppoe_sid'
      if (inside) this.unsupported(name, 'what a PPPoE session carries')
      return !inside
    }
    if (row.with && !(kind && row.with.includes(kind))) {
      const words = { ipv4: 'ip', ipv6: 'ipv6', arp: 'arp', vlan: '802.1q', mpls: 'mpls_uc', pppoe: 'ppp_ses', cfm: '0x8902' } // biome-ignore format: one row
      this.diagnostics.error('flower/needs-protocol', `${name.text} does not go with this protocol`, name.span, {
        expected: row.with.map((each) => `'protocol ${words[each]}' before flower`),
        notes: [{ message: 'the protocol is given here, or is all', span: this.frame.protocolSpan }],
        ...(kind === 'vlan' && { hint: 'say what is behind the tag first: vlan_ethtype ip' }),
      })
      return false
    }
    if (!row.after) return true
    const proto = this.keys.find((key) => key.name === 'ip_proto')?.constraint
    const number = proto?.kind === 'masked' ? Number(proto.value) : undefined
    const fits = number !== undefined && row.after.includes(number)
    const icmp = name.text === 'type' || name.text === 'code'
    if (fits && (!icmp || (number === 58) === (kind === 'ipv6'))) return true
    const names: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 115: 'l2tp', 50: 'esp', 51: 'ah' } // biome-ignore format: one row
    const wanted = icmp ? [kind === 'ipv6' ? 'icmpv6' : 'icmp'] : row.after.map((each) => names[each])
    this.diagnostics.error('flower/needs-proto', `${name.text} needs an ip_proto before it`, name.span, {
      expected: wanted.map((each) => `'ip_proto ${each}'`),
    })
    return false
  }

  /** Keys of a tag need a type that says that there is one, or a number of tags. */
  private tagged(name: Word, tag: 0 | 1): boolean {
    const value = (key: KeyName) => {
      const constraint = this.keys.find((each) => each.name === key)?.constraint
      return constraint?.kind === 'masked' ? Number(constraint.value) : undefined
    }
    const type = tag === 0 ? Number(this.frame.protocol) : value('vlan_ethtype')
    if (LAYERS[type ?? 0] === 'vlan' || (value('num_of_vlans') ?? 0) > tag) return true
    this.diagnostics.error('flower/needs-protocol', `${name.text} needs a tag`, name.span, {
      expected:
        tag === 0
          ? ["'protocol 802.1q' before flower", "'num_of_vlans 1' before the key"]
          : ["'vlan_ethtype 802.1q' before the key", "'num_of_vlans 2' before the key"],
      notes: [{ message: 'the protocol is given here, or is all', span: this.frame.protocolSpan }],
    })
    return false
  }

  private readAction(node: Node): void {
    const words = node.children.filter(({ rule }) => rule === 'value').map((value) => this.word(value))
    this.actionSpan = this.word(node).span
    const action = readActions(words, this.diagnostics)
    if (action) this.action = action
  }

  private unknown(name: Word): void {
    if (Object.hasOwn(OTHER_KEYS, name.text)) {
      this.unsupported(name, `the key ${name.text}`, OTHER_KEYS[name.text])
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
