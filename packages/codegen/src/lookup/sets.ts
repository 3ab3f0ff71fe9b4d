// Lookups in sets and maps as code. How a set is looked into follows from its keys and its size:
//
//   one component, few elements         comparisons, by halves
//   one component                       a table of all values (up to 16 bits), else a search among the starts of pieces
//   points only, many or several        a hash table
//   components with ranges              bit vectors

import { HELPERS, type Label, type MapEntry } from '@netsieve/asm'
import { type ElementData, type SetDef, type Term, verdictKey } from '@netsieve/ir'
import { type Emitter, R } from '../emitter.ts'
import { SLOT } from '../path.ts'
import type { Failures, Scope } from '../scope.ts'
import { constant, number } from '../terms.ts'
import { type Classifier, classifier, classify } from './classify.ts'
import { forgetNumber, type KeyPart, loadNumber, loadWords, wordsOf } from './key.ts'
import type { Maps } from './maps.ts'
import { cutDisjoint, type Pieces } from './pieces.ts'
import { MOST_COMPONENTS, scan } from './scan.ts'
import { type Vectors, vectors } from './vectors.ts'

/** Up to this many pieces are told apart by comparisons in the code. */
const FEW = 16
/** Above this many points of more than 16 bits, a hash table takes less time than a search. */
const MANY_POINTS = 256

type Plan =
  | { readonly kind: 'compare'; readonly pieces: Pieces }
  | { readonly kind: 'classes'; readonly how: Classifier }
  | { readonly kind: 'hash'; readonly map: number }
  | { readonly kind: 'vectors'; readonly vectors: Vectors }

/** A set made ready: what its elements hold, each once, and which of it each element has. */
interface Ready {
  readonly data: readonly ElementData[]
  readonly plan: Plan
  /** By element, for bit vectors. */
  readonly dataOf: readonly number[]
  /** What the catch-all holds, by number. */
  readonly otherwise: number | undefined
}

function ready(maps: Maps, set: SetDef): Ready {
  return maps.once(set, () => {
    const numbers = new Map<string, number>()
    const data: ElementData[] = []
    const numberOf = (held: ElementData): number => {
      const key = held.verdict ? verdictKey(held.verdict) : String(held.value)
      const known = numbers.get(key)
      if (known !== undefined) return known
      numbers.set(key, data.length)
      return data.push(held) - 1
    }
    const dataOf = set.elements.map(numberOf)
    const otherwise = set.catchAll && numberOf(set.catchAll)
    return { data, dataOf, otherwise, plan: planOf(maps, set, dataOf) }
  })
}

function planOf(maps: Maps, set: SetDef, dataOf: readonly number[]): Plan {
  const { keys, elements } = set
  const [first] = keys
  const points = elements.every(({ key }) => key.every(({ lo, hi }) => lo === hi))
  if (keys.length === 1) {
    const { bits } = first!
    if (points && bits > 16 && elements.length > MANY_POINTS) return { kind: 'hash', map: hashTable(maps, set, dataOf) }
    const pieces = cutDisjoint(bits, elements.map(({ key }) => key[0]!), dataOf) // biome-ignore format: one call
    if (pieces.starts.length <= FEW && bits <= 63) return { kind: 'compare', pieces }
    return { kind: 'classes', how: classifier(maps, pieces) }
  }
  if (points || keys.length > MOST_COMPONENTS) return { kind: 'hash', map: hashTable(maps, set, dataOf) }
  const bits = keys.map((each) => each.bits)
  const columns = keys.map((_, i) => elements.map(({ key }) => [key[i]!]))
  return { kind: 'vectors', vectors: vectors(maps, bits, columns, elements.length) }
}

/** Values are the number of what an element holds plus 1. */
function hashTable(maps: Maps, { name, keys, elements }: SetDef, dataOf: readonly number[]): number {
  const words = keys.map(({ bits }) => Math.ceil(bits / 32))
  const keySize = 4 * words.reduce((sum, count) => sum + count, 0)
  const seen = new Set<string>()
  const entries: MapEntry[] = []
  for (const [i, { key }] of elements.entries()) {
    const bytes = new Uint8Array(keySize)
    const view = new DataView(bytes.buffer)
    let at = 0
    for (const [k, { lo }] of key.entries())
      for (let word = 0; word < words[k]!; word++, at += 4)
        view.setUint32(at, Number((lo >> BigInt(32 * word)) & 0xffffffffn), true)
    // The first element of a key counts.
    const text = String.fromCharCode(...bytes)
    if (seen.has(text)) continue
    seen.add(text)
    entries.push([bytes, new Uint8Array(Uint32Array.of(dataOf[i]! + 1).buffer)])
  }
  return maps.add({
    name: maps.nameFor(name),
    type: 'hash',
    keySize,
    valueSize: 4,
    maxEntries: Math.max(1, entries.length),
    entries,
  })
}

/** What a lookup is compiled in: where the number of what was found is known by place. */
interface Ways {
  /** By number of what an element holds. */
  readonly found: (datum: number) => Label
  readonly none: Label
  readonly failures: Failures
}

function lookUp(scope: Scope, set: SetDef, terms: readonly Term[], { found, none, failures }: Ways): void {
  const { e, maps } = scope
  const { plan, dataOf, data } = ready(maps, set)
  const parts = terms.map((term, i): KeyPart => ({ term, bits: set.keys[i]!.bits }))
  switch (plan.kind) {
    case 'compare':
      number(scope, terms[0]!, failures)
      return compareTree(e, plan.pieces, (held) => (held === 0 ? none : found(held - 1)))
    case 'classes':
      loadNumber(scope, parts[0]!, failures)
      classify(e, plan.how)
      return byNumber(e, data.length, found, none)
    case 'hash':
      hashLookup(scope, plan.map, parts, none, failures)
      if (data.length === 1) return e.goto(found(0))
      e.put((c) => c.load(4, R.A, R.RET, 0))
      return byNumber(e, data.length, found, none)
    case 'vectors':
      return scan(scope, plan.vectors, parts, failures, (box) => e.goto(found(dataOf[box]!)), none)
  }
}

function hashLookup(scope: Scope, map: number, parts: readonly KeyPart[], none: Label, failures: Failures): void {
  storeKey(scope, parts, failures)
  if (scope.e.reachable) lookUpKey(scope, map, none)
}

/** Puts a key on the stack. */
export function storeKey(scope: Scope, parts: readonly KeyPart[], failures: Failures): void {
  let at: number = SLOT.key
  for (const part of parts) {
    loadWords(scope, part, at, failures)
    at += 4 * wordsOf(part)
  }
}

/** R.RET = where a hash table holds what it has for the key on the stack. */
export function lookUpKey({ e, access }: Scope, map: number, none: Label): void {
  e.put((c) => {
    c.map(R.A, map)
    c.mov(2, { reg: R.FP })
    c.alu('add', 2, SLOT.key)
  })
  access.call(e, HELPERS.map_lookup_elem.id)
  e.jump('jeq', R.RET, 0, none)
}

/** Goes by the number in R.A: 0 is nothing, others are what is found plus 1. */
function byNumber(e: Emitter, count: number, found: (datum: number) => Label, none: Label): void {
  const numbers = Array.from({ length: count + 1 }, (_, i) => i)
  compareTree(e, { bits: 32, starts: numbers, classes: numbers }, (held) => (held === 0 ? none : found(held - 1)))
}

/** Goes by the piece that holds the number in R.A: as many comparisons as the number of pieces has bits. */
export function compareTree(e: Emitter, { starts, classes }: Pieces, to: (held: number) => Label): void {
  const among = (from: number, end: number): void => {
    const first = classes[from]!
    if (end - from === 1) return e.goto(to(first))
    const [point, after] = [starts[from + 1]!, starts[from + 2]]
    // A single value in something else is one comparison.
    if (end - from === 3 && classes[from + 2] === first && BigInt(after!) === BigInt(point) + 1n) {
      compareTo(e, 'jeq', BigInt(point), to(classes[from + 1]!))
      return e.goto(to(first))
    }
    const middle = (from + end) >> 1
    const above = e.label('above')
    compareTo(e, 'jge', BigInt(starts[middle]!), above)
    among(from, middle)
    e.bind(above)
    among(middle, end)
  }
  among(0, starts.length)
}

function compareTo(e: Emitter, how: 'jeq' | 'jge', value: bigint, target: Label): void {
  if (value <= 0x7fffffffn) return e.jump(how, R.A, Number(value), target)
  constant(e, R.B, value)
  e.jump(how, R.A, { reg: R.B }, target)
}

/** A set holds the key: to `yes`, or to `no`. */
export function inSet(
  scope: Scope,
  set: SetDef,
  terms: readonly Term[],
  yes: Label,
  no: Label,
  failures: Failures,
): void {
  lookUp(scope, set, terms, { found: () => yes, none: set.catchAll ? yes : no, failures })
}

/** R.A = what a map of numbers holds; missing where it holds nothing. */
export function mapped(scope: Scope, set: SetDef, terms: readonly Term[], failures: Failures): void {
  const { e } = scope
  const { data, otherwise } = ready(scope.maps, set)
  const done = e.label('mapped')
  const labels = data.map(() => e.label('value'))
  const none = otherwise === undefined ? failures.missing : labels[otherwise]!
  lookUp(scope, set, terms, { found: (datum) => labels[datum]!, none, failures })
  for (const [i, { value = 0n }] of data.entries()) {
    e.bind(labels[i]!)
    if (!e.reachable) continue
    constant(e, R.A, value)
    e.goto(done)
  }
  e.bind(done)
  if (data.length > 1 && data.every(({ value = 0n }) => value <= 0xffffffffn)) forgetNumber(e)
}

/** What a verdict map holds: `come` emits what is to be done with each of its verdicts. */
export function verdictMap(
  scope: Scope,
  set: SetDef,
  terms: readonly Term[],
  {
    come,
    none,
    failures,
  }: { readonly come: (data: ElementData) => void; readonly none: Label; readonly failures: Failures },
): void {
  const { e } = scope
  const { data, otherwise } = ready(scope.maps, set)
  const labels = data.map(() => e.label('verdict'))
  const last = otherwise === undefined ? none : labels[otherwise]!
  lookUp(scope, set, terms, { found: (datum) => labels[datum]!, none: last, failures })
  for (const [i, held] of data.entries()) {
    e.bind(labels[i]!)
    if (e.reachable) come(held)
  }
}
