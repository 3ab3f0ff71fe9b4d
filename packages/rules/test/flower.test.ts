// What tc 6.1 says to each line is recorded in test/rules/flower (its parser runs without the kernel's classifier). What filters mean has
// no oracle on the machine it was recorded on: the cases below are the documented facts of Linux's flow dissector.

import { readFileSync } from 'node:fs'
import { code, renderAll, source } from '@netsieve/diag'
import { evaluate, type Filter } from '@netsieve/ir'
import type { Metadata } from '@netsieve/packet'
import { describe, expect, test } from 'vitest'
import type { FlowerFilter, Key } from '../src/flower/index.ts'
import { flower } from '../src/index.ts'

interface Row {
  readonly line: string
  readonly accepted: boolean
  readonly prio?: number
  readonly protocol?: string
  readonly attrs?: Readonly<Record<string, string>>
}
const golden: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL('../../../test/rules/flower/tc-6.1.golden.json', import.meta.url), 'utf8'),
)
const parse = (text: string) => flower.parse(source('t.tc', text))

/** TCA_FLOWER_* numbers (uapi linux/pkt_cls.h) of each key: value and mask, or the ends of a range. */
const ATTRS: Readonly<Record<string, readonly [number, number?]>> = {
  num_of_vlans: [102], vlan_ethtype: [25], cvlan_id: [77], cvlan_prio: [78], cvlan_ethtype: [79], pppoe_sid: [103], ppp_proto: [104],
  mpls_ttl: [67], mpls_bos: [68], mpls_tc: [69], mpls_label: [70], indev: [2], dst_mac: [4, 5], src_mac: [6, 7], ip_proto: [9], 'src_ip/4': [10, 11], 'dst_ip/4': [12, 13], 'src_ip/6': [14, 15], 'dst_ip/6': [16, 17],
  'src_port/tcp': [18, 35], 'dst_port/tcp': [19, 36], 'src_port/udp': [20, 37], 'dst_port/udp': [21, 38], 'src_port/sctp': [41, 43], 'dst_port/sctp': [42, 44],
  vlan_id: [23], vlan_prio: [24], ip_flags: [47, 48], 'code/4': [49, 50], 'type/4': [51, 52], 'code/6': [53, 54], 'type/6': [55, 56],
  arp_sip: [57, 58], arp_tip: [59, 60], arp_op: [61, 62], arp_sha: [63, 64], arp_tha: [65, 66], tcp_flags: [71, 72], ip_tos: [73, 74], ip_ttl: [75, 76],
  ct_state: [91, 92], ct_zone: [93, 94], ct_mark: [95, 96], ct_label: [97, 98],
  enc_key_id: [26], 'enc_src_ip/4': [27, 28], 'enc_dst_ip/4': [29, 30], 'enc_src_ip/6': [31, 32], 'enc_dst_ip/6': [33, 34], enc_dst_port: [45], enc_tos: [80, 81], enc_ttl: [82, 83],
  src_port_range: [87, 88], dst_port_range: [89, 90],
} // biome-ignore format: numbers in pairs

/** What tc would send for our tree: number → value, as tc-6.1.golden.json has it. Full masks that tc leaves out are left out by the caller. */
function attributes({ keys, protocol, classid }: FlowerFilter): Map<number, bigint> {
  const out = new Map<number, bigint>()
  const proto = keys.find(({ name }) => name === 'ip_proto')?.constraint
  const transport =
    proto?.kind === 'masked' ? ({ 6: 'tcp', 17: 'udp', 132: 'sctp' } as Record<string, string>)[`${proto.value}`] : ''
  const tag = keys.findLast(({ name }) => name.endsWith('vlan_ethtype'))?.constraint
  const inner = tag?.kind === 'masked' ? tag.value : undefined
  const pair = ({ name, constraint }: Key) =>
    ATTRS[constraint.kind === 'range' ? `${name}_range` : name] ??
    ATTRS[`${name}/${transport}`] ??
    (name.startsWith('enc_')
      ? ATTRS[`${name}/${'family' in constraint && constraint.family === 'ipv6' ? 6 : 4}`]
      : undefined) ??
    ATTRS[`${name}/${protocol === 0x86dd || inner === 0x86ddn ? 6 : 4}`]!
  const [major, minor] = (classid ?? '').split(':').map((part) => BigInt(`0x0${part}`))
  if (classid) out.set(1, (major! << 16n) | minor!)
  if (stack(keys).length > 0) return out.set(99, 0n)
  for (const key of keys) {
    const [first, second] = pair(key)
    const { constraint } = key
    if (constraint.kind === 'flags') {
      const bit = (flag: string) => (flag.endsWith('firstfrag') ? 2n : 1n)
      out.set(
        first,
        constraint.flags.filter((flag) => !flag.startsWith('no')).reduce((sum, flag) => sum | bit(flag), 0n),
      )
      out.set(
        second!,
        constraint.flags.reduce((sum, flag) => sum | bit(flag), 0n),
      )
    } else if (constraint.kind === 'range') {
      out.set(first, constraint.lo)
      out.set(second!, constraint.hi)
    } else {
      out.set(first, constraint.value)
      if (second !== undefined) out.set(second, constraint.mask)
    }
  }
  return out
}

/** Attributes in the order of the machine that recorded them, little endian: classes, VLAN ids, labels. */
const HOST_ORDER: readonly string[] = ['1', '23', '70', '77', '91', '92', '93', '94', '95', '96']
const reversed = (hex: string) => hex.match(/../g)!.reverse().join('')

/** An attribute's bytes as a number; a device's name (2) is filled up with zeros, the labels of `mpls` (99) are compared by themselves. */
const sent = (number: string, hex: string) =>
  number === '99'
    ? 0n
    : BigInt(
        `0x${HOST_ORDER.includes(number) ? reversed(hex) : ['2', '97', '98'].includes(number) ? hex.padEnd(32, '0') : hex}`,
      )

/** Labels by depth, as `depth field=value …`: those of our keys, and those that tc sends (TCA_FLOWER_KEY_MPLS_OPT_LSE_*). */
function stack(keys: readonly Key[]): string[] {
  const depths = keys.filter(({ name }) => name === 'lse').map(({ depth }) => depth!)
  return depths.map((depth) => {
    const fields = keys.flatMap(({ name, depth: own, constraint }) =>
      own === depth && name !== 'lse' && constraint.kind === 'masked' ? [`${name}=${constraint.value}`] : [],
    )
    return [depth, ...fields.sort()].join(' ')
  })
}
function sentStack(hex: string): string[] {
  const names = ['', '', 'mpls_ttl', 'mpls_bos', 'mpls_tc', 'mpls_label']
  const parts = (data: string): [number, string][] => {
    if (data === '') return []
    const [length, type] = [0, 4].map((at) => Number.parseInt(reversed(data.slice(at, at + 4)), 16)) as [number, number]
    return [[type & 0x7fff, data.slice(8, length * 2)], ...parts(data.slice(((length + 3) & ~3) * 2))]
  }
  return parts(hex).map(([, lse]) => {
    const fields = parts(lse).map(([type, value]) => [type, BigInt(`0x${reversed(value)}`)] as const)
    const depth = fields.find(([type]) => type === 1)![1]
    return [depth, ...fields.flatMap(([type, value]) => (type === 1 ? [] : [`${names[type]}=${value}`])).sort()].join(
      ' ',
    )
  })
}

/** Lines that tc takes and we refuse on purpose, by the code of the refusal. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  'rules/unsupported': /./,
  'rules/twice': /./,
  'flower/needs-protocol': /ip_tos|ip_ttl|ip_flags|rarp/,
  'rules/number': /depth 8|ct_label 1 /,
  'flower/needs-proto': /tcp_flags/,
  'rules/protocol': /802_3|802_2|loop|vlan_ethtype all|protocol 0 /,
  'rules/address': /(src|dst)_ip (10|010|0x0a|any|default|all)/,
  'rules/mac': /src_mac/,
  'rules/prefix': /src_mac .*\/(0|49) /,
  'rules/flags': /ip_flags (no)?frag\/frag/,
  'rules/unknown-key': / (act drop|actio drop|src_i 10)/,
  'rules/syntax': /estimator/,
}

/** Keys that tc has had since, as tc-flower(8) of iproute2 6.18 has them. */
const NEWER = /l2tp|cfm|esp/

test.each(golden.rows)('tc 6.1: $line', (row) => {
  const { value, diagnostics } = parse(row.line)
  const codes = code(diagnostics.filter(({ severity }) => severity === 'error'))
  if (!row.accepted && NEWER.test(row.line)) return
  if (!row.accepted) return expect(codes).not.toEqual([])
  if (codes.length > 0) return expect(STRICTER[codes[0]!]?.test(row.line), codes[0]).toBe(true)
  const [filter] = value!.filters
  expect(filter!.prio).toBe(row.prio)
  expect(filter!.protocol === 'all' ? 3 : filter!.protocol).toBe(Number.parseInt(row.protocol!, 16))
  const ours = attributes(filter!)
  const theirs = new Map(Object.entries(row.attrs!).map(([number, hex]) => [Number(number), sent(number, hex)]))
  const labels = row.attrs!['99']
  if (labels !== undefined) expect(stack(filter!.keys)).toEqual(sentStack(labels))
  if (labels === '') theirs.delete(99)
  // Class 0:0 is none.
  if (theirs.get(1) === 0n) theirs.delete(1)
  for (const [number, theirValue] of theirs) {
    // tc sends value bits outside the mask; they are never compared.
    const mask = theirs.get([...Object.values(ATTRS)].find(([first]) => first === number)?.[1] ?? -1)
    const range = number === 87 || number === 88 || number === 89 || number === 90
    expect([number, ours.get(number)]).toEqual([number, mask === undefined || range ? theirValue : theirValue & mask])
  }
  const full = (number: number) => /^1+$/.test(ours.get(number)!.toString(2))
  for (const number of ours.keys()) if (!theirs.has(number)) expect(full(number), `attribute ${number}`).toBe(true)
})

function filterOf(text: string): Filter {
  const ast = parse(text)
  expect(renderAll(ast.diagnostics.filter(({ severity }) => severity === 'error'))).toBe('')
  const { value, diagnostics } = flower.lower(ast.value!, {})
  expect(renderAll(diagnostics.filter(({ severity }) => severity === 'error'))).toBe('')
  return value!
}

const bytes = (hex: string) => Uint8Array.from(hex.replace(/\s/g, '').match(/../g)!, (two) => Number.parseInt(two, 16))
const ETH = '02 00 00 00 00 02  02 00 00 00 00 01 '
const V4 = (middle: string, rest = '', start = '45') =>
  `${ETH} 0800 ${start} 00 0028 0000 ${middle} 0000 0a000001 0a000002 ${rest}`
const TCP80 = '3039 0050 00000001 00000000 5002 ffff 0000 0000'
const V6 = (next: string, rest: string) =>
  `${ETH} 86dd 60000000 0020 ${next} 40 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002 ${rest}`
const ARP = (op: string, sip = '0a000001', htype = '0001') =>
  `${ETH} 0806 ${htype} 0800 06 04 ${op} 020000000001 ${sip} 000000000000 0a000002`

const FRAMES = {
  'tcp 80': V4('0000 40 06', TCP80),
  'tcp 80, IPv4 options': `${ETH} 0800 46 00 002c 0000 0000 40 06 0000 0a000001 0a000002 01010101 ${TCP80}`,
  'tcp 80, ihl 4': V4('0000 40 06', TCP80, '44'),
  'tcp 80, version 6 in an IPv4 frame': V4('0000 40 06', TCP80, '65'),
  'tcp 80, cut IPv4 header': `${ETH} 0800 4500 0028 0000 0000 40 06 0000 0a00`,
  'tcp 80, cut after the ports': V4('0000 40 06', '3039 0050'),
  'tcp 80, data offset 4': V4('0000 40 06', '3039 0050 00000001 00000000 4002 ffff 0000 0000'),
  'tcp 80, first fragment': V4('2000 40 06', TCP80),
  'tcp 80, later fragment': V4('0001 40 06', TCP80),
  'udp 80': V4('0000 40 11', '3039 0050 0008 0000'),
  'tcp 80, IPv6': V6('06', TCP80),
  'tcp 80, IPv6 destination options': V6('3c', `0600 0104 00000000 ${TCP80}`),
  'tcp 80, IPv6 first fragment': V6('2c', `0600 0001 00000001 ${TCP80}`),
  'tcp 80, IPv6 fragment header in a whole packet': V6('2c', `0600 0000 00000001 ${TCP80}`),
  'tcp 80, cut source port only': V4('0000 40 06', '3039 00'),
  'tcp 80, VLAN 5': `${ETH} 8100 2005 0800 4500 0028 0000 0000 4006 0000 0a000001 0a000002 ${TCP80}`,
  'tcp 80, QinQ 7 in 5': `${ETH} 88a8 0005 8100 6007 0800 4500 0028 0000 0000 4006 0000 0a000001 0a000002 ${TCP80}`,
  'three tags': `${ETH} 8100 0001 8100 0002 8100 0003 0800 4500`,
  'a tag cut short': `${ETH} 8100 00`,
  'ARP, VLAN 5': `${ETH} 8100 0005 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002`,
  'labels 16 and 17': `${ETH} 8847 00010a40 00011140 45000000`,
  'label 16, the last': `${ETH} 8847 00010b40 45000000`,
  'label 0, cut': `${ETH} 8847 0000`,
  'PPPoE, IPv4': `${ETH} 8864 1100 000c 0016 0021 45000014 00000000 40060000 0a000001 0a000002`,
  'PPPoE, protocol in a byte': `${ETH} 8864 1100 000c 0015 21 45000014 00000000 40060000 0a000001 0a000002`,
  'PPPoE, link control': `${ETH} 8864 1100 000d 0006 c021 01010004`,
  'PPPoE, version 2': `${ETH} 8864 2100 000c 0016 0021 45000014`,
  'connectivity fault management': `${ETH} 8902 60 01 0000`,
  L2TPv3: V4('0000 40 73', '00000005 00000000'),
  ESP: V4('0000 40 32', '00000005 00000001'),
  'echo request': V4('0000 40 01', '0800 0000 0001 0001'),
  'MPLS in IP': V4('0000 40 89', '00001140 45000000'),
  'MPLS in IP, first fragment': V4('2000 40 89', '00001140 45000000'),
  'ARP request': ARP('0001'),
  'ARP probe': ARP('0001', '00000000'),
  'ARP of another hardware': ARP('0001', '0a000001', '0006'),
} as const
type FrameName = keyof typeof FRAMES

/** The frames that a text drops. */
function dropped(text: string): FrameName[] {
  const filter = filterOf(text)
  return (Object.keys(FRAMES) as FrameName[]).filter(
    (name) => evaluate(filter, bytes(FRAMES[name])).decision === 'drop',
  )
}

const IPV4_TCP80: FrameName[] = [
  'tcp 80',
  'tcp 80, IPv4 options',
  'tcp 80, version 6 in an IPv4 frame',
  'tcp 80, cut after the ports',
]
const IPV4_SOUND: FrameName[] = [
  ...IPV4_TCP80,
  'tcp 80, cut source port only',
  'tcp 80, data offset 4',
  'tcp 80, first fragment',
  'tcp 80, later fragment',
]

describe('what is dropped', () => {
  test.each<[string, readonly FrameName[]]>([
    ['protocol ip flower ip_proto tcp dst_port 80 action drop', [...IPV4_TCP80, 'tcp 80, data offset 4']],
    [
      'tc filter add dev eth0 ingress protocol ip prio 1 flower ip_proto tcp dst_port 79-81 action drop',
      [...IPV4_TCP80, 'tcp 80, data offset 4'],
    ],
    ['protocol ip flower ip_proto tcp action drop', IPV4_SOUND],
    // Ports of fragments read as 0: with the port 0 not to be had, a mask that leaves 0 shows it.
    ['protocol ip flower ip_proto tcp dst_port 1/0x8 action drop', IPV4_SOUND],
    ['protocol ip flower ip_proto tcp dst_port 80/0 action drop', IPV4_SOUND],
    // Both ports are read together or not at all.
    ['protocol ip flower ip_proto tcp src_port 12345 action drop', [...IPV4_TCP80, 'tcp 80, data offset 4']],
    ['protocol ipv6 flower ip_proto tcp dst_port 80 action drop', ['tcp 80, IPv6', 'tcp 80, IPv6 destination options']],
    [
      'protocol ipv6 flower ip_proto tcp action drop',
      [
        'tcp 80, IPv6',
        'tcp 80, IPv6 destination options',
        'tcp 80, IPv6 first fragment',
        'tcp 80, IPv6 fragment header in a whole packet',
      ],
    ],
    // A whole IPv4 header is wanted, its version is not looked at; MPLS in IP is looked into unless it is a fragment.
    [
      'protocol ip flower src_ip 10.0.0.0/8 action drop',
      [...IPV4_SOUND, 'udp 80', 'L2TPv3', 'ESP', 'echo request', 'MPLS in IP, first fragment'],
    ],
    ['protocol ip flower dst_ip 10.0.0.1 action drop', []],
    ['protocol ip flower src_ip 0.0.0.0/0 dst_ip 10.0.0.2 ip_proto udp action drop', ['udp 80']],
    ['protocol 802.1q flower vlan_id 5 vlan_prio 1 action drop', ['tcp 80, VLAN 5']],
    ['protocol 802.1q flower vlan_id 6 action drop', []],
    ['protocol 802.1q flower action drop', ['tcp 80, VLAN 5', 'three tags', 'ARP, VLAN 5']],
    ['protocol 802.1q flower vlan_ethtype ip ip_proto tcp dst_port 80 action drop', ['tcp 80, VLAN 5']],
    ['protocol 802.1q flower vlan_id 5 vlan_ethtype arp arp_op request arp_tip 10.0.0.2 action drop', ['ARP, VLAN 5']],
    ['protocol 802.1q flower vlan_ethtype ip dst_ip 10.0.0.9 action drop', []],
    [
      'protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 7 cvlan_prio 3 cvlan_ethtype ip src_ip 10.0.0.1 action drop',
      ['tcp 80, QinQ 7 in 5'],
    ],
    ['protocol all flower num_of_vlans 2 action drop', ['tcp 80, QinQ 7 in 5']],
    ['protocol all flower num_of_vlans 3 action drop', ['three tags']],
    ['protocol all flower num_of_vlans 1 vlan_id 5 action drop', ['tcp 80, VLAN 5', 'ARP, VLAN 5']],
    // A tag that is cut counts for none.
    ['protocol 802.1q flower num_of_vlans 0 action drop', []],
    ['protocol mpls_uc flower mpls_label 16 action drop', ['labels 16 and 17', 'label 16, the last']],
    ['protocol mpls_uc flower mpls_label 16 mpls_bos 1 mpls_tc 5 mpls_ttl 64 action drop', ['label 16, the last']],
    ['protocol mpls_uc flower mpls_label 0 action drop', []],
    ['protocol mpls_uc flower mpls lse depth 2 label 17 action drop', ['labels 16 and 17']],
    ['protocol mpls_uc flower mpls lse depth 2 action drop', ['labels 16 and 17']],
    ['protocol mpls_uc flower action drop', ['labels 16 and 17', 'label 16, the last', 'label 0, cut']],
    ['protocol ppp_ses flower action drop', ['PPPoE, IPv4', 'PPPoE, protocol in a byte', 'PPPoE, link control']],
    ['protocol ppp_ses flower pppoe_sid 12 action drop', ['PPPoE, IPv4', 'PPPoE, protocol in a byte']],
    ['protocol ppp_ses flower ppp_proto ip action drop', ['PPPoE, IPv4', 'PPPoE, protocol in a byte']],
    ['protocol ppp_ses flower ppp_proto 0xc021 action drop', ['PPPoE, link control']],
    ['protocol 0x8902 flower cfm mdl 3 op 1 action drop', ['connectivity fault management']],
    ['protocol 0x8902 flower cfm mdl 2 action drop', []],
    ['protocol ip flower ip_proto l2tp l2tpv3_sid 5 action drop', ['L2TPv3']],
    ['protocol ip flower ip_proto esp spi 5 action drop', ['ESP']],
    ['protocol ip flower ip_proto esp spi 6 action drop', []],
    [
      'protocol ip flower ip_proto tcp tcp_flags 0x2 action drop',
      ['tcp 80', 'tcp 80, IPv4 options', 'tcp 80, version 6 in an IPv4 frame'],
    ],
    ['protocol ip flower ip_proto tcp tcp_flags 0x0/0x10 action drop', IPV4_SOUND],
    ['protocol ip flower ip_proto icmp type 8 code 0 action drop', ['echo request']],
    ['protocol ip flower ip_flags frag ip_proto tcp action drop', ['tcp 80, first fragment', 'tcp 80, later fragment']],
    ['protocol ip flower ip_flags firstfrag ip_proto tcp action drop', ['tcp 80, first fragment']],
    ['protocol ip flower ip_flags frag/nofirstfrag ip_proto tcp action drop', ['tcp 80, later fragment']],
    ['protocol arp flower action drop', ['ARP request', 'ARP probe', 'ARP of another hardware']],
    ['protocol arp flower arp_op request arp_sip 10.0.0.1 action drop', ['ARP request']],
    // An ARP packet that is not dissected has the sender 0.0.0.0.
    ['protocol arp flower arp_sip 0.0.0.0 action drop', ['ARP probe', 'ARP of another hardware']],
    ['protocol all flower src_mac 02:00:00:00:00:01 action drop', Object.keys(FRAMES) as FrameName[]],
    ['flower src_mac 06:00:00:00:00:01/fb:ff:ff:ff:ff:ff action pass', []],
    ['protocol ip flower ip_proto udp ip_ttl 64/0xf0 ip_tos 0 action drop', ['udp 80']],
  ])('%s', (text, frames) => {
    expect(dropped(text)).toEqual((Object.keys(FRAMES) as FrameName[]).filter((name) => frames.includes(name)))
  })
})

describe('order', () => {
  const udp = 'protocol ip flower ip_proto udp'
  test.each<[string, string, 'drop' | 'pass']>([
    [
      'matchall takes what is left',
      `prio 1 protocol arp flower action pass\nprio 9 protocol all matchall action drop`,
      'drop',
    ],
    ['matchall of another protocol', `prio 9 protocol ipv6 matchall action drop`, 'pass'],
    ['low priorities first', `prio 2 ${udp} action pass\nprio 1 ${udp} action drop`, 'drop'],
    ['the newest first without priorities', `${udp} action pass\n${udp} action drop`, 'drop'],
    [
      'a chosen priority is below the lowest of the upper half',
      `prio 40000 ${udp} action pass\n${udp} action drop`,
      'drop',
    ],
    [
      'of two chosen ones the newer, whatever its lines say',
      `prio 60000 ${udp} src_ip 10.0.0.1 action pass\n${udp} action pass\n${udp} action drop`,
      'drop',
    ],
    ['a priority of the lower half before a chosen one', `prio 5 ${udp} action pass\n${udp} action drop`, 'pass'],
    [
      'masks of one priority in the order they came',
      `prio 1 ${udp} src_ip 10.0.0.9 action pass\nprio 1 ${udp} action drop\nprio 1 ${udp} src_ip 10.0.0.1 action pass`,
      'pass',
    ],
    [
      'a filter is replaced by its handle',
      `prio 1 handle 1 ${udp} action pass\nfilter replace prio 1 handle 1 ${udp} action drop`,
      'drop',
    ],
    ['continue goes on', `prio 1 ${udp} action continue\nprio 2 ${udp} action drop`, 'drop'],
    ['no action lets pass', `prio 1 ${udp}\nprio 2 ${udp} action drop`, 'pass'],
    ['nothing matches', 'protocol arp flower action drop', 'pass'],
    ['pipe ends the list of actions', `prio 1 ${udp} action pipe\nprio 2 ${udp} action drop`, 'pass'],
    ['pipe goes on in the list', `${udp} action pipe action mirred egress mirror dev e1 action drop`, 'drop'],
    ['nothing follows a verdict', `${udp} action pass action drop`, 'pass'],
    ['a copy with a verdict of its own', `prio 1 ${udp} action mirred egress mirror dev e1 drop`, 'drop'],
    ['another chain', `${udp} action goto chain 5\nprotocol ip chain 5 flower ip_proto udp action drop`, 'drop'],
    ['an empty chain', `prio 1 ${udp} action goto chain 5\nprio 2 ${udp} action drop`, 'pass'],
    [
      'the end of another chain',
      `prio 1 ${udp} action goto chain 5\nprio 2 ${udp} action drop\nprotocol arp chain 5 flower`,
      'pass',
    ],
    [
      'each chain has priorities of its own',
      `${udp} action goto chain 1\nchain 1 ${udp} action pass\nchain 1 ${udp} action drop`,
      'drop',
    ],
  ])('%s', (_, text, decision) => {
    expect(evaluate(filterOf(text), bytes(FRAMES['udp 80'])).decision).toBe(decision)
  })

  test('a class is told, unless an action ends the way', () => {
    const act = (text: string) => evaluate(filterOf(text), bytes(FRAMES['udp 80'])).act
    expect(act(`${udp} classid 1:a`)).toMatchObject({ act: 'class', args: ['1:a'] })
    expect(act(`${udp} flowid 0x10 action ok`)).toMatchObject({ act: 'class', args: ['0:10'] })
    expect(act(`${udp} classid 1:a action drop`)).toBeUndefined()
  })

  test('a copy is told', () => {
    const filter = filterOf(`${udp} action mirred egress mirror dev e1 action mirred ingress mirror dev e2 action drop`)
    expect(evaluate(filter, bytes(FRAMES['udp 80'])).logs).toMatchObject([
      { words: 'mirred egress mirror dev e1' },
      { words: 'mirred ingress mirror dev e2' },
    ])
  })

  test('rules keep their number in the text and their words', () => {
    const filter = filterOf(
      '# two filters\nprotocol ip flower action drop\n\ntc filter add dev e0 ingress \\\n  protocol arp flower action pass # last\n',
    )
    expect(filter.chains[0]!.rules.map(({ id }) => id)).toEqual([1, 0])
    expect(filter.chains[0]!.rules[0]!.text).toMatch(/^tc filter add .* action pass$/)
    expect(filter.base).toEqual([
      { chain: 'ingress', hook: 'ingress', view: 'flower', family: 'any', policy: 'accept' },
    ])
  })
})

describe('faults', () => {
  const codes = (text: string) => {
    const ast = parse(text)
    return code([...ast.diagnostics, ...(ast.value ? flower.lower(ast.value, {}).diagnostics : [])])
  }
  test.each<[string, string]>([
    ['', 'rules/empty'],
    ['# nothing\n\n', 'rules/empty'],
    ['protocol ip flower frobnicate 1', 'rules/unknown-key'],
    ['protocol ip flower src_ip 300.0.0.1', 'rules/address'],
    ['protocol ip flower ip_proto tcp dst_port 70000', 'rules/port'],
    ['protocol ip flower src_ip', 'rules/syntax'],
    ['protocol ip', 'rules/syntax'],
    ['tc filter del dev eth0 ingress prio 1 flower', 'rules/unsupported'],
    ['tc filter add dev eth0 parent 1: protocol ip flower\nprotocol ip flower', 'tc/other-hook'],
    ['prio 1 protocol ip flower\nprio 1 protocol arp flower', 'tc/prio-protocol'],
    ['prio 1 protocol ip flower ip_proto tcp\nprio 1 protocol ip flower ip_proto tcp action drop', 'flower/exists'],
    ['prio 1 protocol ip flower src_ip 10.0.0.1/8\nprio 1 protocol ip flower src_ip 10.0.0.2/8', 'flower/exists'],
    ['protocol ip flower src_ip 0.0.0.0/0 action drop', 'flower/never'],
    ['dev a flower\ndev b flower', 'rules/unsupported'],
    ['protocol ip flower ct_state +trk+foo action drop', 'rules/flags'],
    ['protocol ip flower ct_state +new action drop', 'rules/flags'],
    ['protocol ip flower ct_state +trk+new+est action drop', 'rules/flags'],
    ['protocol ip flower ct_state +trk+new+rpl action drop', 'rules/flags'],
    ['protocol ip flower ct_state +trk+inv+est action drop', 'rules/flags'],
    ['protocol ip flower src_ip 10.1 action drop', 'rules/address'],
    ['protocol ip flower ct_label 1 action drop', 'rules/number'],
    ['protocol ip flower geneve_opts 0102:80:00800022 action drop', 'rules/unsupported'],
    ['protocol ip flower enc_dst_ip 10.0.0.0/0 action drop', 'rules/unsupported'],
    ['protocol ip flower action police rate 1mbit burst 10k', 'tc/police'],
    ['protocol ip flower action police rate 1mbit', 'tc/police'],
    ['protocol ip flower action police burst 10k', 'tc/police'],
    ['protocol ip flower action police rate 1mbit burst 10k conform-exceed fall', 'tc/police'],
    ['protocol ppp_ses flower ppp_proto ip dst_ip 10.0.0.1 action drop', 'rules/unsupported'],
    ['protocol 802.1q flower vlan_ethtype 802.1q cvlan_ethtype 802.1q action drop', 'rules/unsupported'],
    ['protocol all flower num_of_vlans 5 action drop', 'rules/unsupported'],
    ['protocol 802.1q flower dst_ip 10.0.0.1 action drop', 'flower/needs-protocol'],
    ['protocol ip flower vlan_id 5 action drop', 'flower/needs-protocol'],
    ['protocol mpls_uc flower mpls lse label 5 action drop', 'flower/lse'],
    ['protocol mpls_uc flower mpls lse depth 1 lse depth 1 action drop', 'rules/twice'],
    ['protocol mpls_uc flower mpls_label 5 mpls lse depth 1 action drop', 'rules/twice'],
    ['protocol ip flower action pass action drop', 'tc/after'],
    ['protocol ip chain 3 flower action drop\nprotocol ip flower', 'tc/unreached'],
    ['protocol ppp_ses flower ppp_proto ip action drop', 'flower/behind'],
    ['protocol ip flower action skbedit mark 5', 'rules/unsupported'],
    ['protocol ip flower action goto chain 0x10000000', 'rules/unsupported'],
    ['protocol ip flower classid 10000:1', 'rules/number'],
    ['protocol all matchall src_mac 0:0:0:0:0:1 action drop', 'rules/unknown-key'],
    ['prio 1 protocol ip flower action drop\nprio 1 protocol ip matchall action drop', 'tc/prio-protocol'],
    ['prio 1 protocol ip matchall action drop\nprio 1 protocol ip matchall action pass', 'flower/exists'],
    ['egress protocol ip flower', 'rules/empty'],
    ['filter add ingress bpf', 'rules/unsupported'],
    ['filter add ingress protocol ip handle 5 fw action drop', 'rules/unsupported'],
    ['protocol ip flower\nprotocol ip u32 match u32 0 0', 'rules/unsupported'],
    ['tc qdisc add dev eth0 clsact', 'rules/unsupported'],
    ['tc filter add ingress protocol ip bfp', 'rules/syntax'],
  ])('%j is %s', (text, expected) => {
    expect(codes(text)).toContain(expected)
  })

  test('what the filters are at instead is told', () => {
    const parsed = parse('# first\negress protocol ip flower action drop')
    const { diagnostics } = flower.lower(parsed.value!, {})
    expect(renderAll(diagnostics)).toBe(`t.tc:2:1: error: there is no filter at ingress [rules/empty]
    egress protocol ip flower action drop
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: this one is at egress: --hook egress asks it
`)
  })

  test('a message shows where', () => {
    const text = 'protocol ip flower ip_proto tcp \\\n  dst_prt 80 action drop'
    expect(renderAll(parse(text).diagnostics)).toBe(
      `t.tc:2:3: error: tc flower has no key \`dst_prt\` [rules/unknown-key]
      dst_prt 80 action drop
      ^^^^^^^
  hint: did you mean dst_port?
`,
    )
  })

  test('many filters take little time', () => {
    const lines = Array.from(
      { length: 5000 },
      (_, i) => `prio 1 protocol ip flower ip_proto tcp dst_port ${i + 1} action drop`,
    )
    const filter = filterOf(lines.join('\n'))
    expect(filter.chains[0]!.rules).toHaveLength(5000)
  })

  test('hostile text ends in a message', () => {
    expect(code(parse(`flower ${'x'.repeat(300_000)}`).diagnostics)).toHaveLength(1)
    expect(code(parse('flower \u0000 \ud800').diagnostics)).toEqual(['rules/syntax'])
  })
})

describe('what is told beside the packet', () => {
  const dropped = (keys: string, meta: Metadata) => evaluate(filterOf(`protocol ip flower ${keys} action drop`), bytes(FRAMES['tcp 80']), { meta }).decision === 'drop' // biome-ignore format: one call
  const TUNNEL: Metadata = { 'tunnel.id': 5n, 'tunnel.dst': 0x0a010001n, 'tunnel.dport': 4789n, 'tunnel.ttl': 64n }
  test.each<[string, Metadata, boolean]>([
    ['ct_state +trk+est', { 'tc.ct.state': 10n }, true],
    ['ct_state +trk+inv-est', { 'tc.ct.state': 24n }, true],
    ['ct_state +trk-new', { 'tc.ct.state': 9n }, false],
    // The action ct has not looked at it.
    ['ct_state -trk', {}, true],
    ['ct_state +trk', {}, false],
    ['ct_zone 5/0xff ct_mark 0x10/0xf0', { 'tc.ct.zone': 0x105n, 'tc.ct.mark': 0x1fn }, true],
    ['ct_zone 5', { 'tc.ct.zone': 0x105n }, false],
    ['ct_label 0102/00ff', { 'tc.ct.label': 0x0902n << 112n }, true],
    ['enc_key_id 5 enc_dst_ip 10.1.0.0/16 enc_dst_port 4789 enc_ttl 64', TUNNEL, true],
    ['enc_key_id 6', TUNNEL, false],
    ['enc_dst_ip 2001:db8::1', TUNNEL, false],
    ['enc_key_id 5', {}, false],
  ])('%s', (keys, meta, expected) => {
    expect(dropped(keys, meta)).toBe(expected)
  })
})

test('a policer is told of packets that it is taken to let pass', () => {
  const text =
    'protocol ip flower action police rate 1mbit burst 10k conform-exceed drop/pipe action mirred egress redirect dev eth1'
  const filter = filterOf(text)
  expect(filter.chains[0]!.rules[0]!.steps.map((step) => (step.kind === 'log' ? step.words : step.kind))).toEqual([
    'match',
    'match',
    'police rate 1mbit burst 10k conform-exceed drop/pipe',
    'verdict',
  ])
})
