// What tc 6.1 says to each line, and what it sends, is recorded in test/rules/u32; what filters mean in test/golden/u32. What the kernel answers
// to filters that do not go together was taken down from Linux 6.18.

import { readFileSync } from 'node:fs'
import { code, renderAll, source } from '@netsieve/diag'
import { check, print } from '@netsieve/ir'
import { describe, expect, test } from 'vitest'
import { guessSyntax, u32 } from '../src/index.ts'
import type { U32Filter } from '../src/u32/index.ts'

interface Row {
  readonly line: string
  readonly accepted: boolean
  readonly prio: number
  readonly protocol: string
  readonly handle: number
  readonly classid?: number
  readonly ht?: number
  readonly link?: number
  readonly divisor?: number
  readonly flags?: number
  /** plus, at, mask, shift. */
  readonly offset?: readonly number[]
  /** at, mask. */
  readonly hashkey?: readonly number[]
  /** value, mask, offset, -1 at nexthdr+. */
  readonly keys?: readonly (readonly number[])[]
  readonly mark?: readonly number[]
}
const golden: { readonly rows: readonly Row[] } = JSON.parse(
  readFileSync(new URL('../../../test/rules/u32/tc-6.1.golden.json', import.meta.url), 'utf8'),
)

const parse = (text: string) => u32.parse(source('t.tc', text))
const EAT = 8

/** tc refuses selectors without a value where nothing at all follows, as if they were not whole. */
const LAXER = /match (ip (nofrag|firstfrag|df|mf)|mark 5 0xff)$/

/** Our tree as tc would send it. */
function sent(filter: U32Filter) {
  const { keys, handle, classid, home, link, divisor, offset, hashkey, mark } = filter
  const [major, minor] = (classid ?? '0:0').split(':').map((part) => Number.parseInt(part, 16)) as [number, number]
  const place = ({ table, bucket }: { table: number; bucket: number }) => ((table << 20) | (bucket << 12)) >>> 0
  return {
    handle: (place(handle) | handle.node) >>> 0,
    classid: ((major << 16) | minor) >>> 0,
    ht: home ? place(home) : 0,
    link: link ? (link.table << 20) >>> 0 : 0,
    divisor: divisor ?? 0,
    keys: keys.map(({ value, mask, offset, nexthdr }) => [value, mask, offset, nexthdr ? -1 : 0]),
    offset: [offset?.plus ?? 0, offset?.read?.at ?? 0, offset?.read?.mask ?? 0, offset?.read?.shift ?? 0],
    eat: offset?.eat ?? false,
    hashkey: [hashkey?.at ?? 0, hashkey?.mask ?? 0],
    mark: mark ? [Number(mark.value), Number(mark.mask)] : [0, 0],
  }
}

/** Lines that tc takes and we refuse on purpose, by the code of the refusal. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  'rules/unsupported': /police|skip_sw|dev lo flowid/,
  'rules/twice': /flowid .*flowid|classid .*classid|indev .*indev|mark .*mark|ht .*ht|link .*link/,
  'rules/mac': /ether .*(2:0:0:0:0:1|\/ff)/,
  'rules/address': / (10\.1|localhost) /,
  'rules/number':
    /ht 800::[25]|order (0|4096)|at -4 mask|plus -4|shift 17|mask 0f000|[ +]\+\d|handle 1:2:3:4|hashkey mask ff at -4|at nexthdr\+-4/,
  'rules/syntax': /flowid 1:1$/,
  'u32/empty': /^u32( flowid 1:1| classid 1:10|)$/,
  'u32/table': /divisor|sample/,
  'u32/link': /offset|hashkey/,
}

test.each(golden.rows)('tc 6.1: $line', (row) => {
  const { value, diagnostics } = parse(row.line)
  const codes = code(diagnostics.filter(({ severity }) => severity === 'error'))
  if (!row.accepted) return expect(codes.length > 0 || LAXER.test(row.line)).toBe(true)
  if (codes.length > 0) return expect(STRICTER[codes[0]!]?.test(row.line), renderAll(diagnostics)).toBe(true)
  const [filter] = value!.filters
  expect(filter!.prio).toBe(row.prio)
  expect(filter!.protocol === 'all' ? 3 : filter!.protocol).toBe(Number.parseInt(row.protocol, 16))
  expect(sent(filter!)).toEqual({
    handle: row.handle,
    classid: row.classid ?? 0,
    ht: row.ht ?? 0,
    link: row.link ?? 0,
    divisor: row.divisor ?? 0,
    // A move by multiples of 4 is none under the mask 1, which tc gives to the code of ICMPv6.
    keys: (row.keys ?? []).map(([value, mask, at, moved]) => [value, mask, at, moved === 1 ? 0 : moved]),
    offset: row.offset ?? [0, 0, 0, 0],
    eat: ((row.flags ?? 0) & EAT) !== 0,
    hashkey: row.hashkey ?? [0, 0],
    mark: row.mark ?? [0, 0],
  })
})

test('most recorded lines are taken', () => {
  const taken = golden.rows.filter(({ accepted, line }) => accepted && parse(line).value)
  expect(taken.length).toBeGreaterThan(golden.rows.filter(({ accepted }) => accepted).length * 0.75)
})

const TABLES = `protocol ip prio 5 handle 1: u32 divisor 4
protocol ip prio 5 handle 2: u32 divisor 1
`
const ANY = 'match u32 0 0 action drop'

/** The codes of what is wrong with a text, and the words at the first place. */
function wrong(text: string, hook?: string): [string, string] | undefined {
  const { value, diagnostics } = parse(text)
  const all = [...diagnostics, ...(value ? u32.lower(value, hook === undefined ? {} : { hook }).diagnostics : [])]
  const first = all.find(({ severity }) => severity === 'error') ?? all[0]
  return first && [first.code, first.span ? first.span.source.text.slice(first.span.start, first.span.end) : '']
}

describe('what is refused or told', () => {
  test.each<[string, string, string]>([
    [`protocol ip prio 5 u32 ht 1: ${ANY}`, 'u32/table', '1:'],
    [`${TABLES}protocol ip prio 5 u32 ht 1:4: ${ANY}`, 'u32/bucket', '1:4:'],
    [`${TABLES}protocol ip prio 5 u32 ht 800:1: ${ANY}`, 'u32/bucket', '800:1:'],
    [`${TABLES}protocol ip prio 6 handle 1: u32 divisor 1`, 'u32/exists', '1:'],
    [`${TABLES}protocol ip prio 5 handle fff: u32 divisor 1`, 'u32/table', 'fff:'],
    [`${TABLES}protocol ip prio 5 handle 2::7 u32 ht 1:1: ${ANY}`, 'u32/handle', '2::7'],
    [`protocol ip prio 5 handle 800: u32 ${ANY}`, 'u32/handle', '800:'],
    [`prio 1 handle ::6 u32 ${ANY}\nprio 1 handle 800::6 u32 ${ANY}`, 'u32/exists', '800::6'],
    [`prio 1 u32 ${ANY}\nprio 1 protocol ip u32 ${ANY}`, 'tc/prio-protocol', '1'],
    [`${TABLES}protocol ip prio 5 u32 match u32 0 0 link 800:`, 'u32/link', '800:'],
    ['protocol ip prio 5 u32 match u32 0 0 link 3:', 'u32/table', '3:'],
    [`${TABLES}protocol ip prio 5 u32 match u32 0 0 link 2: action drop`, 'rules/unsupported', 'link 2:'],
    [`${TABLES}protocol ip prio 5 u32 ht 2: match u32 0 0 link 2:\nprotocol ip prio 5 u32 match u32 0 0 link 2:`, 'rules/unsupported', '2:'],
    ['protocol ip u32 match u8 6 0xff at 9 match u8 7 0xff at 9 action drop', 'u32/contradiction', 'u8 7 0xff at 9'],
    ['protocol ip u32 match mark 0xff 0xf action drop', 'u32/contradiction', 'mark 0xff 0xf'],
    ['protocol ip u32 match ip ttl 1 0xff action drop', 'rules/unknown-key', 'ttl'],
    ['protocol ip u32 match u32 1 0xffffffff at -20 action drop', 'rules/unsupported', 'u32 1 0xffffffff at -20'],
    ['protocol ip u32 match u8 1 0xff at 70000 action drop', 'rules/unsupported', 'u8 1 0xff at 70000'],
    ['protocol ip u32 match u8 6 0xff at 9 police rate 1mbit burst 10k drop', 'tc/police', 'police rate 1mbit burst 10k drop'],
    ['protocol ip u32 match u8 6 0xff at 9 police rate 1mbit', 'tc/police', 'police'],
    ['protocol ip u32 match u8 6 0xff at 9 police rate 1mbit burst 10k drop flowid 1:1 match u8 0 0', 'rules/unsupported', 'match'],
    ['protocol ip u32 match u8 6 0xff at 9 action foo', 'rules/unsupported', 'foo'],
    ['protocol ip u32 match u8 6 0xff at 9', 'u32/nothing', 'protocol ip u32 match u8 6 0xff at 9'],
    ['protocol ip u32 match tcp dst 80 0xffff action drop', 'u32/nexthdr', 'tcp dst 80 0xffff'],
    ['protocol ip u32 match u16 80 0xffff at 3 action drop', 'u32/at', 'u16 80 0xffff at 3'],
    ['protocol ip u32 match u8 300 0xff at 9 action drop', 'rules/number', '300'],
    ['protocol ip u32 match u8 6 255 at 9 action drop', 'rules/number', '255'],
    ['protocol ip flower action drop', 'rules/unsupported', 'flower'],
    ['protocol ip u32 match ip dport 80 action drop', 'rules/syntax', 'action'],
    ['protocol ip u32 match mark 5 action drop', 'rules/syntax', 'action'],
    ['protocol ip u32 match ip src 10.1 action drop', 'rules/address', '10.1'],
    [`${TABLES}protocol ip prio 5 u32 match u32 0 0 offset at 0 mask 0f00 shift 6 link 2:\nprotocol ip prio 5 u32 match tcp dst 80 0xffff action drop`, 'rules/unsupported', 'tcp dst 80 0xffff'],
    [`${TABLES}protocol ip prio 5 u32 match u32 0 0 link 2:\nprotocol ip prio 6 u32 ${ANY}`, 'rules/unsupported', '2:'],
    [`prio 5 chain 1 u32 ${ANY}\nprio 5 u32 match u32 0 0 action goto chain 1\nprio 6 u32 ${ANY}`, 'rules/unsupported', 'action goto chain 1'],
    [`protocol ip chain 3 u32 ${ANY}\nprotocol ip u32 ${ANY}`, 'tc/unreached', `protocol ip chain 3 u32 ${ANY}`],
    [`egress u32 ${ANY}`, 'rules/empty', `egress u32 ${ANY}`],
    [`protocol ip u32 ${ANY}\nprotocol ip flower action drop`, 'rules/unsupported', 'flower'],
  ])('%s: %s', (text, expected, place) => {
    expect(wrong(text)).toEqual([expected, place])
  }) // biome-ignore format: one case a line
})

test('what Linux takes is taken', () => {
  expect(wrong(`${TABLES}protocol ip prio 6 u32 ht 800: ${ANY}\nprotocol ip prio 6 u32 ht 1:3: ${ANY}`)).toBeUndefined()
  expect(wrong(`prio 1 handle ::6 u32 ${ANY}\nreplace prio 1 handle ::6 u32 ${ANY}`)).toEqual([
    'rules/syntax',
    'replace',
  ])
  expect(wrong(`filter add prio 1 handle ::6 u32 ${ANY}\nfilter replace prio 1 handle ::6 u32 ${ANY}`)).toBeUndefined()
  expect(wrong(`egress protocol ip u32 ${ANY}`, 'egress')).toBeUndefined()
})

test('what a filter is in the IR', () => {
  const text = `tc filter add dev eth0 parent ffff: protocol ip prio 5 handle 1: u32 divisor 1
tc filter add dev eth0 parent ffff: protocol ip prio 5 u32 ht 1: match tcp dst 80 0xffff action drop
tc filter add dev eth0 parent ffff: protocol ip prio 5 u32 match ip protocol 6 0xff match ip src 10.0.0.0/8 offset at 0 mask 0f00 shift 6 link 1:
`
  const { value } = u32.lower(parse(text).value!, {})
  expect(check(value!).diagnostics).toEqual([])
  const rules = print(value!).split('\n').filter((line) => line.includes('#')) // biome-ignore format: one list
  expect(rules.map((line) => line.trim().replace(/ +;.*/, ''))).toEqual([
    '#1: transport[0:4] & 0xffff == 80, → drop',
    '#2: meta.protocol == 0x800, net[8:4] & 0xff0000 == 393216, net[12:4] & 0xff000000 == 167772160, net[0:2] in {0-65535}, → jump "ingress/1:0 from net, next transport"',
  ])
  expect(guessSyntax(text)).toBe('u32')
})

test('a policer has a class behind it', () => {
  const text = 'protocol ip prio 50 u32 match ip src 0.0.0.0/0 police rate 256kbit burst 10k drop flowid :1'
  const { value } = u32.lower(parse(text).value!, {})
  expect(value!.chains[0]!.rules[0]!.steps.slice(2)).toMatchObject([
    { kind: 'log', words: 'police rate 256kbit burst 10k drop' },
    { kind: 'verdict', verdict: { kind: 'act', act: 'class', args: ['0:1'] } },
  ])
})

test('many filters take little time, and a bucket has room for 4095', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `prio 1 protocol ip u32 match ip dport ${i + 1} 0xffff action drop`).join('\n') // biome-ignore format: one text
  const { value } = u32.lower(parse(lines(4095)).value!, {})
  // What comes after number 0xfff has the lowest numbers, and is asked first.
  expect(value!.chains[0]!.rules.map(({ id }) => id).slice(0, 2)).toEqual([2048, 2049])
  expect(code(u32.lower(parse(lines(4200)).value!, {}).diagnostics)).toEqual(['u32/full'])
})

test('a command that ends too early tells what it lacks', () => {
  const lacks = (text: string) => parse(text).diagnostics.map(({ expected }) => expected)
  expect(lacks('u32 match ip dport 80')).toEqual([['a mask in hexadecimal']])
  expect(lacks('u32 match u32 0 0 flowid')).toEqual([['a value']])
  expect(lacks('u32 match ip')).toEqual([
    ["'df'", "'dst'", "'firstfrag'", "'mf'", "'nofrag'", "'src'", "a field's name"],
  ])
  expect(lacks('tc')).toEqual([["'-'", "'filter'"]])
})

test('hostile text ends in a message', () => {
  expect(code(parse(`u32 match ${'x'.repeat(300_000)}`).diagnostics)).toHaveLength(1)
  expect(code(parse('u32 \u0000 \ud800').diagnostics)).toEqual(['rules/syntax'])
  expect(parse(`u32 ${'match u8 0 0 '.repeat(5_000)}action drop`).value!.filters[0]!.keys).toHaveLength(1)
})

test('the syntax is told by its words', () => {
  expect(guessSyntax('protocol ip u32 match ip dport 80 0xffff action drop')).toBe('u32')
  expect(guessSyntax('-A INPUT -m u32 --u32 "0=1" -j DROP')).toBe('iptables')
  expect(guessSyntax('protocol ip flower action drop')).toBe('flower')
})

test('tables that are come to in very many ways are refused', () => {
  const tables = [1, 2, 3, 4, 5, 6]
  const made = tables.map((table) => `protocol ip prio 1 handle ${table}: u32 divisor 1`)
  const links = tables.flatMap((table, i) =>
    Array.from({ length: 10 }, (_, j) => `protocol ip prio 1 u32 ht ${i === 0 ? '800' : table - 1}: match u8 ${j} 0xff at 0 link ${table}: offset at ${2 * j} mask 0f00 shift 6 eat`)) // biome-ignore format: one line of tc
  const text = [...made, ...links, `protocol ip prio 1 u32 ht 6: ${ANY}`].join('\n')
  const [first] = u32.lower(parse(text).value!, {}).diagnostics
  expect(first?.message).toBe('unsupported: links by which buckets count from more than 5000 places in all')
})
