// Helper functions by id: bpf-helpers(7). Argument and return kinds are what the verifier checks and the VM converts.

/** What an argument must be. `mem` and `memUninit` are followed by their `size`. */
export type ArgKind =
  | 'ctx' | 'mapPtr' | 'mapKey' | 'mapValue' | 'mapValueUninit' | 'mem' | 'memOrNull' | 'memUninit' | 'memWrite' // biome-ignore format: one family
  | 'size' | 'sizeOrZero' | 'constAllocSize' | 'anything' | 'func' | 'stackOrNull' | 'sock' | 'allocMem' | 'spinLock' | 'constStr' // biome-ignore format: one family

export type RetKind = 'integer' | 'void' | 'mapValueOrNull' | 'sockOrNull' | 'tcpSockOrNull' | 'allocMemOrNull'

export interface Helper {
  readonly id: number
  readonly args: readonly ArgKind[]
  readonly ret: RetKind
  /** Packet pointers are void after the call. */
  readonly changesPacket?: boolean
}

export const HELPERS = {
  map_lookup_elem: { id: 1, args: ['mapPtr', 'mapKey'], ret: 'mapValueOrNull' },
  map_update_elem: { id: 2, args: ['mapPtr', 'mapKey', 'mapValue', 'anything'], ret: 'integer' },
  map_delete_elem: { id: 3, args: ['mapPtr', 'mapKey'], ret: 'integer' },
  ktime_get_ns: { id: 5, args: [], ret: 'integer' },
  get_prandom_u32: { id: 7, args: [], ret: 'integer' },
  skb_load_bytes: { id: 26, args: ['ctx', 'anything', 'memUninit', 'size'], ret: 'integer' },
} as const satisfies Record<string, Helper>

export type HelperName = keyof typeof HELPERS
