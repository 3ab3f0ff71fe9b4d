// Hashes of numbers: their words are put on the stack, where keys of lookups are, and mixed in three registers. See ir's jhash.ts.

import { ENDING, type Hashed, initial, MIXING, type Turn, third, wordsIn } from '@netsieve/ir'
import { R } from './emitter.ts'
import { loadWords } from './lookup/key.ts'
import { SLOT } from './path.ts'
import type { Failures, Scope } from './scope.ts'
import { constant, number } from './terms.ts'

/** The three numbers; R.RET is free beside them. */
const ABC = [R.B, R.C, R.A] as const

/** R.A = the hash. */
export function jhash(scope: Scope, hashed: Hashed, failures: Failures): void {
  const { e } = scope
  let words = 0
  for (const part of hashed.parts) {
    storeWords(scope, part, SLOT.key + 4 * words, failures)
    words += wordsIn(part)
  }
  if (!e.reachable) return
  for (const reg of ABC) constant(e, reg, BigInt(initial(hashed)))
  for (let at = 0; at < words; at += 3) {
    for (let i = 0; i < 3 && at + i < words; i++)
      e.put((c) => {
        c.load(4, R.RET, R.FP, SLOT.key + 4 * (at + i))
        c.alu('add', ABC[i]!, { reg: R.RET }, 32)
      })
    if (at + 3 >= words) break
    for (const turn of MIXING) {
      e.put((c) => c.alu('sub', ABC[turn.to], { reg: ABC[turn.from] }, 32))
      turned(scope, 'xor', turn)
      e.put((c) => c.alu('add', ABC[turn.from], { reg: ABC[third(turn)] }, 32))
    }
  }
  for (const turn of ENDING) {
    e.put((c) => c.alu('xor', ABC[turn.to], { reg: ABC[turn.from] }, 32))
    turned(scope, 'sub', turn)
  }
}

/** `to op= from turned left`: its two halves have no bits in common, so one may be taken after the other. */
function turned({ e }: Scope, op: 'xor' | 'sub', { to, from, left }: Turn): void {
  for (const [shift, by] of [['lsh', left], ['rsh', 32 - left]] as const) // biome-ignore format: pairs
    e.put((c) => {
      c.mov(R.RET, { reg: ABC[from] }, 32)
      c.alu(shift, R.RET, by, 32)
      c.alu(op, ABC[to], { reg: R.RET }, 32)
    })
}

/** Puts a number's words on the stack, the first first. */
function storeWords(
  scope: Scope,
  { term, bytes, host }: Hashed['parts'][number],
  at: number,
  failures: Failures,
): void {
  const { e } = scope
  if (bytes === 16) {
    // The lowest word comes first there, each as a number.
    loadWords(scope, { term, bits: 128 }, at, failures)
    e.put((c) => {
      for (const [one, other] of [
        [0, 12],
        [4, 8],
      ] as const) {
        // biome-ignore format: pairs
        c.load(4, R.A, R.FP, at + one)
        c.load(4, R.B, R.FP, at + other)
        c.be(R.A, 32)
        c.be(R.B, 32)
        c.store(4, R.FP, at + one, { reg: R.B })
        c.store(4, R.FP, at + other, { reg: R.A })
      }
    })
    return
  }
  number(scope, term, failures)
  e.put((c) => {
    if (bytes <= 4) {
      if (!host) {
        if (bytes < 4) c.alu('lsh', R.A, 32 - 8 * bytes)
        c.be(R.A, 32)
      }
      c.store(4, R.FP, at, { reg: R.A })
      return
    }
    if (bytes < 8) c.alu('lsh', R.A, 64 - 8 * bytes)
    c.be(R.A, 64)
    c.store(4, R.FP, at, { reg: R.A })
    c.alu('rsh', R.A, 32)
    c.store(4, R.FP, at + 4, { reg: R.A })
  })
}
