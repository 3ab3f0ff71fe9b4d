// Whether sets make sense, and what is looked up in them.

import type { Diagnostics, Span } from '@netsieve/diag'
import { type CheckPlace, fits, spread, widthOf } from './check.ts'
import type { ElementData, SetDef, SetKey, Term } from './types.ts'
import { VIEWS } from './views.ts'

/** Components of a key at most. */
const MOST_KEYS = 7
/** Elements of all sets at most: a table of millions takes more memory than a filter may. */
const MOST_ELEMENTS = 4_000_000

export function checkSets(sets: readonly SetDef[], diags: Diagnostics): void {
  const names = new Set<string>()
  for (const set of sets) {
    if (names.has(set.name)) diags.error('ir/set', `there are two sets ${set.name}`, set.span)
    names.add(set.name)
    checkSet(set, diags)
  }
  const elements = sets.reduce((sum, set) => sum + set.elements.length, 0)
  if (elements > MOST_ELEMENTS) diags.error('ir/size', `the sets have more than ${MOST_ELEMENTS} elements`)
}

export function checkComponents(
  name: string,
  keys: readonly SetKey[],
  span: Span | undefined,
  diags: Diagnostics,
): void {
  if (keys.length < 1 || keys.length > MOST_KEYS)
    diags.error('ir/set', `keys of ${name} have ${keys.length} components, not 1 to ${MOST_KEYS}`, span)
  for (const { bits } of keys)
    if (!(Number.isInteger(bits) && bits >= 1 && bits <= 128))
      diags.error('ir/set', `a component of ${name} has ${bits} bits, not 1 to 128`, span)
}

function checkSet(set: SetDef, diags: Diagnostics): void {
  const { name, keys, data, elements, catchAll, span } = set
  checkComponents(name, keys, span, diags)
  if (typeof data === 'object' && !(Number.isInteger(data.bits) && data.bits >= 1 && data.bits <= 64))
    diags.error('ir/set', `values of ${name} have ${data.bits} bits, not 1 to 64`, span)
  if (diags.hasErrors) return
  for (const element of elements) {
    const place = element.span ?? span
    if (element.key.length !== keys.length)
      diags.error('ir/set', `an element of ${name} has ${element.key.length} components, not ${keys.length}`, place)
    for (const [i, { lo, hi }] of element.key.entries()) {
      if (lo > hi) diags.error('ir/value', `the range ${lo}-${hi} is empty`, place)
      for (const end of lo === hi ? [lo] : [lo, hi]) fits(end, keys[i]?.bits ?? 128, place, diags)
    }
    checkData(set, element, diags)
  }
  if (catchAll) checkData(set, catchAll, diags)
  if (keys.length === 1 && !diags.hasErrors) checkOverlap(set, diags)
}

function checkData({ name, data, span }: SetDef, { verdict, value, span: own }: ElementData, diags: Diagnostics): void {
  const wanted = data === 'verdict' ? 'verdict' : data ? 'value' : 'nothing'
  const given = verdict ? (value === undefined ? 'verdict' : 'both') : value === undefined ? 'nothing' : 'value'
  if (wanted !== given) diags.error('ir/set', `an element of ${name} holds ${given} where it is to hold ${wanted}`, own ?? span) // biome-ignore format: one message
  if (typeof data === 'object' && value !== undefined) fits(value, data.bits, own ?? span, diags)
}

function checkOverlap({ name, elements, span }: SetDef, diags: Diagnostics): void {
  const sorted = elements
    .map((element) => ({ range: element.key[0]!, span: element.span }))
    .sort((a, b) => (a.range.lo < b.range.lo ? -1 : a.range.lo > b.range.lo ? 1 : 0))
  const clash = sorted.findIndex(({ range }, i) => i > 0 && range.lo <= sorted[i - 1]!.range.hi)
  if (clash >= 0) diags.error('ir/overlap', `elements of ${name} overlap`, sorted[clash]!.span ?? span)
}

/** That there is such a set, of such data, and that it takes such a key. */
export function checkTerms(
  name: string,
  terms: readonly Term[],
  wanted: 'verdict' | 'number' | 'any',
  span: Span | undefined,
  place: CheckPlace,
): void {
  const { sets, diags } = place
  const set = sets.get(name)
  if (!set) return diags.error('ir/set', `there is no set ${name}`, span)
  const holds = set.data === 'verdict' ? 'verdict' : set.data ? 'number' : 'nothing'
  if (wanted !== 'any' && wanted !== holds) diags.error('ir/set', `${name} holds no ${wanted}s`, span)
  checkKey(name, set.keys, terms, span, place)
}

/** That terms are such a key. */
export function checkKey(
  name: string,
  keys: readonly SetKey[],
  terms: readonly Term[],
  span: Span | undefined,
  place: CheckPlace,
): void {
  const { views, diags } = place
  if (terms.length !== keys.length) {
    const message = `${name} takes keys of ${keys.length} components, not ${terms.length}`
    return diags.error('ir/set', message, span)
  }
  if (views.some((view) => VIEWS[view].missing === 'zero'))
    diags.error('ir/term', 'views that read missing fields as 0 have no sets', span)
  for (const [i, term] of terms.entries()) {
    const { bits } = keys[i]!
    if (terms.length > 1 && holdsHash(term)) diags.error('ir/term', 'a hash is looked up by itself', span)
    if (holdsLookup(term)) {
      diags.error('ir/term', 'a lookup cannot be part of the key of another', span)
      continue
    }
    const width = widthOf(term, span, place)
    if (spread(term, width)) diags.error('ir/term', 'what is looked up, if it has more than 64 bits, is whole bytes without a mask', span) // biome-ignore format: one message
    if (width > bits)
      diags.error('ir/set', `component ${i + 1} of ${name} has ${bits} bits, less than what is looked up`, span)
  }
}

/** A hash takes the room of keys while it is computed. */
function holdsHash(term: Term): boolean {
  if (term.kind === 'mask') return holdsHash(term.term)
  return term.kind === 'jhash' || (term.kind === 'bin' && (holdsHash(term.left) || holdsHash(term.right)))
}

export function holdsLookup(term: Term): boolean {
  switch (term.kind) {
    case 'mapped':
      return true
    case 'mask':
      return holdsLookup(term.term)
    case 'bin':
      return holdsLookup(term.left) || holdsLookup(term.right)
    case 'load':
      return term.index !== undefined && holdsLookup(term.index)
    default:
      return false
  }
}
