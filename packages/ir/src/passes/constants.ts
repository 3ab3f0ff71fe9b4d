// Predicates in one normal form, without constants inside. Nothing is asked earlier or less often than before where that shows: an argument
// that fails to load still ends what it ended.

import { compareValues } from '../arithmetic.ts'
import { joinRanges } from '../build.ts'
import { termKey } from '../decisions.ts'
import { entryOf } from '../places.ts'
import type { Pred, Term } from '../types.ts'
import type { Pass } from './pass.ts'
import { complement, intersect, predOf, regionOf, topOf } from './regions.ts'
import { mapPreds, samePred } from './rewrite.ts'

export const constants: Pass = {
  name: 'constants',
  after:
    'prefixes, masks and ranges of one meaning are one comparison; no constant, double negation or single-armed list is left in a predicate',
  keeps: 'rule',
  run: (filter) => mapPreds(filter, normal),
}

/** Of predicates that have others in them: these may be shared by many. */
const FORMS = new WeakMap<Pred, Pred>()

/** A predicate's normal form: the same outcome, `missing` and `cut` included, on every packet; itself if that says the same. */
export function normal(pred: Pred): Pred {
  const list = pred.kind === 'and' || pred.kind === 'or' || pred.kind === 'not'
  const known = list ? FORMS.get(pred) : undefined
  if (known) return known
  const other = formOf(pred)
  const form = samePred(other, pred) ? pred : other
  if (list) {
    FORMS.set(pred, form)
    FORMS.set(form, form)
  }
  return form
}

function formOf(pred: Pred): Pred {
  switch (pred.kind) {
    case 'const':
    case 'relation':
    case 'inSet':
    case 'exists':
    case 'contains':
      return pred
    case 'cmp':
    case 'in': {
      const term = plainTerm(pred.term)
      const plain = term === pred.term ? pred : { ...pred, term }
      if (term.kind === 'const') return truth(holds(plain, term.value))
      const region = regionOf(plain)
      return (region && predOf(region)) ?? plain
    }
    case 'not':
      return negated(normal(pred.arg))
    case 'and':
    case 'or':
      return list(pred.kind, pred.args.map(normal))
  }
}

const truth = (value: boolean): Pred => ({ kind: 'const', value })

function holds(pred: Extract<Pred, { kind: 'cmp' | 'in' }>, value: bigint): boolean {
  if (pred.kind === 'cmp') return compareValues(value, pred.test, pred.value)
  return pred.ranges.some(({ lo, hi }) => lo <= value && value <= hi)
}

/** Masks of masks are one, a mask of all bits is none. */
function plainTerm(term: Term): Term {
  if (term.kind !== 'mask') return term
  const inner = plainTerm(term.term)
  if (inner.kind === 'const') return { kind: 'const', value: inner.value & term.mask }
  if (inner.kind === 'mask') return plainTerm({ kind: 'mask', term: inner.term, mask: inner.mask & term.mask })
  const bits =
    inner.kind === 'field' || inner.kind === 'load'
      ? regionOf({ kind: 'in', term: inner, ranges: [] })?.bits
      : undefined
  return bits !== undefined && term.mask === topOf(bits) ? inner : { kind: 'mask', term: inner, mask: term.mask }
}

const OPPOSITE = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' } as const

/** The negation of a normal form: true and false change places, a failure stays one. */
export function negated(pred: Pred): Pred {
  switch (pred.kind) {
    case 'const':
      return truth(!pred.value)
    case 'not':
      return pred.arg
    case 'relation':
      return { ...pred, test: OPPOSITE[pred.test] }
    case 'cmp':
    case 'in': {
      const region = regionOf(pred)
      const outside = region && predOf({ ...region, ranges: complement(region.ranges, topOf(region.bits)) })
      return outside ?? { kind: 'not', arg: pred }
    }
    case 'inSet':
    case 'exists':
    case 'contains':
    case 'and':
    case 'or':
      return { kind: 'not', arg: pred }
  }
}

/** And or or of normal forms: flat, without what is known when it is asked, ended by the first constant that decides. */
function list(kind: 'and' | 'or', args: readonly Pred[]): Pred {
  const decides = kind === 'or'
  const out: Pred[] = []
  const seen = new Set<string>()
  for (const arg of args.flatMap((each) => (each.kind === kind ? each.args : [each]))) {
    if (arg.kind === 'const' && arg.value !== decides) continue
    const key = predKey(arg)
    // Asked again, it says the same: it did not decide before.
    if (seen.has(key)) continue
    seen.add(key)
    const last = out.at(-1)
    const joined = last && together(kind, last, arg)
    if (joined) out[out.length - 1] = joined
    else out.push(arg)
    if (arg.kind === 'const') break
  }
  const [first, second] = out
  if (!first) return truth(!decides)
  return second ? { kind, args: out } : first
}

/** Two neighbouring comparisons of one term as one. */
function together(kind: 'and' | 'or', a: Pred, b: Pred): Pred | undefined {
  const [x, y] = [regionOf(a), regionOf(b)]
  if (!x || !y || x.key !== y.key) return undefined
  return predOf({
    ...x,
    ranges: kind === 'and' ? intersect(x.ranges, y.ranges) : joinRanges([...x.ranges, ...y.ranges]),
  })
}

/** A predicate as text: equal texts, equal outcomes. */
export function predKey(pred: Pred): string {
  switch (pred.kind) {
    case 'const':
      return String(pred.value)
    case 'cmp':
      return `${termKey(pred.term)} ${pred.test} ${pred.value}`
    case 'in':
      return `${termKey(pred.term)} in ${pred.ranges.map(({ lo, hi }) => `${lo}-${hi}`)}`
    case 'relation':
      return `${termKey(pred.left)} ${pred.test} (${termKey(pred.right)})`
    case 'inSet':
      return `${pred.terms.map(termKey).join(' . ')} in @${pred.set}`
    case 'contains':
      return `contains(${pred.from} ${pred.to} ${pred.bytes} ${pred.nocase})`
    case 'exists':
      return `exists(${termKey(entryOf(pred.what))})`
    case 'not':
      return `not(${predKey(pred.arg)})`
    case 'and':
    case 'or':
      return `${pred.kind}(${pred.args.map(predKey).join()})`
  }
}
