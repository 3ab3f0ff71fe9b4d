// Random sets, maps and lists of rules from a seed, with values of the frames that they are asked about: what is looked up is often there.

import {
  type Element,
  type ElementData,
  type Filter,
  locate,
  type Pred,
  type Range,
  type Rule,
  type SetDef,
  type Step,
  type Term,
  type Test,
  type Verdict,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import { FIELDS, type FieldId, PROTOCOLS, readBits } from '@netsieve/packet'
import { FRAMES } from './frames.ts'

/** Fields of every width that keys are made of. */
const KEYS: readonly FieldId[] = [
  'meta.l4proto', 'ipv4.src', 'ipv4.dst', 'ipv4.protocol', 'ipv4.ttl', 'ipv4.length', 'ipv4.dscp', 'ipv4.id', 'ipv6.src', 'ipv6.dst', 'ipv6.nexthdr', 'ipv6.flowlabel',
  'tcp.sport', 'tcp.dport', 'tcp.flags', 'tcp.seq', 'udp.sport', 'udp.dport', 'th.dport', 'icmp.type', 'eth.src', 'eth.dst', 'meta.protocol', 'arp.op',
] // biome-ignore format: one table

const bitsOf = (id: FieldId) => FIELDS[id].bits
const topOf = (bits: number) => (1n << BigInt(bits)) - 1n

/** The values that the frames have in a field. */
const SEEN = new Map(KEYS.map((id) => [id, valuesOf(id)]))

function valuesOf(id: FieldId): readonly bigint[] {
  const { proto, bit, bits } = FIELDS[id]
  const { base } = PROTOCOLS[proto]
  const values = new Set<bigint>([0n, topOf(bits)])
  for (const frame of FRAMES) {
    const { net, transport, protocol, l4proto } = locate(VIEWS['nft-netdev'], frame)
    const fact = { 'meta.protocol': protocol, 'meta.l4proto': l4proto }[id as string]
    const start = { link: 0, net, transport, meta: undefined }[base as 'link']
    const value =
      typeof fact === 'number' ? BigInt(fact) : start === undefined ? undefined : readBits(frame, start * 8 + bit, bits)
    if (value !== undefined) values.add(value)
  }
  return [...values]
}

/** Numbers from a seed (mulberry32). */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  bits(count: number): bigint {
    let value = 0n
    for (let i = 0; i < count; i += 16) value = (value << 16n) | BigInt(this.below(65536))
    return value & topOf(count)
  }

  value(id: FieldId): bigint {
    return this.chance(70) ? this.one(SEEN.get(id)!) : this.bits(bitsOf(id))
  }

  /** A point, a prefix, or what lies around a value. */
  range(id: FieldId, points = false): Range {
    const value = this.value(id)
    if (points || this.chance(40)) return { lo: value, hi: value }
    const bits = bitsOf(id)
    const size = topOf(this.below(bits + 1))
    if (this.chance(50)) return { lo: value & ~size, hi: value | size }
    const [lo, hi] = [value - this.bits(this.below(bits) + 1), value + this.bits(this.below(bits) + 1)]
    return { lo: lo < 0n ? 0n : lo, hi: hi > topOf(bits) ? topOf(bits) : hi }
  }
}

interface Made {
  readonly set: SetDef
  readonly terms: readonly Term[]
}

const SIZES = [1, 3, 12, 40, 70, 300] as const

function makeSet(random: Random, name: string, callable: boolean): Made {
  const ids = Array.from({ length: random.one([1, 1, 2, 2, 3, 5]) }, () => random.one(KEYS))
  const points = random.chance(35)
  const data = random.one([undefined, 'verdict', { bits: 32 }] as const)
  const held = (): ElementData => {
    if (data === 'verdict') return { verdict: verdict(random, callable) }
    return data ? { value: BigInt(random.below(random.chance(50) ? 5 : 100_000)) } : {}
  }
  const elements: Element[] = []
  const size = random.one(SIZES)
  for (let i = 0; i < size; i++) {
    const key = ids.map((id) => random.range(id, points))
    const [first] = key
    const clash =
      ids.length === 1 && elements.some((other) => other.key[0]!.lo <= first!.hi && first!.lo <= other.key[0]!.hi)
    if (!clash) elements.push({ key, ...held() })
  }
  const keys = ids.map((id) => ({ bits: bitsOf(id) }))
  const set = { name, keys, elements, ...(data && { data }), ...(random.chance(20) && { catchAll: held() }) }
  return { set, terms: ids.map((field) => ({ kind: 'field', field })) }
}

function verdict(random: Random, callable: boolean): Verdict {
  const kind = random.one(['accept', 'drop', 'return', 'continue', 'jump', 'goto'] as const)
  if (kind !== 'jump' && kind !== 'goto') return { kind }
  return callable ? { kind, chain: 'called' } : { kind: 'drop' }
}

function setRule(random: Random, { set, terms }: Made, callable: boolean): Step[] {
  if (set.data === 'verdict' && random.chance(80)) return [{ kind: 'vmap', terms, map: set.name }]
  const mapped: Term = { kind: 'mapped', terms, map: set.name }
  const pred: Pred =
    typeof set.data === 'object' && random.chance(80)
      ? { kind: 'cmp', term: mapped, test: random.one(['==', '<', '>='] as const), value: BigInt(random.below(6)) }
      : { kind: 'inSet', terms, set: set.name }
  const either: Pred = random.chance(30)
    ? { kind: 'or', args: [pred, { kind: 'cmp', term: terms[0]!, test: '==', value: 0n }] }
    : pred
  return [
    { kind: 'match', pred: random.chance(30) ? { kind: 'not', arg: either } : either },
    { kind: 'verdict', verdict: verdict(random, callable) },
  ]
}

/** A test as rules of a list have it. */
function listed(random: Random, id: FieldId, fields: readonly FieldId[]): Pred {
  const term: Term = { kind: 'field', field: id }
  const bits = bitsOf(id)
  const range = random.range(id)
  switch (random.below(6)) {
    case 0:
      return {
        kind: 'cmp',
        term,
        test: random.one(['==', '!=', '<', '<=', '>', '>='] as const satisfies readonly Test[]),
        value: random.value(id),
      }
    case 1: {
      const mask = topOf(bits) ^ topOf(random.below(bits + 1))
      return {
        kind: 'cmp',
        term: { kind: 'mask', term, mask },
        test: random.one(['==', '!='] as const),
        value: random.value(id) & mask,
      }
    }
    case 2:
      return { kind: 'not', arg: { kind: 'in', term, ranges: [range] } }
    case 3:
      return { kind: 'or', args: [{ kind: 'in', term, ranges: [range] }, listed(random, random.one(fields), fields)] }
    default:
      return { kind: 'in', term, ranges: [range] }
  }
}

/** Rules over a few fields, as access lists are: some with more than one test of a field, some that count, some that no packet passes. */
function makeList(random: Random, size: number, callable: boolean): Step[][] {
  const fields = Array.from({ length: 1 + random.below(5) }, () => random.one(KEYS))
  return Array.from({ length: size }, () => {
    const asked = fields.filter(() => random.chance(60))
    const steps: Step[] = (asked.length > 0 || random.chance(5) ? asked : [fields[0]!]).map((id) => ({
      kind: 'match',
      pred: listed(random, id, fields),
    }))
    if (random.chance(20)) steps.push({ kind: 'count' })
    if (random.chance(3)) steps.unshift({ kind: 'count' })
    if (random.chance(97)) steps.push({ kind: 'verdict', verdict: verdict(random, callable) })
    return steps
  })
}

/** A filter of sets, maps and a list, or of one of them. */
export function setFilter(view: ViewName, seed: number): Filter {
  const random = new Random(seed)
  const made = Array.from({ length: random.below(2) + 1 }, (_, i) => makeSet(random, `s${i}`, true))
  const inner = makeSet(random, 'inner', false)
  const single = made.map((each) => setRule(random, each, true))
  const list = random.chance(60) ? makeList(random, random.one([6, 12, 40]), true) : []
  const main = random.chance(50) ? [...single, ...list] : [...list, ...single]
  let id = 0
  const rules = (steps: readonly (readonly Step[])[]): Rule[] =>
    steps.map((each) => ({ id: id++, text: 'a rule', steps: each }))
  return {
    syntax: 'random',
    profile: 'nft-6.18',
    base: [
      {
        chain: 'main',
        hook: 'input',
        view,
        family: VIEWS[view].reach === 'ip' ? 'ip' : 'any',
        policy: random.one(['accept', 'drop'] as const),
      },
    ],
    chains: [
      { name: 'main', rules: rules(main) },
      { name: 'called', rules: rules([setRule(random, inner, false), ...makeList(random, 8, false)]) },
    ],
    sets: [...made, inner].map(({ set }) => set),
  }
}
