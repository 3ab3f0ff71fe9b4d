import { expect, test } from 'vitest'
import { networkOf } from '../../src/capture/link-types.ts'
import { hex } from './hex.ts'

const IPV4 = 0x0800
const IPV6 = 0x86dd

test.each([
  ['NULL, little endian', 0, '02000000 45', 4, IPV4],
  ['NULL, big endian', 0, '00000002 45', 4, IPV4],
  ['NULL, macOS', 0, '1e000000 60', 4, IPV6],
  ['NULL, FreeBSD, big endian', 0, '0000001c 60', 4, IPV6],
  ['NULL, another family', 0, '07000000 60', 4, undefined],
  ['EN10MB', 1, '020000000001 020000000002 0800', 14, IPV4],
  ['EN10MB, a tag', 1, '020000000001 020000000002 8100 0005', 14, 0x8100],
  ['EN10MB, a length', 1, '0180c2000000 020000000002 0026', 14, undefined],
  ['PPP', 9, '0021 45', 2, IPV4],
  ['PPP with HDLC bytes', 9, 'ff03 0057 60', 4, IPV6],
  ['PPP, link control', 9, 'c021 01', 2, undefined],
  ['RAW', 101, '45', 0, IPV4],
  ['RAW', 101, '60', 0, IPV6],
  ['RAW of another version', 101, '00', 0, undefined],
  ['RAW, empty', 101, '', 0, undefined],
  ['RAW by its DLT_ number', 12, '45', 0, IPV4],
  ['LOOP', 108, '00000002 45', 4, IPV4],
  ['LOOP, the other way round', 108, '02000000 45', 4, undefined],
  ['LINUX_SLL', 113, '0000 0001 0006 0200000000010000 0806', 16, 0x0806],
  ['LINUX_SLL, 802.2', 113, '0000 0001 0006 0200000000010000 0004', 16, undefined],
  ['IPV4', 228, '60', 0, IPV4],
  ['IPV6', 229, '', 0, IPV6],
  ['LINUX_SLL2', 276, '86dd 0000 00000002 0001 02 06 0200000000010000', 20, IPV6],
])('%s', (_, linkType, data, offset, ethertype) => {
  expect(networkOf(linkType, hex(data))).toEqual(ethertype === undefined ? { offset } : { offset, ethertype })
})

test.each([
  ['a link type that we do not read', 147, '45000000'],
  ['shorter than the header', 1, '020000000001 020000000002 08'],
  ['PPP cut in its protocol', 9, 'ff03 00'],
])('%s', (_, linkType, data) => {
  expect(networkOf(linkType, hex(data))).toBeUndefined()
})
