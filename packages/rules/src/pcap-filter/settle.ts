// What libpcap's optimiser does that can be seen from outside: a test that changes nothing is not made, so its bytes need not be there
// (`tcp or ip` on a cut packet); tests of one value come together; and an expression that no packet can match is refused.

import { type DecisionGraph, decisionGraph, or, type Pred, type Term, type TestNode, TRUE } from '@netsieve/ir'
import { Fault } from './fault.ts'
import { optimized } from './optimizer.ts'
import { regrouped } from './regroup.ts'
import { relate } from './terms.ts'

/** Above so many tests expressions are left as they are: their optimisation would take too long. What is a list of alternatives may be longer. */
export const LARGEST = { any: 4000, list: 24_000 } as const
/** A predicate of more tests is made anew from the graph, where that has half of them. */
const SHORT = 16

/** Tests in a predicate, of shared parts once; some number above `most` if there are more. */
export function testsOf(pred: Pred, most = Number.POSITIVE_INFINITY): number {
  const seen = new Set<Pred>()
  const open = [pred]
  let tests = 0
  for (let part = open.pop(); part && tests <= most; part = open.pop()) {
    const inner = part.kind === 'not' ? [part.arg] : part.kind === 'and' || part.kind === 'or' ? part.args : undefined
    if (!inner) {
      if (part.kind !== 'const') tests++
    } else if (!seen.has(part)) {
      seen.add(part)
      for (let i = 0; i < inner.length; i++) open.push(inner[i]!)
    }
  }
  return tests
}

export interface Settled {
  readonly pred: Pred
  /** The optimiser moved a test that it should not, or took one for told that is not: the predicate may not be what is written. */
  readonly mistaken: boolean
}

/**
 * The predicate as libpcap's optimiser leaves it, or `short` if that is the same.
 * @param full as libpcap writes it, test by test, comparisons by `relateInFull`
 * @param named what a term is called in `short`
 * @param largest tests of a graph above which it is not optimised
 * @throws Fault if it can never hold.
 */
export function settle(full: Pred, short: Pred, named: (term: Term) => Term, largest: number): Settled {
  const before = decisionGraph(full)
  if (before.nodes.length > largest) return { pred: short, mistaken: false }
  const { graph, changed, mistaken } = optimized(before)
  const decision = decided(graph)
  if (decision === 'no') {
    throw new Fault('rules/never', 'no packet can match this expression', undefined, {
      hint: mistaken
        ? "to libpcap's optimiser, which is mistaken about a test: write one that is the same once"
        : 'parts that are joined with `and` exclude each other',
    })
  }
  // Nothing is loaded at all if nothing matters.
  if (decision === 'yes') return { pred: TRUE, mistaken }
  const tests = testsOf(short)
  if (!changed && tests <= SHORT) return { pred: short, mistaken: false }
  const pred = regrouped(graph, (node) => plainly(node, named))
  if (!pred || (!changed && testsOf(pred, tests / 2) > tests / 2)) return { pred: short, mistaken: false }
  return { pred, mistaken }
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
