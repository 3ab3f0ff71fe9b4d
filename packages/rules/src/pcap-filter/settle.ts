// What libpcap's optimiser does that can be seen from outside: a test that changes nothing is not made, so its bytes need not be there
// (`tcp or ip` on a cut packet); and an expression that no packet can match is refused.

import { and, type DecisionGraph, decisionGraph, FALSE, idle, not, or, type Pred, TRUE, threaded } from '@netsieve/ir'
import { Fault } from './fault.ts'

/** Graphs above this many tests are left as they are: their threading would take too long. */
const LARGEST = 6000

/** The predicate without its idle tests. @throws Fault if it can never hold. */
export function settle(pred: Pred): Pred {
  let settled = pred
  let graph = decisionGraph(settled)
  if (graph.nodes.length > LARGEST) return settled
  for (;;) {
    const gone = idlePredicates(graph)
    if (gone.size === 0) break
    settled = without(settled, gone)
    graph = decisionGraph(settled)
  }
  if (threaded(graph).entry === 'no') {
    throw new Fault('rules/never', 'no packet can match this expression', undefined, {
      hint: 'parts that are joined with `and` exclude each other',
    })
  }
  return settled
}

/** Predicates all of whose tests are idle. */
function idlePredicates(graph: DecisionGraph): ReadonlySet<Pred> {
  const { nodes, idle: idleNodes } = idle(graph)
  if (idleNodes.size === 0) return new Set()
  const busy = new Set(nodes.filter((_, index) => !idleNodes.has(index)).map(({ pred }) => pred))
  return new Set(nodes.map(({ pred }) => pred).filter((pred) => !busy.has(pred)))
}

function without(pred: Pred, gone: ReadonlySet<Pred>): Pred {
  if (gone.has(pred)) return FALSE
  switch (pred.kind) {
    case 'not': {
      const arg = without(pred.arg, gone)
      return arg.kind === 'const' ? { kind: 'const', value: !arg.value } : not(arg)
    }
    case 'and':
    case 'or': {
      const decides = pred.kind === 'or'
      const args: Pred[] = []
      for (const each of pred.args) {
        const arg = without(each, gone)
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
