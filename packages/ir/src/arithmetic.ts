// Comparison and arithmetic of terms: unsigned, 32 bits wide where it computes.

import type { BinOp, Test } from './types.ts'

/** `left test right`. */
export function compareValues(left: bigint, test: Test, right: bigint): boolean {
  switch (test) {
    case '==':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
  }
}

/** 32-bit unsigned arithmetic; division by zero makes the term missing, shifts of 32 or more give 0. */
export function arithmetic(op: BinOp, left: bigint, right: bigint): bigint | 'missing' {
  switch (op) {
    case 'add':
      return BigInt.asUintN(32, left + right)
    case 'sub':
      return BigInt.asUintN(32, left - right)
    case 'mul':
      return BigInt.asUintN(32, left * right)
    case 'div':
      return right === 0n ? 'missing' : left / right
    case 'mod':
      return right === 0n ? 'missing' : left % right
    case 'and':
      return left & right
    case 'or':
      return left | right
    case 'xor':
      return left ^ right
    case 'lsh':
      return right > 31n ? 0n : BigInt.asUintN(32, left << right)
    case 'rsh':
      return right > 31n ? 0n : left >> right
  }
}
