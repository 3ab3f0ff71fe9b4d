// Whether what steps keep makes sense: names that are defined once and fit their steps, numbers that the kernel's arithmetic can hold.

import type { Diagnostics, Span } from '@netsieve/diag'
import { FIELDS } from '@netsieve/packet'
import { ACTS, type Act } from './acts.ts'
import { type CheckPlace, fits, widthOf } from './check.ts'
import { checkComponents, checkKey } from './check-sets.ts'
import { capacity } from './state.ts'
import { keyText } from './tables.ts'
import type { Buckets, StateDef, Step, Verdict } from './types.ts'

const LARGEST = (1n << 63n) - 1n

export function checkState(state: readonly StateDef[], diags: Diagnostics): void {
  const names = new Set<string>()
  for (const def of state) {
    const wrong = (message: string) => diags.error('ir/state', `${def.kind} ${def.name}: ${message}`, def.span)
    if (names.has(def.name)) wrong('there are two of this name')
    names.add(def.name)
    const numbers = Object.values(def).filter((part): part is bigint => typeof part === 'bigint')
    if (numbers.some((number) => number < 0n || number > LARGEST)) wrong('a number does not fit 63 bits')
    else if (def.kind === 'limit') {
      if (def.each) checkBuckets(def.name, def.each, def.span, diags)
      if (def.rate < 1n || def.per < 1n) wrong('a rate is at least one in a nanosecond or more')
      else if (capacity(def) < 1n || capacity(def) > LARGEST) wrong('a bucket of this size cannot be kept')
      else if (def.unit === 'packets' && def.rate > def.per) wrong('more than a packet in a nanosecond')
    } else if (def.kind === 'table' || def.kind === 'recent') checkTable(def, wrong, diags)
    else if (def.kind === 'nth' && (def.every < 1n || def.before >= def.every)) wrong('the turn comes after one round')
  }
}

/** Buckets at most, of all keys of one limit. */
const MOST_BUCKETS = 1_000_000

function checkBuckets(
  name: string,
  { keys, size, timeout }: Buckets,
  span: Span | undefined,
  diags: Diagnostics,
): void {
  checkComponents(name, keys, span, diags)
  if (size < 1 || size > MOST_BUCKETS)
    diags.error('ir/state', `limit ${name}: room for ${size} buckets, not 1 to ${MOST_BUCKETS}`, span)
  // Added to a time.
  if (timeout < 0n || timeout > LARGEST >> 1n)
    diags.error('ir/state', `limit ${name}: such a timeout cannot be kept`, span)
}

/** Keys of a list of times at most (xt_recent's ip_list_tot may be more, but is 100), and bytes of their times. */
const MOST_RECENT = 255
const MOST_STAMPS = 256

function checkTable(
  def: Extract<StateDef, { kind: 'table' | 'recent' }>,
  wrong: (message: string) => void,
  diags: Diagnostics,
): void {
  const { name, keys, size, span } = def
  checkComponents(name, keys, span, diags)
  const most = def.kind === 'table' ? MOST_BUCKETS : MOST_RECENT
  if (size < 1 || size > most) wrong(`room for ${size} keys, not 1 to ${most}`)
  if (def.kind === 'recent') {
    if (def.stamps < 1 || def.stamps > MOST_STAMPS || (def.stamps & (def.stamps - 1)) !== 0)
      wrong(`${def.stamps} times a key, not a power of two up to ${MOST_STAMPS}`)
    return
  }
  if (new Set(def.elements.map(keyText)).size > size) wrong(`more elements than there is room for`)
  for (const key of def.elements) {
    if (key.length !== keys.length) wrong(`an element has ${key.length} components, not ${keys.length}`)
    for (const [i, value] of key.entries()) fits(value, keys[i]?.bits ?? 128, span, diags)
  }
}

/** What a step names is kept, and of its kind. */
export function checkKept(step: Step, span: Span | undefined, place: CheckPlace): void {
  const { state, diags } = place
  const wanted = step.kind === 'count' ? 'counter' : step.kind === 'turn' ? 'nth' : step.kind
  const name = step.kind === 'count' ? step.counter : 'state' in step ? step.state : undefined
  if (name === undefined) return
  const def = state.get(name)
  if (def?.kind !== wanted)
    diags.error('ir/state', def ? `${name} is a ${def.kind}, not a ${wanted}` : `there is no ${wanted} ${name}`, span)
  else if (step.kind === 'turn') checkSettable(step, 32, span, diags)
  else if (step.kind === 'table' && def.kind === 'table') {
    checkKey(name, def.keys, step.key, span, place)
    if (step.timeout < 0n || step.timeout > LARGEST >> 1n)
      diags.error('ir/state', 'such a timeout cannot be kept', span)
    if (step.over && step.does !== 'has') diags.error('ir/state', 'only what a table has can be turned round', span)
  } else if (step.kind === 'recent' && def.kind === 'recent') {
    checkKey(name, def.keys, step.key, span, place)
    if (step.ttl && widthOf(step.ttl, span, place) > 8)
      diags.error('ir/state', 'keys are told apart by 8 bits more', span)
    if (step.within < 0n || step.within > LARGEST >> 1n) diags.error('ir/state', 'such a time cannot be kept', span)
    if (step.hits < 1 || step.hits > def.stamps)
      diags.error('ir/state', `${name} keeps ${def.stamps} times a key, not ${step.hits}`, span)
  } else if (step.kind === 'limit' && def.kind === 'limit') {
    if (def.each && step.key) checkKey(name, def.each.keys, step.key, span, place)
    else if (def.each || step.key)
      diags.error(
        'ir/state',
        `${name} has ${def.each ? 'a bucket for each key' : 'one bucket, and takes no key'}`,
        span,
      )
  }
}

/** Bits of a field that a step sets: those of a register's lower half at most. */
export function checkSettable(
  step: Step & { readonly kind: 'set' | 'turn' },
  bits: number,
  span: Span | undefined,
  diags: Diagnostics,
): void {
  if (FIELDS[step.field].bits > 32)
    diags.error('ir/term', `${step.field} cannot be set: it has more than 32 bits`, span)
  if (bits > 32) diags.error('ir/term', `a value of ${bits} bits does not fit ${step.field}`, span)
}

export function checkAct(verdict: Verdict, span: Span | undefined, diags: Diagnostics): void {
  if (verdict.kind !== 'act') return
  const { args }: Act = ACTS[verdict.act]
  if (verdict.args.length !== args.length)
    diags.error('ir/act', `${verdict.act} takes ${args.length === 0 ? 'no arguments' : args.join(', ')}`, span)
}
