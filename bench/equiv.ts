// How many mutants of a ruleset are told from it, by how many frames? Rulesets are made up, of two kinds: `acl` (nested prefixes, single
// ports, few overlaps) and `fw` (wide rules, ranges, many overlaps). A mutant differs in one rule. Which mutants truly differ is said by
// `prove`; those it proves equal are left out, those it does not know are counted.
//
//   node bench/run.mjs bench/equiv.ts [rules] [truly different mutants a ruleset] [seed]

import { buildFrame, collectConstants, compare, pathsOf, planArbitrary, prove } from '@netsieve/equiv'
import { and, between, cmp, evaluate, type Filter, inPrefix, type Pred, type Rule } from '@netsieve/ir'
import fc from 'fast-check'

interface Row {
  readonly proto: 6 | 17 | undefined
  readonly src: readonly [value: number, length: number]
  readonly dst: readonly [value: number, length: number]
  readonly dport: readonly [lo: number, hi: number]
  readonly drop: boolean
}

/** A small generator of numbers (mulberry32): the same rulesets everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const KINDS = {
  acl: { lengths: [32, 32, 30, 28, 24, 24, 16], exact: 0.8, ranges: 0.1 },
  fw: { lengths: [8, 12, 16, 16, 24, 32], exact: 0.3, ranges: 0.4 },
} as const

const ANY = [0, 0] as const

function makeRules(kind: keyof typeof KINDS, count: number, seed: number): Row[] {
  const pick = random(seed)
  const { lengths, exact, ranges } = KINDS[kind]
  const prefix = (): readonly [number, number] => {
    const length = lengths[pick(lengths.length)]!
    const value = (10 << 24) | (pick(8) << 20) | (pick(16) << 8) | pick(256)
    return [(value & (-1 << (32 - length))) >>> 0, length]
  }
  return Array.from({ length: count }, (): Row => {
    const proto = ([6, 6, 17, undefined] as const)[pick(4)]
    const roll = pick(1000) / 1000
    const lo = pick(60000)
    const dport =
      proto === undefined || roll > exact + ranges
        ? ([0, 65535] as const)
        : roll < exact
          ? ([lo, lo] as const)
          : ([lo, lo + 1 + pick(5000)] as const)
    const [src, dst] = [prefix(), prefix()]
    // A firewall's rules leave one end open often, but not both.
    const open = kind === 'fw' ? pick(4) : 2
    return { proto, src: open === 0 ? ANY : src, dst: open === 1 ? ANY : dst, dport, drop: pick(10) < 5 }
  })
}

function toFilter(rows: readonly Row[]): Filter {
  const rules = rows.map(({ proto, src, dst, dport, drop }, id): Rule => {
    const preds: Pred[] = []
    if (proto !== undefined) preds.push(cmp('meta.l4proto', '==', proto))
    if (src[1] > 0) preds.push(inPrefix('ipv4.src', BigInt(src[0]), src[1]))
    if (dst[1] > 0) preds.push(inPrefix('ipv4.dst', BigInt(dst[0]), dst[1]))
    if (dport[0] > 0 || dport[1] < 65535) preds.push(between('th.dport', dport[0], dport[1]))
    const verdict = { kind: 'verdict', verdict: { kind: drop ? 'drop' : 'accept' } } as const
    return { id, text: `rule ${id}`, steps: [{ kind: 'match', pred: and(...preds) }, verdict] }
  })
  return {
    syntax: 'bench',
    profile: 'nft-6.18',
    base: [{ chain: 'input', hook: 'input', view: 'nft-ip', family: 'ipv4', policy: 'drop' }],
    chains: [{ name: 'input', rules }],
  }
}

const MUTATIONS = {
  flip: (row: Row): Row => ({ ...row, drop: !row.drop }),
  'prefix ±1': (row: Row, up: boolean): Row => {
    const length = Math.min(32, Math.max(0, row.src[1] + (up ? 1 : -1)))
    return { ...row, src: [length === 0 ? 0 : (row.src[0] & (-1 << (32 - length))) >>> 0, length] }
  },
  'port ±1': (row: Row, up: boolean): Row => {
    const hi = Math.min(65535, Math.max(row.dport[0], row.dport[1] + (up ? 1 : -1)))
    return {
      ...row,
      dport: hi === row.dport[1] ? [row.dport[0] + (row.dport[0] < hi ? 1 : 0), hi] : [row.dport[0], hi],
    }
  },
  protocol: (row: Row): Row => ({ ...row, proto: row.proto === 6 ? 17 : 6 }),
} as const
const OPERATORS = [...(Object.keys(MUTATIONS) as (keyof typeof MUTATIONS)[]), 'delete', 'swap'] as const
type Operator = (typeof OPERATORS)[number]

function mutate(rows: readonly Row[], operator: Operator, at: number, up: boolean): Row[] {
  if (operator === 'delete') return rows.toSpliced(at, 1)
  if (operator === 'swap') {
    const first = Math.min(at, rows.length - 2)
    return rows.toSpliced(first, 2, rows[first + 1]!, rows[first]!)
  }
  return rows.toSpliced(at, 1, MUTATIONS[operator](rows[at]!, up))
}

const LIMITS = [100, 1000, 10_000] as const

/** Frames until one tells two filters apart; Infinity if none of `most` did. */
type Method = (a: Filter, b: Filter, seed: number, most: number) => number

const uniform: Method = (a, b, seed, most) => {
  const plans = planArbitrary({ slots: [], paths: [] })
  const address = fc.integer({ min: 0, max: 0xffff_ffff }).map(BigInt)
  const tuple = fc.tuple(plans, address, address, fc.integer({ min: 0, max: 65535 }).map(BigInt))
  const slots = collectConstants([a, b]).slots.map(({ slot }) => slot)
  const slotOf = (field: string) => slots.find((slot) => slot.field === field)
  return until(
    fc.property(tuple, ([plan, src, dst, dport]) => {
      const numbers = { 'ipv4.src': src, 'ipv4.dst': dst, 'th.dport': dport }
      const writes = Object.entries(numbers).flatMap(([field, value]) => {
        const slot = slotOf(field)
        return slot ? [{ slot, value }] : []
      })
      return agree(a, b, buildFrame({ ...plan, writes }))
    }),
    seed,
    most,
  )
}

const boxes: Method = (a, b, seed, most) => {
  return until(
    fc.property(planArbitrary(collectConstants([a, b]), pathsOf(a)), (plan) => agree(a, b, buildFrame(plan))),
    seed,
    most,
  )
}

const aimed: Method = (a, b, seed, most) => {
  const result = compare({ filter: a }, { filter: b }, { runs: most, seed })
  return result.status === 'different' ? result.runs : Number.POSITIVE_INFINITY
}

function agree(a: Filter, b: Filter, frame: Uint8Array): boolean {
  return evaluate(a, frame).decision === evaluate(b, frame).decision
}

function until<T>(property: fc.IProperty<T>, seed: number, most: number): number {
  const result = fc.check(property, { seed, numRuns: most, endOnFailure: true })
  return result.failed ? result.numRuns : Number.POSITIVE_INFINITY
}

const METHODS: readonly (readonly [name: string, method: Method, most: number])[] = [
  ['uniform addresses and ports', uniform, 1000],
  ['around all rules', boxes, 10_000],
  ['compare (aimed at the changed rules)', aimed, 10_000],
]

/** Many changes of one rule change nothing (it is shadowed, or others do the same): that many times as many mutants are made at most. */
const MOST_TRIES = 10

const [count = 200, perKind = 60, seed = 1] = process.argv.slice(2).map(Number)
for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
  const rows = makeRules(kind, count, seed)
  const filter = toFilter(rows)
  const pick = random(seed + 1)
  const mutants: { readonly operator: Operator; readonly filter: Filter }[] = []
  const [answers, started] = [{ equal: 0, different: 0, unknown: 0 }, performance.now()]
  let tries = 0
  for (; mutants.length < perKind && tries < MOST_TRIES * perKind; tries++) {
    const operator = OPERATORS[tries % OPERATORS.length]!
    const mutant = toFilter(mutate(rows, operator, pick(rows.length), pick(2) === 1))
    const { status } = prove(filter, mutant)
    answers[status]++
    if (status === 'different') mutants.push({ operator, filter: mutant })
  }
  const proving = (performance.now() - started) / tries
  console.log(
    `\n${kind}: ${count} rules, ${tries} mutants: ${JSON.stringify(answers)}, ${proving.toFixed(0)} ms a proof`,
  )
  for (const [name, method, most] of METHODS) {
    const before = performance.now()
    const needed = mutants.map((mutant, i) => ({
      operator: mutant.operator,
      frames: method(filter, mutant.filter, seed + i, most),
    }))
    const share = (limit: number, some = needed) =>
      `${Math.round((100 * some.filter(({ frames }) => frames <= limit).length) / some.length)} %`
    const killed = LIMITS.filter((limit) => limit <= most).map((limit) => `${share(limit)} of ${limit}`)
    console.log(`  ${name}: ${killed.join(', ')} frames; ${((performance.now() - before) / 1000).toFixed(1)} s`)
    if (method !== aimed) continue
    for (const operator of OPERATORS) {
      const some = needed.filter((each) => each.operator === operator)
      if (some.length > 0)
        console.log(`    ${operator} (${some.length}): ${share(100, some)} of 100, ${share(10_000, some)} of 10000`)
    }
  }
}
