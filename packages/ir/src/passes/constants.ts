// Predicates in one normal form, without constants inside. Nothing is asked earlier or less often than before where that shows: an argument
// that fails to load still ends what it ended.

import { maskPrefix } from '@netsieve/packet'
import { compareValues } from '../arithmetic.ts'
import { joinRanges } from '../build.ts'
import { termKey } from '../decisions.ts'
import { entryOf } from '../places.ts'
import type { Filter, Pred, Term } from '../types.ts'
import type { Pass } from './pass.ts'
import { bare, bitsOf, blockPrefix, complement, intersect, predOf, regionOf, topOf } from './regions.ts'
import { mapPreds, samePred } from './rewrite.ts'

export const constants: Pass = {
  name: 'constants',
  after:
    'prefixes, masks and ranges of one meaning are one comparison; no constant, double negation or single-armed list is left in a predicate',
  keeps: 'rule',
  run(filter) {
    const after = mapPreds(filter, normal)
    NORMAL.add(after)
    return after
  },
}

/** Filters whose matches are all in normal form. */
const NORMAL = new WeakSet<Filter>()

/** Gives the normal forms of a filter's predicates; of one that has no others, themselves. */
export function normalIn(filter: Filter): (pred: Pred) => Pred {
  return NORMAL.has(filter) ? (pred) => pred : normal
}

/** Of predicates that have others in them: these may be shared by many. */
const FORMS = new WeakMap<Pred, Pred>()

/** A predicate's normal form: the same outcome, `missing` and `cut` included, on every packet; itself if that says the same. */
export function normal(pred: Pred): Pred {
  if (isNormal(pred)) return pred
  if (pred.kind !== 'and' && pred.kind !== 'or' && pred.kind !== 'not') return formOf(pred)
  const known = FORMS.get(pred)
  if (known) return known
  const form = formOf(pred)
  if (!isShallow(pred)) {
    FORMS.set(pred, form)
    FORMS.set(form, form)
  }
  return form
}

/** Whether a predicate has only such in it as have no others: its form is found as soon as it is looked up. */
function isShallow(pred: Pred): boolean {
  if (pred.kind !== 'and' && pred.kind !== 'or') return false
  for (let i = 0; i < pred.args.length; i++) {
    const { kind } = pred.args[i]!
    if (kind === 'and' || kind === 'or' || kind === 'not' || kind === 'sure') return false
  }
  return true
}

/** Whether a comparison is in normal form, as most are: a value, a prefix or a range that nothing shorter says. */
function isNormal(pred: Pred): boolean {
  if (pred.kind !== 'cmp' && pred.kind !== 'in') return false
  const term = pred.term.kind === 'mask' ? pred.term.term : pred.term
  if (term.kind !== 'field' && term.kind !== 'load') return false
  const bits = bitsOf(term)!
  const top = topOf(bits)
  if (pred.kind === 'in') {
    const [only, more] = pred.ranges
    if (!only || more || term !== pred.term) return false
    return only.lo > 0n && only.lo < only.hi && only.hi < top && blockPrefix(only, bits) === undefined
  }
  const { value } = pred
  if (pred.test !== '==') return false
  if (pred.term.kind !== 'mask') return value >= 0n && value <= top
  const { mask } = pred.term
  const prefix = maskPrefix(mask, bits)
  if (prefix === undefined || prefix === 0 || prefix === bits) return false
  return value > 0n && (value & mask) === value && value + (top ^ mask) !== top
}

/** The form of a list, itself if that says the same. */
function listForm(pred: Pred & { kind: 'and' | 'or' }): Pred {
  const { kind, args } = pred
  let forms: Pred[] | undefined
  for (let i = 0; i < args.length; i++) {
    const form = normal(args[i]!)
    if (form !== args[i]) forms ??= args.slice(0, i)
    forms?.push(form)
  }
  if (forms) return list(kind, forms)
  if (isSettled(kind, args)) return pred
  const made = list(kind, args)
  return samePred(made, pred) ? pred : made
}

/** Whether a list of normal forms is one: none of them is needless, or says together with another what one could. */
function isSettled(kind: 'and' | 'or', args: readonly Pred[]): boolean {
  if (args.length < 2) return false
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg.kind === kind || arg.kind === 'const' || (i > 0 && together(kind, args[i - 1]!, arg))) return false
  }
  return sumsOfSeveral(args) === undefined
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
      const form = (region && predOf(region)) ?? plain
      return samePred(form, pred) ? pred : form
    }
    case 'not': {
      const form = negated(normal(pred.arg))
      return samePred(form, pred) ? pred : form
    }
    case 'sure': {
      const arg = normal(pred.arg)
      if (arg.kind === 'const' || arg.kind === 'sure') return arg
      return arg === pred.arg ? pred : { kind: 'sure', arg }
    }
    case 'and':
    case 'or':
      return listForm(pred)
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
    case 'sure':
      return { kind: 'not', arg: pred }
  }
}

/** And or or of normal forms: flat, without what is known when it is asked, ended by the first constant that decides. */
function list(kind: 'and' | 'or', args: readonly Pred[]): Pred {
  const decides = kind === 'or'
  const out: Pred[] = []
  const all = args.some((each) => each.kind === kind) ? args.flatMap((each) => (each.kind === kind ? each.args : [each])) : args // biome-ignore format: one choice
  const twice = sumsOfSeveral(all)
  const seen = new Set<string>()
  for (const arg of all) {
    if (arg.kind === 'const' && arg.value !== decides) continue
    if (twice?.has(sumOf(arg))) {
      const key = predKey(arg)
      // Asked again, it says the same: it did not decide before.
      if (seen.has(key)) continue
      seen.add(key)
    }
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

/** The sums that several of the predicates have: these can have one key. Undefined if there are none. */
function sumsOfSeveral(preds: readonly Pred[]): ReadonlySet<number> | undefined {
  if (!isRepeated(preds, signOf)) return undefined
  const [once, twice] = [new Set<number>(), new Set<number>()]
  for (let i = 0; i < preds.length; i++) {
    const sum = sumOf(preds[i]!)
    if (once.has(sum)) twice.add(sum)
    else once.add(sum)
  }
  return twice.size > 0 ? twice : undefined
}

/** Lists of so few are compared one by one. */
const FEW = 8

function isRepeated(preds: readonly Pred[], numberOf: (pred: Pred) => number): boolean {
  if (preds.length > FEW) return new Set(preds.map(numberOf)).size < preds.length
  const numbers: number[] = []
  for (let i = 0; i < preds.length; i++) {
    const number = numberOf(preds[i]!)
    if (numbers.includes(number)) return true
    numbers.push(number)
  }
  return false
}

/** Equal keys, equal numbers: of a list, only what it begins and ends with. */
function signOf(pred: Pred): number {
  if (pred.kind === 'not') return ~signOf(pred.arg)
  if ((pred.kind !== 'and' && pred.kind !== 'or') || pred.args.length === 0) return sumOf(pred)
  return (Math.imul(signOf(pred.args[0]!), 31) + signOf(pred.args.at(-1)!) + pred.args.length) | 0
}

/** Equal keys, equal sums. */
function sumOf(pred: Pred): number {
  switch (pred.kind) {
    case 'cmp':
      return mixed(pred.test.charCodeAt(0), pred.value)
    case 'in': {
      let sum = pred.ranges.length
      for (const { lo, hi } of pred.ranges) sum = mixed(mixed(sum, lo), hi)
      return sum
    }
    case 'not':
      return ~sumOf(pred.arg)
    case 'and':
    case 'or': {
      let sum = pred.args.length
      for (const arg of pred.args) sum = (Math.imul(sum, 31) + sumOf(arg)) | 0
      return sum
    }
    default:
      return 0
  }
}

const mixed = (sum: number, value: bigint): number => (Math.imul(sum, 31) + Number(value)) | 0

/** Two neighbouring comparisons of one term as one. */
function together(kind: 'and' | 'or', a: Pred, b: Pred): Pred | undefined {
  if ((a.kind !== 'cmp' && a.kind !== 'in') || (b.kind !== 'cmp' && b.kind !== 'in')) return undefined
  const [one, other] = [bare(a.term), bare(b.term)]
  if (one.kind !== other.kind) return undefined
  if (one.kind === 'field' && other.kind === 'field' && one.field !== other.field) return undefined
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
    case 'sure':
      return `${pred.kind}(${predKey(pred.arg)})`
    case 'and':
    case 'or':
      return `${pred.kind}(${pred.args.map(predKey).join()})`
  }
}
