// The first of many boxes that a packet is in, by bit vectors (Lakshman and Stiliadis 1998): each component's class has a row with a bit for
// every box that holds its values, and what is left of all rows together are the boxes that hold the packet. Boxes are taken in blocks of
// 1,024, so that rows stay short and few: a block's classes are as many as its own boxes make.
//
//   row of a block: [ 64-bit word for 64 boxes ] × words, box 0 in bit 0 of the first

import type { Range } from '@netsieve/ir'
import { type Classifier, classifier } from './classify.ts'
import type { Maps, Table } from './maps.ts'
import { cut, type Held } from './pieces.ts'

/** What a box asks of each component: sorted, disjoint ranges; nothing where it takes any value, and none at all. */
export type Box = readonly (readonly Range[] | undefined)[]

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
 * @param zero a number that cannot be computed is 0
 */
export function vectors(maps: Maps, bits: readonly number[], boxes: readonly Box[], zero = false): Vectors {
  const words: number[] = []
  for (let from = 0; from < boxes.length; from += BLOCK)
    words.push(Math.ceil(Math.min(BLOCK, boxes.length - from) / 64))
  return {
    boxes: boxes.length,
    words,
    components: bits.map((width, i) =>
      component(
        maps,
        zero,
        width,
        boxes.map((box) => box[i]),
        words,
      ),
    ),
  }
}

function component(
  maps: Maps,
  zero: boolean,
  bits: number,
  asked: readonly (readonly Range[] | undefined)[],
  words: readonly number[],
): Component {
  const blocks = words.map((count, b) => new BlockRows(b * BLOCK, count, asked))
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
  const held = asked.flatMap((ranges, index) => (ranges ?? []).map((range): Held => ({ ...range, index })))
  const turn = (index: number): void => {
    const b = Math.floor(index / BLOCK)
    blocks[b]!.turn(index)
    turned.add(b)
  }
  const pieces = cut(bits, held, { enter: turn, leave: turn, classOf })
  return {
    how: classifier(maps, pieces),
    missing: zero ? pieces.classes[0] : asked.every((ranges) => ranges !== undefined) ? undefined : missing,
    classes: rowsOf.length,
    rowOf: words.length === 1 ? undefined : maps.table(pairs(rowsOf)),
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
  private readonly known = new Map<number, number[]>()
  private hash = 0
  private last: number | undefined

  constructor(from: number, words: number, asked: readonly (readonly Range[] | undefined)[]) {
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
    const same = this.known.get(this.hash) ?? []
    const found = same.find((row) => this.rows[row]!.every((word, i) => word === this.now[i]))
    if (found !== undefined) return found
    const row = this.rows.push(this.now.slice()) - 1
    this.known.set(this.hash, [...same, row])
    return row
  }

  get count(): number {
    return this.rows.length
  }

  bytes(): Uint8Array {
    const all = new Uint32Array(this.rows.length * this.words * 2)
    for (const [i, row] of this.rows.entries()) all.set(row, i * this.words * 2)
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
