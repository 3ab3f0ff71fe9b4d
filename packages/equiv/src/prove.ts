// Are two filters of one view equal on every frame? By decision diagrams: equal there is equal everywhere. A difference there is only
// reported with a frame on which evaluating both filters shows it; if none can be made, the answer is that it is not known.

import { evaluate, type Filter, type Step, type Term, VIEWS, type ViewName } from '@netsieve/ir'
import { Bdd, BudgetExceeded, FALSE, type Node, TRUE } from './bdd.ts'
import { type Comparison, compare, type Decided, meaning } from './compare.ts'
import { buildFrame, PLAIN_TCP, type Plan, type Write } from './frame.ts'
import { fieldSlot, LENGTH, type Slot } from './slots.ts'
import { bitNames, dropped, loadsOf, NotModelled, presenceName, SEEN, Variables } from './symbolic.ts'

export interface ProveOptions {
  /** Nodes of the diagram at most; default 2,000,000. */
  readonly budget?: number
  /** Frames to try by `compare` where the diagram's difference cannot be made into one; default 5,000. */
  readonly runs?: number
  readonly seed?: number
}

export type Proof =
  | { readonly status: 'equal'; readonly nodes: number }
  | {
      readonly status: 'different'
      readonly frame: Uint8Array
      readonly a: Decided
      readonly b: Decided
      readonly nodes: number
    }
  | { readonly status: 'unknown'; readonly reason: string }

/** Orders of variables: which headers come first. No one order is good for all rules; the second is tried if the first is too large. */
const ORDERS = [
  ['has', 'meta', 'transport', 'net', 'link'],
  ['has', 'net', 'meta', 'transport', 'link'],
] as const

/** Compares two filters exactly. */
export function prove(a: Filter, b: Filter, { budget = 2_000_000, runs = 5000, seed = 1 }: ProveOptions = {}): Proof {
  const views = new Set([...a.base, ...b.base].map(({ view }) => view))
  if (views.size > 1)
    return { status: 'unknown', reason: `the filters see packets differently (${[...views].join(', ')})` }
  let reason = ''
  for (const order of ORDERS) {
    try {
      return withOrder(a, b, order, { budget, runs, seed })
    } catch (error) {
      if (error instanceof NotModelled) return { status: 'unknown', reason: `not modelled: ${error.message}` }
      if (!(error instanceof BudgetExceeded)) throw error
      reason = error.message
    }
  }
  return { status: 'unknown', reason }
}

function withOrder(
  a: Filter,
  b: Filter,
  order: (typeof ORDERS)[number],
  { budget, runs, seed }: Required<ProveOptions>,
): Proof {
  const bdd = new Bdd(budget)
  const loads = loadsOf([a, b])
  const variables = ordered(loads, order)
  const differ = bdd.xor(dropped(bdd, variables, a), dropped(bdd, variables, b))
  if (differ === FALSE) return { status: 'equal', nodes: bdd.size }
  const shown =
    witness(bdd, variables, loads, differ, a, b) ?? found(compare({ filter: a }, { filter: b }, { runs, seed }))
  if (shown) return { status: 'different', ...shown, nodes: bdd.size }
  return { status: 'unknown', reason: 'no frame was found that shows the difference' }
}

type Shown = { readonly frame: Uint8Array; readonly a: Decided; readonly b: Decided }

function found(result: Comparison): Shown | undefined {
  return result.status === 'different' ? { frame: result.frame, a: result.a, b: result.b } : undefined
}

function ordered(loads: readonly Term[], order: (typeof ORDERS)[number]): Variables {
  const variables = new Variables()
  variables.level(SEEN)
  for (const load of loads) variables.level(presenceName(load))
  const rank = (term: Term) => order.indexOf(baseOf(term))
  // Destination before source: the bits of a header from its end.
  const sorted = [...loads].sort((x, y) => rank(x) - rank(y) || slotOf(y).bit - slotOf(x).bit)
  for (const load of sorted) for (const name of bitNames(load) ?? []) variables.level(name)
  return variables
}

function baseOf(term: Term): (typeof ORDERS)[number][number] {
  const { base } = slotOf(term)
  return base === 'length' ? 'meta' : base
}

function slotOf(term: Term): Slot {
  if (term.kind === 'field') return fieldSlot(term.field)
  if (term.kind === 'raw') {
    const { base, bit, bits } = term
    return { key: `${base}:${bit}:${bits}`, base, bit, bits }
  }
  if (term.kind !== 'load') return LENGTH
  const [bit, bits] = [term.offset * 8, term.bytes * 8]
  return { key: `${term.base}:${bit}:${bits}`, base: term.base, bit, bits }
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
function witness(
  bdd: Bdd,
  variables: Variables,
  loads: readonly Term[],
  differ: Node,
  a: Filter,
  b: Filter,
): Shown | undefined {
  const view = (a.base[0] ?? b.base[0])?.view
  if (!view) return undefined
  for (const shape of SHAPES) {
    const plan = { ...PLAIN_TCP, ...shape }
    const here = bdd.and(differ, facts(bdd, variables, loads, view, buildFrame(plan)))
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
function facts(bdd: Bdd, variables: Variables, loads: readonly Term[], view: ViewName, frame: Uint8Array): Node {
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
  return [{ slot: slotOf(load), value }]
}
