// What maps hold that nobody can change any more: loads from them give known numbers, as loads of constants do in C.

import { MAP_FLAGS } from '@netsieve/asm'
import { isKnown, known, type Num } from './domain/num.ts'
import { Rejection } from './errors.ts'
import { mapFlags } from './maps.ts'
import type { Reg } from './reg.ts'

/**
 * What a load of `size` bytes at `off` behind a map value gives, zero-extended, where nobody can change it: of an array that is frozen
 * and that programs only read, at an offset that is known.
 * @throws Rejection for an array of several elements, as Linux does without a word
 */
export function knownContents({ map, num, off: fixed }: Reg, off: number, size: number): Num | undefined {
  if (!map?.frozen || map.type !== 'array' || !isKnown(num) || (mapFlags(map) & MAP_FLAGS.rdonly_prog) === 0)
    return undefined
  if (map.maxEntries !== 1) throw new Rejection('a frozen array of several elements is read')
  const at = fixed + off + num.bits.vl
  const value = map.entries?.at(-1)?.[1]
  const byte = (i: number) => (i < size ? (value?.[at + i] ?? 0) : 0)
  const word = (i: number) => byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24)
  return known(word(4), word(0))
}
