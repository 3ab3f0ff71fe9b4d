// What ethtool 6.1 makes of each line is recorded in test/rules/ethtool: refused, or the ethtool_rx_flow_spec that it hands to the kernel.
// What rules mean has no oracle (devices differ): the cases below are what uapi linux/ethtool.h says, in an ideal device.

import { readFileSync } from 'node:fs'
import { code, renderAll, source } from '@netsieve/diag'
import { evaluate, type Filter } from '@netsieve/ir'
import { writeBits } from '@netsieve/packet'
import { describe, expect, test } from 'vitest'
import type { EthtoolRule } from '../src/ethtool/index.ts'
import { ethtool } from '../src/index.ts'

interface Row {
  readonly line: string
  readonly accepted: boolean
  readonly flow_type?: number
  readonly h_u?: string
  readonly m_u?: string
  readonly h_ext?: string
  readonly m_ext?: string
  readonly ring_cookie?: string
  readonly location?: number
  readonly delete?: number
}
const golden: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL('../../../test/rules/ethtool/ethtool-6.1.golden.json', import.meta.url), 'utf8'),
)
const parse = (text: string) => ethtool.parse(source('t.ethtool', text))

const TYPES = {
  tcp4: 1,
  udp4: 2,
  sctp4: 3,
  tcp6: 5,
  udp6: 6,
  sctp6: 7,
  ah4: 9,
  esp4: 10,
  ah6: 11,
  esp6: 12,
  ip4: 13,
  ip6: 14,
  ether: 18,
}
const [EXT, MAC_EXT] = [0x8000_0000, 0x4000_0000]

/** Byte and length of each field in ethtool_flow_union, and in ethtool_flow_ext. */
const V4 = {
  'src-ip': [0, 4],
  'dst-ip': [4, 4],
  'src-port': [8, 2],
  'dst-port': [10, 2],
  spi: [8, 4],
  l4data: [8, 4],
  tos: [12, 1],
  l4proto: [14, 1],
}
const V6 = {
  'src-ip': [0, 16],
  'dst-ip': [16, 16],
  'src-port': [32, 2],
  'dst-port': [34, 2],
  spi: [32, 4],
  l4data: [32, 4],
  tclass: [36, 1],
  l4proto: [37, 1],
}
const ETHER = { dst: [0, 6], src: [6, 6], proto: [12, 2] }
const EXTRA: Readonly<Record<string, readonly number[]>> = { 'dst-mac': [2, 6], 'vlan-etype': [8, 2], vlan: [10, 2] }

/** What ethtool would hand over for our tree. */
function flowSpec({ type, fields, action, loc }: EthtoolRule) {
  const union: Readonly<Record<string, readonly number[]>> = type === 'ether' ? ETHER : type.endsWith('4') ? V4 : V6
  const [h_u, m_u, h_ext, m_ext] = [new Uint8Array(52), new Uint8Array(52), new Uint8Array(20), new Uint8Array(20)]
  let flow_type = TYPES[type as keyof typeof TYPES]
  if (type === 'ip4') h_u[13] = 1 // ip_ver: ETH_RX_NFC_IP4
  for (const { name, value, mask } of fields) {
    const extra = EXTRA[name]
    const [at, length] = (extra ?? union[name])!
    writeBits(extra ? h_ext : h_u, at! * 8, length! * 8, value)
    writeBits(extra ? m_ext : m_u, at! * 8, length! * 8, mask)
    if (extra) flow_type += name === 'dst-mac' ? MAC_EXT : flow_type < EXT ? EXT : 0
  }
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return {
    flow_type,
    h_u: hex(h_u),
    m_u: hex(m_u),
    h_ext: hex(h_ext),
    m_ext: hex(m_ext),
    drop: action === 'drop',
    location: Number(loc ?? 0xffff_ffffn),
  }
}

/** The same of a recorded row; value bits that no one compares are cleared. */
function recorded(row: Row) {
  const masked = (value: string, mask: string, keep?: number) => {
    const [bytes, masks] = [Buffer.from(value, 'hex'), Buffer.from(mask, 'hex')]
    return Buffer.from(bytes.map((byte, i) => (i === keep ? byte : byte & masks[i]!))).toString('hex')
  }
  const { flow_type, m_u, m_ext, location } = row
  return {
    flow_type,
    h_u: masked(row.h_u!, m_u!, (flow_type! % EXT) % MAC_EXT === TYPES.ip4 ? 13 : undefined),
    m_u,
    h_ext: masked(row.h_ext!, m_ext!),
    m_ext,
    drop: row.ring_cookie === 'ffffffffffffffff',
    location,
  }
}

/** Lines that ethtool takes and we refuse on purpose, by the code of the refusal. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  'rules/unsupported': /user-def|vf|context|action -2/,
  'rules/syntax': /(dst-port|action)$/,
  'rules/number': /action -3|loc 4294967295|dst-port \+5/,
  'rules/mac': /dst-mac/,
}

test.each(golden.rows)('ethtool 6.1: $line', (row) => {
  const { value, diagnostics } = parse(row.line)
  const codes = code(diagnostics)
  if (!row.accepted) return expect(codes).not.toEqual([])
  if (codes.length > 0) return expect(STRICTER[codes[0]!]?.test(row.line), codes[0]).toBe(true)
  const [command] = value!.commands
  if (command!.kind === 'delete') return expect(Number(command!.loc)).toBe(row.delete)
  expect(flowSpec(command!)).toEqual(recorded(row))
})

function filterOf(text: string): Filter {
  const ast = parse(text)
  expect(renderAll(ast.diagnostics)).toBe('')
  const { value, diagnostics } = ethtool.lower(ast.value!, {})
  expect(code(diagnostics.filter(({ severity }) => severity === 'error'))).toEqual([])
  return value!
}

const bytes = (hex: string) => Uint8Array.from(hex.replace(/\s/g, '').match(/../g)!, (two) => Number.parseInt(two, 16))
const ETH = '02 00 00 00 00 02  02 00 00 00 00 01 '
const TCP80 = '3039 0050 00000001 00000000 5002 ffff 0000 0000'
const v4 = (middle: string, rest: string, tos = '00', length = '0028') =>
  `${ETH} 0800 45 ${tos} ${length} 0000 ${middle} 0000 0a000001 0a000002 ${rest}`
const v6 = (next: string, rest: string) =>
  `${ETH} 86dd 61000000 0014 ${next} 40 20010db8 00000000 00000000 00000001 20010db8 00000000 00000000 00000002 ${rest}`

const FRAMES = {
  'tcp 80': v4('0000 40 06', TCP80, '10'),
  'tcp 80, first fragment': v4('2000 40 06', TCP80),
  'tcp 80, later fragment': v4('0001 40 06', TCP80),
  'tcp 80, total length too long': v4('0000 40 06', TCP80, '00', '0100'),
  'udp 80': v4('0000 40 11', '3039 0050 0008 0000 0000 0000 0000 0000 0000 0000'),
  'tcp 80, IPv6': v6('06', TCP80),
  'tcp 80, VLAN 5': `${ETH} 8100 2005 0800 4500 0028 0000 0000 4006 0000 0a000001 0a000002 ${TCP80}`,
  ARP: `${ETH} 0806 0001 0800 0604 0001 020000000001 0a000001 000000000000 0a000002`,
} as const
type FrameName = keyof typeof FRAMES
const NAMES = Object.keys(FRAMES) as FrameName[]
const SOUND_TCP4: FrameName[] = ['tcp 80', 'tcp 80, first fragment', 'tcp 80, later fragment', 'tcp 80, VLAN 5']

describe('what is dropped', () => {
  test.each<[string, readonly FrameName[]]>([
    ['flow-type tcp4 dst-port 80 action -1', ['tcp 80', 'tcp 80, VLAN 5']],
    ['ethtool -N eth0 flow-type tcp4 dst-port 0120 action -1', ['tcp 80', 'tcp 80, VLAN 5']],
    ['flow-type tcp4 dst-port 81 m 1 action -1', ['tcp 80', 'tcp 80, VLAN 5']],
    ['flow-type tcp4 dst-port 0 m 0xffff action -1', SOUND_TCP4],
    ['flow-type tcp4 action -1', SOUND_TCP4],
    ['flow-type tcp4 action 3', []],
    ['flow-type tcp4', []],
    ['flow-type udp4 src-ip 10.9.9.9 m 0.255.255.255 action -1', ['udp 80']],
    ['flow-type ip4 dst-ip 10.0.0.2 action -1', [...SOUND_TCP4, 'udp 80']],
    ['flow-type ip4 dst-port 80 action -1', ['tcp 80', 'udp 80', 'tcp 80, VLAN 5']],
    ['flow-type ip4 l4proto 17 l4data 0x30390050 action -1', ['udp 80']],
    ['flow-type ip4 tos 0x13 m 3 action -1', ['tcp 80']],
    ['flow-type tcp6 dst-port 80 src-ip 2001:db8::1 tclass 0x10 action -1', ['tcp 80, IPv6']],
    ['flow-type ip6 action -1', ['tcp 80, IPv6']],
    ['flow-type ether proto 0x806 action -1', ['ARP']],
    [
      'flow-type ether src 02:00:00:00:00:01 proto 0x800 action -1',
      [...SOUND_TCP4, 'udp 80', 'tcp 80, total length too long'],
    ],
    ['flow-type ether vlan 0x5 m 0xf000 action -1', ['tcp 80, VLAN 5']],
    ['flow-type tcp4 vlan 5 action -1', []],
    ['flow-type tcp4 vlan-etype 0x8100 dst-mac 02:00:00:00:00:ff m 00:00:00:00:00:ff action -1', ['tcp 80, VLAN 5']],
  ])('%s', (text, frames) => {
    const filter = filterOf(text)
    const dropped = NAMES.filter((name) => evaluate(filter, bytes(FRAMES[name])).decision === 'drop')
    expect(dropped).toEqual(NAMES.filter((name) => frames.includes(name)))
  })
})

describe('order', () => {
  test.each<[string, string, readonly number[]]>([
    ['low locations first', 'flow-type tcp4 loc 7\nflow-type tcp4 loc 3', [1, 0]],
    [
      'the newest without a location first, after those with one',
      'flow-type tcp4\nflow-type udp4\nflow-type ip4 loc 9',
      [2, 1, 0],
    ],
    ['a rule takes the place of another', 'flow-type tcp4 loc 7\nflow-type udp4 loc 7', [1]],
    ['a rule is deleted', 'flow-type tcp4 loc 7\n-N eth0 delete 07\nflow-type udp4 loc 8', [1]],
  ])('%s', (_, text, ids) => {
    expect(filterOf(text).chains[0]!.rules.map(({ id }) => id)).toEqual(ids)
  })
})

describe('faults', () => {
  test.each<[string, string]>([
    ['', 'rules/empty'],
    ['flow-type tcp4 loc 1\ndelete 1', 'rules/empty'],
    ['delete 4', 'ethtool/no-rule'],
    ['flow-type tcp5 dst-port 80', 'ethtool/flow-type'],
    ['flow-type tcp4 dst-port 70000', 'rules/number'],
    ['flow-type tcp4 dst-port 08', 'rules/number'],
    ['flow-type tcp4 dst-port', 'rules/syntax'],
    ['flow-type tcp4 src-ip 10.0.0.1/24', 'rules/address'],
    ['flow-type tcp4 tclass 5', 'rules/unknown-key'],
    ['flow-type tcp4 user-def 5', 'rules/unsupported'],
    ['flow-type tcp4 src-port 5 dst-port-mask 1', 'ethtool/mask'],
    ['flow-type ip4 src-port 5 spi 1', 'ethtool/overlap'],
    ['rx-flow-hash tcp4 sdfn', 'rules/unsupported'],
    ['-N a flow-type tcp4\n-N b flow-type tcp4', 'rules/unsupported'],
    ['something else', 'rules/syntax'],
  ])('%j is %s', (text, expected) => {
    const ast = parse(text)
    expect(code(ast.value ? ethtool.lower(ast.value, {}).diagnostics : ast.diagnostics)).toContain(expected)
  })

  test('a message shows where', () => {
    expect(renderAll(parse('# first\nethtool -N eth0 flow-type tcp4 dst-prt 80').diagnostics)).toBe(
      `t.ethtool:2:32: error: flow type tcp4 has no field \`dst-prt\` [rules/unknown-key]
    ethtool -N eth0 flow-type tcp4 dst-prt 80
                                   ^^^^^^^
  hint: did you mean dst-port?
`,
    )
  })
})
