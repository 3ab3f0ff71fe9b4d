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
const LARGEST = 6000

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
  if (rejectsAll(threaded(graph))) {
    throw new Fault('rules/never', 'no packet can match this expression', undefined, {
      hint: 'parts that are joined with `and` exclude each other',
    })
  }
  return settled === full ? short : simplified(settled, 'constants')
}

/** The first test leads to `no`; those of constants against each other are known. */
function rejectsAll({ entry, nodes }: DecisionGraph): boolean {
  let way = entry
  while (typeof way === 'number') {
    const node: TestNode = nodes[way]!
    const outcome = node.pred.kind === 'relation' ? plainly(node.pred) : node.pred
    if (outcome.kind !== 'const') return false
    // A node's `yes` is of its own test; an unequal or a reversed one was turned round when the graph was made.
    const turned = node.pred.kind === 'relation' && ['!=', '<', '<='].includes(node.pred.test)
    way = outcome.value !== turned ? node.yes : node.no
  }
  return way === 'no'
}

/** Predicates all of whose tests are idle. */
function idlePredicates(graph: DecisionGraph): ReadonlySet<Pred> {
  const { nodes, idle: idleNodes } = idle(graph)
  if (idleNodes.size === 0) return new Set()
  const busy = new Set(nodes.filter((_, index) => !idleNodes.has(index)).map(({ pred }) => pred))
  return new Set(nodes.map(({ pred }) => pred).filter((pred) => !busy.has(pred)))
}

/** Without some predicates; or, at last, with comparisons in plain form and those of constants decided. */
function simplified(pred: Pred, gone: ReadonlySet<Pred> | 'constants'): Pred {
  if (gone === 'constants') {
    if (pred.kind === 'relation') return plainly(pred)
  } else if (gone.has(pred)) return FALSE
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
