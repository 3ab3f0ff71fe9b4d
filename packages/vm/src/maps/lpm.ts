// Longest prefix match: keys are a prefix length (u32) and the bytes it counts in. Entries lie in a hash table under their
// length and masked bytes; a lookup tries the lengths in use from the longest down. Compiled code searches intervals instead, once
// there were enough lookups since the last change to pay for making them.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { HashMap } from './hash.ts'
import { Intervals, MOST_BYTES, type Prefixes } from './intervals.ts'
import { BpfMap, type Element, ERRNO, UPDATE } from './map.ts'

export class LpmMap extends BpfMap {
  private readonly table: HashMap
  private readonly bits: number
  private readonly probe: number
  /** Entries of each prefix length. */
  private readonly lengths: Int32Array
  /** For compiled lookups of whole keys; none for keys that are too long. */
  readonly intervals: Intervals | undefined
  /** Compiled lookups that found no intervals since the last change. */
  private missed = 0

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    this.bits = (def.keySize - 4) * 8
    // The key as it was given, unmasked, follows the value: that is what going through the trie shows.
    this.table = new HashMap(engine, { ...def, type: 'hash' }, index, def.keySize)
    this.region = this.table.region
    this.probe = engine.mem.alloc(def.keySize)
    this.lengths = new Int32Array(this.bits + 1)
    if (this.bits <= MOST_BYTES * 8) this.intervals = new Intervals(engine, this.bits / 8)
  }

  /** What compiled code asks where there are no intervals for it: making them costs about as much as a lookup for every 8 prefixes. */
  override compiledLookup(keyAt: number): number {
    const { intervals, table } = this
    const whole = this.engine.mem.view.getUint32(keyAt, true) === this.bits
    if (intervals && whole && !intervals.ready && this.missed++ * 8 >= table.count) {
      // Where there is no room for them, it is not tried again before the next change.
      if (!intervals.make(this.prefixes())) this.missed = Number.NEGATIVE_INFINITY
    }
    return this.lookup(keyAt)
  }

  private prefixes(): Prefixes {
    const { count } = this.table
    const { view } = this.engine.mem
    const all = {
      count,
      bytesAt: new Int32Array(count),
      lengths: new Uint8Array(count),
      valuesAt: new Int32Array(count),
    }
    let i = 0
    this.table.each((at, valueAt) => {
      all.bytesAt[i] = at + 4
      all.lengths[i] = view.getUint32(at, true)
      all.valuesAt[i++] = valueAt
    })
    return all
  }

  private changed(): void {
    this.missed = 0
    this.intervals?.forget()
  }

  /** Writes the key's first `length` bits, the rest 0, under that length. */
  private mask(keyAt: number, length: number): number {
    const { bytes, view } = this.engine.mem
    view.setUint32(this.probe, length, true)
    for (let i = 0; i < this.bits / 8; i++) {
      const left = length - i * 8
      const keep = left >= 8 ? 0xff : left <= 0 ? 0 : (0xff00 >> left) & 0xff
      bytes[this.probe + 4 + i] = bytes[keyAt + 4 + i]! & keep
    }
    return this.probe
  }

  lookup(keyAt: number): number {
    let length = this.engine.mem.view.getUint32(keyAt, true)
    if (length > this.bits) return 0
    for (; length >= 0; length--) {
      if (this.lengths[length] === 0) continue
      const at = this.table.lookup(this.mask(keyAt, length))
      if (at !== 0) return at
    }
    return 0
  }

  update(keyAt: number, valueAt: number, flags: number): number {
    const length = this.engine.mem.view.getUint32(keyAt, true)
    if (length > this.bits || flags > UPDATE.exist) return ERRNO.EINVAL
    const before = this.table.count
    // A full trie says ENOSPC where a full hash table says E2BIG.
    const result = this.table.update(this.mask(keyAt, length), valueAt, flags)
    if (this.table.count > before) {
      this.lengths[length]!++
      this.changed()
    }
    if (result === 0) {
      const at = this.table.lookup(this.probe) + this.cpuStride
      this.engine.mem.bytes.copyWithin(at, keyAt, keyAt + this.def.keySize)
    }
    return result === ERRNO.E2BIG ? ERRNO.ENOSPC : result
  }

  delete(keyAt: number): number {
    const length = this.engine.mem.view.getUint32(keyAt, true)
    if (length > this.bits) return ERRNO.EINVAL
    const result = this.table.delete(this.mask(keyAt, length))
    if (result === 0) {
      this.lengths[length]!--
      this.changed()
    }
    return result
  }

  *elements(): Generator<Element> {
    for (const [, valueAt] of this.table.elements()) yield [valueAt + this.cpuStride, valueAt]
  }

  clear(): void {
    this.table.clear()
    this.lengths.fill(0)
    this.changed()
  }

  save(): () => void {
    const table = this.table.save()
    const lengths = this.lengths.slice()
    return () => {
      table()
      this.lengths.set(lengths)
      this.changed()
    }
  }
}
