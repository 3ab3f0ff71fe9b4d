// Matches on how many connections there are, and how much of one there was: told with the packet. Sources: iptables-extensions(8), and what
// iptables 1.8.9 answers.

import type { Diagnostics, Span } from '@netsieve/diag'
import { maxValue } from '@netsieve/packet'
import { addressBits, parseNumber, readNumber, split } from '../shared/index.ts'
import type { Match } from './ast.ts'
import type { KeptPlace } from './kept.ts'
import type { Option } from './matches.ts'

const MOST = 0xffffffff

function finder(options: readonly Option[], span: Span, diagnostics: Diagnostics) {
  const given = (name: string) => options.find((each) => each.name === name)
  const wrong = (message: string, at: Span = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  return { given, wrong }
}

/** `--connlimit-above N`, `--connlimit-upto N`: of the connections that are counted together with the packet's own. */
export function readConnlimit(
  options: readonly Option[],
  { family, span }: KeptPlace,
  diagnostics: Diagnostics,
): Match | undefined {
  const { given, wrong } = finder(options, span, diagnostics)
  const [above, upto] = [given('connlimit-above'), given('connlimit-upto')]
  const option = above ?? upto
  if (!option) return wrong('connlimit needs --connlimit-above or --connlimit-upto')
  if (above && upto) return wrong('--connlimit-upto does not go with --connlimit-above', upto.span)
  const daddr = given('connlimit-daddr')
  if (given('connlimit-saddr') && daddr)
    return wrong('--connlimit-daddr does not go with --connlimit-saddr', daddr.span)
  const number = readNumber(option.values[0]!, { max: MOST, octal: true }, diagnostics)
  const mask = given('connlimit-mask')?.values[0]
  const bits = mask && readNumber(mask, { max: addressBits(family), octal: true }, diagnostics)
  if (number === undefined || (mask && bits === undefined)) return undefined
  const more = (above !== undefined) !== option.negated
  const test = more ? { lo: number + 1n, hi: BigInt(MOST) } : { lo: 0n, hi: number }
  return { kind: 'field', field: 'ct.count', negated: false, test, span }
}

const MODES = { packets: 'ct.packets', bytes: 'ct.bytes', avgpkt: 'ct.avgpkt' } as const
const DIRECTIONS = ['original', 'reply', 'both']

/** `--connbytes FROM:TO --connbytes-mode bytes --connbytes-dir both`. */
export function readConnbytes(options: readonly Option[], span: Span, diagnostics: Diagnostics): Match | undefined {
  const { given, wrong } = finder(options, span, diagnostics)
  const option = given('connbytes')
  const [mode, direction] = [given('connbytes-mode')?.values[0], given('connbytes-dir')?.values[0]]
  if (!option || !mode || !direction) return wrong('connbytes needs --connbytes, --connbytes-mode and --connbytes-dir')
  if (!Object.hasOwn(MODES, mode.text)) return wrong(`\`${mode.text}\` is no mode of connbytes`, mode.span, Object.keys(MODES)) // biome-ignore format: one message
  if (!DIRECTIONS.includes(direction.text))
    return wrong(`\`${direction.text}\` is no direction`, direction.span, DIRECTIONS)
  if (direction.text !== 'both') return { kind: 'unsupported', what: 'what went in one direction of a connection', span: direction.span } // biome-ignore format: one value
  const word = option.values[0]!
  const [first, second] = split(word, ':')
  const field = MODES[mode.text as keyof typeof MODES]
  const lo = parseNumber(first.text, true)
  const hi = second && second.text !== '' ? parseNumber(second.text, true) : maxValue(field)
  if (lo === undefined || hi === undefined || lo > hi || hi > maxValue(field))
    return wrong(`\`${word.text}\` is no range of numbers`, word.span, ['FROM:TO', 'FROM:'])
  return { kind: 'field', field, negated: option.negated, test: { lo, hi }, span }
}
