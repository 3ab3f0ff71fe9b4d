// A graph of tests as a predicate: tests that go on to the same places are joined with `and` and `or`, and what several ways lead to is
// written where each of them ends.

import {
  and,
  type DecisionGraph,
  FALSE,
  inRanges,
  not,
  or,
  type Pred,
  printPred,
  type Range,
  type Term,
  type TestNode,
  TRUE,
  termKey,
  type Way,
} from '@netsieve/ir'

/** Tests of the result for each of the graph, at most: what ways share is written again and again. */
const MOST_COPIES = 8

interface Part {
  pred: Pred
  yes: Way
  no: Way
  tests: number
}

/** @returns nothing if the predicate would be much longer than the graph */
export function regrouped({ entry, nodes }: DecisionGraph, predOf: (node: TestNode) => Pred): Pred | undefined {
  const uses = new Int32Array(nodes.length)
  if (typeof entry === 'number') uses[entry]!++
  for (const { yes, no } of nodes) for (const way of [yes, no]) if (typeof way === 'number') uses[way]!++
  const parts: Part[] = []
  for (const node of nodes) {
    const part = { pred: predOf(node), yes: node.yes, no: node.no, tests: 1 }
    parts.push(part)
    while (joined(part, parts, uses));
  }
  return written(entry, parts)
}

/** Takes in a part that only this one leads to, if both go on to the same places. @returns whether there was one */
function joined(part: Part, parts: readonly Part[], uses: Int32Array): boolean {
  const own = (way: Way) => (typeof way === 'number' && uses[way] === 1 ? parts[way] : undefined)
  const [after, otherwise] = [own(part.yes), own(part.no)]
  const take = (other: Part, pred: Pred, yes: Way, no: Way): true => {
    Object.assign(part, { pred, yes, no, tests: part.tests + other.tests })
    return true
  }
  /** Two ways to one place became one. */
  const once = (way: Way) => typeof way === 'number' && uses[way]!--
  if (part.yes !== part.no) {
    if (after && after.no === part.no) {
      once(part.no)
      return take(after, and(part.pred, after.pred), after.yes, part.no)
    }
    if (after && after.yes === part.no) {
      once(part.no)
      return take(after, and(part.pred, not(after.pred)), after.no, part.no)
    }
    if (otherwise && otherwise.yes === part.yes) {
      once(part.yes)
      return take(otherwise, or(part.pred, otherwise.pred), part.yes, otherwise.no)
    }
    if (otherwise && otherwise.no === part.yes) {
      once(part.yes)
      return take(otherwise, or(part.pred, not(otherwise.pred)), part.yes, otherwise.yes)
    }
  }
  return false
}

/** What leads to `yes`, each part with all that comes after it. */
function written(entry: Way, parts: readonly Part[]): Pred | undefined {
  const made: { readonly pred: Pred; readonly tests: number }[] = []
  const of = (way: Way) => (typeof way === 'number' ? made[way]! : { pred: way === 'yes' ? TRUE : FALSE, tests: 0 })
  for (const { pred, yes, no, tests } of parts) {
    const [after, otherwise] = [of(yes), of(no)]
    made.push({ pred: choice(pred, after.pred, otherwise.pred), tests: tests + after.tests + otherwise.tests })
  }
  const { pred, tests } = of(entry)
  return tests > MOST_COPIES * parts.length + MOST_COPIES ? undefined : tidied(pred)
}

function choice(test: Pred, after: Pred, otherwise: Pred): Pred {
  if (test.kind === 'const') return test.value ? after : otherwise
  if (after === otherwise) return and(or(test, TRUE), after)
  if (after === TRUE) return otherwise === FALSE ? test : or(test, otherwise)
  if (after === FALSE) return otherwise === TRUE ? not(test) : and(not(test), otherwise)
  if (otherwise === FALSE) return and(test, after)
  if (otherwise === TRUE) return or(not(test), after)
  return or(and(test, after), excluded(otherwise, test) ? otherwise : and(not(test), otherwise))
}

/** Where `test` holds, the predicate does not, and that is told by the value alone that was looked at. */
function excluded(pred: Pred, test: Pred): boolean {
  if (test.kind !== 'cmp' || test.test !== '==') return false
  if (pred.kind === 'or') return pred.args.every((arg) => excluded(arg, test))
  if (pred.kind === 'and') return pred.args[0] !== undefined && excluded(pred.args[0], test)
  return (
    pred.kind === 'cmp' && pred.test === '==' && pred.value !== test.value && termKey(pred.term) === termKey(test.term)
  )
}

/** Alternatives by the value of one term, and what must hold besides. */
interface Case {
  readonly term: Term
  readonly ranges: readonly Range[]
  readonly rest: readonly Pred[]
}

function caseOf(pred: Pred): Case | undefined {
  const [head, ...rest] = pred.kind === 'and' ? pred.args : [pred]
  if (head?.kind === 'in') return { term: head.term, ranges: head.ranges, rest }
  if (head?.kind !== 'cmp' || head.test !== '==') return undefined
  return { term: head.term, ranges: [{ lo: head.value, hi: head.value }], rest }
}

/** `x == 6 and p or x == 17 and p` as `x in {6, 17} and p`, and no `or` in an `or`. Shared parts stay shared. */
function tidied(pred: Pred, known = new Map<Pred, Pred>()): Pred {
  const before = known.get(pred)
  if (before) return before
  const tidy = pred.kind === 'not' ? not(tidied(pred.arg, known)) : pred.kind === 'and' || pred.kind === 'or' ? joinedTidily(pred.kind, pred.args.map((arg) => tidied(arg, known))) : pred // biome-ignore format: one choice
  known.set(pred, tidy)
  return tidy
}

function joinedTidily(kind: 'and' | 'or', parts: readonly Pred[]): Pred {
  const args = parts.flatMap((arg) => (arg.kind === kind ? arg.args : [arg]))
  if (kind === 'and') return and(...args)
  const out: Pred[] = []
  /** The cases at the end of `out`: of one term, so that only one of them holds and their order does not matter. */
  let cases = new Map<string, { readonly at: number; readonly of: Case }>()
  let key = ''
  for (const arg of args) {
    const of = caseOf(arg)
    if (!of || termKey(of.term) !== key) cases = new Map()
    key = of ? termKey(of.term) : ''
    const rest = of ? of.rest.map((each) => printPred(each, true)).join(' and ') : ''
    const same = of && cases.get(rest)
    if (!of || !same) {
      if (of) cases.set(rest, { at: out.length, of })
      out.push(arg)
      continue
    }
    const joined = { ...of, ranges: [...same.of.ranges, ...of.ranges] }
    cases.set(rest, { at: same.at, of: joined })
    out[same.at] = and(inRanges(of.term, joined.ranges), ...of.rest)
  }
  return or(...out)
}
