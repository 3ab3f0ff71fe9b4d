import { code } from '@netsieve/diag'
import { expect, test } from 'vitest'
import { arrivalOf } from '../../src/capture/arrival.ts'
import { readCapture } from '../../src/capture/reader.ts'
import { hex } from './hex.ts'

const SECTION = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000'
/** Interface "eth0". */
const INTERFACE = '01000000 20000000 0100 0000 00000400 0200 0400 65746830 00000000 20000000'

/** An Enhanced Packet Block (or of another type) of 3 bytes of data, with options. */
function packet(options: string, type = '06000000'): string {
  const length = (36 + hex(options).length).toString(16).padStart(2, '0')
  return `${type} ${length}000000 00000000 00000000 00000000 03000000 03000000 aabbcc00 ${options} ${length}000000`
}
const read = (block: string) => readCapture('x.pcapng', hex(`${SECTION} ${INTERFACE} ${block}`))

test.each([
  ['02000400 01000000', { direction: 'in' }],
  ['02000400 02000000', { direction: 'out', packetType: 4 }],
  ['02000400 05000000', { direction: 'in', packetType: 0 }],
  ['02000400 09000000', { direction: 'in', packetType: 2 }],
  ['02000400 0d000000', { direction: 'in', packetType: 1 }],
  ['02000400 10000000', { packetType: 3 }],
  ['02000400 ff030000', {}],
  ['06000400 07000000', { queue: 7 }],
  ['01000200 68690000 01000300 c3a92100', { comments: ['hi', '\u00e9!'] }],
  ['0100 0100 ff000000', { comments: ['\u00ff'] }],
  ['99990400 00000000', {}],
  ['00000000', {}],
])('options %s', (options, expected) => {
  const { records, diagnostics } = read(packet(`${options} 00000000`))
  expect(diagnostics).toEqual([])
  expect(arrivalOf(records[0]!)).toEqual({ interfaceId: 0, interfaceName: 'eth0', ...expected })
})

test('the obsolete block has flags, and no queue', () => {
  const { records } = read(packet('02000400 02000000 06000400 07000000 00000000', '02000000'))
  expect(arrivalOf(records[0]!)).toEqual({ interfaceId: 0, interfaceName: 'eth0', direction: 'out', packetType: 4 })
})

test('drops of 64 bits', () => {
  const { records } = read(packet('04000800 05000000 01000000 00000000'))
  expect(records[0]!.options).toEqual({ dropped: 2 ** 32 + 5 })
})

test('an option that is longer than its block ends the options, and is told', () => {
  const { records, diagnostics } = read(packet('06000400 07000000 0200 4000 01000000'))
  expect(records[0]!.options).toEqual({ queue: 7 })
  expect(code(diagnostics)).toEqual(['capture/option'])
})

test('a block without options tells nothing', () => {
  expect(read(packet('')).records[0]).not.toHaveProperty('options')
})

test.each([
  [113, '0000 0001 0006 020000000001 0000 0800', { packetType: 0, direction: 'in' }],
  [113, '0004 0001 0006 020000000001 0000 0800', { packetType: 4, direction: 'out' }],
  [113, '0009 0001 0006 020000000001 0000 0800', {}],
  [276, '0800 0000 00000003 0001 02 06 0200000000010000', { ifindex: 3, packetType: 2, direction: 'in' }],
  [276, '0800 0000 00000003 0001 04 06', {}],
  [1, '0000 0001 0006 020000000001 0000 0800', {}],
] as const)('cooked headers of link type %i: %s', (linkType, data, expected) => {
  expect(arrivalOf({ linkType, data: hex(data) })).toEqual(expected)
})
