// What a match makes of a field's bits before it compares them: `meta mark & 0xff | 0x10`. Whatever is written, nft hands the kernel one mask
// and one number that is added without carry (read off `nft --debug=netlink`), and it refuses comparisons of what is shifted.

import type { Diagnostics } from '@netsieve/diag'
import { masked, type Term } from '@netsieve/ir'
import { prefixMask } from '@netsieve/packet'
import type { Word } from '../shared/index.ts'
import type { Bits } from './ast.ts'
import { type Kind, readValue } from './typed.ts'

type Op = 'and' | 'xor' | 'or'
const OPERATORS: Readonly<Record<string, Op>> = { '&': 'and', and: 'and', '^': 'xor', xor: 'xor', '|': 'or', or: 'or' } // biome-ignore format: one row
/** Strongest first, as in nft's grammar. */
const LEVELS: readonly Op[] = ['and', 'xor', 'or']

const APPLY: Readonly<Record<Op, (a: bigint, b: bigint) => bigint>> = { and: (a, b) => a & b, xor: (a, b) => a ^ b, or: (a, b) => a | b } // biome-ignore format: one row

/** A term with operations on its bits. Undefined after an error. */
export function readBits(
  term: Term,
  bits: readonly Bits[],
  { kind, field }: { readonly kind: Kind; readonly field: Word },
  diagnostics: Diagnostics,
): Term | undefined {
  let chain: { readonly op: Op; readonly value: bigint }[] = []
  for (const { operator, value } of bits) {
    const op = OPERATORS[operator.text]
    if (!op) {
      diagnostics.error('nft/operator', 'what is shifted cannot be compared: nft refuses it', operator.span, { expected: Object.keys(OPERATORS) }) // biome-ignore format: one message
      return undefined
    }
    const number = readValue(value, kind, diagnostics)
    if (number === undefined) return undefined
    chain.push({ op, value: number })
  }
  for (const level of LEVELS) {
    const folded: typeof chain = []
    for (const each of chain) {
      const last = folded.at(-1)
      const binds = last && each.op === level && LEVELS.indexOf(each.op) <= LEVELS.indexOf(last.op)
      if (binds) folded[folded.length - 1] = { op: last.op, value: APPLY[each.op](last.value, each.value) }
      else folded.push(each)
    }
    chain = folded
  }
  const all = prefixMask(kind.bits, kind.bits)
  let [mask, flipped] = [all, 0n]
  for (const { op, value } of chain) {
    if (op !== 'xor') mask &= op === 'and' ? value : all ^ value
    flipped = APPLY[op](flipped, value)
  }
  const kept = mask === all ? term : masked(term, mask)
  if (flipped === 0n) return kept
  if (kind.bits <= 32) return { kind: 'bin', op: 'xor', left: kept, right: { kind: 'const', value: flipped } }
  diagnostics.error('nft/unsupported', `unsupported: setting bits of ${field.text}, which has ${kind.bits}, before it is compared`, bits[0]!.operator.span) // biome-ignore format: one message
  return undefined
}
