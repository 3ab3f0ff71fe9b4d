import { spanText } from '@netsieve/diag'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildPacket } from '../../src/build/build.ts'
import { FIELDS, type FieldId } from '../../src/fields.ts'
import { read } from '../../src/read.ts'
import { hex } from '../capture/hex.ts'
import { homeOf } from './homes.ts'

function build(text: string) {
  const { value, diagnostics } = buildPacket(text)
  expect(diagnostics).toEqual([])
  return value!
}

describe('bytes', () => {
  test.each([
    [
      // The header that Wikipedia's article on the IPv4 checksum works out: b861.
      'ipv4(length=115, id=0, df=1, ttl=64, protocol=udp, src=192.168.0.1, dst=192.168.0.199)',
      '4500 0073 0000 4000 4011 b861 c0a80001 c0a800c7',
    ],
    [
      'eth(dst=00:00:5e:00:53:01, src=2:0:0:0:0:1) / arp(op=2, sip=10.0.0.9)',
      `00005e005301 020000000001 0806
       0001 0800 06 04 0002 020000000001 0a000009 000000000000 0a000002`,
    ],
    ['eth / vlan(id=100) / vlan(id=5, pcp=7, dei=1) / "hi"', '020000000002 020000000001 88a8 0064 8100 f005 88b5 6869'],
    ['eth / vlan(tci=0xa005, tpid=0x9100) / 0x', '020000000002 020000000001 9100 a005 88b5'],
    ['eth(type=0x26) / 0x4242 / zeros(2) / "\\x7f\\n\\"ü"', '020000000002 020000000001 0026 4242 0000 7f0a22c3bc'],
    [
      'ipv6(src=fe80::1, dst=ff02::16, hoplimit=1) / hopopt / fragment(fragoff=2, mf=1, id=7) / "x"',
      `60000000 0011 00 01 fe80000000000000 0000000000000001 ff02000000000000 0000000000000016
       2c 00 0104 00000000   fd 00 0011 00000007   78`,
    ],
    ['ipv6', '60000000 0000 3b 40 20010db8000000000000000000000001 20010db8000000000000000000000002'],
    [
      'ipv4(options=0x9404000001, checksum=0, protocol=2)',
      '4700 001c 0000 0000 4002 0000 0a000001 0a000002 9404000001000000',
    ],
  ])('%s', (text, expected) => {
    expect(build(text).data).toEqual(hex(expected))
  })

  test('without Ethernet the link type is RAW', () => {
    const linkType = (text: string) => build(text).linkType
    expect(['eth / ipv4', 'ipv6', 'ipv4', 'raw', 'raw / ipv4', '0x0102'].map(linkType)).toEqual([
      1, 101, 101, 101, 101, 1,
    ])
  })

  test('what the text sets stays as it is', () => {
    const { data } = build('ipv4(ihl=15, length=1, checksum=0xbeef, protocol=6) / udp(length=3, checksum=0) / "abc"')
    expect(data).toEqual(hex('4f00 0001 0000 0000 4006 beef 0a000001 0a000002 9c40 0035 0003 0000 616263'))
  })
})

describe('faults', () => {
  test.each([
    ['', 'build/syntax', ''],
    ['eth / ', 'build/syntax', ''],
    ['eth / ipv4(', 'build/syntax', ''],
    ['eth / ipv4(ttl)', 'build/syntax', ')'],
    ['eth / ipv4(ttl=)', 'build/syntax', ')'],
    ['eth / ipv4(ttl=1', 'build/syntax', ''],
    ['eth ipv4', 'build/syntax', 'i'],
    ['ipv4 / "open', 'build/syntax', '"'],
    ['ipv4 / "a\\q"', 'build/string', '\\q'],
    ['ipv4 / 0x123', 'build/bytes', '0x123'],
    ['ipv4 / zeros(65536)', 'build/value', '65536'],
    ['eth / ip', 'build/header', 'ip'],
    ['constructor', 'build/header', 'constructor'],
    ['eth / ipv4(dport=80)', 'build/field', 'dport'],
    ['eth / ipv4(__proto__=80)', 'build/field', '__proto__'],
    ['eth / ipv4(ttl=1, ttl=2)', 'build/field', 'ttl'],
    ['ipv4 / tcp(dport=65536)', 'build/value', '65536'],
    ['ipv4 / tcp(dport=http)', 'build/value', 'http'],
    ['ipv4 / tcp(flags=SX)', 'build/value', 'SX'],
    ['ipv4(src=10.0.0.256)', 'build/value', '10.0.0.256'],
    ['ipv6(src=10.0.0.1)', 'build/value', '10.0.0.1'],
    [`ipv4(options=0x${'01'.repeat(41)})`, 'build/value', `0x${'01'.repeat(41)}`],
    ['udp(options=0x00)', 'build/order', 'udp'],
    ['tcp', 'build/order', 'tcp'],
    ['eth / tcp', 'build/order', 'tcp'],
    ['eth / eth', 'build/order', 'eth'],
    ['ipv4 / vlan', 'build/order', 'vlan'],
    ['ipv4 / tcp / udp', 'build/order', 'udp'],
    ['ipv4 / "x" / tcp', 'build/order', 'tcp'],
    ['ipv4 / icmp6', 'build/order', 'icmp6'],
    ['ipv6 / icmp', 'build/order', 'icmp'],
    ['ipv4 / hopopt', 'build/order', 'hopopt'],
    ['"x" / eth', 'build/order', 'eth'],
    ['raw / arp', 'build/order', 'arp'],
    ['raw / tcp', 'build/order', 'tcp'],
    ['eth / raw', 'build/order', 'raw'],
    ['ipv4 / udp / zeros(65535)', 'build/length', 'udp'],
    ['ipv4 / zeros(65516)', 'build/length', 'ipv4'],
    ['ipv6 / zeros(65535) / zeros(1)', 'build/length', 'ipv6'],
  ])('%s', (text, code, place) => {
    const { value, diagnostics } = buildPacket(text)
    expect(value).toBeUndefined()
    expect(diagnostics.map((diagnostic) => [diagnostic.code, spanText(diagnostic.span!)])[0]).toEqual([code, place])
  })

  test('the longest packets', () => {
    expect(build('ipv4 / zeros(65515)').data.length).toBe(65_535)
    expect(build('eth / ipv6 / zeros(65535)').data.length).toBe(65_589)
  })

  test('any text gives a packet or says why not', () => {
    const word = fc.constantFrom(
      'eth',
      'ipv4',
      'tcp',
      'udp',
      'vlan',
      '/',
      '(',
      ')',
      '=',
      ',',
      '"',
      '0x',
      'zeros',
      '\\',
      ' ',
      'ttl',
      '9',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 12 }).map((words) => words.join('')),
    )
    fc.assert(
      fc.property(text, (text) => {
        const { value, diagnostics } = buildPacket(text)
        expect(value === undefined).toBe(diagnostics.length > 0)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('every field of the table', () => {
  const ids = (Object.keys(FIELDS) as FieldId[]).filter((id) => homeOf(id) !== undefined)

  test('has a home, but for metadata', () => {
    const homeless = (Object.keys(FIELDS) as FieldId[]).filter((id) => homeOf(id) === undefined)
    expect(homeless.filter((id) => FIELDS[id].proto !== 'meta')).toEqual([])
  })

  test.each(ids)('%s holds 0, its largest value, and one between', (id) => {
    const { text, offset } = homeOf(id)!
    const largest = (1n << BigInt(FIELDS[id].bits)) - 1n
    for (const value of [0n, largest, largest / 3n]) {
      const { data } = build(text(value))
      expect(read(id, data, offset)).toBe(value)
    }
  })
})

test('options, chunks, labels and tunnels are layers', () => {
  const bytes = (text: string) => Buffer.from(build(text).data).toString('hex')
  expect(bytes('ipv4 / tcp / tcp_nop / tcp_maxseg(size=1400)').slice(40 + 24, 40 + 26)).toBe('70')
  expect(bytes('ipv4 / tcp / tcp_nop / tcp_maxseg(size=1400)').endsWith('010204057800' + '0000')).toBe(true)
  // The chunk's own length, and padding to 4 before the next one.
  expect(bytes('ipv4 / sctp / sctp_cookieecho / "abc" / sctp_abort').slice(64)).toBe(
    '0a000007' + '61626300' + '06000004',
  )
  expect(bytes('eth / mpls(label=5, ttl=9) / mpls(label=6, ttl=9) / ipv4').slice(24, 48)).toBe(
    '8847' + '00005009' + '00006109' + '4500',
  )
  expect(bytes('ipv4 / gre / gre_key(value=5) / ipv4').slice(40, 56)).toBe('20000800' + '00000005')
  expect(bytes('ipv4 / udp / vxlan(vni=5) / eth').slice(44, 72)).toBe(
    '12b5' + '001e' + bytes('ipv4 / udp / vxlan(vni=5) / eth').slice(52, 56) + '0800000000000500',
  )
  expect(buildPacket('ipv4 / tcp_nop').diagnostics[0]).toMatchObject({ code: 'build/order' })
  expect(buildPacket('ipv4 / tcp / tcp_sack / tcp_timestamp').diagnostics[0]).toMatchObject({ code: 'build/options' })
  expect(buildPacket('ipv4 / udp / "x" / sctp_abort').diagnostics[0]).toMatchObject({ code: 'build/order' })
})
