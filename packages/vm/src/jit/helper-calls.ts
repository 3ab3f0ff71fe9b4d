// What compiled code knows of helpers by their ids: which are the machine's own, and which look at memory only.

import { HELPERS, type HelperName, KFUNCS } from '@netsieve/asm'
import type { Engine } from '../engine.ts'
import { helperFunctions } from '../helpers/table.ts'

export const LOOKUP_ELEM = HELPERS.map_lookup_elem.id
export const LOOKUP_PERCPU = HELPERS.map_lookup_percpu_elem.id
export const TAIL_CALL = HELPERS.tail_call.id
export const CPU_ID = HELPERS.get_smp_processor_id.id

/** Whether a helper is the machine's, not one that its user put in its place. */
export function isBuiltIn({ helpers }: Engine, id: number): boolean {
  return helpers.get(id) === helperFunctions().get(id)
}

const idsOf = (names: readonly HelperName[]): ReadonlySet<number> => new Set(names.map((name) => HELPERS[name].id))

/** Helpers that look at memory only, not at the packet as such: the region table is enough for them. */
export const ON_MEMORY: ReadonlySet<number> = idsOf([
  'map_lookup_elem', 'map_update_elem', 'map_delete_elem', 'map_lookup_percpu_elem', 'map_push_elem', 'map_pop_elem', 'map_peek_elem',
  'get_prandom_u32', 'get_smp_processor_id', 'csum_diff',
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
