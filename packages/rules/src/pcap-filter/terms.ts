// Arithmetic on terms with what libpcap's optimiser does to it: constants are computed, and what cannot matter (`x & 0`, `x * 0`, `0 / x`)
// is not loaded at all, which shows on packets that are cut there.

import { type BinOp, compareValues, FALSE, type Pred, type Term, type Test, TRUE } from '@netsieve/ir'

export function constant(value: bigint | number): Term {
  return { kind: 'const', value: BigInt.asUintN(32, BigInt(value)) }
}

/** Why an operation is refused. */
export type Refusal = 'division by zero' | 'modulus by zero' | 'shift by more than 31 bits'

/** `left op right`, folded; the reason if its right side is a constant that cannot be. */
export function combine(op: BinOp, left: Term, right: Term): Term | Refusal {
  if (right.kind === 'const') {
    const refusal = refuse(op, left, right.value)
    if (refusal) return refusal
    if (left.kind === 'const') return constant(compute(op, left.value, right.value))
    if (right.value === 0n) return op === 'mul' || op === 'and' ? constant(0) : left
    if (op === 'and') return mask(left, right.value)
  } else if (left.kind === 'const' && left.value === 0n) {
    if (op === 'add' || op === 'or' || op === 'xor') return right
    if (op !== 'sub') return constant(0)
  }
  return { kind: 'bin', op, left, right }
}

function mask(term: Term, bits: bigint): Term {
  return term.kind === 'mask' ? mask(term.term, term.mask & bits) : { kind: 'mask', term, mask: bits }
}

/** Of two constants, a shift too far is 0. */
function refuse(op: BinOp, left: Term, right: bigint): Refusal | undefined {
  if (op === 'div' && right === 0n) return 'division by zero'
  if (op === 'mod' && right === 0n) return 'modulus by zero'
  if ((op === 'lsh' || op === 'rsh') && right > 31n && left.kind !== 'const') return 'shift by more than 31 bits'
  return undefined
}

function compute(op: BinOp, left: bigint, right: bigint): bigint {
  switch (op) {
    case 'add':
      return left + right
    case 'sub':
      return left - right
    case 'mul':
      return left * right
    case 'div':
      return left / right
    case 'mod':
      return left % right
    case 'and':
      return left & right
    case 'or':
      return left | right
    case 'xor':
      return left ^ right
    case 'lsh':
      return right > 31n ? 0n : left << right
    case 'rsh':
      return right > 31n ? 0n : left >> right
  }
}

const FLIPPED: Record<Test, Test> = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

/**
 * A comparison as libpcap's optimiser first sees it, when constants are not computed yet: equality as a difference that is 0, but with a
 * `literal` on the right.
 */
export function relateInFull(left: Term, test: Test, right: Term, literal: boolean): Pred {
  if (!literal && (test === '==' || test === '!='))
    return { kind: 'relation', left: { kind: 'bin', op: 'sub', left, right }, test, right: constant(0) }
  return { kind: 'relation', left, test, right }
}

/** A comparison of two terms, in the simplest form there is. */
export function relate(left: Term, test: Test, right: Term): Pred {
  if (right.kind === 'const') {
    if (left.kind === 'const') return compareValues(left.value, test, right.value) ? TRUE : FALSE
    return { kind: 'cmp', term: left, test, value: right.value }
  }
  if (left.kind === 'const') return { kind: 'cmp', term: right, test: FLIPPED[test], value: left.value }
  return { kind: 'relation', left, test, right }
}
