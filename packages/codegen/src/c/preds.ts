// Terms and predicates as C expressions. A value that is absent ends the rule in the middle of the expression (GET), so that `!`,
// `&&` and `||` never see it: what is left to right here is left to right in ir's evaluate.ts.

import { compareValues, type Pred, type Range, type Term, type Test } from '@netsieve/ir'
import { FIELDS, type ValueKind } from '@netsieve/packet'
import { fieldFunction, loader } from './fields.ts'
import { get, macro, u128 } from './prelude.ts'
import type { Scope } from './scope.ts'
import { type Written, written } from './text.ts'

const OPPOSITE = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const satisfies Record<
  Test,
  Test
>

/** The condition under which a predicate does not hold. */
export function unless(scope: Scope, pred: Pred): string {
  switch (pred.kind) {
    case 'cmp':
    case 'relation':
      return condition(scope, { ...pred, test: OPPOSITE[pred.test] })
    case 'not':
      return condition(scope, pred.arg)
    case 'const':
      return String(!pred.value)
    default:
      return `!${inner(scope, pred)}`
  }
}

/** A predicate as a C condition. */
export function condition(scope: Scope, pred: Pred): string {
  switch (pred.kind) {
    case 'const':
      return String(pred.value)
    case 'cmp': {
      if (pred.term.kind === 'const') return String(compareValues(pred.term.value, pred.test, pred.value))
      return comparison(scope, pred.term, pred.test, pred.value)
    }
    case 'in':
      return `${setFunction(scope, pred.ranges, pred.term)}(${expression(scope, pred.term)})`
    case 'relation':
      return both(scope, pred.left, pred.test, pred.right)
    case 'not':
      return unless(scope, pred.arg)
    case 'and':
    case 'or': {
      if (pred.args.length === 0) return String(pred.kind === 'and')
      if (pred.args.length === 1) return condition(scope, pred.args[0]!)
      return pred.args.map((arg) => inner(scope, arg)).join(pred.kind === 'and' ? ' && ' : ' || ')
    }
  }
}

/** The same where an operator stands beside it. */
function inner(scope: Scope, pred: Pred): string {
  const text = condition(scope, pred)
  const simple =
    pred.kind === 'const' ||
    pred.kind === 'in' ||
    ((pred.kind === 'and' || pred.kind === 'or') && pred.args.length === 0)
  return simple || /^[a-z]\w*$/.test(text) ? text : `(${text})`
}

/** A term against a constant. Unsigned numbers are never below 0: what is asked then is only whether the value is there. */
function comparison(scope: Scope, term: Term, test: Test, value: bigint): string {
  const text = expression(scope, term)
  if (value === 0n && (test === '<' || test === '>=')) return `(${text}, ${test === '>='})`
  return `${text} ${test} ${number(scope, value, kindOf(term))}`
}

/** Two terms and what is between them, the left one fetched first whatever the compiler likes. */
function both(scope: Scope, left: Term, between: string, right: Term): string {
  const [first, second] = [expression(scope, left), expression(scope, right)]
  const ends = scope.view.cutDrops.length > 0 || scope.view.chainDrops
  if (!ends || !first.includes('GET') || !second.includes('GET')) return `${first} ${between} ${second}`
  return `({ __u64 left = ${first}; left ${between} ${second}; })`
}

/** A term as an expression, in brackets where it needs them. */
export function expression(scope: Scope, term: Term): string {
  switch (term.kind) {
    case 'const':
      return number(scope, term.value)
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
      return `(${expression(scope, term.term)} & ${number(scope, term.mask, kind === 'ipv4' || kind === 'mac' ? kind : 'hex')})`
    }
    case 'bin':
      return arithmetic(scope, term)
  }
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
      return `${op}(${expression(scope, left)}, ${expression(scope, right)})`
    case 'div':
    case 'mod': {
      get(unit, false)
      const divide = scope.name(op === 'div' ? 'divide' : 'modulo')
      return `GET(${unit.need(divide, () => `/* Nothing is divided by 0. */
static __always_inline int ${divide}(__u64 left, __u64 right, __u64 *value)
{
	if (right == 0)
		return ${absent};
	*value = left ${C_OPERATOR[op]} right;
	return 0;
}`)}, ${expression(scope, left)}, ${expression(scope, right)})` // biome-ignore format: C
    }
  }
}

/** The function that tells whether a value is in ranges: like sets share one. */
function setFunction({ unit }: Scope, ranges: readonly Range[], term: Term): string {
  const wide = isWide(term)
  const kind = kindOf(term)
  const text = (value: bigint) => numberIn(unit, value, kind)
  const key = `set ${wide} ${ranges.map(({ lo, hi }) => `${text(lo)}-${text(hi)}`).join()}`
  return unit.called(key, () => {
    const name = unit.unique('in_set')
    const type = wide ? u128(unit) : '__u64'
    const body =
      ranges.length === 0 ? '	(void)value;\n	return false;' : wide ? chain(ranges, text) : cases(ranges, text)
    return { name, text: `static __always_inline bool ${name}(${type} value)\n{\n${body}\n}` }
  })
}

/** A switch: clang makes a binary search of it. */
function cases(ranges: readonly Range[], text: (value: bigint) => string): string {
  const lines = ranges.map(({ lo, hi }) => `	case ${text(lo)}${lo === hi ? '' : ` ... ${text(hi)}`}:`)
  return ['	switch (value) {', ...lines, '		return true;', '	}', '	return false;'].join('\n')
}

function chain(ranges: readonly Range[], text: (value: bigint) => string): string {
  const parts = ranges.map(({ lo, hi }) => {
    if (lo === hi) return `value == ${text(lo)}`
    return lo === 0n ? `value <= ${text(hi)}` : `(value >= ${text(lo)} && value <= ${text(hi)})`
  })
  return `	return ${parts.join(' ||\n\t       ')};`
}

export function isWide(term: Term): boolean {
  switch (term.kind) {
    case 'field':
      return FIELDS[term.field].bits > 64
    case 'load':
      return term.bytes > 8
    case 'mask':
      return isWide(term.term)
    default:
      return false
  }
}

function kindOf(term: Term): ValueKind | undefined {
  return term.kind === 'field' ? FIELDS[term.field].kind : term.kind === 'mask' ? kindOf(term.term) : undefined
}

const number = ({ unit }: Scope, value: bigint, kind?: ValueKind): string => numberIn(unit, value, kind)

function numberIn(unit: Scope['unit'], value: bigint, kind?: ValueKind): string {
  const { text, needs }: Written = written(value, kind)
  if (needs === 'in.h' || needs === 'in6.h') unit.include(`linux/${needs}`)
  else if (needs) macro(unit, needs)
  if (text.startsWith('ETH_P_')) unit.include('linux/if_ether.h')
  return text
}
