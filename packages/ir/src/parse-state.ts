// What IR text says that is kept from packet to packet. The grammar is in parse.ts.

import { readKeys } from './parse-sets.ts'
import type { Scan } from './scan.ts'
import type { Buckets, RecentStep, StateDef, TableStep, Term } from './types.ts'

/** `limit NAME 10 packets a 1000000000 ns burst 5` and its kin, behind the first word. */
export function readState(scan: Scan, kind: StateDef['kind'], start: number): StateDef {
  const name = scan.name()
  if (kind === 'table' || kind === 'recent') return readTable(scan, kind, name, start)
  const first = scan.needValue()
  const number = (word: string) => {
    scan.needWord(word)
    return scan.needValue()
  }
  switch (kind) {
    case 'counter': {
      const bytes = number('packets')
      scan.needWord('bytes')
      return { kind, name, packets: first, bytes, span: scan.span(start) }
    }
    case 'limit': {
      const unit = scan.oneOf(['packets', 'bytes'], 'unit')
      const per = number('a')
      scan.needWord('ns')
      const burst = number('burst')
      const each = scan.word('each') ? readBuckets(scan) : undefined
      return { kind, name, rate: first, per, burst, unit, ...(each && { each }), span: scan.span(start) }
    }
    case 'quota':
      scan.needWord('bytes')
      return { kind, name, bytes: first, used: number('used'), span: scan.span(start) }
    case 'nth':
      return { kind, name, every: first, before: number('before'), span: scan.span(start) }
  }
}

/** `32:ipv4 size 100 holds 10.0.0.1, 10.0.0.2`; `32:ipv4 size 100 stamps 32`. */
function readTable(scan: Scan, kind: 'table' | 'recent', name: string, start: number): StateDef {
  const keys = readKeys(scan)
  scan.needWord('size')
  const size = scan.integer('a number of keys')
  if (kind === 'recent') {
    scan.needWord('stamps')
    return { kind, name, keys, size, stamps: scan.integer('a number of times'), span: scan.span(start) }
  }
  const elements: bigint[][] = []
  if (scan.word('holds'))
    do {
      const key = [scan.needValue()]
      while (scan.mark('.')) key.push(scan.needValue())
      elements.push(key)
    } while (scan.mark(','))
  return { kind, name, keys, size, elements, span: scan.span(start) }
}

const DOES = { table: ['has', 'add', 'update', 'delete'], recent: ['set', 'check', 'update', 'remove'] } as const

/** The rest of a step behind `table` or `recent`. */
export function readKeeping(
  scan: Scan,
  kind: 'table' | 'recent',
  start: number,
  read: { readonly key: (scan: Scan) => readonly Term[]; readonly term: (scan: Scan) => Term },
): TableStep | RecentStep {
  const over = scan.word('not')
  const state = scan.name()
  if (kind === 'table') {
    const does = scan.oneOf(DOES.table, 'thing to do')
    const key = read.key(scan)
    return {
      kind,
      state,
      does,
      over,
      key,
      timeout: scan.word('timeout') ? scan.needValue() : 0n,
      span: scan.span(start),
    }
  }
  const does = scan.oneOf(DOES.recent, 'thing to do')
  const key = read.key(scan)
  const ttl = scan.word('ttl') ? read.term(scan) : undefined
  const within = scan.word('within') ? scan.needValue() : 0n
  const hits = scan.word('hits') ? scan.integer('a number of times') : 1
  return { kind, state, does, over, key, within, hits, ...(ttl && { ttl }), span: scan.span(start) }
}

/** `32:ipv4 . 16:port size 100 timeout 5000000000 refreshed`, behind `each`. */
function readBuckets(scan: Scan): Buckets {
  const keys = readKeys(scan)
  scan.needWord('size')
  const size = scan.integer('a number of buckets')
  scan.needWord('timeout')
  return { keys, size, timeout: scan.needValue(), refreshed: scan.word('refreshed') }
}
