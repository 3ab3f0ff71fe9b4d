// Steps that keep something from packet to packet, or change metadata: over a whole sequence of packets, a program decides as evaluate does, and
// keeps in its maps what evaluate keeps in its state.

import { PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { COUNTER_MAP, generate, readCounters, readState, STATE_MAP } from '@netsieve/codegen'
import { source } from '@netsieve/diag'
import {
  actText,
  check,
  evaluate,
  type Filter,
  fromJson,
  newState,
  type Pred,
  parse,
  print,
  type SetKey,
  type StateDef,
  type Step,
  simplify,
  type Term,
  toJson,
  type Verdict,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, METADATA, type Metadata, type MetadataId } from '@netsieve/packet'
import fc from 'fast-check'
import { Sieve } from 'netsieve'
import { describe, expect, it } from 'vitest'
import { byForce, verifyAll } from './by-force.ts'
import { frame } from './frames.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 12)
const TYPES = (Object.keys(PROG_TYPES) as ProgTypeName[]).filter((type) => PROG_TYPES[type].firstHeader === 'link')

/** Limits that have a bucket for each key: of a small number, of a wide one, of several. */
const KEYED = [
  ['k1', ['meta.l4proto']],
  ['k2', ['ipv6.dst']],
  ['k3', ['ipv4.src', 'th.dport']],
] as const satisfies readonly (readonly [string, readonly FieldId[]])[]
const KEYS: readonly SetKey[][] = KEYED.map(([, fields]) => fields.map((id) => ({ bits: FIELDS[id].bits, kind: FIELDS[id].kind }))) // biome-ignore format: one call

/** A hash of numbers of several widths. */
const HASHED: Term = {
  kind: 'jhash',
  seed: 12_345,
  parts: [
    { term: { kind: 'field', field: 'meta.mark' }, bytes: 4, host: true },
    { term: { kind: 'field', field: 'ipv6.dst' }, bytes: 16 },
    { term: { kind: 'field', field: 'meta.l4proto' }, bytes: 1 },
    { term: { kind: 'field', field: 'eth.src' }, bytes: 6 },
    { term: { kind: 'load', base: 'net', offset: 1, bytes: 3 }, bytes: 3 },
  ],
}

/** Tables of keys, and lists of when packets of a key came. */
const TABLES = [
  ['t1', ['ipv4.src']],
  ['t2', ['ipv6.dst', 'meta.l4proto']],
] as const satisfies readonly (readonly [string, readonly FieldId[]])[]
const RECENTS = [
  ['r1', 'ipv4.src'],
  ['r2', 'ipv6.dst'],
] as const satisfies readonly (readonly [string, FieldId])[]
const keyOf = (id: FieldId): SetKey => ({ bits: FIELDS[id].bits, kind: FIELDS[id].kind })
const termOf = (id: FieldId): Term => ({ kind: 'field', field: id })

const number = (...values: readonly number[]) => fc.constantFrom(...values).map(BigInt)
const state: fc.Arbitrary<readonly StateDef[]> = fc
  .tuple(
    fc.record({
      rate: number(1, 3, 10, 1000),
      per: number(1_000_000_000, 60_000_000_000, 604_800_000_000_000),
      burst: number(1, 2, 5),
      unit: fc.constantFrom('packets', 'bytes' as const),
    }),
    fc.record({
      rate: number(1, 100, 5000),
      per: number(1_000_000_000, 3_600_000_000_000),
      burst: number(0, 100, 500),
      unit: fc.constant('bytes' as const),
    }),
    fc.record({ bytes: number(0, 100, 500, 3000), used: number(0, 60) }),
    number(1, 2, 3).chain((every) =>
      fc.record({ every: fc.constant(every), before: fc.bigInt({ min: 0n, max: every - 1n }) }),
    ),
  )
  .map(([first, second, quota, nth]) => [
    { kind: 'limit', name: 'l1', ...first, ...(first.unit === 'packets' && { rate: 3n }) },
    { kind: 'limit', name: 'l2', ...second },
    { kind: 'quota', name: 'q', ...quota },
    { kind: 'nth', name: 'n', ...nth },
    { kind: 'counter', name: 'c', packets: 5n, bytes: 7n },
    ...KEYED.map(([name], i): StateDef => {
      const { burst, ...rest } = i === 0 ? first : { ...second, burst: second.burst }
      const size = Number(quota.used) / 20 + 1 + i
      const timeout = i === 0 ? 0n : nth.before * 60_000_000_000n
      return { kind: 'limit', name, ...rest, burst, ...(rest.unit === 'packets' && { rate: 3n }), each: { keys: KEYS[i]!, size, timeout, refreshed: i === 2 } } // biome-ignore format: one value
    }),
    ...TABLES.map(([name, fields], i): StateDef => {
      const elements = i === 0 && quota.used > 0n ? [[0x0a000001n], [0x0a000002n]] : []
      return { kind: 'table', name, keys: fields.map(keyOf), size: elements.length + 1 + Number(nth.before), elements }
    }),
    ...RECENTS.map(
      ([name, id], i): StateDef => ({
        kind: 'recent',
        name,
        keys: [keyOf(id)],
        size: 1 + i + Number(nth.before),
        stamps: 4,
      }),
    ),
  ])

const SETTABLE: readonly MetadataId[] = ['meta.mark', 'meta.priority', 'meta.nftrace', 'ct.mark', 'meta.pkttype']
const settable = fc.constantFrom(...SETTABLE)
const small = fc.constantFrom(0n, 1n, 2n, 7n)

const pred: fc.Arbitrary<Pred> = fc.oneof(
  fc
    .tuple(settable, fc.constantFrom('==', '!=', '<' as const), small)
    .map(([field, test, value]): Pred => ({ kind: 'cmp', term: { kind: 'field', field }, test, value })),
  fc
    .constantFrom(6n, 17n)
    .map((value): Pred => ({ kind: 'cmp', term: { kind: 'field', field: 'meta.l4proto' }, test: '==', value })),
  fc
    .constantFrom(60n, 100n)
    .map((value): Pred => ({ kind: 'cmp', term: { kind: 'field', field: 'meta.length' }, test: '<', value })),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  pred.map((one): Step => ({ kind: 'match', pred: one })),
  fc.constantFrom<Step>(
    { kind: 'count' },
    { kind: 'count', counter: 'c' },
    { kind: 'log', words: 'prefix "a, b"; level 4' },
  ),
  fc
    .tuple(fc.constantFrom('l1', 'l2'), fc.boolean())
    .map(([name, over]): Step => ({ kind: 'limit', state: name, over })),
  fc
    .tuple(fc.constantFrom(...KEYED), fc.boolean())
    .map(([[name, fields], over]): Step => ({ kind: 'limit', state: name, over, key: fields.map((field) => ({ kind: 'field', field })) })), // biome-ignore format: one value
  fc
    .record({
      table: fc.constantFrom(...TABLES),
      does: fc.constantFrom('has', 'add', 'update', 'delete' as const),
      over: fc.boolean(),
      timeout: number(0, 60_000_000_000),
    })
    .map(({ table: [name, fields], does, over, timeout }): Step => {
      const adds = does === 'add' || does === 'update'
      return { kind: 'table', state: name, does, over: over && does === 'has', key: fields.map(termOf), timeout: adds ? timeout : 0n } // biome-ignore format: one value
    }),
  fc
    .record({
      list: fc.constantFrom(...RECENTS),
      does: fc.constantFrom('set', 'check', 'update', 'remove' as const),
      over: fc.boolean(),
      within: number(0, 60_000_000_000, 500_000_000),
      hits: fc.constantFrom(1, 2, 3, 4),
      ttl: fc.boolean(),
    })
    .map(({ list: [name, id], does, over, within, hits, ttl }): Step => {
      const checks = does === 'check' || does === 'update'
      const more = ttl && { ttl: termOf(id === 'ipv4.src' ? 'ipv4.ttl' : 'ipv6.hoplimit') }
      return { kind: 'recent', state: name, does, over, key: [termOf(id)], within: checks ? within : 0n, hits: checks ? hits : 1, ...more } // biome-ignore format: one value
    }),
  fc.boolean().map((over): Step => ({ kind: 'quota', state: 'q', over })),
  fc.boolean().map((over): Step => ({ kind: 'nth', state: 'n', over })),
  fc.constantFrom<MetadataId>('meta.mark', 'ct.mark').map((field): Step => ({ kind: 'turn', state: 'n', field })),
  fc.constantFrom<MetadataId>('meta.mark', 'ct.mark').map((field): Step => ({ kind: 'set', field, term: HASHED })),
  fc.tuple(settable, small).map(([field, value]): Step => ({ kind: 'set', field, term: { kind: 'const', value } })),
  fc.tuple(fc.constantFrom<MetadataId>('meta.mark', 'meta.priority', 'ct.mark'), settable, small).map(
    ([field, from, value]): Step => ({
      kind: 'set',
      field,
      term: { kind: 'bin', op: 'add', left: { kind: 'field', field: from }, right: { kind: 'const', value } },
    }),
  ),
)

const verdict = fc.constantFrom<Verdict | undefined>(
  { kind: 'accept' },
  { kind: 'drop' },
  { kind: 'return' },
  { kind: 'jump', chain: 'called' },
  { kind: 'act', act: 'reject', args: ['tcp reset'] },
  { kind: 'act', act: 'queue-bypass', args: ['3-5'] },
  undefined,
  undefined,
)

const rules = fc.array(fc.tuple(fc.array(step, { maxLength: 3 }), verdict), { minLength: 1, maxLength: 4 })

function filterOf(view: ViewName): fc.Arbitrary<Filter> {
  return fc
    .record({ state, main: rules, called: rules, second: rules, two: fc.boolean() })
    .map(({ state: defs, main, called, second, two }) => {
      let id = 0
      const chain = (name: string, list: typeof main) => ({
        name,
        rules: list.map(([steps, what]) => ({
          id: id++,
          text: 'a rule',
          steps: [
            ...steps,
            ...(what && !(name === 'called' && what.kind === 'jump')
              ? [{ kind: 'verdict', verdict: what } as const]
              : []),
          ],
        })),
      })
      const base = (name: string) => ({
        chain: name,
        hook: 'input',
        view,
        family: VIEWS[view].reach === 'ip' ? ('ip' as const) : ('any' as const),
        policy: 'accept' as const,
      })
      return {
        syntax: 'random',
        profile: 'nft-6.18',
        base: two ? [base('main'), base('second')] : [base('main')],
        chains: [chain('main', main), chain('called', called), chain('second', second)],
        state: defs,
      }
    })
}

const packets = fc.array(
  fc.record({
    bytes: frame,
    gap: fc.constantFrom(0n, 1_000_000n, 400_000_000n, 70_000_000_000n, -5_000_000n),
    meta: fc.record(Object.fromEntries(SETTABLE.map((id) => [id, small])) as Record<MetadataId, fc.Arbitrary<bigint>>, {
      requiredKeys: [],
    }),
  }),
  { minLength: 30, maxLength: 30 },
)

/** The passes keep what such filters decide and keep. */
function samePasses(
  filter: Filter,
  sequence: readonly { readonly bytes: Uint8Array; readonly gap: bigint; readonly meta: Metadata }[],
): void {
  const after = simplify(filter)
  if (after === filter) return
  const [one, other] = [newState(filter), newState(after)]
  let now = 0n
  for (const { bytes, gap, meta } of sequence) {
    now += gap > 0n ? gap : 0n
    const want = evaluate(filter, bytes, { meta, timestampNs: now, state: one })
    const got = evaluate(after, bytes, { meta, timestampNs: now, state: other })
    if (JSON.stringify(got) !== JSON.stringify(want))
      throw new Error(`${JSON.stringify(got)}, before ${JSON.stringify(want)}\n${print(filter)}\n${print(after)}`)
  }
  expect({ ...other, rules: 0 }).toEqual({ ...one, rules: 0 })
}

/** What the program keeps of the keys of a limit, without the keys. */
function bucketsOf({ machine }: Sieve, name: string): string[] {
  const out: string[] = []
  for (const [, value] of machine.map(name).entries()) {
    const view = new DataView(value.buffer, value.byteOffset, value.length)
    out.push([0, 8, 16].map((at) => view.getBigUint64(at, true)).join(' '))
  }
  return out.sort()
}

/** The times that the program keeps in a table. */
function timesOf({ machine }: Sieve, name: string): string[] {
  const times = machine.map(name).entries().map(([, value]) => new DataView(value.buffer, value.byteOffset).getBigUint64(0, true)) // biome-ignore format: one chain
  return [...times].map((time) => (time === (1n << 64n) - 1n ? 'never' : String(time))).sort()
}

/** Of each key in a list of times how many were written, and its time to live: the one that was written longest ago first. */
function placesOf({ machine }: Sieve, name: string): string[] {
  const value = machine.map(name).get(new Uint8Array(4))!
  const view = new DataView(value.buffer, value.byteOffset, value.length)
  const bytes = 24 + (name === 'r1' ? 8 : 16) + 8 * 4
  const places = Array.from({ length: (value.length - 8) / bytes }, (_, i) => [0, 8, 16].map((at) => view.getBigUint64(8 + i * bytes + at, true))) // biome-ignore format: one value
  return places.filter(([turn]) => turn! > 0n).sort((a, b) => Number(a[0]! - b[0]!)).map(([, count, ttl]) => `${count} ${ttl}`) // biome-ignore format: one chain
}

describe.each(
  (['nft-ip', 'nft-netdev', 'xt-ip', 'pcap'] as const).flatMap((view) => TYPES.map((type) => [view, type] as const)),
)('view %s, %s', (view, type) => {
  it('programs decide and keep what evaluate does', () => {
    let judged = 0
    let sets = 0
    fc.assert(
      fc.property(filterOf(view), packets, (filter, sequence) => {
        fc.pre(check(filter).value !== undefined)
        const text = print(filter)
        expect(print(parse(source('', text)).value!)).toBe(text)
        expect(fromJson(JSON.parse(JSON.stringify(toJson(filter)))).value).toEqual(filter)
        samePasses(filter, sequence)
        // Every other program is divided into functions, most of them into programs.
        const plan = { part: 30, inline: 0, depth: judged % 4, program: judged % 90 ? 100 : 1_000_000 }
        const options = { type, counters: true }
        const generated = judged % 60 ? byForce(filter, options, plan) : generate(filter, options)
        if (generated.programs) sets++
        const accepted = verifyAll(generated)
        if (accepted.status !== 'accepted') throw new Error(`${accepted.status}: ${accepted.message}\n${text}`)
        const sieve = new Sieve(
          { source: source('', ''), syntax: 'nft', filter, ...generated },
          judged % 90 ? 'jit' : 'interpreter',
        )
        const kept = newState(filter)
        let now = 1_700_000_000_000_000_000n
        for (const { bytes, gap, meta } of sequence) {
          now += gap
          const got = sieve.judge(bytes, { timestampNs: now }, meta)
          const want = evaluate(filter, bytes, { meta, timestampNs: now, state: kept })
          const last = filter.base.length > 1 && want.decision === 'pass'
          if (
            got.fault ||
            got.verdict !== want.decision ||
            (!last && (got.rule ?? undefined) !== want.rule) ||
            (!last && got.act !== (want.act && actText(want.act)))
          )
            throw new Error(
              `program: ${JSON.stringify(got)}, meaning: ${want.decision} by ${want.rule}\n${text}\nframe ${Buffer.from(bytes).toString('hex')}`,
            )
          judged++
        }
        const key = new Uint8Array(4)
        const { rules: counted, buckets, tables, recents, ...others } = kept
        const stateValue = sieve.machine.map(STATE_MAP).get(key)!
        expect({ ...readState(filter, stateValue), buckets: undefined, tables: undefined, recents: undefined }).toEqual(
          others,
        )
        for (const [name, table] of tables)
          if (generated.maps.some((map) => map.name === name)) expect(timesOf(sieve, name)).toEqual([...table.values()].map(String).sort()) // biome-ignore format: one comparison
        for (const [name, recent] of recents)
          if (generated.maps.some((map) => map.name === name)) expect(placesOf(sieve, name)).toEqual(recent.map(({ stamps }) => `${stamps.count} ${stamps.ttl}`)) // biome-ignore format: one comparison
        for (const [name, all] of buckets) {
          if (!generated.maps.some((map) => map.name === name)) expect(all.size).toBe(0)
          else expect(bucketsOf(sieve, name)).toEqual([...all.values()].map(({ tokens, last, until }) => `${tokens} ${last} ${until}`).sort()) // biome-ignore format: one comparison
        }
        expect([...readCounters(sieve.machine.map(COUNTER_MAP).get(key)!)].sort()).toEqual([...counted].sort())
      }),
      { numRuns: RUNS, seed: 20_261_123, endOnFailure: false },
    )
    expect(judged).toBeGreaterThan(RUNS * 30 * 0.4)
    expect(sets).toBeGreaterThan(RUNS / 20)
  })
})

it('every field that may be set is metadata of at most 32 bits', () => {
  for (const field of SETTABLE) expect(isMetadata(field) && METADATA[field].bits <= 32).toBe(true)
})
