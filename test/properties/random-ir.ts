// Random filters of the IR, every kind of term and predicate, for properties. Values are drawn near what frames hold.

import {
  type BaseChain,
  type BinOp,
  type Family,
  type Filter,
  type Pred,
  type Rule,
  samePlaces,
  type Term,
  type Verdict,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, protocol } from '@netsieve/packet'
import fc from 'fast-check'

/** Metadata and searches in lists have properties of their own (metadata.test.ts, lists.test.ts). */
const FIELD_IDS = (Object.keys(FIELDS) as FieldId[]).filter(
  (id) => !isMetadata(id) && !protocol(FIELDS[id].proto).entry,
)
const COMMON = [
  0n,
  1n,
  4n,
  5n,
  6n,
  17n,
  20n,
  40n,
  44n,
  58n,
  80n,
  443n,
  53n,
  0x0800n,
  0x86ddn,
  0x8100n,
  0x0a000001n,
  0x0a000002n,
]

function value(bits: number): fc.Arbitrary<bigint> {
  const top = (1n << BigInt(bits)) - 1n
  return fc.oneof(
    fc.constantFrom(...COMMON.filter((number) => number <= top), top, top >> 1n),
    fc.bigInt({ min: 0n, max: top }),
  )
}

const fieldTerm: fc.Arbitrary<{ term: Term; bits: number }> = fc
  .constantFrom(...FIELD_IDS)
  .map((field) => ({ term: { kind: 'field', field } as const, bits: FIELDS[field].bits }))

const base = fc.constantFrom('link' as const, 'net' as const, 'transport' as const)

const rawTerm: fc.Arbitrary<{ term: Term; bits: number }> = fc
  .tuple(base, fc.nat(300), fc.integer({ min: 1, max: 57 }))
  .map(([from, bit, bits]) => ({ term: { kind: 'raw', base: from, bit, bits } as const, bits }))

function loadTerm(arithmetic: boolean): fc.Arbitrary<{ term: Term; bits: number }> {
  const index: fc.Arbitrary<Term | undefined> = arithmetic
    ? fc.option(
        fc.record({ at: fc.nat(60), mask: fc.constantFrom(0x3n, 0x3cn, 0xffn) }).map(
          ({ at, mask }): Term => ({
            kind: 'bin',
            op: 'and',
            left: { kind: 'load', base: 'link', offset: at, bytes: 1 },
            right: { kind: 'const', value: mask },
          }),
        ),
        { nil: undefined },
      )
    : fc.constant(undefined)
  return fc.tuple(base, fc.nat(48), fc.constantFrom(1, 2, 3, 4, 6, 8), index).map(([from, offset, bytes, extra]) => ({
    term: { kind: 'load', base: from, offset, bytes, ...(extra && { index: extra }) } as const,
    bits: bytes * 8,
  }))
}

/** Walks are libpcap's alone. */
const walk: fc.Arbitrary<Term> = fc.record({
  kind: fc.constant('walk' as const),
  family: fc.constantFrom('ipv4' as const, 'ipv6' as const),
  net: fc.constantFrom(14, 14, 14, 18, 0),
  until: fc.constantFrom(6, 17, 44, 51, 58, 59, 0, 300),
})

function simpleTerm(arithmetic: boolean, walks: boolean): fc.Arbitrary<{ term: Term; bits: number }> {
  const plain = fc.oneof(
    { weight: 8, arbitrary: fieldTerm },
    { weight: 2, arbitrary: loadTerm(arithmetic) },
    { weight: 2, arbitrary: rawTerm },
    ...(walks ? [{ weight: 1, arbitrary: walk.map((term) => ({ term, bits: 32 })) }] : []),
  )
  const masked = plain.chain(({ term, bits }) =>
    value(bits).map((mask) => ({ term: { kind: 'mask', term, mask } as Term, bits })),
  )
  return fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: masked })
}

const test = fc.constantFrom('==' as const, '!=' as const, '<' as const, '<=' as const, '>' as const, '>=' as const)

/** Comparisons and sets of one term; wide masked terms for equality only, as `check` has it. */
function atom(arithmetic: boolean, walks: boolean): fc.Arbitrary<Pred> {
  const single = simpleTerm(arithmetic, walks).chain(({ term, bits }): fc.Arbitrary<Pred> => {
    const equality = bits > 64 && term.kind === 'mask'
    const how = equality ? fc.constantFrom('==' as const, '!=' as const) : test
    const cmp = fc.tuple(how, value(bits)).map(([op, right]): Pred => ({ kind: 'cmp', term, test: op, value: right }))
    if (equality) return cmp
    const set = fc
      .uniqueArray(value(bits), { minLength: 2, maxLength: 12 })
      .map((points) => [...points].sort((a, b) => (a < b ? -1 : 1)))
      .map((points): Pred => {
        const ranges: { lo: bigint; hi: bigint }[] = []
        for (let i = 0; i + 1 < points.length; i += 2) ranges.push({ lo: points[i]!, hi: points[i + 1]! })
        return { kind: 'in', term, ranges: ranges.filter(({ lo }, i) => i === 0 || lo > ranges[i - 1]!.hi + 1n) }
      })
    return fc.oneof({ weight: 3, arbitrary: cmp }, { weight: 1, arbitrary: set })
  })
  if (!arithmetic) return single
  return fc.oneof({ weight: 3, arbitrary: single }, { weight: 1, arbitrary: relation })
}

const narrow: fc.Arbitrary<Term> = fc.oneof(
  fc.constantFrom(...FIELD_IDS.filter((id) => FIELDS[id].bits <= 32)).map((field): Term => ({ kind: 'field', field })),
  fc
    .tuple(base, fc.nat(60), fc.constantFrom(1, 2, 4))
    .map(([from, offset, bytes]): Term => ({ kind: 'load', base: from, offset, bytes })),
  fc.nat(70000).map((number): Term => ({ kind: 'const', value: BigInt(number) })),
  fc.constant<Term>({ kind: 'length' }),
)

const operator = fc.constantFrom<BinOp>('add', 'sub', 'mul', 'div', 'mod', 'and', 'or', 'xor', 'lsh', 'rsh')

const sum: fc.Arbitrary<Term> = fc.letrec<{ sum: Term }>((tie) => ({
  sum: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    narrow,
    fc.tuple(operator, tie('sum'), tie('sum')).map(([op, left, right]): Term => ({ kind: 'bin', op, left, right })),
  ),
})).sum

const relation: fc.Arbitrary<Pred> = fc
  .tuple(sum, test, sum)
  .map(([left, op, right]): Pred => ({ kind: 'relation', left, test: op, right }))

function pred(arithmetic: boolean, walks: boolean): fc.Arbitrary<Pred> {
  return fc.letrec<{ pred: Pred }>((tie) => ({
    pred: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      atom(arithmetic, walks),
      fc.array(tie('pred'), { minLength: 0, maxLength: 3 }).map((args): Pred => ({ kind: 'and', args })),
      fc.array(tie('pred'), { minLength: 0, maxLength: 3 }).map((args): Pred => ({ kind: 'or', args })),
      tie('pred').map((arg): Pred => ({ kind: 'not', arg })),
      tie('pred').map((arg): Pred => ({ kind: 'sure', arg })),
      fc.boolean().map((truth): Pred => ({ kind: 'const', value: truth })),
    ),
  })).pred
}

/** `meta.*` is unknown to a view that follows no headers (libpcap's expressions never name it). */
function usable(view: ViewName, filter: Filter): boolean {
  return (
    view !== 'pcap' ||
    !JSON.stringify(filter, (_, part) => (typeof part === 'bigint' ? String(part) : part)).includes('"meta.')
  )
}

/** Views that a match may have of its own. */
const STEP_VIEWS: readonly ViewName[] = ['xt-compat']

/** A filter of one or two base chains of a view, with chains that are jumped to. */
export function filterOf(view: ViewName): fc.Arbitrary<Filter> {
  const arithmetic = VIEWS[view].missing !== 'zero'
  const verdicts = fc.constantFrom<Exclude<Verdict['kind'], 'act'> | 'none'>(
    'accept',
    'drop',
    'return',
    'continue',
    'jump',
    'goto',
    'none',
  )
  const seenAs = fc.constantFrom<ViewName | undefined>(
    undefined,
    ...STEP_VIEWS.filter((other) => samePlaces(view, other)),
  )
  const step = fc.tuple(fc.array(fc.tuple(pred(arithmetic, view === 'pcap'), seenAs), { maxLength: 2 }), verdicts)
  const chain = fc.array(step, { maxLength: 4 })
  const family =
    VIEWS[view].reach === 'ip' ? fc.constantFrom<Family>('ipv4', 'ipv6', 'ip') : fc.constantFrom<Family>('any', 'ipv4')
  const policy = fc.constantFrom<'accept' | 'drop'>('accept', 'drop')
  return fc
    .record({
      main: chain,
      second: chain,
      called: chain,
      family,
      policies: fc.tuple(policy, policy),
      two: fc.boolean(),
    })
    .map(({ main, second, called, family: kind, policies, two }): Filter => {
      let id = 0
      const rules = (steps: typeof main, callable: boolean): Rule[] =>
        steps.map(([preds, verdict]) => ({
          id: id++,
          text: 'a rule',
          steps: [
            ...preds.map(([one, as]) => ({ kind: 'match', pred: one, ...(as && { view: as }) }) as const),
            ...(verdict === 'none' ? [] : [{ kind: 'verdict', verdict: verdictOf(verdict, callable) } as const]),
          ],
        }))
      const baseChain = (name: string, at: 0 | 1): BaseChain => ({
        chain: name,
        hook: 'input',
        view,
        family: kind,
        policy: policies[at],
      })
      return {
        syntax: 'random',
        profile: 'nft-6.18',
        base: [baseChain('main', 0), ...(two ? [baseChain('second', 1)] : [])],
        chains: [
          { name: 'main', rules: rules(main, true) },
          { name: 'second', rules: rules(second, true) },
          { name: 'called', rules: rules(called, false) },
        ],
      }
    })
    .filter((filter) => usable(view, filter))
}

function verdictOf(kind: Exclude<Verdict['kind'], 'act'>, callable: boolean): Verdict {
  if (kind !== 'jump' && kind !== 'goto') return { kind }
  return callable ? { kind, chain: 'called' } : { kind: 'drop' }
}
