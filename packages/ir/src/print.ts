// IR as text: one line a rule, its predicates in infix form, values as their fields write them. The text is canonical: parse.ts, which has the
// grammar, makes the same filter of it (spans aside), so different filters have different texts.

import { FIELDS, type FieldId, formatIpv4, formatIpv6, formatMac, formatName, parseName } from '@netsieve/packet'
import type { BinOp, Chain, Filter, Pred, Rule, Step, Term, Verdict } from './types.ts'

export const OPERATOR = { add: '+', sub: '-', mul: '*', div: '/', mod: '%', and: '&', or: '|', xor: '^', lsh: '<<', rsh: '>>' } as const satisfies Record<BinOp, string> // biome-ignore format: one family

/** A whole filter. */
export function print(filter: Filter): string {
  const head = [`filter ${printName(filter.syntax)} profile ${filter.profile}`]
  for (const { hook, view, family, chain, policy } of filter.base) {
    head.push(`hook ${printName(hook)} view ${view} family ${family} chain ${printName(chain)} policy ${policy}`)
  }
  return `${[...head, ...filter.chains.map(printChain)].join('\n')}\n`
}

function printChain(chain: Chain): string {
  return [`chain ${printName(chain.name)} {`, ...chain.rules.map((rule) => `  ${printRule(rule)}`), '}'].join('\n')
}

/** A name as it is where it is one word, else quoted as JSON has it. */
export function printName(name: string): string {
  return /^[\w./+-]+$/.test(name) && !name.includes('//') ? name : JSON.stringify(name)
}

/** `#0: meta.l4proto == 6, tcp.dport == 80, → drop    ; tcp dport 80 drop`; words that are not one plain line are quoted. */
export function printRule({ id, steps, text }: Rule): string {
  const plain = /^(?!")\S(?:\P{Cc}*\S)?$/u.test(text)
  const words = text === '' ? '' : `    ; ${plain ? text : JSON.stringify(text)}`
  return `#${id}: ${steps.map(printStep).join(', ')}`.trimEnd() + words
}

function printStep(step: Step): string {
  switch (step.kind) {
    case 'match':
      return printPred(step.pred)
    case 'count':
      return 'count'
    case 'verdict':
      return `→ ${printVerdict(step.verdict)}`
  }
}

function printVerdict(verdict: Verdict): string {
  return 'chain' in verdict ? `${verdict.kind} ${printName(verdict.chain)}` : verdict.kind
}

/** A predicate, bracketed where it needs to be. */
export function printPred(pred: Pred, inside = false): string {
  switch (pred.kind) {
    case 'const':
      return String(pred.value)
    case 'cmp':
      return `${printTerm(pred.term)} ${pred.test} ${printValue(pred.term, pred.value)}`
    case 'in': {
      const value = (number: bigint) => printValue(pred.term, number)
      return `${printTerm(pred.term)} in {${pred.ranges.map(({ lo, hi }) => (lo === hi ? value(lo) : `${value(lo)}-${value(hi)}`)).join(', ')}}`
    }
    case 'relation':
      return `${printTerm(pred.left)} ${pred.test} ${pred.right.kind === 'const' ? `(${pred.right.value})` : printOperand(pred.right)}`
    case 'not':
      return `not (${printPred(pred.arg)})`
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
    case 'length':
      return 'length'
    case 'const':
      return String(term.value)
    case 'mask':
      return `${printOperand(term.term)} & ${printMask(term.term, term.mask)}`
    case 'bin':
      return `(${printOperand(term.left)} ${OPERATOR[term.op]} ${printOperand(term.right)})`
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
  switch (field && FIELDS[field].kind) {
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
    case 'flags':
      return `0x${value.toString(16)}`
    default:
      return String(value)
  }
}
