// Longest prefix match: keys are a prefix length (u32) and the bytes it counts in. Entries lie in a hash table under their
// length and masked bytes; a lookup tries the lengths in use from the longest down.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { HashMap } from './hash.ts'
import { BpfMap, ERRNO, UPDATE } from './map.ts'

export class LpmMap extends BpfMap {
  private readonly table: HashMap
  private readonly bits: number
  private readonly probe: number
  /** Entries of each prefix length. */
  private readonly lengths: Int32Array

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    this.bits = (def.keySize - 4) * 8
    // The key as it was given, unmasked, follows the value: that is what going through the trie shows.
    this.table = new HashMap(engine, { ...def, type: 'hash' }, index, def.keySize)
    this.region = this.table.region
    this.probe = engine.mem.alloc(def.keySize)
    this.lengths = new Int32Array(this.bits + 1)
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
    if (this.table.count > before) this.lengths[length]!++
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
    if (result === 0) this.lengths[length]!--
    return result
  }

  each(visit: (keyAt: number, valueAt: number) => void): void {
    this.table.each((_keyAt, valueAt) => visit(valueAt + this.cpuStride, valueAt))
  }

  clear(): void {
    this.table.clear()
    this.lengths.fill(0)
  }

  save(): () => void {
    const table = this.table.save()
    const lengths = this.lengths.slice()
    return () => {
      table()
      this.lengths.set(lengths)
    }
  }
}
