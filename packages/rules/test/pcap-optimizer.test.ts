import {
  and,
  cmp,
  type DecisionGraph,
  decisionGraph,
  inRanges,
  load,
  not,
  or,
  type Pred,
  type Test,
} from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { optimized } from '../src/pcap-filter/optimizer.ts'
import { regrouped } from '../src/pcap-filter/regroup.ts'

const BYTES = [0, 1, 2].map((at) => load('link', at, 1))
const byte = (at: number, test: Test, value: number) => cmp(BYTES[at]!, test, value)

type Says = 'yes' | 'no' | 'missing'

/** What a predicate says of a packet: the first byte asked for that is not there ends it. */
function says(pred: Pred, packet: readonly number[]): Says {
  switch (pred.kind) {
    case 'const':
      return pred.value ? 'yes' : 'no'
    case 'not': {
      const arg = says(pred.arg, packet)
      return arg === 'missing' ? arg : arg === 'yes' ? 'no' : 'yes'
    }
    case 'and':
    case 'or': {
      const on = pred.kind === 'and' ? 'yes' : 'no'
      for (const arg of pred.args) {
        const outcome = says(arg, packet)
        if (outcome !== on) return outcome
      }
      return on
    }
    case 'cmp':
    case 'in': {
      const value = packet[BYTES.indexOf(pred.term as (typeof BYTES)[number])]
      if (value === undefined) return 'missing'
      const holds = pred.kind === 'in' ? pred.ranges.some(({ lo, hi }) => lo <= value && value <= hi) : compare(value, pred.test, Number(pred.value)) // biome-ignore format: one choice
      return holds ? 'yes' : 'no'
    }
    default:
      throw new Error(pred.kind)
  }
}

function compare(left: number, test: Test, right: number): boolean {
  return { '==': left === right, '!=': left !== right, '<': left < right, '<=': left <= right, '>': left > right, '>=': left >= right }[test] // biome-ignore format: a table
}

function walk({ entry, nodes }: DecisionGraph, packet: readonly number[]): Says {
  let way = entry
  while (typeof way === 'number') {
    const { left, test, operand, yes, no } = nodes[way]!
    const value = packet[BYTES.indexOf(left as (typeof BYTES)[number])]
    if (value === undefined) return 'missing'
    way = compare(value, ({ eq: '==', gt: '>', ge: '>=' } as const)[test], Number(operand)) ? yes : no
  }
  return way
}

const leaf = fc
  .tuple(fc.nat(2), fc.constantFrom<Test>('==', '==', '==', '!=', '<=', '>='), fc.nat(3))
  .map(([at, test, value]) => byte(at, test, value))
const { pred } = fc.letrec<{ pred: Pred }>((tie) => ({
  pred: fc.oneof(
    { depthSize: 'small' },
    leaf,
    tie('pred').map(not),
    fc.array(tie('pred'), { minLength: 1, maxLength: 4 }).map((args) => and(...args)),
    fc.array(tie('pred'), { minLength: 1, maxLength: 4 }).map((args) => or(...args)),
  ),
}))
const WHOLE = Array.from({ length: 64 }, (_, i) => [i >> 4, (i >> 2) & 3, i & 3])
const CUT = [...WHOLE, ...WHOLE.map((packet) => packet.slice(0, 2)), [0], [1], []]
const nodePred = ({ left, test, operand, yes, no }: DecisionGraph['nodes'][number]): Pred => {
  const made = cmp(left, ({ eq: '==', gt: '>', ge: '>=' } as const)[test], operand as bigint)
  return yes === no ? or(made, { kind: 'const', value: true }) : made
}

test('the optimised graph decides alike where every byte is there, or says that it may not', () => {
  fc.assert(
    fc.property(pred, (each) => {
      const { graph, mistaken } = optimized(decisionGraph(each))
      if (mistaken) return
      for (const packet of WHOLE) expect(walk(graph, packet)).toBe(says(each, packet))
    }),
    { numRuns: 300 },
  )
})

test('a graph that is not changed decides alike on cut packets too', () => {
  fc.assert(
    fc.property(pred, (each) => {
      const { graph, changed } = optimized(decisionGraph(each))
      if (!changed) for (const packet of CUT) expect(walk(graph, packet)).toBe(says(each, packet))
    }),
    { numRuns: 300 },
  )
})

test('a regrouped graph asks for the same bytes in the same order', () => {
  fc.assert(
    fc.property(pred, (each) => {
      const { graph } = optimized(decisionGraph(each))
      const made = regrouped(graph, nodePred)
      if (made) for (const packet of CUT) expect(says(made, packet)).toBe(walk(graph, packet))
    }),
    { numRuns: 300 },
  )
})

describe('what the optimiser does', () => {
  const settled = (each: Pred) => {
    const { graph } = optimized(decisionGraph(each))
    return regrouped(graph, nodePred)
  }
  test.each<[string, Pred, Pred]>([
    ['leaves out a test that changes nothing', or(and(byte(0, '==', 1), byte(1, '==', 1)), byte(0, '==', 1)), byte(0, '==', 1)], // biome-ignore format: a row
    ['brings tests of one value together', or(byte(0, '==', 1), byte(1, '==', 1), byte(0, '==', 2)), or(inRanges(BYTES[0]!, [{ lo: 1n, hi: 2n }]), byte(1, '==', 1))], // biome-ignore format: a row
    ['keeps the first test', or(byte(0, '==', 1), byte(0, '!=', 1)), and(or(byte(0, '==', 1), { kind: 'const', value: true }), { kind: 'const', value: true })], // biome-ignore format: a row
  ])('%s', (_, each, wanted) => {
    const made = settled(each)!
    for (const packet of CUT) expect(says(made, packet)).toBe(says(wanted, packet))
  })
})
