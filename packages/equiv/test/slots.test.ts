import { evaluate, type Filter, field, type Pred, type Term, type Test } from '@netsieve/ir'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PLAIN_TCP } from '../src/frame.ts'
import { buildFrame } from '../src/index.ts'
import { complement, constraintOf, fieldSlot } from '../src/slots.ts'

const TTL = fieldSlot('ipv4.ttl')
const frameOf = (value: number) => buildFrame({ ...PLAIN_TCP, writes: [{ slot: TTL, value: BigInt(value) }] })
const FRAMES = Array.from({ length: 256 }, (_, value) => frameOf(value))

function holds(pred: Pred, frame: Uint8Array): boolean {
  const filter: Filter = {
    syntax: 'test',
    profile: 'nft-6.18',
    base: [{ chain: 'c', hook: 'ingress', view: 'nft-netdev', family: 'any', policy: 'accept' }],
    chains: [
      {
        name: 'c',
        rules: [
          {
            id: 0,
            text: '',
            steps: [
              { kind: 'match', pred },
              { kind: 'verdict', verdict: { kind: 'drop' } },
            ],
          },
        ],
      },
    ],
  }
  return evaluate(filter, frame).decision === 'drop'
}

const byte = fc.integer({ min: 0, max: 255 }).map(BigInt)
const term: fc.Arbitrary<Term> = fc.oneof(
  fc.constant(field('ipv4.ttl')),
  byte.map((mask): Term => ({ kind: 'mask', term: field('ipv4.ttl'), mask })),
  fc.constantFrom(0xf0n, 0x80n, 0xfen).map((mask): Term => ({ kind: 'mask', term: field('ipv4.ttl'), mask })),
  fc.tuple(fc.constantFrom('and', 'rsh', 'add'), byte).map(([op, value]): Term => {
    const right: Term = { kind: 'const', value: op === 'rsh' ? value % 8n : value }
    return { kind: 'bin', op: op as 'and' | 'rsh' | 'add', left: field('ipv4.ttl'), right }
  }),
)
const tests = fc.constantFrom<Test>('==', '!=', '<', '<=', '>', '>=')
const atom: fc.Arbitrary<Pred> = fc.oneof(
  fc.record({ kind: fc.constant('cmp' as const), term, test: tests, value: byte }),
  fc.record({
    kind: fc.constant('relation' as const),
    left: term,
    test: tests,
    right: byte.map((value): Term => ({ kind: 'const', value })),
  }),
  fc
    .tuple(term, byte, byte)
    .map(([term, a, b]): Pred => ({ kind: 'in', term, ranges: [{ lo: a < b ? a : b, hi: a < b ? b : a }] })),
)

test('a constraint allows the numbers for which its comparison holds, and no others', () => {
  let told = 0
  fc.assert(
    fc.property(atom, fc.boolean(), (pred, wanted) => {
      const constraint = constraintOf(pred, wanted)
      if (!constraint) return
      told++
      for (const [value, frame] of FRAMES.entries()) {
        const number = BigInt(value)
        const allowed =
          constraint.kind === 'ranges'
            ? constraint.ranges.some(({ lo, hi }) => lo <= number && number <= hi)
            : ((number & constraint.mask) === constraint.value) === constraint.equal
        expect([value, allowed]).toEqual([value, holds(pred, frame) === wanted])
      }
    }),
    { numRuns: 150 },
  )
  expect(told).toBeGreaterThan(75)
})

test('the complement of ranges', () => {
  const ranges = [
    { lo: 0n, hi: 3n },
    { lo: 9n, hi: 9n },
  ]
  expect(complement(ranges, 12n)).toEqual([
    { lo: 4n, hi: 8n },
    { lo: 10n, hi: 12n },
  ])
  expect(complement([], 5n)).toEqual([{ lo: 0n, hi: 5n }])
  expect(complement([{ lo: 0n, hi: 5n }], 5n)).toEqual([])
})
