// IR as JSON and back. Numbers that may be wide are hex strings, spans are places a person can find: file, line, columns. What is read is
// untrusted: every member is checked, and what is not known is refused with its place in the value.

import { type Outcome, position, type Span } from '@netsieve/diag'
import {
  FIELDS,
  type FieldId,
  type ListName,
  METADATA,
  type MetadataId,
  PROTOCOLS,
  type ProtocolName,
  VALUE_KINDS,
} from '@netsieve/packet'
import { ACTS, type ActName } from './acts.ts'
import type {
  BaseChain,
  BinOp,
  Buckets,
  Chain,
  Element,
  ElementData,
  Filter,
  Find,
  Hashed,
  Heads,
  Pred,
  Range,
  Rule,
  SetDef,
  SetKey,
  StateDef,
  Step,
  Term,
  Test,
  Verdict,
} from './types.ts'
import { PROFILES, type ProfileName, VIEWS, type ViewName } from './views.ts'

/** A filter as plain JSON values. `text` of rules keeps the user's words; spans become `{file, line, column, endLine, endColumn}`. */
export function toJson(filter: Filter): unknown {
  return plain(filter)
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (isSpan(value)) {
    const [from, to] = [position(value.source, value.start), position(value.source, value.end)]
    return { file: value.source.name, line: from.line, column: from.column, endLine: to.line, endColumn: to.column }
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
}

function isSpan(value: object): value is Span {
  return 'source' in value && 'start' in value && 'end' in value
}

/** The filter that `toJson` gave, without spans (their sources' texts are not in there); else what is wrong. Code: `ir/json`. */
export function fromJson(value: unknown): Outcome<Filter> {
  try {
    return { value: FILTER(value, 'filter', 0), diagnostics: [] }
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault
    return { diagnostics: [{ severity: 'error', code: 'ir/json', message: fault.message }] }
  }
}

class JsonFault extends Error {}

/** Reads a value at a place of the whole; `depth` counts what it is inside. @throws JsonFault */
type Reader<T> = (value: unknown, place: string, depth: number) => T

const MAX_NESTING = 1000

const text: Reader<string> = (value, place) => {
  if (typeof value !== 'string') throw new JsonFault(`${place}: a string is expected`)
  return value
}

const truth: Reader<boolean> = (value, place) => {
  if (typeof value !== 'boolean') throw new JsonFault(`${place}: true or false is expected`)
  return value
}

const integer: Reader<number> = (value, place) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new JsonFault(`${place}: a whole number from 0 is expected`)
  return value as number
}

const wide: Reader<bigint> = (value, place) => {
  if (typeof value !== 'string' || !/^0x[0-9a-f]{1,32}$/.test(value))
    throw new JsonFault(`${place}: a number as a string such as "0x50" is expected`)
  return BigInt(value)
}

function oneOf<Name extends string>(names: readonly Name[]): Reader<Name> {
  return (value, place) => {
    const found = names.find((name) => name === value)
    if (found !== undefined) return found
    const known = names.length <= 20 ? `; there are ${names.join(', ')}` : ''
    throw new JsonFault(`${place}: ${JSON.stringify(value)?.slice(0, 60)} is not known${known}`)
  }
}

function list<T>(of: Reader<T>): Reader<readonly T[]> {
  return (value, place, depth) => {
    if (!Array.isArray(value)) throw new JsonFault(`${place}: a list is expected`)
    return value.map((each, i) => of(each, `${place}[${i}]`, depth))
  }
}

/** A member that may be left out. */
function maybe<T>(of: Reader<T>): Reader<T | undefined> {
  return (value, place, depth) => (value === undefined ? undefined : of(value, place, depth))
}

/** A reader of every member of T but spans; a type that grows says so here. */
type Members<T> = { readonly [Key in Exclude<keyof T, 'span' | 'kind'>]-?: Reader<T[Key]> }

function record<T extends object>(members: Members<T>): Reader<T> {
  const readers = Object.entries(members) as [string, Reader<unknown>][]
  return (value, place, depth) => {
    const from = objectAt(value, place)
    if (depth > MAX_NESTING) throw new JsonFault(`${place.slice(0, 60)}…: more than ${MAX_NESTING} inside one another`)
    for (const key of Object.keys(from))
      if (!Object.hasOwn(members, key) && key !== 'span' && key !== 'kind')
        throw new JsonFault(`${place}: ${JSON.stringify(key)} is not known`)
    const out: Record<string, unknown> = {}
    for (const [key, read] of readers) {
      const member = read(Object.hasOwn(from, key) ? from[key] : undefined, `${place}.${key}`, depth + 1)
      if (member !== undefined) out[key] = member
    }
    return out as T
  }
}

/** Objects told apart by their `kind`. */
function kinds<T extends { readonly kind: string }>(
  rows: {
    readonly [Kind in T['kind']]: Members<Extract<T, { readonly kind: Kind }>>
  },
): Reader<T> {
  const kind = oneOf(Object.keys(rows) as T['kind'][])
  const readers = new Map(Object.entries(rows).map(([name, members]) => [name, record(members as Members<object>)]))
  return (value, place, depth) => {
    const name = kind(objectAt(value, place).kind, `${place}.kind`, depth)
    return { kind: name, ...readers.get(name)!(value, place, depth) } as T
  }
}

function objectAt(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JsonFault(`${place}: an object is expected`)
  return value as Readonly<Record<string, unknown>>
}

const term: Reader<Term> = (value, place, depth) => TERM(value, place, depth)
const pred: Reader<Pred> = (value, place, depth) => PRED(value, place, depth)
const test = oneOf<Test>(['==', '!=', '<', '<=', '>', '>='])
const view = oneOf(Object.keys(VIEWS) as ViewName[])

const heads = record<Heads>({
  heads: list(record<Heads['heads'][number]>({ mask: integer, value: integer })),
  none: truth,
})
const FIND: Members<Find> = {
  list: oneOf<ListName>(['ipv4', 'ipv6', 'tcp', 'dccp', 'sctp']),
  type: (value, place, depth) =>
    typeof value === 'object' ? heads(value, place, depth) : integer(value, place, depth),
  bytes: integer,
}
const find = record<Find>(FIND)
const protocolName = oneOf(Object.keys(PROTOCOLS) as ProtocolName[])
/** A protocol's name, or a search. */
const entry: Reader<ProtocolName | Find> = (value, place, depth) =>
  typeof value === 'string' ? protocolName(value, place, depth) : { ...find(value, place, depth), kind: 'find' }

const yes: Reader<true> = (value, place) => {
  if (value !== true) throw new JsonFault(`${place}: true is expected`)
  return true
}

const TERM = kinds<Term>({
  field: { field: oneOf(Object.keys(FIELDS) as FieldId[]) },
  load: { base: oneOf(['link', 'net', 'transport']), offset: integer, bytes: integer, index: maybe(term) },
  length: {},
  headers: {},
  const: { value: wide },
  mask: { term, mask: wide },
  bin: {
    op: oneOf<BinOp>(['add', 'sub', 'mul', 'div', 'mod', 'and', 'or', 'xor', 'lsh', 'rsh']),
    left: term,
    right: term,
  },
  mapped: { terms: list(term), map: text },
  jhash: {
    parts: list(record<Hashed['parts'][number]>({ term, bytes: integer, host: maybe(yes) })),
    seed: integer,
  },
  walk: { family: oneOf(['ipv4', 'ipv6']), net: integer, until: integer },
  raw: { base: oneOf(['link', 'net', 'transport']), bit: integer, bits: integer, index: maybe(term) },
  find: FIND,
})

const range = record<Range>({ lo: wide, hi: wide })

const PRED = kinds<Pred>({
  const: { value: truth },
  cmp: { term, test, value: wide },
  in: { term, ranges: list(range) },
  relation: { left: term, test, right: term },
  and: { args: list(pred) },
  or: { args: list(pred) },
  not: { arg: pred },
  sure: { arg: pred },
  inSet: { terms: list(term), set: text },
  exists: { what: entry },
  contains: { from: integer, to: integer, bytes: text, nocase: truth },
})

const VERDICT = kinds<Verdict>({
  accept: {},
  drop: {},
  return: {},
  continue: {},
  jump: { chain: text },
  goto: { chain: text },
  act: { act: oneOf(Object.keys(ACTS) as ActName[]), args: list(text) },
})

const STEP = kinds<Step>({
  match: { pred, view: maybe(view) },
  count: { counter: maybe(text) },
  log: { words: text },
  limit: { state: text, over: truth, key: maybe(list(term)) },
  quota: { state: text, over: truth },
  nth: { state: text, over: truth },
  turn: { state: text, field: oneOf(Object.keys(METADATA) as MetadataId[]) },
  table: {
    state: text,
    does: oneOf(['has', 'add', 'update', 'delete']),
    over: truth,
    key: list(term),
    timeout: wide,
  },
  recent: {
    state: text,
    does: oneOf(['set', 'check', 'update', 'remove']),
    over: truth,
    key: list(term),
    within: wide,
    hits: integer,
    ttl: maybe(term),
  },
  set: { field: oneOf(Object.keys(METADATA) as MetadataId[]), term },
  verdict: { verdict: VERDICT },
  vmap: { terms: list(term), map: text },
})

const DATA: Members<ElementData> = { verdict: maybe(VERDICT), value: maybe(wide) }

const BITS = record<Pick<SetKey, 'bits'>>({ bits: integer })
const valueKind = maybe(oneOf(VALUE_KINDS))

const component: Reader<SetKey> = (value, place, depth) => {
  const kind = valueKind(objectAt(value, place).kind, `${place}.kind`, depth)
  return { ...BITS(value, place, depth), ...(kind && { kind }) }
}

const SET = record<SetDef>({
  name: text,
  keys: list(component),
  data: maybe((value, place, depth) => (value === 'verdict' ? value : BITS(value, place, depth))),
  elements: list(record<Element>({ key: list(range), ...DATA })),
  catchAll: maybe(record<ElementData>(DATA)),
})

const buckets = record<Buckets>({ keys: list(component), size: integer, timeout: wide, refreshed: truth })

const STATE = kinds<StateDef>({
  counter: { name: text, packets: wide, bytes: wide },
  limit: { name: text, rate: wide, per: wide, burst: wide, unit: oneOf(['packets', 'bytes']), each: maybe(buckets) },
  quota: { name: text, bytes: wide, used: wide },
  nth: { name: text, every: wide, before: wide },
  table: { name: text, keys: list(component), size: integer, elements: list(list(wide)) },
  recent: { name: text, keys: list(component), size: integer, stamps: integer },
})

const FILTER = record<Filter>({
  syntax: text,
  profile: oneOf(Object.keys(PROFILES) as ProfileName[]),
  base: list(
    record<BaseChain>({
      chain: text,
      hook: text,
      view,
      family: oneOf(['any', 'ipv4', 'ipv6', 'ip']),
      policy: oneOf(['accept', 'drop']),
    }),
  ),
  chains: list(
    record<Chain>({
      name: text,
      rules: list(record<Rule>({ id: integer, also: maybe(list(integer)), text, steps: list(STEP) })),
    }),
  ),
  sets: maybe(list(SET)),
  state: maybe(list(STATE)),
})
