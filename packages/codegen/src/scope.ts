// What terms and predicates are compiled in, and where they go when they cannot be computed.

import type { Label } from '@netsieve/asm'
import { type Pred, type SetDef, type Term, VIEWS, type ViewName } from '@netsieve/ir'
import type { MetadataSlot, ProtocolName } from '@netsieve/packet'
import type { Access, BaseRef } from './access.ts'
import type { Emitter } from './emitter.ts'
import type { Kept } from './kept.ts'
import type { Maps } from './lookup/maps.ts'
import type { MetadataSource } from './metadata.ts'
import type { Path } from './path.ts'
import type { StateSource } from './state.ts'

/** Where evaluation goes when a term cannot be computed. */
export interface Failures {
  readonly missing: Label
  readonly cut: Label
}

/** Everything a term is compiled in. */
export interface Scope {
  readonly e: Emitter
  readonly access: Access
  readonly path: Path
  readonly netRef: BaseRef
  readonly metadata: MetadataSource
  readonly state: StateSource
  readonly maps: Maps
  readonly sets: ReadonlyMap<string, SetDef>
  readonly kept: Kept
}

/** Whole bytes that hold a term's bits: the value is `(bytes & mask) >> shift`. */
export interface Bits {
  readonly base: 'link' | 'net' | 'transport' | MetadataSlot
  readonly offset: number
  readonly bytes: number
  readonly mask: bigint
  readonly shift: number
  readonly proto?: ProtocolName
  /** Added to the offset; `slot`: it is in its stack slot already. */
  readonly index?: Term | 'slot'
  /** Must hold, or the bytes are not there to be read. */
  readonly guard?: Pred
}

/** The same with the packet as another view has it, whose headers are at the same places. */
export function seenAs(scope: Scope, view: ViewName | undefined): Scope {
  const { path } = scope
  if (!view) return scope
  return { ...scope, path: { ...path, view: VIEWS[view], fragmentSlot: path.view.laterFragments === 'short' } }
}

/** @throws Error if there is no such set, which `check` refuses. */
export function setOf({ sets }: Scope, name: string): SetDef {
  const set = sets.get(name)
  if (!set) throw new Error(`set ${name} is not defined`)
  return set
}
