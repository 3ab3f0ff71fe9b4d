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
  const rowsOf = new Classes(blocks)
  const classOf = (): number => rowsOf.found()
  const missing = classOf()
  const turn = (index: number): void => rowsOf.turn(index)
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
    readonly rowsOf: Classes | undefined
  },
): Component {
  const { zero, asked, pieces, missing, blocks, rowsOf } = found
  return {
    how: classifier(maps, pieces),
    missing: zero ? pieces.classes[0] : asked.includes(undefined) ? missing : undefined,
    classes: rowsOf ? rowsOf.count : blocks[0]!.count,
    rowOf: rowsOf && maps.table(rowsOf.bytes()),
    blocks: blocks.map((block) => ({ table: maps.table(block.bytes()), count: block.count, bytes: block.words * 8 })),
  }
}

/** Classes of values, each a row of every block. */
class Classes {
  private readonly blocks: readonly BlockRows[]
  /** The rows of the value now; and those of all classes, one behind the other. */
  private readonly now: Uint16Array
  private all: Uint16Array
  private readonly turned = new Set<number>()
  private readonly known = new Known()
  private hash = 0

  constructor(blocks: readonly BlockRows[]) {
    this.blocks = blocks
    this.now = new Uint16Array(blocks.length)
    this.all = new Uint16Array(blocks.length * 64)
    for (let b = 0; b < blocks.length; b++) this.put(b)
  }

  get count(): number {
    return this.known.count
  }

  /** A box begins or ends to hold the value. */
  turn(index: number): void {
    const b = Math.floor(index / BLOCK)
    this.blocks[b]!.turn(index)
    this.turned.add(b)
  }

  private put(b: number): void {
    this.hash ^= mixed(b * BLOCK * 64 + this.now[b]!)
    this.now[b] = this.blocks[b]!.row()
    this.hash ^= mixed(b * BLOCK * 64 + this.now[b])
  }

  /** The class of the value now. */
  found(): number {
    for (const b of this.turned) this.put(b)
    this.turned.clear()
    const { all, now } = this
    return this.known.find(
      this.hash,
      (one) => {
        for (let b = 0; b < now.length; b++) if (all[one * now.length + b] !== now[b]) return false
        return true
      },
      (one) => this.add(one),
    )
  }

  private add(one: number): void {
    const { now } = this
    const at = one * now.length
    if (at + now.length > this.all.length) {
      const larger = new Uint16Array(this.all.length * 2)
      larger.set(this.all)
      this.all = larger
    }
    this.all.set(now, at)
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.all.buffer, 0, this.count * this.now.length * 2)
  }
}

/** Numbers from 0 on for things that have a hash: the same for what is the same. */
class Known {
  /** By hash the number that was given last, and of each number the one before it with the same hash. */
  private readonly last = new Map<number, number>()
  private readonly before: (number | undefined)[] = []

  get count(): number {
    return this.before.length
  }

  /** @param is whether a number's is the same; `add` is told the number that it gets if none is */
  find(hash: number, is: (one: number) => boolean, add: (one: number) => void): number {
    const last = this.last.get(hash)
    for (let one = last; one !== undefined; one = this.before[one]) if (is(one)) return one
    const one = this.before.push(last) - 1
    this.last.set(hash, one)
    add(one)
    return one
  }
}

/** The rows of a component in one block, found while its values are walked from the lowest to the highest. */
class BlockRows {
  private readonly from: number
  readonly words: number
  /** The boxes that hold the value now, 32 to a number. */
  private readonly now: Uint32Array
  private readonly rows: Uint32Array[] = []
  private readonly known = new Known()
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
    const is = (row: number): boolean => this.isNow(this.rows[row]!)
    return this.known.find(this.hash, is, () => this.rows.push(this.now.slice()))
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
