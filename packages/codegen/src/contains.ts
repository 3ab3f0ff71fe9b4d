// Looks for bytes anywhere in a packet: a loop over places that are kept on the stack, which may go round thousands of times; where the first byte
// is the one, the others are compared. The same as ir's contains.ts finds slowly.

import type { Label } from '@netsieve/asm'
import { type Contains, field, wantedBytes } from '@netsieve/ir'
import { forget } from './dispatch.ts'
import { R } from './emitter.ts'
import { at, here, type Where } from './find.ts'
import { SLOT } from './path.ts'
import type { Scope } from './scope.ts'
import { number } from './terms.ts'

export function contains(scope: Scope, what: Contains, yes: Label, no: Label): void {
  const { e, path, netRef } = scope
  const wanted = wantedBytes(what)
  if (!path.net || what.from + wanted.length > what.to) return e.goto(no)
  const where: Where = { scope, ref: netRef }
  const [again, next, fits] = [e.label('again'), e.label('next'), e.label('fits')]
  number(scope, field('meta.length'), { missing: no, cut: no })
  if (!e.reachable) return
  e.jump('jle', R.A, what.to, fits)
  e.put((c) => c.mov(R.A, what.to))
  e.bind(fits)
  e.put((c) => c.store(8, R.FP, SLOT.walkEnd, { reg: R.A }))
  e.put((c) => c.store(8, R.FP, SLOT.walkAt, what.from))
  e.bind(again)
  e.mayGoto(no)
  // All rounds look alike to the verifier from here on.
  here(where)
  forget(e, R.A, 2)
  e.put((c) => {
    c.store(8, R.FP, SLOT.walkAt, { reg: R.A })
    c.load(8, R.C, R.FP, SLOT.walkEnd)
    c.alu('add', R.A, wanted.length)
  })
  e.jump('jgt', R.A, { reg: R.C }, no)
  for (let i = 0; i < wanted.length; ) {
    const bytes = i === 0 ? 1 : together(wanted, i)
    const { reg, disp } = at(where, i, bytes, no)
    e.put((c) => c.load(bytes, R.RET, reg, disp))
    compare(scope, wanted.slice(i, i + bytes), next)
    i += bytes
  }
  e.goto(yes)
  e.bind(next)
  here(where)
  e.put((c) => {
    c.alu('add', R.A, 1)
    c.store(8, R.FP, SLOT.walkAt, { reg: R.A })
  })
  e.goto(again)
}

/** How many bytes from one on are compared at once: those of one value each. */
function together(wanted: readonly (readonly number[])[], from: number): 1 | 2 | 4 | 8 {
  const sizes = [8, 4, 2] as const
  return sizes.find((size) => from + size <= wanted.length && wanted.slice(from, from + size).every(({ length }) => length === 1)) ?? 1 // biome-ignore format: one search
}

/** R.RET, as it was loaded, is these bytes: goes on if so. */
function compare({ e }: Scope, wanted: readonly (readonly number[])[], other: Label): void {
  const [first] = wanted as [readonly number[]]
  if (wanted.length === 1) {
    const same = e.label('same')
    for (const value of first.slice(1)) e.jump('jeq', R.RET, value, same)
    e.jump('jne', R.RET, first[0]!, other)
    e.bind(same)
    return
  }
  // As a little-endian machine loads them.
  const loaded = wanted.reduceRight((sum, [byte]) => (sum << 8n) | BigInt(byte!), 0n)
  e.put((c) => c.lddw(R.B, loaded))
  e.jump('jne', R.RET, { reg: R.B }, other)
}
