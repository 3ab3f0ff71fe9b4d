// Which helpers work on which map types: a pair that is not here is refused.

import { helperName, MAP_FLAGS, MAP_TYPES, type MapDef, type MapTypeName } from '@netsieve/asm'
import { Rejection } from './errors.ts'

const PLAIN: readonly MapTypeName[] = ['hash', 'array', 'percpu_hash', 'percpu_array', 'lru_hash', 'lru_percpu_hash', 'lpm_trie'] // biome-ignore format: one row
const _LOOKUP: readonly MapTypeName[] = [...PLAIN, 'array_of_maps', 'hash_of_maps', 'devmap', 'devmap_hash', 'xskmap', 'sockmap', 'sockhash', 'cpumap'] // biome-ignore format: one row

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

/** The kernel's structures, where they are not a hash table's or an array's. */
const STRUCTS: Partial<Record<MapTypeName, string>> = {
  array: 'bpf_array', percpu_array: 'bpf_array', prog_array: 'bpf_array', perf_event_array: 'bpf_array', cgroup_array: 'bpf_array', array_of_maps: 'bpf_array', stack_trace: 'bpf_stack_map', lpm_trie: 'lpm_trie', devmap: 'bpf_dtab', devmap_hash: 'bpf_dtab',
  sockmap: 'bpf_stab', sockhash: 'bpf_shtab', cpumap: 'bpf_cpu_map', xskmap: 'xsk_map', queue: 'bpf_queue_stack', stack: 'bpf_queue_stack', ringbuf: 'bpf_ringbuf_map', bloom_filter: 'bpf_bloom_filter',
} // biome-ignore format: one table

export function structOf({ type }: MapDef): string {
  return STRUCTS[type] ?? 'bpf_htab'
}

/** Whether the helper works on the map. */
export function mapFits(helper: number, map: MapDef | undefined): boolean {
  if (!map) return true
  const byMap = BY_MAP[map.type]
  const byHelper = BY_HELPER[helper]
  return (!byMap || byMap.includes(helper)) && (!byHelper || byHelper.includes(map.type))
}

/** @throws Rejection if the helper does not work on the map. */
export function proveMapFits(helper: number, map: MapDef | undefined): void {
  if (!map || mapFits(helper, map)) return
  const name = helperName(helper) ?? 'unknown'
  throw new Rejection(`cannot pass map_type ${MAP_TYPES[map.type].id} into func bpf_${name}#${helper}`)
}

/** Flags that a map has without asking: programs only read the devices of a devmap. */
export function mapFlags({ type, flags = 0 }: MapDef): number {
  return type === 'devmap' || type === 'devmap_hash' ? flags | MAP_FLAGS.rdonly_prog : flags
}
