// What the functions of one view of the packet are written in.

import type { ProgTypeName } from '@netsieve/asm'
import type { Span } from '@netsieve/diag'
import type { Chain, Filter, SetDef, View, ViewName } from '@netsieve/ir'
import type { MetadataSource } from '../metadata.ts'
import type { Parts } from './parts.ts'
import type { Unit } from './unit.ts'
import type { Values } from './values.ts'

export interface Scope {
  readonly unit: Unit
  readonly type: ProgTypeName
  readonly filter: Filter
  readonly sets: ReadonlyMap<string, SetDef>
  readonly chains: ReadonlyMap<string, Chain>
  /** How often each chain is called. */
  readonly calls: ReadonlyMap<string, number>
  readonly view: View
  readonly metadata: MetadataSource
  /** Fields of the context that rules ask for, by their names. */
  readonly context: Set<string>
  /** A name as functions of this view have it: marked where a filter has several. */
  readonly name: (plain: string) => string
  /** The verdict of a rule that asks for what is not there. */
  readonly absent: 'NEXT' | 'POLICY'
  /** Of a filter that is divided: what its rules ask for, fetched before them, and how its rules are divided. */
  readonly values?: Values
  readonly parts?: Parts
  /** What is written is done before any rule. */
  readonly beforeRules?: boolean
  /** The same packets as another part of the tool sees them. */
  readonly seenAs: (view: ViewName) => Scope
}

/** What C has no way to say, in a rule or map of a place. */
export class Unsupported extends Error {
  readonly span: Span | undefined

  constructor(message: string, span?: Span) {
    super(message)
    this.span = span
  }
}

/** The head of a function that fetches a value. */
export const fetcher = (name: string, type: string, parameters = ''): string =>
  `static __always_inline int ${name}(const struct packet *p${parameters}, ${type} *value)`
