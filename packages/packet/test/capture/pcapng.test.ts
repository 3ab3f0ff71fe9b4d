import { code } from '@netsieve/diag'
import { describe, expect, test } from 'vitest'
import { filterCapture, readCapture } from '../../src/capture/reader.ts'
import { timestampNs } from '../../src/capture/record.ts'
import { hex } from './hex.ts'

const SECTION = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000'
const SECTION_BIG = '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c'
const INTERFACE = '01000000 14000000 0100 0000 00000400 14000000'
const INTERFACE_BIG = '00000001 00000014 0071 0000 00040000 00000014'
const ENHANCED = '06000000 24000000 00000000 00000000 40420f00 03000000 3c000000 aabbcc00 24000000' // 1000000 units
const ENHANCED_BIG = '00000006 00000024 00000000 00000000 000f4240 00000003 0000003c ddeeff00 00000024'
const UNKNOWN = 'ad0b0000 10000000 12345678 10000000'

/** An interface description with one option. */
function withOption(option: string): string {
  const length = (20 + hex(option).length + 4).toString(16).padStart(2, '0')
  return `01000000 ${length}000000 0100 0000 00000400 ${option} 00000000 ${length}000000`
}

const read = (...blocks: string[]) => readCapture('x.pcapng', hex(blocks.join(' ')))

describe('blocks', () => {
  test('a section, an interface, a packet, and a block of a type we do not know', () => {
    const { format, records, diagnostics } = read(SECTION, INTERFACE, UNKNOWN, ENHANCED, UNKNOWN)
    expect(diagnostics).toEqual([])
    expect(format).toEqual({ format: 'pcapng', little: true, version: '1.0' })
    expect(records).toMatchObject([{ index: 0, sec: 1, nsec: 0, originalLength: 60, linkType: 1 }])
    expect(records[0]!.data).toEqual(hex('aabbcc'))
    expect(records[0]!.raw).toEqual(hex(ENHANCED))
  })

  test('sections of either byte order, each with interfaces of its own', () => {
    const { records, diagnostics } = read(SECTION, INTERFACE, ENHANCED, SECTION_BIG, INTERFACE_BIG, ENHANCED_BIG)
    expect(diagnostics).toEqual([])
    expect(records.map(({ index, linkType, sec }) => [index, linkType, sec])).toEqual([
      [0, 1, 1],
      [1, 0x71, 1],
    ])
    expect(records[1]!.data).toEqual(hex('ddeeff'))
  })

  test('a Simple Packet Block holds what the snapshot length of interface 0 leaves, and no time', () => {
    const short = INTERFACE.replace('00000400', '02000000')
    const simple = '03000000 14000000 3c000000 aabb0000 14000000'
    expect(read(SECTION, short, simple).records).toMatchObject([
      { sec: 0, nsec: 0, originalLength: 60, data: hex('aabb'), raw: hex(simple) },
    ])
  })

  test('the obsolete Packet Block: an interface of 16 bits beside a count of drops', () => {
    const packet = '02000000 24000000 0100 ffff 00000000 01000000 02000000 02000000 aabb0000 24000000'
    const { records } = read(SECTION, INTERFACE, withOption('0200 0300 746f7000'), packet)
    expect(records).toMatchObject([
      { nsec: 1000, originalLength: 2, data: hex('aabb'), interface: { id: 1, name: 'top' } },
    ])
  })

  test('copying keeps every block but the packets left out', () => {
    const bytes = hex([SECTION, INTERFACE, UNKNOWN, ENHANCED, UNKNOWN, ENHANCED].join(' '))
    expect(filterCapture('x', bytes, ({ index }) => index === 1)).toEqual(
      hex([SECTION, INTERFACE, UNKNOWN, UNKNOWN, ENHANCED].join(' ')),
    )
  })
})

describe('time stamps: 1,000,000 units of each interface', () => {
  test.each([
    ['none given: microseconds', '0200 0200 61620000', 1_000_000_000n],
    ['10^-9', '0900 0100 09000000', 1_000_000n],
    ['10^-3', '0900 0100 03000000', 1000_000_000_000n],
    ['10^0', '0900 0100 00000000', 1_000_000_000_000_000n],
    ['10^-12, finer than we keep', '0900 0100 0c000000', 1000n],
    ['2^-10', '0900 0100 8a000000', 976_562_500_000n],
    ['2^-30', '0900 0100 9e000000', 931_322n],
    ['2^-127', '0900 0100 ff000000', 0n],
    ['an offset of 100 s', '0e00 0800 6400000000000000', 101_000_000_000n],
    ['an offset of -1 s', '0e00 0800 ffffffffffffffff', 0n],
  ])('%s', (_, option, ns) => {
    expect(read(SECTION, withOption(option), ENHANCED).records.map(timestampNs)).toEqual([ns])
  })
})

describe('faults', () => {
  test.each([
    ['no byte-order magic', [SECTION.replace('4d3c2b1a', '4d3c2b1b')], 'capture/block', 0],
    ['version 2', [SECTION.replace('0100 0000', '0200 0000')], 'capture/version', 0],
    [
      'a length that is no multiple of 4',
      [SECTION, INTERFACE, ENHANCED, '05000000 0d000000 0d000000 00'],
      'capture/block',
      1,
    ],
    ['a length below 12', [SECTION, INTERFACE, ENHANCED, '05000000 08000000 08000000'], 'capture/block', 1],
    ['a length of 4 GB', [SECTION, INTERFACE, ENHANCED, '05000000 fcffffff 00000000'], 'capture/length', 1],
    [
      'head and tail of a block differ',
      [SECTION, INTERFACE, ENHANCED, '05000000 0c000000 10000000'],
      'capture/block',
      1,
    ],
    ['an interface description without its fields', [SECTION, '01000000 0c000000 0c000000'], 'capture/block', 0],
    ['a block that goes on after the end', [SECTION, INTERFACE, ENHANCED, ENHANCED.slice(0, 40)], 'capture/cut', 1],
    // What follows stays readable:
    ['an interface that is not described', [SECTION, ENHANCED, INTERFACE, ENHANCED], 'capture/interface', 1],
    [
      'more bytes captured than the block holds',
      [SECTION, INTERFACE, ENHANCED.replace('03000000', '05000000'), ENHANCED],
      'capture/block',
      1,
    ],
    [
      'an Enhanced Packet Block without its fields',
      [SECTION, INTERFACE, '06000000 0c000000 0c000000', ENHANCED],
      'capture/block',
      1,
    ],
    [
      'a Simple Packet Block without its fields',
      [SECTION, INTERFACE, '03000000 0c000000 0c000000', ENHANCED],
      'capture/block',
      1,
    ],
    [
      'a Simple Packet Block with less than it says',
      [SECTION, INTERFACE, '03000000 10000000 05000000 10000000', ENHANCED],
      'capture/block',
      1,
    ],
    ['an option longer than its block', [SECTION, withOption('0200 0900 61620000'), ENHANCED], 'capture/option', 1],
  ])('%s', (_, blocks, what, packets) => {
    const { records, diagnostics } = read(...blocks)
    expect([code(diagnostics), records.length]).toEqual([[what], packets])
  })

  test('a section of interfaces without end stops', () => {
    const many = hex(`${SECTION} ${INTERFACE}`)
    const bytes = new Uint8Array(28 + 20 * 70_000)
    bytes.set(many.subarray(0, 28))
    for (let at = 28; at < bytes.length; at += 20) bytes.set(many.subarray(28), at)
    expect(code(readCapture('x', bytes).diagnostics)).toEqual(['capture/interface'])
  })

  test('a file of faulty blocks does not fill the memory with diagnostics', () => {
    const faulty = Array.from({ length: 500 }, () => ENHANCED)
    const { diagnostics } = read(SECTION, ...faulty)
    expect(diagnostics.length).toBe(101)
    expect(diagnostics.at(-1)!.message).toMatch(/^left out here: \d+ more/)
  })
})
