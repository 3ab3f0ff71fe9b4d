// Predicates as C conditions. A value that is absent ends the rule in the middle of a condition (GET), so that `!`, `&&` and `||` never see
// it: what is left to right here is left to right in ir's evaluate.ts.

import { compareValues, type Pred, type Term, type Test } from '@netsieve/ir'
import { contains } from './contains.ts'
import { exists } from './lists.ts'
import { number } from './prelude.ts'
import { type Scope, Unsupported } from './scope.ts'
import { finder, inRanges, setOf } from './sets.ts'
import { asked, call, compared, inOrder, isWide, kindOf } from './terms.ts'
import { mayEnd, packetValue } from './values.ts'

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
      // At the top of a rule: what is not there ends it as what is not so.
      if (depth === 1 && (pred.test === '==' || pred.test === '<' || pred.test === '<='))
        return comparison(scope, pred.term, OPPOSITE[pred.test], pred.value, compared)
      return condition(scope, { ...pred, test: OPPOSITE[pred.test] }, depth)
    case 'in':
      if (depth === 1) return `!${ranges(scope, pred, compared)}`
      return `!${condition(scope, pred, depth)}`
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
      return ranges(scope, pred)
    case 'relation':
      return inOrder(scope, [pred.left, pred.right], ([left, right]) => `${left} ${pred.test} ${right}`)
    case 'inSet':
      return call(scope, finder(scope, setOf(scope, pred.set)).name, pred.terms)
    case 'exists':
      return packetValue(scope, 1, (from) => ({ name: exists(from, pred.what), args: [], wide: false }))
    case 'contains':
      return packetValue(scope, 1, (from) => ({ name: contains(from, pred), args: [], wide: false }))
    case 'not':
      return unless(scope, pred.arg, depth)
    case 'sure':
      throw new Unsupported('a test that is false where a field is not there')
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

const ranges = (scope: Scope, { term, ranges }: Pred & { kind: 'in' }, value = asked): string =>
  inRanges(scope, value(scope, term), ranges, isWide(scope, term), kindOf(term))

/** A term against a constant. Unsigned numbers are never below 0: what is asked then is only whether the value is there. */
function comparison(scope: Scope, term: Term, test: Test, value: bigint, write = asked): string {
  const text = write(scope, term)
  if (value === 0n && (test === '<' || test === '>='))
    return mayEnd(text) ? `({ (void)${text}; ${test === '>='}; })` : String(test === '>=')
  return `${text} ${test} ${number(scope.unit, value, kindOf(term))}`
}
