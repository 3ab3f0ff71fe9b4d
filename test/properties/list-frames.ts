// Frames with lists in them: options, extension headers, chunks, mostly as they should be, with lengths changed and ends cut.

import type { ListName } from '@netsieve/packet'
import fc from 'fast-check'

const ETHERNET = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
const u16 = (value: number) => [(value >> 8) & 0xff, value & 0xff]
const bytes = (max: number) => fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 4, 5, 8), fc.nat(255)), { maxLength: max })

/** An option: type, length and as many bytes; now and then with another length. */
const option = (types: readonly number[]): fc.Arbitrary<number[]> =>
  fc
    .tuple(
      fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...types) }, { weight: 1, arbitrary: fc.nat(255) }),
      bytes(10),
      fc.option(fc.constantFrom(0, 1, 2, 3, 12, 40, 255), { nil: undefined, freq: 6 }),
    )
    .map(([type, value, length]) => (type < 2 ? [type] : [type, length ?? value.length + 2, ...value]))

const TCP_OPTIONS = [0, 1, 1, 2, 3, 4, 5, 8, 19, 29, 30, 34]
const TYPED: readonly (readonly number[])[] = [
  [7, 7, 4, 0, 0, 0, 0],
  [7, 11, 8, 1, 1, 1, 1, 0, 0, 0, 0],
  [7, 7, 8, 1, 1, 1, 1],
  [131, 7, 4, 10, 0, 0, 9],
  [137, 11, 4, 10, 0, 0, 9, 10, 0, 0, 8],
  [137, 7, 8, 10, 0, 0, 9],
  [148, 4, 0, 0],
  [148, 4, 0, 1],
  [68, 8, 5, 0, 0, 0, 0, 0],
  [68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
  [68, 8, 9, 0xf0, 0, 0, 0, 0],
  [68, 8, 9, 0xf3, 0, 0, 0, 0],
  [134, 6, 0, 0, 0, 1],
  [136, 4, 0, 7],
  [1],
]
const ipOption = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...TYPED.map((one) => [...one])) },
  { weight: 1, arbitrary: option([0, 1, 7, 68, 130, 131, 134, 136, 137, 148]) },
)

/** Options filled up to a multiple of 4, at most 40 bytes. */
const options = (one: fc.Arbitrary<number[]>): fc.Arbitrary<number[]> =>
  fc.array(one, { maxLength: 5 }).map((list) => {
    const all = list.flat().slice(0, 40)
    return [...all, ...Array<number>(-all.length & 3).fill(0)]
  })

function tcp(list: readonly number[]): number[] {
  return [0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, (5 + list.length / 4) << 4, 2, 0xfa, 0xf0, 0, 0, 0, 0, ...list]
}

function ipv4(protocol: number, list: readonly number[], payload: readonly number[], fragment: number): number[] {
  const length = 20 + list.length + payload.length
  const header = [0x45 + list.length / 4, 0, ...u16(length), 0, 1, ...u16(fragment), 64, protocol, 0, 0]
  return [...ETHERNET, 8, 0, ...header, 10, 0, 0, 1, 10, 0, 0, 2, ...list, ...payload]
}

function ipv6(next: number, payload: readonly number[]): number[] {
  const addresses = [...Array(2)].flatMap((_, i) => [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), i + 1])
  return [...ETHERNET, 0x86, 0xdd, 0x60, 0, 0, 0, ...u16(payload.length), next, 64, ...addresses, ...payload]
}

/** Extension headers one behind another, and what the first is. */
const chain: fc.Arbitrary<{ first: number; bytes: number[] }> = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.constantFrom(0, 43, 44, 51, 60, 60, 135),
        fc.constantFrom(0, 0, 1),
        fc.constantFrom(0, 0, 1, 8, 0x18),
        fc.nat(255),
      ),
      { maxLength: 5 },
    ),
    fc.constantFrom(6, 17, 59, 58),
  )
  .map(([headers, last]) => {
    const types = [...headers.map(([type]) => type), last]
    const parts = headers.map(([type, length, offset, byte], i) => {
      const next = types[i + 1]!
      if (type === 44) return [next, 0, 0, offset, 0, 0, 0, byte]
      const size = type === 51 ? (length + 4) * 4 : (length + 1) * 8
      return [next, type === 51 ? length + 2 : length, byte & 4, 1, ...Array<number>(size - 4).fill(byte & 5)]
    })
    return { first: types[0]!, bytes: [...parts.flat(), 0x9c, 0x40, 0, 80, 0, 8, 0, 0] }
  })

const CHUNK_TYPES = [0, 1, 2, 3, 4, 6, 7, 10, 11, 12, 14, 128, 192, 193]
const chunk: fc.Arbitrary<number[]> = fc
  .tuple(
    fc.constantFrom(...CHUNK_TYPES),
    bytes(17),
    fc.option(fc.constantFrom(0, 1, 3, 5, 200), { nil: undefined, freq: 8 }),
  )
  .map(([type, value, length]) => {
    const size = value.length + 4
    return [type, 5, ...u16(length ?? size), ...value, ...Array<number>(-size & 3).fill(0)]
  })

const dccp = fc
  .tuple(
    fc.constantFrom(0, 1, 2, 3, 4, 7, 9, 12),
    fc.boolean(),
    options(option([0, 1, 2, 5, 32, 38, 44])),
    fc.constantFrom(0, 0, 0, 1, -9),
  )
  .map(([type, extended, list, wrong]) => {
    const more = [4, 12, 0, 8, 8, 8, 8, 12, 8, 8][type] ?? 12
    const size = 12 + (extended ? 4 : 0) + more
    const doff = Math.max(0, (size + list.length) / 4 + wrong)
    const head = [0x9c, 0x40, 0x13, 0x89, doff, 0, 0, 0, (type << 1) | (extended ? 1 : 0), 0, 0, 1]
    return [...head, ...Array<number>(size - 12).fill(0), ...list]
  })

const fragment = fc.constantFrom(0, 0, 0, 0, 0x2000, 1, 0x20)
const BUILT: Readonly<Record<ListName, fc.Arbitrary<number[]>>> = {
  tcp: fc.oneof(
    fc.tuple(options(option(TCP_OPTIONS)), fragment).map(([list, part]) => ipv4(6, [], tcp(list), part)),
    options(option(TCP_OPTIONS)).map((list) => ipv6(6, tcp(list))),
  ),
  ipv4: fc.tuple(options(ipOption), fragment).map(([list, part]) => ipv4(17, list, [0, 53, 0, 53, 0, 8, 0, 0], part)),
  ipv6: chain.map(({ first, bytes: all }) => ipv6(first, all)),
  sctp: fc
    .tuple(fc.array(chunk, { maxLength: 4 }), fragment)
    .map(([chunks, part]) => ipv4(132, [], [0x9c, 0x40, 0xf, 0x1c, 0, 0, 0, 1, 0, 0, 0, 0, ...chunks.flat()], part)),
  dccp: fc.oneof(
    dccp.map((all) => ipv4(33, [], all, 0)),
    dccp.map((all) => ipv6(33, all)),
  ),
}

/** A frame with such a list, sometimes of another kind, sometimes cut, tagged, or with a byte changed. */
export function listFrame(list: ListName): fc.Arbitrary<Uint8Array> {
  const other = fc.oneof(...Object.values(BUILT))
  return fc
    .record({
      frame: fc.oneof({ weight: 6, arbitrary: BUILT[list] }, { weight: 1, arbitrary: other }),
      cut: fc.option(fc.nat(90), { nil: undefined, freq: 8 }),
      tagged: fc.constantFrom(false, false, false, true),
      change: fc.option(fc.tuple(fc.nat(110), fc.oneof(fc.constantFrom(0, 1, 0x45, 0x4f, 0xf0), fc.nat(255))), {
        nil: undefined,
        freq: 4,
      }),
      padding: fc.constantFrom(0, 0, 0, 6),
    })
    .map(({ frame, cut, tagged, change, padding }) => {
      const all = [...frame, ...Array<number>(padding).fill(1)]
      if (change && change[0] < all.length) all[change[0]] = change[1]
      const whole = tagged ? [...all.slice(0, 12), 0x81, 0, 0, 0, ...all.slice(12)] : all
      return Uint8Array.from(whole.slice(0, cut ?? whole.length))
    })
}
