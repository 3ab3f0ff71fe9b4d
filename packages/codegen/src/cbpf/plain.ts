// Terms in the few shapes that classic BPF can load: fields become bytes at a place, the network header is at byte 14, what is wider than a
// word is compared word by word.

import { and, cmp, type FieldPlace, or, type Pred, placeOf, type Term, type Test } from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'

const NETWORK_HEADER = 14

/** What cannot be said in classic BPF; index.ts makes a diagnostic of it. */
export class Beyond extends Error {}

/** What predicates became: parts that stand several times in one stay shared. */
const PLAIN_PREDS = new WeakMap<Pred, Pred>()

/** The predicate with plain terms only, nothing in it wider than 32 bits. @throws Beyond */
export function plainPred(pred: Pred): Pred {
  const known = PLAIN_PREDS.get(pred)
  if (known) return known
  const plain = simplestPred(pred)
  PLAIN_PREDS.set(pred, plain)
  return plain
}

function simplestPred(pred: Pred): Pred {
  switch (pred.kind) {
    case 'const':
      return pred
    case 'contains':
      throw new Beyond('a search for bytes')
    case 'sure':
      throw new Beyond('a test that is false where a field is not there')
    case 'exists':
      throw new Beyond('a search in a list')
    case 'not':
      return { kind: 'not', arg: plainPred(pred.arg) }
    case 'and':
    case 'or':
      return { kind: pred.kind, args: pred.args.map(plainPred) }
    case 'cmp': {
      if (pred.term.kind === 'field' && pred.term.field === 'meta.direction') return outgoing(pred.test, pred.value)
      const words = wide(pred.term)
      if (!words) return { ...pred, term: plainTerm(pred.term) }
      if (pred.test !== '==' && pred.test !== '!=') throw new Beyond('order of values wider than 32 bits')
      const same = words.map(({ term, shift, bits }) => cmp(term, '==', (pred.value >> shift) & ((1n << bits) - 1n)))
      const equal = and(...same)
      return pred.test === '==' ? equal : { kind: 'not', arg: equal }
    }
    case 'in':
      if (!wide(pred.term)) return { ...pred, term: plainTerm(pred.term) }
      if (pred.ranges.some(({ lo, hi }) => lo !== hi)) throw new Beyond('ranges of values wider than 32 bits')
      return or(...pred.ranges.map(({ lo }) => plainPred(cmp(pred.term, '==', lo))))
    case 'relation':
      return { ...pred, left: plainTerm(pred.left), right: plainTerm(pred.right) }
    case 'inSet':
      throw new Beyond(`the set ${pred.set}`)
  }
}

/** What the kernel tells a classic program beside the packet: SKF_AD_OFF + SKF_AD_PKTTYPE and + SKF_AD_IFINDEX of uapi linux/filter.h. */
const PACKET_TYPE: Term = { kind: 'load', base: 'link', offset: 0xfffff004, bytes: 2 }
const INTERFACE: Term = { kind: 'load', base: 'link', offset: 0xfffff008, bytes: 4 }
const OUTGOING = 4

/** The direction by the packet's type: outgoing, or any other. */
function outgoing(test: Test, value: bigint): Pred {
  if (test !== '==' && test !== '!=') throw new Beyond('order of directions')
  const out = cmp(PACKET_TYPE, '==', OUTGOING)
  return (value === 1n) === (test === '==') ? out : { kind: 'not', arg: out }
}

interface Word {
  readonly term: Term
  readonly shift: bigint
  readonly bits: bigint
}

/** The words of a wide field: of a hardware address the last four bytes first, as libpcap compares them; else from the front. */
function wide(term: Term): readonly Word[] | undefined {
  if (term.kind !== 'field' && term.kind !== 'raw') return undefined
  if (term.kind === 'field' && FIELDS[term.field].bits <= 32) return undefined
  const { base, bit, bits } = placed(term)
  if (bits <= 32) return undefined
  if ((bit & 7) !== 0 || (bits !== 48 && (bits & 31) !== 0)) throw new Beyond(`${bits} bits from bit ${bit} on`)
  const start = bit / 8
  const word = (offset: number, bytes: number): Word => ({
    term: plainTerm({ kind: 'load', base, offset: start + offset, bytes }),
    shift: BigInt(bits - 8 * (offset + bytes)),
    bits: BigInt(8 * bytes),
  })
  if (bits === 48) return [word(2, 4), word(0, 2)]
  return Array.from({ length: bits / 32 }, (_, i) => word(4 * i, 4))
}

/** What terms became: parts that several terms share stay shared. */
const PLAIN = new WeakMap<Term, Term>()

/** @throws Beyond */
export function plainTerm(term: Term): Term {
  const known = PLAIN.get(term)
  if (known) return known
  const plain = simplest(term)
  PLAIN.set(term, plain)
  return plain
}

function simplest(term: Term): Term {
  switch (term.kind) {
    case 'const':
    case 'length':
    case 'walk':
      return term
    case 'headers':
      throw new Beyond('a list of headers')
    case 'jhash':
      throw new Beyond('a hash')
    case 'field':
    case 'raw':
      return fieldBytes(term)
    case 'find':
      throw new Beyond('a search in a list')
    case 'mask':
      return { kind: 'mask', term: plainTerm(term.term), mask: term.mask & 0xffffffffn }
    case 'bin':
      return { ...term, left: plainTerm(term.left), right: plainTerm(term.right) }
    case 'mapped':
      throw new Beyond(`the map ${term.map}`)
    case 'load': {
      const index = term.index && plainTerm(term.index)
      const [base, offset] =
        term.base === 'net' ? (['link', term.offset + NETWORK_HEADER] as const) : ([term.base, term.offset] as const)
      if (term.bytes !== 1 && term.bytes !== 2 && term.bytes !== 4) throw new Beyond(`loads of ${term.bytes} bytes`)
      return { kind: 'load', base, offset, bytes: term.bytes, ...(index && { index }) }
    }
  }
}

type Bits = Extract<Term, { kind: 'field' | 'raw' }>

/** Where bits lie, if no more than a load is needed to get at them. @throws Beyond */
function placed(term: Bits): FieldPlace {
  const place = term.kind === 'raw' ? term : placeOf(term.field)
  if (!place || place.index || ('guard' in place && place.guard))
    throw new Beyond(term.kind === 'field' ? `the field ${term.field}` : 'an index')
  return place
}

function fieldBytes(term: Bits): Term {
  if (term.kind === 'field' && term.field === 'meta.ifindex') return INTERFACE
  if (term.kind === 'field' && term.field === 'meta.protocol')
    return { kind: 'load', base: 'link', offset: 12, bytes: 2 }
  const { base, bit, bits } = placed(term)
  const first = Math.floor(bit / 8)
  const span = Math.ceil((bit + bits) / 8) - first
  if (span > 4) throw new Beyond(`${bits} bits from bit ${bit} on`)
  const bytes = span === 3 ? 4 : span
  const load = plainTerm({ kind: 'load', base, offset: first - (bytes - span), bytes })
  const below = (first + span) * 8 - (bit + bits)
  const shifted: Term =
    below === 0 ? load : { kind: 'bin', op: 'rsh', left: load, right: { kind: 'const', value: BigInt(below) } }
  // Nothing is above the field after the shift if it starts the load.
  return bits + below === bytes * 8 ? shifted : { kind: 'mask', term: shifted, mask: (1n << BigInt(bits)) - 1n }
}

/** Sets longer than this are not written out. */
const SHORT_SET = 4

/**
 * The predicate with `x in {a, b} and rest` written as `x == a and rest or x == b and rest`: more tests, but each way through them knows
 * the value of x, and what is the same in the end becomes one again.
 */
export function writtenOut(pred: Pred): Pred {
  if (pred.kind === 'not') return { kind: 'not', arg: writtenOut(pred.arg) }
  if (pred.kind === 'or') return { kind: 'or', args: pred.args.map(writtenOut) }
  if (pred.kind !== 'and') return pred
  // From the last on: what follows a set comes after each of its members.
  let tail: Pred[] = []
  for (const arg of pred.args.toReversed()) {
    const set = arg.kind === 'in' && arg.ranges.length > 1 && arg.ranges.length <= SHORT_SET && tail.length > 0
    if (!set) {
      tail.push(writtenOut(arg))
      continue
    }
    const rest = tail.reverse()
    tail = [or(...arg.ranges.map((range) => and({ ...arg, ranges: [range] }, ...rest)))]
  }
  return and(...tail.reverse())
}

/** How many tests a predicate has. Parts of one that was written out are shared, and counted as often as they stand there. */
export function testsOf(pred: Pred, known = new Map<Pred, number>()): number {
  const before = known.get(pred)
  if (before !== undefined) return before
  const parts = pred.kind === 'and' || pred.kind === 'or' ? pred.args : pred.kind === 'not' ? [pred.arg] : []
  const own = pred.kind === 'in' ? pred.ranges.length : 1
  const tests = parts.length === 0 ? own : parts.reduce((sum, part) => sum + testsOf(part, known), 0)
  known.set(pred, tests)
  return tests
}

/** Ranges of the longest list in a predicate. */
export function rangesOfLongest(pred: Pred): number {
  const seen = new Set([pred])
  let most = 0
  for (const part of seen) {
    if (part.kind === 'not' || part.kind === 'sure') seen.add(part.arg)
    else if (part.kind === 'and' || part.kind === 'or') for (const arg of part.args) seen.add(arg)
    else if (part.kind === 'in') most = Math.max(most, part.ranges.length)
  }
  return most
}
