// Bytes that are looked for anywhere in a packet: where, and what each of them may be. Slow and exact: what generated code must find too.

import type { Contains } from './types.ts'

/** No packet that programs can reach is longer. */
export const LAST_CONTAINED = 0xf000
/** Bytes that are looked for at most, as xt_string has it. */
export const MOST_CONTAINED = 128

/** For each byte the values that it may have: one, or a letter in both cases. */
export function wantedBytes({ bytes, nocase }: Pick<Contains, 'bytes' | 'nocase'>): readonly (readonly number[])[] {
  const wanted = (bytes.match(/../g) ?? []).map((digits) => Number.parseInt(digits, 16))
  if (!nocase) return wanted.map((byte) => [byte])
  return wanted.map((byte) => {
    const upper = toUpper(byte)
    return [upper, upper + 0x20].filter((value) => value <= 0xff && toUpper(value) === upper)
  })
}

/** lib/ctype.c of Linux: the small letters of ISO 8859-1, and what lies 32 below each. */
function toUpper(byte: number): number {
  const small = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0xdf && byte !== 0xf7)
  return small ? byte - 0x20 : byte
}

/** Whether a packet, from its network header on, has the bytes. */
export function containsBytes(packet: Uint8Array, what: Contains): boolean {
  const wanted = wantedBytes(what)
  const last = Math.min(what.to, packet.length) - wanted.length
  for (let at = what.from; at <= last; at++)
    if (wanted.every((values, i) => values.includes(packet[at + i]!))) return true
  return false
}
