// What libpcap's optimiser does that can be seen from outside: a test that changes nothing is not made, so its bytes need not be there
// (`tcp or ip` on a cut packet); and an expression that no packet can match is refused.

import {
  and,
  type DecisionGraph,
  decisionGraph,
  FALSE,
  idle,
  not,
  or,
  type Pred,
  type TestNode,
  TRUE,
  threaded,
} from '@netsieve/ir'
import { Fault } from './fault.ts'
import { plainly } from './terms.ts'

/** Graphs above this many tests are left as they are: their threading would take too long. */
const LARGEST = 1500

/**
 * The predicate without its idle tests, or `short` if it has none.
 * @param full as libpcap would write it, comparisons by `relateInFull`
 * @throws Fault if it can never hold.
 */
export function settle(full: Pred, short: Pred): Pred {
  let settled = full
  let graph = decisionGraph(settled)
  if (graph.nodes.length > LARGEST) return short
  for (;;) {
    const gone = idlePredicates(graph)
    if (gone.size === 0) break
    settled = simplified(settled, gone)
    graph = decisionGraph(settled)
  }
  const decision = decided(threaded(graph))
  if (decision === 'no') {
    throw new Fault('rules/never', 'no packet can match this expression', undefined, {
      hint: 'parts that are joined with `and` exclude each other',
    })
  }
  // Nothing is loaded at all if nothing matters.
  if (decision === 'yes') return TRUE
  return settled === full ? short : simplified(settled, 'constants')
}

/** What every packet gets, if no test matters; those of constants against each other are known. */
function decided({ entry, nodes }: DecisionGraph): 'yes' | 'no' | undefined {
  let way = entry
  while (typeof way === 'number') {
    const node: TestNode = nodes[way]!
    const outcome = node.pred.kind === 'relation' ? plainly(node.pred) : node.pred
    if (outcome.kind !== 'const') return undefined
    way = outcome.value !== turned(node) ? node.yes : node.no
  }
  return way
}

/** Predicates that are one idle test each, and what may stand for them. */
function idlePredicates(graph: DecisionGraph): ReadonlyMap<Pred, boolean> {
  const { nodes, outcomes } = idle(graph)
  const uses = new Map<Pred, number>()
  for (const { pred } of nodes) uses.set(pred, (uses.get(pred) ?? 0) + 1)
  const gone = new Map<Pred, boolean>()
  for (const [index, outcome] of outcomes) {
    const node = nodes[index]!
    if (uses.get(node.pred) === 1) gone.set(node.pred, outcome !== turned(node))
  }
  return gone
}

/** The test of the node is the opposite of its predicate. */
function turned({ pred }: TestNode): boolean {
  return (pred.kind === 'relation' || pred.kind === 'cmp') && ['!=', '<', '<='].includes(pred.test)
}

/** Without some predicates; or, at last, with comparisons in plain form and those of constants decided. */
function simplified(pred: Pred, gone: ReadonlyMap<Pred, boolean> | 'constants'): Pred {
  if (gone === 'constants') {
    if (pred.kind === 'relation') return plainly(pred)
  } else {
    const outcome = gone.get(pred)
    if (outcome !== undefined) return outcome ? TRUE : FALSE
  }
  switch (pred.kind) {
    case 'not': {
      const arg = simplified(pred.arg, gone)
      return arg.kind === 'const' ? { kind: 'const', value: !arg.value } : not(arg)
    }
    case 'and':
    case 'or': {
      const decides = pred.kind === 'or'
      const args: Pred[] = []
      for (const each of pred.args) {
        const arg = simplified(each, gone)
        if (arg.kind === 'const' && arg.value !== decides) continue
        args.push(arg)
        // What follows is never asked; what came before still is, for the bytes that it needs.
        if (arg.kind === 'const') break
      }
      if (args.length === 0) return decides ? FALSE : TRUE
      return decides ? or(...args) : and(...args)
    }
    default:
      return pred
  }
}
