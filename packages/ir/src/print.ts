// IR as text for people: one line a rule, its predicates in infix form, values as their fields write them.

import { FIELDS, type FieldId, formatIpv4, formatIpv6, formatMac } from '@netsieve/packet'
import type { BinOp, Chain, Filter, Pred, Rule, Step, Term, Verdict } from './types.ts'

const OPERATOR = { add: '+', sub: '-', mul: '*', div: '/', mod: '%', and: '&', or: '|', xor: '^', lsh: '<<', rsh: '>>' } as const satisfies Record<BinOp, string> // biome-ignore format: one family

/** A whole filter. */
export function print(filter: Filter): string {
  const head = [`filter ${filter.syntax} profile ${filter.profile}`]
  for (const base of filter.base) {
    head.push(`hook ${base.hook} view ${base.view} family ${base.family} chain ${base.chain} policy ${base.policy}`)
  }
  return `${[...head, ...filter.chains.map(printChain)].join('\n')}\n`
}

function printChain(chain: Chain): string {
  return [`chain ${chain.name} {`, ...chain.rules.map((rule) => `  ${printRule(rule)}`), '}'].join('\n')
}

/** `#0: meta.l4proto == 6, tcp.dport == 80 → drop`. */
export function printRule(rule: Rule): string {
  const steps = rule.steps.map(printStep)
  return `#${rule.id}: ${steps.join(', ')}    ; ${rule.text.replace(/\s+/g, ' ')}`
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
  return 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind
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
      return `${printTerm(pred.left)} ${pred.test} ${printTerm(pred.right)}`
    case 'not':
      return `not (${printPred(pred.arg)})`
    case 'and':
    case 'or': {
      if (pred.args.length === 0) return pred.kind === 'and' ? 'true' : 'false'
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
      return `${term.base}[${term.index ? `${printTerm(term.index)} + ` : ''}${term.offset}:${term.bytes}]`
    case 'length':
      return 'length'
    case 'const':
      return String(term.value)
    case 'mask':
      return `${printTerm(term.term)} & ${printMask(term.term, term.mask)}`
    case 'bin':
      return `(${printTerm(term.left)} ${OPERATOR[term.op]} ${printTerm(term.right)})`
  }
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
    case 'hex':
    case 'ethertype':
    case 'flags':
      return `0x${value.toString(16)}`
    default:
      return String(value)
  }
}
