// What all functions of a program share, and the way from the start of a function to the rules of one base chain.

import { type Label, PROG_TYPES, type ProgType, type ProgTypeName } from '@netsieve/asm'
import { type BaseChain, type Filter, type SetDef, setsOf, VIEWS } from '@netsieve/ir'
import type { MetadataLayout } from '@netsieve/packet'
import { type Access, accessFor } from './access.ts'
import { type Dispatch, FILL } from './dispatch.ts'
import type { Emitter } from './emitter.ts'
import { dispatch, LINK } from './headers.ts'
import { type Kept, keptOf } from './kept.ts'
import { Maps } from './lookup/maps.ts'
import { type Locals, localsOf, metadataMap, metadataOfFilter, sourceFor } from './metadata.ts'
import { countsBytes, needsOf } from './needs.ts'
import type { RuleScope } from './rules.ts'
import type { Scope } from './scope.ts'
import { type StateSource, stateFor } from './state.ts'

export interface Shared {
  readonly filter: Filter
  readonly name: ProgTypeName
  readonly type: ProgType
  readonly oneByOne: boolean
  readonly counters: boolean
  readonly access: Access
  readonly maps: Maps
  readonly layout: MetadataLayout | undefined
  /** Index of the metadata's map, where there is a layout. */
  readonly metadataMap: number
  readonly locals: Locals
  readonly state: StateSource
  readonly sets: ReadonlyMap<string, SetDef>
  readonly kept: Kept
}

export function sharedBy(
  filter: Filter,
  name: ProgTypeName,
  { counters, oneByOne }: Pick<Shared, 'counters' | 'oneByOne'>,
): Shared {
  const maps = new Maps()
  const layout = metadataOfFilter(filter, name)
  return {
    ...{ filter, name, counters, oneByOne, maps, layout },
    type: PROG_TYPES[name],
    metadataMap: layout ? maps.add(metadataMap(layout)) : -1,
    access: accessFor(name),
    locals: localsOf(filter),
    state: stateFor(filter, counters, maps),
    sets: setsOf(filter),
    kept: keptOf(filter),
  }
}

/** What terms are compiled in where no header was looked for yet. */
export function startScope(shared: Shared, e: Emitter, base: BaseChain, byPointer = false): Scope {
  const { name, access, layout, metadataMap: map, locals, state, maps, sets, kept } = shared
  const metadata = sourceFor(name, base, { layout, map, locals, byPointer })
  const path = { ...FILL, kind: 'other', view: VIEWS[base.view] } as const
  return { e, access, path, netRef: LINK, metadata, state, maps, sets, kept }
}

/** Where packets of a base chain leave its rules. */
export interface Exits {
  /** Frames that the chain is not asked about. */
  readonly unseen: Label
  /** Accepted packets; none: they pass. */
  readonly onAccept: Label | undefined
  /** Packets for which there are no rules, by their network protocol. */
  readonly idle?: Dispatch['idle']
}

/** Emits the way to the headers, and what `rules` emits for each kind of frame; control does not come back. */
export function toRules(
  shared: Shared,
  scope: Scope,
  base: BaseChain,
  { unseen, onAccept, idle }: Exits,
  rules: (scope: RuleScope) => void,
): void {
  const { filter, type, oneByOne, counters } = shared
  const { e, access, maps } = scope
  dispatch({
    e,
    access,
    view: VIEWS[base.view],
    needs: maps.once(base, () => needsOf(filter, base, counters || countsBytes(filter))),
    wants: { ipv4: base.family !== 'ipv6', ipv6: base.family !== 'ipv4', other: base.family === 'any' },
    unseen,
    idle,
    tagsBeside: type.context === '__sk_buff',
    rules: (path, netRef) => rules({ ...scope, path, netRef, filter, base, type, oneByOne, onAccept }),
  })
}
