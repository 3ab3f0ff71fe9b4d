import { cmp, evaluate, type Filter, locate, type Pred, VIEWS } from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, maxValue, protocol } from '@netsieve/packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PLAIN_TCP } from '../src/frame.ts'
import { buildFrame, collectConstants, frameArbitrary, type Plan } from '../src/index.ts'
import { fieldSlot } from '../src/slots.ts'

function filterOf(pred: Pred): Filter {
  return {
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
}

/** Numbers of facts that stand for what a frame can be. */
const FACTS: Partial<Record<FieldId, readonly bigint[]>> = {
  'meta.nfproto': [2n, 10n],
  'meta.protocol': [0x800n, 0x86ddn, 0x806n, 0x88b5n],
  'meta.l4proto': [6n, 17n, 1n, 58n, 99n],
  'vlan.tpid': [0x8100n, 0x88a8n],
  'vlan1.tpid': [0x8100n, 0x88a8n],
  'vlan2.tpid': [0x8100n, 0x88a8n],
  'vlan3.tpid': [0x8100n, 0x88a8n],
}

/** Metadata lies in no frame; entries of lists, parts that are there by a flag, and labels below others are not planned for. */
const WRITTEN = (Object.keys(FIELDS) as FieldId[]).filter(
  (id) =>
    !isMetadata(id) &&
    id !== 'meta.length' &&
    !protocol(FIELDS[id].proto).entry &&
    !/^(llc|snap|mpls[1-6]|gre_|gtpu_)/.test(FIELDS[id].proto),
)

test.each(WRITTEN)('a frame holds what is written to %s', (id) => {
  const values = FACTS[id] ?? [0n, 1n, maxValue(id) >> 1n, maxValue(id)]
  for (const value of values) {
    const frame = buildFrame({ ...PLAIN_TCP, writes: [{ slot: fieldSlot(id), value }] })
    expect([value, evaluate(filterOf(cmp(id, '==', value)), frame).decision]).toEqual([value, 'drop'])
  }
})

test.each<[string, Partial<Plan>, { net?: number; transport?: number; l4proto?: number; seen?: boolean }]>([
  ['plain', {}, { net: 14, transport: 34, l4proto: 6 }],
  ['options', { options: 3 }, { transport: 46 }],
  [
    'two tags',
    {
      tags: [
        { tpid: 0x88a8, tci: 5 },
        { tpid: 0x8100, tci: 6 },
      ],
    },
    { net: 18 },
  ],
  ['a tag', { tags: [{ tpid: 0x8100, tci: 5 }] }, { net: 18, transport: 38, l4proto: 6 }],
  ['IPv6', { net: 'ipv6', transport: 17 }, { transport: 54, l4proto: 17 }],
  ['extension headers', { net: 'ipv6', extensions: ['hopopt', 'dstopts', 'routing'] }, { transport: 78, l4proto: 6 }],
  ['a first fragment', { net: 'ipv6', extensions: ['fragment'] }, { transport: 62, l4proto: 6 }],
  ['an IPv4 header too short', { oddity: 'ihl' }, {}],
  ['lengths too long', { oddity: 'length too long' }, {}],
])('headers are where they are planned: %s', (_, plan, where) => {
  const { net, transport, l4proto } = locate(VIEWS['nft-netdev'], buildFrame({ ...PLAIN_TCP, ...plan }))
  expect({ net, transport, l4proto }).toMatchObject(where)
  if (Object.keys(where).length === 0) expect(transport).toBeUndefined()
})

test('a shortened packet is sound, a cut one is not', () => {
  expect(locate(VIEWS['xt-ip'], buildFrame({ ...PLAIN_TCP, short: 7 }))).toMatchObject({ seen: true, netEnd: 41 })
  expect(locate(VIEWS['xt-ip'], buildFrame({ ...PLAIN_TCP, cut: 41 }))).toMatchObject({ seen: false })
})

test('half of the frames around a rule are in its box or just off it', () => {
  const inside = cmp('ipv4.src', '==', 0x0a141e28)
  const filter = filterOf({ kind: 'and', args: [cmp('meta.l4proto', '==', 17), inside, cmp('udp.dport', '==', 53)] })
  const frames = fc.sample(frameArbitrary(collectConstants([filter])), { numRuns: 2000, seed: 1 })
  const dropped = frames.filter((frame) => evaluate(filter, frame).decision === 'drop').length
  expect(dropped).toBeGreaterThan(200)
  expect(dropped).toBeLessThan(1000)
})
