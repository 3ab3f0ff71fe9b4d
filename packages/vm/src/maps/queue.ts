// Queues, stacks and Bloom filters: values without keys.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { BpfMap, bytesOf, type Element, ERRNO, hexOf, type MapJson, UPDATE } from './map.ts'

/** What keys can do to a map without keys. */
abstract class KeylessMap extends BpfMap {
  lookup(): number {
    return 0
  }
  update(_keyAt: number, _valueAt: number, _flags: number): number {
    return ERRNO.EINVAL
  }
  delete(): number {
    return ERRNO.EINVAL
  }
}

export class QueueMap extends KeylessMap {
  private readonly at: number
  private first = 0
  private length = 0

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    this.at = engine.mem.alloc(def.valueSize * def.maxEntries)
  }

  private place(i: number): number {
    return this.at + ((this.first + i) % this.def.maxEntries) * this.def.valueSize
  }

  override update(_keyAt: number, valueAt: number, flags: number): number {
    return this.push(valueAt, flags)
  }

  /** BPF_EXIST drops the oldest value of a full map. */
  override push(valueAt: number, flags: number): number {
    if (flags === UPDATE.noexist || flags > UPDATE.exist) return ERRNO.EINVAL
    const { maxEntries, valueSize } = this.def
    if (this.length === maxEntries) {
      if (flags !== UPDATE.exist) return ERRNO.E2BIG
      this.first = (this.first + 1) % maxEntries
      this.length--
    }
    this.engine.mem.bytes.copyWithin(this.place(this.length), valueAt, valueAt + valueSize)
    this.length++
    return 0
  }

  override peek(valueAt: number): number {
    const { bytes } = this.engine.mem
    if (this.length === 0) {
      bytes.fill(0, valueAt, valueAt + this.def.valueSize)
      return ERRNO.ENOENT
    }
    const from = this.place(this.def.type === 'stack' ? this.length - 1 : 0)
    bytes.copyWithin(valueAt, from, from + this.def.valueSize)
    return 0
  }

  override pop(valueAt: number): number {
    const result = this.peek(valueAt)
    if (result !== 0) return result
    if (this.def.type === 'queue') this.first = (this.first + 1) % this.def.maxEntries
    this.length--
    return 0
  }

  /** The oldest first, so that pushing them again makes the same map. */
  *elements(): Generator<Element> {
    for (let i = 0; i < this.length; i++) yield [0, this.place(i)]
  }

  clear(): void {
    this.length = 0
    this.first = 0
  }

  save(): () => void {
    const values = this.saveBytes(this.at, this.def.valueSize * this.def.maxEntries)
    const { first, length } = this
    return () => {
      values()
      this.first = first
      this.length = length
    }
  }
}

/** Says "not there" for certain, "there" perhaps. The kernel's hash is seeded anew for each map: which false hits come differs. */
export class BloomMap extends KeylessMap {
  private readonly bits: Uint8Array
  private readonly hashes: number

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    // map_extra in the kernel; its default is 5 hash functions.
    this.hashes = 5
    let size = 64
    while (size < def.maxEntries * 8 && size < 1 << 30) size *= 2
    this.bits = new Uint8Array(size / 8)
  }

  private *places(valueAt: number): Generator<number> {
    const { bytes } = this.engine.mem
    for (let k = 0; k < this.hashes; k++) {
      let h = Math.imul(k + 1, 0x9e3779b1)
      for (let i = 0; i < this.def.valueSize; i++) {
        h = Math.imul(h ^ bytes[valueAt + i]!, 0x01000193)
        h ^= h >>> 15
      }
      yield (h >>> 0) % (this.bits.length * 8)
    }
  }

  override update(_keyAt: number, valueAt: number, flags: number): number {
    return this.push(valueAt, flags)
  }

  override push(valueAt: number, flags: number): number {
    if (flags !== UPDATE.any) return ERRNO.EINVAL
    for (const place of this.places(valueAt)) this.bits[place >> 3]! |= 1 << (place & 7)
    return 0
  }

  override peek(valueAt: number): number {
    for (const place of this.places(valueAt)) {
      if ((this.bits[place >> 3]! & (1 << (place & 7))) === 0) return ERRNO.ENOENT
    }
    return 0
  }

  *elements(): Generator<Element> {}

  override toJSON(): MapJson {
    return { ...super.toJSON(), bits: hexOf(this.bits, 0, this.bits.length) }
  }

  override load(json: MapJson): void {
    super.load(json)
    const bits = bytesOf(json.bits ?? '')
    if (json.bits !== undefined && bits.length !== this.bits.length)
      throw new RangeError(`map ${this.def.name}: its bits are ${this.bits.length} bytes, not ${bits.length}`)
    for (const [i, byte] of bits.entries()) this.bits[i]! |= byte
  }

  clear(): void {
    this.bits.fill(0)
  }

  save(): () => void {
    const bits = this.bits.slice()
    return () => this.bits.set(bits)
  }
}
