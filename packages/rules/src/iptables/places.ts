// Which tables and chains a match or target may stand in: the kernel refuses it elsewhere, also in a chain that such a chain comes to. Read off
// what iptables-nft and iptables-legacy 1.8.9 answer on Linux 6.18 (test/rules/iptables/places.golden.json).

import type { Diagnostics } from '@netsieve/diag'
import type { Hook } from '../shared/index.ts'
import type { ChainState, TableState } from './apply.ts'
import type { Use } from './ast.ts'
import type { XtProfile } from './match.ts'

interface Place {
  readonly tables?: readonly string[]
  readonly hooks?: readonly Hook[]
  /** Only iptables-legacy minds. */
  readonly legacy?: true
}

const LEAVING = { hooks: ['forward', 'output', 'postrouting'] } as const
const COMING = { hooks: ['prerouting', 'input', 'forward'] } as const
const MANGLE = { tables: ['mangle'] } as const

const PLACES: Readonly<Record<string, Place>> = {
  CLASSIFY: LEAVING,
  TCPMSS: LEAVING,
  REJECT: { tables: ['filter'], hooks: ['input', 'forward', 'output'] },
  CT: { tables: ['raw'] },
  NOTRACK: { tables: ['raw'] },
  TRACE: { tables: ['raw'], legacy: true },
  ...{ CHECKSUM: MANGLE, DSCP: MANGLE, TOS: MANGLE, TTL: MANGLE, HL: MANGLE, ECN: MANGLE, TCPOPTSTRIP: MANGLE },
  owner: { hooks: ['output', 'postrouting'] },
  mac: COMING,
  realm: { hooks: ['input', 'forward', 'output', 'postrouting'] },
  rpfilter: { tables: ['raw', 'mangle'], hooks: ['prerouting'] },
}

/** Says what of a table stands where it may not. */
export function checkPlaces(table: TableState, profile: XtProfile, diagnostics: Diagnostics): void {
  const told = new Set<Use>()
  const tell = (use: Use, message: string, expected: readonly string[]): void => {
    if (told.has(use)) return
    told.add(use)
    diagnostics.error('iptables/place', message, use.span, { expected })
  }
  const placeOf = ({ name }: Use): Place => {
    const place = PLACES[name] ?? {}
    return place.legacy && profile !== 'xt-legacy' ? {} : place
  }
  const uses = (chain: ChainState) => chain.rules.flatMap((rule) => rule.uses ?? [])
  for (const chain of table.chains.values())
    for (const use of uses(chain)) {
      const { tables } = placeOf(use)
      if (tables && !tables.includes(table.name))
        tell(use, `${use.name} is not for the table ${table.name}`, tables.map((name) => `-t ${name}`)) // biome-ignore format: one message
    }
  for (const base of table.chains.values()) {
    if (!base.builtIn) continue
    const hook = base.name.toLowerCase() as Hook
    for (const chain of below(table, base))
      for (const use of uses(chain)) {
        const { hooks } = placeOf(use)
        const via = chain === base ? '' : `, which packets come from to ${chain.name}`
        if (hooks && !hooks.includes(hook))
          tell(
            use,
            `${use.name} is not for ${base.name}${via}`,
            hooks.map((each) => each.toUpperCase()),
          )
      }
  }
}

/** A chain and those that packets come to from it. */
function below(table: TableState, start: ChainState): ReadonlySet<ChainState> {
  const found = new Set([start])
  for (const chain of found)
    for (const { target } of chain.rules) {
      const next = target?.kind === 'jump' || target?.kind === 'goto' ? table.chains.get(target.chain.text) : undefined
      if (next && !next.builtIn) found.add(next)
    }
  return found
}
