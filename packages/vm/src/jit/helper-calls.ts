// What compiled code knows of helpers by their ids: which are the machine's own, and which look at memory only.

import { HELPERS, type HelperName, helperById, KFUNCS } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { helperFunctions } from '../helpers/table.ts'
import type { Target } from './target.ts'

export const LOOKUP_ELEM = HELPERS.map_lookup_elem.id
export const LOOKUP_PERCPU = HELPERS.map_lookup_percpu_elem.id
export const TAIL_CALL = HELPERS.tail_call.id
export const CPU_ID = HELPERS.get_smp_processor_id.id

/** Whether a helper is the machine's, not one that its user put in its place. */
export function isBuiltIn({ helpers }: Engine, id: number): boolean {
  return helpers.get(id) === helperFunctions().get(id)
}

const idsOf = (names: readonly HelperName[]): ReadonlySet<number> => new Set(names.map((name) => HELPERS[name].id))

/** The helpers that a program calls; undefined for what a register says. */
export function helpersOf({ program: { code } }: Target): (number | undefined)[] {
  const ids = new Set<number | undefined>()
  for (let pc = 0; pc < code.length; pc += 4) {
    if (code[pc] === 0x85) ids.add(code[pc + 3]!)
    else if (code[pc] === 0x8d) ids.add(undefined)
  }
  return [...ids]
}

/** Whether the machine's own way of a helper is known; of those of its user nothing is. */
function isKnown(engine: Engine, id: number | undefined): id is number {
  return id !== undefined && isBuiltIn(engine, id)
}

/** Whether a helper may go on in another program. */
export function mayGoOn(engine: Engine, id: number | undefined): boolean {
  return !isKnown(engine, id) || id === TAIL_CALL
}

/** Whether a helper may call functions of the program. */
export function mayCallBack(engine: Engine, id: number | undefined): boolean {
  return !isKnown(engine, id) || id === HELPERS.loop.id || id === HELPERS.for_each_map_elem.id
}

/** Whether the packet may be elsewhere after a helper. */
export function movesPacket(engine: Engine, id: number | undefined): boolean {
  return mayCallBack(engine, id) || (id !== undefined && helperById(id)?.changesPacket === true)
}

/** Helpers that look at memory only, not at the packet as such: the region table is enough for them. */
export const ON_MEMORY: ReadonlySet<number> = idsOf([
  'map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'map_lookup_percpu_elem', 'map_push_elem', 'map_pop_elem', 'map_peek_elem',
  'get_prandom_u32', 'get_smp_processor_id', 'csum_diff', 'tail_call',
]) // biome-ignore format: a set

/** Helpers that change a map, or what the next run gets: the sequence of numbers. */
export const CHANGING: ReadonlySet<number> = idsOf([
  'map_update_elem', 'map_delete_elem', 'map_push_elem', 'map_pop_elem', 'get_prandom_u32',
]) // biome-ignore format: a set

/** Helpers that leave the packet alone and send nothing out. */
export const QUIET: ReadonlySet<number> = new Set([
  ...ON_MEMORY,
  ...idsOf([
    'ktime_get_ns', 'ktime_get_boot_ns', 'ktime_get_coarse_ns', 'ktime_get_tai_ns', 'jiffies64',
    'skb_load_bytes', 'skb_load_bytes_relative', 'get_hash_recalc', 'dynptr_read',
  ]),
  ...Object.values(KFUNCS).map(({ id }) => id),
]) // biome-ignore format: a set
