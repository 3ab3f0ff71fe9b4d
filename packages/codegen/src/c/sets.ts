// Sets and maps as functions of a key: a switch, which clang makes a binary search of, comparisons, or a search in a constant array.

import type { ElementData, Range, SetDef, SetKey } from '@netsieve/ir'
import type { ValueKind } from '@netsieve/packet'
import { forget, number, u128 } from './prelude.ts'
import type { Scope } from './scope.ts'
import { comment, identifier, inComment } from './text.ts'

type Unit = Scope['unit']

/** Elements beyond which a set is an array that is searched: code for each would grow too long for jumps. */
const MOST_CASES = 1024

/** The same for keys of several numbers: the verifier would go through too many ways. */
const MOST_COMPARED = 16

/** The condition that a value is in ranges. */
export function inRanges(
  scope: Scope,
  value: string,
  ranges: readonly Range[],
  wide: boolean,
  kind?: ValueKind,
): string {
  const { unit } = scope
  const [range] = ranges
  if (ranges.length !== 1 || !range || wide) return `${rangesFunction(scope, ranges, wide, kind)}(${value})`
  unit.need('within', () => `static __always_inline bool within(__u64 value, __u64 from, __u64 to)
{
	return value >= from && value <= to;
}`) // biome-ignore format: C
  return `within(${value}, ${number(unit, range.lo, kind)}, ${number(unit, range.hi, kind)})`
}

/** The function `(value)` that tells whether it is in ranges: like sets share one. */
function rangesFunction({ unit }: Scope, ranges: readonly Range[], wide: boolean, kind?: ValueKind): string {
  const key = `ranges ${wide} ${kind} ${ranges.map(({ lo, hi }) => `${lo}-${hi}`).join()}`
  return unit.called(key, () => {
    const name = unit.unique('in_set')
    const type = wide ? u128(unit) : '__u64'
    const rows = ranges.map((range) => ({ key: [range], what: 1 }))
    const keys = [{ bits: wide ? 128 : 64, ...(kind && { kind }) }]
    const body = search(unit, name, rows, keys, 0)
    return { name, text: `static __always_inline bool ${name}(${type} key)\n{\n${body}\n}` }
  }, 'prelude') // biome-ignore format: one act
}

/** @throws Error for a set that there is not */
export function setOf({ sets }: Scope, name: string): SetDef {
  const set = sets.get(name)
  if (!set) throw new Error(`set ${name} is not defined`)
  return set
}

/** What a map can hold for a key, numbered from 1, and the function `(keys…)` that gives the number; 0 where it holds nothing. */
export interface Finder {
  readonly name: string
  readonly data: readonly ElementData[]
}

export function finder({ unit }: Scope, set: SetDef): Finder {
  const data: ElementData[] = []
  const numbers = new Map<string, number>()
  const numberOf = (one: ElementData): number => {
    const text = set.data === undefined ? '' : `${one.value} ${JSON.stringify(one.verdict)}`
    const known = numbers.get(text)
    if (known !== undefined) return known
    numbers.set(text, data.push(one))
    return data.length
  }
  const rows = set.elements.map((element) => ({ key: element.key, what: numberOf(element) }))
  const otherwise = set.catchAll ? numberOf(set.catchAll) : 0
  const name = unit.called(`set ${set.name}`, () => {
    const own = unit.unique(`find_${identifier(set.name)}`)
    const types = set.keys.map(({ bits }, i) => `${bits > 64 ? u128(unit) : '__u64'} ${keyName(set.keys, i)}`)
    const what = set.data === undefined ? 'Set' : 'Map'
    const title = comment(`${what} ${inComment(set.name)}: 0 where it has nothing for a key.`)
    const body = search(unit, own, rows, set.keys, otherwise)
    return { name: own, text: `${title}\nstatic __always_inline __u32 ${own}(${types.join(', ')})\n{\n${body}\n}` }
  })
  return { name, data }
}

/** The function `(keys…, &value)` of a map of numbers. */
export function valueFunction(scope: Scope, set: SetDef): { readonly name: string; readonly wide: boolean } {
  const { unit, absent } = scope
  const wide = typeof set.data === 'object' && set.data.bits > 64
  const { name: find, data } = finder(scope, set)
  const name = scope.name(`value_of_${identifier(set.name)}`)
  const own = unit.called(`value ${name} ${set.name}`, () => {
    const type = wide ? u128(unit) : '__u64'
    const keys = set.keys.map((_, i) => keyName(set.keys, i))
    const types = set.keys.map(({ bits }, i) => `${bits > 64 ? u128(unit) : '__u64'} ${keys[i]}`)
    const cases = data.flatMap(({ value }, i) =>
      value === undefined ? [] : [`	case ${i + 1}:\n		*value = ${number(unit, value)};\n		return 0;`],
    )
    const unused = unit.unique(name)
    return {
      name: unused,
      text: `static __always_inline int ${unused}(${types.join(', ')}, ${type} *value)
{
	switch (${find}(${keys.join(', ')})) {
${cases.join('\n')}
	}
	return ${absent};
}`,
    }
  })
  return { name: own, wide }
}

const keyName = (keys: readonly SetKey[], i: number): string => (keys.length === 1 ? 'key' : `key${i + 1}`)

interface Row {
  readonly key: readonly Range[]
  readonly what: number
}

/** The statements that find the first row that has a key. */
function search(unit: Unit, name: string, rows: readonly Row[], keys: readonly SetKey[], otherwise: number): string {
  const names = keys.map((_, i) => keyName(keys, i))
  if (rows.length === 0) return `${names.map((key) => `	(void)${key};\n`).join('')}	return ${otherwise};`
  const [{ bits }] = keys as readonly [SetKey]
  if (rows.length > (keys.length === 1 && bits <= 64 ? MOST_CASES : MOST_COMPARED)) {
    const line = onLine(rows, keys)
    return line ? byHalves(unit, name, line, keys, otherwise) : inTurn(unit, name, rows, keys, otherwise)
  }
  if (keys.length === 1 && keys[0]!.bits <= 64) return cases(unit, rows, keys[0]!, otherwise)
  const tests = rows.map((row) => {
    const parts = row.key.flatMap((range, i) => comparison(unit, names[i]!, range, keys[i]!) ?? [])
    return parts.length === 0 ? `	return ${row.what};` : `	if (${parts.join(' && ')})\n		return ${row.what};`
  })
  const unused = names.filter((key) => !tests.some((test) => new RegExp(`\\b${key}\\b`).test(test)))
  return [...unused.map((key) => `	(void)${key};`), ...tests, `	return ${otherwise};`].join('\n')
}

function comparison(unit: Unit, key: string, { lo, hi }: Range, { bits, kind }: SetKey): string | undefined {
  const text = (value: bigint) => number(unit, value, kind)
  const top = (1n << BigInt(bits)) - 1n
  if (lo === hi) return `${key} == ${text(lo)}`
  if (lo === 0n) return hi >= top ? undefined : `${key} <= ${text(hi)}`
  return hi >= top ? `${key} >= ${text(lo)}` : `${key} >= ${text(lo)} && ${key} <= ${text(hi)}`
}

/** Disjoint ranges of one number. */
function cases(unit: Unit, rows: readonly Row[], { kind }: SetKey, otherwise: number): string {
  const text = (value: bigint) => number(unit, value, kind)
  const lines = ['	switch (key) {']
  const byWhat = new Map<number, Range[]>()
  for (const { key, what } of rows) byWhat.set(what, [...(byWhat.get(what) ?? []), key[0]!])
  for (const [what, ranges] of byWhat) {
    for (const { lo, hi } of ranges) lines.push(`	case ${text(lo)}${lo === hi ? '' : ` ... ${text(hi)}`}:`)
    lines.push(`		return ${what};`)
  }
  return [...lines, '	}', `	return ${otherwise};`].join('\n')
}

/** A row as an interval of all its numbers in one, the first one on top. */
interface Interval extends Row {
  readonly lo: bigint
  readonly hi: bigint
}

const maxOf = ({ bits }: SetKey): bigint => (1n << BigInt(bits)) - 1n
const bitsOf = (keys: readonly SetKey[]): number => keys.reduce((sum, { bits }) => sum + bits, 0)

/** Rows in the order of their numbers; none if they overlap, or if one is no interval: a range of one number, and then not all of the next. */
function onLine(rows: readonly Row[], keys: readonly SetKey[]): readonly Interval[] | undefined {
  if (bitsOf(keys) > 128) return undefined
  const whole = ({ lo, hi }: Range, i: number) => lo === 0n && hi === maxOf(keys[i]!)
  const joined = (numbers: readonly bigint[]) => numbers.reduce((sum, value, i) => (sum << BigInt(keys[i]!.bits)) | value, 0n) // biome-ignore format: one act
  const intervals = rows.map((row) => {
    const wide = row.key.findIndex(({ lo, hi }) => lo !== hi)
    const apart = wide >= 0 && !row.key.every((range, i) => i <= wide || whole(range, i))
    return apart ? undefined : { ...row, lo: joined(row.key.map(({ lo }) => lo)), hi: joined(row.key.map(({ hi }) => hi)) } // biome-ignore format: one value
  })
  if (!intervals.every((one) => one !== undefined)) return undefined
  const sorted = intervals.sort((a, b) => (a.lo < b.lo ? -1 : 1))
  return sorted.every(({ lo }, i) => i === 0 || sorted[i - 1]!.hi < lo) ? sorted : undefined
}

/** What a row's bounds are written as. */
const bounds = (unit: Unit, { key }: Row, keys: readonly SetKey[]): [lo: string[], hi: string[]] => [
  key.map(({ lo }, i) => number(unit, lo, keys[i]!.kind)),
  key.map(({ hi }, i) => number(unit, hi, keys[i]!.kind)),
]

/** In an array that is in order, searched by halves; the numbers of a key are joined to one. */
function byHalves(
  unit: Unit,
  name: string,
  rows: readonly Interval[],
  keys: readonly SetKey[],
  otherwise: number,
): string {
  const type = bitsOf(keys) > 64 ? u128(unit) : '__u64'
  const names = keys.map((_, i) => keyName(keys, i))
  const join = keys.length === 1 ? undefined : `${name}_key`
  if (join) {
    const parts = names.map((each, i) => {
      const shift = bitsOf(keys.slice(i + 1))
      return shift === 0 ? `(${each})` : `(${type})(${each}) << ${shift}`
    })
    unit.need(join, () => `#define ${join}(${names.join(', ')}) (${parts.join(' | ')})`)
  }
  const one = (numbers: readonly string[]) => (join ? `${join}(${numbers.join(', ')})` : numbers[0]!)
  const table = unit.need(`${name}_rows`, () => {
    const lines = rows.map((row) => `	{ ${bounds(unit, row, keys).map(one).join(', ')}, ${row.what} },`)
    return `static const struct {\n	${type} lo, hi;\n	__u32 what;\n} ${name}_rows[${rows.length}] = {\n${lines.join('\n')}\n};`
  }) // biome-ignore format: C
  forget(unit)
  return `	__u32 low = 0, high = ${rows.length};
${join ? `	${type} key = ${one(names)};\n` : ''}
	for (int halves = 0; halves < ${Math.ceil(Math.log2(rows.length)) + 1} && low < high; halves++) {
		__u32 middle = (low + high) / 2;

		if (middle >= ${rows.length})
			break;
		if (${table}[middle].lo <= key)
			low = forget(middle + 1);
		else
			high = forget(middle);
	}
	/* Only the last row that starts at or below the key can have it. */
	low--;
	if (low >= ${rows.length} || key > ${table}[low].hi)
		return ${otherwise};
	return ${table}[low].what;`
}

/** One row of an array after another. */
function inTurn(unit: Unit, name: string, rows: readonly Row[], keys: readonly SetKey[], otherwise: number): string {
  const members = keys.map(({ bits }, i) => `	${bits > 64 ? u128(unit) : '__u64'} lo${i + 1}, hi${i + 1};\n`)
  const table = unit.need(`${name}_rows`, () => {
    const lines = rows.map((row) => {
      const [lo, hi] = bounds(unit, row, keys)
      return `	{ ${lo.map((each, i) => `${each}, ${hi[i]}`).join(', ')}, ${row.what} },`
    })
    return `struct {\n${members.join('')}	__u32 what;\n} ${name}_rows[${rows.length}] = {\n${lines.join('\n')}\n};`
  }) // biome-ignore format: C
  // In variables, which the verifier does not know, and by differences: a comparison of the key itself would tell the verifier something new of it with each row.
  const tests = keys.map(
    (_, i) => `${keyName(keys, i)} - ${table}[i].lo${i + 1} <= ${table}[i].hi${i + 1} - ${table}[i].lo${i + 1}`,
  )
  return `	for (__u32 i = 0; i < ${rows.length}; i++)
		if (${tests.join(' &&\n		    ')})
			return ${table}[i].what;
	return ${otherwise};`
}
