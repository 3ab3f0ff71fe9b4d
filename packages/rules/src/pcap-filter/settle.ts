// What libpcap's optimiser does that can be seen from outside: a test that changes nothing is not made, so its bytes need not be there
// (`tcp or ip` on a cut packet); tests of one value come together; and an expression that no packet can match is refused.

import { type DecisionGraph, decisionGraph, or, type Pred, type Term, type TestNode, TRUE } from '@netsieve/ir'
import { Fault } from './fault.ts'
import { optimized } from './optimizer.ts'
import { regrouped } from './regroup.ts'
import { relate } from './terms.ts'

/** Graphs above this many tests are left as they are: their optimisation would take too long. */
const LARGEST = 4000

/** Whether the graph of an expression is above that: it has as many tests at least as its predicate in short has comparisons. */
export function isLarge(short: Pred): boolean {
  const seen = new Set<Pred>()
  let tests = 0
  const count = (pred: Pred): void => {
    if (tests > LARGEST || seen.has(pred)) return
    seen.add(pred)
    if (pred.kind === 'not') count(pred.arg)
    else if (pred.kind === 'and' || pred.kind === 'or') for (const arg of pred.args) count(arg)
    else if (pred.kind !== 'const') tests++
  }
  count(short)
  return tests > LARGEST
}

export interface Settled {
  readonly pred: Pred
  /** The optimiser moved a test that it should not: the predicate may not be what is written. */
  readonly mistaken: boolean
}

/**
 * The predicate as libpcap's optimiser leaves it, or `short` if that is the same.
 * @param full as libpcap writes it, test by test, comparisons by `relateInFull`
 * @param named what a term is called in `short`
 * @throws Fault if it can never hold.
 */
export function settle(full: Pred, short: Pred, named: (term: Term) => Term): Settled {
  const before = decisionGraph(full)
  if (before.nodes.length > LARGEST) return { pred: short, mistaken: false }
  const { graph, changed, mistaken } = optimized(before)
  const decision = decided(graph)
  if (decision === 'no') {
    throw new Fault('rules/never', 'no packet can match this expression', undefined, {
      hint: 'parts that are joined with `and` exclude each other',
    })
  }
  // Nothing is loaded at all if nothing matters.
  if (decision === 'yes') return { pred: TRUE, mistaken }
  const pred = changed ? regrouped(graph, (node) => plainly(node, named)) : undefined
  return { pred: pred ?? short, mistaken: mistaken && pred !== undefined }
}

/** What every packet gets, if no test matters; those of constants against each other are known. */
function decided({ entry, nodes }: DecisionGraph): 'yes' | 'no' | undefined {
  let way = entry
  while (typeof way === 'number') {
    const node: TestNode = nodes[way]!
    const outcome = plainly(node, (term) => term)
    if (node.yes === node.no) way = node.yes
    else if (outcome.kind === 'const') way = outcome.value ? node.yes : node.no
    else return undefined
  }
  return way
}

const TESTS = { eq: '==', gt: '>', ge: '>=' } as const

/** A node's test in the simplest form there is; one that leads to the same place either way is made for the bytes that it needs. */
function plainly({ left, test, operand, yes, no }: TestNode, named: (term: Term) => Term): Pred {
  const right: Term = typeof operand === 'bigint' ? { kind: 'const', value: operand } : operand
  // Equality is written as a difference that is 0 until constants are known.
  const zero = right.kind === 'const' && right.value === 0n
  const difference = test === 'eq' && left.kind === 'bin' && left.op === 'sub' && zero
  const pred = difference
    ? relate(named(left.left), '==', named(left.right))
    : relate(named(left), TESTS[test], named(right))
  return yes === no && pred.kind !== 'const' ? or(pred, TRUE) : pred
}
