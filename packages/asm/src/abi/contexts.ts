// What a program gets in r1: the layouts of struct xdp_md and struct __sk_buff as a program sees them (uapi linux/bpf.h) and of the
// kernel's own struct bpf_nf_ctx, and who may read and write which field. Access was asked of Linux 6.18, every offset and size, as a privileged loader.

import type { Bytes } from '../isa.ts'

/** ProgTypeName, spelled out: that type is derived from a table that names this one. */
type Accessor = 'socket_filter' | 'sched_cls' | 'cgroup_skb' | 'xdp' | 'netfilter'

/** What a context field holds: a number, or a pointer of some kind that the verifier tracks; `sk_buff` and `nf_hook_state` are the kernel's own structs. */
export type ContextFieldKind = 'scalar' | 'data' | 'data_end' | 'data_meta' | 'flow_keys' | 'sock' | 'sk_buff' | 'nf_hook_state' // biome-ignore format: a row

export interface ContextField {
  readonly offset: number
  readonly size: Bytes
  readonly kind: ContextFieldKind
  /** Number of elements of `size` bytes each; 1 where absent. */
  readonly count?: number
  /** Program types that may load it. */
  readonly read: readonly Accessor[]
  /** Program types that may store to it, at full size unless `bytes`; none where absent. */
  readonly write?: readonly Accessor[]
  /** What a loader without CAP_BPF may not do with it. */
  readonly privileged?: 'read' | 'write'
  /** Loads of 1 and 2 aligned bytes inside it are allowed too. */
  readonly narrow?: true
  /** A byte array of the kernel's: loads and stores of 1, 2, 4 and 8 aligned bytes anywhere in it. */
  readonly bytes?: true
  /** Size of the kernel's own field where smaller: a load of its upper half then sees the lower one (a quirk of Linux). */
  readonly kernelSize?: Bytes
}

export interface ContextLayout {
  readonly size: number
  readonly fields: Readonly<Record<string, ContextField>>
}

const ALL = ['socket_filter', 'sched_cls', 'cgroup_skb'] as const
const TC = ['sched_cls'] as const
const CGROUP = ['cgroup_skb'] as const
const TC_CGROUP = ['sched_cls', 'cgroup_skb'] as const
const XDP = ['xdp'] as const
const NONE = [] as const

const XDP_MD = {
  data: { offset: 0, size: 4, kind: 'data', read: XDP },
  data_end: { offset: 4, size: 4, kind: 'data_end', read: XDP },
  data_meta: { offset: 8, size: 4, kind: 'data_meta', read: XDP },
  ingress_ifindex: { offset: 12, size: 4, kind: 'scalar', read: XDP },
  rx_queue_index: { offset: 16, size: 4, kind: 'scalar', read: XDP },
  // Only for programs attached to a devmap entry.
  egress_ifindex: { offset: 20, size: 4, kind: 'scalar', read: NONE },
} as const satisfies Record<string, ContextField>

// biome-ignore format: one row each
const SK_BUFF = {
  len: { offset: 0, size: 4, kind: 'scalar', read: ALL, narrow: true },
  pkt_type: { offset: 4, size: 4, kind: 'scalar', read: ALL, narrow: true, kernelSize: 1 },
  mark: { offset: 8, size: 4, kind: 'scalar', read: ALL, write: TC_CGROUP, narrow: true },
  queue_mapping: { offset: 12, size: 4, kind: 'scalar', read: ALL, write: TC, narrow: true, kernelSize: 2 },
  protocol: { offset: 16, size: 4, kind: 'scalar', read: ALL, narrow: true, kernelSize: 2 },
  vlan_present: { offset: 20, size: 4, kind: 'scalar', read: ALL, narrow: true },
  vlan_tci: { offset: 24, size: 4, kind: 'scalar', read: ALL, narrow: true, kernelSize: 2 },
  vlan_proto: { offset: 28, size: 4, kind: 'scalar', read: ALL, narrow: true, kernelSize: 2 },
  priority: { offset: 32, size: 4, kind: 'scalar', read: ALL, write: TC_CGROUP, narrow: true },
  ingress_ifindex: { offset: 36, size: 4, kind: 'scalar', read: ALL, narrow: true },
  ifindex: { offset: 40, size: 4, kind: 'scalar', read: ALL, narrow: true },
  tc_index: { offset: 44, size: 4, kind: 'scalar', read: ALL, write: TC, narrow: true, kernelSize: 2 },
  cb: { offset: 48, size: 4, kind: 'scalar', count: 5, read: ALL, write: ALL, bytes: true },
  hash: { offset: 68, size: 4, kind: 'scalar', read: ALL, narrow: true },
  tc_classid: { offset: 72, size: 4, kind: 'scalar', read: TC, write: TC, narrow: true, kernelSize: 2 },
  data: { offset: 76, size: 4, kind: 'data', read: TC_CGROUP, privileged: 'read' },
  data_end: { offset: 80, size: 4, kind: 'data_end', read: TC_CGROUP, privileged: 'read' },
  napi_id: { offset: 84, size: 4, kind: 'scalar', read: ALL, narrow: true },
  family: { offset: 88, size: 4, kind: 'scalar', read: CGROUP, narrow: true, kernelSize: 2 },
  remote_ip4: { offset: 92, size: 4, kind: 'scalar', read: CGROUP },
  local_ip4: { offset: 96, size: 4, kind: 'scalar', read: CGROUP },
  remote_ip6: { offset: 100, size: 4, kind: 'scalar', count: 4, read: CGROUP },
  local_ip6: { offset: 116, size: 4, kind: 'scalar', count: 4, read: CGROUP },
  remote_port: { offset: 132, size: 4, kind: 'scalar', read: CGROUP, narrow: true },
  local_port: { offset: 136, size: 4, kind: 'scalar', read: CGROUP, narrow: true },
  data_meta: { offset: 140, size: 4, kind: 'data_meta', read: TC },
  // Only for flow dissectors.
  flow_keys: { offset: 144, size: 8, kind: 'flow_keys', read: NONE },
  tstamp: { offset: 152, size: 8, kind: 'scalar', read: TC_CGROUP, write: TC_CGROUP, privileged: 'write' },
  wire_len: { offset: 160, size: 4, kind: 'scalar', read: TC, narrow: true },
  gso_segs: { offset: 164, size: 4, kind: 'scalar', read: ALL, narrow: true, kernelSize: 2 },
  sk: { offset: 168, size: 8, kind: 'sock', read: ALL },
  gso_size: { offset: 176, size: 4, kind: 'scalar', read: ALL, narrow: true, kernelSize: 2 },
  tstamp_type: { offset: 180, size: 1, kind: 'scalar', read: TC },
  hwtstamp: { offset: 184, size: 8, kind: 'scalar', read: TC_CGROUP },
} as const satisfies Record<string, ContextField>

const NETFILTER = ['netfilter'] as const
const NF_CTX = {
  state: { offset: 0, size: 8, kind: 'nf_hook_state', read: NETFILTER },
  skb: { offset: 8, size: 8, kind: 'sk_buff', read: NETFILTER },
} as const satisfies Record<string, ContextField>

/** The first bytes of the kernel's struct nf_hook_state: where the packet is (NF_INET_*, linux/netfilter.h), and its family (NFPROTO_*). */
export const NF_HOOK_STATE = { size: 48, hook: 0, pf: 1 } as const

/** The context structs, by the kernel's names. */
export const CONTEXTS = {
  xdp_md: { size: 24, fields: XDP_MD },
  __sk_buff: { size: 192, fields: SK_BUFF },
  bpf_nf_ctx: { size: 16, fields: NF_CTX },
} as const satisfies Record<string, ContextLayout>

export type ContextName = keyof typeof CONTEXTS
