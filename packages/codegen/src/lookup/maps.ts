// The maps of a program under construction: one array map whose only value holds all tables, reached by pointers without a call, and
// hash tables. What was made for a set or a list is made once, however many ways through the program look things up in it.

import { MAP_FLAGS, type MapDef } from '@netsieve/asm'

/** A place in the value of the map that holds the tables. */
export interface Table {
  readonly map: number
  readonly offset: number
}

const FIRST_KEY = new Uint8Array(4)
const TABLES = 'tables'
/** BPF_OBJ_NAME_LEN, less the end's zero. */
const LONGEST_NAME = 15

export class Maps {
  private readonly defs: (MapDef | 'tables' | 'reserved')[] = []
  private readonly parts: Uint8Array[] = []
  private tables: number | undefined
  private size = 0
  private named = 0
  private readonly names = new Set([TABLES])
  /** By what names are made of: the last number that one has behind it. */
  private readonly numbers = new Map<string, number>()
  private readonly made = new Map<unknown, unknown>()

  /** What `make` gave when this owner was asked for first. */
  once<T>(owner: unknown, make: () => T): T {
    if (!this.made.has(owner)) this.made.set(owner, make())
    return this.made.get(owner) as T
  }

  /** A number not given before. */
  next(): number {
    return this.named++
  }

  /** Puts bytes beside the other tables, at a multiple of 8. */
  table(bytes: Uint8Array): Table {
    if (this.tables === undefined) this.tables = this.defs.push('tables') - 1
    const offset = this.size
    const length = (bytes.length + 7) & ~7
    this.parts.push(bytes)
    this.size += length
    return { map: this.tables, offset }
  }

  /** A map of any kind; its number. */
  add(def: MapDef): number {
    this.names.add(def.name)
    return this.defs.push(def) - 1
  }

  /** The number of a map that is filled in later. */
  reserve(): number {
    return this.defs.push('reserved') - 1
  }

  fill(map: number, def: MapDef): void {
    this.names.add(def.name)
    this.defs[map] = def
  }

  /** A name that the kernel takes for a map, after the last part of another one, and that no map has. */
  nameFor(text: string): string {
    const plain = text.replace(/^.*\//, '').replace(/\W/g, '_').slice(0, LONGEST_NAME)
    let name = plain || 'set'
    for (let i = (this.numbers.get(plain) ?? 1) + 1; this.names.has(name); i++) {
      name = `${plain.slice(0, LONGEST_NAME - String(i).length - 1)}_${i}`
      this.numbers.set(plain, i)
    }
    return name
  }

  finish(): MapDef[] {
    return this.defs.map((def) => {
      if (def === 'reserved') throw new Error('a map was reserved and not filled in')
      return def === 'tables' ? this.joined() : def
    })
  }

  private joined(): MapDef {
    const value = new Uint8Array(this.size)
    let at = 0
    for (const part of this.parts) {
      value.set(part, at)
      at += (part.length + 7) & ~7
    }
    return {
      name: TABLES,
      type: 'array',
      keySize: 4,
      valueSize: this.size,
      maxEntries: 1,
      flags: MAP_FLAGS.rdonly_prog,
      entries: [[FIRST_KEY, value]],
      frozen: true,
    }
  }
}
