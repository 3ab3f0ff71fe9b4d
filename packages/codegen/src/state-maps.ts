// The maps in which a program keeps state, as whoever ran it reads them.
//
//   counter  packets 8 | bytes 8      limit  tokens 8 | last 8      quota  bytes used 8      nth  turn 8

import type { Count, Filter, FilterState } from '@netsieve/ir'

export const STATE_MAP = 'netsieve_state'
export const COUNTER_MAP = 'netsieve_counters'

/** Bytes of a rule's counter: packets and bytes. */
export const COUNT_BYTES = 16

/** What the counters of rules hold, by rule; rules that counted nothing are left out. */
export function readCounters(value: Uint8Array): ReadonlyMap<number, Count> {
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  const out = new Map<number, Count>()
  for (let rule = 0; (rule + 1) * COUNT_BYTES <= value.length; rule++) {
    const [packets, bytes] = [
      view.getBigUint64(rule * COUNT_BYTES, true),
      view.getBigUint64(rule * COUNT_BYTES + 8, true),
    ]
    if (packets > 0n) out.set(rule, { packets, bytes })
  }
  return out
}

/** What the map of a filter's state holds, as `evaluate` keeps it. */
export function readState(filter: Filter, value: Uint8Array): Omit<FilterState, 'rules'> {
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  const out = {
    counters: new Map(),
    limits: new Map(),
    buckets: new Map(),
    quotas: new Map(),
    turns: new Map(),
    tables: new Map(),
    recents: new Map(),
  } as Omit<FilterState, 'rules'>
  let at = 0
  const word = () => {
    at += 8
    return view.getBigUint64(at - 8, true)
  }
  for (const def of filter.state ?? []) {
    const { kind, name } = def
    // Buckets of keys, tables and lists of times have maps of their own, which are not read here.
    const each = kind === 'limit' && def.each
    if (kind === 'counter') out.counters.set(name, { packets: word(), bytes: word() })
    else if (each) out.buckets.set(name, new Map())
    else if (kind === 'limit') out.limits.set(name, { tokens: word(), last: word() })
    else if (kind === 'quota') out.quotas.set(name, { used: word() })
    else if (kind === 'table') out.tables.set(name, new Map())
    else if (kind === 'recent') out.recents.set(name, [])
    else out.turns.set(name, { next: word() })
  }
  return out
}
