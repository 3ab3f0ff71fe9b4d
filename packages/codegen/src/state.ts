// What a program keeps from packet to packet, in maps of one value that are read and written through their addresses: the filter's state
// (netsieve_state) and, where asked for, a counter a rule (netsieve_counters). See state-maps.ts.

import { HELPERS, type Label, type MapDef } from '@netsieve/asm'
import { type Buckets, capacity, cost, type Filter, firstTurn, type StateDef, type Step, type Term } from '@netsieve/ir'
import { type Emitter, R } from './emitter.ts'
import { type KeyPart, wordsOf } from './lookup/key.ts'
import type { Maps } from './lookup/maps.ts'
import { lookUpKey, storeKey } from './lookup/sets.ts'
import { SLOT } from './path.ts'
import { recentStep } from './recent.ts'
import type { Failures, Scope } from './scope.ts'
import { COUNT_BYTES, COUNTER_MAP, STATE_MAP } from './state-maps.ts'
import { tableStep, type Ways } from './tables.ts'
import { constant } from './terms.ts'
import { packetBytes } from './told.ts'

/** Where a program keeps what. */
export interface StateSource {
  readonly slots: ReadonlyMap<string, { readonly def: StateDef; readonly at: number }>
  /** Indexes of the maps among the program's. */
  readonly map: number
  readonly counters: number | undefined
  /** Tables of which some keys are forgotten after a time. */
  readonly timed: ReadonlySet<string>
}

/** Adds the maps that a filter's state needs. */
export function stateFor(filter: Filter, counters: boolean, maps: Maps): StateSource {
  let at = 0
  const slots = new Map<string, { readonly def: StateDef; readonly at: number }>()
  const initial: bigint[] = []
  for (const def of filter.state ?? []) {
    slots.set(def.name, { def, at })
    const words = atFirst(def)
    initial.push(...words)
    at += words.length * 8
  }
  const map = at > 0 ? maps.add(oneValue(STATE_MAP, at, initial)) : -1
  let rules = 0
  for (const chain of filter.chains) for (const { id } of chain.rules) rules = Math.max(rules, id + 1)
  const counted = counters && rules > 0
  const timed = new Set(
    filter.chains.flatMap(({ rules }) =>
      rules.flatMap(({ steps }) =>
        steps.flatMap((step) => (step.kind === 'table' && step.timeout > 0n ? step.state : [])),
      ),
    ),
  )
  return { slots, map, timed, counters: counted ? maps.add(oneValue(COUNTER_MAP, rules * COUNT_BYTES)) : undefined }
}

function atFirst(def: StateDef): readonly bigint[] {
  switch (def.kind) {
    case 'counter':
      return [def.packets, def.bytes]
    case 'limit':
      return def.each ? [] : [capacity(def), 0n]
    case 'quota':
      return [def.used]
    case 'nth':
      return [firstTurn(def)]
    // They have maps of their own.
    case 'table':
    case 'recent':
      return []
  }
}

function oneValue(name: string, valueSize: number, words?: readonly bigint[]): MapDef {
  const def = { name, type: 'array', keySize: 4, valueSize, maxEntries: 1 } as const
  if (!words) return def
  const value = new Uint8Array(valueSize)
  const view = new DataView(value.buffer)
  for (const [i, word] of words.entries()) view.setBigUint64(i * 8, word, true)
  return { ...def, entries: [[new Uint8Array(4), value]] }
}

/** Counts the packet for a rule, if rules are counted. */
export function countRule(scope: Scope, rule: number): void {
  const { counters } = scope.state
  if (counters !== undefined) addTo(scope, counters, rule * COUNT_BYTES)
}

/** Counts the packet in a counter that has a name. */
export function countNamed(scope: Scope, name: string): void {
  addTo(scope, scope.state.map, scope.state.slots.get(name)!.at)
}

function addTo(scope: Scope, map: number, at: number): void {
  const { e } = scope
  packetBytes(scope)
  e.put((c) => {
    c.mapValue(R.B, map, at)
    c.emit('atomic_add_dw', { dst: R.B, src: R.A, off: 8 })
    c.mov(R.A, 1)
    c.emit('atomic_add_dw', { dst: R.B, src: R.A })
  })
}

type GateStep = Step & { readonly kind: 'limit' | 'quota' | 'nth' | 'table' | 'recent' }

/** Goes on at `holds` if a packet is within what a step allows, else at `next`; the other way round for `over`. */
export function gate(scope: Scope, step: GateStep, ways: Ways): void {
  const { def, at } = scope.state.slots.get(step.state)!
  const { holds, next, failures } = ways
  if (def.kind === 'table' && step.kind === 'table')
    return tableStep(scope, def, step, scope.state.timed.has(def.name), ways)
  if (def.kind === 'recent' && step.kind === 'recent') return recentStep(scope, def, step, ways)
  const [within, beyond] = step.over ? [next, holds] : [holds, next]
  if (def.kind === 'limit' && def.each && step.kind === 'limit')
    return bucketed(scope, { ...def, each: def.each }, step.key ?? [], { within, beyond, full: next, failures })
  if (def.kind === 'limit') return limit(scope, def, at, within, beyond)
  if (def.kind === 'quota') return quota(scope, def, at, within, beyond)
  if (def.kind === 'nth') return nth(scope, def.name, within, beyond)
}

type Limit = StateDef & { readonly kind: 'limit' }

/** nft_limit and xt_limit: what has passed since the last packet adds tokens, up to the bucket's size; the packet takes its own. */
function limit(scope: Scope, def: Limit, at: number, within: Label, beyond: Label): void {
  const { e, access, state } = scope
  if (def.unit === 'bytes') storePrice(scope, def, SLOT.spill)
  access.call(e, HELPERS.ktime_get_ns.id)
  e.put((c) => c.mapValue(R.B, state.map, at))
  take(e, def, SLOT.spill, within, beyond)
}

/** Puts what a packet costs on the stack. */
function storePrice(scope: Scope, def: Limit, slot: number): void {
  const { e } = scope
  packetBytes(scope)
  constant(e, R.B, def.per)
  e.put((c) => c.alu('mul', R.A, { reg: R.B }))
  constant(e, R.B, def.rate)
  e.put((c) => {
    c.alu('div', R.A, { reg: R.B })
    c.store(8, R.FP, slot, { reg: R.A })
  })
}

/** Takes a packet's tokens out of the bucket at R.B; R.RET is the time. */
function take(e: Emitter, def: Limit, price: number, within: Label, beyond: Label): void {
  const [still, fits, poor] = [e.label('still'), e.label('fits'), e.label('poor')]
  e.put((c) => {
    c.load(8, R.C, R.B, 8)
    c.load(8, R.A, R.B, 0)
  })
  e.jump('jle', R.RET, { reg: R.C }, still)
  e.put((c) => {
    c.store(8, R.B, 8, { reg: R.RET })
    c.alu('sub', R.RET, { reg: R.C })
    c.alu('add', R.A, { reg: R.RET })
  })
  e.bind(still)
  constant(e, R.C, capacity(def))
  e.jump('jle', R.A, { reg: R.C }, fits)
  e.put((c) => c.mov(R.A, { reg: R.C }))
  e.bind(fits)
  if (def.unit === 'packets') constant(e, R.C, cost(def, 0n))
  else e.put((c) => c.load(8, R.C, R.FP, price))
  e.jump('jlt', R.A, { reg: R.C }, poor)
  e.put((c) => {
    c.alu('sub', R.A, { reg: R.C })
    c.store(8, R.B, 0, { reg: R.A })
  })
  e.goto(within)
  e.bind(poor)
  e.put((c) => c.store(8, R.B, 0, { reg: R.A }))
  e.goto(beyond)
}

/** Bytes of a key's bucket: tokens, the time of its last packet, the time when it runs out. */
const BUCKET_BYTES = 24
/** Slots where no search is under way: the time, what a packet costs, and from SLOT.saved down a new bucket. */
const [TIME, PRICE, FRESH] = [SLOT.found, SLOT.found + 8, SLOT.saved - 2 * 8]

/** The bucket of a key in a hash table: looked up, made where there is none, and then as any other. */
function bucketed(
  scope: Scope,
  def: Limit & { readonly each: Buckets },
  key: readonly Term[],
  { within, beyond, full, failures }: { within: Label; beyond: Label; full: Label; failures: Failures },
): void {
  const { e, access, maps } = scope
  const { keys, size: maxEntries, timeout, refreshed } = def.each
  const parts = key.map((term, i): KeyPart => ({ term, bits: keys[i]!.bits }))
  const keySize = 4 * parts.reduce((sum, part) => sum + wordsOf(part), 0)
  const map = maps.once(def.each, () => maps.add({ name: maps.nameFor(def.name), type: 'hash', keySize, valueSize: BUCKET_BYTES, maxEntries })) // biome-ignore format: one call
  if (def.unit === 'bytes') storePrice(scope, def, PRICE)
  access.call(e, HELPERS.ktime_get_ns.id)
  e.put((c) => c.store(8, R.FP, TIME, { reg: R.RET }))
  storeKey(scope, parts, failures)
  if (!e.reachable) return
  const [none, old, ready] = [e.label('none'), e.label('old'), e.label('ready')]
  lookUpKey(scope, map, none)
  e.put((c) => {
    c.mov(R.B, { reg: R.RET })
    c.load(8, R.RET, R.FP, TIME)
  })
  const renew = (): void => {
    constant(e, R.A, timeout)
    e.put((c) => {
      c.alu('add', R.A, { reg: R.RET })
      c.store(8, R.B, 16, { reg: R.A })
    })
  }
  if (timeout > 0n) {
    e.put((c) => c.load(8, R.C, R.B, 16))
    e.jump('jge', R.RET, { reg: R.C }, old)
    if (refreshed) renew()
  }
  e.goto(ready)
  e.bind(old)
  if (e.reachable) {
    constant(e, R.A, capacity(def))
    e.put((c) => {
      c.store(8, R.B, 0, { reg: R.A })
      c.store(8, R.B, 8, { reg: R.RET })
    })
    renew()
    e.goto(ready)
  }
  e.bind(none)
  constant(e, R.A, capacity(def))
  e.put((c) => {
    c.store(8, R.FP, FRESH, { reg: R.A })
    c.load(8, R.A, R.FP, TIME)
    c.store(8, R.FP, FRESH + 8, { reg: R.A })
  })
  constant(e, R.B, timeout)
  e.put((c) => {
    c.alu('add', R.A, { reg: R.B })
    c.store(8, R.FP, FRESH + 16, { reg: R.A })
    c.map(1, map)
    c.mov(2, { reg: R.FP })
    c.alu('add', 2, SLOT.key)
    c.mov(3, { reg: R.FP })
    c.alu('add', 3, FRESH)
    c.mov(4, BPF_NOEXIST)
  })
  access.call(e, HELPERS.map_update_elem.id)
  e.jump('jne', R.RET, 0, full)
  lookUpKey(scope, map, full)
  e.put((c) => {
    c.mov(R.B, { reg: R.RET })
    c.load(8, R.RET, R.FP, TIME)
  })
  e.bind(ready)
  take(e, def, PRICE, within, beyond)
}

/** Only if the map does not hold the key yet (uapi linux/bpf.h). */
const BPF_NOEXIST = 1

/** nft_quota and xt_quota: every packet is added, and what goes above stays above. */
function quota(scope: Scope, def: StateDef & { kind: 'quota' }, at: number, within: Label, beyond: Label): void {
  const { e, state } = scope
  packetBytes(scope)
  e.put((c) => {
    c.mapValue(R.B, state.map, at)
    c.mov(R.C, { reg: R.A })
    c.emit('atomic_fetch_add_dw', { dst: R.B, src: R.C })
    c.alu('add', R.C, { reg: R.A })
  })
  constant(e, R.A, def.bytes)
  e.jump('jle', R.C, { reg: R.A }, within)
  e.goto(beyond)
}

/** xt_statistic: it is the packet's turn where that is 0. */
function nth(scope: Scope, name: string, within: Label, beyond: Label): void {
  turn(scope, name)
  scope.e.jump('jeq', R.A, 0, within)
  scope.e.goto(beyond)
}

/** R.A = the number of the packet's turn: it grows by one a packet and comes back to 0 (xt_statistic, nft_numgen). */
export function turn({ e, state }: Scope, name: string): void {
  const { def, at } = state.slots.get(name)!
  if (def.kind !== 'nth') throw new Error(`there are no turns ${name}`)
  const kept = e.label('kept')
  e.put((c) => {
    c.mapValue(R.B, state.map, at)
    c.load(8, R.A, R.B, 0)
    c.alu('add', R.A, 1)
  })
  constant(e, R.C, def.every)
  e.jump('jlt', R.A, { reg: R.C }, kept)
  e.put((c) => c.mov(R.A, 0))
  e.bind(kept)
  e.put((c) => c.store(8, R.B, 0, { reg: R.A }))
}
