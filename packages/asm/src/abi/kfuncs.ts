// Kernel functions ("kfuncs", Documentation/bpf/kfuncs.rst) that programs here call by name. A call holds the function's number in the
// BTF of the kernel it is loaded into, which a loader fills in; until then it holds the number of this table, below 0, which no BTF has.

import type { ArgKind, RetKind } from './helpers.ts'
import type { ProgTypeName } from './prog-types.ts'

/** The C types that prototypes need. */
export type CType = 'int' | '__u32' | '__u64' | 'struct __sk_buff *' | 'struct bpf_dynptr *'

export interface Kfunc {
  readonly id: number
  /** Program types of this table's world that may call it. */
  readonly types: readonly ProgTypeName[]
  readonly args: readonly ArgKind[]
  readonly ret: RetKind
  /** Its C prototype, which libbpf holds against the kernel's own. */
  readonly prototype: { readonly returns: CType; readonly params: Readonly<Record<string, CType>> }
}

// biome-ignore format: one row each
export const KFUNCS = {
  bpf_dynptr_from_skb: {
    id: -1, types: ['netfilter', 'sched_cls', 'socket_filter', 'cgroup_skb'], args: ['skb', 'anything', 'dynptrUninit'], ret: 'integer',
    prototype: { returns: 'int', params: { s: 'struct __sk_buff *', flags: '__u64', ptr: 'struct bpf_dynptr *' } },
  },
  bpf_dynptr_size: {
    id: -2, types: ['netfilter', 'sched_cls', 'socket_filter', 'cgroup_skb', 'xdp'], args: ['dynptr'], ret: 'integer',
    prototype: { returns: '__u32', params: { p: 'struct bpf_dynptr *' } },
  },
} as const satisfies Record<string, Kfunc>

export type KfuncName = keyof typeof KFUNCS

const BY_ID: ReadonlyMap<number, KfuncName> = new Map(
  Object.entries(KFUNCS).map(([name, { id }]) => [id, name as KfuncName]),
)

/** The name of a kernel function by the number that a call holds before it is loaded; undefined for any other number. */
export function kfuncName(id: number): KfuncName | undefined {
  return BY_ID.get(id)
}

/** The number that a call of a kernel function holds before it is loaded; undefined for a name that is not in the table. */
export function kfuncId(name: string): number | undefined {
  return Object.hasOwn(KFUNCS, name) ? KFUNCS[name as KfuncName].id : undefined
}

/** The row of a kernel function by the number that a call holds before it is loaded. */
export function kfuncById(id: number): Kfunc | undefined {
  const name = BY_ID.get(id)
  return name && KFUNCS[name]
}
