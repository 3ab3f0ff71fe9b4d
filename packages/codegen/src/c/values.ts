// Long filters: what rules ask of a packet is fetched once, before they are asked, into a struct of numbers, and rules compare these. The struct is
// all that functions are given that hold parts of the rules.

import { isMetadata, type MetadataId } from '@netsieve/packet'
import { get, u128 } from './prelude.ts'
import { fetcher, type Scope } from './scope.ts'
import { identifier } from './text.ts'
import type { Unit } from './unit.ts'

/** A function `(p, …, &value)` that fetches a value, with what stands between. */
export interface Fetch {
  readonly name: string
  readonly args: readonly string[]
  /** Its value is a u128. */
  readonly wide: boolean
}

interface Member {
  readonly name: string
  readonly kind: Kind
  /** None of fields that rules set: they have their value from the start of the program on. */
  readonly fetch?: Fetch
}

/** Members: a word of 32 or 64 bits, whose upper 16 are the verdict of an absence; more bits have that beside them. */
const KINDS = {
  wide: { bytes: 24, text: (name) => `struct { volatile __u64 high, low, absent; } ${name};` },
  64: { bytes: 16, text: (name) => `struct { volatile __u64 value, absent; } ${name};` },
  48: { bytes: 8, text: (name) => `volatile __u64 ${name};` },
  16: { bytes: 4, text: (name) => `volatile __u32 ${name};` },
} as const satisfies Record<string | number, { bytes: number; text: (name: string) => string }>
type Kind = keyof typeof KINDS

/** What becomes of a rule that asks for a value which is not there: it ends; or the value is 0; or above all that there are (which ends it too). */
export type Absence = 'ends' | 'zero' | 'above'

/** Bytes of the struct at most: it lies on the stack, which is of 512 bytes with the frames of all functions. */
const MOST_BYTES = 224

/** Rules ask for more than can be kept, or for something that depends on what other rules do. */
export class NotKept extends Error {}

/** The members of the struct, in the order in which rules ask for them first. */
export class Values {
  private readonly members = new Map<string, Member>()
  private readonly names = new Set<string>()
  private bytes = 0

  /** The member of a value. @throws NotKept if there is no room for it */
  keep({ name, args, wide }: Fetch, bits: number): Member {
    const kind = wide ? 'wide' : bits > 48 ? 64 : bits > 16 ? 48 : 16
    return this.add(`${name}(${args.join()})`, [name, ...args].join('_'), { kind, fetch: { name, args, wide } })
  }

  /** The member of a field that rules set. @throws NotKept */
  own(field: MetadataId): Member {
    return this.add(field, field, { kind: 48 })
  }

  private add(key: string, name: string, kept: Omit<Member, 'name'>): Member {
    const before = this.members.get(key)
    if (before) return before
    this.bytes += KINDS[kept.kind].bytes
    if (this.bytes > MOST_BYTES) throw new NotKept()
    let own = identifier(name)
    while (this.names.has(own)) own += '_'
    this.names.add(own)
    const member = { name: own, ...kept }
    this.members.set(key, member)
    return member
  }

  /** The statements that fetch those that are known by now. */
  fetched(unit: Unit): string[] {
    return [...this.members.values()].flatMap(({ name, kind, fetch }) =>
      fetch ? [`	${FETCH(unit, kind)}(${[name, fetch.name, '&p', ...fetch.args].join(', ')});`] : [],
    )
  }

  /** The statement that fetches a field which rules set, from where it is at first. */
  fetchedFirst(unit: Unit, field: MetadataId, fetch: string): string {
    const { name, kind } = this.own(field)
    return `	${FETCH(unit, kind)}(${name}, ${fetch}, &p);`
  }

  /** The struct, without holes: all of it is copied from the stack that has numbers in it. */
  text(): string {
    const members = [...this.members.values()].sort((a, b) => KINDS[b.kind].bytes - KINDS[a.kind].bytes)
    const lines = members.map(({ name, kind }) => `	${KINDS[kind].text(name)}`)
    if (members.length === 0 || this.bytes % 8 !== 0) lines.push('	__u32 unused;')
    return `/*
 * What rules ask of a packet: numbers; of one that is not there the upper 16 bits are the verdict that this has. They are volatile, so each rule
 * reads them anew: what one rule has learnt of them, the verifier need not follow through all others.
 */
struct values {
${lines.join('\n')}
};`
  }
}

/** `FETCH(member, fetch, p…)`: puts what a function fetches into a member of the values. */
function FETCH(unit: Unit, kind: Kind): string {
  if (kind === 'wide')
    return unit.need('FETCH128', () => `#define FETCH128(member, fetch, ...) \\
	({ ${u128(unit)} value = 0; v->member.absent = fetch(__VA_ARGS__, &value); v->member.high = value >> 64; v->member.low = value; })`) // biome-ignore format: C
  if (kind === 64)
    return unit.need('FETCH64', () => `#define FETCH64(member, fetch, ...) \\
	({ __u64 value = 0; v->member.absent = fetch(__VA_ARGS__, &value); v->member.value = value; })`) // biome-ignore format: C
  return unit.need('FETCH', () => `/* Puts what a function fetches into a member of the values. */
#define FETCH(member, fetch, ...) \\
	({ __u64 value = 0, absent = fetch(__VA_ARGS__, &value); v->member = absent ? absent << (sizeof(v->member) * 8 - 16) : value; })`) // biome-ignore format: C
}

/** A value of the packet in an expression: fetched where it is asked for, or kept since the start. */
export function packetValue(
  scope: Scope,
  bits: number,
  write: (from: Scope) => Fetch,
  absence: Absence = 'ends',
): string {
  const { unit, values } = scope
  if (!values) {
    const { name, args, wide } = write(scope)
    return `${get(unit, { wide, zero: absence === 'zero' })}(${[name, 'p', ...args].join(', ')})`
  }
  const { values: _, ...from } = scope
  const fetch = write({ ...from, beforeRules: true })
  return kept(unit, values.keep(plain(scope, fetch), bits), absence)
}

/** A field that rules set, where values are kept. */
export const ownValue = (unit: Unit, values: Values, field: MetadataId, absence: Absence): string =>
  kept(unit, values.own(field), absence)

const kept = (unit: Unit, { name, kind }: Member, absence: Absence): string =>
  absence === 'above' && (kind === 48 || kind === 16)
    ? `v->${name}`
    : `${VALUE(unit, kind, absence === 'zero')}(${name}, v)`

/** What is fetched by values that are fetched themselves is so in a function. */
function plain({ unit, name }: Scope, fetch: Fetch): Fetch {
  if (!fetch.args.some((arg) => arg.includes('GET'))) return fetch
  const own = unit.called(
    `fetch ${fetch.name} ${fetch.args.join()}`,
    () => {
      const free = unit.unique(name(`${fetch.name}_indexed`))
      const call = `${fetch.name}(${['p', ...fetch.args, 'value'].join(', ')})`
      return { name: free, text: `${fetcher(free, fetch.wide ? u128(unit) : '__u64')}\n{\n	return ${call};\n}` }
    },
    'prelude',
  )
  return { ...fetch, name: own, args: [] }
}

/** Whether rules have a field as a value that they set. */
export const isOwn = ({ metadata }: Scope, field: string): field is MetadataId =>
  isMetadata(field as MetadataId) && metadata.locals.has(field as MetadataId)

/** `VALUE(member, v)`: as `GET`. */
function VALUE(unit: Unit, kind: Kind, zero: boolean): string {
  const beside = kind === 'wide' ? '128' : kind === 64 ? '64' : ''
  const name = `VALUE${zero ? '0' : ''}${zero && beside ? '_' : ''}${beside}`
  return unit.need(name, () => {
    const note = zero ? 'A value; 0 where there is none.' : 'A value; where there is none, the rule ends here.'
    const whole = {
      wide: () => `(${u128(unit)})v->member.high << 64 | v->member.low`,
      64: () => 'v->member.value',
      48: () => 'word',
      16: () => 'word',
    }[kind]()
    const read = beside
      ? 'int absent = v->member.absent;'
      : '__u64 word = v->member; int absent = word >> (sizeof(v->member) * 8 - 16);'
    const failed = zero
      ? `if (absent && absent != NEXT) return absent; absent ? 0 : ${whole};`
      : `if (absent) return absent; ${whole};`
    return `/* ${note} */\n#define ${name}(member, v) \\\n	({ ${read} ${failed} })`
  })
}

/** What has a part that may end the rule. */
export const mayEnd = (text: string): boolean => /\b(GET|VALUE)/.test(text)
