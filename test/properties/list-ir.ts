// Random filters that search lists, for properties.

import { and, cmp, exists, type Filter, find, masked, match, not, or, type Pred, VIEWS, type ViewName, verdict } from '@netsieve/ir' // biome-ignore format: one line
import { FIELDS, type FieldId, type ListName, PROTOCOLS, type ProtocolName, protocol } from '@netsieve/packet'
import fc from 'fast-check'

export const LISTS: readonly ListName[] = ['ipv4', 'ipv6', 'tcp', 'dccp', 'sctp']

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
  // Which headers there are.
  const seen = fc.tuple(fc.nat(255), fc.nat(255)).map(([mask, bits]) => cmp(masked({ kind: 'headers' }, BigInt(mask)), '==', mask & bits)) // biome-ignore format: one call
  const whole = fc.constantFrom(0x80, 0x81, 0xc0, 0x82, 0x20, 0x88).map((bits) => cmp({ kind: 'headers' }, '==', bits))
  const pair = fc.tuple(fc.constantFrom(0xff00, 0xff03, 0xff01, 0), fc.nat(20), fc.nat(3)).map(([mask, type, flags]) => ({ mask, value: ((type << 8) | flags) & mask })) // biome-ignore format: one call
  const chunks = fc.tuple(fc.array(pair, { maxLength: 3 }), fc.boolean()).map(([heads, none]) => exists(find('sctp', { heads, none }))) // biome-ignore format: one call
  return fc.oneof(
    ...(list === 'sctp' ? [{ weight: 3, arbitrary: chunks }] : []),
    ...(list === 'ipv6' ? [{ weight: 2, arbitrary: fc.oneof(seen, whole) }] : []),
    { weight: 2, arbitrary: compared },
    { weight: 2, arbitrary: named },
    { weight: 1, arbitrary: numbered },
  )
}

export const listPred = (list: ListName): fc.Arbitrary<Pred> =>
  fc.oneof(
    atom(list),
    atom(list).map(not),
    // Asked a second time where it was asked before: what was found is remembered.
    atom(list).map((a) => and(or(a, not(a)), a)),
    fc.tuple(atom(list), atom(list)).map(([a, b]) => and(a, b)),
    fc.tuple(atom(list), atom(list)).map(([a, b]) => or(not(a), b)),
  )

export const listFilter = (view: ViewName, preds: readonly Pred[]): Filter => ({
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
