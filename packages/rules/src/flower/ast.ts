// The tree of a tc flower text: filters in the order of the text, values read, nothing said yet about what they mean.

import type { Span } from '@netsieve/diag'
import type { Verdict } from '@netsieve/ir'
import type { IpFlag, KeyName } from './words.ts'

export type Constraint =
  | { readonly kind: 'masked'; readonly value: bigint; readonly mask: bigint }
  | { readonly kind: 'range'; readonly lo: bigint; readonly hi: bigint }
  | { readonly kind: 'flags'; readonly flags: readonly IpFlag[] }

/** A key with its value. `lse` and `cfm_…` are parts of keys of several words; `depth` counts labels from 1. */
export interface Key {
  readonly name: KeyName | 'lse' | 'cfm_mdl' | 'cfm_op'
  readonly depth?: number
  readonly constraint: Constraint
  readonly span: Span
}

export interface Action {
  /** Copies of the packet that are sent, in words. */
  readonly copies: readonly { readonly words: string; readonly span: Span }[]
  /** What becomes of the packet; `goto` names a chain by its number. */
  readonly verdict: Verdict
}

export interface FlowerFilter {
  /** The command as written, from its first word to its last. */
  readonly text: string
  readonly span: Span
  readonly verb: 'add' | 'replace'
  /** It has no keys, and takes every packet of its protocol as it is. */
  readonly matchall?: true
  readonly hook: 'ingress' | 'egress'
  readonly dev?: string
  readonly chain: number
  /** The Ethernet type, or `all`. */
  readonly protocol: number | 'all'
  readonly protocolSpan: Span
  /** 1 to 65535, or 0: to be chosen when the filter is added. */
  readonly prio: number
  readonly prioSpan: Span
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
