// Keys that are kept from packet to packet: tables that steps add to and look into (nft_dynset, nft_set_hash), and lists of when packets of a
// key came (xt_recent). Values that evaluate changes in place. How they count is the kernel's (Linux 6.18): recorded in test/golden/state.

import type { RecentStep, StateDef, TableStep } from './types.ts'

type TableDef = Extract<StateDef, { kind: 'table' }>
type RecentDef = Extract<StateDef, { kind: 'recent' }>

/** Keys as text, with the time at which each is forgotten; `never`. */
export type Table = Map<string, bigint | 'never'>

export const keyText = (key: readonly bigint[]): string => key.join(' ')

export function newTable({ elements }: TableDef): Table {
  return new Map(elements.map((key) => [keyText(key), 'never']))
}

/** Whether the step holds; `full` where there is no room for its key. Keys that were forgotten take room until they are asked for again. */
export function askTable(
  table: Table,
  { size }: TableDef,
  { does, over, timeout }: TableStep,
  key: readonly bigint[],
  now: bigint,
): boolean | 'full' {
  const text = keyText(key)
  const until = table.get(text)
  const there = until === 'never' || (until !== undefined && now < until)
  switch (does) {
    case 'has':
      return there !== over
    case 'delete':
      table.delete(text)
      return true
    default:
      if (until === undefined && table.size >= size) return 'full'
      if (!there) table.set(text, timeout > 0n ? now + timeout : 'never')
      else if (does === 'update' && until !== 'never') table.set(text, now + timeout)
      return true
  }
}

/** When packets of a key came. */
interface Stamps {
  /** 0 where it is not told. */
  ttl: bigint
  /** Times that were written down, those that were written over too. */
  count: number
  /** The last times, each at its number modulo how many are kept. */
  readonly times: bigint[]
}

/** Keys with their times: what was written down longest ago first. */
export type Recent = { readonly key: string; readonly stamps: Stamps }[]

/** Whether the step holds. */
export function askRecent(
  recent: Recent,
  { size, stamps: most }: RecentDef,
  { does, over, within, hits }: RecentStep,
  { key, ttl, now }: { readonly key: readonly bigint[]; readonly ttl: bigint; readonly now: bigint },
): boolean {
  const text = keyText(key)
  const wanted = does === 'set' ? 0n : ttl
  const at = recent.findIndex(
    ({ key, stamps }) => key === text && (stamps.ttl === wanted || stamps.ttl === 0n || wanted === 0n),
  )
  const found = recent[at]
  const write = (entry: Recent[number]): void => {
    entry.stamps.times[entry.stamps.count++ % most] = now
    entry.stamps.ttl = ttl
    if (recent.includes(entry)) recent.splice(recent.indexOf(entry), 1)
    recent.push(entry)
  }
  if (!found) {
    if (does !== 'set') return over
    if (recent.length >= size) recent.shift()
    write({ key: text, stamps: { ttl, count: 0, times: [] } })
    return !over
  }
  const { count, times } = found.stamps
  if (does === 'set') {
    write(found)
    return !over
  }
  if (does === 'remove') {
    recent.splice(at, 1)
    return !over
  }
  const enough = Math.min(count, most) >= hits && (within === 0n || now - times[(count - hits) % most]! <= within)
  const holds = enough !== over
  if (does === 'update' && holds) write(found)
  return holds
}
