// The rows of the traps table that concern header matches: what real tools do, as measured on Linux 6.18, libpcap 1.10.3.

import {
  and,
  cmp,
  evaluate,
  inRanges,
  load,
  masked,
  match,
  not,
  type Pred,
  type Term,
  type ViewName,
  verdict,
} from '@netsieve/ir'
import type { Metadata } from '@netsieve/packet'
import { describe, expect, it } from 'vitest'
import { base, dropping, filter, frame, rule, told } from './frames.ts'

const DPORT: Pred = and(cmp('meta.l4proto', '==', 6), cmp('tcp.dport', '==', 80))
const NOT_DPORT: Pred = and(cmp('meta.l4proto', '==', 6), cmp('tcp.dport', '!=', 80))
const TCP: Pred = cmp('meta.l4proto', '==', 6)
const UDP_DPORT: Pred = and(cmp('meta.l4proto', '==', 17), cmp('udp.dport', '!=', 80))
const FLAGS: Pred = and(TCP, cmp('tcp.flags', '==', 2))

const IP = 'eth / ipv4(src=10.0.0.1, dst=10.0.0.2'
const PLAIN = `${IP}) / tcp(sport=1024, dport=80, flags=0x02)`
/** A later fragment whose payload would be ports 1024 and 80. */
const LATER = `${IP}, fragoff=100, protocol=6) / 0x0400005000000000000000000000000000000000`
const TINY = `${IP}, fragoff=1, protocol=6) / 0x0400005000000000000000000000000000000000`
const FIRST = `${IP}, mf=1) / tcp(sport=1024, dport=80, flags=0x02)`
const OPTIONS = `${IP}, options=0x01010101) / tcp(dport=80, flags=0x02)`

type Row = readonly [what: string, packet: string, pred: Pred, outcomes: Partial<Record<ViewName, string>>]
const all = (outcome: string): Partial<Record<ViewName, string>> => ({
  'nft-ip': outcome,
  'nft-netdev': outcome,
  'xt-ip': outcome,
  'xt-compat': outcome,
  pcap: outcome,
  flower: outcome,
  ethtool: outcome,
})

// Front ends guard what libpcap guards (fragments, types) by predicates of their own; the pcap view reads what is there.
const ROWS: readonly Row[] = [
  ['a plain packet', PLAIN, DPORT, { ...all('match') }],
  ['another port', PLAIN.replace('dport=80', 'dport=81'), DPORT, all('no')],
  ['1: a later fragment', LATER, DPORT, { ...all('no'), 'nft-ip': 'match', 'nft-netdev': 'match', pcap: 'match' }],
  ['1: negated', LATER, NOT_DPORT, { 'xt-ip': 'no', 'nft-ip': 'no', ethtool: 'no', flower: 'match' }],
  ['1: protocol alone', LATER, TCP, all('match')],
  ['2: fragment offset 1', TINY, DPORT, { 'xt-ip': 'cut', 'nft-ip': 'match', ethtool: 'no' }],
  ['2: fragment offset 1, no TCP field', TINY, cmp('th.dport', '==', 80), { 'xt-ip': 'no' }],
  ['3: a first fragment', FIRST, DPORT, { ...all('match'), flower: 'no', ethtool: 'no' }],
  ['7: IPv4 options', OPTIONS, DPORT, all('match')],
  [
    '8: ihl below 5',
    PLAIN.replace('dst=', 'ihl=4, dst='),
    cmp('ipv4.src', '==', 0x0a000001),
    {
      'nft-ip': 'unseen',
      'xt-ip': 'unseen',
      'nft-netdev': 'match',
      flower: 'no',
      ethtool: 'no',
      pcap: 'match',
    },
  ],
  [
    '8: ihl below 5, transport',
    PLAIN.replace('dst=', 'ihl=4, dst='),
    TCP,
    { 'nft-netdev': 'no', pcap: 'match', flower: 'no' },
  ],
  [
    '8: version 5',
    PLAIN.replace('dst=', 'version=5, dst='),
    TCP,
    { 'nft-ip': 'unseen', 'nft-netdev': 'no', flower: 'match' },
  ],
  [
    '8: shorter than its header',
    PLAIN.replace('dst=', 'length=19, dst='),
    TCP,
    { 'nft-ip': 'unseen', 'xt-ip': 'unseen', 'nft-netdev': 'no', pcap: 'match', flower: 'match', ethtool: 'no' },
  ],
  [
    '8: longer than the frame',
    PLAIN.replace('dst=', 'length=60, dst='),
    TCP,
    { 'nft-ip': 'unseen', 'xt-ip': 'unseen', 'nft-netdev': 'no', pcap: 'match' },
  ],
  ['8: a bad checksum', PLAIN.replace('dst=', 'checksum=1, dst='), DPORT, all('match')],
  [
    '9: a header that padding completes',
    PLAIN.replace('dst=', 'length=28, dst='),
    FLAGS,
    { 'xt-ip': 'cut', 'nft-ip': 'no', 'nft-netdev': 'match' },
  ],
  [
    '11: a tag',
    PLAIN.replace('eth', 'eth / vlan(id=5)'),
    TCP,
    { 'nft-ip': 'unseen', 'nft-netdev': 'match', pcap: 'no', flower: 'no', ethtool: 'match' },
  ],
  [
    '11: its type',
    PLAIN.replace('eth', 'eth / vlan(id=5)'),
    cmp('eth.type', '==', 0x0800),
    { 'nft-netdev': 'no', pcap: 'no' },
  ],
  [
    '11: its protocol',
    PLAIN.replace('eth', 'eth / vlan(id=5)'),
    cmp('meta.protocol', '==', 0x8100),
    { 'nft-netdev': 'no', flower: 'match', pcap: 'match' },
  ],
  [
    '11: its id',
    PLAIN.replace('eth', 'eth / vlan(id=5)'),
    cmp(masked({ kind: 'field', field: 'vlan.tci' }, 0xfffn), '==', 5),
    { 'nft-netdev': 'match', flower: 'match' },
  ],
  [
    '12: a priority tag',
    PLAIN.replace('eth', 'eth / vlan(id=0)'),
    DPORT,
    { 'nft-ip': 'match', 'xt-ip': 'match', 'nft-netdev': 'match', flower: 'no' },
  ],
  ['12: two', PLAIN.replace('eth', 'eth / vlan(id=0) / vlan(id=0)'), DPORT, { 'nft-ip': 'match' }],
  ['12: three', PLAIN.replace('eth', 'eth / vlan(id=0) / vlan(id=0) / vlan(id=0)'), DPORT, { 'nft-ip': 'unseen' }],
  [
    '13: two tags',
    PLAIN.replace('eth', 'eth / vlan(id=7) / vlan(id=5)'),
    DPORT,
    { 'nft-ip': 'unseen', 'nft-netdev': 'no', flower: 'no' },
  ],
  [
    '15: options before TCP',
    'eth / ipv6 / dstopts / tcp(dport=80)',
    DPORT,
    { ...all('match'), pcap: 'no', ethtool: 'no' },
  ],
  ['15: by the fixed header', 'eth / ipv6 / dstopts / tcp(dport=80)', cmp('ipv6.nexthdr', '==', 6), all('no')],
  [
    '16: a first IPv6 fragment',
    'eth / ipv6 / fragment(mf=1) / tcp(dport=80)',
    DPORT,
    { 'nft-ip': 'match', 'xt-ip': 'match', pcap: 'no', flower: 'no', ethtool: 'no' },
  ],
  [
    '16: a later one',
    'eth / ipv6 / fragment(fragoff=5, nexthdr=6) / 0x04000050',
    TCP,
    { 'nft-ip': 'match', 'xt-ip': 'match', flower: 'match' },
  ],
  [
    '16: its ports',
    'eth / ipv6 / fragment(fragoff=5, nexthdr=6) / 0x04000050',
    NOT_DPORT,
    { 'nft-ip': 'match', 'xt-ip': 'no' },
  ],
  ['17: AH before TCP, IPv6', 'eth / ipv6 / ah / tcp(dport=80)', TCP, { 'xt-ip': 'match', 'nft-ip': 'no' }],
  ['17: AH before TCP, IPv4', 'eth / ipv4 / ah / tcp(dport=80)', TCP, all('no')],
  ['18: a header that is not there', 'eth / ipv4 / icmp', NOT_DPORT, all('no')],
  ['ARP', 'eth / arp', TCP, { 'nft-ip': 'unseen', 'xt-ip': 'unseen', 'nft-netdev': 'no', flower: 'no', ethtool: 'no' }],
]

describe('what tools do with odd packets', () => {
  const cases = ROWS.flatMap(([what, packet, pred, outcomes]) =>
    Object.entries(outcomes).map(([view, outcome]) => [what, view as ViewName, packet, pred, outcome] as const),
  )
  it.each(cases)('%s, %s', (_, view, packet, pred, outcome) => {
    expect(told(view, pred, frame(packet))).toBe(outcome)
  })
})

describe('cut frames', () => {
  // 14 bytes of Ethernet, 20 of IPv4; the packet's own length is cut with it where a view would not see it otherwise.
  const whole = `${IP}, length=28) / tcp(sport=1024, dport=80)`
  it.each<[string, Pred, string, number, Partial<Record<ViewName, string>>]>([
    ['4: 8 bytes of TCP: ports', DPORT, whole, 42, { 'xt-ip': 'cut', 'nft-ip': 'match', pcap: 'match', flower: 'no' }],
    ['4: 8 bytes of TCP: flags', FLAGS, whole, 42, { 'nft-ip': 'no', pcap: 'missing', flower: 'no' }],
    ['5: no port', DPORT, whole, 34, { pcap: 'missing', ethtool: 'no' }],
    ['5: no port, negated', not(DPORT), whole, 34, { pcap: 'missing', 'nft-netdev': 'no' }],
    [
      '5: 13 bytes of a frame',
      cmp('eth.type', '==', 0x8100),
      whole,
      13,
      { pcap: 'missing', flower: 'no', 'nft-netdev': 'no', 'nft-ip': 'unseen' },
    ],
    ['5: negated', not(cmp('eth.type', '==', 0x8100)), whole, 13, { pcap: 'missing', flower: 'match' }],
    ['6: 4 bytes of UDP', UDP_DPORT, `${IP}, length=24) / udp(dport=53)`, 38, { 'xt-ip': 'cut', 'nft-ip': 'match' }],
    [
      '22: 1 byte of ICMP',
      cmp('icmp.type', '==', 8),
      `${IP}, length=21) / icmp(type=8)`,
      35,
      { 'xt-ip': 'cut', 'nft-ip': 'match' },
    ],
    [
      'an extension header that is cut',
      TCP,
      'eth / ipv6(plen=1) / dstopts / tcp',
      55,
      { 'xt-ip': 'cut', 'nft-ip': 'no', flower: 'no' },
    ],
  ])('%s', (_, pred, packet, cut, outcomes) => {
    const outcome = Object.keys(outcomes).map((view) => [view, told(view as ViewName, pred, frame(packet, cut))])
    expect(Object.fromEntries(outcome)).toEqual(outcomes)
  })

  it('a view that reads missing fields as 0 finds them in ranges from 0 on', () => {
    const ports = (lo: bigint) => inRanges('tcp.dport', [{ lo, hi: 100n }])
    expect(told('flower', ports(0n), frame(LATER))).toBe('match')
    expect(told('flower', ports(1n), frame(LATER))).toBe('no')
    expect(told('ethtool', ports(0n), frame(LATER))).toBe('no')
  })

  it('the length is the one on the wire', () => {
    const long = dropping('pcap', cmp({ kind: 'length' }, '>=', 1000))
    const bytes = frame(PLAIN)
    expect(evaluate(long, bytes).decision).toBe('pass')
    expect(evaluate(long, bytes, { wireLength: 1000 }).decision).toBe('drop')
  })
})

describe('an IPv6 chain of extension headers', () => {
  const chain = (count: number) => `eth / ipv6 /${' dstopts /'.repeat(count)} tcp(dport=80)`
  it.each([
    [16, 'match', 'match'],
    [17, 'no', 'cut'],
  ])('of %i headers', (count, nft, xt) => {
    expect(told('nft-ip', DPORT, frame(chain(count)))).toBe(nft)
    expect(told('xt-ip', DPORT, frame(chain(count)))).toBe(xt)
  })
})

describe('terms', () => {
  const at = (offset: number, bytes: number, index?: Parameters<typeof load>[3]) => load('link', offset, bytes, index)
  const of = (value: bigint) => ({ kind: 'const', value }) as const
  const bin = (
    op: 'add' | 'sub' | 'mul' | 'div' | 'mod' | 'and' | 'or' | 'xor' | 'lsh' | 'rsh',
    left: bigint,
    right: bigint,
  ) => ({ kind: 'bin', op, left: of(left), right: of(right) }) as const
  const bytes = Uint8Array.of(1, 2, 3, 4, 0xff, 0xfe)

  it.each([
    ['a load', at(1, 3), 0x020304n],
    ['a load with an index', at(1, 2, at(0, 1)), 0x0304n],
    ['past the end', at(5, 2), undefined],
    ['an index past the end', at(0, 1, at(4, 2)), undefined],
    ['an index that is not there', at(0, 1, at(6, 1)), undefined],
    ['add wraps', bin('add', 0xffffffffn, 2n), 1n],
    ['sub wraps', bin('sub', 1n, 2n), 0xffffffffn],
    ['mul wraps', bin('mul', 0x10000n, 0x10001n), 0x10000n],
    ['div', bin('div', 7n, 2n), 3n],
    ['div by 0', bin('div', 7n, 0n), undefined],
    ['mod by 0', bin('mod', 7n, 0n), undefined],
    ['mod', bin('mod', 7n, 4n), 3n],
    ['xor', bin('xor', 6n, 3n), 5n],
    ['or', bin('or', 6n, 3n), 7n],
    ['lsh', bin('lsh', 0x80000001n, 1n), 2n],
    ['lsh to the top', bin('lsh', 3n, 31n), 0x80000000n],
    ['lsh by very much', bin('lsh', 1n, 0xffffffffn), 0n],
    ['lsh by 32', bin('lsh', 1n, 32n), 0n],
    ['rsh by 31', bin('rsh', 0x80000000n, 31n), 1n],
    ['rsh by 32', bin('rsh', 0x80000000n, 32n), 0n],
    ['a mask', masked(at(0, 2), 0xf0fn), 0x102n],
  ] as const)('%s', (_, term, value) => {
    if (value === undefined) expect(told('pcap', cmp(term, '>=', 0), bytes)).toBe('missing')
    else {
      expect(told('pcap', cmp(term, '==', value), bytes)).toBe('match')
      expect(told('pcap', cmp(term, '==', value + 1n), bytes)).toBe('no')
    }
  })

  it.each([
    ['==', false, true, false],
    ['!=', true, false, true],
    ['<', true, false, false],
    ['<=', true, true, false],
    ['>', false, false, true],
    ['>=', false, true, true],
  ] as const)('3, 4 and 5 %s 4', (test, ...holds) => {
    for (const [i, outcome] of holds.entries()) {
      const relation: Pred = { kind: 'relation', left: of(BigInt(3 + i)), test, right: of(4n) }
      expect(told('pcap', relation, bytes)).toBe(outcome ? 'match' : 'no')
      expect(told('pcap', cmp(of(BigInt(3 + i)), test, 4), bytes)).toBe(outcome ? 'match' : 'no')
    }
  })

  it('and, or go from left to right, and stop where they are decided', () => {
    const gone = cmp(at(9, 1), '==', 0)
    const [yes, no] = [cmp(at(0, 1), '==', 1), cmp(at(0, 1), '==', 2)]
    const says = (kind: 'and' | 'or', ...args: Pred[]) => told('pcap', { kind, args }, bytes)
    expect([says('or', yes, gone), says('or', gone, yes), says('and', no, gone), says('and', gone, no)]).toEqual([
      'match',
      'missing',
      'no',
      'missing',
    ])
    expect([says('and'), says('or')]).toEqual(['match', 'no'])
  })
})

describe('the walk over headers', () => {
  /** An IPv6 frame whose headers have these types, each of 8 bytes and the last one cut off. */
  const chained = (...types: number[]) =>
    Uint8Array.from([
      ...Array<number>(20).fill(0),
      types[0]!,
      ...Array<number>(33).fill(0),
      ...types.slice(1).flatMap((type) => [type, 0, 0, 0, 0, 0, 0, 0]),
    ])
  const walk = (until: number): Term => ({ kind: 'walk', family: 'ipv6', net: 14, until })
  const ends = (bytes: Uint8Array, until: number) => {
    const found = Array.from({ length: 256 }, (_, n) => n).filter((n) => told('pcap', cmp(walk(until), '==', n), bytes) === 'match') // biome-ignore format: one act
    return found[0]
  }

  it('goes over extension headers to what is asked for, or to what it does not know', () => {
    expect(ends(chained(0, 60, 43, 44, 6), 6)).toBe(6)
    expect(ends(chained(0, 60, 43, 44, 6), 43)).toBe(43)
    expect(ends(chained(0, 60, 59), 6)).toBe(59)
    expect(told('pcap', cmp(walk(6), '==', 6), chained(0, 60, 60).slice(0, -8))).toBe('missing')
  })

  it('goes over 64 headers and no more', () => {
    const headers = (count: number) => chained(...Array<number>(count).fill(60), 6)
    expect(ends(headers(64), 6)).toBe(6)
    expect(ends(headers(65), 6)).toBe(60)
  })

  it('behind AH goes on from its length alone, as libpcap does', () => {
    // AH of 24 bytes names UDP; its length leads to byte 24 of the IPv6 header's own frame, which holds ICMPv6.
    const frame = chained(51, 17, 0, 0)
    frame[14 + 41] = 4
    frame[14 + 24] = 58
    expect(ends(frame, 6)).toBe(17)
    frame[14 + 40] = 60
    expect(ends(frame, 6)).toBe(58)
  })
})

describe('a missing field', () => {
  it('ends its rule only, or the program, by the view', () => {
    const rules = [rule(0, match(cmp('tcp.flags', '==', 2)), verdict('accept')), rule(1, verdict('drop'))]
    const of = (view: ViewName) => filter([base('c', view)], { c: rules })
    const short = frame(`${IP}, length=28) / tcp(dport=80)`, 42)
    expect(evaluate(of('nft-ip'), short)).toEqual({ decision: 'drop', rule: 1, by: 'rule' })
    expect(evaluate(of('pcap'), short)).toEqual({ decision: 'pass', rule: 0, by: 'missing' })
    expect(evaluate(of('xt-ip'), short)).toEqual({ decision: 'drop', rule: 0, by: 'cut' })
  })
})

describe('metadata', () => {
  const BYTES = frame(PLAIN)
  const wide = (view: ViewName, pred: Pred, meta: Metadata) => evaluate(dropping(view, pred), BYTES, { meta }).decision

  it('has the values that are given; what is not known is missing, as the view has it', () => {
    const mark = cmp('meta.iif', '==', 3)
    expect(wide('nft-ip', mark, { 'meta.iif': 3n })).toBe('drop')
    expect(wide('nft-ip', mark, { 'meta.iif': 4n })).toBe('pass')
    expect(wide('nft-ip', mark, {})).toBe('pass')
    expect(wide('nft-ip', { kind: 'not', arg: mark }, {})).toBe('pass')
    expect(wide('flower', cmp('meta.iif', '==', 0), {})).toBe('drop')
  })

  it('counts the length from the network header on', () => {
    expect(wide('nft-ip', cmp('meta.length', '==', BYTES.length - 14), {})).toBe('drop')
    expect(evaluate(dropping('nft-netdev', cmp('meta.length', '==', 986)), BYTES, { wireLength: 1000 }).decision).toBe(
      'drop',
    )
    expect(evaluate(dropping('nft-ip', cmp('meta.length', '==', 986)), BYTES, { wireLength: 1000 }).decision).toBe(
      'pass',
    )
  })
})
