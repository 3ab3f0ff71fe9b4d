// Arrays: one place for each index, shared or per CPU.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { AT, REGION } from '../memory.ts'
import { BpfMap, type Element, ERRNO, UPDATE } from './map.ts'

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

  *elements(): Generator<Element> {
    const keyAt = AT.scratch + 256
    for (let i = 0; i < this.def.maxEntries; i++) {
      this.engine.mem.view.setUint32(keyAt, i, true)
      yield [keyAt, this.at + i * this.stride]
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

/** A map pointer as programs hold it. */
export function mapPointer(index: number): { lo: number; hi: number } {
  return { lo: index, hi: REGION.map }
}
