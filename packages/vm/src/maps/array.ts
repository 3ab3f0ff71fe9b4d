// Arrays: one place for each index, shared or per CPU; and what is built on them: maps of maps by index, and the arrays of
// programs, devices, CPUs, sockets and event buffers that programs only send things to.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { AT, REGION } from '../memory.ts'
import { BpfMap, ERRNO, UPDATE } from './map.ts'

export class ArrayMap extends BpfMap {
  readonly at: number
  readonly stride: number
  private readonly perCpu: boolean

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    this.perCpu = def.type === 'percpu_array'
    this.stride = this.cpuStride * this.cpus
    const length = this.stride * def.maxEntries
    this.at = engine.mem.alloc(length)
    this.addValueRegion(
      this.at,
      this.at + (def.maxEntries === 1 && !this.perCpu ? def.valueSize : length),
      this.cpuStride,
    )
  }

  override get cpus(): number {
    return this.def.type === 'percpu_array' ? this.engine.options.cpus : 1
  }

  /** The first value that this CPU has. */
  get own(): number {
    return this.at + (this.perCpu ? this.engine.options.cpu * this.cpuStride : 0)
  }

  protected indexAt(keyAt: number): number {
    return this.engine.mem.view.getUint32(keyAt, true)
  }

  lookup(keyAt: number, cpu = this.engine.options.cpu): number {
    const index = this.indexAt(keyAt)
    if (index >= this.def.maxEntries) return 0
    return this.at + index * this.stride + (this.perCpu ? cpu * this.cpuStride : 0)
  }

  update(keyAt: number, valueAt: number, flags: number): number {
    if ((flags & ~UPDATE.lock) >>> 0 > UPDATE.exist) return ERRNO.EINVAL
    const index = this.indexAt(keyAt)
    if (index >= this.def.maxEntries) return ERRNO.E2BIG
    if (flags & UPDATE.noexist) return ERRNO.EEXIST
    // A lock is asked for, and there is none in the value.
    if (flags & UPDATE.lock) return ERRNO.EINVAL
    this.engine.mem.bytes.copyWithin(this.lookup(keyAt), valueAt, valueAt + this.def.valueSize)
    return 0
  }

  /** Values may be large: they go to their places without a copy between. */
  override fill(): void {
    const { entries = [], keySize, valueSize, maxEntries, name } = this.def
    if (this.perCpu) return super.fill()
    for (const [key, value] of entries) {
      const index = key.length === keySize ? new DataView(key.buffer, key.byteOffset).getUint32(0, true) : maxEntries
      if (index >= maxEntries || value.length !== valueSize)
        throw new RangeError(`map ${name}: an element cannot be set`)
      this.engine.mem.bytes.set(value, this.at + index * this.stride)
    }
  }

  delete(_keyAt: number): number {
    return ERRNO.EINVAL
  }

  each(visit: (keyAt: number, valueAt: number) => void): void {
    const keyAt = AT.scratch + 256
    for (let i = 0; i < this.def.maxEntries; i++) {
      this.engine.mem.view.setUint32(keyAt, i, true)
      visit(keyAt, this.at + i * this.stride)
    }
  }

  clear(): void {
    this.engine.mem.bytes.fill(0, this.at, this.at + this.stride * this.def.maxEntries)
  }

  save(): () => void {
    return this.saveBytes(this.at, this.stride * this.def.maxEntries)
  }

  override directValue(offset: number): { lo: number; hi: number } | undefined {
    return this.def.type === 'array' ? { lo: this.at + offset, hi: this.region } : undefined
  }
}

/** An array whose places may be empty: values are small numbers that stand for something outside (a program, a device …). */
export class SlotArray extends ArrayMap {
  /** Address of a byte for each place: 1 if it is taken. */
  readonly usedAt: number

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    this.usedAt = engine.mem.alloc(def.maxEntries)
  }

  private get used(): Uint8Array {
    return this.engine.mem.bytes.subarray(this.usedAt, this.usedAt + this.def.maxEntries)
  }

  override lookup(keyAt: number): number {
    const index = this.indexAt(keyAt)
    return index < this.def.maxEntries && this.used[index] ? this.at + index * this.stride : 0
  }

  /** The number in a place; undefined if it is empty. */
  slot(index: number): number | undefined {
    return index < this.def.maxEntries && this.used[index]
      ? this.engine.mem.view.getInt32(this.at + index * this.stride, true)
      : undefined
  }

  override fill(): void {
    BpfMap.prototype.fill.call(this)
  }

  override update(keyAt: number, valueAt: number, flags: number): number {
    if (flags > UPDATE.exist) return ERRNO.EINVAL
    const index = this.indexAt(keyAt)
    if (index >= this.def.maxEntries) return ERRNO.E2BIG
    if (flags === UPDATE.noexist) return ERRNO.EEXIST
    this.used[index] = 1
    const to = this.at + index * this.stride
    this.engine.mem.bytes.copyWithin(to, valueAt, valueAt + this.def.valueSize)
    return 0
  }

  override delete(keyAt: number): number {
    const index = this.indexAt(keyAt)
    if (index >= this.def.maxEntries) return ERRNO.E2BIG
    if (!this.used[index]) return ERRNO.ENOENT
    this.used[index] = 0
    return 0
  }

  override each(visit: (keyAt: number, valueAt: number) => void): void {
    super.each((keyAt, valueAt) => {
      if (this.used[this.indexAt(keyAt)]) visit(keyAt, valueAt)
    })
  }

  override clear(): void {
    super.clear()
    this.used.fill(0)
  }

  override save(): () => void {
    const values = super.save()
    const used = this.used.slice()
    return () => {
      values()
      this.used.set(used)
    }
  }

  /** Array of maps: the value is a map's index in the machine. */
  override innerOf(valueAt: number): number | undefined {
    return this.holdsMaps ? this.engine.mem.view.getInt32(valueAt, true) : undefined
  }

  override directValue(_offset: number): undefined {
    return undefined
  }
}

/** A map pointer as programs hold it. */
export function mapPointer(index: number): { lo: number; hi: number } {
  return { lo: index, hi: REGION.map }
}
