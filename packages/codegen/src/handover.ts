// From one program of a set to the next: the tail call, and what it hands on beside the context. That is the fields that rules set; all else is
// found anew or lies in maps.
//
// Where the context is a packet buffer's, they go with the packet, in the words that it has for programs (cb): the kernel clears them before a program and puts
// back what was there. XDP programs have no such words; they run in softirqs, of which one at a time is at work on a CPU, so an array with a value for each CPU
// holds them. Netfilter's programs have none either, and at the hooks of packets that leave they are run for processes too: a softirq that sends a packet
// of its own may come between two of them. There is nothing to hand fields on by.

import { CONTEXTS, HELPERS, type Label, type MapDef, PROG_TYPES, programEntry } from '@netsieve/asm'
import { type Emitter, R } from './emitter.ts'
import { TooLong } from './limits.ts'
import { leaves } from './metadata.ts'
import { SLOT } from './path.ts'
import type { Shared } from './shared.ts'

/** The map that leads from program to program: by its number. */
export const PROGRAMS_MAP = 'netsieve_progs'
const HANDED_MAP = 'netsieve_handed'

const { cb } = CONTEXTS.__sk_buff.fields
/** The last word tells which are known. */
const MOST_IN_CB = cb.count - 1

export interface Handover {
  /** Puts the fields where the next program finds them; R[context] is the context. Goes to `failed` if it cannot. */
  give(e: Emitter, context: number, failed: Label): void
  /** Fills the fields' slots with what the program before has put there. */
  take(e: Emitter, context: number, failed: Label): void
}

/** @throws TooLong where there is nothing that they could be handed on by */
export function handoverOf(shared: Shared): Handover {
  const { name, locals, filter } = shared
  if (locals.size === 0) return { give() {}, take() {} }
  const many = 'the rules are too many for one program'
  if (PROG_TYPES[name].context === '__sk_buff') {
    if (locals.size <= MOST_IN_CB) return inPacket([...locals.values()])
    throw new TooLong(
      `${many}, and set more than ${MOST_IN_CB} fields, which is what a packet carries from program to program`,
    )
  }
  const out = name === 'netfilter' ? filter.base.find(({ hook }) => leaves(hook)) : undefined
  if (out)
    throw new TooLong(`${many}, and set fields, which programs of type ${name} cannot hand on at the hook ${out.hook}`)
  return perCpu(shared)
}

function inPacket(slots: readonly number[]): Handover {
  const word = (i: number) => cb.offset + i * cb.size
  return {
    give(e, context) {
      e.put((c) => {
        c.mov(R.B, 0)
        for (const [i, slot] of slots.entries()) {
          c.load(8, R.A, R.FP, slot)
          c.store(4, context, word(i), { reg: R.A })
          // NOT_KNOWN alone has its top bit set.
          c.alu('rsh', R.A, 63)
          c.alu('lsh', R.A, i)
          c.alu('or', R.B, { reg: R.A })
        }
        c.store(4, context, word(MOST_IN_CB), { reg: R.B })
      })
    },
    take(e, context) {
      e.put((c) => {
        for (const [i, slot] of slots.entries()) {
          c.load(4, R.B, context, word(MOST_IN_CB))
          c.alu('rsh', R.B, i)
          c.alu('and', R.B, 1)
          c.alu('neg', R.B, 0)
          c.load(4, R.A, context, word(i))
          c.alu('or', R.A, { reg: R.B })
          c.store(8, R.FP, slot, { reg: R.A })
        }
      })
    },
  }
}

function perCpu({ locals, maps }: Shared): Handover {
  const slots = [...locals.values()]
  const def: MapDef = { name: HANDED_MAP, type: 'percpu_array', keySize: 4, valueSize: 8 * slots.length, maxEntries: 1 }
  /** R.RET = the value of this CPU. */
  const find = (e: Emitter, failed: Label): void => {
    const map = maps.once(HANDED_MAP, () => maps.add(def))
    e.put((c) => {
      c.store(8, R.FP, SLOT.key, 0)
      c.map(1, map)
      c.mov(2, { reg: R.FP })
      c.alu('add', 2, SLOT.key)
      c.call(HELPERS.map_lookup_elem.id)
    })
    e.jump('jeq', R.RET, 0, failed)
  }
  const copy = (e: Emitter, from: (i: number) => [number, number], to: (i: number) => [number, number]): void =>
    e.put((c) => {
      for (const i of slots.keys()) {
        c.load(8, R.A, ...from(i))
        c.store(8, ...to(i), { reg: R.A })
      }
    })
  const own = (i: number): [number, number] => [R.FP, slots[i]!]
  const handed = (i: number): [number, number] => [R.RET, 8 * i]
  return {
    give(e, _, failed) {
      find(e, failed)
      copy(e, own, handed)
    },
    take(e, _, failed) {
      find(e, failed)
      copy(e, handed, own)
    },
  }
}

/** Goes on in a program by its number; comes back if it is not there. */
export function tailCall(e: Emitter, context: number, map: number, program: number): void {
  e.put((c) => {
    c.mov(1, { reg: context })
    c.map(2, map)
    c.mov(3, program)
    c.call(HELPERS.tail_call.id)
  })
}

/** Every program of a set by its number; the first is not called by another. */
export function programsMap(count: number): MapDef {
  return {
    name: PROGRAMS_MAP,
    type: 'prog_array',
    keySize: 4,
    valueSize: 4,
    maxEntries: count,
    entries: Array.from({ length: count - 1 }, (_, i) => programEntry(i + 1, i + 1)),
  }
}
