// A map of each type from its definition, and what the kernel refuses in a definition.

import type { MapDef, MapTypeName } from '@netsieve/asm'
import { type Diagnostic, Diagnostics } from '@netsieve/diag'
import type { Engine } from '../engine.ts'
import { ArrayMap, SlotArray } from './array.ts'
import { HashMap } from './hash.ts'
import { LpmMap } from './lpm.ts'
import type { BpfMap } from './map.ts'
import { BloomMap, QueueMap } from './queue.ts'
import { RingBuffer } from './ringbuf.ts'

type Make = new (engine: Engine, def: MapDef, index: number) => BpfMap
/** What sizes a type takes: a fixed key size, whether values may be missing. */
interface Rule {
  readonly make: Make
  readonly key: number | 'any' | 'lpm'
  readonly value: number | 'any' | 'none'
}

const RULES: Partial<Record<MapTypeName, Rule>> = {
  array: { make: ArrayMap, key: 4, value: 'any' },
  percpu_array: { make: ArrayMap, key: 4, value: 'any' },
  hash: { make: HashMap, key: 'any', value: 'any' },
  percpu_hash: { make: HashMap, key: 'any', value: 'any' },
  lru_hash: { make: HashMap, key: 'any', value: 'any' },
  lru_percpu_hash: { make: HashMap, key: 'any', value: 'any' },
  lpm_trie: { make: LpmMap, key: 'lpm', value: 'any' },
  prog_array: { make: SlotArray, key: 4, value: 4 },
  perf_event_array: { make: SlotArray, key: 4, value: 4 },
  cgroup_array: { make: SlotArray, key: 4, value: 4 },
  array_of_maps: { make: SlotArray, key: 4, value: 4 },
  hash_of_maps: { make: HashMap, key: 'any', value: 4 },
  devmap: { make: SlotArray, key: 4, value: 'any' },
  devmap_hash: { make: HashMap, key: 4, value: 'any' },
  cpumap: { make: SlotArray, key: 4, value: 'any' },
  xskmap: { make: SlotArray, key: 4, value: 4 },
  queue: { make: QueueMap, key: 0, value: 'any' },
  stack: { make: QueueMap, key: 0, value: 'any' },
  ringbuf: { make: RingBuffer, key: 0, value: 'none' },
  bloom_filter: { make: BloomMap, key: 0, value: 'any' },
}

/** What is wrong with map definitions, as the kernel would refuse them. Empty if all can be made. */
export function checkMaps(maps: readonly MapDef[]): readonly Diagnostic[] {
  const found = new Diagnostics()
  for (const def of maps) {
    const wrong = whatIsWrong(def)
    if (wrong) found.error('vm/map', `map ${def.name}: ${wrong}`)
  }
  return found.list
}

function whatIsWrong(def: MapDef): string | undefined {
  const rule = RULES[def.type]
  if (!rule) return `type ${def.type} is not simulated`
  const sizes = [def.keySize, def.valueSize, def.maxEntries]
  if (!sizes.every((n) => Number.isInteger(n) && n >= 0)) return 'sizes must be whole numbers from 0'
  if (typeof rule.key === 'number' && def.keySize !== rule.key)
    return `a ${def.type} has keys of ${rule.key} bytes, not ${def.keySize}`
  if (rule.key === 'any' && (def.keySize < 1 || def.keySize > 512))
    return `keys have 1 to 512 bytes, not ${def.keySize}`
  if (rule.key === 'lpm' && (def.keySize < 5 || def.keySize > 260))
    return `keys of a trie have 5 to 260 bytes, not ${def.keySize}`
  if (typeof rule.value === 'number' && def.valueSize !== rule.value)
    return `a ${def.type} has values of ${rule.value} bytes, not ${def.valueSize}`
  if (rule.value === 'any' && (def.valueSize < 1 || def.valueSize > 1 << 28))
    return `values have 1 byte to 256 MiB, not ${def.valueSize}`
  if (def.maxEntries < 1) return 'max_entries is 0'
  if (def.type === 'ringbuf' && (def.maxEntries & (def.maxEntries - 1) || def.maxEntries < 4096)) {
    return `the size of a ring buffer is a power of two and whole pages, not ${def.maxEntries}`
  }
  return undefined
}

/** @throws RangeError for a definition that `checkMaps` refuses. */
export function makeMap(engine: Engine, def: MapDef, index: number): BpfMap {
  const rule = RULES[def.type]
  const wrong = whatIsWrong(def)
  if (!rule || wrong) throw new RangeError(`map ${def.name}: ${wrong}`)
  return new rule.make(engine, def, index)
}
