// Every kind of term, predicate, step and verdict through C: the text it becomes, and, where clang is, the verdicts it means. A kind that
// the IR gains is a row that TypeScript misses here.

import { decisionOf, type Program, readElf } from '@netsieve/asm'
import { generateC } from '@netsieve/codegen'
import { renderAll } from '@netsieve/diag'
import {
  check,
  evaluate,
  type Filter,
  newState,
  type Pred,
  type Rule,
  type SetDef,
  type SetKey,
  type StateDef,
  type Step,
  type Term,
  type Verdict,
} from '@netsieve/ir'
import { verify } from '@netsieve/verifier'
import { load } from '@netsieve/vm'
import { describe, expect, it } from 'vitest'
import { FRAMES } from '../properties/frames.ts'
import { compileC, NO_CLANG } from './clang.ts'

interface Row<T> {
  readonly what: T
  /** What stands in the rule's function; or, where C cannot say it yet, what is said instead. */
  readonly text: string
}

const field = (name: 'ipv4.ttl' | 'ipv4.src' | 'tcp.dport' | 'meta.l4proto' | 'ipv6.dst'): Term => ({
  kind: 'field',
  field: name,
})
const constant = (value: bigint): Term => ({ kind: 'const', value })

const TERMS: Readonly<Record<Term['kind'], Row<Term>>> = {
  field: { what: field('ipv4.ttl'), text: 'GET(ipv4_ttl, p) > 63' },
  load: { what: { kind: 'load', base: 'net', offset: 8, bytes: 1 }, text: 'GET(load_net, p, 8, 1) > 63' },
  length: { what: { kind: 'length' }, text: '(__u64)p->size > 63' },
  const: { what: constant(64n), text: 'return DROP' },
  mask: {
    what: { kind: 'mask', term: field('ipv4.src'), mask: 0xffn },
    text: '(GET(ipv4_src, p) & IP4(0, 0, 0, 255)) > IP4(0, 0, 0, 63)',
  },
  bin: {
    what: { kind: 'bin', op: 'add', left: field('ipv4.ttl'), right: constant(1n) },
    text: '(__u32)(GET(ipv4_ttl, p) + 1U) > 63',
  },
  raw: { what: { kind: 'raw', base: 'net', bit: 52, bits: 12 }, text: 'GET(bits_net_52, p) > 63' },
  walk: { what: { kind: 'walk', family: 'ipv6', net: 14, until: 6 }, text: 'GET(walk_ipv6_14_6, p) > 63' },
  jhash: {
    what: { kind: 'jhash', parts: [{ term: field('ipv6.dst'), bytes: 16 }, { term: field('tcp.dport'), bytes: 2 }], seed: 5 }, // biome-ignore format: one value
    text: 'hash(GET128(ipv6_dst, p), GET(tcp_dport, p)) > 63',
  },
  headers: { what: { kind: 'headers' }, text: 'unsupported: a list of headers' },
  find: { what: { kind: 'find', list: 'tcp', type: 2, bytes: 4 }, text: 'GET(place_of_tcp_2_of_4, p) > 63' },
  mapped: {
    what: { kind: 'mapped', terms: [field('meta.l4proto')], map: 'levels' },
    text: 'GET(value_of_levels, GET(meta_l4proto, p)) > 63',
  },
}

const point = (value: bigint) => ({ lo: value, hi: value })
const SETS: readonly SetDef[] = [
  {
    name: 'ports',
    keys: [
      { bits: 16, kind: 'port' },
      { bits: 32, kind: 'ipv4' },
    ],
    elements: [
      { key: [point(80n), { lo: 0x0a000000n, hi: 0x0affffffn }] },
      {
        key: [
          { lo: 1024n, hi: 65535n },
          { lo: 0n, hi: 0xffffffffn },
        ],
      },
    ],
  },
  {
    name: 'levels',
    keys: [{ bits: 8, kind: 'ipproto' }],
    data: { bits: 32 },
    elements: [
      { key: [point(6n)], value: 64n },
      { key: [point(17n)], value: 5n },
      { key: [{ lo: 40n, hi: 60n }], value: 64n },
    ],
  },
  {
    name: 'verdicts',
    keys: [{ bits: 16, kind: 'port' }],
    data: 'verdict',
    elements: [
      { key: [point(80n)], verdict: { kind: 'jump', chain: 'called' } },
      { key: [{ lo: 1n, hi: 79n }], verdict: { kind: 'drop' } },
    ],
    catchAll: { verdict: { kind: 'accept' } },
  },
]

/** A limit that has a bucket for each key: one packet each, and room for three. */
function keyed(name: string, keys: readonly SetKey[], unit: 'packets' | 'bytes'): StateDef {
  const each = { keys, size: 3, timeout: 1n << 50n, refreshed: true }
  return { kind: 'limit', name, rate: 1n, per: 1n << 40n, burst: 1n, unit, each }
}

const STATE: readonly StateDef[] = [
  { kind: 'limit', name: 'l', rate: 10n, per: 1_000_000_000n, burst: 5n, unit: 'packets' },
  { kind: 'counter', name: 'c', packets: 3n, bytes: 0n },
  { kind: 'quota', name: 'q', bytes: 1000n, used: 0n },
  { kind: 'nth', name: 'n', every: 3n, before: 0n },
  { kind: 'table', name: 't', keys: [{ bits: 8 }], size: 3, elements: [] },
  { kind: 'recent', name: 'r', keys: [{ bits: 128, kind: 'ipv6' }], size: 3, stamps: 4 },
  keyed('k', [{ bits: 8 }, { bits: 128, kind: 'ipv6' }], 'packets'),
  keyed('h', [{ bits: 8 }], 'bytes'),
]

const PREDS: Readonly<Record<Pred['kind'], Row<Pred>>> = {
  const: { what: { kind: 'const', value: true }, text: 'return DROP' },
  cmp: { what: { kind: 'cmp', term: field('tcp.dport'), test: '==', value: 80n }, text: 'if (GET(tcp_dport, p) != 80)\n\t\treturn NEXT;' },
  in: { what: { kind: 'in', term: field('tcp.dport'), ranges: [{ lo: 22n, hi: 22n }, { lo: 80n, hi: 443n }] }, text: 'if (!in_set(GET(tcp_dport, p)))' },
  relation: { what: { kind: 'relation', left: field('ipv4.ttl'), test: '<', right: field('tcp.dport') }, text: 'if (GET(ipv4_ttl, p) >= GET(tcp_dport, p))' },
  and: { what: { kind: 'and', args: [{ kind: 'cmp', term: field('ipv4.ttl'), test: '>', value: 1n }, { kind: 'cmp', term: field('meta.l4proto'), test: '==', value: 6n }] }, text: 'if (GET(ipv4_ttl, p) <= 1)\n\t\treturn NEXT;\n\tif (GET(meta_l4proto, p) != IPPROTO_TCP)' },
  or: { what: { kind: 'or', args: [{ kind: 'cmp', term: field('ipv4.ttl'), test: '==', value: 1n }, { kind: 'cmp', term: field('tcp.dport'), test: '>=', value: 1024n }] }, text: 'if (!(GET(ipv4_ttl, p) == 1 || GET(tcp_dport, p) >= 1024))' },
  not: { what: { kind: 'not', arg: { kind: 'cmp', term: field('ipv6.dst'), test: '==', value: 1n } }, text: 'if (GET128(ipv6_dst, p) == 1)' },
  sure: { what: { kind: 'sure', arg: { kind: 'cmp', term: field('ipv4.ttl'), test: '==', value: 1n } }, text: 'unsupported: a test that is false where a field is not there' },
  exists: { what: { kind: 'exists', what: 'tcp_maxseg' }, text: 'if (!GET(has_tcp_2, p))' },
  contains: { what: { kind: 'contains', from: 20, to: 60, bytes: '474554', nocase: false }, text: 'if (!GET(has_474554_from_20_to_60, p))' },
  inSet: { what: { kind: 'inSet', terms: [field('tcp.dport'), field('ipv4.src')], set: 'ports' }, text: 'if (!find_ports(GET(tcp_dport, p), GET(ipv4_src, p)))' },
} // biome-ignore format: a table

const VERDICTS: Readonly<Record<Verdict['kind'], Row<Verdict>>> = {
  accept: { what: { kind: 'accept' }, text: 'return ACCEPT;' },
  drop: { what: { kind: 'drop' }, text: 'return DROP;' },
  return: { what: { kind: 'return' }, text: 'return RETURN;' },
  continue: { what: { kind: 'continue' }, text: 'return NEXT;' },
  act: { what: { kind: 'act', act: 'reject', args: ['tcp reset'] }, text: 'return DROP /* reject(tcp reset) */;' },
  jump: { what: { kind: 'jump', chain: 'called' }, text: 'return jump(chain_called(p));' },
  goto: { what: { kind: 'goto', chain: 'called' }, text: 'return go_to(chain_called(p));' },
}

const STEPS: Readonly<Record<Step['kind'], Row<Step>>> = {
  match: { what: { kind: 'match', pred: PREDS.cmp.what }, text: PREDS.cmp.text },
  count: { what: { kind: 'count', counter: 'c' }, text: 'count(&counter_c, bytes_of(p));' },
  verdict: { what: { kind: 'verdict', verdict: VERDICTS.drop.what }, text: VERDICTS.drop.text },
  log: { what: { kind: 'log', words: 'seen */' }, text: '/* log: seen * / */' },
  limit: { what: { kind: 'limit', state: 'l', over: false }, text: 'if (!within_limit_l())' },
  quota: { what: { kind: 'quota', state: 'q', over: true }, text: 'if (within_quota_q(bytes_of(p)))' },
  nth: { what: { kind: 'nth', state: 'n', over: false }, text: 'if (!within_nth_n())' },
  table: {
    what: { kind: 'table', state: 't', does: 'add', over: false, key: [field('ipv4.ttl')], timeout: 5n },
    text: 'if (!add_table_t(GET(ipv4_ttl, p), 5))',
  },
  recent: {
    what: { kind: 'recent', state: 'r', does: 'check', over: true, key: [field('ipv6.dst')], within: 5n, hits: 2, ttl: field('meta.l4proto') }, // biome-ignore format: one value
    text: 'if (!check_recent_r(GET128(ipv6_dst, p), GET(meta_l4proto, p), 5, 2, true))',
  },
  turn: { what: { kind: 'turn', state: 'n', field: 'meta.mark' }, text: 'p->meta_mark = next_turn_n();' },
  set: { what: { kind: 'set', field: 'meta.mark', term: constant(5n) }, text: 'p->meta_mark = 5U;' },
  vmap: {
    what: { kind: 'vmap', terms: [field('tcp.dport')], map: 'verdicts' },
    text: 'switch (find_verdicts(GET(tcp_dport, p))) {\n\tcase 1:\n\t\treturn jump(chain_called(p));\n\tcase 2:\n\t\treturn DROP;',
  },
}

const drop: Step = { kind: 'verdict', verdict: { kind: 'drop' } }
const match = (pred: Pred): Step => ({ kind: 'match', pred })

/** More of a kind. */
const KEYED: readonly (readonly [string, readonly Step[], string])[] = [
  [
    'limit of keys',
    [{ kind: 'limit', state: 'k', over: false, key: [field('meta.l4proto'), field('ipv6.dst')] }, drop],
    'if (ask_limit_k(GET(meta_l4proto, p), GET128(ipv6_dst, p)) != WITHIN)',
  ],
  [
    'limit of a key, over',
    [{ kind: 'limit', state: 'h', over: true, key: [field('ipv4.ttl')] }, drop],
    'if (ask_limit_h(GET(ipv4_ttl, p), bytes_of(p)) != BEYOND)',
  ],
]

/** Each row as the rules it stands in: the first one holds it. */
const CASES: readonly (readonly [string, readonly Step[], string])[] = [
  ...Object.entries(TERMS).map(
    ([kind, { what, text }]) =>
      [`term ${kind}`, [match({ kind: 'cmp', term: what, test: '<=', value: 63n }), drop], text] as const,
  ),
  ...Object.entries(PREDS).map(([kind, { what, text }]) => [`predicate ${kind}`, [match(what), drop], text] as const),
  ...KEYED,
  ...Object.entries(STEPS).map(([kind, { what, text }]) => [`step ${kind}`, [what, drop], text] as const),
  ...Object.entries(VERDICTS).map(
    ([kind, { what, text }]) =>
      [`verdict ${kind}`, [match(PREDS.cmp.what), { kind: 'verdict', verdict: what }], text] as const,
  ),
]

function filterOf(steps: readonly Step[]): Filter {
  const rules = (first: readonly Step[], id: number): Rule[] => [
    { id, text: `rule ${id}`, steps: first },
    { id: id + 1, text: 'another', steps: [match(PREDS.relation.what), drop] },
  ]
  const called: Step[] = [
    match({ kind: 'cmp', term: field('ipv4.ttl'), test: '==', value: 64n }),
    { kind: 'verdict', verdict: { kind: 'return' } },
  ]
  return {
    syntax: 'test',
    profile: 'nft-6.18',
    sets: SETS,
    state: STATE,
    base: [{ chain: 'main', hook: 'input', view: 'nft-netdev', family: 'any', policy: 'accept' }],
    chains: [
      { name: 'main', rules: rules(steps, 0) },
      { name: 'called', rules: rules(called, 2) },
    ],
  }
}

describe.each(CASES)('%s', (_, steps, text) => {
  const { value, diagnostics } = check(filterOf(steps))
  if (!value) throw new Error(renderAll(diagnostics))
  const filter = value
  const written = generateC(filter, { type: 'xdp', divide: false })
  const unsupported = text.startsWith('unsupported')

  it('is written, or said to be unsupported', () => {
    if (unsupported)
      return expect(written).toMatchObject({
        diagnostics: [{ code: 'codegen/c', message: `${text} is not written in C` }],
      })
    const c = written.value!
    const rule = c.slice(c.indexOf('/* rule 0 */'))
    expect(rule.slice(0, rule.indexOf('\n}'))).toContain(text)
  })

  it.skipIf(NO_CLANG || unsupported).each([
    ['whole', false],
    ['divided', true],
  ])(`decides as it means, %s${NO_CLANG ? ` (skipped: ${NO_CLANG})` : ''}`, (_, divide) => {
    const object = readElf(compileC(generateC(filter, { type: 'xdp', divide }).value!, { debug: true })).value!
    const [{ insns, functions }] = object.programs as [Program]
    expect(functions.some(({ proto }, i) => i > 0 && proto?.global)).toBe(divide || text.includes('_recent'))
    expect(verify(insns, { type: 'xdp', maps: object.maps, functions })).toMatchObject({ status: 'accepted' })
    const machine = load(insns, { type: 'xdp', maps: object.maps })
    const state = newState(filter)
    const decisions = FRAMES.map((frame) => evaluate(filter, frame, { state }).decision)
    expect(FRAMES.map((frame) => decisionOf('xdp', machine.run(frame).r0))).toEqual(decisions)
    if (text.includes('ask_limit')) {
      expect(new Set(decisions).size).toBe(2)
      expect(machine.map(object.maps[0]!.name).entries()).toHaveLength(3)
    }
    if (text.startsWith('count')) {
      const [packets, bytes] = new BigUint64Array(machine.map('.data').get(new Uint8Array(4))!.slice().buffer)
      expect({ packets, bytes }).toEqual(state.counters.get('c'))
    }
  })
})
