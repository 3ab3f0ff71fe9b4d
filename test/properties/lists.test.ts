// Searches in lists: the program finds what evaluate finds, in options, extension headers and chunks that are as they should be, and in odd ones.

import { decisionOf, type ProgTypeName } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import { and, cmp, evaluate, exists, type Filter, find, match, not, or, type Pred, print, VIEWS, type ViewName, verdict } from '@netsieve/ir' // biome-ignore format: one line
import { FIELDS, type FieldId, type ListName, PROTOCOLS, type ProtocolName, protocol } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listFrame } from './list-frames.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 2)
const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const LISTS: readonly ListName[] = ['ipv4', 'ipv6', 'tcp', 'dccp', 'sctp']

const entries = (list: ListName) =>
  (Object.keys(PROTOCOLS) as ProtocolName[]).filter((name) => protocol(name).entry?.list === list)

function atom(list: ListName): fc.Arbitrary<Pred> {
  const fields = (Object.keys(FIELDS) as FieldId[]).filter((id) => protocol(FIELDS[id].proto).entry?.list === list && FIELDS[id].bits <= 32) // biome-ignore format: one chain
  const compared = fc
    .tuple(
      fc.constantFrom<FieldId>(...(fields.length > 0 ? fields : (['ipv4.ttl'] as const))),
      fc.constantFrom(0, 1, 2, 4, 5, 8),
    )
    .map(([field, value]) => cmp(field, '==', BigInt(value) & ((1n << BigInt(FIELDS[field].bits)) - 1n)))
  const names = entries(list)
  const named = names.length > 0 ? fc.constantFrom(...names).map((name) => exists(name)) : compared
  const numbered = fc.tuple(fc.nat(255), fc.nat(3)).map(([type, bytes]) => exists(find(list, type, bytes)))
  return fc.oneof(
    { weight: 2, arbitrary: compared },
    { weight: 2, arbitrary: named },
    { weight: 1, arbitrary: numbered },
  )
}

const pred = (list: ListName): fc.Arbitrary<Pred> =>
  fc.oneof(
    atom(list),
    atom(list).map(not),
    // Asked a second time where it was asked before: what was found is remembered.
    atom(list).map((a) => and(or(a, not(a)), a)),
    fc.tuple(atom(list), atom(list)).map(([a, b]) => and(a, b)),
    fc.tuple(atom(list), atom(list)).map(([a, b]) => or(not(a), b)),
  )

const filterOf = (view: ViewName, preds: readonly Pred[]): Filter => ({
  syntax: 'random',
  profile: 'nft-6.18',
  base: [{ chain: 'main', hook: 'input', view, family: VIEWS[view].reach === 'ip' ? 'ip' : 'any', policy: 'accept' }],
  chains: [
    {
      name: 'main',
      rules: preds.map((one, id) => ({
        id,
        text: 'a rule',
        steps: [match(one), verdict(id === 0 ? 'drop' : 'accept')],
      })),
    },
  ],
})

/** Views that search lists each in their own way. */
const views = (['nft-ip', 'nft-netdev', 'xt-ip', 'flower', 'ethtool'] as const satisfies readonly ViewName[]).flatMap(
  (view) => LISTS.map((list) => [view, list] as const),
)

describe.each(views)('view %s, list %s', (view, list) => {
  it.each(TYPES)('%s', (type) => {
    let judged = 0
    fc.assert(
      fc.property(
        fc.array(pred(list), { minLength: 1, maxLength: 2 }),
        fc.array(listFrame(list), { minLength: 60, maxLength: 60 }),
        (preds, frames) => {
          const filter = filterOf(view, preds)
          const { insns, maps } = generate(filter, { type })
          const told = verify(insns, { type, maps })
          if (told.status !== 'accepted') throw new Error(`${told.status}: ${told.message}\n${print(filter)}`)
          const machine = load(insns, { type, maps })
          for (const bytes of frames) {
            const { r0, exit, fault } = machine.run(bytes)
            const got = fault ? fault.reason : `${decisionOf(type, r0)} by ${insns[exit!]?.origin?.rule}`
            const { decision, rule } = evaluate(filter, bytes)
            if (got !== `${decision} by ${rule}`)
              throw new Error(`program: ${got}, meaning: ${decision} by ${rule}\n${print(filter)}\nframe ${Buffer.from(bytes).toString('hex')}`) // biome-ignore format: one message
            judged++
          }
        },
      ),
      { numRuns: RUNS, seed: 20_261_127, endOnFailure: true },
    )
    expect(judged).toBe(RUNS * 60)
  })
})

it('a search is made once on a way', () => {
  const rules = (count: number) => Array.from({ length: count }, (_, i) => cmp('tcp_maxseg.size', '==', i))
  const size = (count: number) => generate(filterOf('nft-ip', rules(count)), { type: 'xdp' }).insns.length
  const one = size(1)
  // Without that each rule of two would take as much as the first.
  expect(size(11) - one).toBeLessThan(10 * (one / 4))
})
