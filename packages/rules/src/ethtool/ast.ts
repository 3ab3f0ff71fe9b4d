// The tree of an ethtool text: rules and deletions in the order of the text, values read.

import type { Span } from '@netsieve/diag'
import type { FieldRow } from './words.ts'

export interface FieldMatch {
  readonly name: string
  readonly row: FieldRow
  readonly value: bigint
  /** Bits that are compared: the reverse of what the user writes after `m`. */
  readonly mask: bigint
  readonly span: Span
}

export interface EthtoolRule {
  readonly kind: 'insert'
  readonly text: string
  readonly span: Span
  readonly device?: string
  readonly type: string
  readonly typeSpan: Span
  readonly fields: readonly FieldMatch[]
  /** Dropped, or received by a queue. */
  readonly action: 'drop' | { readonly queue: bigint }
  readonly actionSpan: Span
  /** Place in the table; absent: the device chooses. */
  readonly loc?: bigint
}

export interface EthtoolDelete {
  readonly kind: 'delete'
  readonly span: Span
  readonly device?: string
  readonly loc: bigint
}

export interface EthtoolAst {
  readonly commands: readonly (EthtoolRule | EthtoolDelete)[]
}
