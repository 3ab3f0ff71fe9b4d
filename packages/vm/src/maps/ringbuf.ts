// The ring buffer: records that a program reserves, fills and submits. Submitted ones go to the run's outputs.

import type { MapDef } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { BpfMap, type Element, ERRNO } from './map.ts'

const HEADER = 8

/** No bits of 32: lengths are up to 2^31. */
const roomOf = (length: number): number => Math.ceil((length + HEADER) / 8) * 8

interface Reserved {
  readonly region: number
  readonly length: number
}

export class RingBuffer extends BpfMap {
  private readonly at: number
  /** Records reserved now, by address. All are gone at the end of a run, as nothing is kept for a reader. */
  private readonly reserved = new Map<number, Reserved>()
  private readonly regions: number[] = []
  private top = 0

  constructor(engine: Engine, def: MapDef, index: number) {
    super(engine, def, index)
    this.at = engine.mem.alloc(def.maxEntries)
  }

  /** Address of a record's bytes, 0 if they do not fit. */
  reserve(length: number): { lo: number; hi: number } {
    const whole = roomOf(length)
    const none = { lo: 0, hi: 0 }
    if (this.reserved.size === 0) this.top = 0
    // The kernel's buffer is never quite full.
    if (length < 0 || this.top + whole >= this.def.maxEntries) return none
    const from = this.at + this.top + HEADER
    const spec = { name: `a record of ${this.def.name}`, from, to: from + length, write: true }
    const region = this.regions.pop() ?? this.engine.mem.addRegion(spec)
    if (region === undefined) return none
    this.engine.mem.setRegion(region, spec)
    this.engine.mem.bytes.fill(0, from, from + length)
    this.reserved.set(from, { region, length })
    this.top += whole
    return { lo: from, hi: region }
  }

  /** Ends a record; false if there is none at the address. */
  release(lo: number, hi: number, submit: boolean): boolean {
    const record = this.reserved.get(lo)
    if (!record || record.region !== hi) return false
    if (submit) this.send(lo, record.length)
    this.drop(lo, record)
    return true
  }

  private drop(lo: number, record: Reserved): void {
    this.engine.mem.clearRegion(record.region)
    this.regions.push(record.region)
    this.reserved.delete(lo)
  }

  /** A record of bytes that lie elsewhere. */
  output(at: number, length: number): number | undefined {
    const held = this.reserved.size === 0 ? 0 : this.top
    return held + roomOf(length) >= this.def.maxEntries ? ERRNO.EAGAIN : this.send(at, length)
  }

  private send(at: number, length: number): number | undefined {
    const { engine, def } = this
    const event = () => ({ kind: 'event', map: def.name, data: engine.mem.bytes.slice(at, at + length) }) as const
    return engine.send(event, length) ? 0 : undefined
  }

  lookup(): number {
    return 0
  }
  update(): number {
    return ERRNO.ENOTSUPP
  }
  delete(): number {
    return ERRNO.ENOTSUPP
  }
  *elements(): Generator<Element> {}
  clear(): void {
    for (const [lo, record] of [...this.reserved]) this.drop(lo, record)
  }

  /** Nothing lasts beyond a run. */
  save(): () => void {
    return () => this.clear()
  }
}
