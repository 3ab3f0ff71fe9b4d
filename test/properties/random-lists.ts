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

const many = <T>(value: T, count: number): T[] => Array.from({ length: count }, () => value)

/** A filter of one chain of so many rules that they are compiled as one decision; some call a chain of rules that decide. */
export function longListOf(view: ViewName): fc.Arbitrary<Filter> {
  const one = fc.record({
    guard: fc.option(protocol(view), { nil: undefined, freq: 4 }),
    preds: fc.tuple(fc.oneof(prefix, port), compound(fc.oneof(prefix, port, port)), compound(fc.oneof(port, flags))),
    kind: fc.constantFrom(...many('accept', 6), ...many('drop', 6), 'call', 'return', 'count', 'count'),
  })
  return fc
    .record({
      main: fc.array(one, { minLength: 100, maxLength: 150 }),
      called: fc.array(one, { minLength: 1, maxLength: 3 }),
      family: fc.constantFrom('ipv4', 'ip'),
      counts: fc.boolean(),
    })
    .map(({ main, called, family, counts }): Filter => {
      let id = 0
      const rules = (list: typeof main, chain: string | undefined): Rule[] =>
        list.map(({ guard, preds, kind }) => {
          const steps: Step[] = [...(guard ? [guard] : []), ...preds].map((pred) => ({ kind: 'match', pred }))
          if (kind === 'count' && counts) steps.push({ kind: 'count' })
          const calls = kind === 'call' && chain !== undefined
          const verdict: Verdict = calls ? { kind: 'jump', chain } : { kind: kind === 'drop' ? 'drop' : kind === 'return' && chain !== undefined ? 'return' : 'accept' } // biome-ignore format: one value
          return { id: id++, text: 'a rule', steps: [...steps, { kind: 'verdict', verdict }] }
        })
      return {
        syntax: 'random',
        profile: 'nft-6.18',
        base: [{ chain: 'main', hook: 'input', view, family, policy: 'accept' }],
        chains: [
          { name: 'main', rules: rules(main, 'called') },
          { name: 'called', rules: rules(called, undefined) },
        ],
      }
    })
}

const numberIn = (bytes: Uint8Array, at: number, size: 2 | 4, value: bigint): void => {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn)
}

/** IPv4 and IPv6 packets that such rules ask about, with transport headers that are cut anywhere, in fragments, or behind extension headers that are. */
export const listPacket: fc.Arbitrary<Uint8Array> = fc
  .record({
    proto: fc.constantFrom(6, 6, 6, 17, 17, 1),
    src: fc.constantFrom(...ADDRESSES),
    dst: fc.constantFrom(...ADDRESSES),
    sport: fc.constantFrom(...PORTS),
    dport: fc.constantFrom(...PORTS),
    flags: fc.constantFrom(0, 2, 0x12),
    left: fc.oneof(fc.nat(24), fc.constantFrom(0, 3, 4, 7, 8, 13, 14, 19, 20, 40)),
    // What the frame has beyond the packet's end; negative: it ends before.
    beyond: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -4, max: 12 }) },
    ),
    fragment: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.constantFrom(1, 2, 0x2000, 0x2001) },
    ),
    options: fc.constantFrom(0, 0, 4),
    six: fc.option(fc.constantFrom('plain', 'hopopt', 'fragment', 'fragments', 'jumbo', 'broken', 'none'), {
      nil: undefined,
      freq: 3,
    }),
  })
  .map(({ six, ...rest }) => (six ? packetOf6(six, rest) : packetOf4(rest)))

interface Shape {
  readonly proto: number
  readonly src: bigint
  readonly dst: bigint
  readonly sport: bigint
  readonly dport: bigint
  readonly flags: number
  readonly left: number
  readonly beyond: number
  readonly fragment: number
  readonly options: number
}

/** The frame: a link header, then headers, then a transport header and zeroes; the packet ends after `left` bytes of those. */
function framed(type: number, head: Uint8Array, { sport, dport, flags, left, beyond }: Shape): Uint8Array {
  const bytes = new Uint8Array(14 + head.length + left + Math.max(0, beyond) + 20)
  numberIn(bytes, 12, 2, BigInt(type))
  bytes.set(head, 14)
  const at = 14 + head.length
  numberIn(bytes, at, 2, sport)
  numberIn(bytes, at + 2, 2, dport)
  bytes[at + 12] = 0x50
  bytes[at + 13] = flags
  return bytes.slice(0, at + Math.max(0, left + beyond))
}

function packetOf4(shape: Shape): Uint8Array {
  const head = new Uint8Array(20 + shape.options)
  head[0] = 0x40 | (head.length / 4)
  numberIn(head, 2, 2, BigInt(head.length + shape.left))
  numberIn(head, 6, 2, BigInt(shape.fragment))
  head[8] = 64
  head[9] = shape.proto
  numberIn(head, 12, 4, shape.src)
  numberIn(head, 16, 4, shape.dst)
  return framed(0x0800, head, shape)
}

function packetOf6(what: string, shape: Shape): Uint8Array {
  const { proto } = shape
  // Next header, and what follows it; the fragment header's offset counts in its upper bits.
  const chains: Readonly<Record<string, readonly [number, readonly number[]]>> = {
    plain: [proto, []],
    none: [59, []],
    hopopt: [0, [proto, 0, 1, 4, 0, 0, 0, 0]],
    fragment: [44, [proto, 0, 0, 1, 0, 0, 0, 7]],
    fragments: [44, [proto, 0, 0, 8, 0, 0, 0, 7]],
    jumbo: [0, [proto, 0, 0xc2, 4, 0, 1, 0, 0]],
    broken: [60, [43, 9, 1, 4, 0, 0, 0, 0]],
  }
  const [next, chain] = chains[what]!
  const head = new Uint8Array(40 + chain.length)
  head[0] = 0x60
  numberIn(head, 4, 2, what === 'jumbo' ? 0n : BigInt(chain.length + shape.left))
  head[6] = next
  head[7] = 64
  numberIn(head, 20, 4, shape.src)
  numberIn(head, 36, 4, shape.dst)
  head.set(chain, 40)
  return framed(0x86dd, head, shape)
}
