// Targets of iptables whose doings are told and done by others, to the packet's bytes or beside it: the options each takes, needs, and may
// be given. Sources: iptables-extensions(8), and what iptables 1.8.9 refuses.

import { type Diagnostics, spanText } from '@netsieve/diag'
import { IPPROTO } from '@netsieve/packet'
import { type IpFamily, readAddress, readNumber, splitAll, type Word } from '../shared/index.ts'
import type { Target } from './ast.ts'
import { readDscpClass, readTos } from './headers.ts'
import type { Option } from './matches.ts'
import type { OptionRow } from './options.ts'

/** Whether a value is one: undefined after an error. */
type Value = (word: Word, family: IpFamily, diagnostics: Diagnostics) => unknown

interface ToldTarget {
  /** What each option takes; `flag`: nothing. */
  readonly options: Readonly<Record<string, Value | 'flag'>>
  /** Exactly one of the options, one or more, or all of these. */
  readonly needs?: 'one' | 'some' | readonly string[]
  /** The family it is for, where there is but one. */
  readonly only?: IpFamily
  /** It needs `-p tcp`. */
  readonly tcp?: true
  /** What is wrong with values that are each right. */
  readonly together?: (values: Readonly<Record<string, unknown>>) => string | undefined
  /** It changes bytes of the packet which later rules may look at. */
  readonly rewrites?: true
}

const U32 = 0xffffffff
const number =
  (min: number, max: number): Value =>
  (word, _, diagnostics) =>
    readNumber(word, { min, max, octal: true }, diagnostics)

const text: Value = ({ text: value }) => value

/** One of some words, or something else. */
const either =
  (names: readonly string[], otherwise?: Value): Value =>
  (word, family, diagnostics) => {
    if (names.includes(word.text)) return word.text
    if (otherwise) return otherwise(word, family, diagnostics)
    diagnostics.error('iptables/target', `\`${word.text}\` is not known here`, word.span, { expected: names })
    return undefined
  }

const listOf =
  (each: Value): Value =>
  (word, family, diagnostics) =>
    splitAll(word, ',').every((part) => each(part, family, diagnostics) !== undefined) || undefined

const audited: Value = ({ text: value, span }, family, diagnostics) =>
  either(['accept', 'drop', 'reject'])({ text: value.toLowerCase(), span }, family, diagnostics)

/** Seconds. */
const duration: Value = ({ text: value, span }, _, diagnostics) => {
  const found = /^(\d+\.?\d*|\.\d+)(s|secs?|ms|msecs?|us|usecs?)?$/i.exec(value)
  if (found) return Number(found[1]) * ({ m: 1e-3, u: 1e-6 }[found[2]?.[0]?.toLowerCase() ?? ''] ?? 1)
  diagnostics.error('iptables/target', `\`${value}\` is no time`, span, { expected: ['a time such as 250ms'] })
  return undefined
}

/** What an MTU of 65535 bytes leaves beside the IP header. */
const segment: Value = (word, family, diagnostics) =>
  number(0, family === 'ipv4' ? 65_515 : 65_495)(word, family, diagnostics)

const gateway: Value = (word, family, diagnostics) => {
  const address = readAddress(word, diagnostics, family)
  if (address?.value === 0n) diagnostics.error('iptables/target', 'this is no gateway', word.span)
  return address?.value === 0n ? undefined : address
}

const LEVELS = ['emerg', 'panic', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug']
const TCP_OPTIONS = ['wscale', 'mss', 'sack-permitted', 'sack', 'timestamp', 'md5']
const EVENTS = ['new', 'related', 'destroy', 'reply', 'assured', 'protoinfo', 'helper', 'mark', 'natseqinfo', 'secmark']
const zone = either(['mark'], number(0, 0xffff))
const [byte, step] = [number(0, 255), number(1, 255)]

const TOLD: Readonly<Record<string, ToldTarget>> = {
  LOG: {
    options: {
      'log-level': either(LEVELS, number(0, 7)),
      'log-prefix': text,
      'log-tcp-sequence': 'flag',
      'log-tcp-options': 'flag',
      'log-ip-options': 'flag',
      'log-uid': 'flag',
      'log-macdecode': 'flag',
    },
  },
  NFLOG: {
    options: {
      'nflog-group': number(0, 0xffff),
      'nflog-prefix': text,
      'nflog-range': number(0, U32),
      'nflog-size': number(0, U32),
      'nflog-threshold': number(0, 0xffff),
    },
    together: (values) =>
      'nflog-range' in values && 'nflog-size' in values ? '--nflog-range does not go with --nflog-size' : undefined,
  },
  ULOG: {
    only: 'ipv4',
    options: {
      'ulog-nlgroup': number(1, 32),
      'ulog-prefix': text,
      'ulog-cprange': number(0, Number.MAX_SAFE_INTEGER),
      'ulog-qthreshold': number(1, 50),
    },
  },
  AUDIT: { options: { type: audited }, needs: ['type'] },
  TRACE: { options: {} },
  CT: {
    options: {
      notrack: 'flag',
      helper: text,
      ctevents: listOf(either(EVENTS)),
      expevents: listOf(either(['new'])),
      zone,
      'zone-orig': zone,
      'zone-reply': zone,
      timeout: text,
    },
  },
  TCPMSS: { options: { 'set-mss': segment, 'clamp-mss-to-pmtu': 'flag' }, needs: 'some', tcp: true, rewrites: true },
  TCPOPTSTRIP: {
    options: { 'strip-options': listOf(either(TCP_OPTIONS, number(2, 255))) },
    tcp: true,
    rewrites: true,
  },
  CHECKSUM: { options: { 'checksum-fill': 'flag' }, needs: ['checksum-fill'] },
  DSCP: { options: { 'set-dscp': number(0, 63), 'set-dscp-class': readDscpClass }, needs: 'one', rewrites: true },
  TOS: {
    options: { 'set-tos': readTos, 'and-tos': byte, 'or-tos': byte, 'xor-tos': byte },
    needs: 'one',
    rewrites: true,
  },
  ECN: { only: 'ipv4', options: { 'ecn-tcp-remove': 'flag' }, needs: ['ecn-tcp-remove'], tcp: true, rewrites: true },
  TTL: { only: 'ipv4', options: { 'ttl-set': byte, 'ttl-dec': step, 'ttl-inc': step }, needs: 'one', rewrites: true },
  HL: { only: 'ipv6', options: { 'hl-set': byte, 'hl-dec': step, 'hl-inc': step }, needs: 'one', rewrites: true },
  TEE: { options: { gateway, oif: text }, needs: ['gateway'] },
  IDLETIMER: { options: { timeout: number(1, U32), label: text, alarm: 'flag' }, needs: ['timeout', 'label'] },
  LED: {
    options: { 'led-trigger-id': text, 'led-delay': either(['inf'], number(0, U32)), 'led-always-blink': 'flag' },
    needs: ['led-trigger-id'],
  },
  RATEEST: {
    options: { 'rateest-name': text, 'rateest-interval': duration, 'rateest-ewmalog': duration },
    needs: ['rateest-name', 'rateest-interval', 'rateest-ewmalog'],
    // The time over which the rate is smoothed is a power of two of how much a look counts, from one half on.
    together: ({ 'rateest-interval': interval, 'rateest-ewmalog': smoothed }) => {
      if (Number(interval) > 8) return 'the interval of a rate is at most 8 seconds'
      const fewest = Number(interval) / Math.LN2
      const most = -Number(interval) / Math.log1p(-(2 ** -31))
      return Number(smoothed) < fewest || Number(smoothed) >= most || Number(interval) === 0 ? `a rate of this interval is smoothed over ${fewest.toFixed(2)} seconds or more` : undefined // biome-ignore format: one choice
    },
  },
  SECMARK: { options: { selctx: text }, needs: ['selctx'] },
  CONNSECMARK: { options: { save: 'flag', restore: 'flag' }, needs: 'one' },
}

/** Their options, as rows of options.ts. */
export const TOLD_OPTIONS: Readonly<Record<string, readonly OptionRow[]>> = Object.fromEntries(
  Object.entries(TOLD).map(([target, { options }]) => [
    target,
    Object.entries(options).map(([name, value]): OptionRow => {
      const takes = value === 'flag' ? 0 : 1
      return { names: [name], min: takes, max: takes }
    }),
  ]),
)

/** The packet goes on to the next rule. Undefined after saying what is wrong. */
export function readTold(
  { text: name, span }: Word,
  given: readonly Option[],
  { family, protocol }: { readonly family: IpFamily; readonly protocol: bigint | undefined },
  diagnostics: Diagnostics,
): Target | undefined {
  const { options, needs = [], only = family, tcp, rewrites, together } = TOLD[name]!
  const names = Object.keys(options).map((option) => `--${option}`)
  const wrong = (message: string, at = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/target', message, at, { ...(expected && { expected }) })
    return undefined
  }
  if (only !== family) return wrong(`${family === 'ipv4' ? 'iptables' : 'ip6tables'} has no target ${name}`)
  if (typeof needs === 'string') {
    if (given.length === 0) return wrong(`${name} needs an option`, span, names)
    if (needs === 'one' && given.length > 1) return wrong(`${name} takes one of its options`, given[1]!.span, names)
  } else {
    const missing = needs.find((option) => !given.some((each) => each.name === option))
    if (missing) return wrong(`${name} needs --${missing}`)
  }
  const values: Record<string, unknown> = {}
  for (const option of given) {
    const read = options[option.name]!
    values[option.name] = read === 'flag' || read(option.values[0]!, family, diagnostics)
    if (values[option.name] === undefined) return undefined
  }
  const odd = together?.(values)
  if (odd !== undefined) return wrong(odd, given.at(-1)!.span)
  if (tcp && protocol !== BigInt(IPPROTO.tcp)) return wrong(`${name} needs -p tcp`)
  const words = [name, ...given.map((option) => spanText(option.span))].join(' ')
  return { kind: 'steps', steps: [{ kind: 'log', words, span }], ...(rewrites && { rewrites: name }), span }
}
