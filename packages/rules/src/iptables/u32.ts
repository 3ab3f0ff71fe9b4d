// The match u32 (iptables-extensions(8)): four bytes at a place of the packet, masked, shifted, or taken as the distance to other bytes, and the
// ranges that the number must lie in.

import type { Diagnostics, Span } from '@netsieve/diag'
import { and, between, FALSE, field, inRanges, load, not, type Pred, type Term } from '@netsieve/ir'
import type { Word } from '../shared/index.ts'

const OPERATORS = ['&', '<<', '>>', '@'] as const

/** `start op number op number … = range, range`. */
export interface U32Test {
  readonly start: bigint
  readonly steps: readonly { readonly op: (typeof OPERATORS)[number]; readonly number: bigint }[]
  readonly ranges: readonly { readonly lo: bigint; readonly hi: bigint }[]
}

/** As the program has them: at most so many tests, numbers of a place, and ranges. */
const MOST = { tests: 10, numbers: 10, ranges: 10 } as const
const TOKEN = /\s*(0[xX][0-9a-fA-F]+|\d+|&&|<<|>>|[&@=:,])/y

/** The tests of `--u32`, or undefined after saying what is wrong. Code: `iptables/u32`. */
export function readU32(word: Word, diagnostics: Diagnostics): readonly U32Test[] | undefined {
  return new Reader(word, diagnostics).tests()
}

class Reader {
  private readonly word: Word
  private readonly diagnostics: Diagnostics
  private at = 0
  private token: string | undefined
  private from = 0
  private failed = false

  constructor(word: Word, diagnostics: Diagnostics) {
    this.word = word
    this.diagnostics = diagnostics
    this.next()
  }

  tests(): readonly U32Test[] | undefined {
    const tests: U32Test[] = []
    do {
      const start = this.number()
      const steps: { op: (typeof OPERATORS)[number]; number: bigint }[] = []
      for (let op = this.operator(); op && !this.failed; op = this.operator()) {
        const number = this.number()
        if ((op === '<<' || op === '>>') && number > 31n) this.fail('a shift of a 32-bit number is by at most 31 bits')
        steps.push({ op, number })
      }
      if (!this.take('=')) this.fail('`=` and the values are expected', [...OPERATORS, '='])
      const ranges: { lo: bigint; hi: bigint }[] = []
      do {
        const lo = this.number()
        const hi = this.take(':') ? this.number() : lo
        if (hi < lo && !this.failed) this.fail(`${lo}:${hi} is no range: it ends before it begins`)
        ranges.push({ lo, hi })
      } while (!this.failed && this.take(','))
      if (tests.length >= MOST.tests || steps.length >= MOST.numbers || ranges.length > MOST.ranges)
        this.fail(`more than ${MOST.tests} tests, numbers of a place or ranges`)
      tests.push({ start, steps, ranges })
    } while (!this.failed && this.take('&&'))
    if (!this.failed && this.from < this.word.text.length) this.fail('this cannot stand here', ['&&', ',', ':'])
    return this.failed ? undefined : tests
  }

  private next(): void {
    TOKEN.lastIndex = this.at
    const found = TOKEN.exec(this.word.text)
    const rest = this.word.text.slice(this.at)
    this.from = this.at + rest.length - rest.trimStart().length
    this.token = found?.[1]
    this.at = found ? TOKEN.lastIndex : this.at
  }

  private take(text: string): boolean {
    if (this.token !== text) return false
    this.next()
    return true
  }

  private operator(): (typeof OPERATORS)[number] | undefined {
    return OPERATORS.find((op) => this.take(op))
  }

  private number(): bigint {
    const text = this.token
    if (text === undefined || !/^\d/.test(text)) {
      this.fail('a number is expected')
      return 0n
    }
    const number = /^0\d/.test(text) ? octal(text) : BigInt(text)
    if (number === undefined || number > 0xffffffffn) {
      this.fail(`${text} is no number of 32 bits`)
      return 0n
    }
    this.next()
    return number
  }

  /** The first thing that is wrong, at the token that it is wrong with. */
  private fail(message: string, expected?: readonly string[]): void {
    if (this.failed) return
    this.failed = true
    const { span, text } = this.word
    // A word that was quoted or escaped has its letters elsewhere than its span begins.
    const plain = span.source.text.indexOf(text, span.start)
    const start = plain >= 0 && plain + text.length <= span.end ? plain + Math.min(this.from, text.length) : span.start
    const end = plain >= 0 ? Math.min(start + (this.token?.length ?? 1), plain + text.length) : span.end
    const place: Span = { source: span.source, start, end: Math.max(end, start) }
    this.diagnostics.error('iptables/u32', message, place, expected && { expected })
  }
}

function octal(text: string): bigint | undefined {
  return /^[0-7]+$/.test(text) ? BigInt(`0o${text}`) : undefined
}

const bin = (op: 'add' | 'and' | 'lsh' | 'rsh', left: Term, right: Term): Term => ({ kind: 'bin', op, left, right })
const constant = (value: bigint): Term => ({ kind: 'const', value })

/** All tests hold. A place outside of the packet ends them: the module then does not match, before it is turned round by `!`. */
export function u32Pred(tests: readonly U32Test[], negated: boolean): Pred {
  const all = and(...tests.flatMap((test) => testPreds(test, negated)))
  return negated ? not(all) : all
}

/** `guarded`: bytes that are not there make it false, instead of ending the rule. */
function testPreds({ start, steps, ranges }: U32Test, guarded: boolean): Pred[] {
  const preds: Pred[] = []
  let base: Term | undefined
  const places = [start, ...steps.flatMap(({ op, number }) => (op === '@' ? [number] : []))]
  if (places.some((place) => place > FARTHEST)) return [FALSE]
  const four = (offset: bigint): Term => {
    const end = base ? bin('add', base, constant(offset + 4n)) : constant(offset + 4n)
    if (guarded) preds.push({ kind: 'relation', left: end, test: '<=', right: field('meta.length') })
    return load('net', Number(offset), 4, base)
  }
  let value = four(start)
  for (const { op, number } of steps) {
    if (op === '@') {
      // A distance that no packet is long enough for leads nowhere; sums of others do not pass 32 bits.
      preds.push(between(value, 0, FARTHEST))
      base = base ? bin('add', base, value) : value
      value = four(number)
    } else value = bin(op === '&' ? 'and' : op === '<<' ? 'lsh' : 'rsh', value, constant(number))
  }
  return [...preds, inRanges(value, ranges)]
}

/** Four bytes lie in no packet behind this place. */
const FARTHEST = 0xfffbn
