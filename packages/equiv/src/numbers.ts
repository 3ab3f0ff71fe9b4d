// Numbers in decision diagrams: a node for each bit, the most significant first. What is made of them are sets of frames again.

import type { Range, Test } from '@netsieve/ir'
import { type Bdd, FALSE, type Node, TRUE } from './bdd.ts'

export type Bits = readonly Node[]

export function constant(value: bigint, width: number): Node[] {
  return Array.from({ length: width }, (_, i) => ((value >> BigInt(width - 1 - i)) & 1n ? TRUE : FALSE))
}

/** The lowest bits of a number, with zeros before them where it has fewer. */
export function widened(bits: Bits, width: number): Bits {
  return bits.length >= width
    ? bits.slice(bits.length - width)
    : [...Array<Node>(width - bits.length).fill(FALSE), ...bits]
}

/** The frames whose number is in a range. */
export function inside(bdd: Bdd, bits: Bits, { lo, hi }: Range): Node {
  return bdd.and(compareWith(bdd, bits, '>=', lo), compareWith(bdd, bits, '<=', hi))
}

export function compareWith(bdd: Bdd, bits: Bits, test: Test, value: bigint): Node {
  const top = 1n << BigInt(bits.length)
  // The bits cannot hold such a value: it is above, or below, all that they can be.
  if (value >= top) return test === '<' || test === '<=' || test === '!=' ? TRUE : FALSE
  if (value < 0n) return test === '>' || test === '>=' || test === '!=' ? TRUE : FALSE
  return compareBits(bdd, bits, test, constant(value, bits.length))
}

/** Compares numbers of one width, from the least significant bit up: what the lower bits say holds while the upper are equal. */
export function compareBits(bdd: Bdd, a: Bits, test: Test, b: Bits): Node {
  if (test === '!=') return bdd.not(compareBits(bdd, a, '==', b))
  if (test === '>') return bdd.not(compareBits(bdd, a, '<=', b))
  if (test === '>=') return bdd.not(compareBits(bdd, a, '<', b))
  let below: Node = test === '<' ? FALSE : TRUE
  for (let i = a.length - 1; i >= 0; i--) {
    const [x, y] = [a[i]!, b[i]!]
    const same = y === TRUE ? x : y === FALSE ? bdd.not(x) : bdd.not(bdd.xor(x, y))
    below = bdd.and(same, below)
    if (test !== '==') below = bdd.or(below, bdd.and(bdd.not(x), y))
  }
  return below
}

/** a + b + carry, as wide as they are. */
export function sum(bdd: Bdd, a: Bits, b: Bits, carryIn: Node): Node[] {
  const out: Node[] = []
  let carry = carryIn
  for (let i = a.length - 1; i >= 0; i--) {
    const half = bdd.xor(a[i]!, b[i]!)
    out.unshift(bdd.xor(half, carry))
    carry = bdd.or(bdd.and(a[i]!, b[i]!), bdd.and(half, carry))
  }
  return out
}
