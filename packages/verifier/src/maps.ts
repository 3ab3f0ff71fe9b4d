// Which helpers work on which map types: a pair that is not here is refused.

import { MAP_TYPES, type MapDef, type MapTypeName } from '@netsieve/asm'
import { Rejection } from './errors.ts'

const PLAIN: readonly MapTypeName[] = ['hash', 'array', 'percpu_hash', 'percpu_array', 'lru_hash', 'lru_percpu_hash', 'lpm_trie'] // biome-ignore format: one row
const LOOKUP: readonly MapTypeName[] = [...PLAIN, 'array_of_maps', 'hash_of_maps', 'devmap', 'devmap_hash', 'xskmap', 'sockmap', 'sockhash', 'cpumap'] // biome-ignore format: one row

/** Helpers that only work on some map types. */
const BY_HELPER: Readonly<Record<number, readonly MapTypeName[]>> = {
  12: ['prog_array'],
  22: ['perf_event_array'],
  25: ['perf_event_array'],
  55: ['perf_event_array'],
  33: ['cgroup_array'],
  37: ['cgroup_array'],
  51: ['devmap', 'devmap_hash', 'cpumap', 'xskmap'],
  87: ['queue', 'stack', 'bloom_filter'],
  88: ['queue', 'stack'],
  89: ['queue', 'stack', 'bloom_filter'],
  130: ['ringbuf'],
  131: ['ringbuf'],
  134: ['ringbuf'],
  164: ['hash', 'percpu_hash', 'lru_hash', 'lru_percpu_hash', 'array', 'percpu_array'],
  195: ['percpu_array', 'percpu_hash', 'lru_percpu_hash'],
}

/** Map types that only some helpers work on. */
const BY_MAP: Partial<Record<MapTypeName, readonly number[]>> = {
  prog_array: [12],
  perf_event_array: [22, 25, 55],
  stack_trace: [27],
  cgroup_array: [33, 37],
  devmap: [51, 1],
  devmap_hash: [51, 1],
  cpumap: [51],
  xskmap: [51, 1],
  array_of_maps: [1],
  hash_of_maps: [1],
  sockmap: [1, 3],
  sockhash: [1, 3],
  queue: [87, 88, 89],
  stack: [87, 88, 89],
  bloom_filter: [87, 89],
  ringbuf: [130, 131, 134],
}

/** @throws Rejection if the helper does not work on the map. */
export function proveMapFits(helper: number, map: MapDef | undefined): void {
  if (!map) return
  const byMap = BY_MAP[map.type]
  const byHelper = BY_HELPER[helper]
  if ((!byMap || byMap.includes(helper)) && (!byHelper || byHelper.includes(map.type))) return
  throw new Rejection(`cannot pass map_type ${MAP_TYPES[map.type].id} into func bpf_${HELPER_NAMES(helper)}#${helper}`)
}

import { helperName } from '@netsieve/asm'

function HELPER_NAMES(id: number): string {
  return helperName(id) ?? 'unknown'
}

export { LOOKUP }
