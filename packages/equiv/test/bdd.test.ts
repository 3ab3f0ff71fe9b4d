import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Bdd, BudgetExceeded, FALSE, type Node, TRUE } from '../src/bdd.ts'

/** A boolean function of four variables as a table of 16 bits, built both ways. */
type Expression = { readonly table: number; readonly build: (bdd: Bdd) => Node }
const VARIABLES = [0xaaaa, 0xcccc, 0xf0f0, 0xff00]

const expression: fc.Arbitrary<Expression> = fc.letrec<{ e: Expression }>((tie) => ({
  e: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat(3).map((level) => ({ table: VARIABLES[level]!, build: (bdd: Bdd) => bdd.variable(level) })),
    fc
      .tuple(tie('e'), tie('e'))
      .map(([a, b]) => ({ table: a.table & b.table, build: (bdd: Bdd) => bdd.and(a.build(bdd), b.build(bdd)) })),
    fc
      .tuple(tie('e'), tie('e'))
      .map(([a, b]) => ({ table: a.table | b.table, build: (bdd: Bdd) => bdd.or(a.build(bdd), b.build(bdd)) })),
    fc
      .tuple(tie('e'), tie('e'))
      .map(([a, b]) => ({ table: a.table ^ b.table, build: (bdd: Bdd) => bdd.xor(a.build(bdd), b.build(bdd)) })),
    tie('e').map((a) => ({ table: ~a.table & 0xffff, build: (bdd: Bdd) => bdd.not(a.build(bdd)) })),
  ),
})).e

test('a diagram is its truth table, and equal tables are one node', () => {
  fc.assert(
    fc.property(expression, expression, (a, b) => {
      const bdd = new Bdd()
      const [nodeA, nodeB] = [a.build(bdd), b.build(bdd)]
      for (let row = 0; row < 16; row++) {
        expect(bdd.has(nodeA, (level) => ((row >> level) & 1) === 1)).toBe(((a.table >> row) & 1) === 1)
      }
      expect(nodeA === nodeB).toBe(a.table === b.table)
      expect(nodeA === FALSE).toBe(a.table === 0)
      expect(nodeA === TRUE).toBe(a.table === 0xffff)
      if (nodeA === FALSE) return
      const picked = bdd.pick(nodeA, (level) => level % 2 === 0)
      expect(bdd.has(nodeA, (level) => picked.get(level) ?? false)).toBe(true)
    }),
    { numRuns: 400 },
  )
})

test('a diagram of many nodes grows, and stops at its budget', () => {
  const parity = (bdd: Bdd, bits: number) => {
    let sum: Node = FALSE
    for (let level = 0; level < bits; level++) sum = bdd.xor(sum, bdd.variable(level))
    return sum
  }
  const bdd = new Bdd()
  const node = parity(bdd, 300)
  expect(bdd.has(node, (level) => level === 7)).toBe(true)
  expect(bdd.has(node, (level) => level < 8)).toBe(false)
  expect(bdd.size).toBeGreaterThan(1 << 12)
  expect(() => parity(new Bdd(1000), 300)).toThrow(BudgetExceeded)
})
