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
import { maxValue } from '@netsieve/packet'

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
  /** The same for those that can be one. */
  readonly key: string
  readonly ranges: readonly Range[]
  readonly rest: readonly Pred[]
}

function caseOf(pred: Pred): Case | undefined {
  const [head, ...rest] = pred.kind === 'and' ? pred.args : [pred]
  const ranges = head && rangesOf(head)
  if (!head || !ranges) return undefined
  const { term } = head as Extract<Pred, { kind: 'in' | 'cmp' }>
  return (rest.length === 0 && prefixes(term, ranges)) || { term, key: termKey(term), ranges, rest }
}

function rangesOf(pred: Pred): readonly Range[] | undefined {
  if (pred.kind === 'in') return pred.ranges
  return pred.kind === 'cmp' && pred.test === '==' ? [{ lo: pred.value, hi: pred.value }] : undefined
}

/** Values of a field's first bits as ranges of the field. These are kept apart from single values: several of them may hold. */
function prefixes(term: Term, ranges: readonly Range[]): Case | undefined {
  if (term.kind !== 'mask' || term.term.kind !== 'field') return undefined
  const others = maxValue(term.term.field) - term.mask
  // Nothing but zeros behind the ones.
  if (others < 0n || (others & (others + 1n)) !== 0n || ranges.some(({ lo, hi }) => lo !== hi)) return undefined
  return {
    term: term.term,
    key: `${termKey(term.term)} by its first bits`,
    ranges: ranges.map(({ lo }) => ({ lo, hi: lo | others })),
    rest: [],
  }
}

/** `x == 6 and p or x == 17 and p` as `x in {6, 17} and p`, and no `or` in an `or`. Shared parts stay shared. */
function tidied(pred: Pred): Pred {
  const known = new Map<Pred, Pred>()
  // Parts are as deep in each other as the graph is long.
  const open = [{ pred, parts: partsOf(pred), next: 0 }]
  for (let top = open[0]; top; top = open[open.length - 1]) {
    const { parts } = top
    while (top.next < parts.length && known.has(parts[top.next]!)) top.next++
    const part = parts[top.next]
    if (part) open.push({ pred: part, parts: partsOf(part), next: 0 })
    else {
      known.set(top.pred, tidyOf(top.pred, parts, known))
      open.pop()
    }
  }
  return known.get(pred)!
}

function tidyOf(pred: Pred, parts: readonly Pred[], known: ReadonlyMap<Pred, Pred>): Pred {
  if (pred.kind === 'not') return not(known.get(pred.arg)!)
  if (pred.kind !== 'and' && pred.kind !== 'or') return pred
  return joinedTidily(
    pred.kind,
    parts.map((part) => known.get(part)!),
  )
}

const NONE: readonly Pred[] = []

/** What is joined in a predicate: of an `or` in an `or` its parts, however deep. */
function partsOf(pred: Pred): readonly Pred[] {
  if (pred.kind === 'not') return [pred.arg]
  if (pred.kind !== 'and' && pred.kind !== 'or') return NONE
  const parts: Pred[] = []
  // The next one last.
  const open: Pred[] = [pred]
  for (let part = open.pop(); part; part = open.pop()) {
    if (part.kind !== pred.kind) parts.push(part)
    else for (let i = part.args.length - 1; i >= 0; i--) open.push(part.args[i]!)
  }
  return parts
}

function joinedTidily(kind: 'and' | 'or', parts: readonly Pred[]): Pred {
  // What was no `or` before can be one when it is tidy.
  const args = parts.flatMap((arg) => (arg.kind === kind ? arg.args : [arg]))
  if (kind === 'and') return and(...args)
  const out: { readonly arg: Pred; readonly of: Case | undefined; readonly ranges: Range[]; count: number }[] = []
  /** By what must hold besides: the cases at the end of `out`, of one term, so that only one of them holds and their order does not matter. */
  let cases = new Map<string, (typeof out)[number]>()
  let key: string | undefined
  for (const arg of args) {
    const of = caseOf(arg)
    if (of?.key !== key) cases = new Map()
    key = of?.key
    const rest = of ? of.rest.map((each) => printPred(each, true)).join(' and ') : ''
    const same = of && cases.get(rest)
    if (same) {
      for (const range of of.ranges) same.ranges.push(range)
      same.count++
      continue
    }
    const alone = { arg, of, ranges: [...(of?.ranges ?? [])], count: 1 }
    if (of) cases.set(rest, alone)
    out.push(alone)
  }
  return or(
    ...out.map(({ arg, of, ranges, count }) => (of && count > 1 ? and(inRanges(of.term, ranges), ...of.rest) : arg)),
  )
}
