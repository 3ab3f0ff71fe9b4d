// Hash tables in linear memory: chained buckets over entries that never move, so that pointers to values stay good.
//
//   entry   next (index + 1) | hash | newer | older | key, padded to 8 | value of each CPU, padded to 8
//
// `newer` and `older` chain the entries by use: the least recently used one makes room in an LRU map. The kernel's LRU is
// per CPU and approximate; which entry it drops is not promised, and ours differs there.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { BpfMap, ERRNO, UPDATE } from './map.ts'

const HEAD = 16
/** What compiled lookups must do alike. */
export const HASH = { word: 0x9e3779b1, last: 0xc2b2ae35, hashAt: 4, keyAt: HEAD } as const

export class HashMap extends BpfMap {
  private readonly buckets: number
  private readonly mask: number
  private readonly entriesAt: number
  private readonly stride: number
  private readonly valueOffset: number
  private readonly lru: boolean
  private readonly wordsOfKey: number
  private readonly limit: number
  /** Entries ever used, those given back, and how many are in use. */
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
    this.lru = def.type === 'lru_hash' || def.type === 'lru_percpu_hash'
    const keyBytes = (def.keySize + 7) & ~7
    this.wordsOfKey = def.keySize >> 2
    this.valueOffset = HEAD + keyBytes
    this.stride = HEAD + keyBytes + this.cpuStride * this.cpus + ((extra + 7) & ~7)
    let buckets = 1
    while (buckets < limit && buckets < 1 << 22) buckets *= 2
    this.mask = buckets - 1
    this.buckets = engine.mem.alloc(buckets * 4)
    this.entriesAt = engine.mem.alloc(this.stride * limit)
    this.addEntryRegion()
  }

  /** Where everything is, for compiled lookups. */
  get layout(): { buckets: number; mask: number; entriesAt: number; stride: number; valueOffset: number } {
    const { buckets, mask, entriesAt, stride, valueOffset } = this
    return { buckets, mask, entriesAt, stride, valueOffset }
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
    for (let i = 0; i < this.wordsOfKey; i++) {
      h = Math.imul(h ^ view.getInt32(at + i * 4, true), HASH.word)
      h ^= h >>> 15
    }
    for (let i = this.wordsOfKey * 4; i < this.def.keySize; i++) h = Math.imul(h ^ bytes[at + i]!, 0x85ebca6b)
    h ^= h >>> 13
    return Math.imul(h, HASH.last) ^ (h >>> 16)
  }

  private same(a: number, b: number): boolean {
    const { bytes } = this.engine.mem
    for (let i = 0; i < this.def.keySize; i++) if (bytes[a + i] !== bytes[b + i]) return false
    return true
  }

  /** The entry's address, or 0. */
  private find(keyAt: number, hash: number): number {
    const { words } = this.engine.mem
    let entry = words[(this.buckets >> 2) + (hash & this.mask)]!
    while (entry !== 0) {
      const at = this.entriesAt + (entry - 1) * this.stride
      if (words[(at >> 2) + 1] === hash && this.same(at + HEAD, keyAt)) return at
      entry = words[at >> 2]!
    }
    return 0
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
    if (at === 0 && flags === UPDATE.exist) return ERRNO.ENOENT
    if (at === 0) {
      if (this.count >= this.limit && !this.makeRoom()) return ERRNO.E2BIG
      at = this.insert(keyAt, hash)
    }
    if (this.lru) this.touch(at)
    const offset = this.cpus > 1 ? this.engine.options.cpu * this.cpuStride : 0
    this.engine.mem.bytes.copyWithin(at + this.valueOffset + offset, valueAt, valueAt + this.def.valueSize)
    return 0
  }

  private makeRoom(): boolean {
    if (!this.lru || this.oldest === 0) return false
    this.unlink(this.oldest)
    return true
  }

  private insert(keyAt: number, hash: number): number {
    const { bytes, words } = this.engine.mem
    const entry = this.free.pop() ?? ++this.fresh
    const at = this.entriesAt + (entry - 1) * this.stride
    const bucket = (this.buckets >> 2) + (hash & this.mask)
    bytes.fill(0, at + HEAD, at + this.stride)
    bytes.copyWithin(at + HEAD, keyAt, keyAt + this.def.keySize)
    words[at >> 2] = words[bucket]!
    words[(at >> 2) + 1] = hash
    words[bucket] = entry
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
    const entry = (at - this.entriesAt) / this.stride + 1
    let place = (this.buckets >> 2) + (words[(at >> 2) + 1]! & this.mask)
    while (words[place] !== entry) place = (this.entriesAt + (words[place]! - 1) * this.stride) >> 2
    words[place] = words[at >> 2]!
    this.free.push(entry)
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

  each(visit: (keyAt: number, valueAt: number) => void): void {
    const found: number[] = []
    for (let bucket = 0; bucket <= this.mask; bucket++) {
      let entry = this.engine.mem.words[(this.buckets >> 2) + bucket]!
      while (entry !== 0) {
        const at = this.entriesAt + (entry - 1) * this.stride
        found.push(at)
        entry = this.engine.mem.words[at >> 2]!
      }
    }
    for (const at of found) visit(at + HEAD, at + this.valueOffset)
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
    return this.def.type === 'hash_of_maps' ? this.engine.mem.view.getInt32(valueAt, true) : undefined
  }
}
