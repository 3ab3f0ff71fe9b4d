// IR as text: one line a rule, its predicates in infix form, values as their fields write them. The text is canonical: parse.ts, which has the
// grammar, makes the same filter of it (spans aside), so different filters have different texts.

import {
  FIELDS,
  type FieldId,
  formatIpv4,
  formatIpv6,
  formatMac,
  formatName,
  parseName,
  type ValueKind,
} from '@netsieve/packet'
import { typeText } from './places.ts'
import type {
  BinOp,
  Buckets,
  Chain,
  ElementData,
  Filter,
  Pred,
  Range,
  RecentStep,
  Rule,
  SetDef,
  SetKey,
  StateDef,
  Step,
  TableStep,
  Term,
  Verdict,
} from './types.ts'

export const OPERATOR = { add: '+', sub: '-', mul: '*', div: '/', mod: '%', and: '&', or: '|', xor: '^', lsh: '<<', rsh: '>>' } as const satisfies Record<BinOp, string> // biome-ignore format: one family

/** A whole filter. */
export function print(filter: Filter): string {
  const head = [`filter ${printName(filter.syntax)} profile ${filter.profile}`]
  for (const { hook, view, family, chain, policy } of filter.base) {
    head.push(`hook ${printName(hook)} view ${view} family ${family} chain ${printName(chain)} policy ${policy}`)
  }
  return `${[...head, ...(filter.state ?? []).map(printState), ...(filter.sets ?? []).map(printSet), ...filter.chains.map(printChain)].join('\n')}\n`
}

/** `limit NAME 10 packets a 1000000000 ns burst 5`, `quota NAME 5000 bytes used 0`, `counter NAME 0 packets 0 bytes`, `nth NAME 3 before 0`. */
function printState(def: StateDef): string {
  const name = printName(def.name)
  switch (def.kind) {
    case 'counter':
      return `counter ${name} ${def.packets} packets ${def.bytes} bytes`
    case 'limit':
      return `limit ${name} ${def.rate} ${def.unit} a ${def.per} ns burst ${def.burst}${def.each ? printBuckets(def.each) : ''}`
    case 'quota':
      return `quota ${name} ${def.bytes} bytes used ${def.used}`
    case 'nth':
      return `nth ${name} ${def.every} before ${def.before}`
    case 'table': {
      const held = def.elements.map((key) => key.map((value, i) => formatAs(def.keys[i]?.kind, value)).join(' . '))
      return `table ${name} ${printKeys(def.keys)} size ${def.size}${held.length > 0 ? ` holds ${held.join(', ')}` : ''}`
    }
    case 'recent':
      return `recent ${name} ${printKeys(def.keys)} size ${def.size} stamps ${def.stamps}`
  }
}

/** ` each 32:ipv4 . 16:port size 100 timeout 5000000000 refreshed`. */
function printBuckets({ keys, size, timeout, refreshed }: Buckets): string {
  return ` each ${printKeys(keys)} size ${size} timeout ${timeout}${refreshed ? ' refreshed' : ''}`
}

function printKeys(keys: readonly SetKey[]): string {
  return keys.map(({ bits, kind }) => (kind ? `${bits}:${kind}` : String(bits))).join(' . ')
}

/** `set NAME 32:ipv4 . 16:port {`, a line an element: `10.0.0.0-10.255.255.255 . 80`; in maps `→ value` behind it. */
function printSet({ name, keys, data, elements, catchAll }: SetDef): string {
  const components = printKeys(keys)
  const holds = data === undefined ? '' : ` → ${data === 'verdict' ? data : data.bits}`
  const lines = elements.map((element) => {
    const parts = element.key.map((range, i) => printRange(range, keys[i]?.kind))
    return `  ${parts.join(' . ')}${printData(element)}`
  })
  if (catchAll) lines.push(`  *${printData(catchAll)}`)
  return [`${data === undefined ? 'set' : 'map'} ${printName(name)} ${components}${holds} {`, ...lines, '}'].join('\n')
}

function printData({ verdict, value }: ElementData): string {
  return verdict ? ` → ${printVerdict(verdict)}` : value === undefined ? '' : ` → ${value}`
}

function printRange({ lo, hi }: Range, kind: ValueKind | undefined): string {
  return lo === hi ? formatAs(kind, lo) : `${formatAs(kind, lo)}-${formatAs(kind, hi)}`
}

function printChain(chain: Chain): string {
  return [`chain ${printName(chain.name)} {`, ...chain.rules.map((rule) => `  ${printRule(rule)}`), '}'].join('\n')
}

/** A name as it is where it is one word, else quoted as JSON has it. */
export function printName(name: string): string {
  return /^[\w./+-]+$/.test(name) && !name.includes('//') ? name : JSON.stringify(name)
}

/** `#0: meta.l4proto == 6, tcp.dport == 80, → drop    ; tcp dport 80 drop`; words that are not one plain line are quoted. */
export function printRule({ id, also = [], steps, text }: Rule): string {
  const plain = /^(?!")\S(?:\P{Cc}*\S)?$/u.test(text)
  const words = text === '' ? '' : `    ; ${plain ? text : JSON.stringify(text)}`
  return `#${[id, ...also].join('+')}: ${steps.map(printStep).join(', ')}`.trimEnd() + words
}

function printStep(step: Step): string {
  switch (step.kind) {
    case 'match':
      return `${step.view ? `as ${step.view}: ` : ''}${printPred(step.pred)}`
    case 'count':
      return step.counter === undefined ? 'count' : `count ${printName(step.counter)}`
    case 'log':
      return `log ${JSON.stringify(step.words)}`
    case 'limit':
    case 'quota':
    case 'nth': {
      const key = step.kind === 'limit' && step.key ? `[${printKey(step.key)}]` : ''
      return `${step.kind} ${step.over ? 'over ' : ''}${printName(step.state)}${key}`
    }
    case 'table':
    case 'recent':
      return printKeeping(step)
    case 'turn':
      return `set ${step.field} = turn of ${printName(step.state)}`
    case 'set':
      return `set ${step.field} = ${printTerm(step.term)}`
    case 'verdict':
      return `→ ${printVerdict(step.verdict)}`
    case 'vmap':
      return `→ @${printName(step.map)}[${printKey(step.terms)}]`
  }
}

/** `table not NAME has[ipv4.src]`, `table NAME add[ipv4.src] timeout 5`, `recent NAME update[ipv4.src] ttl ipv4.ttl within 60 hits 4`. */
function printKeeping(step: TableStep | RecentStep): string {
  const head = `${step.kind} ${step.over ? 'not ' : ''}${printName(step.state)} ${step.does}[${printKey(step.key)}]`
  if (step.kind === 'table') return step.timeout > 0n ? `${head} timeout ${step.timeout}` : head
  const ttl = step.ttl ? ` ttl ${printTerm(step.ttl)}` : ''
  return `${head}${ttl}${step.within > 0n ? ` within ${step.within}` : ''}${step.hits > 1 ? ` hits ${step.hits}` : ''}`
}

function printVerdict(verdict: Verdict): string {
  if (verdict.kind === 'act') return `${verdict.act}(${verdict.args.map((arg) => JSON.stringify(arg)).join(', ')})`
  return 'chain' in verdict ? `${verdict.kind} ${printName(verdict.chain)}` : verdict.kind
}

function printKey(terms: readonly Term[]): string {
  return terms.map(printTerm).join(' . ')
}

/** A predicate, bracketed where it needs to be. */
export function printPred(pred: Pred, inside = false): string {
  switch (pred.kind) {
    case 'const':
      return String(pred.value)
    case 'cmp':
      return `${printTerm(pred.term)} ${pred.test} ${printValue(pred.term, pred.value)}`
    case 'in': {
      const field = fieldOf(pred.term)
      const ranges = pred.ranges.map((range) => printRange(range, field && FIELDS[field].kind))
      return `${printTerm(pred.term)} in {${ranges.join(', ')}}`
    }
    case 'relation':
      return `${printTerm(pred.left)} ${pred.test} ${pred.right.kind === 'const' ? `(${pred.right.value})` : printOperand(pred.right)}`
    case 'inSet':
      return `${printKey(pred.terms)} in @${printName(pred.set)}`
    case 'exists':
      return `exists(${typeof pred.what === 'string' ? pred.what : printTerm(pred.what)})`
    case 'contains':
      return `contains(${pred.from} ${pred.to} ${pred.bytes}${pred.nocase ? ' nocase' : ''})`
    case 'not':
    case 'sure':
      return `${pred.kind} (${printPred(pred.arg)})`
    case 'and':
    case 'or': {
      if (pred.args.length < 2) return `${pred.kind}(${pred.args.map((arg) => printPred(arg)).join()})`
      const text = pred.args.map((arg) => printPred(arg, true)).join(` ${pred.kind} `)
      return inside ? `(${text})` : text
    }
  }
}

export function printTerm(term: Term): string {
  switch (term.kind) {
    case 'field':
      return term.field
    case 'load':
      return `${term.base}[${term.index ? `${printOperand(term.index)} + ` : ''}${term.offset}:${term.bytes}]`
    case 'raw':
      return `raw ${term.base}[${term.index ? `${printOperand(term.index)} + ` : ''}${term.bit}:${term.bits}]`
    case 'find':
      return `find(${term.list} ${typeText(term.type)}${term.bytes > 0 ? ` ${term.bytes}` : ''})`
    case 'length':
    case 'headers':
      return term.kind
    case 'const':
      return String(term.value)
    case 'mask':
      return `${printOperand(term.term)} & ${printMask(term.term, term.mask)}`
    case 'bin':
      return `(${printOperand(term.left)} ${OPERATOR[term.op]} ${printOperand(term.right)})`
    case 'mapped':
      return `@${printName(term.map)}[${printKey(term.terms)}]`
    case 'jhash':
      return `jhash(${term.parts.map((part) => `${printOperand(part.term)}:${part.bytes}${part.host ? ' host' : ''}`).join(' . ')} seed ${term.seed})`
    case 'walk':
      return `walk ${term.family}[${term.net}:${term.until}]`
  }
}

/** A term inside another: round brackets are arithmetic's, so a mask is in square ones. */
function printOperand(term: Term): string {
  return term.kind === 'mask' ? `[${printTerm(term)}]` : printTerm(term)
}

function fieldOf(term: Term): FieldId | undefined {
  return term.kind === 'field' ? term.field : term.kind === 'mask' ? fieldOf(term.term) : undefined
}

function printMask(term: Term, mask: bigint): string {
  const field = fieldOf(term)
  const kind = field && FIELDS[field].kind
  return kind === 'ipv4' || kind === 'ipv6' || kind === 'mac' ? printValue(term, mask) : `0x${mask.toString(16)}`
}

/** A value as its field writes it. */
export function printValue(term: Term, value: bigint): string {
  const field = fieldOf(term)
  return formatAs(field && FIELDS[field].kind, value)
}

function formatAs(kind: ValueKind | undefined, value: bigint): string {
  switch (kind) {
    case 'ipv4':
      return formatIpv4(value)
    case 'ipv6':
      return formatIpv6(value)
    case 'mac':
      return formatMac(value)
    case 'ifname': {
      const name = formatName(value)
      return parseName(name) === value ? JSON.stringify(name) : `0x${value.toString(16)}`
    }
    case 'hex':
    case 'ethertype':
    case 'igmptype':
    case 'flags':
      return `0x${value.toString(16)}`
    default:
      return String(value)
  }
}
