// Searches in lists: options, extension headers, chunks.

import { entryOf, type Find } from '@netsieve/ir'
import type { ProtocolName } from '@netsieve/packet'
import { type Scope, Unsupported } from './scope.ts'

/** The function `(p, &value)` of the place of an entry. */
export function findFunction(_scope: Scope, { list }: Find): string {
  throw new Unsupported(`a search in the list of ${list}`)
}

/** Whether an entry is there, as a condition. */
export function exists(_scope: Scope, what: ProtocolName | Find): string {
  throw new Unsupported(`a search in the list of ${entryOf(what).list}`)
}
