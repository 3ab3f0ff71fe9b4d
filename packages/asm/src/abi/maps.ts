// Map types by id (uapi linux/bpf.h) and what a map is declared with.

export const MAP_TYPES = {
  hash: { id: 1 },
  array: { id: 2 },
  prog_array: { id: 3 },
  perf_event_array: { id: 4 },
  percpu_hash: { id: 5 },
  percpu_array: { id: 6 },
  stack_trace: { id: 7 },
  cgroup_array: { id: 8 },
  lru_hash: { id: 9 },
  lru_percpu_hash: { id: 10 },
  lpm_trie: { id: 11 },
  array_of_maps: { id: 12 },
  hash_of_maps: { id: 13 },
  devmap: { id: 14 },
  sockmap: { id: 15 },
  cpumap: { id: 16 },
  xskmap: { id: 17 },
  sockhash: { id: 18 },
  queue: { id: 22 },
  stack: { id: 23 },
  devmap_hash: { id: 25 },
  ringbuf: { id: 27 },
  bloom_filter: { id: 30 },
} as const satisfies Record<string, { readonly id: number }>

export type MapTypeName = keyof typeof MAP_TYPES

/** BPF_F_*: flags of map creation that change what programs may do. */
export const MAP_FLAGS = {
  no_prealloc: 1,
  rdonly_prog: 0x80,
  wronly_prog: 0x100,
  inner_map: 0x1000,
} as const

/** One element: the bytes of its key and of its value. */
export type MapEntry = readonly [key: Uint8Array, value: Uint8Array]

/** A map as declared: sizes in bytes. Programs name it by its index in the list given beside them. */
export interface MapDef {
  readonly name: string
  readonly type: MapTypeName
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** BPF_F_* creation flags. */
  readonly flags?: number
  /** Byte offset of the `struct bpf_spin_lock` in the value, for maps that hold one. */
  readonly spinLockAt?: number
  /** What the map holds when its program starts; who loads the program fills it in. A prog array: numbers of programs, of 4 bytes. */
  readonly entries?: readonly MapEntry[]
  /**
   * Frozen before the program is loaded (BPF_MAP_FREEZE), so that no process changes it; if programs may not write to it either
   * (`rdonly_prog`), the verifier knows what it holds. Default false.
   */
  readonly frozen?: boolean
  /** For maps of maps: what the inner maps look like. */
  readonly inner?: MapDef
}

/** What a prog array holds: programs by their numbers, at their indexes. */
export function programsIn({ type, entries = [] }: MapDef): { readonly index: number; readonly program: number }[] {
  if (type !== 'prog_array') return []
  const number = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  return entries.map(([key, value]) => ({ index: number(key), program: number(value) }))
}

/** An element of a prog array. */
export function programEntry(index: number, program: number): MapEntry {
  const bytes = (number: number) => new Uint8Array(Uint32Array.of(number).buffer)
  return [bytes(index), bytes(program)]
}
