// Lists of when packets of a key came, in an array map of one value: as many places as the list has keys, which are looked through one by one.
//
//   written 8 | { turn 8 | count 8 | ttl 8 | key, to a multiple of 8 | times 8 … } …
//
// `turn` is the number of the writing that was the key's last, 0 for a free place: the least is the one to be given to a new key. `count` is how
// many times were written down; each is at its number modulo how many there is room for.

import { HELPERS } from '@netsieve/asm'
import type { RecentStep, StateDef } from '@netsieve/ir'
import { forget } from './dispatch.ts'
import { R } from './emitter.ts'
import { type KeyPart, wordsOf } from './lookup/key.ts'
import { storeKey } from './lookup/sets.ts'
import { SLOT } from './path.ts'
import type { Scope } from './scope.ts'
import type { Ways } from './tables.ts'
import { constant, number } from './terms.ts'

type Recent = Extract<StateDef, { kind: 'recent' }>

/** Slots where no search is under way: the time, the least turn, the time to live; and a byte that the verifier keeps no numbers of. */
const [TIME, LEAST, TTL, PLACE] = [SLOT.found, SLOT.found + 8, SLOT.saved - 8, SLOT.walkFound]
const [TURN, COUNT, ITS_TTL, KEY] = [0, 8, 16, 24]
const HEAD = 8

export function recentStep(scope: Scope, def: Recent, step: RecentStep, { holds, next, failures }: Ways): void {
  const { e, access, maps } = scope
  const { does, over, within, hits } = step
  const { size, stamps } = def
  const parts = step.key.map((term, i): KeyPart => ({ term, bits: def.keys[i]!.bits }))
  const words = parts.reduce((sum, part) => sum + wordsOf(part), 0)
  const times = KEY + 8 * Math.ceil(words / 2)
  const bytes = times + 8 * stamps
  const map = maps.once(def, () => maps.add({ name: maps.nameFor(def.name), type: 'array', keySize: 4, valueSize: HEAD + size * bytes, maxEntries: 1 })) // biome-ignore format: one call
  const [yes, no] = over ? [next, holds] : [holds, next]

  access.call(e, HELPERS.ktime_get_ns.id)
  e.put((c) => c.store(8, R.FP, TIME, { reg: R.RET }))
  if (step.ttl) {
    number(scope, step.ttl, failures)
    e.put((c) => c.store(8, R.FP, TTL, { reg: R.A }))
  }
  storeKey(scope, parts, failures)
  if (!e.reachable) return

  // R.B = a place, R.C = its number; PLACE = the number of the one with the least turn so far.
  const [again, other, onward, found, none] = ['again', 'other', 'onward', 'found', 'none'].map((name) => e.label(name))
  e.put((c) => {
    c.mapValue(R.B, map, HEAD)
    c.mov(R.C, 0)
    c.store(8, R.FP, LEAST, -1)
    c.store(1, R.FP, PLACE, 0)
  })
  e.bind(again!)
  e.put((c) => c.load(8, R.A, R.B, TURN))
  e.jump('jeq', R.A, 0, other!)
  for (let word = 0; word < words; word++) {
    e.put((c) => {
      c.load(4, R.A, R.B, KEY + 4 * word)
      c.load(4, R.RET, R.FP, SLOT.key + 4 * word)
    })
    e.jump('jne', R.A, { reg: R.RET }, other!)
  }
  if (step.ttl && does !== 'set') {
    e.put((c) => {
      c.load(8, R.A, R.B, ITS_TTL)
      c.load(8, R.RET, R.FP, TTL)
    })
    e.jump('jeq', R.A, 0, found!)
    e.jump('jeq', R.RET, 0, found!)
    e.jump('jeq', R.A, { reg: R.RET }, found!)
  } else e.goto(found!)
  e.bind(other!)
  e.put((c) => {
    c.load(8, R.A, R.B, TURN)
    c.load(8, R.RET, R.FP, LEAST)
  })
  e.jump('jge', R.A, { reg: R.RET }, onward!)
  e.put((c) => {
    c.store(8, R.FP, LEAST, { reg: R.A })
    c.store(1, R.FP, PLACE, { reg: R.C })
  })
  e.bind(onward!)
  e.put((c) => {
    c.alu('add', R.B, bytes)
    c.alu('add', R.C, 1)
  })
  e.jump('jlt', R.C, size, again!)
  e.goto(none!)

  // R.B = the place of the number in R.C, whichever it is.
  const atPlace = (): void => {
    forget(e, R.C, 1)
    e.jump('jge', R.C, size, next)
    e.put((c) => {
      c.alu('mul', R.C, bytes)
      c.mapValue(R.B, map, HEAD)
      c.alu('add', R.B, { reg: R.C })
    })
  }
  /** Writes the time down at R.B; R.A = how many times were before. */
  const write = (): void => {
    e.put((c) => {
      c.load(8, R.RET, R.FP, TIME)
      c.mov(R.C, { reg: R.A })
      c.alu('add', R.A, 1)
      c.store(8, R.B, COUNT, { reg: R.A })
      c.alu('and', R.C, stamps - 1)
      c.alu('lsh', R.C, 3)
      c.mov(R.A, { reg: R.B })
      c.alu('add', R.A, { reg: R.C })
      c.store(8, R.A, times, { reg: R.RET })
      if (step.ttl) c.load(8, R.A, R.FP, TTL)
      c.store(8, R.B, ITS_TTL, step.ttl ? { reg: R.A } : 0)
      c.mapValue(R.C, map, 0)
      c.load(8, R.A, R.C, 0)
      c.alu('add', R.A, 1)
      c.store(8, R.C, 0, { reg: R.A })
      c.store(8, R.B, TURN, { reg: R.A })
    })
  }

  e.bind(found!)
  atPlace()
  if (does === 'remove') {
    e.put((c) => c.store(8, R.B, TURN, 0))
    e.goto(yes)
  } else if (does === 'set') {
    e.put((c) => c.load(8, R.A, R.B, COUNT))
    write()
    e.goto(yes)
  } else {
    const [enough, few, written] = [e.label('enough'), e.label('few'), e.label('written')]
    e.put((c) => c.load(8, R.A, R.B, COUNT))
    e.jump('jlt', R.A, hits, few)
    if (within > 0n) {
      e.put((c) => {
        c.mov(R.C, { reg: R.A })
        c.alu('sub', R.C, hits)
        c.alu('and', R.C, stamps - 1)
        c.alu('lsh', R.C, 3)
        c.mov(R.RET, { reg: R.B })
        c.alu('add', R.RET, { reg: R.C })
        c.load(8, R.RET, R.RET, times)
        c.load(8, R.C, R.FP, TIME)
        c.alu('sub', R.C, { reg: R.RET })
      })
      constant(e, R.RET, within)
      e.jump('jsgt', R.C, { reg: R.RET }, few)
    }
    e.goto(enough)
    // It writes where it goes on: what is turned round writes what is too few.
    e.bind(enough)
    if (does === 'update' && !over) e.goto(written)
    else e.goto(yes)
    e.bind(few)
    if (does === 'update' && over) e.goto(written)
    else e.goto(no)
    e.bind(written)
    if (e.reachable) {
      write()
      e.goto(holds)
    }
  }

  e.bind(none!)
  if (!e.reachable) return
  if (does !== 'set') return e.goto(no)
  e.put((c) => c.load(1, R.C, R.FP, PLACE))
  atPlace()
  for (let word = 0; word < words; word++)
    e.put((c) => {
      c.load(4, R.A, R.FP, SLOT.key + 4 * word)
      c.store(4, R.B, KEY + 4 * word, { reg: R.A })
    })
  e.put((c) => c.mov(R.A, 0))
  write()
  e.goto(yes)
}
