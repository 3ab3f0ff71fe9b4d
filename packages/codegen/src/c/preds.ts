// Terms and predicates as C expressions. A value that is absent ends the rule in the middle of the expression (GET), so that `!`,
// `&&` and `||` never see it: what is left to right here is left to right in ir's evaluate.ts.

import { compareValues, type Pred, type SetDef, type Term, type Test } from '@netsieve/ir'
import { FIELDS, type ValueKind } from '@netsieve/packet'
import { fieldFunction, loader } from './fields.ts'
import { get, number } from './prelude.ts'
import type { Scope } from './scope.ts'
import { finder, rangesFunction, valueFunction } from './sets.ts'

const OPPOSITE = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const satisfies Record<
  Test,
  Test
>

/** Characters of a condition that stand in one line. */
const LONGEST = 90

/** The condition under which a predicate does not hold. */
export function unless(scope: Scope, pred: Pred, depth = 1): string {
  switch (pred.kind) {
    case 'cmp':
    case 'relation':
      return condition(scope, { ...pred, test: OPPOSITE[pred.test] }, depth)
    case 'not':
      return condition(scope, pred.arg, depth)
    case 'const':
      return String(!pred.value)
    case 'and':
    case 'or':
      if (pred.args.length === 0) return String(pred.kind === 'or')
      if (pred.args.length === 1) return unless(scope, pred.args[0]!, depth)
      return `!(${condition(scope, pred, depth)})`
    default:
      return `!${condition(scope, pred, depth)}`
  }
}

/** A predicate as a C condition; lines that it is broken into are `depth` tabs in. */
function condition(scope: Scope, pred: Pred, depth: number): string {
  switch (pred.kind) {
    case 'const':
      return String(pred.value)
    case 'cmp': {
      if (pred.term.kind === 'const') return String(compareValues(pred.term.value, pred.test, pred.value))
      return comparison(scope, pred.term, pred.test, pred.value)
    }
    case 'in':
      return `${rangesFunction(scope, pred.ranges, isWide(scope, pred.term), kindOf(pred.term))}(${expression(scope, pred.term)})`
    case 'relation':
      return both(scope, pred.left, pred.test, pred.right)
    case 'inSet':
      return call(scope, finder(scope, setOf(scope, pred.set)).name, pred.terms)
    case 'not':
      return unless(scope, pred.arg, depth)
    case 'and':
    case 'or': {
      if (pred.args.length === 0) return String(pred.kind === 'and')
      if (pred.args.length === 1) return condition(scope, pred.args[0]!, depth)
      const parts = pred.args.map((arg) => inner(scope, arg, depth + 1))
      const operator = pred.kind === 'and' ? '&&' : '||'
      const line = parts.join(` ${operator} `)
      return line.length > LONGEST ? parts.join(` ${operator}\n${'\t'.repeat(depth)}    `) : line
    }
  }
}

/** The same where an operator stands beside it. */
function inner(scope: Scope, pred: Pred, depth: number): string {
  const text = condition(scope, pred, depth)
  return isJunction(pred) ? `(${text})` : text
}

/** Whether a condition is written as parts that `&&` or `||` joins. */
function isJunction(pred: Pred): boolean {
  if (pred.kind === 'not') return pred.arg.kind === 'not' && isJunction(pred.arg.arg)
  if (pred.kind !== 'and' && pred.kind !== 'or') return false
  return pred.args.length === 1 ? isJunction(pred.args[0]!) : pred.args.length > 1
}

/** A term against a constant. Unsigned numbers are never below 0: what is asked then is only whether the value is there. */
function comparison(scope: Scope, term: Term, test: Test, value: bigint): string {
  const text = expression(scope, term)
  if (value === 0n && (test === '<' || test === '>='))
    return text.includes('GET') ? `({ (void)${text}; ${test === '>='}; })` : String(test === '>=')
  return `${text} ${test} ${number(scope.unit, value, kindOf(term))}`
}

/** Two terms and what is between them, the left one fetched first. */
function both(scope: Scope, left: Term, between: string, right: Term): string {
  return inOrder(scope, [left, right], ([first, second]) => `${first} ${between} ${second}`)
}

/** A function of the values of terms. */
export function call(scope: Scope, name: string, terms: readonly Term[]): string {
  return inOrder(scope, terms, (values) => `${name}(${values.join(', ')})`)
}

/** What a function fetches for the values of terms. */
function fetched(scope: Scope, name: string, terms: readonly Term[], wide: boolean): string {
  return inOrder(scope, terms, (values) => `GET${wide ? '128' : ''}(${[name, ...values].join(', ')})`)
}

/** What is made of the values of terms. Where it matters which one fails first, they are fetched one after the other whatever the compiler likes. */
function inOrder(scope: Scope, terms: readonly Term[], make: (values: readonly string[]) => string): string {
  const values = terms.map((term) => expression(scope, term))
  const drops = scope.view.cutDrops.length > 0 || scope.view.chainDrops
  if (!drops || values.filter((value) => value.includes('GET')).length < 2) return make(values)
  const names = values.map((_, i) => `v${i + 1}`)
  const first = values.map((value, i) => `${isWide(scope, terms[i]!) ? 'u128' : '__u64'} ${names[i]} = ${value};`)
  return `({ ${first.join(' ')} ${make(names)}; })`
}

/** A term as an expression, in brackets where it needs them. */
export function expression(scope: Scope, term: Term): string {
  switch (term.kind) {
    case 'const':
      // Unsigned: a sum of two would be signed otherwise, and could overflow.
      return number(scope.unit, term.value).replace(/\d$/, '$&U')
    case 'length':
      return '(__u64)p->size'
    case 'field': {
      const wide = FIELDS[term.field].bits > 64
      get(scope.unit, wide)
      return `GET${wide ? '128' : ''}(${fieldFunction(scope, term.field)}, p)`
    }
    case 'load': {
      const wide = term.bytes > 8
      get(scope.unit, wide)
      const short = !term.index && isAligned(term.offset, term.bytes)
      const from = loader(scope, term.base, wide, { short })
      return `GET${wide ? '128' : ''}(${from}, p, ${offset(scope, term)}, ${term.bytes})`
    }
    case 'mask': {
      const kind = kindOf(term.term)
      return `(${expression(scope, term.term)} & ${number(scope.unit, term.mask, kind === 'ipv4' || kind === 'mac' ? kind : 'hex')})`
    }
    case 'bin':
      return arithmetic(scope, term)
    case 'mapped': {
      const { name, wide } = valueFunction(scope, setOf(scope, term.map))
      get(scope.unit, wide)
      return fetched(scope, name, term.terms, wide)
    }
  }
}

/** @throws Error for a set that there is not */
export function setOf({ sets }: Scope, name: string): SetDef {
  const set = sets.get(name)
  if (!set) throw new Error(`set ${name} is not defined`)
  return set
}

const isAligned = (offset: number, bytes: number): boolean =>
  (bytes === 1 || bytes === 2 || bytes === 4) && offset % bytes === 0

/** Where a load is, with an index that stays where frames can be. */
function offset(scope: Scope, { offset: at, index }: Term & { kind: 'load' }): string {
  if (!index) return String(at)
  scope.unit.need('near', () => `/* An index of the packet's bytes: no frame is longer. */
static __always_inline __u64 near(__u64 index)
{
	return index > 0xffffff ? 0xffffff : index;
}`) // biome-ignore format: C
  return `${at} + near(${expression(scope, index)})`
}

const C_OPERATOR = { add: '+', sub: '-', mul: '*', div: '/', mod: '%', and: '&', or: '|', xor: '^', lsh: '<<', rsh: '>>' } as const // biome-ignore format: one family

/** 32-bit arithmetic. */
function arithmetic(scope: Scope, { op, left, right }: Term & { kind: 'bin' }): string {
  const { unit, absent } = scope
  switch (op) {
    case 'and':
    case 'or':
    case 'xor':
      return `(${both(scope, left, C_OPERATOR[op], right)})`
    case 'add':
    case 'sub':
    case 'mul':
      return `(__u32)(${both(scope, left, C_OPERATOR[op], right)})`
    case 'lsh':
    case 'rsh':
      unit.need(op, () => `/* Shifts of 32 or more give 0. */
static __always_inline __u64 ${op}(__u64 left, __u64 right)
{
	return right > 31 ? 0 : (__u32)(left ${C_OPERATOR[op]} right);
}`) // biome-ignore format: C
      return call(scope, op, [left, right])
    case 'div':
    case 'mod': {
      get(unit, false)
      const divide = scope.name(op === 'div' ? 'divide' : 'modulo')
      unit.need(divide, () => `/* Nothing is divided by 0. */
static __always_inline int ${divide}(__u64 left, __u64 right, __u64 *value)
{
	if (right == 0)
		return ${absent};
	*value = left ${C_OPERATOR[op]} right;
	return 0;
}`) // biome-ignore format: C
      return fetched(scope, divide, [left, right], false)
    }
  }
}

/** Whether a term's value may have more than 64 bits. */
function isWide(scope: Scope, term: Term): boolean {
  switch (term.kind) {
    case 'field':
      return FIELDS[term.field].bits > 64
    case 'load':
      return term.bytes > 8
    case 'mask':
      return isWide(scope, term.term)
    case 'mapped':
      return valueFunction(scope, setOf(scope, term.map)).wide
    default:
      return false
  }
}

function kindOf(term: Term): ValueKind | undefined {
  return term.kind === 'field' ? FIELDS[term.field].kind : term.kind === 'mask' ? kindOf(term.term) : undefined
}
