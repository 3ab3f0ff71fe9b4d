// From a number to its class: a table by the number itself, or a search among the starts of pieces. The search has no branches, so that
// neither the processor guesses wrong nor the verifier sees two ways: each step loads one start, and the sign of its distance moves a pointer.
//
//   table of 2^k starts (the first left out, filled up with the highest number) | the class of each piece
//   p → start in the middle of what is left; p += half where it is not above the number; at last p + 2^k → the class

import { type Emitter, R } from '../emitter.ts'
import { SLOT } from '../path.ts'
import type { Maps, Table } from './maps.ts'
import { NARROW, type Pieces } from './pieces.ts'

/** How a component's class is found. */
export type Classifier =
  | { readonly kind: 'same'; readonly value: number }
  /** Two bytes for each value. */
  | { readonly kind: 'direct'; readonly table: Table; readonly bits: number }
  /** Starts of `bytes` bytes, 2^steps of them, then classes at the same distances. */
  | { readonly kind: 'search'; readonly table: Table; readonly bytes: 4 | 8 | 16; readonly steps: number }

/** Up to this many pieces a search is shorter than a table of 128 KiB. */
const SHORT_SEARCH = 8
/** Values of components with tables of their own. */
const DIRECT_BITS = 16

export function classifier(maps: Maps, pieces: Pieces): Classifier {
  const { bits, starts, classes } = pieces
  if (classes.length === 1) return { kind: 'same', value: classes[0]! }
  const small = classes.every((each) => each < 65536)
  if (small && (bits <= 8 || (bits <= DIRECT_BITS && classes.length > SHORT_SEARCH)))
    return { kind: 'direct', table: maps.table(directTable(pieces)), bits }
  const steps = Math.ceil(Math.log2(starts.length))
  const bytes = bits <= 32 ? 4 : bits <= NARROW ? 8 : 16
  return { kind: 'search', table: maps.table(searchTable(pieces, bytes, steps)), bytes, steps }
}

function directTable({ bits, starts, classes }: Pieces): Uint8Array {
  const table = new Uint16Array(1 << bits)
  for (let i = 0; i < starts.length; i++) table.fill(classes[i]!, Number(starts[i]), Number(starts[i + 1] ?? 1 << bits))
  return new Uint8Array(table.buffer)
}

function searchTable({ starts, classes }: Pieces, bytes: 4 | 8 | 16, steps: number): Uint8Array {
  const count = 2 ** steps
  const table = new Uint8Array(2 * count * bytes)
  const view = new DataView(table.buffer)
  table.fill(0xff, 0, count * bytes)
  for (let i = 0; i < count; i++) {
    const start = starts[i + 1]
    if (start !== undefined) {
      if (bytes === 4) view.setUint32(i * 4, Number(start), true)
      else if (bytes === 8) view.setBigUint64(i * 8, BigInt(start), true)
      else {
        view.setBigUint64(i * 16, BigInt.asUintN(64, BigInt(start)), true)
        view.setBigUint64(i * 16 + 8, BigInt(start) >> 64n, true)
      }
    } else if (bytes === 8) view.setBigUint64(i * 8, (1n << 63n) - 1n, true)
    view.setUint32((count + i) * bytes, classes[i] ?? classes.at(-1)!, true)
  }
  return table
}

/** Instructions that a classification takes. */
export function stepsOf(how: Classifier): number {
  switch (how.kind) {
    case 'same':
      return 1
    case 'direct':
      return 6
    case 'search':
      return 5 + how.steps * (how.bytes === 16 ? 22 : 5)
  }
}

/**
 * R.A = the class of the number in R.A, of more than 48 bits in the words from SLOT.key on, the lowest first. Clobbers the scratch
 * registers. A class that was loaded is not bounded for the verifier.
 */
export function classify(e: Emitter, how: Classifier): void {
  switch (how.kind) {
    case 'same':
      return e.put((c) => c.mov(R.A, how.value))
    case 'direct':
      return e.put((c) => {
        c.alu('and', R.A, (1 << how.bits) - 1)
        c.alu('lsh', R.A, 1)
        c.mapValue(R.B, how.table.map, how.table.offset)
        c.alu('add', R.B, { reg: R.A })
        c.load(2, R.A, R.B, 0)
      })
    case 'search':
      return how.bytes === 16 ? wideSearch(e, how) : search(e, how, how.bytes)
  }
}

const FURTHEST = 0x7fff - 16

/** Loads at a distance that may be more than an instruction can say; the register `by` is for that. */
function loadFar(e: Emitter, size: 4 | 8, dst: number, from: number, offset: number, by: number): void {
  e.put((c) => {
    if (offset <= FURTHEST) return c.load(size, dst, from, offset)
    c.mov(by, { reg: from })
    c.alu('add', by, offset)
    c.load(size, dst, by, 0)
  })
}

function search(e: Emitter, { table, steps }: Extract<Classifier, { kind: 'search' }>, bytes: 4 | 8): void {
  e.put((c) => {
    c.alu('add', R.A, 1)
    c.mapValue(R.B, table.map, table.offset)
  })
  for (let step = steps - 1; step >= 0; step--) {
    loadFar(e, bytes, R.C, R.B, (2 ** step - 1) * bytes, R.RET)
    e.put((c) => {
      c.alu('sub', R.C, { reg: R.A })
      c.alu('rsh', R.C, 63)
      if (step + Math.log2(bytes) > 0) c.alu('lsh', R.C, step + Math.log2(bytes))
      c.alu('add', R.B, { reg: R.C })
    })
  }
  loadFar(e, 4, R.A, R.B, 2 ** steps * bytes, R.RET)
}

/** Sixteen bytes word by word, from the lowest: what is borrowed at last tells that the start is not above the number. */
function wideSearch(e: Emitter, { table, steps }: Extract<Classifier, { kind: 'search' }>): void {
  e.put((c) => c.mapValue(R.B, table.map, table.offset))
  for (let step = steps - 1; step >= 0; step--) {
    const offset = (2 ** step - 1) * 16
    e.put((c) => {
      const far = offset > FURTHEST
      if (far) {
        // The pointer goes on from here, and back by as much.
        c.alu('add', R.B, offset)
      }
      for (let word = 0; word < 4; word++) {
        c.load(4, R.C, R.B, (far ? 0 : offset) + 4 * word)
        c.load(4, R.RET, R.FP, SLOT.key + 4 * word)
        c.alu('sub', R.C, { reg: R.RET })
        c.alu('sub', R.C, word === 0 ? 1 : { reg: R.A })
        c.mov(R.A, { reg: R.C })
        c.alu('rsh', R.A, 63)
      }
      if (far) c.alu('sub', R.B, offset)
      c.alu('lsh', R.A, step + 4)
      c.alu('add', R.B, { reg: R.A })
    })
  }
  loadFar(e, 4, R.A, R.B, 2 ** steps * 16, R.RET)
}
