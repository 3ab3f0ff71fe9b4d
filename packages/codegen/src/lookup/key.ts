// Keys of lookups: numbers of the packet in a register or as words on the stack, and the registers that a lookup has to leave as they are.

import type { Term, ViewName } from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { type Emitter, R } from '../emitter.ts'
import { SLOT } from '../path.ts'
import { bigEndian, reach } from '../reach.ts'
import { type Bits, type Failures, type Scope, seenAs } from '../scope.ts'
import { asBits, number } from '../terms.ts'
import { NARROW } from './pieces.ts'

/** One component of what is looked up. */
export interface KeyPart {
  readonly term: Term
  readonly bits: number
  /** The packet as a view of its own sees it. */
  readonly view?: ViewName | undefined
}

/** Bits that a term's numbers may have. */
export function termBits(term: Term): number {
  switch (term.kind) {
    case 'field':
      return FIELDS[term.field].bits
    case 'load':
      return term.bytes * 8
    case 'mask':
      return termBits(term.term)
    case 'const':
      return Math.max(1, term.value.toString(2).length)
    case 'raw':
      return term.bits
    case 'headers':
      return 8
    case 'find':
    case 'length':
    case 'bin':
    case 'walk':
    case 'jhash':
      return 32
    case 'mapped':
      return 64
  }
}

/** A component's number where `classify` wants it: in R.A, or from SLOT.key on. */
export function loadNumber(scope: Scope, { term, bits, view }: KeyPart, failures: Failures): void {
  const seen = seenAs(scope, view)
  if (bits <= NARROW) number(seen, term, failures)
  else loadWords(seen, { term, bits: 128 }, SLOT.key, failures)
}

/** Words of 32 bits that a component of a key takes. */
export function wordsOf({ bits }: KeyPart): number {
  return Math.ceil(bits / 32)
}

/** A component's number as words on the stack, the lowest first. */
export function loadWords(scope: Scope, part: KeyPart, at: number, failures: Failures): void {
  const { e } = scope
  const count = wordsOf(part)
  if (termBits(part.term) > 64) return fromBytes(scope, asBits(scope, part.term)!, count, at, failures)
  number(scope, part.term, failures)
  e.put((c) => {
    c.store(4, R.FP, at, { reg: R.A })
    if (count > 1) {
      c.alu('rsh', R.A, 32)
      c.store(4, R.FP, at + 4, { reg: R.A })
    }
    for (let word = 2; word < count; word++) c.store(4, R.FP, at + 4 * word, 0)
  })
}

/** More than 8 bytes of the packet: word by word from the last. */
function fromBytes(scope: Scope, bits: Bits, count: number, at: number, failures: Failures): void {
  const { e } = scope
  if (bits.shift !== 0) throw new Error('numbers of more than 64 bits begin and end with bytes')
  const { reg, disp } = reach(scope, bits, failures)
  for (let word = 0; word < count; word++) {
    const end = bits.bytes - 4 * word
    const start = Math.max(0, end - 4)
    if (end <= 0) {
      e.put((c) => c.store(4, R.FP, at + 4 * word, 0))
      continue
    }
    if (bits.bytes % 4 === 0) bigEndian(scope, R.C, { reg, disp: disp + start }, 4)
    else byBytes(e, { reg, disp: disp + start }, end - start)
    const mask = Number((bits.mask >> BigInt(32 * word)) & 0xffffffffn)
    e.put((c) => {
      if (mask !== 0xffffffff) c.alu('and', R.C, mask, 32)
      c.store(4, R.FP, at + 4 * word, { reg: R.C })
    })
  }
}

/** R.C = bytes that lie anywhere: on the stack, loads of more than one must be aligned. */
function byBytes(e: Emitter, { reg, disp }: { readonly reg: number; readonly disp: number }, bytes: number): void {
  e.put((c) => {
    c.mov(R.C, 0)
    for (let i = 0; i < bytes; i++) {
      c.load(1, R.RET, reg, disp + i)
      c.alu('lsh', R.C, 8)
      c.alu('or', R.C, { reg: R.RET })
    }
  })
}

/**
 * Through half a stack slot the verifier forgets which number of 32 bits R.A holds: it would follow every one that it has seen to the end of
 * the program.
 */
export function forgetNumber(e: Emitter): void {
  e.put((c) => {
    c.store(4, R.FP, SLOT.forget + 4, { reg: R.A })
    c.load(4, R.A, R.FP, SLOT.forget + 4)
  })
}

/** Registers that hold something beyond a lookup. */
export function live({ e, access, path, netRef }: Scope): number[] {
  const ready = path.transport === 'ready'
  return [
    ...access.keeps,
    ...(netRef.reg === R.NET ? [R.NET] : []),
    ...(ready || e.flow.located ? [R.TRANSPORT] : []),
    ...(ready && path.bounded ? [R.AVAIL] : []),
  ]
}

export function save(e: Emitter, registers: readonly number[]): void {
  e.put((c) => {
    for (const [i, reg] of registers.entries()) c.store(8, R.FP, SLOT.saved - 8 * i, { reg })
  })
}

export function restore(e: Emitter, registers: readonly number[]): void {
  e.put((c) => {
    for (const [i, reg] of registers.entries()) c.load(8, reg, R.FP, SLOT.saved - 8 * i)
  })
}
