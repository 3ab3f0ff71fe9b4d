// Metadata in rules: a program that finds it in its context or in its map decides as evaluate does with the same values.

import { PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import {
  check,
  evaluate,
  type Filter,
  locate,
  type Pred,
  parse,
  print,
  type Term,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, loadableAt, type Metadata, type MetadataId } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import fc from 'fast-check'
import { Sieve } from 'netsieve'
import { describe, expect, it } from 'vitest'
import { frame } from './frames.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 15)
const IDS = (Object.keys(FIELDS) as FieldId[]).filter(isMetadata)
const TYPES = Object.keys(PROG_TYPES) as ProgTypeName[]

/** Few values, so that rules and packets often have the same. */
function value(field: FieldId): fc.Arbitrary<bigint> {
  const { bits } = FIELDS[field]
  const top = (1n << BigInt(bits)) - 1n
  return fc.constantFrom(0n, 1n, 2n, 3n, top, top - 1n, top >> 1n, (0x6c6fn << BigInt(Math.max(0, bits - 16))) & top)
}

const atom: (ids: readonly FieldId[]) => fc.Arbitrary<Pred> = (ids) =>
  fc.constantFrom(...ids).chain((field) => {
    const plain: Term = { kind: 'field', field }
    const { bits } = FIELDS[field]
    const test = fc.constantFrom('==', '!=', '<', '<=', '>', '>=' as const)
    return fc.oneof(
      fc.tuple(test, value(field)).map(([op, right]): Pred => ({ kind: 'cmp', term: plain, test: op, value: right })),
      fc.tuple(value(field), value(field)).map(
        ([mask, right]): Pred => ({
          kind: 'cmp',
          term: { kind: 'mask', term: plain, mask },
          test: '==',
          value: right & mask,
        }),
      ),
      fc
        .tuple(value(field), value(field))
        .map(([a, b]): Pred => ({ kind: 'in', term: plain, ranges: [a < b ? { lo: a, hi: b } : { lo: b, hi: a }] })),
      ...(bits <= 32
        ? [
            value(field).map(
              (right): Pred => ({
                kind: 'relation',
                left: { kind: 'bin', op: 'xor', left: plain, right: { kind: 'const', value: 3n } },
                test: '>',
                right: { kind: 'const', value: right },
              }),
            ),
          ]
        : []),
    )
  })

const HEADER: readonly FieldId[] = ['meta.length', 'meta.protocol', 'meta.l4proto', 'tcp.dport', 'ipv4.src']

function filterOf(view: ViewName, hook: string): fc.Arbitrary<Filter> {
  const ids = IDS.filter((id) => loadableAt(id, hook))
  const headers = VIEWS[view].missing === 'zero' ? HEADER.filter((id) => id !== 'meta.length') : HEADER
  const pred = fc.oneof({ weight: 4, arbitrary: atom(ids) }, { weight: 1, arbitrary: atom(headers) })
  const negated = fc.tuple(pred, fc.boolean()).map(([one, no]): Pred => (no ? { kind: 'not', arg: one } : one))
  return fc
    .array(fc.tuple(fc.array(negated, { minLength: 1, maxLength: 2 }), fc.boolean()), { minLength: 1, maxLength: 4 })
    .map((rules) => ({
      syntax: 'random',
      profile: 'nft-6.18',
      base: [{ chain: 'main', hook, view, family: VIEWS[view].reach === 'ip' ? 'ip' : 'any', policy: 'accept' }],
      chains: [
        {
          name: 'main',
          rules: rules.map(([preds, accept], id) => ({
            id,
            text: 'a rule',
            steps: [
              ...preds.map((one) => ({ kind: 'match', pred: one }) as const),
              { kind: 'verdict', verdict: { kind: accept ? 'accept' : 'drop' } },
            ],
          })),
        },
      ],
    }))
}

const PACKET_VALUES: fc.Arbitrary<Metadata> = fc.record(
  Object.fromEntries(
    IDS.map((id) => [id, value(id).filter((one) => (id !== 'meta.iif' && id !== 'meta.oif') || one !== 0n)]),
  ) as Record<MetadataId, fc.Arbitrary<bigint>>,
  { requiredKeys: [] },
)

const ip = (view: ViewName, bytes: Uint8Array) => {
  const { seen, nfproto, net } = locate(VIEWS[view], bytes)
  return seen && nfproto !== undefined && net !== undefined
}

const cases = (['nft-ip', 'nft-netdev', 'xt-ip', 'flower', 'pcap'] as const).flatMap((view) =>
  (['input', 'postrouting'] as const).flatMap((hook) => TYPES.map((type) => [view, hook, type] as const)),
)

describe.each(cases)('view %s at %s, %s', (view, hook, type) => {
  it('programs decide as evaluate does, and are accepted', () => {
    let judged = 0
    fc.assert(
      fc.property(
        filterOf(view, hook),
        fc.array(fc.tuple(frame, PACKET_VALUES), { minLength: 20, maxLength: 20 }),
        (filter, packets) => {
          fc.pre(check(filter).value !== undefined)
          expect(print(parse(source('', print(filter))).value!)).toBe(print(filter))
          const generated = generate(filter, { type })
          const verdict = verify(generated.insns, generated)
          if (verdict.status !== 'accepted') throw new Error(`${verdict.status}: ${verdict.message}\n${print(filter)}`)
          const sieve = new Sieve(
            { source: source('', ''), syntax: 'nft', filter, ...generated },
            judged % 2 ? 'jit' : 'interpreter',
          )
          for (const [bytes, meta] of packets) {
            // Programs that start at the network header are given IP packets only.
            if (PROG_TYPES[type].firstHeader === 'net' && !ip(view, bytes)) continue
            const got = sieve.judge(bytes, {}, meta)
            const { decision, rule } = evaluate(filter, bytes, { meta })
            if (got.fault || got.verdict !== decision || (got.rule ?? undefined) !== rule) {
              const values = Object.entries(meta).map(([key, one]) => `${key}=${one}`)
              throw new Error(
                `program: ${JSON.stringify(got)}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}\n${values.join(' ')}`,
              )
            }
            judged++
          }
        },
      ),
      { numRuns: RUNS, seed: 20_261_123, endOnFailure: false },
    )
    expect(judged).toBeGreaterThan(RUNS * 20 * 0.3)
  })
})
