// Tables that rules add keys to and look into, as hash tables: of each key the time at which it is forgotten, in 8 bytes.

import { HELPERS, type Label, type MapEntry } from '@netsieve/asm'
import type { StateDef, TableStep } from '@netsieve/ir'
import { R } from './emitter.ts'
import { type KeyPart, wordsOf } from './lookup/key.ts'
import { lookUpKey, storeKey } from './lookup/sets.ts'
import { SLOT } from './path.ts'
import type { Failures, Scope } from './scope.ts'
import { constant } from './terms.ts'

type Table = Extract<StateDef, { kind: 'table' }>

/** Where a step goes on: behind it, or at the next rule. */
export interface Ways {
  readonly holds: Label
  readonly next: Label
  readonly failures: Failures
}

/** Slots where no search is under way: the time, and what is kept of a new key. */
const [TIME, FRESH] = [SLOT.found, SLOT.saved - 2 * 8]
/** The time at which a key is forgotten that never is. */
const NEVER = -1
/** Only if the map does not hold the key yet (uapi linux/bpf.h). */
const BPF_NOEXIST = 1

/** `timed`: some of its keys are forgotten after a time. */
export function tableStep(scope: Scope, def: Table, step: TableStep, timed: boolean, ways: Ways): void {
  const { e, access, maps } = scope
  const { does, timeout } = step
  const { failures } = ways
  const parts = step.key.map((term, i): KeyPart => ({ term, bits: def.keys[i]!.bits }))
  const map = maps.once(def, () => {
    const keySize = 4 * parts.reduce((sum, part) => sum + wordsOf(part), 0)
    const entries = def.elements.map((key) => entryOf(def, key, keySize))
    return maps.add({ name: maps.nameFor(def.name), type: 'hash', keySize, valueSize: 8, maxEntries: def.size, ...(entries.length > 0 && { entries }) }) // biome-ignore format: one call
  })
  const asksTime = does !== 'delete' && timed
  if (asksTime) {
    access.call(e, HELPERS.ktime_get_ns.id)
    e.put((c) => c.store(8, R.FP, TIME, { reg: R.RET }))
  }
  storeKey(scope, parts, failures)
  if (!e.reachable) return
  const absent = e.label('absent')
  if (does === 'delete') {
    keyInArguments(scope, map)
    access.call(e, HELPERS.map_delete_elem.id)
    return e.goto(ways.holds)
  }
  lookUpKey(scope, map, absent)
  if (does === 'has') {
    const [there, not] = step.over ? [ways.next, ways.holds] : [ways.holds, ways.next]
    if (timed) {
      e.put((c) => {
        c.load(8, R.A, R.RET, 0)
        c.load(8, R.B, R.FP, TIME)
      })
      e.jump('jge', R.B, { reg: R.A }, not)
    }
    e.goto(there)
    e.bind(absent)
    return e.goto(not)
  }
  // R.A = when it is forgotten.
  const whenForgotten = (): void => {
    if (timeout === 0n) return e.put((c) => c.mov(R.A, NEVER))
    constant(e, R.A, timeout)
    e.put((c) => {
      c.load(8, R.B, R.FP, TIME)
      c.alu('add', R.A, { reg: R.B })
    })
  }
  if (timed) {
    e.put((c) => c.load(8, R.A, R.RET, 0))
    if (does === 'update') e.jump('jeq', R.A, NEVER, ways.holds)
    else {
      e.put((c) => c.load(8, R.B, R.FP, TIME))
      e.jump('jlt', R.B, { reg: R.A }, ways.holds)
    }
    if (does === 'update' && timeout === 0n) {
      const forgotten = e.label('forgotten')
      e.put((c) => c.load(8, R.B, R.FP, TIME))
      e.jump('jge', R.B, { reg: R.A }, forgotten)
      e.put((c) => c.store(8, R.RET, 0, { reg: R.B }))
      e.goto(ways.holds)
      e.bind(forgotten)
    }
    whenForgotten()
    e.put((c) => c.store(8, R.RET, 0, { reg: R.A }))
  }
  e.goto(ways.holds)
  e.bind(absent)
  whenForgotten()
  e.put((c) => c.store(8, R.FP, FRESH, { reg: R.A }))
  keyInArguments(scope, map)
  e.put((c) => {
    c.mov(3, { reg: R.FP })
    c.alu('add', 3, FRESH)
    c.mov(4, BPF_NOEXIST)
  })
  access.call(e, HELPERS.map_update_elem.id)
  e.jump('jne', R.RET, 0, ways.next)
  e.goto(ways.holds)
}

function keyInArguments({ e }: Scope, map: number): void {
  e.put((c) => {
    c.map(1, map)
    c.mov(2, { reg: R.FP })
    c.alu('add', 2, SLOT.key)
  })
}

function entryOf({ keys }: Table, key: readonly bigint[], keySize: number): MapEntry {
  const bytes = new Uint8Array(keySize)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [i, value] of key.entries())
    for (let word = 0; word < Math.ceil(keys[i]!.bits / 32); word++, at += 4)
      view.setUint32(at, Number((value >> BigInt(32 * word)) & 0xffffffffn), true)
  return [bytes, new Uint8Array(8).fill(0xff)]
}
