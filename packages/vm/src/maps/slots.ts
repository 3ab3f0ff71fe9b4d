// Arrays whose places may be empty: maps of maps by index, and the arrays of programs, devices, CPUs, sockets and event buffers that programs
// only send things to. Values are small numbers that stand for something outside.

import type { MapDef, MapTypeName } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { AT } from '../memory.ts'
import { ArrayMap } from './array.ts'
import { BpfMap, type Element, ERRNO, UPDATE } from './map.ts'

/**
 * How places are filled, as Linux has it. `file`: what is put in replaces what was there, without flags. `sink`: a place is never new, and 0
 * empties it. `socket`: flags mean what they say, but the same socket may come anew.
 */
type Manner = 'file' | 'sink' | 'socket'
const MANNERS: Partial<Record<MapTypeName, Manner>> = { devmap: 'sink', cpumap: 'sink', xskmap: 'socket' }

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

  private get manner(): Manner {
    return MANNERS[this.def.type] ?? 'file'
  }

  override update(keyAt: number, valueAt: number, flags: number): number {
    const { manner } = this
    if (manner === 'file' ? flags !== UPDATE.any : flags > UPDATE.exist) return ERRNO.EINVAL
    const index = this.indexAt(keyAt)
    if (index >= this.def.maxEntries) return ERRNO.E2BIG
    const value = this.engine.mem.view.getInt32(valueAt, true)
    if (manner === 'sink' && flags === UPDATE.noexist) return ERRNO.EEXIST
    if (manner === 'socket' && flags !== UPDATE.any) {
      const old = this.slot(index)
      if (old === undefined && flags === UPDATE.exist) return ERRNO.ENOENT
      if (old !== undefined && old !== value && flags === UPDATE.noexist) return ERRNO.EEXIST
    }
    if (this.holdsMaps && !this.takesMap(value)) return ERRNO.EINVAL
    this.used[index] = manner === 'sink' && value === 0 ? 0 : 1
    const to = this.at + index * this.stride
    this.engine.mem.bytes.copyWithin(to, valueAt, valueAt + this.def.valueSize)
    return 0
  }

  override delete(keyAt: number): number {
    const index = this.indexAt(keyAt)
    const isFile = this.manner === 'file'
    if (index >= this.def.maxEntries) return isFile ? ERRNO.E2BIG : ERRNO.EINVAL
    if (isFile && !this.used[index]) return ERRNO.ENOENT
    this.used[index] = 0
    return 0
  }

  override *elements(): Generator<Element> {
    const keyAt = AT.scratch + 256
    for (let i = 0; i < this.def.maxEntries; i++) {
      if (!this.used[i]) continue
      this.engine.mem.view.setUint32(keyAt, i, true)
      yield [keyAt, this.at + i * this.stride]
    }
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
