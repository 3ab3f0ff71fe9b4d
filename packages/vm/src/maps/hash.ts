// Hash tables in linear memory: chained buckets over entries that never move, so that pointers to values stay good.
//
//   entry   next (address) | hash | newer | older | key, padded to 8 | value of each CPU, padded to 8
//
// `newer` and `older` chain the entries by use: the least recently used one makes room in an LRU map. The kernel's LRU is
// per CPU and approximate; which entry it drops is not promised, and ours differs there.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { BpfMap, type Element, ERRNO, UPDATE } from './map.ts'

const HEAD = 16
/** Where things are in an entry. */
export const ENTRY = { next: 0, hash: 4, key: HEAD } as const

/**
 * The hash of a key. Each word of 4 bytes is folded, `w ^ (w >>> fold)`, and multiplied by a number of its own, so that none waits for
 * another; each byte that is left over goes through the sum. Then the sum is mixed: h ^= h >>> shift, h *= factor, for each row of `mix`;
 * h ^= h >>> last. Compiled lookups do the same.
 */
export const HASH = {
  fold: 16,
  multiplier: (word: number): number => (Math.imul(2 * word + 1, 0x9e3779b1) ^ 0x5bd1e994) | 1,
  byte: 0x85ebca6b,
  mix: [
    { shift: 15, factor: 0x85ebca6b | 0 },
    { shift: 13, factor: 0xc2b2ae35 | 0 },
  ],
  last: 16,
} as const

export class HashMap extends BpfMap {
  private readonly buckets: number
  private readonly mask: number
  private readonly entriesAt: number
  private readonly stride: number
  private readonly valueOffset: number
  private readonly lru: boolean
  private readonly devices: boolean
  /** One for each whole word of a key. */
  private readonly multipliers: Int32Array
  private readonly limit: number
  /** How many entries were ever used, the addresses of those given back, and how many are in use. */
  private fresh = 0
  private free: number[] = []
  private newest = 0
  private oldest = 0
  count = 0

  /** `extra`: bytes of each entry after its values, for those who build on this. */
  constructor(engine: Engine, def: MapDef, index: number, extra = 0) {
    super(engine, def, index)
    const limit = def.maxEntries
    this.limit = limit
    this.devices = def.type === 'devmap_hash'
    this.lru = def.type === 'lru_hash' || def.type === 'lru_percpu_hash'
    const keyBytes = (def.keySize + 7) & ~7
    this.multipliers = Int32Array.from({ length: def.keySize >> 2 }, (_, word) => HASH.multiplier(word))
    this.valueOffset = HEAD + keyBytes
    this.stride = HEAD + keyBytes + this.cpuStride * this.cpus + ((extra + 7) & ~7)
    let buckets = 1
    // Twice as many as entries: most chains then have one.
    while (buckets < limit * 2 && buckets < 1 << 22) buckets *= 2
    this.mask = buckets - 1
    this.buckets = engine.mem.alloc(buckets * 4)
    this.entriesAt = engine.mem.alloc(this.stride * limit)
    this.addEntryRegion()
  }

  /** Where everything is, for compiled lookups. */
  get layout(): { buckets: number; mask: number; valueOffset: number } {
    const { buckets, mask, valueOffset, cpuStride } = this
    return { buckets, mask, valueOffset: valueOffset + (this.cpus > 1 ? this.engine.options.cpu * cpuStride : 0) }
  }

  /** Values lie `stride` apart; per-CPU ones of an entry follow each other, so the element is the row of all CPUs. */
  private addEntryRegion(): void {
    const { mem } = this.engine
    const write = ((this.def.flags ?? 0) & 0x80) === 0
    const from = this.entriesAt + this.valueOffset
    const to = this.entriesAt + this.stride * this.limit
    const size = this.cpuStride * (this.cpus - 1) + this.def.valueSize
    const region = mem.addRegion({ name: this.def.name, from, to, write, stride: this.stride, size })
    if (region === undefined) throw new RangeError('too many maps')
    this.region = region
  }

  override get cpus(): number {
    return this.def.type === 'percpu_hash' || this.def.type === 'lru_percpu_hash' ? this.engine.options.cpus : 1
  }

  private hash(at: number): number {
    const { view, bytes } = this.engine.mem
    let h = this.def.keySize
    for (let i = 0; i < this.multipliers.length; i++) {
      const word = view.getInt32(at + i * 4, true)
      h += Math.imul(word ^ (word >>> HASH.fold), this.multipliers[i]!)
    }
    for (let i = this.multipliers.length * 4; i < this.def.keySize; i++) h = Math.imul(h ^ bytes[at + i]!, HASH.byte)
    h |= 0
    for (const { shift, factor } of HASH.mix) h = Math.imul(h ^ (h >>> shift), factor)
    return h ^ (h >>> HASH.last)
  }

  private same(a: number, b: number): boolean {
    const { bytes } = this.engine.mem
    for (let i = 0; i < this.def.keySize; i++) if (bytes[a + i] !== bytes[b + i]) return false
    return true
  }

  /** The entry's address, or 0. */
  private find(keyAt: number, hash: number): number {
    const { words } = this.engine.mem
    let at = words[(this.buckets >> 2) + (hash & this.mask)]!
    while (at !== 0 && !(words[(at + ENTRY.hash) >> 2] === hash && this.same(at + HEAD, keyAt))) at = words[at >> 2]!
    return at
  }

  lookup(keyAt: number, cpu = this.engine.options.cpu): number {
    const at = this.find(keyAt, this.hash(keyAt))
    if (at === 0) return 0
    if (this.lru) this.touch(at)
    return at + this.valueOffset + (this.cpus > 1 ? cpu * this.cpuStride : 0)
  }

  update(keyAt: number, valueAt: number, flags: number): number {
    if (flags > UPDATE.exist) return ERRNO.EINVAL
    const hash = this.hash(keyAt)
    let at = this.find(keyAt, hash)
    if (at !== 0 && flags === UPDATE.noexist) return ERRNO.EEXIST
    // Linux takes a device that is not there for a new one whatever the flags.
    if (at === 0 && flags === UPDATE.exist && !this.devices) return ERRNO.ENOENT
    if (!this.stands(valueAt)) return ERRNO.EINVAL
    if (at === 0) {
      if (this.count >= this.limit && !this.makeRoom()) return ERRNO.E2BIG
      at = this.insert(keyAt, hash)
    }
    if (this.lru) this.touch(at)
    const offset = this.cpus > 1 ? this.engine.options.cpu * this.cpuStride : 0
    this.copy(at + this.valueOffset + offset, valueAt, this.def.valueSize)
    return 0
  }

  /** Whether a value stands for something, where values do: for a device, or a map. */
  private stands(valueAt: number): boolean {
    if (!this.devices && !this.holdsMaps) return true
    const value = this.engine.mem.view.getInt32(valueAt, true)
    return this.devices ? value !== 0 : this.takesMap(value)
  }

  private copy(to: number, from: number, length: number): void {
    const { bytes } = this.engine.mem
    // Few bytes are copied sooner than copyWithin is called.
    if (length > 64) bytes.copyWithin(to, from, from + length)
    else for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i]!
  }

  private makeRoom(): boolean {
    if (!this.lru || this.oldest === 0) return false
    this.unlink(this.oldest)
    return true
  }

  private insert(keyAt: number, hash: number): number {
    const { words } = this.engine.mem
    const at = this.free.pop() ?? this.entriesAt + this.fresh++ * this.stride
    const bucket = (this.buckets >> 2) + (hash & this.mask)
    for (let i = (at + HEAD) >> 2; i < (at + this.stride) >> 2; i++) words[i] = 0
    this.copy(at + HEAD, keyAt, this.def.keySize)
    words[at >> 2] = words[bucket]!
    words[(at >> 2) + 1] = hash
    words[bucket] = at
    this.count++
    if (this.lru) this.link(at)
    return at
  }

  delete(keyAt: number): number {
    const at = this.find(keyAt, this.hash(keyAt))
    if (at === 0) return ERRNO.ENOENT
    this.unlink(at)
    return 0
  }

  private unlink(at: number): void {
    const { words } = this.engine.mem
    let place = (this.buckets >> 2) + (words[(at + ENTRY.hash) >> 2]! & this.mask)
    while (words[place] !== at) place = words[place]! >> 2
    words[place] = words[at >> 2]!
    this.free.push(at)
    this.count--
    if (this.lru) this.detach(at)
  }

  // ---- order of use ----

  private link(at: number): void {
    const { words } = this.engine.mem
    words[(at >> 2) + 2] = 0
    words[(at >> 2) + 3] = this.newest
    if (this.newest !== 0) words[(this.newest >> 2) + 2] = at
    else this.oldest = at
    this.newest = at
  }

  private detach(at: number): void {
    const { words } = this.engine.mem
    const newer = words[(at >> 2) + 2]!
    const older = words[(at >> 2) + 3]!
    if (newer !== 0) words[(newer >> 2) + 3] = older
    else this.newest = older
    if (older !== 0) words[(older >> 2) + 2] = newer
    else this.oldest = newer
  }

  private touch(at: number): void {
    if (this.newest === at) return
    this.detach(at)
    this.link(at)
  }

  *elements(): Generator<Element> {
    for (let bucket = 0; bucket <= this.mask; bucket++) {
      const { words } = this.engine.mem
      const first = words[(this.buckets >> 2) + bucket]!
      if (first === 0) continue
      // What is looked at may leave its chain.
      const chain: number[] = []
      for (let at = first; at !== 0; at = words[at >> 2]!) chain.push(at)
      for (const at of chain) yield [at + HEAD, at + this.valueOffset]
    }
  }

  /** The least recently used first. */
  protected override inOrder(): Iterable<Element> {
    return this.lru ? this.byUse() : this.elements()
  }

  private *byUse(): Generator<Element> {
    for (let at = this.oldest; at !== 0; at = this.engine.mem.words[(at >> 2) + 2]!)
      yield [at + HEAD, at + this.valueOffset]
  }

  override get elementsBytes(): number {
    return (this.mask + 1) * 4
  }

  clear(): void {
    this.engine.mem.words.fill(0, this.buckets >> 2, (this.buckets >> 2) + this.mask + 1)
    this.fresh = 0
    this.free = []
    this.count = 0
    this.newest = 0
    this.oldest = 0
  }

  save(): () => void {
    const buckets = this.saveBytes(this.buckets, (this.mask + 1) * 4)
    const entries = this.saveBytes(this.entriesAt, this.fresh * this.stride)
    const { fresh, free, count, newest, oldest } = this
    const freeCopy = free.slice()
    return () => {
      buckets()
      entries()
      Object.assign(this, { fresh, count, newest, oldest })
      this.free = freeCopy.slice()
    }
  }

  /** Hash of maps: the value is a map's index in the machine. */
  override innerOf(valueAt: number): number | undefined {
    return this.holdsMaps ? this.engine.mem.view.getInt32(valueAt, true) : undefined
  }
}
