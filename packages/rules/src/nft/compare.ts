// A field compared with what stands to the right of it: a value, a range, a prefix, a set, bits of a mask.

import type { Span } from '@netsieve/diag'
import {
  between,
  cmp,
  inRanges,
  load,
  masked,
  not,
  type Pred,
  placeOf,
  type Range,
  type Term,
  type Test,
} from '@netsieve/ir'
import { prefixMask } from '@netsieve/packet'
import { nearest } from '../shared/index.ts'
import type { Step as AstStep, Operator, Value } from './ast.ts'
import { typeName } from './lookups.ts'
import type { Place } from './match.ts'
import { BIT_TYPES, isWildcard, readWildcard } from './metadata.ts'
import { type Kind, readNamedSet, readPrefix, readRange, readSet, readValue } from './typed.ts'

type MatchStep = Extract<AstStep, { kind: 'match' }>

export interface Found {
  readonly pred: Pred
  readonly values?: readonly bigint[]
}

/** What there is no order of. */
const SHAPES: Readonly<Record<string, string>> = { set: 'sets', setref: 'sets', range: 'ranges', prefix: 'prefixes', flagmask: 'masks' } // biome-ignore format: one row

/** The comparison, and the single values it asks for if it is an equality. */
export function compare(step: MatchStep, id: Term, kind: Kind, place: Place): Found | undefined {
  const { diagnostics } = place
  const { operator } = step
  const right = singleton(step.right)
  if (step.bits && operator === '!') return error(place, 'operator', '! cannot follow a mask', step.span, ['==', '!='])
  const negated = operator === '!='
  const equality = operator === '' || operator === '==' || negated
  if (operator === '!' && (!BIT_TYPES.has(kind.type) || (right.kind !== 'word' && right.kind !== 'list')))
    return error(place, 'operator', '! is for bits of bit masks', step.span, ['=='])
  // nft moves an outermost `^` to the other side, whatever the operator, and so asks another question of order than is written.
  if (step.bits?.some(({ operator: { text } }) => text === '^' || text === 'xor') && !(equality && isPlain(right)))
    return error(place, 'unsupported', `unsupported: ranges and order behind \`^\``, step.span, ['single values'])
  const shape = equality ? undefined : SHAPES[right.kind]
  if (shape) return error(place, 'operator', `${operator} is not defined for ${shape}`, step.span, ['==', '!='])
  const found = (pred: Pred, values?: readonly bigint[]): Found => ({ pred: negated ? not(pred) : pred, ...(!negated && values && { values }) }) // biome-ignore format: one value
  switch (right.kind) {
    case 'set':
    case 'setref': {
      const ranges = rangesOf(right, kind, place)
      return ranges && found(inRanges(id, ranges), right.kind === 'set' ? singles(ranges) : undefined)
    }
    case 'range': {
      const range = readRange(right, kind, diagnostics)
      return range && found(between(id, range.lo, range.hi))
    }
    case 'prefix': {
      const prefix = readPrefix(right, kind, diagnostics)
      return prefix && found(inPrefix(id, kind, prefix, place.family))
    }
    case 'flagmask': {
      const value = readValue(right.value, kind, diagnostics)
      const bits = readValue(right.mask, kind, diagnostics)
      if (value === undefined || bits === undefined) return undefined
      return found(cmp(masked(id, bits), '==', value))
    }
    default: {
      if (kind.type === 'ifname' && right.kind === 'word' && isWildcard(right)) {
        if (!equality)
          return error(place, 'operator', `${operator} is not defined for wildcards`, step.span, ['==', '!='])
        const names = readWildcard(right, diagnostics)
        return names && found(maskedTerm(id, kind.bits, names))
      }
      const value = readValue(right, kind, diagnostics)
      return value === undefined ? undefined : single(id, kind, step.bits && operator === '' ? '==' : operator, value)
    }
  }
}

function rangesOf(right: Extract<Value, { kind: 'set' | 'setref' }>, kind: Kind, place: Place): Range[] | undefined {
  const { diagnostics, sets } = place
  if (right.kind === 'set') {
    if (right.elements.length > 0) return readSet(right.elements, kind, diagnostics)
    return error(place, 'syntax', 'an empty set', right.span, ['an element'])
  }
  const set = sets.get(right.name.text)
  if (!set) {
    const meant = nearest(right.name.text, sets.keys())
    return error(place, 'name', `there is no set \`${right.name.text}\``, right.name.span, [...sets.keys()], meant && `did you mean @${meant}?`) // biome-ignore format: one message
  }
  if (set.unsupported) return error(place, 'unsupported', `unsupported: ${set.unsupported.what}`, set.unsupported.span)
  if (set.dynamic)
    return error(place, 'unsupported', `unsupported: looking up a part of a field in ${set.name}, which rules add to`, right.span) // biome-ignore format: one message
  const types = set.types.map(typeName)
  if (set.data) return error(place, 'type', `${set.name} is a map: it is looked into by vmap or map`, right.span)
  const byName = types[0] === 'iface_index' && kind.type === 'ifkind'
  if (types.join(' . ') !== kind.type && !byName) {
    const type = types.join(' . ') || 'no type'
    return error(place, 'type', `datatype mismatch: the set ${set.name} holds ${type}, not ${kind.type}`, right.span)
  }
  return readNamedSet(set, kind, diagnostics)
}

/** nft loads only the bytes that a prefix covers: a frame cut behind them still matches at ingress, where headers may be cut. */
function inPrefix(
  term: Term,
  kind: Kind,
  prefix: { value: bigint; mask: bigint; length: number },
  family: Place['family'],
): Pred {
  const { value, length } = prefix
  const { bits } = kind
  const place = term.kind === 'field' ? placeOf(term.field) : undefined
  const covered = length > 0 && length % 8 === 0 && length < bits
  const whole = family === 'netdev' && place && !place.index && !place.guard && covered
  if (!whole) return maskedTerm(term, bits, prefix)
  return cmp(load(place.base, place.bit / 8, length / 8), '==', value >> BigInt(bits - length))
}

/** `term & mask == value`; without the mask where it has all bits. */
function maskedTerm(term: Term, bits: number, { value, mask }: { value: bigint; mask: bigint }): Pred {
  return mask === prefixMask(bits, bits) ? cmp(term, '==', value) : cmp(masked(term, mask), '==', value & mask)
}

function single(id: Term, kind: Kind, operator: Operator, value: bigint): Found {
  if (BIT_TYPES.has(kind.type) && operator === '') return { pred: cmp(masked(id, value), '!=', 0) }
  if (operator === '!') return { pred: cmp(masked(id, value), '==', 0) }
  const test: Test = operator === '' ? '==' : operator
  return { pred: cmp(id, test, value), ...(test === '==' && { values: [value] }) }
}

/** Single values, or a set of them. */
function isPlain(value: Value): boolean {
  return value.kind === 'set' ? value.elements.every(isPlain) : value.kind === 'word' || value.kind === 'list'
}

/** nft takes a set of one element for the element. */
function singleton(value: Value): Value {
  return value.kind === 'set' && value.elements.length === 1 ? value.elements[0]! : value
}

function singles(ranges: readonly Range[]): bigint[] {
  return ranges.flatMap(({ lo, hi }) => (lo === hi ? [lo] : []))
}

function error(
  place: Place,
  what: string,
  message: string,
  span: Span,
  expected?: readonly string[],
  hint?: string,
): undefined {
  place.diagnostics.error(`nft/${what}`, message, span, { ...(expected && { expected }), ...(hint && { hint }) })
  return undefined
}
