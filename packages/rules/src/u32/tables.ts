// The tables that Linux keeps filters in: one for each priority, and those that a text makes. All of a hook share one set of numbers. Filters of
// a bucket are asked by their own numbers. Source: net/sched/cls_u32.c (u32_change, gen_new_kid) of Linux 6.18.

import type { Diagnostics, Span } from '@netsieve/diag'
import { byChain, byPriority } from '../tc/index.ts'
import type { U32Filter } from './ast.ts'

export interface Table {
  readonly number: number
  readonly buckets: number
  /** The first table of a priority. */
  readonly root: boolean
  readonly span: Span
  readonly filters: Map<number, Bucket>
}

/** Filters by number. */
class Bucket extends Map<number, U32Filter> {
  /** None below is free. */
  private lowest = FIRST_NODE

  /** The number of a filter that has none: the lowest that is free from 0x800 on, else from 1 on; none if all are taken. */
  free(): number | undefined {
    const isTaken = (node: number): boolean => this.has(node)
    if (this.lowest >= FIRST_NODE) {
      while (this.lowest <= LAST_NODE && isTaken(this.lowest)) this.lowest++
      if (this.lowest <= LAST_NODE) return this.lowest
      this.lowest = 1
    }
    while (this.lowest < FIRST_NODE && isTaken(this.lowest)) this.lowest++
    return this.lowest < FIRST_NODE ? this.lowest : undefined
  }
}

/** A list that packets are asked about, before those of higher priorities. */
export interface Root {
  readonly prio: number
  readonly protocol: number | 'all'
  readonly protocolSpan: Span
  readonly table: Table
}

/** The number that stands for the first table of a priority, and the one that it gets. */
const ROOT = 0xfff
const FIRST_ROOT = 0x800
/** Numbers of filters that are chosen: from here on, then from 1. */
const FIRST_NODE = 0x800
const LAST_NODE = 0xfff

export interface Tables {
  readonly roots: ReadonlyMap<number, readonly Root[]>
  readonly byNumber: ReadonlyMap<number, Table>
}

/** Puts the filters of a hook where they belong, in the order of the text. Those that Linux would refuse are diagnostics. */
export function tablesOf(filters: readonly U32Filter[], diagnostics: Diagnostics): Tables {
  const byNumber = new Map<number, Table>()
  const roots = new Map<number, Map<number, Root>>()
  let number = FIRST_ROOT
  for (const [filter, prio] of priorities(filters, diagnostics)) {
    const { chain, protocol, protocolSpan, span } = filter
    const list = roots.get(chain) ?? new Map<number, Root>()
    roots.set(chain, list)
    let root = list.get(prio)
    if (!root) {
      while (byNumber.has(number)) number++
      const table: Table = { number, buckets: 1, root: true, span, filters: new Map() }
      byNumber.set(number, table)
      root = { prio, protocol, protocolSpan, table }
      list.set(prio, root)
    }
    if (filter.divisor !== undefined) make(filter, filter.divisor, byNumber, diagnostics)
    else place(filter, root.table, byNumber, diagnostics)
  }
  const byPrio = (list: ReadonlyMap<number, Root>) => [...list.values()].sort((a, b) => a.prio - b.prio)
  return { roots: new Map([...roots].map(([chain, list]) => [chain, byPrio(list)])), byNumber }
}

/** The priority of each filter, in the order of the text. */
function priorities(filters: readonly U32Filter[], diagnostics: Diagnostics): [U32Filter, number][] {
  const found = new Map<U32Filter, number>()
  for (const those of byChain(filters).values())
    for (const [prio, alike] of byPriority(those, diagnostics)) for (const filter of alike) found.set(filter, prio)
  return filters.flatMap((filter) => (found.has(filter) ? [[filter, found.get(filter)!]] : []))
}

function make(filter: U32Filter, buckets: number, byNumber: Map<number, Table>, diagnostics: Diagnostics): void {
  const { handle, span } = filter
  const other = byNumber.get(handle.table)
  if (handle.table === 0 || handle.bucket !== 0 || handle.node !== 0 || handle.table === ROOT) {
    diagnostics.error('u32/table', 'this is no number of a table', handle.span, {
      expected: ['such as 1:, up to ffe:'],
    })
  } else if (other) {
    exists(`a table ${handle.table.toString(16)}:`, handle.span, other.span, diagnostics)
  } else byNumber.set(handle.table, { number: handle.table, buckets, root: false, span, filters: new Map() })
}

function place(filter: U32Filter, root: Table, byNumber: ReadonlyMap<number, Table>, diagnostics: Diagnostics): void {
  const { home, handle, link } = filter
  const table = home && home.table !== 0 && home.table !== ROOT ? byNumber.get(home.table) : root
  const bucket = home?.bucket ?? 0
  if (!table) return unknown(home!, byNumber, diagnostics)
  if (bucket >= table.buckets) {
    const holds = table.buckets === 1 ? 'one bucket, 0' : `${table.buckets} buckets, 0 to ${(table.buckets - 1).toString(16)}` // biome-ignore format: one choice
    diagnostics.error('u32/bucket', `table ${table.number.toString(16)}: has ${holds}`, home!.span)
    return
  }
  const elsewhere = (handle.table !== 0 && handle.table !== table.number) || (handle.bucket !== 0 && handle.bucket !== bucket) // biome-ignore format: one condition
  if (elsewhere || (handle.table !== 0 && handle.node === 0)) {
    const message = elsewhere ? 'the handle names another place than `ht`' : 'this is the number of a table, not of a filter' // biome-ignore format: one choice
    diagnostics.error('u32/handle', message, handle.span, { expected: [`${table.number.toString(16)}:${bucket.toString(16)}:1, or ::1`] }) // biome-ignore format: one message
    return
  }
  if (link) {
    const target = byNumber.get(link.table)
    if (!target) return unknown(link, byNumber, diagnostics)
    if (target.root) {
      diagnostics.error('u32/link', 'Linux links to no first table of a priority', link.span)
      return
    }
  }
  const list = table.filters.get(bucket) ?? new Bucket()
  table.filters.set(bucket, list)
  const clash = list.get(handle.node)
  if (clash && filter.verb === 'add') return exists('a filter of this number', handle.span, clash.span, diagnostics)
  const node = handle.node || list.free()
  if (node !== undefined) list.set(node, filter)
  // The filters behind it have no room either: to say so once is enough.
  else if (!diagnostics.list.some(({ code }) => code === 'u32/full'))
    diagnostics.error('u32/full', `this bucket is full: Linux has room for ${LAST_NODE} filters in one`, filter.span, {
      hint: 'other priorities have tables of their own, and a table with a `divisor` has up to 256 buckets',
    })
}

/** The filters of a bucket as they are asked. */
export function inBucket({ filters }: Table, bucket: number): readonly U32Filter[] {
  return [...(filters.get(bucket) ?? [])].sort(([a], [b]) => a - b).map(([, filter]) => filter)
}

function unknown(
  { table, span }: { readonly table: number; readonly span: Span },
  byNumber: ReadonlyMap<number, Table>,
  diagnostics: Diagnostics,
): void {
  diagnostics.error('u32/table', `there is no table ${table.toString(16)}: yet`, span, {
    expected: [...byNumber.keys()].map((number) => `${number.toString(16)}:`),
    hint: `it is made by a line before this one: handle ${table.toString(16)}: u32 divisor 1`,
  })
}

function exists(what: string, span: Span, other: Span, diagnostics: Diagnostics): void {
  diagnostics.error('u32/exists', `there is ${what} already`, span, { notes: [{ message: 'this one', span: other }] })
}
