// Generated programs: what one rule becomes in each view, and that the verifier takes every kind of term in every program type.

import { formatInsn, type Insn, type ProgTypeName, slotTable, targetSlot } from '@netsieve/asm'
import { generate } from '@netsieve/codegen'
import {
  and,
  cmp,
  evaluate,
  type Filter,
  field,
  inPrefix,
  inRanges,
  load,
  masked,
  match,
  not,
  type Pred,
  type Range,
  type Rule,
  type Term,
  VIEWS,
  type ViewName,
  verdict,
} from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { verify } from '@netsieve/verifier'
import { load as loadProgram } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'

const TYPES = ['xdp', 'sched_cls', 'socket_filter'] as const satisfies readonly ProgTypeName[]
const ALL_VIEWS = Object.keys(VIEWS) as ViewName[]

function filterOf(view: ViewName, rules: readonly Rule[], family: 'any' | 'ipv4' = 'any'): Filter {
  const base = { chain: 'c', hook: 'h', view, family, policy: 'accept' } as const
  return { syntax: 'test', profile: 'nft-6.18', base: [base], chains: [{ name: 'c', rules }] }
}

function dropping(view: ViewName, ...preds: readonly Pred[]): Filter {
  const rules = preds.map((pred, id) => ({ id, text: `rule ${id}`, steps: [match(pred), verdict('drop')] }))
  return filterOf(view, rules)
}

function frame(text: string): Uint8Array {
  const { value } = buildPacket(text)
  if (!value) throw new Error(text)
  return value.data
}

const text = (insns: readonly Insn[]) => insns.map((insn, slot) => formatInsn(insn, { slot }).slice(5))
const DNS = and(cmp('meta.l4proto', '==', 17), cmp('udp.dport', '==', 53))

/** The instructions of one rule, "drop IPv4 UDP to port 53", as an XDP program. */
function ruleOf(view: ViewName): string[] {
  const rules = [{ id: 0, text: 'dns', steps: [match(DNS), verdict('drop')] }]
  const { insns } = generate(filterOf(view, rules, 'ipv4'), { type: 'xdp' })
  return text(insns).filter((_, i) => insns[i]!.origin?.rule === 0)
}

// Reviewed by hand. r7 = network header where tags may be before it (else byte 14 from r2), r8 = transport header, r9 = bytes from there, r3 = data_end.
const PROTOCOL_17 = (at: string) => [`r1 = *(u8 *)(${at})`, expect.stringMatching(/^if r1 != 0x11 goto/)]
const REACH = (end: number) => ['r4 = r8', `r4 += ${end}`, expect.stringMatching(/^if r4 > r3 goto/)]
const PORT_53 = (at: string) => [
  `r1 = *(u16 *)(${at})`,
  expect.stringMatching(/^if r1 != 0x3500 goto/),
  'r0 = 1',
  'exit',
]

describe('one rule', () => {
  it.each<[ViewName, readonly unknown[]]>([
    // The packet may end before the frame: r9 is asked too.
    [
      'nft-ip',
      [...PROTOCOL_17('r7 +9'), expect.stringMatching(/^if r9 s< 0x4 goto/), ...REACH(4), ...PORT_53('r8 +2')],
    ],
    ['nft-netdev', [...PROTOCOL_17('r7 +9'), ...REACH(4), ...PORT_53('r8 +2')]],
    [
      // A UDP header that is cut drops (hotdrop); a fragment has none (r9 = -1, or -2 at offset 1) and does not match.
      'xt-ip',
      [
        ...PROTOCOL_17('r7 +9'),
        'if r9 s>= 0x8 goto pc+3',
        expect.stringMatching(/^if r9 == 0xffffffff goto/),
        expect.stringMatching(/^if r9 == 0xfffffffe goto/),
        expect.stringMatching(/^goto/),
        ...REACH(4),
        ...PORT_53('r8 +2'),
        'r0 = 1',
        'exit',
      ],
    ],
    [
      // Bytes 14 + 9 and 14 + 4 * ihl + 2 of the frame; what is not there ends the program, here by its policy.
      'pcap',
      [
        'r4 = r2',
        'r4 += 24',
        expect.stringMatching(/^if r4 > r3 goto/),
        ...PROTOCOL_17('r2 +23'),
        'r8 = *(u8 *)(r2 +14)',
        'r8 &= 15',
        'r8 <<= 2',
        'r8 += r2',
        ...REACH(18),
        ...PORT_53('r8 +16'),
        'r0 = 2',
        'exit',
      ],
    ],
    // Of fragments nothing can be read; the whole header must be in the frame.
    [
      'flower',
      [...PROTOCOL_17('r2 +23'), expect.stringMatching(/^if r9 s< 0x8 goto/), ...REACH(8), ...PORT_53('r8 +2')],
    ],
    [
      'ethtool',
      [...PROTOCOL_17('r7 +9'), expect.stringMatching(/^if r9 s< 0x4 goto/), ...REACH(4), ...PORT_53('r8 +2')],
    ],
  ])('in the %s view', (view, lines) => {
    expect(ruleOf(view)).toEqual(lines)
  })
})

const ihl: Term = { kind: 'bin', op: 'lsh', left: masked(load('net', 0, 1), 0xfn), right: { kind: 'const', value: 2n } }
const PREDS: Readonly<Record<string, Pred>> = {
  'a port': DNS,
  'TCP flags': and(cmp('meta.l4proto', '==', 6), cmp('tcp.flags', '!=', 2)),
  'a negated prefix': not(inPrefix('ipv4.src', 0x0a000000n, 8)),
  'an IPv6 address': cmp('ipv6.src', '==', (0x20010db8n << 96n) | 1n),
  'an IPv6 prefix': inPrefix('ipv6.dst', 0xfe80n << 112n, 10),
  'IPv6 ranges': inRanges('ipv6.src', [
    { lo: 5n, hi: (1n << 64n) + 3n },
    { lo: 1n << 100n, hi: (1n << 128n) - 1n },
  ]),
  '9 bytes in a range': inRanges(load('net', 0, 9), [{ lo: 0x450000n << 48n, hi: 0x46n << 64n }]),
  '15 bytes above': cmp(load('net', 1, 15), '>', 5n << 112n),
  'a MAC': cmp('eth.src', '==', 0x001b213c9df8),
  'a tag': cmp(masked(field('vlan.tci'), 0xfffn), '==', 5),
  'an indexed load': cmp(load('net', 4, 4, ihl), '>', 7),
  'a transport load by a byte of the frame': cmp(load('transport', 0, 8, load('link', 0, 1)), '!=', 0),
  'a link load by a byte of the frame': cmp(load('link', 2, 1, load('link', 20, 1)), '==', 6),
  'an indexed transport load': cmp(load('transport', 1, 9, masked(load('transport', 12, 1), 0x3cn)), '<', 1n << 70n),
  arithmetic: cmp({ kind: 'bin', op: 'mod', left: load('transport', 0, 2), right: load('transport', 2, 2) }, '==', 1),
  'the length': cmp({ kind: 'length' }, '>=', 100),
}
const FRAMES = [
  'eth / ipv4(src=10.0.0.1) / udp(sport=7, dport=53) / "0123456789abcdef"',
  'eth(src=00:1b:21:3c:9d:f8) / ipv4(src=11.0.0.1, options=0x01020304) / tcp(sport=100, dport=3) / "0123456789abcdef0123456789abcdef0123456789"',
  'eth / vlan(id=5) / ipv4 / udp(dport=53)',
  'eth / ipv6(src=2001:db8::1, dst=fe80::1) / dstopts / udp(dport=53)',
  'eth / ipv6(src=::1:0:0:0:3, dst=fec0::1) / udp(dport=54)',
  'eth / ipv6(src=::1:0:0:0:4) / udp(dport=54)',
  // At the bounds of a range of addresses, and a divisor of 0 (by which eBPF divides too).
  'eth / ipv6(src=::4) / udp(dport=54)',
  'eth / ipv4(fragoff=1, protocol=6) / 0x0400005000000000000000005002000000000000',
  'eth / ipv6(src=::5) / udp(dport=54)',
  'eth / ipv4 / udp(sport=1, dport=0) / "0123456789"',
  'eth / ipv4(fragoff=1, protocol=17) / 0x00000035',
  'eth / arp',
].map(frame)

describe.each(TYPES)('%s programs', (type) => {
  it.each(ALL_VIEWS)('of every kind of term are accepted and mean what the rules mean: %s', (view) => {
    for (const [what, pred] of Object.entries(PREDS)) {
      const filter = dropping(view, pred)
      const { insns, maps } = generate(filter, { type })
      const { status, message } = verify(insns, { type, maps })
      expect(`${what}: ${status} ${message ?? ''}`).toBe(`${what}: accepted `)
      const machine = loadProgram(insns, { type, maps })
      const { pass } = { xdp: { pass: 2 }, sched_cls: { pass: 0 }, socket_filter: { pass: 262144 } }[type]
      for (const [i, bytes] of FRAMES.entries()) {
        for (const cut of [bytes.length, 38, 14, 13]) {
          const short = bytes.subarray(0, cut)
          const meant = evaluate(filter, short).decision
          const did = machine.run(short).r0 === pass ? 'pass' : 'drop'
          expect(`${what}, frame ${i} to ${cut}: ${did}`).toBe(`${what}, frame ${i} to ${cut}: ${meant}`)
        }
      }
    }
  })
})

describe('sets', () => {
  const ranges: Range[] = Array.from({ length: 500 }, (_, i) => ({
    lo: BigInt(100 * i + 50),
    hi: BigInt(100 * i + (i % 3 === 0 ? 50 : 60)),
  }))
  const { insns, maps } = generate(dropping('ethtool', inRanges('udp.dport', ranges)), { type: 'xdp' })
  const machine = loadProgram(insns, { type: 'xdp', maps })

  it.each([0, 49, 50, 51, 60, 61, 150, 155, 160, 161, 24950, 24955, 49950, 49960, 49961, 65535])('%i', (port) => {
    const within = ranges.some(({ lo, hi }) => lo <= port && port <= hi)
    expect(machine.run(frame(`eth / ipv4 / udp(dport=${port})`)).r0).toBe(within ? 1 : 2)
  })

  it('are searched by halves', () => {
    const empty = generate(dropping('ethtool', inRanges('udp.dport', [])), { type: 'xdp' })
    const before = loadProgram(empty.insns, { type: 'xdp', maps: [] }).run(frame('eth / ipv4 / udp')).insns
    const most = Math.max(
      ...Array.from({ length: 128 }, (_, i) => machine.run(frame(`eth / ipv4 / udp(dport=${i * 512})`)).insns),
    )
    // Two comparisons and at most one more jump at each of ⌈log₂ 500⌉ = 9 levels, and the load of the port.
    expect(most - before).toBeLessThanOrEqual(9 * 3 + 10)
  })
})

it('every instruction tells what it is for, and an exit what decided', () => {
  const { insns } = generate(dropping('nft-ip', DNS), { type: 'xdp' })
  expect(insns.filter(({ origin }) => origin === undefined)).toEqual([])
  const exits = insns.filter(({ spec }) => spec.name === 'exit').map(({ origin }) => origin!.text)
  expect(new Set(exits)).toEqual(new Set(['rule 0', 'policy accept of c', 'not seen by any chain']))
})

it('many rules reach further than a jump of 16 bits', () => {
  const preds = Array.from({ length: 7_000 }, (_, i) => cmp('ipv4.id', '==', i))
  const { insns, maps } = generate(dropping('nft-netdev', ...preds), { type: 'xdp' })
  expect(insns.length).toBeGreaterThan(33_000)
  expect(insns.some(({ spec }) => spec.name === 'ja32')).toBe(true)
  const machine = loadProgram(insns, { type: 'xdp', maps })
  const by = (packet: string) => insns[machine.run(frame(packet)).exit!]!.origin
  expect(by('eth / ipv4(id=6999)')).toMatchObject({ rule: 6_999 })
  expect(by('eth / ipv4(id=7000)')).toMatchObject({ text: 'policy accept of c' })
})

it('refuses what check refuses, and the link header where programs start behind it', () => {
  const called = filterOf('nft-ip', [
    { id: 0, text: 'x', steps: [{ kind: 'verdict', verdict: { kind: 'jump', chain: 'x' } }] },
  ])
  expect(() => generate(called, { type: 'xdp' })).toThrow(/chain x is not defined/)
  const link = dropping('nft-ip', cmp('eth.src', '==', 1))
  expect(() => generate(link, { type: 'cgroup_skb' })).toThrow(
    /start at the network header: eth.src cannot be asked there/,
  )
})

// Whoever compiles a program again can only write such loops as loops: others are switches in a loop around the whole program, ten times slower.
describe.each(ALL_VIEWS)('view %s', (view) => {
  it.each(TYPES)('%s: what is jumped back over is entered at its start', (type) => {
    const options = cmp('tcp_maxseg.size', '>', 1400)
    const { insns } = generate(dropping(view, DNS, options, not(DNS)), { type })
    const slots = slotTable(insns)
    const jumps = insns.flatMap((insn, i) => {
      const { kind } = insn.spec
      return kind === 'jump' || kind === 'goto' ? [{ from: slots[i]!, to: targetSlot(insn, slots[i]!)! }] : []
    })
    const into = jumps.flatMap((loop) =>
      jumps.filter(({ from, to }) => from < loop.to && to > loop.to && to <= loop.from && loop.to <= loop.from),
    )
    expect(into).toEqual([])
  })
})
