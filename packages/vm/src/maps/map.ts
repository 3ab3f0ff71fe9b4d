// What every map can do: for programs by linear addresses, for JavaScript by bytes, and as JSON.
// Results are 0 or a negative errno, as the kernel's bpf(2) and helpers give them.

import { MAP_FLAGS, type MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { AT, REGION } from '../memory.ts'

export const ERRNO = {
  EPERM: -1, ENOENT: -2, E2BIG: -7, EAGAIN: -11, ENOMEM: -12, EFAULT: -14, EBUSY: -16, EEXIST: -17, EINVAL: -22, ENOSPC: -28,
  ERANGE: -34, EPROTONOSUPPORT: -93, EOPNOTSUPP: -95, ENOTSUPP: -524,
} as const // biome-ignore format: one family

/** Update flags: whether the element must be new (NOEXIST) or there already (EXIST). */
export const UPDATE = { any: 0, noexist: 1, exist: 2, lock: 4 } as const

/** A map as JSON: keys and values in hexadecimal; per-CPU values are lists, with a value for each CPU. */
export interface MapJson {
  readonly name: string
  readonly type: string
  readonly entries: readonly (readonly [key: string, value: string | readonly string[]])[]
  /** A Bloom filter has no entries that could be told: its bits, in hexadecimal. */
  readonly bits?: string
}

export type Element = readonly [keyAt: number, valueAt: number]

export abstract class BpfMap {
  readonly engine: Engine
  readonly def: MapDef
  readonly index: number
  /** Region number of the values. */
  region = 0

  constructor(engine: Engine, def: MapDef, index: number) {
    this.engine = engine
    this.def = def
    this.index = index
  }

  /** Linear address of the value of the key at an address, 0 if there is none. The CPU is that of the machine. */
  abstract lookup(keyAt: number, cpu?: number): number
  /** The same, asked by compiled code that has no way of its own. */
  compiledLookup(keyAt: number): number {
    return this.lookup(keyAt)
  }
  abstract update(keyAt: number, valueAt: number, flags: number): number
  abstract delete(keyAt: number): number
  /**
   * Addresses of all keys and values, in no promised order. Keys that lie nowhere are written to a place that the next ones take, too.
   * Elements that come or go meanwhile may be seen or not.
   */
  abstract elements(): Generator<Element>

  each(visit: (keyAt: number, valueAt: number) => void): void {
    for (const [keyAt, valueAt] of this.elements()) visit(keyAt, valueAt)
  }
  /** Bytes that `elements` goes through beside what it shows. */
  get elementsBytes(): number {
    return 0
  }
  abstract clear(): void
  /** Keeps the contents: the function given puts them back. */
  abstract save(): () => void

  push(_valueAt: number, _flags: number): number {
    return ERRNO.EOPNOTSUPP
  }
  pop(_valueAt: number): number {
    return ERRNO.EOPNOTSUPP
  }
  peek(_valueAt: number): number {
    return ERRNO.EOPNOTSUPP
  }
  /** The map that the value found by lookup stands for; undefined for maps of plain values. */
  innerOf(_valueAt: number): number | undefined {
    return undefined
  }
  /** Whether values stand for maps. */
  get holdsMaps(): boolean {
    return this.def.type === 'array_of_maps' || this.def.type === 'hash_of_maps'
  }
  /** Whether a map of maps takes the map of this number: one that is there, and like its inner one. */
  protected takesMap(index: number): boolean {
    const map = this.engine.maps[index]?.def
    const { inner = map } = this.def
    if (!map || !inner) return false
    const anyLength = (map.flags ?? 0) & MAP_FLAGS.inner_map
    const same = (key: 'type' | 'keySize' | 'valueSize') => map[key] === inner[key]
    const length = map.type !== 'array' || anyLength || map.maxEntries === inner.maxEntries
    return same('type') && same('keySize') && same('valueSize') && (map.flags ?? 0) === (inner.flags ?? 0) && !!length
  }
  /** A pointer into the only value, for LD_IMM64; undefined for maps that have no such thing. */
  directValue(_offset: number): { lo: number; hi: number } | undefined {
    return undefined
  }
  /** CPUs that have a value of their own: 1 for shared values. */
  get cpus(): number {
    return 1
  }
  /** Bytes from the value of one CPU to that of the next. */
  get cpuStride(): number {
    return (this.def.valueSize + 7) & ~7
  }

  // ---- for JavaScript ----

  private keyIn(key: Uint8Array): number {
    if (key.length !== this.def.keySize) {
      throw new RangeError(`a key of map ${this.def.name} has ${this.def.keySize} bytes, not ${key.length}`)
    }
    this.engine.mem.bytes.set(key, AT.scratch)
    return AT.scratch
  }

  /** The value of a key (of one CPU); undefined if there is none. @throws RangeError for a key of the wrong length. */
  get(key: Uint8Array, cpu = 0): Uint8Array | undefined {
    const at = this.lookup(this.keyIn(key), cpu)
    return at === 0 ? undefined : this.engine.mem.bytes.slice(at, at + this.def.valueSize)
  }

  /** Sets a value, on all CPUs for per-CPU maps; 0 or a negative errno. @throws RangeError for wrong lengths. */
  set(key: Uint8Array, value: Uint8Array, flags: number = UPDATE.any): number {
    if (value.length !== this.def.valueSize) {
      throw new RangeError(`a value of map ${this.def.name} has ${this.def.valueSize} bytes, not ${value.length}`)
    }
    const keyAt = this.keyIn(key)
    const valueAt = this.engine.valueBuffer(value)
    const result = this.update(keyAt, valueAt, flags)
    if (result !== 0 || this.cpus === 1) return result
    const at = this.lookup(keyAt, 0)
    for (let cpu = 0; cpu < this.cpus; cpu++) this.engine.mem.bytes.set(value, at + cpu * this.cpuStride)
    return result
  }

  /** Puts in what the definition says the map holds at first. @throws RangeError for what does not fit. */
  fill(): void {
    for (const [key, value] of this.def.entries ?? []) {
      const result = this.set(key, value)
      if (result !== 0) throw new RangeError(`map ${this.def.name}: an element cannot be set (${result})`)
    }
  }

  /** Removes a key; 0 or a negative errno. */
  remove(key: Uint8Array): number {
    return this.delete(this.keyIn(key))
  }

  /** Copies of all keys and values (of one CPU). */
  entries(cpu = 0): [key: Uint8Array, value: Uint8Array][] {
    const { bytes } = this.engine.mem
    const all: [Uint8Array, Uint8Array][] = []
    this.each((keyAt, valueAt) => {
      const at = valueAt + cpu * this.cpuStride
      all.push([bytes.slice(keyAt, keyAt + this.def.keySize), bytes.slice(at, at + this.def.valueSize)])
    })
    return all
  }

  toJSON(): MapJson {
    const { bytes } = this.engine.mem
    const entries: [string, string | string[]][] = []
    for (const [keyAt, valueAt] of this.inOrder()) {
      const key = hexOf(bytes, keyAt, this.def.keySize)
      const values = Array.from({ length: this.cpus }, (_, cpu) =>
        hexOf(bytes, valueAt + cpu * this.cpuStride, this.def.valueSize),
      )
      entries.push([key, this.cpus > 1 ? values : values[0]!])
    }
    return { name: this.def.name, type: this.def.type, entries }
  }

  /** The same in the order in which setting them makes the same map again. */
  protected inOrder(): Iterable<Element> {
    return this.elements()
  }

  /**
   * Replaces the contents by those of a JSON map, whose name may be another. One value for a per-CPU map is that of all CPUs.
   * @throws RangeError for what does not fit; what came before it is in the map then.
   */
  load(json: MapJson): void {
    const { name, type } = this.def
    if (json.type !== type) throw new RangeError(`map ${name}: it is a ${type}, not a ${json.type}`)
    this.clear()
    for (const [key, value] of json.entries) this.loadEntry(bytesOf(key), typeof value === 'string' ? [value] : value)
  }

  private loadEntry(key: Uint8Array, values: readonly string[]): void {
    const { name, valueSize } = this.def
    if (values.length !== 1 && values.length !== this.cpus)
      throw new RangeError(`map ${name}: values of ${values.length} CPUs, where there are ${this.cpus}`)
    const all = values.map(bytesOf)
    const wrong = all.find(({ length }) => length !== valueSize)
    if (wrong) throw new RangeError(`a value of map ${name} has ${valueSize} bytes, not ${wrong.length}`)
    const result = this.set(key, all[0]!)
    if (result !== 0) throw new RangeError(`map ${name}: key ${hexOf(key, 0, key.length)} cannot be set (${result})`)
    if (all.length === 1) return
    const at = this.lookup(this.keyIn(key), 0)
    for (const [cpu, one] of all.entries()) this.engine.mem.bytes.set(one, at + cpu * this.cpuStride)
  }

  /** Keeps a stretch of memory. */
  protected saveBytes(from: number, length: number): () => void {
    const copy = this.engine.mem.bytes.slice(from, from + length)
    return () => this.engine.mem.bytes.set(copy, from)
  }

  protected addValueRegion(from: number, to: number, stride: number): void {
    const readOnly = ((this.def.flags ?? 0) & 0x80) !== 0
    const size = this.def.valueSize
    const whole = to - from === size
    const gaps = whole ? {} : { stride, size }
    const region = this.engine.mem.addRegion({ name: this.def.name, from, to, write: !readOnly, ...gaps })
    if (region === undefined) throw new RangeError(`more than ${REGION.count - REGION.first} maps`)
    this.region = region
  }
}

export function hexOf(bytes: Uint8Array, at: number, length: number): string {
  let text = ''
  for (let i = at; i < at + length; i++) text += bytes[i]!.toString(16).padStart(2, '0')
  return text
}

/** @throws RangeError for what is not an even number of hexadecimal digits. */
export function bytesOf(hex: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new RangeError(`${hex} is not hexadecimal`)
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16))
}
