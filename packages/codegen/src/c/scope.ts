// What the functions of one view are written in.

import type { ProgTypeName } from '@netsieve/asm'
import type { Filter, View } from '@netsieve/ir'
import type { Unit } from './unit.ts'

export interface Scope {
  readonly unit: Unit
  readonly type: ProgTypeName
  readonly filter: Filter
  readonly view: View
  /** A name as functions of this view have it: marked where a filter has several views. */
  readonly name: (plain: string) => string
  /** The verdict of a rule that asks for what is not there. */
  readonly absent: 'NEXT' | 'POLICY'
}
