// Bytes that are looked for, and packets of few different bytes that have them or nearly so.

import type { Pred } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import fc from 'fast-check'

/** Letters of both cases, one beyond ASCII with its small form, and what lies between letters. */
const LETTERS = [0x41, 0x42, 0x61, 0x62, 0xc4, 0xe4, 0x5b, 0x7b] as const
const letter = fc.constantFrom(...LETTERS)
const hex = (bytes: readonly number[]) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')

export const containsPred: fc.Arbitrary<Pred> = fc
  .record({
    bytes: fc.array(letter, { minLength: 1, maxLength: 12 }),
    from: fc.constantFrom(0, 20, 27, 28, 30, 48),
    room: fc.constantFrom(0, 1, 5, 30, 1000),
    nocase: fc.boolean(),
    not: fc.boolean(),
  })
  .map(({ bytes, from, room, nocase, not }) => {
    const arg = { kind: 'contains', from, to: from + room, bytes: hex(bytes), nocase } as const
    return not ? { kind: 'not', arg } : arg
  })

/** UDP over IPv4 or IPv6: few letters many times, so that short ones are found, and starts of long ones. */
export const containsFrame: fc.Arbitrary<Uint8Array> = fc
  .record({
    six: fc.boolean(),
    letters: fc.array(letter, { minLength: 1, maxLength: 2 }),
    data: fc.array(fc.nat(), { maxLength: 60 }),
  })
  .map(({ six, letters, data }) => {
    const payload = hex(data.map((number) => letters[number % letters.length]!))
    const layer = six ? 'ipv6' : 'ipv4'
    return buildPacket(`eth / ${layer} / udp(sport=1000, dport=53)${payload === '' ? '' : ` / 0x${payload}`}`).value!
      .data
  })
