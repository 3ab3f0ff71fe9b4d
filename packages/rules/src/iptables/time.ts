// The match time: when a packet comes, in UTC (iptables-extensions(8), net/netfilter/xt_time.c of Linux 6.18). Days of the month are spans of time,
// up to the last one that the match can tell.

import type { Diagnostics } from '@netsieve/diag'
import { inRanges } from '@netsieve/ir'
import { splitAll, type Word } from '../shared/index.ts'
import type { HeaderTest, Match } from './ast.ts'
import type { Option } from './matches.ts'

const SECOND = 1_000_000_000n
const LAST_SECOND = 86_399
/** Of the week, as meta.day counts them. */
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

/** A match of time, from all its options. Undefined after an error. */
export function readTime(options: readonly Option[], span: Match['span'], diagnostics: Diagnostics): Match | undefined {
  const given = (name: string) => options.find((each) => each.name === name)
  const word = (name: string) => given(name)?.values[0]
  const start = word('timestart') ? secondsOf(word('timestart')!, diagnostics) : 0
  const stop = word('timestop') ? secondsOf(word('timestop')!, diagnostics) : LAST_SECOND
  const from = word('datestart') ? dateOf(word('datestart')!, diagnostics) : 0n
  const to = word('datestop') ? dateOf(word('datestop')!, diagnostics) : undefined
  const [week, month] = [given('weekdays'), given('monthdays')]
  const weekdays = week && daysOf(week.values[0]!, diagnostics)
  const monthdays = month && datesOf(month.values[0]!, diagnostics)
  if ((week && !weekdays) || (month && !monthdays)) return undefined
  if (start === undefined || stop === undefined || from === undefined || (word('datestop') && to === undefined))
    return undefined
  const contiguous = given('contiguous')
  if (contiguous && stop >= start) {
    const message = '--contiguous is for a time that stops on the day after it starts'
    diagnostics.error('iptables/match', message, contiguous.span, { expected: ['--timestop before --timestart'] })
    return undefined
  }
  const tests: HeaderTest[] = []
  /** What is asked of the date, `later` by so many days. */
  const dates = (later: 0 | 1): HeaderTest[] => [
    ...(week ? [{ kind: 'any', negated: week.negated, tests: weekdays!.map((day) => range('meta.day', (day + BigInt(later)) % 7n, (day + BigInt(later)) % 7n)) } as const] : []), // biome-ignore format: one row
    ...(month ? [{ kind: 'pred', pred: inRanges('meta.time', daySpans(monthdays!, month.negated, later)) } as const] : []), // biome-ignore format: one row
  ]
  const [evening, morning] = [range('meta.hour', BigInt(start), BigInt(LAST_SECOND)), range('meta.hour', 0n, BigInt(stop))] // biome-ignore format: one row
  if (contiguous) {
    const spans = ([[evening, 0], [morning, 1]] as const).map(([hours, later]) => ({ kind: 'all', tests: [hours, ...dates(later)] }) as const) // biome-ignore format: one row
    tests.push({ kind: 'any', tests: spans })
  } else {
    tests.push(...dates(0))
    // Over midnight: what lies between the end and the next start is left out.
    if (start >= stop) tests.push({ kind: 'any', tests: [evening, morning] })
    else if (start > 0 || stop < LAST_SECOND) tests.push(range('meta.hour', BigInt(start), BigInt(stop)))
  }
  if (from > 0n || to !== undefined)
    tests.push(range('meta.time', from * SECOND, to === undefined ? (1n << 64n) - 1n : to * SECOND + SECOND - 1n))
  return { kind: 'header', module: 'time', tests, span }
}

/** The match counts seconds since 1970 in 31 bits: its last day begins here. */
const LAST_DAY = Date.UTC(2038, 0, 19) / 1000
const DAY = 86_400

/** All days of those dates as spans of nanoseconds, each `later` by so many days. */
function daySpans(dates: ReadonlySet<number>, negated: boolean, later: number): { lo: bigint; hi: bigint }[] {
  const out: { lo: bigint; hi: bigint }[] = []
  for (let second = 0; second <= LAST_DAY; second += DAY) {
    if (dates.has(new Date(second * 1000).getUTCDate()) === negated) continue
    const lo = BigInt(second + later * DAY) * SECOND
    out.push({ lo, hi: lo + BigInt(DAY) * SECOND - 1n })
  }
  return out
}

/** `1,15,31`: days of the month. */
function datesOf(word: Word, diagnostics: Diagnostics): ReadonlySet<number> | undefined {
  const out = new Set<number>()
  for (const part of splitAll(word, ',')) {
    const day = /^\d{1,2}$/.test(part.text) ? Number(part.text) : 0
    if (day < 1 || day > 31) return wrong(part, 'is no day of a month', '1,15,31', diagnostics)
    out.add(day)
  }
  return out
}

const range = (field: 'meta.day' | 'meta.hour' | 'meta.time', lo: bigint, hi: bigint): HeaderTest => ({ kind: 'field', field, test: { lo, hi } }) // biome-ignore format: one value

/** `08:00`, `17:30:59`. */
function secondsOf(word: Word, diagnostics: Diagnostics): number | undefined {
  const [hours, minutes, seconds = 0] = /^\d{1,2}:\d{2}(?::\d{2})?$/.test(word.text) ? word.text.split(':').map(Number) : [24] // biome-ignore format: one choice
  if (hours! < 24 && minutes! < 60 && seconds < 60) return hours! * 3600 + minutes! * 60 + seconds
  return wrong(word, 'is no time of day', 'a time such as 17:30', diagnostics)
}

/** `2026`, `2026-11-27`, `2026-11-27T17:30:00`: seconds since 1970, of its start. */
function dateOf(word: Word, diagnostics: Diagnostics): bigint | undefined {
  const found = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d))?)?)?)?)?$/.exec(word.text)
  const [year, month = '01', day = '01', hour = '00', minute = '00', second = '00'] = found?.slice(1) ?? []
  const time = found ? Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) : Number.NaN
  if (time >= 0) return BigInt(time / 1000)
  return wrong(word, 'is no date', 'a date such as 2026-11-27 or 2026-11-27T17:30:00', diagnostics)
}

/** `Mon,Tue`, `1,2`: Monday is 1, Sunday 7. */
function daysOf(word: Word, diagnostics: Diagnostics): bigint[] | undefined {
  const out: bigint[] = []
  for (const part of splitAll(word, ',')) {
    const number = /^[1-7]$/.test(part.text) ? Number(part.text) % 7 : DAYS.indexOf(part.text.slice(0, 3).toLowerCase() as (typeof DAYS)[number]) // biome-ignore format: one choice
    if (number < 0 || !/^(?:[1-7]|[a-z]{2,9})$/i.test(part.text))
      return wrong(part, 'is no day of the week', 'Mon,Tue,… or 1,2,…', diagnostics)
    out.push(BigInt(number))
  }
  return out
}

function wrong({ text, span }: Word, what: string, expected: string, diagnostics: Diagnostics): undefined {
  diagnostics.error('iptables/value', `\`${text}\` ${what}`, span, { expected: [expected] })
  return undefined
}
