// Random lists of rules over a few fields and values, as people write them: rules that cover one another, that neighbours could be joined with,
// that ask the same first, chains that are called from several places.

import {
  type Filter,
  type Pred,
  type Rule,
  type Step,
  type Term,
  type Verdict,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { type FieldId, prefixMask } from '@netsieve/packet'
import fc from 'fast-check'

const ADDRESSES = [0x0a000001n, 0x0a000002n, 0x0a000100n, 0xc0a80001n]
const ADDRESS_FIELDS = ['ipv4.src', 'ipv4.dst'] as const satisfies readonly FieldId[]
const PORT_FIELDS = ['tcp.dport', 'th.sport', 'udp.dport'] as const satisfies readonly FieldId[]
const PORTS = [0n, 22n, 53n, 80n, 443n, 1024n, 65535n]

const prefix: fc.Arbitrary<Pred> = fc
  .record({
    field: fc.constantFrom(...ADDRESS_FIELDS),
    value: fc.constantFrom(...ADDRESSES),
    length: fc.constantFrom(0, 8, 24, 31, 32),
  })
  .map(({ field, value, length }): Pred => {
    const mask = prefixMask(length, 32)
    return {
      kind: 'cmp',
      term: { kind: 'mask', term: { kind: 'field', field }, mask },
      test: '==',
      value: value & mask,
    }
  })

const port: fc.Arbitrary<Pred> = fc
  .record({
    field: fc.constantFrom(...PORT_FIELDS),
    lo: fc.constantFrom(...PORTS),
    hi: fc.constantFrom(...PORTS),
    range: fc.boolean(),
  })
  .map(({ field, lo, hi, range }): Pred => {
    const term: Term = { kind: 'field', field }
    return range && lo < hi ? { kind: 'in', term, ranges: [{ lo, hi }] } : { kind: 'cmp', term, test: '==', value: lo }
  })

function protocol(view: ViewName): fc.Arbitrary<Pred> {
  const field: FieldId = VIEWS[view].missing === 'reject' ? 'ipv4.protocol' : 'meta.l4proto'
  const test = fc.constantFrom('==' as const, '==' as const, '!=' as const)
  return fc
    .tuple(fc.constantFrom(6n, 6n, 17n), test)
    .map(([value, how]): Pred => ({ kind: 'cmp', term: { kind: 'field', field }, test: how, value }))
}

const flags: fc.Arbitrary<Pred> = fc.constantFrom<readonly [bigint, bigint]>([0x17n, 2n], [2n, 2n], [2n, 0n]).map(
  ([mask, value]): Pred => ({
    kind: 'cmp',
    term: { kind: 'mask', term: { kind: 'field', field: 'tcp.flags' }, mask },
    test: '==',
    value,
  }),
)

function compound(atom: fc.Arbitrary<Pred>): fc.Arbitrary<Pred> {
  return fc.oneof(
    { weight: 6, arbitrary: atom },
    { weight: 1, arbitrary: atom.map((arg): Pred => ({ kind: 'not', arg })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(atom, { maxLength: 3 }))
        .map(([kind, args]): Pred => ({ kind, args })),
    },
  )
}

/** A filter of one chain of up to 12 rules and two that it calls, in a view. */
export function ruleListOf(view: ViewName): fc.Arbitrary<Filter> {
  const matches = fc.tuple(
    fc.option(protocol(view), { nil: undefined, freq: 4 }),
    fc.array(compound(fc.oneof(prefix, port, port, flags)), { maxLength: 2 }),
  )
  const verdict = fc.constantFrom<Exclude<Verdict['kind'], 'act'> | 'none'>(
    'accept',
    'accept',
    'drop',
    'drop',
    'return',
    'continue',
    'jump',
    'goto',
    'none',
  )
  const one = fc.tuple(matches, verdict, fc.nat(9))
  const family = fc.constantFrom(
    ...(VIEWS[view].reach === 'ip' ? (['ipv4', 'ip'] as const) : (['any', 'ipv4'] as const)),
  )
  return fc
    .record({
      main: fc.array(one, { minLength: 3, maxLength: 12 }),
      a: fc.array(one, { maxLength: 4 }),
      b: fc.array(one, { maxLength: 3 }),
      family,
    })
    .map(({ main, a, b, family: asked }): Filter => {
      let id = 0
      const rules = (list: typeof main, calls: readonly string[]): Rule[] =>
        list.map(([[guard, preds], kind, odd]) => {
          const steps: Step[] = [...(guard ? [guard] : []), ...preds].map((pred) => ({ kind: 'match', pred }))
          if (odd === 0) steps.push({ kind: 'count' })
          const chain = calls[odd % Math.max(1, calls.length)]
          if (kind === 'jump' || kind === 'goto') {
            if (chain !== undefined) steps.push({ kind: 'verdict', verdict: { kind, chain } })
          } else if (kind !== 'none') steps.push({ kind: 'verdict', verdict: { kind } })
          return { id: id++, text: 'a rule', steps }
        })
      return {
        syntax: 'random',
        profile: 'nft-6.18',
        base: [{ chain: 'main', hook: 'input', view, family: asked, policy: 'accept' }],
        chains: [
          { name: 'main', rules: rules(main, ['a', 'b']) },
          { name: 'a', rules: rules(a, ['b']) },
          { name: 'b', rules: rules(b, []) },
        ],
      }
    })
}
