// Sets of several fields, and verdict maps, as sets of the IR: named ones once, those of a rule under a name of their own.

import type { Diagnostics, Span } from '@netsieve/diag'
import type { Element, ElementData, Range, SetDef, Term } from '@netsieve/ir'
import type { ValueKind } from '@netsieve/packet'
import { nearest, type Word } from '../shared/index.ts'
import type { NamedSet, Selector, Step, Table, Value } from './ast.ts'
import { isNumber } from './numbers.ts'
import { isRaw } from './raw.ts'
import { type Kind, readRange, readValue } from './typed.ts'
import { HEADERS, TITLES, TYPE_BITS } from './words.ts'

/** Where lookups find their sets, and leave what they make of them. */
export interface Lookups {
  readonly table: Table
  readonly made: Map<string, SetDef>
  readonly nameOf: (name: string) => string
  readonly diagnostics: Diagnostics
}

/** One field of what is looked up. */
export interface Component {
  readonly term: Term
  readonly kind: Kind
  readonly written: ValueKind
  /** What a range of values is among those of the term; none where it has no such values. */
  readonly scale?: (range: Range) => Range | undefined
}

/** What the elements of a set are wanted to hold: nothing, verdicts, or numbers of a type. */
export type Held = 'nothing' | 'verdict' | Kind

/** The name of a component's type: as it is declared, or that of the field that `typeof` names. */
export function typeName(type: Word | Selector): string {
  if ('text' in type) return type.text
  const known = HEADERS[type.header.text]?.[type.field.text]?.type
  return known ?? (isNumber(type) || isRaw(type) ? 'integer' : '')
}

/** What a set's elements have for one component. */
export function partOf(value: Value, index: number): Value {
  if (value.kind !== 'set') return value
  const elements = value.elements.flatMap((element) => {
    const key = element.kind === 'mapping' ? element.key : element
    return key.kind === 'concat' ? (key.parts[index] ?? []) : index === 0 && key.kind !== 'any' ? key : []
  })
  return { ...value, elements }
}

/** The chains that a step calls: by a jump, or by the elements of a verdict map. */
export function calledBy(table: Table, step: Step): Word[] {
  if (step.kind === 'jump' || step.kind === 'goto') return [step.chain]
  if (step.kind !== 'vmap') return []
  const { map } = step
  const elements =
    map.kind === 'set' ? map.elements : map.kind === 'setref' ? table.sets.get(map.name.text)?.elements : []
  const chains = new Map<string, Word>()
  for (const element of elements ?? [])
    if (element.kind === 'mapping' && element.data.kind === 'verdict' && element.data.chain)
      if (!chains.has(element.data.chain.text)) chains.set(element.data.chain.text, element.data.chain)
  return [...chains.values()]
}

/** The name of the IR's set that a rule looks into. Undefined after an error. */
export function lookupSet(
  lookups: Lookups,
  value: Value,
  components: readonly Component[],
  held: Held,
): string | undefined {
  const { made, nameOf, diagnostics } = lookups
  if (value.kind === 'setref') return namedSet(lookups, value, components, held)
  const map = held !== 'nothing'
  if (value.kind !== 'set') {
    const example = held === 'nothing' ? '{ 192.0.2.1 . 80 }' : held === 'verdict' ? '{ 80 : accept }' : '{ 80 : 1 }'
    diagnostics.error('nft/value', map ? 'a map is wanted here' : 'a set is wanted here', value.span, { expected: [example] }) // biome-ignore format: one message
    return undefined
  }
  if (value.elements.length === 0) {
    diagnostics.error('nft/syntax', 'an empty set', value.span, { expected: ['an element'] })
    return undefined
  }
  const name = nameOf(`${map ? '__map' : '__set'}${made.size}`)
  const set = read(lookups, name, value.elements, components, { held, interval: true, span: value.span })
  if (set) made.set(name, set)
  return set && name
}

function namedSet(
  lookups: Lookups,
  { name: word, span }: Extract<Value, { kind: 'setref' }>,
  components: readonly Component[],
  held: Held,
): string | undefined {
  const { table, made, nameOf, diagnostics } = lookups
  const error = (what: string, message: string, where: Span, more = {}): undefined => {
    diagnostics.error(`nft/${what}`, message, where, more)
    return undefined
  }
  const set: NamedSet | undefined = table.sets.get(word.text)
  if (!set) {
    const meant = nearest(word.text, table.sets.keys())
    return error('name', `there is no ${held === 'nothing' ? 'set' : 'map'} \`${word.text}\``, word.span, { expected: [...table.sets.keys()], ...(meant && { hint: `did you mean @${meant}?` }) }) // biome-ignore format: one message
  }
  if (set.unsupported) return error('unsupported', `unsupported: ${set.unsupported.what}`, set.unsupported.span)
  if (set.dynamic) return error('unsupported', `unsupported: looking up what rules add to ${set.name}`, span)
  const types = set.types.map(typeName)
  const wanted = components.map(({ kind }) => kind.type as string)
  if (types.join(' . ') !== wanted.join(' . '))
    return error('type', `datatype mismatch: ${set.name} holds ${types.join(' . ') || 'no type'}, not ${wanted.join(' . ')}`, span) // biome-ignore format: one message
  const holds = set.data && typeName(set.data)
  if (held === 'nothing' && holds !== undefined)
    return error('type', `${set.name} is a map: it is looked into by ${holds === 'verdict' ? 'vmap' : 'map'}`, span)
  if (held === 'verdict' && holds !== 'verdict') return error('type', `${set.name} holds no verdicts`, span)
  if (typeof held === 'object' && holds !== held.type)
    return error('type', `datatype mismatch: ${set.name} holds ${holds ?? 'nothing'}, not ${held.type}`, span)
  const name = nameOf(set.name)
  if (made.has(name)) return name
  const declared = components.map((component) => {
    const { kind } = component
    return { ...component, kind: { ...kind, bits: Math.max(kind.bits, TYPE_BITS[kind.type] ?? 0) } }
  })
  const { interval } = set
  const ir = read(lookups, name, set.elements, declared, { held, interval, span: set.span })
  if (ir) made.set(name, ir)
  return ir && name
}

interface Shape {
  readonly held: Held
  readonly interval: boolean
  readonly span: Span
}

function read(
  lookups: Lookups,
  name: string,
  values: readonly Value[],
  components: readonly Component[],
  { held, interval, span }: Shape,
): SetDef | undefined {
  const { diagnostics } = lookups
  const elements: Element[] = []
  let catchAll: ElementData | undefined
  let wrong = false
  for (const value of values) {
    if (value.kind === 'unsupported') {
      diagnostics.error('nft/unsupported', `unsupported: ${value.what}`, value.span)
      wrong = true
      continue
    }
    const key = value.kind === 'mapping' ? value.key : value
    const data = dataOf(lookups, value, held)
    const ranges = key.kind === 'any' ? [] : keyOf(key, components, interval, diagnostics)
    if (!data || !ranges) wrong = true
    else if (key.kind === 'any') catchAll = { ...data, span: value.span }
    else elements.push({ key: ranges, ...data, span: value.span })
  }
  const apart = wrong ? undefined : disjoint(elements, diagnostics)
  if (!apart) return undefined
  const keys = components.map(({ kind: { bits }, written }) => ({ bits, kind: written }))
  return {
    name,
    keys,
    ...(held !== 'nothing' && { data: held === 'verdict' ? held : { bits: held.bits } }),
    elements: apart,
    ...(catchAll && { catchAll }),
    span,
  }
}

function dataOf(lookups: Lookups, value: Value, held: Held): ElementData | undefined {
  if (held === 'verdict') return verdictOf(lookups, value)
  return held === 'nothing' ? plain(value, lookups.diagnostics) : numberOf(value, held, lookups.diagnostics)
}

function numberOf(value: Value, kind: Kind, diagnostics: Diagnostics): ElementData | undefined {
  if (value.kind === 'mapping' && value.data.kind !== 'verdict') {
    const number = readValue(value.data, kind, diagnostics)
    return number === undefined ? undefined : { value: number }
  }
  const [where, example] = [value.kind === 'mapping' ? value.data.span : value.span, '192.0.2.1 : 1']
  diagnostics.error('nft/value', `${TITLES[kind.type]} is wanted here`, where, { expected: [example] })
  return undefined
}

function plain(value: Value, diagnostics: Diagnostics): ElementData | undefined {
  if (value.kind !== 'mapping') return {}
  diagnostics.error('nft/type', 'this is a set: its elements hold nothing', value.data.span)
  return undefined
}

function verdictOf({ nameOf, diagnostics }: Lookups, value: Value): ElementData | undefined {
  if (value.kind === 'mapping' && value.data.kind === 'verdict') {
    const { verdict, chain } = value.data
    if (verdict !== 'jump' && verdict !== 'goto') return { verdict: { kind: verdict } }
    return { verdict: { kind: verdict, chain: nameOf(chain!.text) } }
  }
  const where = value.kind === 'mapping' ? value.data.span : value.span
  diagnostics.error('nft/value', 'a verdict is wanted here', where, { expected: ['accept', 'drop', 'jump CHAIN'] })
  return undefined
}

export function keyOf(
  key: Value,
  components: readonly Component[],
  interval: boolean,
  diagnostics: Diagnostics,
): Range[] | undefined {
  const parts = key.kind === 'concat' ? key.parts : [key]
  if (parts.length !== components.length) {
    const message = `a key of ${parts.length === 1 ? 'one field' : `${parts.length} fields`} where ${components.length} are looked up`
    diagnostics.error('nft/key', message, key.span)
    return undefined
  }
  const wide = parts.find(({ kind }) => kind === 'range' || kind === 'prefix')
  if (wide && !interval) {
    diagnostics.error('nft/interval', 'ranges and prefixes need `flags interval`', wide.span, { expected: ['single values'] }) // biome-ignore format: one message
    return undefined
  }
  const ranges = parts.map((part, i) => {
    const { kind, scale = (range: Range) => range } = components[i]!
    const range = readRange(part, kind, diagnostics)
    const own = range && scale(range)
    if (range && !own) diagnostics.error('nft/value', 'no packet has this number', part.span)
    return own
  })
  return ranges.every((range) => range !== undefined) ? ranges : undefined
}

/** Pairs of elements that are compared at most; in larger sets of wide ranges an overlap may not be told. */
const MOST_PAIRS = 4_000_000

/** The elements without those that are there twice. Ones that overlap are refused, as the kernel does; undefined then. */
function disjoint(elements: readonly Element[], diagnostics: Diagnostics): Element[] | undefined {
  const sorted = [...elements].sort((a, b) => (a.key[0]!.lo < b.key[0]!.lo ? -1 : a.key[0]!.lo > b.key[0]!.lo ? 1 : 0))
  const twice = new Set<Element>()
  let pairs = 0
  for (const [i, element] of sorted.entries()) {
    for (let j = i + 1; j < sorted.length && sorted[j]!.key[0]!.lo <= element.key[0]!.hi; j++) {
      const other = sorted[j]!
      if (++pairs > MOST_PAIRS) return elements.filter((each) => !twice.has(each))
      if (!element.key.every(({ lo, hi }, k) => lo <= other.key[k]!.hi && other.key[k]!.lo <= hi)) continue
      const same = element.key.every(({ lo, hi }, k) => lo === other.key[k]!.lo && hi === other.key[k]!.hi)
      if (same && JSON.stringify(element.verdict) === JSON.stringify(other.verdict) && element.value === other.value) {
        twice.add(other)
        continue
      }
      const [a, b] = [element.span!, other.span!]
      const notes = [{ message: 'with this one', span: a }]
      diagnostics.error('nft/overlap', 'these elements overlap', b, { notes }) // biome-ignore format: one message
      return undefined
    }
  }
  return elements.filter((each) => !twice.has(each))
}
