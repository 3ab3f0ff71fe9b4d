import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { and, cmp, inRanges, load, not, or } from '../src/build.ts'
import { type DecisionGraph, decisionGraph, threaded, type Way } from '../src/decisions.ts'
import type { Pred, Term, Test } from '../src/types.ts'

const A = load('link', 0, 1)
const B = load('link', 1, 1)
const a = (test: Test, value: number) => cmp(A, test, value)
const b = (test: Test, value: number) => cmp(B, test, value)

/** What a predicate says of packets of two bytes, straight from its shape. */
function holds(pred: Pred, bytes: readonly [number, number]): boolean {
  const value = (term: Term) => BigInt(term === A ? bytes[0] : bytes[1])
  switch (pred.kind) {
    case 'const':
      return pred.value
    case 'not':
      return !holds(pred.arg, bytes)
    case 'and':
      return pred.args.every((arg) => holds(arg, bytes))
    case 'or':
      return pred.args.some((arg) => holds(arg, bytes))
    case 'in':
      return pred.ranges.some(({ lo, hi }) => lo <= value(pred.term) && value(pred.term) <= hi)
    case 'cmp':
      return compare(value(pred.term), pred.test, pred.value)
    case 'relation':
      return compare(value(pred.left), pred.test, value(pred.right))
    case 'inSet':
    case 'exists':
    case 'contains':
    case 'sure':
      throw new Error('not in graphs')
  }
}

function compare(left: bigint, test: Test, right: bigint): boolean {
  const outcomes = { '==': left === right, '!=': left !== right, '<': left < right, '<=': left <= right, '>': left > right, '>=': left >= right } // biome-ignore format: a table
  return outcomes[test]
}

/** Where a graph leads, and the first bytes of the terms it reads. */
function walk({ entry, nodes }: DecisionGraph, bytes: readonly [number, number]): Way {
  let way = entry
  while (typeof way === 'number') {
    const node = nodes[way]!
    const test = ({ eq: '==', gt: '>', ge: '>=' } as const)[node.test]
    const value = (term: Term) => BigInt(term === A ? bytes[0] : bytes[1])
    const operand = typeof node.operand === 'bigint' ? node.operand : value(node.operand)
    way = compare(value(node.left), test, operand) ? node.yes : node.no
  }
  return way
}

const leaf: fc.Arbitrary<Pred> = fc
  .tuple(fc.boolean(), fc.constantFrom<Test>('==', '!=', '<', '<=', '>', '>='), fc.nat(3), fc.nat(6))
  .map(([first, test, value, kind]): Pred => {
    const term = first ? A : B
    if (kind === 0) return { kind: 'relation', left: A, test, right: B }
    if (kind === 1) return inRanges(term, [{ lo: 0n, hi: BigInt(value) }, { lo: 3n, hi: 3n }]) // biome-ignore format: one call
    return cmp(term, test, value)
  })
const { pred } = fc.letrec<{ pred: Pred }>((tie) => ({
  pred: fc.oneof(
    { depthSize: 'small' },
    leaf,
    tie('pred').map(not),
    fc.array(tie('pred'), { minLength: 1, maxLength: 4 }).map((args) => and(...args)),
    fc.array(tie('pred'), { minLength: 1, maxLength: 4 }).map((args) => or(...args)),
  ),
}))
const PACKETS = Array.from({ length: 16 }, (_, i) => [i >> 2, i & 3] as const)

test('a graph, threaded or not, decides as its predicate does', () => {
  fc.assert(
    fc.property(pred, (each) => {
      const graph = decisionGraph(each)
      for (const form of [graph, threaded(graph), threaded(graph, true)]) {
        for (const bytes of PACKETS) expect(walk(form, bytes)).toBe(holds(each, bytes) ? 'yes' : 'no')
      }
    }),
    { numRuns: 400 },
  )
})

describe('what is known', () => {
  const length = (each: Pred) => threaded(decisionGraph(each)).nodes.length
  test.each([
    ['the same test twice', and(a('==', 1), a('==', 1)), 1],
    ['equal to one is not equal to another', and(a('==', 1), a('==', 2)), 0],
    ['unequal tells nothing of another', and(a('!=', 1), a('!=', 2)), 2],
    ['a test that changes nothing', or(and(a('==', 1), b('==', 1)), a('==', 1)), 1],
    ['its opposite', or(a('==', 1), a('!=', 1)), 0],
  ])('%s', (_, each, nodes) => {
    expect(length(each)).toBe(nodes)
  })
})

test('tens of thousands of tests are threaded in no time', () => {
  const port = (value: number) => cmp('tcp.dport', '==', value)
  const args = Array.from({ length: 30_000 }, (_, i) => port(i))
  expect(threaded(decisionGraph({ kind: 'or', args: [...args, port(7)] })).nodes).toHaveLength(30_000)
})
