// Matches of iptables that keep something from packet to packet, and chance. Sources: iptables-extensions(8), what the programs answer, and
// verdicts of the real tools (test/golden/state).

import type { Diagnostics, Span } from '@netsieve/diag'
import { field, masked, type StateDef, type Step } from '@netsieve/ir'
import { FIELDS, maxValue, prefixMask } from '@netsieve/packet'
import { type IpFamily, parseNumber, readNumber, splitAll, type Word } from '../shared/index.ts'
import type { Kept, KeyedBy, Match } from './ast.ts'
import { readPhysdev, readPolicy } from './bridged.ts'
import { readConnbytes, readConnlimit } from './counted.ts'
import { readMatchSet } from './ipset-match.ts'
import { readHeaders } from './ipv6header.ts'
import type { Option } from './matches.ts'
import { readRecent, recentStep } from './recent.ts'
import { readString } from './string.ts'
import { readTime } from './time.ts'

/** Modules whose options are read together: those that keep something or count connections, time, and string. */
export const STATE_MODULES: ReadonlySet<string> = new Set([
  'limit',
  'quota',
  'statistic',
  'hashlimit',
  'time',
  'string',
  'connlimit',
  'connbytes',
  'recent',
  'set',
  'ipv6header',
  'physdev',
  'policy',
])

const SECOND = 1_000_000_000n
const UNITS: Readonly<Record<string, bigint>> = {
  second: SECOND,
  minute: 60n * SECOND,
  hour: 3600n * SECOND,
  day: 86_400n * SECOND,
}
/** xt_limit counts time in ten-thousandths of a second. */
const TICK = 100_000n

export interface KeptPlace {
  readonly family: IpFamily
  /** The rule asks for a protocol that has ports. */
  readonly ports: boolean
  readonly span: Span
}

/** A match of limit, hashlimit, quota or statistic, from all its options. Undefined after an error. */
export function readKept(
  module: string,
  options: readonly Option[],
  place: KeptPlace,
  diagnostics: Diagnostics,
): Match | undefined {
  const { span } = place
  if (module === 'time') return readTime(options, span, diagnostics)
  if (module === 'string') return readString(options, span, diagnostics)
  if (module === 'connlimit') return readConnlimit(options, place, diagnostics)
  if (module === 'connbytes') return readConnbytes(options, span, diagnostics)
  if (module === 'hashlimit') return readHashlimit(options, place, diagnostics)
  if (module === 'ipv6header') return readHeaders(options, span, diagnostics)
  if (module === 'set') return readMatchSet(options, span, diagnostics)
  if (module === 'physdev') return readPhysdev(options, span, diagnostics)
  if (module === 'policy') return readPolicy(options, span, diagnostics)
  if (module === 'recent') return readRecent(options, place, diagnostics)
  if (module === 'statistic') return readStatistic(options, span, diagnostics)
  const kept = readNumbers(module, options, span, diagnostics)
  return kept && { kind: 'kept', kept, span }
}

/** xt_hashlimit counts time in millionths of a second, and forgets who sent nothing for ten of them by default. */
const MICROSECOND = 1000n
const EXPIRE = 10_000
/** Milliseconds between its looks for what is to be forgotten. */
const COLLECTS = 1000
const MOST = 0xffffffff
/** So many keys at a time: the kernel's number goes by its memory. */
const ROOM = 65_535

/** A rate for each of what `--hashlimit-mode` says. */
function readHashlimit(
  options: readonly Option[],
  { family, ports, span }: KeptPlace,
  diagnostics: Diagnostics,
): Match | undefined {
  const given = (name: string) => options.find((each) => each.name === `hashlimit-${name}`)
  const wrong = (message: string, at: Span = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  const number = (name: string, min: number, max: number, otherwise: number): bigint | undefined => {
    const word = given(name)?.values[0]
    if (!word) return BigInt(otherwise)
    return readNumber(word, { min, max, octal: true }, diagnostics)
  }
  const [upto, above] = [given('upto'), given('above')]
  const rate = (upto ?? above)?.values[0]
  if (!rate || (upto && above)) return wrong('hashlimit needs one of --hashlimit-upto and --hashlimit-above')
  const name = given('name')?.values[0]
  if (!name) return wrong('hashlimit needs --hashlimit-name')
  if (/^\.{0,2}$|\/|.{256}/.test(name.text)) return wrong(`\`${name.text}\` is no name of a table`, name.span)
  if (/[0-9][kmg]?b\//i.test(rate.text))
    return { kind: 'unsupported', what: 'rates of bytes of hashlimit', span: rate.span }
  const found = /^(\d{1,7})(?:\/([a-z]+))?$/i.exec(rate.text)
  const unit = found && Object.keys(UNITS).find((name) => name.startsWith((found[2] ?? 'second').toLowerCase()))
  const packets = BigInt(found?.[1] ?? 0)
  if (!unit || packets < 1n || packets > 1_000_000n)
    return wrong(`\`${rate.text}\` is no rate`, rate.span, ['a rate such as 5/minute'])
  const bits = family === 'ipv4' ? 32 : 128
  const burst = number('burst', 1, 1_000_000, 5)
  const [source, destination] = [number('srcmask', 0, bits, bits), number('dstmask', 0, bits, bits)]
  const [expire, collects] = [number('htable-expire', 1, MOST, EXPIRE), number('htable-gcinterval', 1, MOST, COLLECTS)]
  const rows = number('htable-size', 0, MOST, 0)
  if (burst === undefined || source === undefined || destination === undefined) return undefined
  if (expire === undefined || collects === undefined || rows === undefined) return undefined
  const fields = { srcip: [`${family}.src`, prefixMask(Number(source), bits)], dstip: [`${family}.dst`, prefixMask(Number(destination), bits)], srcport: ['th.sport', 0xffffn], dstport: ['th.dport', 0xffffn] } as const // biome-ignore format: one row
  const key: KeyedBy['key'][number][] = []
  const modes = given('mode')?.values[0]
  for (const word of modes ? splitAll(modes, ',') : []) {
    if (!Object.hasOwn(fields, word.text))
      return wrong(`\`${word.text}\` is no mode of hashlimit`, word.span, Object.keys(fields))
    if (word.text.endsWith('port') && !ports)
      return { kind: 'unsupported', what: 'ports of hashlimit without a protocol that has them', span: word.span }
    const [field, mask] = fields[word.text as keyof typeof fields]
    key.push({ field, mask })
  }
  const per = (UNITS[unit]! / MICROSECOND / packets) * MICROSECOND
  // Eight keys a row, and packets of further ones are dropped whatever the rules say.
  if (key.length > 0 && rows > 0n && rows * 8n < ROOM)
    return { kind: 'unsupported', what: 'a --hashlimit-htable-size of so few rows', span: given('htable-size')!.span }
  // Late forgetting shows where what is forgotten has not filled up by itself.
  if (key.length > 0 && collects > COLLECTS && per * burst > expire * 1_000_000n)
    return { kind: 'unsupported', what: 'a --hashlimit-htable-gcinterval that delays forgetting', span: given('htable-gcinterval')!.span } // biome-ignore format: one value
  const over = above !== undefined || (upto?.negated ?? false)
  const keyed = { name: name.text, key, over, timeout: expire * 1_000_000n }
  return { kind: 'kept', kept: { kind: 'limit', rate: 1n, per, burst, keyed }, span }
}

/** The options of each mode of statistic, all of which it needs. */
const STATISTIC = { random: ['probability'], nth: ['every', 'packet'] } as const

function readStatistic(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const given = (name: string) => options.find((each) => each.name === name)
  const wrong = (message: string, at: Span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  const word = given('mode')?.values[0]
  if (!word || !Object.hasOwn(STATISTIC, word.text))
    return wrong('statistic needs a mode', word?.span ?? span, ['--mode nth', '--mode random'])
  const mode = word.text as keyof typeof STATISTIC
  const needs: readonly string[] = STATISTIC[mode]
  const other = options.find(({ name }) => name !== 'mode' && !needs.includes(name))
  if (other) return wrong(`--mode ${mode} takes no --${other.name}`, other.span)
  const missing = needs.find((name) => !given(name))
  if (missing) return wrong(`--mode ${mode} needs --${missing}`, span)
  if (mode === 'random') return readRandom(given('probability')!, span, diagnostics)
  const limits = { max: MOST, octal: true }
  const every = readNumber(given('every')!.values[0]!, { ...limits, min: 1 }, diagnostics)
  const before = readNumber(given('packet')!.values[0]!, limits, diagnostics)
  if (every === undefined || before === undefined) return undefined
  if (before >= every) return wrong('--packet is below --every', given('packet')!.span)
  return { kind: 'kept', kept: { kind: 'nth', every, before, over: given('every')!.negated }, span }
}

/** One packet in so many, by the number that was drawn for each: `--probability 0.25`. */
function readRandom(option: Option, span: Span, diagnostics: Diagnostics): Match | undefined {
  const word = option.values[0]!
  const chance = /^[0-9]*\.?[0-9]+$/.test(word.text) ? Number(word.text) : Number.NaN
  if (!(chance >= 0 && chance <= 1)) {
    diagnostics.error('iptables/match', `\`${word.text}\` is no probability`, word.span, { expected: ['a number from 0 to 1'] }) // biome-ignore format: one message
    return undefined
  }
  const below = BigInt(Math.round(chance * 2 ** 32))
  const test = { lo: below === 0n ? 1n : 0n, hi: below === 0n ? 0n : below - 1n }
  return { kind: 'field', field: 'meta.random', negated: option.negated, test, span }
}

function readNumbers(
  module: string,
  options: readonly Option[],
  span: Span,
  diagnostics: Diagnostics,
): Kept | undefined {
  const given = (name: string) => options.find((each) => each.name === name)
  const wrong = (message: string, at: Span = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  switch (module) {
    case 'limit': {
      const text = given('limit')?.values[0]
      const found = /^(\d{1,5})(?:\/([a-z]+))?$/i.exec(text?.text ?? '3/hour')
      const unit = found && Object.keys(UNITS).find((name) => name.startsWith((found[2] ?? 'second').toLowerCase()))
      const rate = BigInt(found?.[1] ?? 0)
      if (!unit || rate === 0n || rate > 10_000n)
        return wrong(`\`${text?.text ?? ''}\` is no rate`, text?.span, [
          'a rate such as 5/minute, at most 10000/second',
        ])
      const word = given('limit-burst')?.values[0]
      const burst = word ? readNumber(word, { max: 10_000, octal: true }, diagnostics) : 5n
      const ticks = UNITS[unit]! / TICK / rate
      if (burst === undefined) return undefined
      return ticks === 0n
        ? wrong('this rate is too fast', text?.span)
        : { kind: 'limit', rate: 1n, per: ticks * TICK, burst }
    }
    default: {
      const option = given('quota')!
      const [word] = option.values as readonly [Word]
      const bytes = parseNumber(word.text, true)
      if (bytes === undefined || bytes >= 1n << 62n) return wrong(`\`${word.text}\` is no number of bytes`, word.span)
      return { kind: 'quota', bytes, over: option.negated }
    }
  }
}

/**
 * What a limit of packets is under a profile: iptables-nft takes a burst of 0 for 5; the kernel refuses iptables-legacy's where the tokens of the
 * burst are more than 32 bits hold (xt_limit of Linux 6.18). Undefined if it does.
 */
export function limitUnder(kept: Kept, legacy: boolean): Kept | undefined {
  if (kept.kind !== 'limit' || kept.keyed) return kept
  if (!legacy) return kept.burst === 0n ? { ...kept, burst: 5n } : kept
  const tokens = (ticks: bigint) =>
    BigInt.asUintN(32, ticks > 134_217n ? (ticks / 10_000n) * TOKENS : (ticks * TOKENS) / 10_000n)
  const ticks = kept.per / TICK
  const full = tokens(BigInt.asUintN(32, ticks * kept.burst))
  return kept.burst === 0n || full < tokens(ticks) ? undefined : kept
}
/** Tokens a second: the kernel's clock times the highest power of two that a day of them leaves room for. */
const TOKENS = 32_000n

/** The name that rules share what they keep by; undefined where each rule has its own. */
export function sharedName(kept: Kept, family: IpFamily): string | undefined {
  if (kept.kind === 'recent') return `recent.${family}.${kept.name}`
  return kept.kind === 'limit' && kept.keyed ? `hashlimit.${family}.${kept.keyed.name}` : undefined
}

/** What rules of one shared name must agree on: all but which side of the rate each is for. */
export function sameSettings(one: Kept, other: Kept): boolean {
  if (one.kind === 'recent') return true
  const text = (kept: Kept) =>
    JSON.stringify({ ...kept, ...('keyed' in kept && { keyed: { ...kept.keyed, over: false } }) }, (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    )
  return text(one) === text(other)
}

/** A kept thing as a step and what it keeps. */
export function keptStep(kept: Kept, name: string, span: Span): { readonly step: Step; readonly def: StateDef } {
  switch (kept.kind) {
    case 'limit': {
      const { rate, per, burst, keyed } = kept
      const def = { kind: 'limit', name, rate, per, burst, unit: 'packets', span } as const
      if (!keyed || keyed.key.length === 0)
        return { step: { kind: 'limit', state: name, over: keyed?.over ?? false, span }, def }
      const { timeout } = keyed
      const keys = keyed.key.map(({ field }) => ({ bits: FIELDS[field].bits, kind: FIELDS[field].kind }))
      const key = keyed.key.map(({ field: id, mask }) => (mask === maxValue(id) ? field(id) : masked(field(id), mask)))
      const each = { keys, size: ROOM, timeout, refreshed: true }
      return { step: { kind: 'limit', state: name, over: keyed.over, key, span }, def: { ...def, each } }
    }
    case 'quota':
      return {
        step: { kind: 'quota', state: name, over: kept.over, span },
        def: { kind: 'quota', name, bytes: kept.bytes, used: 0n, span },
      }
    case 'nth':
      return {
        step: { kind: 'nth', state: name, over: kept.over, span },
        def: { kind: 'nth', name, every: kept.every, before: kept.before, span },
      }
    case 'recent':
      return recentStep(kept, name, span)
  }
}
