// What the rules of a base chain ask of a packet: nothing else is located for them.

import {
  type BaseChain,
  type Filter,
  isShort,
  listBase,
  placeOf,
  reachedRules,
  type Term,
  termsOf,
  termsOfField,
} from '@netsieve/ir'
import { type Base, isMetadata } from '@netsieve/packet'
import type { Needs } from './dispatch.ts'

/** Whether some step asks for the packet's length. */
export function countsBytes({ chains, state = [] }: Filter): boolean {
  const bytes = new Set(
    state
      .filter((def) => def.kind === 'quota' || (def.kind === 'limit' && def.unit === 'bytes'))
      .map(({ name }) => name),
  )
  return chains.some(({ rules }) =>
    rules.some(({ steps }) =>
      steps.some(
        (step) => (step.kind === 'count' && step.counter !== undefined) || ('state' in step && bytes.has(step.state)),
      ),
    ),
  )
}

/** What the rules that a base chain can reach ask of a packet. */
export function needsOf(filter: Filter, base: BaseChain, counts: boolean): Needs {
  const needs = {
    network: base.family !== 'any' || counts,
    pastAddresses: counts,
    transport: false,
    l4proto: false,
    fragments: false,
  }
  const use = (from: Base, bit: number, bits: number, indexed = false): void => {
    if (from !== 'link') needs.network = true
    else if (bit + bits > 96 || indexed) needs.pastAddresses = true
    if (from !== 'transport') return
    needs.transport = true
    if (indexed || !isShort(bit, bits)) needs.fragments = true
  }
  const visit = (term: Term): void => {
    switch (term.kind) {
      case 'headers':
        return use('net', 0, 0, true)
      case 'length':
      case 'walk':
        needs.pastAddresses = true
        return
      case 'load':
        return use(term.base, term.offset * 8, term.bytes * 8, term.index !== undefined)
      case 'raw':
        return use(term.base, term.bit, term.bits, term.index !== undefined)
      case 'find':
        use(listBase(term.list), 0, 0, true)
        if (listBase(term.list) === 'transport') needs.l4proto = true
        return
      case 'field': {
        if (isMetadata(term.field)) return
        if (term.field === 'meta.l4proto') needs.l4proto = true
        const place = placeOf(term.field)
        for (const part of termsOfField(term.field)) visit(part)
        return place ? use(place.base, place.bit, place.bits, place.index !== undefined) : use('meta', 0, 0)
      }
    }
  }
  for (const { steps } of reachedRules(filter, [base.chain]))
    if (steps.some((step) => step.kind === 'match' && step.view)) needs.fragments = true
  for (const term of termsOf(filter, [base.chain])) visit(term)
  return needs
}
