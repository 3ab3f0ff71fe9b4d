import {
  ETHERTYPE,
  FIELDS,
  type Field,
  type FieldId,
  IPPROTO,
  maxValue,
  PROTOCOLS,
  type Protocol,
  type ProtocolName,
  protocol,
} from '@netsieve/packet'
import { describe, expect, it } from 'vitest'

const rows = Object.entries(FIELDS) as [FieldId, Field][]
const protocols = Object.entries(PROTOCOLS) as [ProtocolName, Protocol][]

describe('every field', () => {
  it.each(rows)('%s is named by its protocol and lies in its header', (id, { proto, bit, bits, kind }) => {
    const { base, minBytes } = PROTOCOLS[proto]
    if (proto !== 'meta') expect(id.startsWith(`${proto}.`)).toBe(true)
    expect(bits).toBeGreaterThan(0)
    // Entries of lists may be longer than their shortest form; the type behind a tag is counted with the tag.
    const most = protocol(proto).entry ? 40 : /^vlan/.test(proto) ? 6 : minBytes
    if (base !== 'meta') expect(bit + bits).toBeLessThanOrEqual(most * 8)
    const width = { mac: 48, ipv4: 32, ipv6: 128, port: 16, ethertype: 16, ipproto: 8, nfproto: 8 } as Partial<
      Record<string, number>
    >
    expect(bits).toBe(width[kind] ?? bits)
    expect(maxValue(id)).toBe(2n ** BigInt(bits) - 1n)
  })
})

it('fields of a protocol overlap only where one is part of the other, or two cut the same bits', () => {
  const parts = new Set(
    'eth.length ipv4.tos ipv4.frag ipv6.tclass tcp.reserved tcp.flags icmp.rest icmp6.rest gre.flags gtpu.flags'.split(
      ' ',
    ),
  )
  for (const [a, one] of rows) {
    for (const [b, two] of rows) {
      if (a === b || one.proto !== two.proto || PROTOCOLS[one.proto].base === 'meta' || parts.has(a) || parts.has(b))
        continue
      // Fields of one place that depend on another one's value stand for each other.
      if (a.includes('.tci') || b.includes('.tci') || (one.when && two.when)) continue
      expect(one.bit + one.bits <= two.bit || two.bit + two.bits <= one.bit, `${a} and ${b}`).toBe(true)
    }
  }
})

// Where the RFCs' pictures put some that are easy to get wrong: byte and bit of the byte.
it.each<[FieldId, number, number, number]>([
  ['ipv4.fragoff', 6, 3, 13], // RFC 791 §3.1
  ['ipv4.mf', 6, 2, 1],
  ['ipv4.df', 6, 1, 1],
  ['ipv6.tclass', 0, 4, 8], // RFC 8200 §3
  ['ipv6.flowlabel', 1, 4, 20],
  ['ipv6.hoplimit', 7, 0, 8],
  ['tcp.doff', 12, 0, 4], // RFC 9293 §3.1
  ['tcp.flags', 13, 0, 8],
  ['arp.sip', 14, 0, 32], // RFC 826
  ['arp.tip', 24, 0, 32],
  ['igmp.group', 4, 0, 32], // RFC 3376 §4.1
  ['ah.spi', 4, 0, 32], // RFC 4302 §2
  ['sctp.checksum', 8, 0, 32], // RFC 9260 §3.1
  ['vlan.id', 2, 4, 12], // IEEE 802.1Q §9.6
  ['mpls.bos', 2, 7, 1], // RFC 3032 §2.1
  ['mpls.ttl', 3, 0, 8],
  ['pppoe.sid', 2, 0, 16], // RFC 2516 §4
  ['fragment.fragoff', 2, 0, 13], // RFC 8200 §4.5
  ['fragment.mf', 3, 7, 1],
  ['srh.tag', 6, 0, 16], // RFC 8754 §2
  ['ip_timestamp.flag', 3, 4, 4], // RFC 791 §3.1
  ['tcp_timestamp.tsecr', 6, 0, 32], // RFC 7323 §3.2
  ['tcp_sack.left1', 10, 0, 32], // RFC 2018 §3
  ['tcp.syn', 13, 6, 1],
  ['dccp.type', 8, 3, 4], // RFC 4340 §5.1
  ['sctp_data.ppid', 12, 0, 32], // RFC 9260 §3.3.1
  ['sctp_init.outbound', 12, 0, 16], // RFC 9260 §3.3.2
  ['icmp.mtu', 6, 0, 16], // RFC 1191 §4
  ['vxlan.vni', 4, 0, 24], // RFC 7348 §5
  ['geneve.optlen', 0, 2, 6], // RFC 8926 §3.4
  ['gre.version', 1, 5, 3], // RFC 2784 §2.1
  ['gtpu.teid', 4, 0, 32], // 3GPP TS 29.281 §5.1
])('%s is at byte %i, bit %i, %i bits', (id, byte, bit, bits) => {
  expect(FIELDS[id]).toMatchObject({ bit: byte * 8 + bit, bits })
})

it('numbers are those of the IEEE and IANA, in whatever table they stand', () => {
  for (const [name, { ethertype, ipProtocol }] of protocols) {
    if (ethertype !== undefined && name in ETHERTYPE)
      expect(ETHERTYPE[name as keyof typeof ETHERTYPE], name).toBe(ethertype)
    if (ipProtocol !== undefined && name in IPPROTO)
      expect(IPPROTO[name as keyof typeof IPPROTO], name).toBe(ipProtocol)
  }
  // https://www.iana.org/assignments/protocol-numbers
  const iana = {
    ...{ icmp: 1, igmp: 2, tcp: 6, udp: 17, dccp: 33, gre: 47, esp: 50, ah: 51, icmp6: 58 },
    ...{ ipcomp: 108, l2tp3: 115, sctp: 132, udplite: 136 },
  }
  expect(
    Object.fromEntries(
      protocols.flatMap(([name, { ipProtocol }]) => (ipProtocol === undefined ? [] : [[name, ipProtocol]])),
    ),
  ).toEqual(iana)
})
