// Predicates as branches: each compiles to code that ends at `yes`, at `no`, or where a term could not be computed.

import type { Label } from '@netsieve/asm'
import { compareValues, entryOf, type Pred, type Range, type SetDef, type Term, type Test } from '@netsieve/ir'
import { contains } from './contains.ts'
import { R } from './emitter.ts'
import { findEntry } from './find.ts'
import { termBits } from './lookup/key.ts'
import { inSet } from './lookup/sets.ts'
import { excluded, known, SLOT } from './path.ts'
import { bigEndian, pieces, reach } from './reach.ts'
import { type Bits, type Failures, type Scope, setOf } from './scope.ts'
import { asBits, constant, number } from './terms.ts'

const JUMP = { '==': 'jeq', '!=': 'jne', '<': 'jlt', '<=': 'jle', '>': 'jgt', '>=': 'jge' } as const satisfies Record<
  Test,
  string
>
/** Emits a predicate; control leaves at `yes` or `no` (never falls through). */
export function branch(scope: Scope, pred: Pred, yes: Label, no: Label, failures: Failures): void {
  const { e } = scope
  if (!e.reachable) return
  switch (pred.kind) {
    case 'const':
      return e.goto(pred.value ? yes : no)
    case 'not':
      return branch(scope, pred.arg, no, yes, failures)
    case 'sure':
      return branch(scope, pred.arg, yes, no, { ...failures, missing: no })
    case 'and':
    case 'or': {
      const { args } = pred
      const last = args.length - 1
      if (last < 0) return e.goto(pred.kind === 'and' ? yes : no)
      const start = e.size
      for (let i = 0; i < last; i++) {
        const next = e.label('then')
        if (pred.kind === 'and') branch(scope, args[i]!, next, no, failures)
        else branch(scope, args[i]!, yes, next, failures)
        e.bind(next)
        if (i + 1 === FORESIGHT && last > 4 * FORESIGHT) e.foresee(start + foreseen(args, e.size - start))
      }
      return branch(scope, args[last]!, yes, no, failures)
    }
    case 'exists':
      findEntry(scope, entryOf(pred.what), { absent: no, ...failures })
      return e.goto(yes)
    case 'contains':
      return contains(scope, pred, yes, no)
    case 'cmp':
      return comparison(
        scope,
        pred,
        yes,
        no,
        zeroed(scope, failures, compareValues(0n, pred.test, pred.value) ? yes : no),
      )
    case 'in':
      return membership(
        scope,
        pred,
        yes,
        no,
        zeroed(scope, failures, pred.ranges.some(({ lo }) => lo === 0n) ? yes : no),
      )
    case 'relation':
      return relation(scope, pred, yes, no, failures)
    case 'inSet':
      return inSet(scope, setOf(scope, pred.set), pred.terms, yes, no, failures)
  }
}

/** After so many parts of a list it is told how long all will be. */
const FORESIGHT = 32

/** Slots of a list's parts, if the others are as long for what they ask as the first ones. */
function foreseen(args: readonly Pred[], size: number): number {
  let [first, all] = [0, 0]
  for (let i = 0; i < args.length; i++) {
    const tests = testsIn(args[i]!)
    all += tests
    if (i < FORESIGHT) first += tests
  }
  return first === 0 ? size : (size * all) / first
}

function testsIn(pred: Pred): number {
  if (pred.kind === 'not' || pred.kind === 'sure') return testsIn(pred.arg)
  if (pred.kind !== 'and' && pred.kind !== 'or') return 1
  let sum = 0
  for (let i = 0; i < pred.args.length; i++) sum += testsIn(pred.args[i]!)
  return sum
}

/** Where a view reads a missing field as 0, a single-term test on it is decided: it goes there instead. */
function zeroed({ path }: Scope, failures: Failures, decided: Label): Failures {
  return path.view.missing === 'zero' ? { ...failures, missing: decided } : failures
}

function comparison(scope: Scope, pred: Pred & { kind: 'cmp' }, yes: Label, no: Label, failures: Failures): void {
  const { e, path } = scope
  const { term, value } = pred
  const fixed = constantOf(scope, term)
  if (fixed === 'missing') return e.goto(failures.missing)
  if (fixed !== undefined) return e.goto(compareValues(fixed, pred.test, value) ? yes : no)
  if (excluded(path, term, value) && (pred.test === '==' || pred.test === '!='))
    return e.goto(pred.test === '!=' ? yes : no)
  const bits = asBits(scope, term)
  if (bits && (pred.test === '==' || pred.test === '!=')) {
    const [same, differ] = pred.test === '==' ? [yes, no] : [no, yes]
    return equality(scope, bits, value, same, differ, failures)
  }
  if (bits && bits.bytes > 8) {
    const top = (1n << BigInt(bits.bytes * 8)) - 1n
    const range = { '<': [0n, value - 1n], '<=': [0n, value], '>': [value + 1n, top], '>=': [value, top] }[
      pred.test as '<' | '<=' | '>' | '>='
    ]
    return wideRanges(scope, bits, [{ lo: range[0]!, hi: range[1]! }], yes, no, failures)
  }
  number(scope, term, failures)
  compare(scope, pred.test, value, yes, no)
}

/** A term's value where the path tells it. */
export function constantOf({ path }: Scope, term: Term): bigint | 'missing' | undefined {
  if (term.kind === 'const') return term.value
  if (term.kind === 'field') return known(path, term.field)
  if (term.kind !== 'mask') return undefined
  const inner = constantOf({ path } as Scope, term.term)
  return typeof inner === 'bigint' ? inner & term.mask : inner
}

/** R.A against a constant of at most 64 bits. */
function compare({ e }: Scope, how: Test, value: bigint, yes: Label, no: Label): void {
  if (value <= 0x7fffffffn) e.jump(JUMP[how], R.A, Number(value), yes)
  else {
    constant(e, R.B, value)
    e.jump(JUMP[how], R.A, { reg: R.B }, yes)
  }
  e.goto(no)
}

/** Masked bytes against a value, piece by piece as they lie in memory: the constants are swapped, not the packet. */
function equality(scope: Scope, bits: Bits, value: bigint, same: Label, differ: Label, failures: Failures): void {
  const { e } = scope
  const wanted = value << BigInt(bits.shift)
  const { reg, disp } = reach(scope, bits, failures)
  if ((wanted & ~bits.mask) !== 0n) return e.goto(differ)
  const scratch = reg === R.A ? R.C : R.A
  for (const { at, size } of pieces(bits.bytes)) {
    const mask = cut(bits.mask, bits.bytes, at, size)
    if (mask === 0n) continue
    e.put((c) => c.load(size, scratch, reg, disp + at))
    const full = (1n << BigInt(size * 8)) - 1n
    if (mask !== full) masked(scope, scratch, mask, size)
    piece(scope, scratch, cut(wanted, bits.bytes, at, size), size, differ)
  }
  e.goto(same)
}

/** The bytes `at..at+size` of a big-endian value of `bytes` bytes, as a little-endian number. */
function cut(value: bigint, bytes: number, at: number, size: number): bigint {
  if (size <= 4) {
    const big = Number((value >> BigInt((bytes - at - size) * 8)) & 0xffffffffn)
    if (size === 1) return BigInt(big & 0xff)
    const swapped = ((big & 0xff) << 24) | ((big & 0xff00) << 8) | ((big >>> 8) & 0xff00) | (big >>> 24)
    return BigInt(swapped >>> (32 - 8 * size))
  }
  let out = 0n
  for (let i = 0; i < size; i++) out |= ((value >> BigInt((bytes - 1 - at - i) * 8)) & 0xffn) << BigInt(8 * i)
  return out
}

function masked({ e }: Scope, reg: number, mask: bigint, size: number): void {
  const signed = BigInt.asIntN(64, mask)
  const narrow = size < 8 || (signed >= -0x80000000n && signed <= 0x7fffffffn)
  e.put((c) => {
    if (narrow) c.alu('and', reg, Number(BigInt.asIntN(32, mask)), size < 8 ? 32 : 64)
    else {
      c.lddw(R.B, mask)
      c.alu('and', reg, { reg: R.B })
    }
  })
}

function piece({ e }: Scope, reg: number, value: bigint, size: number, differ: Label): void {
  if (size < 8) return e.jump('jne', reg, Number(BigInt.asIntN(32, value)), differ, size === 4 ? 32 : 64)
  const signed = BigInt.asIntN(64, value)
  if (signed >= -0x80000000n && signed <= 0x7fffffffn) return e.jump('jne', reg, Number(signed), differ)
  e.put((c) => c.lddw(R.B, value))
  e.jump('jne', reg, { reg: R.B }, differ)
}

/** Up to so many ranges of up to 16 bits, up to 64 and more are compared with one after the other, or by halves; more are looked up. */
const [FEW_SHORT, FEW, FEW_WIDE] = [8, 16, 4]

/** The set that holds a predicate's ranges. */
function madeOf({ maps }: Scope, { term, ranges }: Pred & { kind: 'in' }): SetDef {
  const bits = termBits(term)
  return maps.once(ranges, () => ({
    name: `set_${maps.next()}`,
    keys: [{ bits }],
    elements: ranges.filter(({ lo, hi }) => lo <= hi).map((range) => ({ key: [range] })),
  }))
}

function membership(scope: Scope, pred: Pred & { kind: 'in' }, yes: Label, no: Label, failures: Failures): void {
  const { e } = scope
  const { term, ranges } = pred
  const fixed = constantOf(scope, term)
  if (fixed === 'missing') return e.goto(failures.missing)
  if (fixed !== undefined) return e.goto(ranges.some(({ lo, hi }) => lo <= fixed && fixed <= hi) ? yes : no)
  const bits = asBits(scope, term)
  const wide = bits !== undefined && bits.bytes > 8
  const few = wide ? FEW_WIDE : termBits(term) <= 16 ? FEW_SHORT : FEW
  if (ranges.length > few) return inSet(scope, madeOf(scope, pred), [term], yes, no, failures)
  if (wide) return wideRanges(scope, bits, ranges, yes, no, failures)
  number(scope, term, failures)
  search(scope, ranges, yes, no)
}

/** R.A in sorted ranges, by halves: as many comparisons as the number of ranges has bits. */
function search(scope: Scope, ranges: readonly Range[], yes: Label, no: Label): void {
  const { e } = scope
  if (ranges.length === 0) return e.goto(no)
  const middle = ranges.length >> 1
  const { lo, hi } = ranges[middle]!
  const below = ranges.length > 1 && middle > 0 ? e.label('below') : no
  const above = ranges.slice(middle + 1)
  if (lo === hi && ranges.length === 1) return compare(scope, '==', lo, yes, no)
  if (lo > 0n) {
    const inside = e.label('from')
    compare(scope, '<', lo, below, inside)
    e.bind(inside)
  }
  const over = above.length > 0 ? e.label('above') : no
  compare(scope, '<=', hi, yes, over)
  if (above.length > 0) {
    e.bind(over)
    search(scope, above, yes, no)
  }
  if (below !== no) {
    e.bind(below)
    search(scope, ranges.slice(0, middle), yes, no)
  }
}

/** Ranges of 9 to 16 bytes: the value in two registers, its first 8 bytes in R.A, the others in R.C. */
function wideRanges(
  scope: Scope,
  bits: Bits,
  ranges: readonly Range[],
  yes: Label,
  no: Label,
  failures: Failures,
): void {
  const { e } = scope
  const top = (1n << BigInt(bits.bytes * 8)) - 1n
  if (bits.shift !== 0 || bits.mask !== top)
    throw new Error('ranges of masked fields wider than 64 bits are not compiled')
  const place = reach(scope, bits, failures)
  if (ranges.every(({ lo, hi }) => lo > hi)) return e.goto(no)
  const lowBytes = bits.bytes - 8
  // Both halves are read before either register is written: an indexed place lies in R.A.
  // The first 8 bytes are one of them, so that loads from the stack are aligned.
  bigEndian(scope, R.C, { reg: place.reg, disp: place.disp + 8 }, lowBytes)
  e.put((c) => c.store(8, R.FP, SLOT.spill, { reg: R.C }))
  bigEndian(scope, R.C, place, 8)
  e.put((c) => {
    c.mov(R.A, { reg: R.C })
    c.load(8, R.C, R.FP, SLOT.spill)
  })
  for (const { lo, hi } of ranges) {
    const [next, from] = [e.label('next'), e.label('from')]
    if (lo > 0n) wideBound(scope, '>=', lo, lowBytes, from, next)
    e.bind(from)
    if (hi < top) wideBound(scope, '<=', hi, lowBytes, yes, next)
    else e.goto(yes)
    e.bind(next)
  }
  e.goto(no)
}

function wideBound({ e }: Scope, how: '>=' | '<=', bound: bigint, lowBytes: number, yes: Label, no: Label): void {
  const lowBits = BigInt(lowBytes * 8)
  const [beyond, short] = how === '>=' ? (['jgt', 'jlt'] as const) : (['jlt', 'jgt'] as const)
  constant(e, R.B, bound >> lowBits)
  e.jump(beyond, R.A, { reg: R.B }, yes)
  e.jump(short, R.A, { reg: R.B }, no)
  constant(e, R.B, bound & ((1n << lowBits) - 1n))
  e.jump(how === '>=' ? 'jge' : 'jle', R.C, { reg: R.B }, yes)
  e.goto(no)
}

function relation(scope: Scope, pred: Pred & { kind: 'relation' }, yes: Label, no: Label, failures: Failures): void {
  const { e, path } = scope
  if (path.view.missing === 'zero') throw new Error('views that read missing fields as 0 have no relations')
  number(scope, pred.left, failures)
  e.put((c) => c.store(8, R.FP, SLOT.spill, { reg: R.A }))
  number(scope, pred.right, failures, 1)
  e.put((c) => c.load(8, R.B, R.FP, SLOT.spill))
  e.jump(JUMP[pred.test], R.B, { reg: R.A }, yes)
  e.goto(no)
}
