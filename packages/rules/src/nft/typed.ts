// Values as numbers of a type: what a word, a range, a prefix or a set means for a field.

import type { Diagnostics } from '@netsieve/diag'
import type { Range } from '@netsieve/ir'
import { prefixMask } from '@netsieve/packet'
import {
  nearest,
  parseNumber,
  readAddress,
  readEtherType,
  readIpProtocol,
  readMac,
  readNumber,
  readPort,
  type Word,
} from '../shared/index.ts'
import type { NamedSet, Value } from './ast.ts'
import { BIT_TYPES, isWildcard, NO_NUMBERS, readSpelled, readWildcard } from './metadata.ts'
import { SYMBOLS, TITLES, TYPE_BITS, type TypeName } from './words.ts'

/** What values are read for. */
export interface Kind {
  readonly type: TypeName
  readonly bits: number
  /** The transport whose services a port may name. */
  readonly transport?: string
}

/** Types whose values have no bits to speak of. */
const NAMES: ReadonlySet<string> = new Set(['ifname', 'ifkind', 'boolean'])

/** One number. Undefined after an error. */
export function readValue(value: Value, kind: Kind, diagnostics: Diagnostics): bigint | undefined {
  if (value.kind === 'word') return readWord(value, kind, diagnostics)
  if (value.kind === 'list' && (BIT_TYPES.has(kind.type) || (value.by === '|' && !NAMES.has(kind.type)))) {
    const bits = value.items.map((item) => readValue(item, kind, diagnostics))
    return bits.every((bit) => bit !== undefined) ? bits.reduce((sum, bit) => sum | bit, 0n) : undefined
  }
  if (value.kind === 'unsupported') diagnostics.error('nft/unsupported', `unsupported: ${value.what}`, value.span)
  else if (value.kind === 'list')
    diagnostics.error('nft/list', `a list joined by ${value.by === ',' ? 'commas is for bit masks' : 'bars is for numbers'}, not for ${TITLES[kind.type]}`, value.span, { hint: 'write a set: { a, b }' }) // biome-ignore format: one message
  else diagnostics.error('nft/value', `one value is wanted here, ${TITLES[kind.type]}`, value.span)
  return undefined
}

function readWord(word: Word, { type, bits, transport }: Kind, diagnostics: Diagnostics): bigint | undefined {
  switch (type) {
    case 'ipv4_addr':
      return readAddress(word, diagnostics, 'ipv4')?.value
    case 'ipv6_addr':
      return readAddress(word, diagnostics, 'ipv6')?.value
    case 'ether_addr':
      return readMac(word, diagnostics)
    case 'inet_service':
      return readPort(word, diagnostics, { transport, octal: true })
    case 'inet_proto':
      return readIpProtocol(word, diagnostics, true)
  }
  const symbols = SYMBOLS[type]
  const named = symbols && Object.hasOwn(symbols, word.text) ? symbols[word.text] : undefined
  if (named !== undefined) return BigInt(named)
  if (type === 'ether_type') return readEtherType(word, diagnostics)
  const spelled = readSpelled(word, type)
  if (spelled !== undefined) return spelled
  if (NO_NUMBERS.has(type)) {
    diagnostics.error('nft/value', `\`${word.text}\` is not ${TITLES[type]}`, word.span, { expected: [TITLES[type]] })
    return undefined
  }
  if (symbols && parseNumber(word.text, true) === undefined) {
    const meant = nearest(word.text, Object.keys(symbols))
    diagnostics.error('nft/name', `\`${word.text}\` is not ${TITLES[type]}`, word.span, {
      expected: [...Object.keys(symbols), 'a number'],
      ...(meant && { hint: `did you mean ${meant}?` }),
    })
    return undefined
  }
  return readNumber(word, { what: TITLES[type], max: (1n << BigInt(bits)) - 1n, octal: true }, diagnostics)
}

/** The numbers of a word, a range or a prefix. */
export function readRange(value: Value, kind: Kind, diagnostics: Diagnostics): Range | undefined {
  if (kind.type === 'ifname' && value.kind === 'word' && isWildcard(value)) {
    const names = readWildcard(value, diagnostics)
    return names && { lo: names.value, hi: names.value | (prefixMask(kind.bits, kind.bits) ^ names.mask) }
  }
  if (value.kind === 'range') {
    const lo = readValue(value.lo, kind, diagnostics)
    const hi = readValue(value.hi, kind, diagnostics)
    if (lo === undefined || hi === undefined) return undefined
    if (lo <= hi) return { lo, hi }
    diagnostics.error('rules/range', 'this range ends before it starts', value.span)
    return undefined
  }
  if (value.kind === 'prefix') {
    const prefix = readPrefix(value, kind, diagnostics)
    if (!prefix) return undefined
    const all = prefixMask(kind.bits, kind.bits)
    return { lo: prefix.value, hi: prefix.value | (prefix.mask ^ all) }
  }
  const single = readValue(value, kind, diagnostics)
  return single === undefined ? undefined : { lo: single, hi: single }
}

/** A prefix; bits outside of it are cut off, as nft does. */
export function readPrefix(value: Extract<Value, { kind: 'prefix' }>, kind: Kind, diagnostics: Diagnostics) {
  const base = readValue(value.base, kind, diagnostics)
  const length = Number(value.length.text)
  if (length > kind.bits) {
    diagnostics.error('rules/prefix', `a prefix of ${length} bits does not fit ${kind.bits}`, value.length.span, {
      expected: [`a prefix length from 0 to ${kind.bits}`],
    })
    return undefined
  }
  const mask = prefixMask(length, kind.bits)
  return base === undefined ? undefined : { value: base & mask, mask, length }
}

/** The numbers of an anonymous set; overlapping elements are joined later. */
export function readSet(elements: readonly Value[], kind: Kind, diagnostics: Diagnostics): Range[] | undefined {
  const ranges = elements.map((element) => readRange(element, kind, diagnostics))
  return ranges.every((range) => range !== undefined) ? ranges : undefined
}

/** The numbers of a named set: ranges need `flags interval`, and must not overlap without `auto-merge`. */
export function readNamedSet(set: NamedSet, kind: Kind, diagnostics: Diagnostics): Range[] | undefined {
  const wide = set.elements.find(
    (each) =>
      each.kind === 'range' ||
      each.kind === 'prefix' ||
      (kind.type === 'ifname' && each.kind === 'word' && isWildcard(each)),
  )
  if (wide && !set.interval) {
    const message = `the set ${set.name} takes no ranges or prefixes: it has no \`flags interval\``
    diagnostics.error('nft/interval', message, wide.span, { expected: ['single values'] })
    return undefined
  }
  const bits = TYPE_BITS[kind.type] ?? kind.bits
  // A catch-all holds what the others do not: with it, every value.
  if (set.elements.some(({ kind: shape }) => shape === 'any')) return [{ lo: 0n, hi: (1n << BigInt(bits)) - 1n }]
  const ranges = readSet(set.elements, { ...kind, bits }, diagnostics)
  if (!ranges || !set.interval || set.autoMerge) return ranges
  const order = ranges.map((range, i) => ({ ...range, span: set.elements[i]!.span })).sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0)) // biome-ignore format: one chain
  const clash = order.findIndex((range, i) => i > 0 && range.lo <= order[i - 1]!.hi && !(range.lo === order[i - 1]!.lo && range.hi === order[i - 1]!.hi)) // biome-ignore format: one test
  if (clash < 0) return ranges
  const [a, b] = [order[clash - 1]!.span, order[clash]!.span]
  diagnostics.error('nft/overlap', 'these elements of the set overlap', b, {
    notes: [{ message: 'with this one', span: a }],
    hint: 'add `auto-merge` to the set',
  })
  return undefined
}
