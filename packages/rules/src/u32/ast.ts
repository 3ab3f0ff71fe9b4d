// The tree of a tc u32 text: filters and tables in the order of the text, with the words of bytes that they compare as Linux holds them.

import type { Span } from '@netsieve/diag'
import type { Action, Frame } from '../tc/index.ts'

/** Four bytes at a place, compared under a mask. */
export interface Key {
  /** 32 bits each, the value within the mask. */
  readonly value: number
  readonly mask: number
  /** Bytes from the network header, or where a link has moved to: a multiple of 4. */
  readonly offset: number
  /** Counted from the place that the last link with an `offset` told. */
  readonly nexthdr: boolean
  readonly span: Span
}

/** The number of a table, 1 to 0xfff, and of a bucket in it. */
export interface Bucket {
  readonly table: number
  readonly bucket: number
  readonly span: Span
}

/** How far a link moves the place that keys count from: `plus`, and what two bytes of the packet say. */
export interface Offset {
  readonly plus: number
  /** Absent: `plus` alone. */
  readonly read?: { readonly at: number; readonly mask: number; readonly shift: number }
  /** All keys of the table count from there, not only those at `nexthdr+`. */
  readonly eat: boolean
  readonly span: Span
}

/** The bits of a word that choose the bucket of the table that is linked to. */
export interface HashKey {
  readonly mask: number
  readonly at: number
  readonly span: Span
}

export interface U32Filter extends Frame {
  readonly kind: 'u32'
  /** What the filter is called by: parts that are 0 are chosen when it is added. */
  readonly handle: { readonly table: number; readonly bucket: number; readonly node: number; readonly span: Span }
  /** It makes a table with so many buckets, and matches nothing itself. */
  readonly divisor?: number
  readonly keys: readonly Key[]
  readonly mark?: { readonly value: bigint; readonly mask: bigint; readonly span: Span }
  readonly indev?: { readonly value: bigint; readonly span: Span }
  /** Where it stands; the first table of its priority if it does not say. */
  readonly home?: Bucket
  readonly link?: { readonly table: number; readonly span: Span }
  readonly offset?: Offset
  readonly hashkey?: HashKey
  /** `MAJOR:MINOR` in hexadecimal. */
  readonly classid?: string
  /** It has an action or a class, so it decides. */
  readonly terminal: boolean
  readonly action: Action
  readonly actionSpan: Span
}

export interface U32Ast {
  readonly filters: readonly U32Filter[]
}
