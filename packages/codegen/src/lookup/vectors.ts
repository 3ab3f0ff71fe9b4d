// The first of many boxes that a packet is in, by bit vectors (Lakshman and Stiliadis 1998): each component's class has a row with a bit for
// every box that holds its values, and what is left of all rows together are the boxes that hold the packet. Boxes are taken in blocks of
// 1,024, so that rows stay short and few: a block's classes are as many as its own boxes make.
//
//   row of a block: [ 64-bit word for 64 boxes ] × words, box 0 in bit 0 of the first

import type { Range } from '@netsieve/ir'
import { type Classifier, classifier } from './classify.ts'
import type { Maps, Table } from './maps.ts'
import { cut, type Pieces } from './pieces.ts'

/** What each box asks of a component: sorted, disjoint ranges; nothing where it takes any value, and none at all. */
export type Column = readonly (readonly Range[] | undefined)[]

export const BLOCK = 1024

/** Rows of a component in one block. */
export interface Rows {
  readonly table: Table
  readonly count: number
  /** Of each row. */
  readonly bytes: number
}

export interface Component {
  readonly how: Classifier
  /** The class of values that cannot be computed; undefined if no box is left then. */
  readonly missing: number | undefined
  /** Different classes, that of missing values among them. */
  readonly classes: number
  /** By class and block two bytes, a row of the block; none if there is only one block, where classes are rows. */
  readonly rowOf: Table | undefined
  readonly blocks: readonly Rows[]
}

export interface Vectors {
  readonly boxes: number
  /** Words of each block. */
  readonly words: readonly number[]
  readonly components: readonly Component[]
}

/**
 * @param bits of each component
 * @param columns of each component
 * @param count how many boxes there are
 * @param zero a number that cannot be computed is 0
 */
export function vectors(
  maps: Maps,
  bits: readonly number[],
  columns: readonly Column[],
  count: number,
  zero = false,
): Vectors {
  const words: number[] = []
  for (let from = 0; from < count; from += BLOCK) words.push(Math.ceil(Math.min(BLOCK, count - from) / 64))
  return {
    boxes: count,
    words,
    components: bits.map((width, i) => component(maps, zero, width, columns[i]!, words)),
  }
}

function component(maps: Maps, zero: boolean, bits: number, asked: Column, words: readonly number[]): Component {
  const blocks = words.map((count, b) => new BlockRows(b * BLOCK, count, asked))
  const [only] = blocks
  if (only && blocks.length === 1) {
    const missing = only.row()
    const turn = (index: number): void => only.turn(index)
    const pieces = cut(bits, asked, { enter: turn, leave: turn, classOf: () => only.row() })
    return made(maps, { zero, asked, pieces, missing, blocks, rowsOf: undefined })
  }
  // A class is a row of each block.
  const known = new Map<string, number>()
  const rowsOf: (readonly number[])[] = []
  const now = blocks.map((block) => block.row())
  const turned = new Set<number>()
  const classOf = (): number => {
    for (const b of turned) now[b] = blocks[b]!.row()
    turned.clear()
    const rows = now.slice()
    const key = rows.join()
    let found = known.get(key)
    if (found === undefined) {
      found = rowsOf.push(rows) - 1
      known.set(key, found)
    }
    return found
  }
  const missing = classOf()
  const turn = (index: number): void => {
    const b = Math.floor(index / BLOCK)
    blocks[b]!.turn(index)
    turned.add(b)
  }
  const pieces = cut(bits, asked, { enter: turn, leave: turn, classOf })
  return made(maps, { zero, asked, pieces, missing, blocks, rowsOf })
}

/** @param found with the rows of each class; none if there is only one block, where classes are rows */
function made(
  maps: Maps,
  found: {
    readonly zero: boolean
    readonly asked: Column
    readonly pieces: Pieces
    readonly missing: number
    readonly blocks: readonly BlockRows[]
    readonly rowsOf: readonly (readonly number[])[] | undefined
  },
): Component {
  const { zero, asked, pieces, missing, blocks, rowsOf } = found
  return {
    how: classifier(maps, pieces),
    missing: zero ? pieces.classes[0] : asked.includes(undefined) ? missing : undefined,
    classes: rowsOf ? rowsOf.length : blocks[0]!.count,
    rowOf: rowsOf && maps.table(pairs(rowsOf)),
    blocks: blocks.map((block) => ({ table: maps.table(block.bytes()), count: block.count, bytes: block.words * 8 })),
  }
}

function pairs(rowsOf: readonly (readonly number[])[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(rowsOf.flat()).buffer)
}

/** The rows of a component in one block, found while its values are walked from the lowest to the highest. */
class BlockRows {
  private readonly from: number
  readonly words: number
  /** The boxes that hold the value now, 32 to a number. */
  private readonly now: Uint32Array
  private readonly rows: Uint32Array[] = []
  /** By hash the row that was found last, and of each row the one before it with the same hash. */
  private readonly known = new Map<number, number>()
  private readonly before: (number | undefined)[] = []
  private hash = 0
  private last: number | undefined

  constructor(from: number, words: number, asked: Column) {
    this.from = from
    this.words = words
    this.now = new Uint32Array(words * 2)
    for (let i = from; i < Math.min(from + BLOCK, asked.length); i++) if (!asked[i]) this.turn(i)
  }

  /** A box begins or ends to hold the value. */
  turn(index: number): void {
    const bit = index - this.from
    this.now[bit >> 5]! ^= 1 << (bit & 31)
    this.hash ^= mixed(bit)
    this.last = undefined
  }

  /** The number of the row of what holds the value now. */
  row(): number {
    if (this.last === undefined) this.last = this.find()
    return this.last
  }

  private find(): number {
    const last = this.known.get(this.hash)
    for (let row = last; row !== undefined; row = this.before[row]) if (this.isNow(this.rows[row]!)) return row
    const row = this.rows.push(this.now.slice()) - 1
    this.before.push(last)
    this.known.set(this.hash, row)
    return row
  }

  private isNow(row: Uint32Array): boolean {
    for (let i = 0; i < row.length; i++) if (row[i] !== this.now[i]) return false
    return true
  }

  get count(): number {
    return this.rows.length
  }

  bytes(): Uint8Array {
    const all = new Uint32Array(this.rows.length * this.words * 2)
    for (let i = 0; i < this.rows.length; i++) all.set(this.rows[i]!, i * this.words * 2)
    return new Uint8Array(all.buffer)
  }
}

/** A number's bits spread over 32 (finalizer of MurmurHash3). */
function mixed(number: number): number {
  let h = Math.imul(number + 1, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
