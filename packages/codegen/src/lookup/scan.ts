// The code of bit vectors: each component's row is found, then words of all rows are joined until one is left with a bit; the lowest bit is the
// first box. Which word it is the place in the program tells, which bit a few tests of halves.

import type { Label } from '@netsieve/asm'
import { type Emitter, R } from '../emitter.ts'
import { SLOT } from '../path.ts'
import type { Failures, Scope } from '../scope.ts'
import { classify } from './classify.ts'
import { forgetNumber, type KeyPart, live, loadNumber, restore, save } from './key.ts'
import type { Table } from './maps.ts'
import { BLOCK, type Component, type Vectors } from './vectors.ts'

/** Registers for rows, those first that hold nothing to the end. */
const ROWS = [R.B, R.C, R.DATA, R.END, R.AVAIL, R.TRANSPORT, R.NET] as const
export const MOST_COMPONENTS = ROWS.length

/** Emits the way to the first box; control leaves at what `found` emits for it, or at `none`. */
export function scan(
  scope: Scope,
  { boxes, words, components }: Vectors,
  parts: readonly KeyPart[],
  failures: Failures,
  found: (box: number) => void,
  none: Label,
): void {
  const { e } = scope
  for (const [i, component] of components.entries()) locate(scope, component, parts[i]!, i, failures, none)
  if (!e.reachable) return
  const kept = live(scope).filter((reg) => (ROWS as readonly number[]).slice(0, components.length).includes(reg))
  save(e, kept)
  const lost = e.label('lost')
  const hits: { readonly at: Label; readonly first: number }[] = []
  for (const [block, count] of words.entries()) {
    rows(e, components, block, lost)
    for (let word = 0; word < count; word++) {
      const at = e.label('hit')
      hits.push({ at, first: block * BLOCK + word * 64 })
      e.put((c) => {
        for (const i of components.keys()) {
          c.load(8, i === 0 ? R.RET : R.A, ROWS[i]!, word * 8)
          if (i > 0) c.alu('and', R.RET, { reg: R.A })
        }
      })
      e.jump('jne', R.RET, 0, at)
    }
  }
  e.bind(lost)
  restore(e, kept)
  e.goto(none)
  for (const { at, first } of hits) {
    e.bind(at)
    restore(e, kept)
    lowest(e, Math.min(64, boxes - first), (bit) => found(first + bit))
  }
}

/** Where a component's value leads: of one block its row, of more its classes' rows. */
function locate(scope: Scope, component: Component, part: KeyPart, i: number, failures: Failures, none: Label): void {
  const { e } = scope
  const [absent, known] = [e.label('absent'), e.label('class')]
  const { missing, how, classes } = component
  loadNumber(scope, part, missing === undefined ? failures : { ...failures, missing: absent })
  classify(e, how)
  e.goto(known)
  e.bind(absent)
  if (missing !== undefined) e.put((c) => c.mov(R.A, missing))
  // A number that the verifier knows is forgotten: it would follow either way to the end, for each component.
  if (missing !== undefined) forgetNumber(e)
  e.bind(known)
  e.jump('jge', R.A, classes, none)
  keep(e, component, i)
}

/** The slot of a component = how far into its table the class in R.A is. A number: who reads the program knows a pointer only while it is in a register. */
function keep(e: Emitter, { rowOf, blocks }: Component, i: number): void {
  e.put((c) => {
    c.alu('mul', R.A, rowOf ? 2 * blocks.length : blocks[0]!.bytes)
    c.store(8, R.FP, SLOT.found + 8 * i, { reg: R.A })
  })
}

/** Registers of a block's rows. */
function rows(e: Emitter, components: readonly Component[], block: number, lost: Label): void {
  for (const [i, { rowOf, blocks }] of components.entries()) {
    const reg = ROWS[i]!
    const { table, count, bytes } = blocks[block]!
    const inTable = ({ map, offset }: Table): void =>
      e.put((c) => {
        c.mapValue(reg, map, offset)
        c.alu('add', reg, { reg: R.A })
      })
    e.put((c) => c.load(8, R.A, R.FP, SLOT.found + 8 * i))
    if (rowOf) {
      inTable(rowOf)
      e.put((c) => c.load(2, R.A, reg, 2 * block))
      e.jump('jge', R.A, count, lost)
      e.put((c) => c.alu('mul', R.A, bytes))
    }
    inTable(table)
  }
}

/** Goes to what `found` emits for the lowest bit of R.RET, which is one of the first `count`. */
function lowest(e: Emitter, count: number, found: (bit: number) => void): void {
  const among = (from: number, to: number): void => {
    if (to - from === 1) return found(from)
    const half = 2 ** Math.floor(Math.log2(to - from - 1))
    const low = e.label('low')
    // 32 bits at a time: the low half of all 64 first, then the high one moved down.
    const mask = half === 32 ? -1 : ((2 ** half - 1) * 2 ** (from % 32)) | 0
    e.jump('jset', R.RET, mask, low, 32)
    if (half === 32) e.put((c) => c.alu('rsh', R.RET, 32))
    among(from + half, to)
    e.bind(low)
    among(from, from + half)
  }
  among(0, count)
}
