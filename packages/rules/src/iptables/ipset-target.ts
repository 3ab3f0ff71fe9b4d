// `-j SET --add-set NAME src --exist --timeout 600`: packets that change sets. A set that rules change is a table of the filter's, with what `ipset
// save` says as its first elements. Sources: ipset(8), iptables-extensions(8), and verdicts of the kernel's sets (test/golden/state).

import type { Diagnostics, Span } from '@netsieve/diag'
import { field, type StateDef, type Step } from '@netsieve/ir'
import { FIELDS, type FieldId } from '@netsieve/packet'
import { type IpFamily, readNumber, splitAll, type Word } from '../shared/index.ts'
import type { Target } from './ast.ts'
import { type IpSet, MAX_ELEMENTS } from './ipset.ts'
import { ipSetOf, type SetPlace, type SetTest } from './ipset-match.ts'
import type { Option } from './matches.ts'

export type SetChange = Extract<Target, { kind: 'ipset' }>
type Table = Extract<StateDef, { kind: 'table' }>

const SECOND = 1_000_000_000n

/** The target, from all its options. Undefined after an error. */
export function readSetTarget(name: Word, options: readonly Option[], diagnostics: Diagnostics): Target | undefined {
  const wrong = (message: string, at: Span, expected: readonly string[]): undefined => {
    diagnostics.error('iptables/target', message, at, { expected })
    return undefined
  }
  const given = (option: string) => options.find((each) => each.name === option)
  const unsupported = given('map-set')
  if (unsupported) return { kind: 'unsupported', what: '--map-set', name: name.text, span: unsupported.span }
  const [change, second] = options.filter(({ name: own }) => own === 'add-set' || own === 'del-set')
  if (!change) return wrong('SET needs --add-set or --del-set', name.span, ['--add-set NAME src', '--del-set NAME src'])
  if (second) return { kind: 'unsupported', what: 'adding and deleting in one rule', name: name.text, span: second.span } // biome-ignore format: one value
  const does = change.name === 'del-set' ? 'delete' : given('exist') ? 'update' : 'add'
  const only = given('exist') ?? given('timeout')
  if (only && does === 'delete') return wrong(`--${only.name} is for --add-set`, only.span, ['--add-set'])
  const [set, flags] = change.values as readonly [Word, Word]
  const parts = splitAll(flags, ',')
  const odd = parts.find(({ text }) => text !== 'src' && text !== 'dst')
  if (odd || parts.length > 6)
    return wrong(`\`${(odd ?? flags).text}\` is no side of a packet`, (odd ?? flags).span, ['src', 'dst', 'src,dst'])
  const timeout = given('timeout')?.values[0]
  const seconds = timeout && readNumber(timeout, { what: 'a number of seconds', max: 2_147_483, octal: true }, diagnostics) // biome-ignore format: one call
  if (timeout && seconds === undefined) return undefined
  const sides = parts.map(({ text }) => text as 'src' | 'dst')
  return { kind: 'ipset', does, set, sides, ...(seconds !== undefined && { seconds }), span: name.span }
}

/** What is done to the set; none after an error. */
export function changeSet(
  { does, set: word, sides, seconds, span }: SetChange,
  place: SetPlace,
  state: StateDef[],
): Step[] {
  const set = ipSetOf(word, place)
  const key = set && keyIn(set, sides, word, place)
  if (!set || !key || tableOf(set, key, word, place, state) === undefined) return []
  // A set without times takes none.
  const timeout = set.timeout === undefined || does === 'delete' ? 0n : (seconds ?? set.timeout) * SECOND
  // The kernel gives elements that stand there already a time too; here they stay.
  const [first] = set.entries
  if (does === 'update' && timeout > 0n && first) {
    set.timed ??= first.span
    place.timed.add(set)
  }
  return [{ kind: 'table', state: nameOf(set), does, over: false, key: [field(key)], timeout, span }]
}

/** Whether the packet is in a set that rules change; none after an error. */
export function askChanged(
  { set: word, sides, negated }: SetTest,
  span: Span,
  place: SetPlace,
  state: StateDef[],
): Step[] {
  const set = ipSetOf(word, place)
  const key = set && keyIn(set, sides, word, place)
  if (!set || !key || tableOf(set, key, word, place, state) === undefined) return []
  return [{ kind: 'table', state: nameOf(set), does: 'has', over: negated, key: [field(key)], timeout: 0n, span }]
}

const nameOf = ({ name }: IpSet): string => `ipset.${name}`

/** The field that elements of the set are. Undefined after an error. */
function keyIn(
  set: IpSet,
  [side]: SetTest['sides'],
  { span }: Word,
  { diagnostics, family }: SetPlace,
): FieldId | undefined {
  const own = set.type === 'hash:ip' && set.netmask === undefined
  if (own && side) return `${family satisfies IpFamily}.${side}`
  diagnostics.error('iptables/unsupported', `unsupported: rules that change the set ${set.name}, which is ${own ? 'asked for no side' : `of the type ${set.type}${set.netmask === undefined ? '' : ' with a netmask'}`}`, span, { expected: ['a set of the type hash:ip'] }) // biome-ignore format: one message
  return undefined
}

/** The table that the set is, defined if it was not. Undefined after an error. */
function tableOf(set: IpSet, key: FieldId, { span }: Word, place: SetPlace, state: StateDef[]): Table | undefined {
  const known = state.find((def): def is Table => def.kind === 'table' && def.name === nameOf(set))
  if (known) return known
  const ranges = set.entries.map(({ ranges: [range] }) => range!)
  const count = ranges.reduce((sum, { lo, hi }) => sum + (hi - lo + 1n), 0n)
  if (count > BigInt(MAX_ELEMENTS)) {
    place.diagnostics.error('iptables/unsupported', `unsupported: rules that change the set ${set.name}, which has ${count} addresses`, span) // biome-ignore format: one message
    return undefined
  }
  const elements = ranges.flatMap(({ lo, hi }) =>
    Array.from({ length: Number(hi - lo) + 1 }, (_, i) => [lo + BigInt(i)]),
  )
  const size = Math.max(set.maxElements, elements.length)
  const table: Table = { kind: 'table', name: nameOf(set), keys: [{ bits: FIELDS[key].bits, kind: FIELDS[key].kind }], size, elements, span: set.span } // biome-ignore format: one value
  state.push(table)
  return table
}
