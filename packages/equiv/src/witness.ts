// A frame from a diagram's difference, on which evaluating both filters shows it.

import { evaluate, type Filter, type Step, type Term, VIEWS, type ViewName } from '@netsieve/ir'
import { FALSE, type Node, TRUE } from './bdd.ts'
import { type Decided, meaning } from './compare.ts'
import { buildFrame, PLAIN_TCP, type Plan, type Write } from './frame.ts'
import type { Making } from './reading.ts'
import { bitNames, presenceName, SEEN, slotOfTerm, type Variables } from './variables.ts'

export interface Shown {
  readonly frame: Uint8Array
  readonly a: Decided
  readonly b: Decided
}

const SHAPES: readonly Partial<Plan>[] = [
  {},
  { net: 'ipv6' },
  { short: 0 },
  { short: 2 },
  { short: 4 },
  { short: 8 },
  { frag: 1 },
  { frag: 0x2000 },
  { frag: 0x20b9 },
  { net: 'ipv6', extensions: ['later fragment'] },
  { net: 'ipv6', extensions: ['dstopts'] },
  { net: 'ipv6', short: 0 },
  { net: 'arp' },
  { net: 'other' },
  { options: 1 },
  { tags: [{ tpid: 0x8100, tci: 5 }] },
  { oddity: 'length too long' },
  { transport: 17 },
  { transport: 1 },
]

/**
 * A frame from the diagram's difference: numbers are picked for frames of several shapes, from what is left of the difference where just
 * those fields are there that such a frame has.
 */
export function witness(making: Making, loads: readonly Term[], differ: Node, a: Filter, b: Filter): Shown | undefined {
  const { bdd, variables } = making
  const view = (a.base[0] ?? b.base[0])?.view
  if (!view) return undefined
  for (const shape of SHAPES) {
    const plan = { ...PLAIN_TCP, ...shape }
    const here = bdd.and(differ, facts(making, loads, view, buildFrame(plan)))
    for (const from of here === FALSE ? [differ] : [here, differ]) {
      const picked = bdd.pick(from, (level) => isFact(variables.names[level]!))
      const frame = buildFrame({ ...plan, writes: loads.flatMap((load) => written(load, variables, picked)) })
      const [saysA, saysB] = [meaning(a, frame), meaning(b, frame)]
      if (saysA.decision !== saysB.decision) return { frame, a: saysA, b: saysB }
    }
  }
  return undefined
}

/** What can be loaded of a frame, as a set; views that read 0 for what is not there do not tell. */
function facts({ bdd, variables }: Making, loads: readonly Term[], view: ViewName, frame: Uint8Array): Node {
  let out: Node = TRUE
  for (const load of loads) {
    if (load.kind === 'length' || VIEWS[view].missing === 'zero') continue
    const has = bdd.variable(variables.level(presenceName(load)))
    const there = evaluate(probe(load, view), frame)
    out = bdd.and(out, there.by === 'rule' ? has : bdd.not(has))
  }
  return out
}

/** Drops what a load can be made of. */
function probe(term: Term, view: ViewName): Filter {
  const steps: Step[] = [
    { kind: 'match', pred: { kind: 'cmp', term, test: '>=', value: 0n } },
    { kind: 'verdict', verdict: { kind: 'drop' } },
  ]
  return {
    syntax: 'probe',
    profile: 'nft-6.18',
    base: [{ chain: 'probe', hook: 'probe', view, family: 'any', policy: 'accept' }],
    chains: [{ name: 'probe', rules: [{ id: 0, text: '', steps }] }],
  }
}

const isFact = (name: string) => name === SEEN || name.startsWith('has ')

/** A write of what was picked for a load; none if nothing was, or if the load is picked to be missing. */
function written(load: Term, variables: Variables, picked: ReadonlyMap<number, boolean>): Write[] {
  const levels = (bitNames(load) ?? []).map((name) => variables.level(name))
  if (picked.get(variables.level(presenceName(load))) === false || !levels.some((level) => picked.has(level))) return []
  const value = levels.reduce((sum, level) => (sum << 1n) | (picked.get(level) ? 1n : 0n), 0n)
  return [{ slot: slotOfTerm(load), value }]
}
