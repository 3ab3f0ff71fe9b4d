// What a program gets in r1: the layouts of struct xdp_md and struct __sk_buff as a program sees them (uapi linux/bpf.h).

import type { Bytes } from '../isa.ts'

/** What a context field holds: a number, or a pointer of some kind that the verifier tracks. */
export type ContextFieldKind = 'scalar' | 'data' | 'data_end' | 'data_meta' | 'flow_keys' | 'sock'

export interface ContextField {
  readonly offset: number
  readonly size: Bytes
  readonly kind: ContextFieldKind
  /** Number of elements of `size` bytes each; 1 where absent. */
  readonly count?: number
}

export interface ContextLayout {
  readonly size: number
  readonly fields: Readonly<Record<string, ContextField>>
}

const XDP_MD = {
  data: { offset: 0, size: 4, kind: 'data' },
  data_end: { offset: 4, size: 4, kind: 'data_end' },
  data_meta: { offset: 8, size: 4, kind: 'data_meta' },
  ingress_ifindex: { offset: 12, size: 4, kind: 'scalar' },
  rx_queue_index: { offset: 16, size: 4, kind: 'scalar' },
  egress_ifindex: { offset: 20, size: 4, kind: 'scalar' },
} as const satisfies Record<string, ContextField>

const SK_BUFF = {
  len: { offset: 0, size: 4, kind: 'scalar' },
  pkt_type: { offset: 4, size: 4, kind: 'scalar' },
  mark: { offset: 8, size: 4, kind: 'scalar' },
  queue_mapping: { offset: 12, size: 4, kind: 'scalar' },
  protocol: { offset: 16, size: 4, kind: 'scalar' },
  vlan_present: { offset: 20, size: 4, kind: 'scalar' },
  vlan_tci: { offset: 24, size: 4, kind: 'scalar' },
  vlan_proto: { offset: 28, size: 4, kind: 'scalar' },
  priority: { offset: 32, size: 4, kind: 'scalar' },
  ingress_ifindex: { offset: 36, size: 4, kind: 'scalar' },
  ifindex: { offset: 40, size: 4, kind: 'scalar' },
  tc_index: { offset: 44, size: 4, kind: 'scalar' },
  cb: { offset: 48, size: 4, kind: 'scalar', count: 5 },
  hash: { offset: 68, size: 4, kind: 'scalar' },
  tc_classid: { offset: 72, size: 4, kind: 'scalar' },
  data: { offset: 76, size: 4, kind: 'data' },
  data_end: { offset: 80, size: 4, kind: 'data_end' },
  napi_id: { offset: 84, size: 4, kind: 'scalar' },
  family: { offset: 88, size: 4, kind: 'scalar' },
  remote_ip4: { offset: 92, size: 4, kind: 'scalar' },
  local_ip4: { offset: 96, size: 4, kind: 'scalar' },
  remote_ip6: { offset: 100, size: 4, kind: 'scalar', count: 4 },
  local_ip6: { offset: 116, size: 4, kind: 'scalar', count: 4 },
  remote_port: { offset: 132, size: 4, kind: 'scalar' },
  local_port: { offset: 136, size: 4, kind: 'scalar' },
  data_meta: { offset: 140, size: 4, kind: 'data_meta' },
  flow_keys: { offset: 144, size: 8, kind: 'flow_keys' },
  tstamp: { offset: 152, size: 8, kind: 'scalar' },
  wire_len: { offset: 160, size: 4, kind: 'scalar' },
  gso_segs: { offset: 164, size: 4, kind: 'scalar' },
  sk: { offset: 168, size: 8, kind: 'sock' },
  gso_size: { offset: 176, size: 4, kind: 'scalar' },
  tstamp_type: { offset: 180, size: 1, kind: 'scalar' },
  hwtstamp: { offset: 184, size: 8, kind: 'scalar' },
} as const satisfies Record<string, ContextField>

/** The context structs, by the kernel's names. */
export const CONTEXTS = {
  xdp_md: { size: 24, fields: XDP_MD },
  __sk_buff: { size: 192, fields: SK_BUFF },
} as const satisfies Record<string, ContextLayout>

export type ContextName = keyof typeof CONTEXTS
