// `-m recent`: lists of addresses and of when their packets came. Sources: iptables-extensions(8), what iptables 1.8.9 and the kernel answer,
// and verdicts of the real tools (test/golden/state).

import type { Diagnostics, Span } from '@netsieve/diag'
import type { StateDef, Step } from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'
import { addressBits, readAddress, readNumber, type Word } from '../shared/index.ts'
import type { Kept, Match } from './ast.ts'
import type { KeptPlace } from './kept.ts'
import { addressKey } from './key.ts'
import type { Option } from './matches.ts'

export type Recent = Extract<Kept, { kind: 'recent' }>

const DOES = { set: 'set', rcheck: 'check', update: 'update', remove: 'remove' } as const
/** Keys of a list: the module's ip_list_tot, as it is if nobody says otherwise. */
const SIZE = 100
/** Times of a key that are kept here; the kernel keeps more if a rule asks for more. */
const MOST_HITS = 256
/** Times of a key where no rule counts them. */
const STAMPS = 32
const SECOND = 1_000_000_000n

/** The match, from all its options. Undefined after an error. */
export function readRecent(
  options: readonly Option[],
  { family, span }: KeptPlace,
  diagnostics: Diagnostics,
): Match | undefined {
  const given = (name: string) => options.find((each) => each.name === name)
  const wrong = (message: string, at: Span = span, expected?: readonly string[]): undefined => {
    diagnostics.error('iptables/match', message, at, { ...(expected && { expected }) })
    return undefined
  }
  const commands = options.filter(({ name }) => Object.hasOwn(DOES, name))
  const [command, second] = commands
  const names = Object.keys(DOES).map((name) => `--${name}`)
  if (!command) return wrong('recent needs one of its commands', span, names)
  if (second) return wrong(`--${second.name} does not go with --${command.name}`, second.span)
  const does = DOES[command.name as keyof typeof DOES]
  const [seconds, hitcount, rttl, reap] = ['seconds', 'hitcount', 'rttl', 'reap'].map(given)
  const extra = seconds ?? hitcount ?? rttl ?? reap
  if (extra && (does === 'set' || does === 'remove'))
    return wrong(`--${extra.name} is for --rcheck and --update`, extra.span)
  if (reap && !seconds) return wrong('--reap needs --seconds', reap.span)
  // The last one counts.
  const destination = options.findLast(({ name: side }) => side === 'rsource' || side === 'rdest')?.name === 'rdest'
  const name: Word | undefined = given('name')?.values[0]
  if (name && (/^\.{0,2}$|\//.test(name.text) || name.text.length > 199))
    return wrong(`\`${name.text}\` is no name of a list`, name.span)
  const time = seconds && readNumber(seconds.values[0]!, { min: 1, max: 0xffffffff, octal: true }, diagnostics)
  const count = hitcount && readNumber(hitcount.values[0]!, { max: 0xffff, octal: true }, diagnostics)
  if ((seconds && time === undefined) || (hitcount && count === undefined)) return undefined
  if (count && count > MOST_HITS)
    return { kind: 'unsupported', what: `a --hitcount above ${MOST_HITS}`, span: hitcount!.span }
  const word = given('mask')?.values[0]
  const mask = word && readAddress(word, diagnostics, family)
  if (word && !mask) return undefined
  const field = `${family}.${destination ? 'dst' : 'src'}` as const
  const key = addressKey(field, mask ? mask.value : (1n << BigInt(addressBits(family))) - 1n)
  if (!key) return { kind: 'unsupported', what: 'a mask that does not end with a byte', span: given('mask')!.span }
  const kept: Recent = {
    kind: 'recent',
    name: name?.text ?? 'DEFAULT',
    does,
    over: command.negated,
    key,
    within: (time ?? 0n) * SECOND,
    hits: Math.max(1, Number(count ?? 1n)),
    ...(rttl && { ttl: family === 'ipv4' ? 'ipv4.ttl' : 'ipv6.hoplimit' }),
    ...(reap && { reap: reap.span }),
  }
  return { kind: 'kept', kept, span }
}

/**
 * Whether no rule of a list can tell that `--reap` took an address out of it: it takes the one that came longest ago, if that was before the
 * rule's time. Rules that look back no further find nothing there either way; and where a list is full, it is the same one that goes.
 */
export function reapsUnseen(reaping: Recent, list: readonly Recent[]): boolean {
  return list.every(
    ({ does, within }) => does === 'set' || (does !== 'remove' && within > 0n && within <= reaping.within),
  )
}

/** The step, and the list as this rule needs it: rules of one name share the one that has the most times. */
export function recentStep(
  { does, over, key, within, hits, ttl }: Recent,
  name: string,
  span: Span,
): { readonly step: Step; readonly def: StateDef } {
  let stamps = STAMPS
  while (stamps < hits) stamps *= 2
  const keys = [{ bits: FIELDS[key.field].bits, kind: FIELDS[key.field].kind }]
  return {
    step: { kind: 'recent', state: name, does, over, key: [key.term], within, hits, ...(ttl && { ttl: { kind: 'field', field: ttl } }), span }, // biome-ignore format: one value
    def: { kind: 'recent', name, keys, size: SIZE, stamps, span },
  }
}
