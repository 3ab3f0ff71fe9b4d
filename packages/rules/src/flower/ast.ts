// The tree of a tc flower text: filters in the order of the text, values read, nothing said yet about what they mean.

import type { Span } from '@netsieve/diag'
import type { Action, Frame } from '../tc/index.ts'
import type { IpFlag, KeyName } from './words.ts'

export type Constraint =
  /** `family`: of an address that may be of either. */
  | { readonly kind: 'masked'; readonly value: bigint; readonly mask: bigint; readonly family?: 'ipv4' | 'ipv6' }
  | { readonly kind: 'range'; readonly lo: bigint; readonly hi: bigint }
  | { readonly kind: 'flags'; readonly flags: readonly IpFlag[] }

/** A key with its value. `lse` and `cfm_…` are parts of keys of several words; `depth` counts labels from 1. */
export interface Key {
  readonly name: KeyName | 'lse' | 'cfm_mdl' | 'cfm_op'
  readonly depth?: number
  readonly constraint: Constraint
  readonly span: Span
}

export interface FlowerFilter extends Frame {
  /** `matchall` has no keys, and takes every packet of its protocol as it is. */
  readonly kind: 'flower' | 'matchall'
  readonly handle: number
  readonly keys: readonly Key[]
  /** `MAJOR:MINOR` in hexadecimal. */
  readonly classid?: string
  readonly action: Action
  readonly actionSpan: Span
}

export interface FlowerAst {
  readonly filters: readonly FlowerFilter[]
}
