// What IR text says that is kept from packet to packet. The grammar is in parse.ts.

import { readKeys } from './parse-sets.ts'
import type { Scan } from './scan.ts'
import type { Buckets, StateDef } from './types.ts'

/** `limit NAME 10 packets a 1000000000 ns burst 5` and its kin, behind the first word. */
export function readState(scan: Scan, kind: StateDef['kind'], start: number): StateDef {
  const name = scan.name()
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

/** `32:ipv4 . 16:port size 100 timeout 5000000000 refreshed`, behind `each`. */
function readBuckets(scan: Scan): Buckets {
  const keys = readKeys(scan)
  scan.needWord('size')
  const size = scan.integer('a number of buckets')
  scan.needWord('timeout')
  return { keys, size, timeout: scan.needValue(), refreshed: scan.word('refreshed') }
}
