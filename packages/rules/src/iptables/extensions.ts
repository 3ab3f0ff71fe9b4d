// Matches of ip6tables on what is inside of extension headers: lists of options, addresses of a source route, segments, types of mobility headers.
// Sources: ip6tables-extensions(8), what ip6tables 1.8.9 answers, and verdicts of the real tools (test/golden/netfilter).

import type { Diagnostics } from '@netsieve/diag'
import { and, between, cmp, field, find, inRanges, load, masked, not, type Pred, type Term } from '@netsieve/ir'
import { type FieldId, maxValue } from '@netsieve/packet'
import { parseNumber, readAddress, readNetwork, split, splitAll, type Word } from '../shared/index.ts'

const HOP = 0
const ROUTING = 43

const constant = (value: number): Term => ({ kind: 'const', value: BigInt(value) })
const bin = (op: 'add' | 'sub' | 'lsh', left: Term, right: Term): Term => ({ kind: 'bin', op, left, right })
const plus = (term: Term, bytes: number): Term => (bytes === 0 ? term : bin('add', term, constant(bytes)))
const atMost = (left: Term, right: Term): Pred => ({ kind: 'relation', left, test: '<=', right })

/** Options that ip6tables takes at most in one list, and addresses. */
const MOST = 16

interface Option {
  readonly type: number
  /** Of its value; absent: any. */
  readonly length?: number
}

/** `TYPE[:LEN],…`: the options of a header from its first on. Undefined after an error. */
export function readOptions(header: 'hopopt' | 'dstopts', word: Word, diagnostics: Diagnostics): Pred | undefined {
  const wrong = ({ text, span }: Word, what: string): undefined => {
    diagnostics.error('iptables/value', `\`${text}\` ${what}`, span, { expected: ['TYPE[:LENGTH],…'] })
    return undefined
  }
  const options: Option[] = []
  for (const part of splitAll(word, ',')) {
    const [first, second] = split(part, ':')
    const [type, length] = [first, second].map((each) => each && parseNumber(each.text, true))
    if (type === undefined || type > 255) return wrong(first, 'is no type of an option')
    if (second && (length === undefined || length > 255)) return wrong(second, 'is no length of an option')
    if (second && type === 0n) return wrong(second, 'is no length: padding of one byte has none')
    options.push({ type: Number(type), ...(length !== undefined && length !== 255n && { length: Number(length) }) })
  }
  if (options.length > MOST) return wrong(word, `names more than ${MOST} options`)
  return optionsPred(header, options)
}

/** Each option lies where the one before ends, and in the header. */
function optionsPred(header: 'hopopt' | 'dstopts', options: readonly Option[]): Pred {
  const start = find('ipv6', header === 'hopopt' ? HOP : 60)
  const end = bin('add', start, bin('lsh', plus(field(`${header}.length`), 1), constant(3)))
  const preds: Pred[] = []
  // Bytes from the start of the header: those that are known, and those that lengths of options tell.
  let known = 2
  let told: Term | undefined
  const byte = (more: number) => load('net', known + more, 1, told ? bin('add', start, told) : start)
  const inside = (bytes: number) => preds.push(atMost(plus(told ? bin('add', start, told) : start, known + bytes), end))
  for (const [i, { type, length }] of options.entries()) {
    inside(1)
    preds.push(cmp(byte(0), '==', type))
    if (type === 0) {
      known += 1
      continue
    }
    inside(2)
    preds.push(length === undefined ? between(byte(1), 0, 255) : cmp(byte(1), '==', length))
    // The value of the last one is not looked at.
    if (i === options.length - 1) continue
    if (length === undefined) told = told ? bin('add', told, byte(1)) : byte(1)
    known += 2 + (length ?? 0)
  }
  return and(...preds)
}

/** `ADDRESS,…`: all addresses of a source route, and no more. Undefined after an error. */
export function readRoute(word: Word, diagnostics: Diagnostics): Pred | undefined {
  const parts = splitAll(word, ',')
  const addresses = parts.map((part) => readAddress(part, diagnostics, 'ipv6'))
  if (parts.length > MOST) {
    diagnostics.error('iptables/value', `more than ${MOST} addresses`, word.span)
    return undefined
  }
  if (addresses.some((each) => each === undefined)) return undefined
  const count = BigInt(addresses.length)
  return and(
    inRanges('routing.length', [{ lo: count * 2n, hi: count * 2n + 1n }]),
    ...addresses.map((each, i) => cmp(load('net', 8 + 16 * i, 16, find('ipv6', ROUTING)), '==', each!.value)),
  )
}

/** The four bytes before the addresses are zero. */
export const ROUTE_RESERVED: Pred = cmp('routing0.reserved', '==', 0)

/** The header is whole, of segment routing, and its segments are numbered soundly. */
export const SEGMENTS: Pred = and(
  atMost(
    bin('add', find('ipv6', ROUTING), bin('lsh', plus(field('routing.length'), 1), constant(3))),
    field('meta.length'),
  ),
  cmp('routing.type', '==', 4),
  atMost(field('routing.left'), field('srh.last')),
)

/** A number of the header of segment routing, or one below or above. */
export function readSegmentNumber(
  id: FieldId,
  than: 'eq' | 'gt' | 'lt',
  word: Word,
  diagnostics: Diagnostics,
): Pred | undefined {
  const most = maxValue(id)
  const value = parseNumber(word.text, true)
  if (value !== undefined && value <= most) return cmp(id, { eq: '==', gt: '>', lt: '<' }[than] as '==', value)
  diagnostics.error('iptables/value', `\`${word.text}\` is no number up to ${most}`, word.span, {
    expected: [`a number up to ${most}`],
  })
  return undefined
}

/** `--srh-psid`, `--srh-nsid`, `--srh-lsid`: the segment that the packet was at before, that it is on the way to next, the last one. */
export function readSegment(
  which: 'psid' | 'nsid' | 'lsid',
  word: Word,
  negated: boolean,
  diagnostics: Diagnostics,
): Pred | undefined {
  const network = readNetwork(word, diagnostics, { family: 'ipv6' })
  if (!network) return undefined
  const start = find('ipv6', ROUTING)
  const segment = (less: number) => bin('add', start, bin('lsh', less === 0 ? plus(field('routing.left'), 1) : bin('sub', field('routing.left'), constant(less)), constant(4))) // biome-ignore format: one value
  const index = { psid: segment(0), nsid: segment(1), lsid: start }[which]
  const same = cmp(masked(load('net', 8, 16, index), network.mask), '==', network.value & network.mask)
  const there: Readonly<Record<typeof which, Pred[]>> = {
    psid: [{ kind: 'relation', left: field('routing.left'), test: '<', right: field('srh.last') }],
    nsid: [cmp('routing.left', '>', 0)],
    lsid: [],
  }
  return and(...there[which], negated ? not(same) : same)
}

const MOBILITY = {
  'binding-refresh-request': 0, brr: 0, 'home-test-init': 1, hoti: 1, 'careof-test-init': 2, coti: 2, 'home-test': 3, hot: 3,
  'careof-test': 4, cot: 4, 'binding-update': 5, bu: 5, 'binding-acknowledgement': 6, ba: 6, 'binding-error': 7, be: 7,
} as const // biome-ignore format: names of types

/** `--mh-type TYPE[:TYPE]`, by name or number. */
export function readMobility(
  word: Word,
  diagnostics: Diagnostics,
): { readonly lo: bigint; readonly hi: bigint } | undefined {
  const [first, second] = split(word, ':')
  const type = ({ text, span }: Word, open: bigint): bigint | undefined => {
    if (text === '' && second) return open
    const named = Object.entries(MOBILITY).find(([name]) => name === text.toLowerCase())
    const value = named ? BigInt(named[1]) : parseNumber(text, true)
    if (value !== undefined && value <= 255) return value
    diagnostics.error('iptables/value', `\`${text}\` is no type of a mobility header`, span, {
      expected: [...Object.keys(MOBILITY), 'a number up to 255'],
    })
    return undefined
  }
  const lo = type(first, 0n)
  const hi = second ? type(second, 255n) : lo
  if (lo === undefined || hi === undefined) return undefined
  if (lo <= hi) return { lo, hi }
  diagnostics.error('iptables/value', 'this range ends before it starts', word.span)
  return undefined
}
