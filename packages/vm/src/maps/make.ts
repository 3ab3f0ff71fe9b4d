// A map of each type from its definition, and what the kernel refuses in a definition.

import type { MapDef, MapTypeName } from '@netsieve/asm'
import { type Diagnostic, Diagnostics } from '@netsieve/diag'
import type { Engine } from '../engine.ts'
import { ArrayMap } from './array.ts'
import { HashMap } from './hash.ts'
import { LpmMap } from './lpm.ts'
import type { BpfMap } from './map.ts'
import { BloomMap, QueueMap } from './queue.ts'
import { RingBuffer } from './ringbuf.ts'
import { SlotArray } from './slots.ts'

type Make = new (engine: Engine, def: MapDef, index: number) => BpfMap
/** What a type takes: its sizes, whether values may be missing, and flags of creation. */
interface Rule {
  readonly make: Make
  readonly key: number | 'any' | 'lpm'
  readonly value: readonly number[] | 'any' | 'none'
  readonly flags: number
  readonly mostValue?: number
}

/** BPF_F_NO_PREALLOC, _NO_COMMON_LRU, _NUMA_NODE, _RDONLY and _WRONLY, _ZERO_SEED, _RDONLY_PROG and _WRONLY_PROG. */
const [NO_PREALLOC, OWN_LRU, NUMA, USER, SEED, PROGRAM] = [1, 2, 4, 0x18, 0x40, 0x180]
/** BPF_F_MMAPABLE and BPF_F_INNER_MAP; BPF_F_PRESERVE_ELEMS. */
const [ARRAY, PRESERVE] = [0x1400, 0x800]
/** The most bytes that the kernel has in one piece, and of a CPU's own memory. */
const [MOST_KMALLOC, MOST_PERCPU] = [1 << 22, 1 << 15]

const slots = { make: SlotArray, key: 4, value: [4], flags: NUMA | USER } as const
const table = { make: HashMap, key: 'any', value: 'any', flags: NO_PREALLOC | NUMA | USER | SEED | PROGRAM, mostValue: MOST_KMALLOC } as const // biome-ignore format: one row
const lru = { ...table, flags: OWN_LRU | NUMA | USER | SEED | PROGRAM } as const
const keyless = { key: 0, value: 'any', flags: NUMA | USER | PROGRAM, mostValue: MOST_KMALLOC } as const
const own = { mostValue: MOST_PERCPU } as const

const RULES: Partial<Record<MapTypeName, Rule>> = {
  array: { make: ArrayMap, key: 4, value: 'any', flags: NUMA | USER | PROGRAM | ARRAY },
  percpu_array: { make: ArrayMap, key: 4, value: 'any', flags: USER | PROGRAM, ...own },
  hash: table,
  percpu_hash: { ...table, flags: table.flags & ~NUMA, ...own },
  lru_hash: lru,
  lru_percpu_hash: { ...lru, flags: lru.flags & ~NUMA, ...own },
  lpm_trie: { make: LpmMap, key: 'lpm', value: 'any', flags: NO_PREALLOC | NUMA | USER | PROGRAM, mostValue: MOST_KMALLOC - 1 },
  prog_array: slots,
  perf_event_array: { ...slots, flags: slots.flags | PRESERVE },
  cgroup_array: slots,
  array_of_maps: slots,
  hash_of_maps: { ...table, value: [4] },
  devmap: { ...slots, value: [4, 8] },
  devmap_hash: { make: HashMap, key: 4, value: [4, 8], flags: NUMA | USER },
  cpumap: { ...slots, value: [4, 8], flags: NUMA },
  xskmap: slots,
  queue: { make: QueueMap, ...keyless },
  stack: { make: QueueMap, ...keyless },
  ringbuf: { make: RingBuffer, key: 0, value: 'none', flags: NUMA },
  bloom_filter: { make: BloomMap, ...keyless, flags: keyless.flags | SEED },
} // biome-ignore format: a table

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
  if (rule.value === 'none' && def.valueSize !== 0) return `a ${def.type} has no values, not of ${def.valueSize} bytes`
  if (typeof rule.value === 'object' && !rule.value.includes(def.valueSize))
    return `a ${def.type} has values of ${rule.value.join(' or ')} bytes, not ${def.valueSize}`
  const { mostValue = 1 << 28 } = rule
  if (rule.value === 'any' && (def.valueSize < 1 || def.valueSize > mostValue))
    return `values of a ${def.type} have 1 to ${mostValue} bytes, not ${def.valueSize}`
  if (def.maxEntries < 1) return 'max_entries is 0'
  const flags = whatIsWrongWithFlags(def, rule)
  if (flags) return flags
  if (def.type === 'ringbuf' && (def.maxEntries & (def.maxEntries - 1) || def.maxEntries < 4096)) {
    return `the size of a ring buffer is a power of two and whole pages, not ${def.maxEntries}`
  }
  return undefined
}

function whatIsWrongWithFlags({ type, flags = 0 }: MapDef, rule: Rule): string | undefined {
  const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`
  if (flags & ~rule.flags) return `a ${type} cannot be made with the flags ${hex(flags & ~rule.flags)}`
  if ((flags & USER) === USER) return 'no process could read or write it'
  if ((flags & PROGRAM) === PROGRAM) return 'no program could read or write it'
  if (type === 'lpm_trie' && !(flags & NO_PREALLOC)) return 'a lpm_trie is made with the flag BPF_F_NO_PREALLOC (1)'
  return undefined
}

/** @throws RangeError for a definition that `checkMaps` refuses. */
export function makeMap(engine: Engine, def: MapDef, index: number): BpfMap {
  const rule = RULES[def.type]
  const wrong = whatIsWrong(def)
  if (!rule || wrong) throw new RangeError(`map ${def.name}: ${wrong}`)
  return new rule.make(engine, def, index)
}
