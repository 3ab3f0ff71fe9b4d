// Chains that packets come to from no hook. They are not in the filter: lint asks for them by an option of their own.

import type { Diagnostics, Span } from '@netsieve/diag'

interface Named {
  readonly name: string
  readonly span?: Span
}

/** Warns of each chain of a table that no call leads to from `starts`, where packets come in. Code: `ir/unused`. */
export function warnUnused<Chain extends Named>(
  chains: Iterable<Chain>,
  isStart: (chain: Chain) => boolean,
  callsOf: (chain: Chain) => Iterable<Chain>,
  diagnostics: Diagnostics,
): void {
  const all = [...chains]
  const reached = new Set(all.filter(isStart))
  for (const chain of reached) for (const called of callsOf(chain)) reached.add(called)
  for (const chain of all)
    if (!reached.has(chain))
      diagnostics.warning('ir/unused', `no packet comes to the chain ${chain.name}: nothing that packets come to calls it`, chain.span) // biome-ignore format: one message
}
