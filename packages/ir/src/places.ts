// Where the field table's rows lie: base, bits, and for headers that are not always there what says that they are, as terms and predicates of the
// IR itself. Evaluation and code generation read fields by these, so a row means the same to both.

import { FIELDS, type FieldId, type ListName, type ProtocolName, protocol } from '@netsieve/packet'
import type { Find, Pred, Term } from './types.ts'

export interface FieldPlace {
  readonly base: 'link' | 'net' | 'transport'
  /** From the base, or from the index. */
  readonly bit: number
  readonly bits: number
  /** Bytes from the base to the header, where the packet tells how many. */
  readonly index?: Term
  /** Must hold, or the field is not there. */
  readonly guard?: Pred
}

const PLACES = new Map<FieldId, FieldPlace | undefined>()

/** Where a field lies; undefined for metadata. */
export function placeOf(field: FieldId): FieldPlace | undefined {
  if (!PLACES.has(field)) PLACES.set(field, place(field))
  return PLACES.get(field)
}

function place(field: FieldId): FieldPlace | undefined {
  const { proto, bit, bits } = FIELDS[field]
  const { base, at = 0, behind, entry } = protocol(proto)
  if (base === 'meta') return undefined
  const guard = guardOf(proto)
  const needs = Math.ceil((bit + bits) / 8)
  const index = entry ? find(entry.list, entry.type, needs) : behind && partsBefore(base, behind)
  return { base, bit: at * 8 + bit, bits, ...(index && { index }), ...(guard && { guard }) }
}

export function find(list: ListName, type: Find['type'], bytes = 0): Find {
  return { kind: 'find', list, type, bytes }
}

/** Types as text: equal texts, equal types. */
export const typeText = (type: Find['type']): string =>
  typeof type === 'number'
    ? String(type)
    : `${type.none ? 'not ' : ''}{${type.heads.map(({ mask, value }) => `${hex(value)}/${hex(mask)}`).join(', ')}}`
const hex = (value: number): string => `0x${value.toString(16)}`

/** The entry that a predicate asks for. @throws Error for a protocol that is no entry of a list */
export function entryOf(what: ProtocolName | Find): Find {
  if (typeof what !== 'string') return what
  const { entry } = protocol(what)
  if (!entry) throw new Error(`${what} is no entry of a list`)
  return find(entry.list, entry.type)
}

/** Where a list's entries are counted from. */
export function listBase(list: ListName): 'net' | 'transport' {
  return list === 'ipv4' || list === 'ipv6' ? 'net' : 'transport'
}

/** The conditions of a protocol's row. */
function guardOf(proto: ProtocolName): Pred | undefined {
  const { base, presence = [] } = protocol(proto)
  if (base === 'meta' || presence.length === 0) return undefined
  const args = presence.map(({ at, bytes, mask, ranges }): Pred => {
    const load: Term = { kind: 'load', base, offset: at, bytes }
    const term: Term = mask === undefined ? load : { kind: 'mask', term: load, mask: BigInt(mask) }
    return { kind: 'in', term, ranges: ranges.map(([lo, hi]) => ({ lo: BigInt(lo), hi: BigInt(hi) })) }
  })
  return args.length === 1 ? args[0]! : { kind: 'and', args }
}

/** Four bytes for each optional part that a flag says is there. */
function partsBefore(base: 'link' | 'net' | 'transport', parts: readonly { at: number; mask: number }[]): Term {
  const bin = (op: 'add' | 'and' | 'lsh' | 'rsh', left: Term, right: Term): Term => ({ kind: 'bin', op, left, right })
  const constant = (value: number): Term => ({ kind: 'const', value: BigInt(value) })
  const terms = parts.map(({ at, mask }): Term => {
    const byte: Term = { kind: 'load', base, offset: at, bytes: 1 }
    const log = Math.log2(mask)
    const moved = log > 2 ? bin('rsh', byte, constant(log - 2)) : log < 2 ? bin('lsh', byte, constant(2 - log)) : byte
    return bin('and', moved, constant(4))
  })
  return terms.reduce((sum, term) => bin('add', sum, term))
}
