// Sets that rules add to: lookups into them, and the statements that add, update and delete. How they count is recorded in test/golden/state.

import type { Span } from '@netsieve/diag'
import type { Range, StateDef, Step } from '@netsieve/ir'
import type { Step as AstStep, NamedSet, Value } from './ast.ts'
import { type Component, keyOf, typeName } from './lookups.ts'
import type { Place } from './match.ts'
import { connectionsStep } from './statements.ts'

type Buckets = Extract<AstStep, { kind: 'buckets' }>
type State = Map<string, StateDef>

/** The room of a set that rules add to, where it says nothing. */
const DEFAULT_SIZE = 65_535

function error(
  { diagnostics }: Place,
  what: string,
  message: string,
  span: Span,
  expected?: readonly string[],
): Step[] {
  diagnostics.error(`nft/${what}`, message, span, { ...(expected && { expected }) })
  return []
}

/** The set that a value names, if rules add to it. */
export function dynamicSet(value: Value, { sets }: Place): NamedSet | undefined {
  const set = value.kind === 'setref' ? sets.get(value.name.text) : undefined
  return set?.dynamic && !set.unsupported ? set : undefined
}

/** `ip saddr @seen`, `ip saddr != @seen`. */
export function lookIntoDynamic(
  set: NamedSet,
  components: readonly Component[],
  { negated, span }: { readonly negated: boolean; readonly span: Span },
  place: Place,
  state: State,
): Step[] {
  const name = tableOf(set, components, span, place, state)
  const key = components.map(({ term }) => term)
  return name === undefined ? [] : [{ kind: 'table', state: name, does: 'has', over: negated, key, timeout: 0n, span }]
}

/** The table that a set is, defined if it was not. Undefined after an error. */
function tableOf(
  set: NamedSet,
  components: readonly Component[],
  span: Span,
  place: Place,
  state: State,
): string | undefined {
  const name = place.lookups.nameOf(set.name)
  const wrong = (what: string, message: string, at = span): undefined => {
    error(place, what, message, at)
    return undefined
  }
  if (set.data) return wrong('unsupported', `unsupported: the map ${set.name}, which rules add to`)
  const [types, asked] = [set.types.map(typeName).join(' . '), components.map(({ kind }) => kind.type).join(' . ')]
  if (types !== asked) return wrong('type', `datatype mismatch: the set ${set.name} holds ${types}, not ${asked}`)
  if (set.counted) return wrong('unsupported', `unsupported: looking into ${set.name}, or adding to it, where connections are counted by its keys`) // biome-ignore format: one message
  if (set.interval) return wrong('unsupported', `unsupported: rules that add to ${set.name}, which has intervals`)
  const known = state.get(name)
  if (known?.kind === 'table') return name
  if (known)
    return wrong(
      'unsupported',
      `unsupported: ${set.name} is looked into, or added to, and has a limit for each key too`,
    )
  const elements: bigint[][] = []
  for (const element of set.elements) {
    const ranges: readonly Range[] | undefined = keyOf(element, components, false, place.diagnostics)
    if (!ranges) return undefined
    elements.push(ranges.map(({ lo }) => lo))
  }
  const size = Math.max(set.size ?? DEFAULT_SIZE, elements.length)
  const keys = components.map(({ kind, written }) => ({ bits: kind.bits, kind: written }))
  state.set(name, { kind: 'table', name, keys, size, elements, span: set.span })
  return name
}

/** A statement that adds to a set, of the table or of its own. */
export function lowerBuckets(step: Buckets, components: readonly Component[], place: Place, state: State): Step[] {
  const { set: word, meter, does, limit, connections, span, counter } = step
  const { diagnostics } = place
  const set = meter ? undefined : place.sets.get(word.text)
  if (!meter && !set) return error(place, 'name', `there is no set \`${word.text}\``, word.span, [...place.sets.keys()])
  if (counter) diagnostics.warning('nft/counter', 'what is counted for each key is not told', counter)
  const key = components.map(({ term }) => term)
  const timeout = step.timeout ?? set?.lifetime ?? 0n
  if (connections) return [connectionsStep(connections)]
  if (set && !limit) {
    const table = tableOf(set, components, span, place, state)
    if (table === undefined) return []
    return [{ kind: 'table', state: table, does, over: false, key, timeout: does === 'delete' ? 0n : timeout, span }]
  }
  if (does === 'delete') return error(place, 'unsupported', 'unsupported: a limit on what is deleted', span)
  const rate = limit ?? ALWAYS
  if (rate.kind !== 'limit') return []
  const types = set?.types.map(typeName).join(' . ')
  const asked = components.map(({ kind }) => kind.type).join(' . ')
  if (set && types !== asked)
    return error(place, 'type', `datatype mismatch: the set ${word.text} holds ${types}, not ${asked}`, word.span)
  if (set?.interval || (set && set.elements.length > 0))
    return error(place, 'unsupported', `unsupported: a limit for each key of a set which has ${set.interval ? 'intervals' : 'elements'} already`, word.span) // biome-ignore format: one message
  const name = place.lookups.nameOf(word.text)
  if (state.has(name))
    return error(place, 'unsupported', `unsupported: a limit for each key of ${word.text}, which other rules look into or add to`, word.span) // biome-ignore format: one message
  const each = {
    keys: components.map(({ kind, written }) => ({ bits: kind.bits, kind: written })),
    size: meter?.size ?? set?.size ?? DEFAULT_SIZE,
    timeout,
    refreshed: (meter ? step.timeout !== undefined : does === 'update') && timeout > 0n,
  }
  state.set(name, { kind: 'limit', name, rate: rate.rate, per: rate.per, burst: rate.burst, unit: rate.unit, each, span: step.limit?.span ?? span }) // biome-ignore format: one value
  return [{ kind: 'limit', state: name, over: rate.over, key, span }]
}

/** What a meter's key alone asks for: room for it. More packets than these do not come at one time. */
const ALWAYS = { kind: 'limit', over: false, rate: 1n, per: 1n, burst: 1_000_000n, unit: 'packets' } as const
