import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildPacket } from '../../src/build/build.ts'
import { printPacket } from '../../src/build/print.ts'
import { readCapture } from '../../src/capture/reader.ts'
import { hex } from '../capture/hex.ts'

const printed = (text: string) => {
  const { linkType, data } = buildPacket(text).value!
  return printPacket(linkType, data)
}

describe('the text that built a packet, where it says no more than it must', () => {
  test.each([
    ['eth / ipv4(src=10.0.0.1, dst=10.0.0.2) / tcp(sport=40000, dport=80, flags=S) / "GET /\\r\\n"'],
    ['eth(dst=ff:ff:ff:ff:ff:ff) / arp(op=1, sip=10.0.0.1, tip=10.0.0.2)'],
    ['eth / vlan(pcp=3, id=5) / ipv6(src=::, dst=ff02::1) / icmp6(type=128)'],
    ['eth / vlan(id=100) / vlan(id=5) / ipv4(src=1.2.3.4, dst=10.0.0.2) / udp(sport=1, dport=2) / zeros(20)'],
    ['ipv4(ttl=1, src=10.0.0.1, dst=224.0.1.22, options=0x94040000) / igmp(type=0x16, group=224.0.1.22)'],
    ['ipv6(src=::1, dst=::1) / hopopt / fragment(mf=1) / udp(sport=1, dport=2) / 0x01'],
    ['ipv4(fragoff=1, protocol=17, src=10.0.0.1, dst=10.0.0.2) / 0x0001'],
    ['ipv4(length=40, src=10.0.0.1, dst=10.0.0.2) / tcp(sport=1, dport=2, flags=0) / zeros(9)'],
    ['ipv4(src=10.0.0.1, dst=10.0.0.2) / udp(sport=1, dport=2, checksum=0x1)'],
    ['ipv4(src=10.0.0.1, dst=10.0.0.2) / ipv6(src=::1, dst=::2) / sctp(sport=1, dport=2)'],
    ['eth(type=0x26) / 0x4242030000'],
    ['0x0102'],
    ['0x'],
    ['raw'],
    ['raw / 0x45'],
  ])('%s', (text) => {
    expect(printed(text)).toBe(text)
  })
})

test('bits that no field names, and headers of other forms, are bytes', () => {
  const { data } = buildPacket('ipv6(src=::1, dst=::2) / hopopt').value!
  data[46]! |= 0x01 // what the padding holds
  expect(printPacket(101, data)).toBe('ipv6(nexthdr=0, src=::1, dst=::2) / 0x3b00010400000100')
  expect(printed('ipv6(nexthdr=0, src=::1, dst=::2) / 0x3b0100000000000000000000000000000000')).toBe(
    'ipv6(nexthdr=0, src=::1, dst=::2) / 0x3b0100000000000000000000000000000000',
  )
})

test('other link types: what follows the link header', () => {
  expect(
    printPacket(
      276,
      hex(`0800 0000 00000002 0001 02 06 0200000000010000 ${'45000014000000004000'}0000 0a000001 0a000002`),
    ),
  ).toBe('ipv4(protocol=0, checksum=0x0, src=10.0.0.1, dst=10.0.0.2)')
})

const samples = ['talk.pcap', 'raw.pcap'].flatMap((file) => {
  const path = join(import.meta.dirname, '../../../../samples', file)
  return readCapture(file, readFileSync(path)).records
})

function expectBack(linkType: number, data: Uint8Array) {
  const text = printPacket(linkType, data)
  const { value, diagnostics } = buildPacket(text)
  expect([text, diagnostics]).toEqual([text, []])
  expect([text, value]).toEqual([text, { linkType, data: Uint8Array.from(data) }])
}

test('every packet of the samples is built again from its text', () => {
  for (const { linkType, data } of samples) expectBack(linkType, data)
})

test('so is any packet: cut, with bytes changed', () => {
  const patch = fc.tuple(fc.nat(80), fc.nat(255))
  fc.assert(
    fc.property(fc.nat(samples.length - 1), fc.nat(120), fc.array(patch, { maxLength: 4 }), (index, cut, patches) => {
      const { linkType, data } = samples[index]!
      const changed = data.slice(0, cut % 3 ? data.length : cut)
      for (const [at, byte] of patches) if (at < changed.length) changed[at] = byte
      expectBack(linkType, changed)
    }),
    { numRuns: 2000 },
  )
})
