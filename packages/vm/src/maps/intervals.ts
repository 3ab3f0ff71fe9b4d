// Longest prefix match as a search among intervals: prefixes sorted, nested ones cut out of those around them, so that each key lies in
// exactly one interval, which has one value. Made anew after the prefixes changed; compiled lookups (jit/lookup.ts) search it.
//
//   header   ready | shift | index | list | places | 0 | base (64 bits)      ready: 0 where the prefixes changed since; index, list: addresses
//   index    for each place p up to `places`, the last interval that starts at base + (p << shift) or before; once more the last of all
//   list     start (1, 2 or 4 words of the key, the most significant last) | address of the value, 0 for none
//
// `base` is where the first prefix starts; it and the places are numbers of the key's first 64 bits (32 where it has no more).

import type { Engine } from '../engine.ts'

export const HEADER = { ready: 0, shift: 4, index: 8, list: 12, places: 16, base: 24, bytes: 32 } as const
/** Longer keys are not worth it. */
export const MOST_BYTES = 16

/** Prefixes: where the bytes of each are, how many bits of them count (the others being 0), and the address of its value. */
export interface Prefixes {
  readonly count: number
  readonly bytesAt: Int32Array
  readonly lengths: Uint8Array
  readonly valuesAt: Int32Array
}

/** Room that grows by doubling; what it had before is lost. */
interface Room {
  at: number
  bytes: number
}

export class Intervals {
  readonly headerAt: number
  /** 32-bit words of a key: 1, 2 or 4. */
  readonly words: 1 | 2 | 4
  private readonly engine: Engine
  private readonly keyBytes: number
  private readonly index: Room = { at: 0, bytes: 0 }
  private readonly list: Room = { at: 0, bytes: 0 }

  constructor(engine: Engine, keyBytes: number) {
    this.engine = engine
    this.keyBytes = keyBytes
    this.words = keyBytes <= 4 ? 1 : keyBytes <= 8 ? 2 : 4
    this.headerAt = engine.mem.alloc(HEADER.bytes)
  }

  /** Bytes of a row of the list. */
  get stride(): number {
    return this.words * 4 + 4
  }

  get ready(): boolean {
    return this.engine.mem.words[this.headerAt >> 2] !== 0
  }

  /** The prefixes changed. */
  forget(): void {
    this.engine.mem.words[this.headerAt >> 2] = 0
  }

  /** False if there is no room for them in the memory budget. */
  make(prefixes: Prefixes): boolean {
    const rows = cut(this.sorted(prefixes), this.words)
    const { count } = rows
    const places = count <= 16 ? 1 : count <= 2048 ? 256 : 65536
    if (!this.reserve(this.index, (places + 2) * 4) || !this.reserve(this.list, count * this.stride)) return false
    const { words: memory } = this.engine.mem
    const width = this.words
    for (let i = 0, to = this.list.at >> 2; i < count; i++) {
      for (let w = width - 1; w >= 0; w--) memory[to++] = rows.starts[i * width + w]!
      memory[to++] = rows.values[i]!
    }
    const scale = new Scale(rows, width, places)
    const from = this.index.at >> 2
    let place = 0
    for (let i = 1; i < count; i++)
      for (const first = scale.placeOf(i); place < first; place++) memory[from + place] = i - 1
    memory.fill(count - 1, from + place, from + places + 2)
    const header = [1, scale.shift, this.index.at, this.list.at, places, 0, scale.baseLow, scale.baseHigh]
    memory.set(header, this.headerAt >> 2)
    return true
  }

  private reserve(room: Room, bytes: number): boolean {
    if (room.bytes >= bytes) return true
    const most = Math.max(bytes, room.bytes * 2)
    if (!this.engine.mem.hasRoom(most)) return false
    room.at = this.engine.mem.alloc(most)
    room.bytes = most
    this.engine.refreshRegs()
    return true
  }

  /** The prefixes by their first key; of those with the same, the shortest first. */
  private sorted(prefixes: Prefixes): Sorted {
    const { keyBytes, words: width } = this
    const { bytes } = this.engine.mem
    const { count, bytesAt } = prefixes
    const starts = new Uint32Array(count * width)
    for (let i = 0; i < count; i++) {
      const from = bytesAt[i]!
      for (let k = 0; k < keyBytes; k++) starts[i * width + (k >> 2)]! |= bytes[from + k]! << (24 - (k & 3) * 8)
    }
    let order = new Uint32Array(count)
    for (let i = 0; i < count; i++) order[i] = i
    order = bucketSort(order, { values: prefixes.lengths, width: 1, word: 0, shift: 0 })
    for (let word = width - 1; word >= 0; word--)
      for (const shift of [0, 8, 16, 24]) order = bucketSort(order, { values: starts, width, word, shift })
    return { prefixes, starts, order }
  }
}

interface Sorted {
  readonly prefixes: Prefixes
  /** Words of each prefix's first key, the most significant first. */
  readonly starts: Uint32Array
  readonly order: Uint32Array
}

/** 8 bits of one of the words that each item has. */
interface Digit {
  readonly values: Uint32Array | Uint8Array
  readonly width: number
  readonly word: number
  readonly shift: number
}

/** One pass of a radix sort: what has the same digit stays in its order. */
function bucketSort(order: Uint32Array<ArrayBuffer>, { values, width, word, shift }: Digit): Uint32Array<ArrayBuffer> {
  const ends = new Uint32Array(257)
  for (let i = word; i < values.length; i += width) ends[((values[i]! >>> shift) & 0xff) + 1]!++
  // All alike: nothing to do.
  if (ends.includes(order.length)) return order
  for (let d = 1; d < 257; d++) ends[d]! += ends[d - 1]!
  const out = new Uint32Array(order.length)
  for (let i = 0; i < order.length; i++) {
    const item = order[i]!
    out[ends[(values[item * width + word]! >>> shift) & 0xff]!++] = item
  }
  return out
}

/** Where intervals are in the index: as numbers of 64 bits, in two words, less those of the first one that has a prefix. */
class Scale {
  readonly shift: number
  readonly baseHigh: number
  readonly baseLow: number
  private readonly starts: Uint32Array
  private readonly width: number

  constructor({ starts, count }: Cutter, width: number, places: number) {
    this.starts = starts
    this.width = width
    const first = Math.min(1, count - 1) * width
    this.baseHigh = width === 1 ? 0 : starts[first]!
    this.baseLow = width === 1 ? starts[first]! : starts[first + 1]!
    const [high, low] = this.distance(count - 1)
    const bits = high !== 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(low)
    // WebAssembly shifts by less than 64. What is behind the last place is in it.
    this.shift = Math.min(Math.max(bits - Math.log2(places), 0), 63)
  }

  private distance(i: number): readonly [high: number, low: number] {
    const at = i * this.width
    const [high, low] = this.width === 1 ? [0, this.starts[at]!] : [this.starts[at]!, this.starts[at + 1]!]
    const less = low < this.baseLow ? 1 : 0
    return [(high - this.baseHigh - less) >>> 0, (low - this.baseLow) >>> 0]
  }

  /** The first place that starts where the interval does, or behind. */
  placeOf(i: number): number {
    const { shift, width, starts } = this
    const [high, low] = this.distance(i)
    const wide = shift >= 32
    const place = wide ? high >>> (shift - 32) : shift === 0 ? low : (high << (32 - shift)) | (low >>> shift)
    const rest = wide ? low | (high & ~(-1 << (shift - 32))) : low & ~(-1 << shift)
    let exact = rest === 0
    for (let w = 2; w < width; w++) if (starts[i * width + w] !== 0) exact = false
    return exact ? place : place + 1
  }
}

/** Intervals from sorted prefixes. */
function cut({ prefixes, starts, order }: Sorted, width: number): Cutter {
  const cutter = new Cutter(order.length, width)
  for (let k = 0; k < order.length; k++) {
    const i = order[k]!
    cutter.add(starts, i * width, prefixes.lengths[i]!, prefixes.valuesAt[i]!)
  }
  cutter.end()
  return cutter
}

/** Prefixes that are open at a place lie on a stack, the innermost on top: where one ends, the one around it goes on. */
class Cutter {
  readonly starts: Uint32Array
  readonly values: Int32Array
  count = 0
  private readonly width: number
  /** Last keys and values of the open prefixes; row 0 stands for none. */
  private readonly ends: Uint32Array
  private readonly open: Int32Array
  private depth = 0
  private readonly next: Uint32Array

  constructor(prefixes: number, width: number) {
    this.width = width
    this.starts = new Uint32Array((prefixes * 2 + 1) * width)
    this.values = new Int32Array(prefixes * 2 + 1)
    this.ends = new Uint32Array((width * 32 + 2) * width)
    this.open = new Int32Array(width * 32 + 2)
    this.next = new Uint32Array(width)
    this.put(this.next, 0, 0)
  }

  add(starts: Uint32Array, at: number, length: number, valueAt: number): void {
    const { width, ends } = this
    while (this.depth > 0 && this.endsBefore(starts, at)) this.close()
    this.put(starts, at, valueAt)
    const row = ++this.depth * width
    this.open[this.depth] = valueAt
    for (let w = 0; w < width; w++) {
      const kept = Math.min(Math.max(length - w * 32, 0), 32)
      ends[row + w] = kept < 32 ? starts[at + w]! | (0xffffffff >>> kept) : starts[at + w]!
    }
  }

  end(): void {
    while (this.depth > 0) this.close()
  }

  private endsBefore(starts: Uint32Array, at: number): boolean {
    const row = this.depth * this.width
    for (let w = 0; w < this.width; w++) {
      const [end, start] = [this.ends[row + w]!, starts[at + w]!]
      if (end !== start) return end < start
    }
    return false
  }

  /** Ends the innermost. Behind the last key of all there is nothing to go on. */
  private close(): void {
    const { width, next, ends } = this
    const row = this.depth * width
    let carry = 1
    for (let w = width - 1; w >= 0; w--) {
      const sum = ends[row + w]! + carry
      next[w] = sum
      carry = sum > 0xffffffff ? 1 : 0
    }
    this.depth--
    if (carry === 0) this.put(next, 0, this.open[this.depth]!)
  }

  /** An interval, which takes the place of one that starts where it does. */
  private put(from: Uint32Array, at: number, valueAt: number): void {
    const { starts, width } = this
    let row = this.count
    let same = row > 0
    for (let w = 0; w < width && same; w++) same = starts[(row - 1) * width + w] === from[at + w]
    if (same) row--
    for (let w = 0; w < width; w++) starts[row * width + w] = from[at + w]!
    this.values[row] = valueAt
    this.count = row + 1
  }
}
