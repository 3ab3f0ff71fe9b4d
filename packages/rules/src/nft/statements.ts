// Statements of nft 1.0.6 that are neither matches nor plain verdicts: read from their nodes, and as steps of the IR. What reject asks for by
// itself was read off `nft --debug=netlink`; how limits and quotas count, off verdicts (test/golden/state).

import { at, type Diagnostics, type Span } from '@netsieve/diag'
import { cmp, field, match, type StateDef, type Step, type Term } from '@netsieve/ir'
import { IPPROTO, type MetadataId, NFPROTO } from '@netsieve/packet'
import type { Node } from '../grammar/match.ts'
import { child, children } from '../grammar/node.ts'
import type { Word } from '../shared/index.ts'
import type { Step as AstStep, Kept, NftFamily, Operand, Selector } from './ast.ts'
import { readSpelled } from './metadata.ts'
import type { Number32 } from './numbers.ts'
import type { Here } from './scan.ts'
import { readKey, readNumber, readRaw } from './selectors.ts'
import { type Kind, readValue } from './typed.ts'
import type { Values } from './value.ts'

const BYTES: Readonly<Record<string, bigint>> = { bytes: 1n, kbytes: 1024n, mbytes: 1_048_576n }
const SECOND = 1_000_000_000n
const PERIODS: Readonly<Record<string, bigint>> = { second: SECOND, minute: 60n * SECOND, hour: 3600n * SECOND, day: 86_400n * SECOND, week: 604_800n * SECOND } // biome-ignore format: one family

/** Reads nodes of the text that is read. */
export class Statements {
  private readonly here: Here
  private readonly values: Values
  private readonly diagnostics: Diagnostics

  constructor(here: Here, values: Values, diagnostics: Diagnostics) {
    this.here = here
    this.values = values
    this.diagnostics = diagnostics
  }

  private slice({ start, end }: Node): string {
    return this.here.text.slice(start, end)
  }

  private span({ start, end }: Node): Span {
    return at(this.here.source, start, end)
  }

  private name(node: Node): Word {
    const name = child(node, 'name')!
    const quoted = this.here.text[name.start] === '"' ? 1 : 0
    return { text: this.here.text.slice(name.start + quoted, name.end - quoted), span: this.span(name) }
  }

  /** A statement; undefined for a node that is none of them, or after an error. */
  read(node: Node): AstStep | undefined {
    const span = this.span(node)
    const named = child(node, 'named')
    switch (node.rule) {
      case 'counter':
        return { kind: 'counter', span }
      case 'namedcounter':
        return { kind: 'counter', name: this.name(named!), span }
      case 'reject':
      case 'queue':
      case 'log':
        return { kind: node.rule, words: this.slice(node).slice(node.rule.length).trim().replace(/\s+/g, ' '), span }
      case 'limit':
      case 'quota': {
        const kept = named ? this.name(named) : this.kept(node.children[0]!)
        return kept && { kind: 'gate', kept, what: node.rule, span }
      }
      case 'assignment':
        return this.assignment(node, span)
      case 'buckets':
        return this.buckets(node, span)
      case 'connections':
        return this.connections(node)
      case 'told':
        return this.told(node.children[0]!, span)
      default:
        return undefined
    }
  }

  private buckets(node: Node, span: Span): AstStep | undefined {
    const word = (each: Node): Word => ({ text: this.slice(each), span: this.span(each) })
    const set = child(node, 'dynset')
    const [time, size, counter] = ['duration', 'room', 'counter'].map((rule) => child(node, rule))
    const other = child(node, 'elementword')
    if (other) return { kind: 'unsupported', what: `\`${this.slice(other)}\` of an element`, span: this.span(other) }
    const rate = child(node, 'rate')
    const counted = child(node, 'connections')
    const limit = rate && this.kept(rate)
    const timeout = time && readLifetime(word(time), this.diagnostics)
    if ((rate && !limit) || (time && timeout === undefined)) return undefined
    return {
      kind: 'buckets',
      set: word(child(set ?? node, 'name')!),
      ...(!set && { meter: size ? { size: Number(this.slice(size)) } : {} }),
      key: readKey(child(node, 'key')!, { word, values: this.values }),
      ...(limit && { limit }),
      ...(counted && { connections: this.connections(counted) }),
      ...(timeout !== undefined && { timeout }),
      does: set ? (this.slice(child(set, 'dynop')!) as 'add' | 'update' | 'delete') : 'add',
      ...(counter && { counter: this.span(counter) }),
      span,
    }
  }

  private connections(node: Node): Extract<AstStep, { kind: 'connections' }> {
    const number = BigInt(/\d+$/.exec(this.slice(node))![0])
    return { kind: 'connections', over: child(node, 'exceeding') !== undefined, number, span: this.span(node) }
  }

  private told(node: Node, span: Span): AstStep {
    if (node.rule === 'notrack') return { kind: 'notrack', span }
    const words = this.slice(node).trim().replace(/\s+/g, ' ')
    const option: Word = { text: 'tcp option', span }
    if (node.rule === 'strip') return { kind: 'told', words, rewrites: { header: option, field: option }, span }
    if (node.rule !== 'rewrite') return { kind: 'told', words, span }
    const word = (each: Node): Word => ({ text: this.slice(each), span: this.span(each) })
    const [header, field] = [child(node, 'header'), child(node, 'fieldname')]
    if (!field) return { kind: 'told', words, rewrites: readRaw(child(node, 'raw')!, word), span }
    return { kind: 'told', words, rewrites: { header: header ? word(header) : option, field: word(field) }, span }
  }

  /** `packets 5 bytes 300`, `rate over 10 mbytes/minute burst 5 kbytes`, `over 10 mbytes used 5 bytes`. */
  kept(node: Node): Kept | undefined {
    const span = this.span(node)
    const numbers = (this.slice(node).match(/\d+/g) ?? []).map(BigInt)
    if (node.rule === 'count') return { kind: 'counter', packets: numbers[0]!, bytes: numbers[1]!, span }
    const overNode = child(node, 'over') ?? child(node, 'exceeding')
    const over = overNode !== undefined && this.slice(overNode) === 'over'
    const amounts = children(node, 'amount').map((each) => this.amount(each))
    const [first, second] = amounts
    if (node.rule === 'quotasize') {
      if (amounts.some(({ unit }) => unit !== 'bytes')) return this.error('a quota is in bytes, kbytes or mbytes', span)
      return { kind: 'quota', over, bytes: first!.number, used: second?.number ?? 0n, span }
    }
    const { number: rate, unit } = first!
    if (rate === 0n) return this.error('a rate of 0 lets nothing through: nft refuses it', span)
    if (second && second.unit !== unit) return this.error(`a burst of ${unit} is wanted here`, span)
    if (second?.number === 0n && unit === 'packets') return this.error('a burst of 0 packets: nft refuses it', span)
    const per = PERIODS[this.slice(child(node, 'period')!)]!
    return { kind: 'limit', over, rate, per, burst: second?.number ?? 5n, unit, span }
  }

  private amount(node: Node): { readonly number: bigint; readonly unit: 'packets' | 'bytes' } {
    const number = BigInt(/^\d+/.exec(this.slice(node))![0])
    const unit = child(node, 'unit')
    const factor = unit && BYTES[this.slice(unit)]
    return factor === undefined ? { number, unit: 'packets' } : { number: number * factor, unit: 'bytes' }
  }

  private error(message: string, span: Span): undefined {
    this.diagnostics.error('nft/limit', message, span)
    return undefined
  }

  private assignment(node: Node, span: Span): AstStep | undefined {
    const target = fieldName(this.slice(child(node, 'target')!))
    const from = child(node, 'frommap')
    if (from) {
      const variable = child(from, 'var')
      const map = variable ? this.values.atom(variable) : this.values.right(from, 1)
      const word = (each: Node): Word => ({ text: this.slice(each), span: this.span(each) })
      return (
        map && { kind: 'mapped', target, key: readKey(child(from, 'key')!, { word, values: this.values }), map, span }
      )
    }
    const operands: Operand[] = []
    for (const each of children(node, 'operand')) {
      const source = child(each, 'source')
      const number = child(each, 'made')
      if (number) {
        const word = (node: Node): Word => ({ text: this.slice(node), span: this.span(node) })
        operands.push({ number: readNumber(number, { word, values: this.values }) })
        continue
      }
      const value = source ? undefined : this.values.atom(child(each, 'atom')!)
      if (source) operands.push({ source: fieldName(this.slice(source)) })
      else if (value) operands.push({ value })
      else return undefined
    }
    const operators = children(node, 'bitop').map((each) => ({ text: this.slice(each), span: this.span(each) }))
    return { kind: 'assignment', target, operands, operators, span }
  }
}

/** `5m`, `1h30m`: nanoseconds. Undefined after an error. */
export function readLifetime(word: Word, diagnostics: Diagnostics): bigint | undefined {
  const milliseconds = readSpelled(word, 'duration')
  if (milliseconds !== undefined) return milliseconds * 1_000_000n
  diagnostics.error('nft/value', `\`${word.text}\` is no time span`, word.span, {
    expected: ['a time span such as 5m'],
  })
  return undefined
}

/** `meta mark`, `mark`, `ct  mark`: the field's name in the IR. */
function fieldName(text: string): string {
  const words = text.trim().split(/\s+/)
  return words.length === 1 ? `meta.${words[0]}` : words.join('.')
}

/** Where statements are lowered. */
export interface StatementPlace {
  readonly family: NftFamily
  /** Of the table, in front of what it keeps. */
  readonly prefix: string
  readonly objects: ReadonlyMap<string, Kept>
  /** A name that nothing in the filter has. */
  readonly fresh: (what: string) => string
  /** A number that is drawn, counted or hashed; undefined after an error. */
  readonly number: (selector: Selector) => Number32 | undefined
  /** What steps keep. */
  readonly state: Map<string, StateDef>
  readonly diagnostics: Diagnostics
}

type Statement = Extract<
  AstStep,
  { kind: 'counter' | 'reject' | 'queue' | 'log' | 'gate' | 'assignment' | 'connections' }
>

/** A statement as steps; none after an error. */
export function lowerStatement(step: Statement, place: StatementPlace): Step[] {
  const { span } = step
  switch (step.kind) {
    case 'counter': {
      if (!step.name) return [{ kind: 'count', span }]
      const counter = keep(step.name, 'counter', place)
      return counter === undefined ? [] : [{ kind: 'count', counter, span }]
    }
    case 'connections':
      return [connectionsStep(step)]
    case 'log':
      return [{ kind: 'log', words: step.words, span }]
    case 'queue':
      return [{ kind: 'verdict', verdict: queue(step.words), span }]
    case 'reject':
      return reject(step.words, span, place)
    case 'gate': {
      if ('text' in step.kept) {
        const name = keep(step.kept, step.what, place)
        const kept = place.objects.get(step.kept.text)
        return name === undefined || kept?.kind !== step.what
          ? []
          : [{ kind: step.what, state: name, over: kept.over, span }]
      }
      const name = place.fresh(step.what)
      place.state.set(name, stateOf(name, step.kept))
      return step.kept.kind === 'counter' ? [] : [{ kind: step.kept.kind, state: name, over: step.kept.over, span }]
    }
    case 'assignment':
      return assign(step, place)
  }
}

/** How many connections there are is told with the packet, whatever it is that they are counted by. */
export function connectionsStep({ over, number, span }: Extract<AstStep, { kind: 'connections' }>): Step {
  return { ...match(cmp('ct.count', over ? '>' : '<=', number)), span }
}

/** The name in the filter's state of what a table keeps under a name. Undefined after an error. */
function keep(
  word: Word,
  kind: Kept['kind'],
  { objects, prefix, state, diagnostics }: StatementPlace,
): string | undefined {
  const kept = objects.get(word.text)
  if (kept?.kind !== kind) {
    const message = kept ? `${word.text} is a ${kept.kind}, not a ${kind}` : `there is no ${kind} \`${word.text}\``
    const known = [...objects].filter(([, each]) => each.kind === kind).map(([name]) => name)
    diagnostics.error('nft/name', message, word.span, { ...(known.length > 0 && { expected: known }) })
    return undefined
  }
  const name = `${prefix}${word.text}`
  state.set(name, stateOf(name, kept))
  return name
}

function stateOf(name: string, kept: Kept): StateDef {
  const { span } = kept
  switch (kept.kind) {
    case 'counter':
      return { kind: 'counter', name, packets: kept.packets, bytes: kept.bytes, span }
    case 'limit':
      return { kind: 'limit', name, rate: kept.rate, per: kept.per, burst: kept.burst, unit: kept.unit, span }
    case 'quota':
      return { kind: 'quota', name, bytes: kept.bytes, used: kept.used, span }
  }
}

function queue(words: string) {
  const [, lo = '0', hi] = /(?:num|to) (\d+)(?: ?- ?(\d+))?/.exec(words) ?? []
  const act = /\bbypass\b/.test(words) ? ('queue-bypass' as const) : ('queue' as const)
  return { kind: 'act', act, args: [hi === undefined ? lo : `${lo}-${hi}`] } as const
}

const ANSWERS: Readonly<Record<string, ReadonlySet<string>>> = {
  icmp: new Set([
    'net-unreachable',
    'host-unreachable',
    'prot-unreachable',
    'port-unreachable',
    'net-prohibited',
    'host-prohibited',
    'admin-prohibited',
  ]),
  icmpv6: new Set([
    'no-route',
    'admin-prohibited',
    'addr-unreachable',
    'port-unreachable',
    'policy-fail',
    'reject-route',
  ]),
  icmpx: new Set(['no-route', 'admin-prohibited', 'host-unreachable', 'port-unreachable']),
}
const PLAIN: Readonly<Partial<Record<NftFamily, string>>> = {
  ip: 'icmp port-unreachable',
  ip6: 'icmpv6 port-unreachable',
}

/** An answer of one family asks for its packets first, as nft does; a reset for TCP. */
function reject(words: string, span: Span, { family, diagnostics }: StatementPlace): Step[] {
  const [, kind = '', answer = ''] = /^with (tcp|icmpx|icmpv6|icmp) (?:type )?(\S+)$/.exec(words) ?? []
  const known = ANSWERS[kind]
  const number = /^\d+$/.test(answer) && Number(answer) <= (kind === 'icmpx' ? 3 : 255)
  if (known && !known.has(answer) && !number) {
    diagnostics.error('nft/reject', `${kind} has no answer \`${answer}\``, span, { expected: [...known] })
    return []
  }
  if ((kind === 'icmp' && family === 'ip6') || (kind === 'icmpv6' && family === 'ip')) {
    diagnostics.error('nft/conflict', `${kind} does not answer packets of the family ${family}`, span)
    return []
  }
  const text = words === '' ? (PLAIN[family] ?? 'icmpx port-unreachable') : `${kind} ${answer}`
  const mixed = family === 'inet' || family === 'netdev'
  const before =
    kind === 'tcp'
      ? [cmp('meta.l4proto', '==', IPPROTO.tcp)]
      : mixed && (kind === 'icmp' || kind === 'icmpv6')
        ? [cmp('meta.nfproto', '==', kind === 'icmp' ? NFPROTO.ipv4 : NFPROTO.ipv6)]
        : []
  const matches = before.map((pred): Step => ({ ...match(pred), span }))
  return [...matches, { kind: 'verdict', verdict: { kind: 'act', act: 'reject', args: [text] }, span }]
}

const OPERATORS = {
  '&': 'and',
  and: 'and',
  '|': 'or',
  or: 'or',
  '^': 'xor',
  xor: 'xor',
  '<<': 'lsh',
  '>>': 'rsh',
} as const
type Op = (typeof OPERATORS)[keyof typeof OPERATORS]
/** Binding of operators, strongest first, as in nft's grammar. */
const LEVELS: readonly (readonly Op[])[] = [['lsh', 'rsh'], ['and'], ['xor'], ['or']]

/** What values a field that can be set takes. */
export function settable(target: string): Kind {
  const types: Readonly<Record<string, 'classid' | 'pkt_type' | 'integer'>> = { 'meta.priority': 'classid', 'meta.pkttype': 'pkt_type', 'meta.nftrace': 'integer' } // biome-ignore format: one row
  return { type: types[target] ?? 'mark', bits: target === 'meta.pkttype' || target === 'meta.nftrace' ? 8 : 32 }
}

function assign(
  { target, operands, operators, span }: Extract<AstStep, { kind: 'assignment' }>,
  { diagnostics, number }: StatementPlace,
): Step[] {
  const kind = settable(target)
  const before: Step[] = []
  let terms: Term[] = []
  for (const operand of operands) {
    if ('source' in operand) {
      terms.push(field(operand.source as MetadataId))
      continue
    }
    if ('number' in operand) {
      const found = number(operand.number)
      const value = found?.value()
      if (!found || !value) {
        if (found) diagnostics.error('nft/unsupported', 'unsupported: a number modulo more than 65536 that something is set to', operand.number.field.span) // biome-ignore format: one message
        return []
      }
      before.push(...found.steps)
      terms.push(value)
      continue
    }
    const value = readValue(operand.value, kind, diagnostics)
    if (value === undefined) return []
    terms.push({ kind: 'const', value })
  }
  let ops: Op[] = operators.map(({ text }) => OPERATORS[text as keyof typeof OPERATORS])
  for (const level of LEVELS) {
    const [left, rest, kept]: [Term[], Op[], Op[]] = [[terms[0]!], [...ops], []]
    for (const [i, op] of rest.entries()) {
      const right = terms[i + 1]!
      if (level.includes(op)) left.push({ kind: 'bin', op, left: left.pop()!, right })
      else {
        left.push(right)
        kept.push(op)
      }
    }
    terms = left
    ops = kept
  }
  return [...before, { kind: 'set', field: target as MetadataId, term: terms[0]!, span }]
}
