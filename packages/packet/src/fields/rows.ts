// What a row of the field table is, and short ways to write the rows of one header.

import type { ProtocolName } from '../protocols.ts'

/** How a value is written and read as text. */
export const VALUE_KINDS = [
  'uint',
  'hex',
  'mac',
  'ipv4',
  'ipv6',
  'port',
  'ethertype',
  'ipproto',
  'nfproto',
  'flags',
  'ifname', // text of at most 15 characters, its bytes as a number, filled up with zeros behind
  'bytes',
  // Numbers with names (named.ts).
  'icmptype',
  'icmp6type',
  'igmptype',
  'arpop',
  'dccptype',
  'chunktype',
  'dscp',
] as const

export type ValueKind = (typeof VALUE_KINDS)[number]

export interface Field {
  readonly proto: ProtocolName
  /** From the start of the header; bit 0 is the most significant bit of its first byte, as in the RFCs' pictures. */
  readonly bit: number
  readonly bits: number
  readonly kind: ValueKind
  /** The field is there only where another one of its header has one of these values. */
  readonly when?: { readonly field: string; readonly values: readonly number[] }
}

/** `name: [bit, bits, kind]`, or with `when` behind. */
export type Cells = Readonly<Record<string, readonly [number, number, ValueKind] | readonly [number, number, ValueKind, NonNullable<Field['when']>]>> // biome-ignore format: one row

export type Rows<P extends string, C extends Cells> = { readonly [K in keyof C & string as `${P}.${K}`]: Field }

/** The rows of one header. */
export function header<const P extends ProtocolName, const C extends Cells>(proto: P, cells: C): Rows<P, C> {
  const rows: Record<string, Field> = table()
  for (const name in cells) {
    const [bit, bits, kind, when] = cells[name]!
    rows[`${proto}.${name}`] = when ? { proto, bit, bits, kind, when } : { proto, bit, bits, kind }
  }
  return rows as Rows<P, C>
}

/** The rows of several tables as one. */
export function joined<const T extends readonly object[]>(...tables: T): Joined<T> {
  const rows: Record<string, unknown> = table()
  for (const one of tables as readonly Readonly<Record<string, unknown>>[]) for (const id in one) rows[id] = one[id]
  return rows as Joined<T>
}

export type Joined<T extends readonly unknown[]> = T extends readonly [infer First, ...infer Rest]
  ? First & Joined<Rest>
  : unknown

/** Without a prototype V8 keeps properties in a hash table from the start; hundreds added to any other object take it ten times as long. */
const table = () => Object.create(null) as Record<string, never>
