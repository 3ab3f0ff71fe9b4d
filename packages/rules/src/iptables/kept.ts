// Matches of iptables that keep something from packet to packet, and chance. Sources: iptables-extensions(8), what the programs answer, and
// verdicts of the real tools (test/golden/state).

import type { Diagnostics, Span } from '@netsieve/diag'
import type { StateDef, Step } from '@netsieve/ir'
import { parseNumber } from '../shared/index.ts'
import type { Kept, Match } from './ast.ts'
import type { Option } from './matches.ts'

/** Options of matches that keep something, by module: each is one thing that is kept. */
export const STATE_MODULES: ReadonlySet<string> = new Set(['limit', 'quota', 'statistic'])

const SECOND = 1_000_000_000n
const UNITS: Readonly<Record<string, bigint>> = {
  second: SECOND,
  minute: 60n * SECOND,
  hour: 3600n * SECOND,
  day: 86_400n * SECOND,
}
/** xt_limit counts time in ten-thousandths of a second. */
const TICK = 100_000n

/** A match of limit, quota or statistic, from all its options. Undefined after an error. */
export function readKept(
  module: string,
  options: readonly Option[],
  span: Span,
  diagnostics: Diagnostics,
): Match | undefined {
  const given = (name: string) => options.find((each) => each.name === name)
  const mode = given('mode')?.values[0]
  if (module === 'statistic' && mode?.text === 'random') return readRandom(given('probability'), span, diagnostics)
  const kept = readNumbers(module, options, span, diagnostics)
  return kept && { kind: 'kept', kept, span }
}

/** One packet in so many, by the number that was drawn for each: `--probability 0.25`. */
function readRandom(option: Option | undefined, span: Span, diagnostics: Diagnostics): Match | undefined {
  const word = option?.values[0]
  const chance = word && /^[0-9]*\.?[0-9]+$/.test(word.text) ? Number(word.text) : Number.NaN
  if (!(chance >= 0 && chance <= 1)) {
    const message = word ? `\`${word.text}\` is no probability` : '--mode random needs --probability'
    diagnostics.error('iptables/match', message, word?.span ?? span, { expected: ['a number from 0 to 1'] })
    return undefined
  }
  const below = BigInt(Math.round(chance * 2 ** 32))
  const test = { lo: below === 0n ? 1n : 0n, hi: below === 0n ? 0n : below - 1n }
  return { kind: 'field', field: 'meta.random', negated: option!.negated, test, span }
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
  const whole = (option: Option | undefined, from: bigint, otherwise: bigint): bigint | undefined => {
    if (!option) return otherwise
    const value = parseNumber(option.values[0]!.text, true)
    return value !== undefined && value >= from && value < 1n << 62n
      ? value
      : wrong(`\`${option.values[0]!.text}\` is no number from ${from} on`, option.values[0]!.span)
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
      const burst = whole(given('limit-burst'), 1n, 5n)
      const ticks = UNITS[unit]! / TICK / rate
      if (burst === undefined) return undefined
      return ticks === 0n
        ? wrong('this rate is too fast', text?.span)
        : { kind: 'limit', rate: 1n, per: ticks * TICK, burst }
    }
    case 'quota': {
      const bytes = whole(given('quota'), 0n, 0n)
      return bytes === undefined ? undefined : { kind: 'quota', bytes, over: given('quota')?.negated ?? false }
    }
    default: {
      const mode = given('mode')?.values[0]
      if (mode?.text !== 'nth') return wrong('statistic needs a mode', mode?.span, ['--mode nth', '--mode random'])
      const every = whole(given('every'), 1n, 0n)
      const before = whole(given('packet'), 0n, 0n)
      if (every === undefined || before === undefined) return undefined
      if (every === 0n) return wrong('--mode nth needs --every')
      if (before >= every) return wrong('--packet is below --every', given('packet')!.span)
      return { kind: 'nth', every, before, over: given('every')?.negated ?? false }
    }
  }
}

/** A kept thing as a step and what it keeps. */
export function keptStep(kept: Kept, name: string, span: Span): { readonly step: Step; readonly def: StateDef } {
  switch (kept.kind) {
    case 'limit':
      return {
        step: { kind: 'limit', state: name, over: false, span },
        def: { kind: 'limit', name, rate: kept.rate, per: kept.per, burst: kept.burst, unit: 'packets', span },
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
  }
}
