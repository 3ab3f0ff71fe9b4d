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

/** Bytes of a member by the width of its number. */
const BYTES = { wide: 24, 64: 16, 32: 8, 16: 4 } as const
type Kind = keyof typeof BYTES
const WORDS: Readonly<Record<Kind, string>> = {
  wide: 'volatile __u64 high, low, absent;',
  64: 'volatile __u64 value, absent;',
  32: 'volatile __u32 value, absent;',
  16: 'volatile __u16 value, absent;',
}

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
  keep({ name, args, wide }: Fetch, bits: number): string {
    const kind = wide ? 'wide' : bits > 32 ? 64 : bits > 16 ? 32 : 16
    return this.add(`${name}(${args.join()})`, [name, ...args].join('_'), { kind, fetch: { name, args, wide } })
  }

  /** The member of a field that rules set. @throws NotKept */
  own(field: MetadataId): string {
    return this.add(field, field, { kind: 32 })
  }

  private add(key: string, name: string, member: Omit<Member, 'name'>): string {
    const before = this.members.get(key)
    if (before) return before.name
    this.bytes += BYTES[member.kind]
    if (this.bytes > MOST_BYTES) throw new NotKept()
    let own = identifier(name)
    while (this.names.has(own)) own += '_'
    this.names.add(own)
    this.members.set(key, { name: own, ...member })
    return own
  }

  /** The statements that fetch those that are known by now. */
  fetched(unit: Unit): string[] {
    return [...this.members.values()].flatMap(({ name, fetch }) =>
      fetch ? [`	${FETCH(unit, fetch.wide)}(${[name, fetch.name, '&p', ...fetch.args].join(', ')});`] : [],
    )
  }

  /** The statement that fetches a field which rules set, from where it is at first. */
  fetchedFirst(unit: Unit, field: MetadataId, fetch: string): string {
    return `	${FETCH(unit, false)}(${this.own(field)}, ${fetch}, &p);`
  }

  /** The struct, without holes: all of it is copied from the stack that has numbers in it. */
  text(): string {
    const members = [...this.members.values()].sort((a, b) => BYTES[b.kind] - BYTES[a.kind])
    const lines = members.map(({ name, kind }) => `	struct { ${WORDS[kind]} } ${name};`)
    if (members.length === 0 || this.bytes % 8 !== 0) lines.push('	__u32 unused;')
    return `/*
 * What rules ask of a packet: numbers, each with the verdict of its absence, 0 where it is there. They are volatile, so each rule reads them anew: what
 * one rule has learnt of them, the verifier need not follow through all others.
 */
struct values {
${lines.join('\n')}
};`
  }
}

const FETCH = (unit: Unit, wide: boolean): string =>
  unit.need(wide ? 'FETCH128' : 'FETCH', () =>
    wide
      ? `#define FETCH128(member, fetch, ...) \\
	({ ${u128(unit)} value = 0; v->member.absent = fetch(__VA_ARGS__, &value); v->member.high = value >> 64; v->member.low = value; })`
      : `/* Puts what a function fetches into a member of the values. */
#define FETCH(member, fetch, ...) \\
	({ __u64 value = 0; v->member.absent = fetch(__VA_ARGS__, &value); v->member.value = value; })`,
  ) // biome-ignore format: C

/** A value of the packet in an expression: fetched where it is asked for, or kept since the start; `zero`: 0 where it is not there. */
export function packetValue(scope: Scope, bits: number, write: (from: Scope) => Fetch, zero = false): string {
  const { unit, values } = scope
  if (!values) {
    const { name, args, wide } = write(scope)
    return `${get(unit, { wide, zero })}(${[name, 'p', ...args].join(', ')})`
  }
  const { values: _, ...from } = scope
  const fetch = write({ ...from, beforeRules: true })
  const { wide } = fetch
  return `${VALUE(unit, wide, zero)}(${values.keep(plain(scope, fetch), bits)}, v)`
}

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

/** A field that rules set, where values are kept. */
export function ownValue(
  { unit, values }: Scope & { readonly values: Values },
  field: MetadataId,
  zero: boolean,
): string {
  return `${VALUE(unit, false, zero)}(${values.own(field)}, v)`
}

/** Whether rules have a field as a value that they set. */
export const isOwn = ({ metadata }: Scope, field: string): field is MetadataId =>
  isMetadata(field as MetadataId) && metadata.locals.has(field as MetadataId)

/** `VALUE(member, v)`: as `GET`. */
function VALUE(unit: Unit, wide: boolean, zero: boolean): string {
  const name = `VALUE${zero ? '0' : ''}${zero && wide ? '_' : ''}${wide ? '128' : ''}`
  return unit.need(name, () => {
    const note = zero ? 'A value; 0 where there is none.' : 'A value; where there is none, the rule ends here.'
    const value = wide ? `(${u128(unit)})v->member.high << 64 | v->member.low` : '(__u64)v->member.value'
    const failed = zero
      ? `if (absent && absent != NEXT) return absent; absent ? 0 : ${value};`
      : `if (absent) return absent; ${value};`
    return `/* ${note} */\n#define ${name}(member, v) \\\n	({ int absent = v->member.absent; ${failed} })`
  })
}

/** What has a part that may end the rule. */
export const mayEnd = (text: string): boolean => /\b(GET|VALUE)/.test(text)
