// The variables of diagrams about filters. A field is its bits, shared with every field over the same bits, and "it can be loaded", a variable
// of its own. How these hang together (a long packet has all its ports) is left out: the diagrams have more frames than there are.

import { type Filter, placeOf, type Term, termsOf } from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { fieldSlot, LENGTH, type Slot } from './slots.ts'

/** Thrown for what the diagrams do not model; the caller has an answer for that. */
export class NotModelled extends Error {}

/** Gives each bit its level. Bits are asked for by name; names that were not planned go to the end. */
export class Variables {
  private readonly levels = new Map<string, number>()
  readonly names: string[] = []

  level(name: string): number {
    const known = this.levels.get(name)
    if (known !== undefined) return known
    this.levels.set(name, this.names.length)
    this.names.push(name)
    return this.names.length - 1
  }
}

/** The variables of a term's bits, most significant first, by the header that they are in; undefined for a computed term. */
export function bitNames(term: Term): readonly string[] | undefined {
  const run = (header: string, bit: number, bits: number) =>
    Array.from({ length: bits }, (_, i) => `${header}:${bit + i}`)
  if (term.kind === 'length') return run('length', 0, 32)
  if (term.kind === 'load') return term.index ? undefined : run(term.base, term.offset * 8, term.bytes * 8)
  if (term.kind === 'raw') return term.index ? undefined : run(term.base, term.bit, term.bits)
  if (term.kind !== 'field') return undefined
  const { proto, bit, bits } = FIELDS[term.field]
  const place = placeOf(term.field)
  if (!place) return run(term.field, bit, bits)
  // Headers at a place that the packet tells have bits of their own.
  return place.index ? run(proto, bit, bits) : run(place.base === 'net' ? proto : place.base, place.bit, bits)
}

/** The variable that says whether the view shows the frame to rules at all. */
export const SEEN = 'seen'

/** The variable that says whether a term can be loaded; the length always can. */
export function presenceName(term: Term): string {
  if (term.kind === 'field') return `has ${term.field}`
  if (term.kind === 'raw') return `has ${term.base}[bit ${term.bit}:${term.bits}]`
  return term.kind === 'load' ? `has ${term.base}[${term.offset}:${term.bytes}]` : 'has length'
}

/** All fields and loads that filters read. */
export function loadsOf(filters: readonly Filter[]): Term[] {
  const out = new Map<string, Term>()
  for (const filter of filters) {
    for (const term of termsOf(
      filter,
      filter.chains.map(({ name }) => name),
    ))
      if (term.kind === 'field' || term.kind === 'load' || term.kind === 'raw' || term.kind === 'length')
        out.set(presenceName(term), term)
  }
  return [...out.values()]
}

/** The bits that a term reads; those of a frame's length if it reads none. */
export function slotOfTerm(term: Term): Slot {
  if (term.kind === 'field') return fieldSlot(term.field)
  if (term.kind === 'raw') {
    const { base, bit, bits } = term
    return { key: `${base}:${bit}:${bits}`, base, bit, bits }
  }
  if (term.kind !== 'load') return LENGTH
  const [bit, bits] = [term.offset * 8, term.bytes * 8]
  return { key: `${term.base}:${bit}:${bits}`, base: term.base, bit, bits }
}
