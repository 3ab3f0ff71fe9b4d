// Little-endian reading with bounds, and writing. A read outside its bytes means a broken object: `Broken` is thrown, and
// caught where the object was given.

import { fromUtf8, utf8 } from '../utf8.ts'

/** The object is broken: the message says how. Never leaves this folder. */
export class Broken extends Error {}

const LONGEST_NAME = 1024

export class View {
  readonly bytes: Uint8Array
  private readonly view: DataView
  private readonly what: string

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.what = what
  }

  get length(): number {
    return this.bytes.length
  }

  private check(at: number, size: number): void {
    if (at < 0 || at + size > this.bytes.length) throw new Broken(`${this.what} ends before byte ${at + size}`)
  }

  u8(at: number): number {
    this.check(at, 1)
    return this.view.getUint8(at)
  }

  u16(at: number): number {
    this.check(at, 2)
    return this.view.getUint16(at, true)
  }

  u32(at: number): number {
    this.check(at, 4)
    return this.view.getUint32(at, true)
  }

  /** A 64-bit number that has to be a size or an offset within a file. */
  size(at: number): number {
    const high = this.u32(at + 4)
    if (high !== 0) throw new Broken(`${this.what}: a size of more than 4 GiB at byte ${at}`)
    return this.u32(at)
  }

  part(at: number, size: number, what: string): View {
    this.check(at, size)
    return new View(this.bytes.subarray(at, at + size), what)
  }

  /** The text from `at` to the next zero byte. */
  text(at: number): string {
    this.check(at, 1)
    const end = this.bytes.subarray(at, at + LONGEST_NAME).indexOf(0)
    if (end < 0) throw new Broken(`${this.what}: a name of more than ${LONGEST_NAME} bytes or without an end`)
    return fromUtf8(this.bytes.subarray(at, at + end))
  }
}

/** Bytes that grow. */
export class Writer {
  private bytes = new Uint8Array(256)
  private view = new DataView(this.bytes.buffer)
  length = 0

  private grow(size: number): number {
    const at = this.length
    if (at + size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, at + size))
      grown.set(this.bytes)
      this.bytes = grown
      this.view = new DataView(grown.buffer)
    }
    this.length = at + size
    return at
  }

  u8(...values: number[]): this {
    for (const value of values) {
      const at = this.grow(1) // may replace the view
      this.view.setUint8(at, value)
    }
    return this
  }

  u16(...values: number[]): this {
    for (const value of values) {
      const at = this.grow(2) // may replace the view
      this.view.setUint16(at, value, true)
    }
    return this
  }

  u32(...values: number[]): this {
    for (const value of values) {
      const at = this.grow(4) // may replace the view
      this.view.setUint32(at, value, true)
    }
    return this
  }

  /** Numbers below 2^53 as 64 bits. */
  u64(...values: number[]): this {
    for (const value of values) this.u32(value >>> 0, Math.floor(value / 2 ** 32))
    return this
  }

  add(bytes: Uint8Array): this {
    const at = this.grow(bytes.length)
    this.bytes.set(bytes, at)
    return this
  }

  align(to: number): this {
    while (this.length % to !== 0) this.u8(0)
    return this
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }
}

/** A string table: each text once, zero-ended; the empty text is at 0. */
export class Strings {
  private readonly places = new Map<string, number>([['', 0]])
  private readonly writer = new Writer().u8(0)

  place(text: string): number {
    let at = this.places.get(text)
    if (at === undefined) {
      at = this.writer.length
      this.writer.add(utf8(text.replace(/\0/g, ' '))).u8(0)
      this.places.set(text, at)
    }
    return at
  }

  done(): Uint8Array {
    return this.writer.done()
  }
}
