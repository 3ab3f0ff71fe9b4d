// What steps keep from packet to packet: counters, token buckets, quotas, turns. Values that evaluate changes in place; time is that of packets.
// How they count is the kernel's (nft_limit, nft_quota, xt_limit, xt_quota, xt_statistic of Linux 6.18): recorded in test/golden.

import { newTable, type Recent, type Table } from './tables.ts'
import type { Buckets, Filter, StateDef } from './types.ts'

export interface Count {
  packets: bigint
  bytes: bigint
}

type Limit = Extract<StateDef, { kind: 'limit' }>

export interface Bucket {
  tokens: bigint
  last: bigint
  /** When it runs out. */
  until: bigint
}

/** Everything that a filter keeps. */
export interface FilterState {
  readonly counters: Map<string, Count>
  /** Tokens are nanoseconds. */
  readonly limits: Map<string, { tokens: bigint; last: bigint }>
  /** Of limits that have a bucket for each key, by the key's text. */
  readonly buckets: Map<string, Map<string, Bucket>>
  readonly quotas: Map<string, { used: bigint }>
  readonly turns: Map<string, { next: bigint }>
  readonly tables: Map<string, Table>
  readonly recents: Map<string, Recent>
  /** Packets and bytes that a rule counted: at its `count` steps, or with its last match where it has none. */
  readonly rules: Map<number, Count>
}

export function newState({ state = [] }: Filter): FilterState {
  const out: FilterState = {
    counters: new Map(),
    limits: new Map(),
    buckets: new Map(),
    quotas: new Map(),
    turns: new Map(),
    tables: new Map(),
    recents: new Map(),
    rules: new Map(),
  }
  for (const def of state) {
    if (def.kind === 'counter') out.counters.set(def.name, { packets: def.packets, bytes: def.bytes })
    else if (def.kind === 'limit' && def.each) out.buckets.set(def.name, new Map())
    else if (def.kind === 'limit') out.limits.set(def.name, { tokens: capacity(def), last: 0n })
    else if (def.kind === 'quota') out.quotas.set(def.name, { used: def.used })
    else if (def.kind === 'table') out.tables.set(def.name, newTable(def))
    else if (def.kind === 'recent') out.recents.set(def.name, [])
    else out.turns.set(def.name, { next: firstTurn(def) })
  }
  return out
}

/** The most tokens of a bucket, in nanoseconds. */
export function capacity({ rate, per, burst, unit }: Limit): bigint {
  return BigInt.asUintN(64, unit === 'packets' ? (per / rate) * burst : (per * (rate + burst)) / rate)
}

/** Tokens that a packet of some bytes costs. The product wraps at 64 bits, as the kernel's does. */
export function cost({ rate, per, unit }: Limit, bytes: bigint): bigint {
  return unit === 'packets' ? per / rate : BigInt.asUintN(64, per * bytes) / rate
}

/** What a turn's number is before the first packet: it grows by one a packet, and it is a packet's turn where it comes back to 0. */
export function firstTurn({ every, before }: Extract<StateDef, { kind: 'nth' }>): bigint {
  return every - 1n - before
}

/** Takes the tokens of a packet, if there are as many. */
export function takeTokens(state: { tokens: bigint; last: bigint }, def: Limit, bytes: bigint, now: bigint): boolean {
  if (now > state.last) {
    state.tokens += now - state.last
    state.last = now
  }
  const most = capacity(def)
  if (state.tokens > most) state.tokens = most
  const wanted = cost(def, bytes)
  if (state.tokens < wanted) return false
  state.tokens -= wanted
  return true
}

/** The bucket of a key, made if there is none; undefined where there is no room for it. */
export function bucketOf(
  buckets: Map<string, Bucket>,
  def: Limit & { readonly each: Buckets },
  key: readonly bigint[],
  now: bigint,
): Bucket | undefined {
  const { size, timeout, refreshed } = def.each
  const text = key.join(' ')
  const found = buckets.get(text)
  const fresh = { tokens: capacity(def), last: now, until: now + timeout }
  if (!found) {
    if (buckets.size >= size) return undefined
    buckets.set(text, fresh)
    return fresh
  }
  if (timeout > 0n && now >= found.until) Object.assign(found, fresh)
  else if (timeout > 0n && refreshed) found.until = now + timeout
  return found
}

export function count(counts: Count, bytes: bigint): void {
  counts.packets++
  counts.bytes += bytes
}

/** Whether a rule counts by its last match, because no step of it does. */
export function countsOnMatch(steps: readonly { readonly kind: string; readonly counter?: string }[]): boolean {
  return !steps.some((step) => step.kind === 'count' && step.counter === undefined)
}
