// Bob Jenkins' hash of words of 32 bits (lookup3, public domain), as the kernel's jhash makes it of bytes: what nft's `jhash` compares.

import type { Hashed } from './types.ts'

/** One of three numbers becomes `to op (from turned left by so many bits)`; in the mixing of blocks then another one is added. */
export interface Turn {
  readonly to: 0 | 1 | 2
  readonly from: 0 | 1 | 2
  readonly left: number
}

/** For each block of three words but the last: `to = (to - from) ^ turned(from)`, `from += the third`. */
export const MIXING: readonly Turn[] = [
  { to: 0, from: 2, left: 4 },
  { to: 1, from: 0, left: 6 },
  { to: 2, from: 1, left: 8 },
  { to: 0, from: 2, left: 16 },
  { to: 1, from: 0, left: 19 },
  { to: 2, from: 1, left: 4 },
]

/** At the end: `to = (to ^ from) - turned(from)`. */
export const ENDING: readonly Turn[] = [
  { to: 2, from: 1, left: 14 },
  { to: 0, from: 2, left: 11 },
  { to: 1, from: 0, left: 25 },
  { to: 2, from: 1, left: 16 },
  { to: 0, from: 2, left: 4 },
  { to: 1, from: 0, left: 14 },
  { to: 2, from: 1, left: 24 },
]

/** The other of three numbers. */
export const third = ({ to, from }: Turn): 0 | 1 | 2 => (3 - to - from) as 0 | 1 | 2

/** What all three numbers are at first. */
export function initial({ parts, seed }: Hashed): number {
  const bytes = parts.length === 1 ? parts[0]!.bytes : parts.reduce((sum, part) => sum + 4 * wordsIn(part), 0)
  return (0xdeadbeef + bytes + seed) >>> 0
}

export const wordsIn = ({ bytes }: { readonly bytes: number }): number => Math.ceil(bytes / 4)

/** The words of a number, the first first. */
export function wordsOf(value: bigint, { bytes, host }: Hashed['parts'][number]): number[] {
  const count = wordsIn({ bytes })
  const low = BigInt.asUintN(bytes * 8, value)
  if (host) return Array.from({ length: count }, (_, i) => Number((low >> BigInt(32 * i)) & 0xffff_ffffn))
  const filled = low << BigInt((count * 4 - bytes) * 8)
  return Array.from({ length: count }, (_, i) => swap(Number((filled >> BigInt(32 * (count - 1 - i))) & 0xffff_ffffn)))
}

const swap = (word: number): number => ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0 // biome-ignore format: one value
const turned = (word: number, left: number): number => ((word << left) | (word >>> (32 - left))) >>> 0

/** The hash of numbers, one for each part. */
export function jhash(hashed: Hashed, values: readonly bigint[]): bigint {
  const words = hashed.parts.flatMap((part, i) => wordsOf(values[i]!, part))
  const first = initial(hashed)
  const abc: [number, number, number] = [first, first, first]
  for (let at = 0; at < words.length; at += 3) {
    for (let i = 0; i < 3; i++) abc[i] = (abc[i]! + (words[at + i] ?? 0)) >>> 0
    if (at + 3 >= words.length) break
    for (const turn of MIXING) {
      const { to, from, left } = turn
      abc[to] = ((abc[to] - abc[from]) ^ turned(abc[from], left)) >>> 0
      abc[from] = (abc[from] + abc[third(turn)]) >>> 0
    }
  }
  for (const { to, from, left } of ENDING) abc[to] = ((abc[to] ^ abc[from]) - turned(abc[from], left)) >>> 0
  return BigInt(abc[2])
}
