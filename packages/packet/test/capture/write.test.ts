import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readCapture } from '../../src/capture/reader.ts'
import { CaptureWriter, writeCapture } from '../../src/capture/write.ts'
import { hex } from './hex.ts'

const packet = { sec: 1, nsec: 5999, originalLength: 60, linkType: 1, data: hex('aabbcc') }

describe('bytes', () => {
  test.each([
    [
      'pcap',
      { format: 'pcap' as const },
      `d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
       01000000 05000000 03000000 3c000000 aabbcc`,
    ],
    [
      'pcap, big endian, nanoseconds',
      { format: 'pcap' as const, little: false, nanoseconds: true },
      `a1b23c4d 0002 0004 00000000 00000000 00040000 00000001
       00000001 0000176f 00000003 0000003c aabbcc`,
    ],
    [
      'pcapng',
      { format: 'pcapng' as const },
      `0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
       01000000 14000000 0100 0000 00000400 14000000
       06000000 24000000 00000000 00000000 45420f00 03000000 3c000000 aabbcc00 24000000`,
    ],
    [
      'pcapng, big endian, nanoseconds: if_tsresol 9',
      { format: 'pcapng' as const, little: false, nanoseconds: true },
      `0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c
       00000001 00000020 0001 0000 00040000 0009 0001 09000000 00000000 00000020
       00000006 00000024 00000000 00000000 3b9ae16f 00000003 0000003c aabbcc00 00000024`,
    ],
  ])('%s', (_, options, expected) => {
    expect(writeCapture([packet], options)).toEqual(hex(expected))
  })
})

test('pcapng: an interface for each link type and name, described before its first packet', () => {
  const writer = new CaptureWriter({ format: 'pcapng' })
  const bytes = [
    writer.packet({ ...packet, interface: { name: 'eth0' } }),
    writer.packet({ ...packet, interface: { name: 'tun0' }, linkType: 101 }),
    writer.packet({ ...packet, interface: { name: 'eth0' } }),
  ]
  const { records } = readCapture('x', Uint8Array.from(bytes.flatMap((part) => [...part])))
  expect(records.map(({ linkType, interface: seen }) => [seen?.id, seen?.name, linkType])).toEqual([
    [0, 'eth0', 1],
    [1, 'tun0', 101],
    [0, 'eth0', 1],
  ])
})

test('pcap: one link type a file', () => {
  const writer = new CaptureWriter({ format: 'pcap' })
  writer.header(101)
  expect([writer.accepts(101), writer.accepts(1)]).toEqual([true, false])
  expect(() => writer.packet(packet)).toThrow(RangeError)
})

test('no packets: a header alone', () => {
  expect(readCapture('x', writeCapture([], { format: 'pcap' }, 101))).toMatchObject({
    format: { linkType: 101 },
    records: [],
    diagnostics: [],
  })
  expect(readCapture('x', writeCapture([], { format: 'pcapng' }))).toMatchObject({ records: [], diagnostics: [] })
})

test('what was written is read', () => {
  const some = fc.record({
    sec: fc.nat(0xffffffff),
    nsec: fc.nat(999_999_999),
    originalLength: fc.nat(0xffffffff),
    linkType: fc.constant(1),
    data: fc.uint8Array({ maxLength: 70 }),
  })
  const options = fc.record({ format: fc.constantFrom('pcap' as const, 'pcapng' as const), little: fc.boolean() })
  fc.assert(
    fc.property(fc.array(some), options, (packets, how) => {
      const { records, diagnostics } = readCapture('x', writeCapture(packets, { ...how, nanoseconds: true }))
      expect(diagnostics).toEqual([])
      expect(
        records.map(({ sec, nsec, originalLength, linkType, data }) => ({ sec, nsec, originalLength, linkType, data })),
      ).toEqual(packets)
    }),
  )
})
