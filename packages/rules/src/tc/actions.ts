// The actions behind a filter's keys: what becomes of a packet that matches. Each says whether the next one is asked (`pipe`) or ends the list.
// Sources: tc-actions(8), tc-mirred(8), net/sched/act_api.c (tcf_action_exec) of Linux 6.18.

import { cover, type Diagnostics, type Span } from '@netsieve/diag'
import type { Verdict } from '@netsieve/ir'
import { parseNumber, type Word } from '../shared/index.ts'

/** What is behind a filter's keys. */
export interface Action {
  /** Copies of the packet that are sent, in words. */
  readonly copies: readonly { readonly words: string; readonly span: Span }[]
  /** What becomes of the packet; `goto` names a chain by its number. */
  readonly verdict: Verdict
}

/** Words that end a list of actions, and what becomes of the packet then; `pipe` goes on. */
const CONTROLS = {
  drop: 'drop',
  shot: 'drop',
  pass: 'accept',
  ok: 'accept',
  continue: 'continue',
  pipe: 'pipe',
} as const
type Control = (typeof CONTROLS)[keyof typeof CONTROLS]

const control = (text: string): Control | undefined =>
  Object.hasOwn(CONTROLS, text) ? CONTROLS[text as keyof typeof CONTROLS] : undefined

const KNOWN = [
  ...Object.keys(CONTROLS),
  'trap',
  'goto chain N',
  'mirred egress redirect dev …',
  'mirred egress mirror dev …',
  'police rate … burst …',
]

/** What the words behind the first `action` do. Undefined after an error. */
export function readActions(words: readonly Word[], diagnostics: Diagnostics): Action | undefined {
  const copies: { readonly words: string; readonly span: Span }[] = []
  let verdict: Verdict | undefined
  for (const action of split(words)) {
    const span = cover(action[0]!.span, action.at(-1)!.span)
    if (verdict) {
      diagnostics.warning('tc/after', 'no packet comes to this action: the one before it ends the list', span)
      break
    }
    const found = readAction(action, diagnostics)
    if (!found) return undefined
    if (found.copies) copies.push({ words: found.copies, span })
    verdict = found.verdict
  }
  // At the end of the list the packet is let pass (TC_ACT_PIPE is none of the values that stop it).
  return { copies, verdict: verdict ?? { kind: 'accept' } }
}

/** `X action Y action Z` as X, Y, Z. */
function split(words: readonly Word[]): Word[][] {
  const out: Word[][] = [[]]
  for (const word of words) {
    if (word.text === 'action' && out.at(-1)!.length > 0) out.push([])
    else out.at(-1)!.push(word)
  }
  return out.filter((each) => each.length > 0)
}

interface Found {
  /** A copy of the packet is sent, by these words. */
  readonly copies?: string
  /** Absent: on to the next action. */
  readonly verdict: Verdict | undefined
}

function readAction(words: readonly Word[], diagnostics: Diagnostics): Found | undefined {
  const plain = words[0]!.text === 'gact' && words.length > 1 ? words.slice(1) : words
  const [first, ...rest] = plain as [Word, ...Word[]]
  const unsupported = ({ text, span }: Word, what = `\`${text}\` after the action`): undefined => {
    diagnostics.error('rules/unsupported', `unsupported: ${what}`, span, { expected: KNOWN.map((each) => `'${each}'`) })
    return undefined
  }
  const last = rest.length > 0 ? rest[0] : undefined
  switch (first.text) {
    case 'mirred':
      return readMirred(words, rest, unsupported)
    case 'goto': {
      const chain = rest[0]?.text === 'chain' ? parseNumber(rest[1]?.text ?? '', true) : undefined
      // The upper four bits of a verdict say what it is.
      if (chain === undefined || chain > 0x0fffffffn)
        return unsupported(rest[1] ?? first, 'a goto that names no chain by its number')
      return rest[2] ? unsupported(rest[2]) : { verdict: { kind: 'goto', chain: String(chain) } }
    }
    case 'police':
      return readPolice(words, rest, diagnostics)
    case 'trap':
      return last ? unsupported(last) : { verdict: { kind: 'act', act: 'trap', args: [] } }
    default: {
      const found = control(first.text)
      if (found === undefined) return unsupported(first, `the action ${first.text}`)
      return last ? unsupported(last) : { verdict: found === 'pipe' ? undefined : { kind: found } }
    }
  }
}

function readMirred(
  words: readonly Word[],
  rest: readonly Word[],
  unsupported: (word: Word, what?: string) => undefined,
): Found | undefined {
  const [direction, how, dev, name, then, more] = rest
  const known =
    (direction?.text === 'egress' || direction?.text === 'ingress') &&
    (how?.text === 'redirect' || how?.text === 'mirror') &&
    dev?.text === 'dev'
  if (!known || !name)
    return unsupported(words.at(-1)!, 'a mirred that is not `egress|ingress redirect|mirror dev NAME`')
  if (more) return unsupported(more)
  if (how.text === 'redirect')
    return then ? unsupported(then) : { verdict: { kind: 'act', act: 'redirect', args: [name.text, direction.text] } }
  const next = then ? control(then.text) : 'pipe'
  if (next === undefined) return unsupported(then!)
  const copies = `mirred ${direction.text} mirror dev ${name.text}`
  return { copies, verdict: next === 'pipe' ? undefined : { kind: next } }
}

/** What a policer may be told, each with a value (tc-police(8)). */
const POLICE = 'rate burst buffer maxburst mtu minburst peakrate avrate overhead linklayer pkts_rate pkts_burst'.split(
  ' ',
)
/** One of these says what it is that packets must stay within. */
const BOUNDS = ['rate', 'avrate', 'pkts_rate', 'mtu']
const AMOUNT = /^\d+(?:\.\d+)?(?:[kmgt]?i?(?:bit|bps|b)?)?(?:\/\d+)?$/i

/** A policer: whether a packet is within its rate is not modelled, so what it does with those that are is done. */
function readPolice(words: readonly Word[], rest: readonly Word[], diagnostics: Diagnostics): Found | undefined {
  const wrong = ({ span }: Word, message: string, expected: readonly string[]): undefined => {
    diagnostics.error('tc/police', message, span, { expected })
    return undefined
  }
  const seen = new Set<string>()
  let within: Control = 'accept'
  for (let i = 0; i < rest.length; i++) {
    const { text } = rest[i]!
    const value = rest[i + 1]
    if (POLICE.includes(text)) {
      if (!value || (text !== 'linklayer' && !AMOUNT.test(value.text)))
        return wrong(value ?? rest[i]!, `${text} needs an amount`, ['a number, with its unit'])
      seen.add(text)
      i++
    } else if (text === 'conform-exceed') {
      const [beyond, conform] = (value?.text ?? '').split('/') as [string, string?]
      const then = conform === undefined ? 'accept' : control(conform)
      if (!value || !(control(beyond) || beyond === 'reclassify') || then === undefined)
        return wrong(value ?? rest[i]!, 'conform-exceed needs what becomes of packets', ['such as drop/pipe'])
      within = then
      i++
    } else if (control(text) === undefined && text !== 'reclassify')
      return wrong(rest[i]!, `\`${text}\` is not understood of a policer`, [...POLICE, 'conform-exceed', 'drop'])
  }
  const [first, last] = [words[0]!, words.at(-1)!]
  if (!BOUNDS.some((name) => seen.has(name))) return wrong(first, 'a policer needs a rate', BOUNDS)
  if (seen.has('rate') && !['burst', 'buffer', 'maxburst'].some((name) => seen.has(name)))
    return wrong(first, 'the rate of a policer needs a burst', ['burst'])
  diagnostics.warning('tc/police', 'every packet is taken to be within the rate', cover(first.span, last.span))
  return { copies: words.map(({ text }) => text).join(' '), verdict: within === 'pipe' ? undefined : { kind: within } }
}
