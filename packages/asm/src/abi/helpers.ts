// Helper functions by id: bpf-helpers(7). Argument and return kinds are what the verifier checks and the VM converts.
// Ids, names, program types, GPL marks and capabilities are those of Linux 6.18, asked one by one of the running kernel.

import type { ProgTypeName } from './prog-types.ts'

/**
 * What an argument must be. A `mem…` is followed by its `size`; a `fixedMem…` has its size in the helper's `fixedSizes`, in order.
 * `Uninit` memory is written by the helper and need not be initialised; `sizeOrZero` may be 0. The verifier does not look at
 * what is `unchecked`, though the helper may read it.
 */
export type ArgKind =
  | 'anything' | 'unchecked' | 'ctx' | 'ctxOrNull' // biome-ignore format: one family
  | 'mapPtr' | 'mapKey' | 'mapValue' | 'mapValueOrNull' | 'mapValueUninit' // biome-ignore format: one family
  | 'mem' | 'memOrNull' | 'memWrite' | 'memUninit' | 'memUninitOrNull' | 'fixedMem' | 'fixedMemUninit' // biome-ignore format: one family
  | 'size' | 'sizeOrZero' | 'constAllocSize' // biome-ignore format: one family
  | 'dynptr' | 'dynptrUninit' | 'skb' // biome-ignore format: one family
  | 'func' | 'stackOrNull' | 'sockCommon' | 'btfSockCommon' | 'allocMem' | 'spinLock' | 'constStr' // biome-ignore format: one family

export type RetKind =
  | 'integer' | 'void' | 'mapValue' | 'mapValueOrNull' // biome-ignore format: one family
  | 'sockOrNull' | 'sockCommonOrNull' | 'tcpSockOrNull' | 'allocMemOrNull' // biome-ignore format: one family

export interface Helper {
  readonly id: number
  /** Program types of this table's world that may call it. */
  readonly types: readonly ProgTypeName[]
  readonly args: readonly ArgKind[]
  readonly ret: RetKind
  /** Bytes behind each `fixedMem…` argument. */
  readonly fixedSizes?: readonly number[]
  /** Packet pointers are void after the call. */
  readonly changesPacket?: boolean
  /** Only for programs under a GPL-compatible licence. */
  readonly gpl?: boolean
  /** The loader must have CAP_BPF or CAP_PERFMON for it. */
  readonly capability?: 'bpf' | 'perfmon'
  /** May sleep: refused in programs that may not, and all of ours are such. */
  readonly sleeps?: boolean
  /** Needs a kernel feature that neither our verifier nor our VM has. */
  readonly unmodelled?: 'BTF types' | 'local storage' | 'timers' | 'kptrs' | 'dynptrs'
}

const ANY = ['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb', 'netfilter'] as const
const NETWORK = ['xdp', 'sched_cls', 'socket_filter', 'cgroup_skb'] as const
const SKB = ['sched_cls', 'socket_filter', 'cgroup_skb'] as const
const SOCK = ['xdp', 'sched_cls', 'cgroup_skb'] as const
const XDP_TC = ['xdp', 'sched_cls'] as const
const TC_CGROUP = ['sched_cls', 'cgroup_skb'] as const
const XDP = ['xdp'] as const
const TC = ['sched_cls'] as const
const CGROUP = ['cgroup_skb'] as const
const NONE = [] as const

// biome-ignore format: one row each
export const HELPERS = {
  map_lookup_elem: { id: 1, types: ANY, args: ['mapPtr', 'mapKey'], ret: 'mapValueOrNull' },
  map_update_elem: { id: 2, types: ANY, args: ['mapPtr', 'mapKey', 'mapValue', 'anything'], ret: 'integer' },
  map_delete_elem: { id: 3, types: ANY, args: ['mapPtr', 'mapKey'], ret: 'integer' },
  probe_read: { id: 4, types: NONE, args: [], ret: 'integer' },
  ktime_get_ns: { id: 5, types: ANY, args: [], ret: 'integer' },
  trace_printk: { id: 6, types: ANY, args: ['mem', 'size', 'unchecked', 'unchecked', 'unchecked'], ret: 'integer', gpl: true, capability: 'perfmon' },
  get_prandom_u32: { id: 7, types: ANY, args: [], ret: 'integer' },
  get_smp_processor_id: { id: 8, types: ANY, args: [], ret: 'integer' },
  skb_store_bytes: { id: 9, types: TC, args: ['ctx', 'anything', 'mem', 'size', 'anything'], ret: 'integer', changesPacket: true },
  l3_csum_replace: { id: 10, types: TC, args: ['ctx', 'anything', 'anything', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  l4_csum_replace: { id: 11, types: TC, args: ['ctx', 'anything', 'anything', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  tail_call: { id: 12, types: ANY, args: ['ctx', 'mapPtr', 'anything'], ret: 'void' },
  clone_redirect: { id: 13, types: TC, args: ['ctx', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  get_current_pid_tgid: { id: 14, types: ANY, args: [], ret: 'integer' },
  get_current_uid_gid: { id: 15, types: ANY, args: [], ret: 'integer' },
  get_current_comm: { id: 16, types: ANY, args: ['memUninit', 'size'], ret: 'integer', capability: 'perfmon' },
  get_cgroup_classid: { id: 17, types: ANY, args: ['ctx'], ret: 'integer', capability: 'bpf' },
  skb_vlan_push: { id: 18, types: TC, args: ['ctx', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  skb_vlan_pop: { id: 19, types: TC, args: ['ctx'], ret: 'integer', changesPacket: true },
  skb_get_tunnel_key: { id: 20, types: TC, args: ['ctx', 'memUninit', 'size', 'anything'], ret: 'integer' },
  skb_set_tunnel_key: { id: 21, types: TC, args: ['ctx', 'mem', 'size', 'anything'], ret: 'integer' },
  perf_event_read: { id: 22, types: ANY, args: ['mapPtr', 'anything'], ret: 'integer', gpl: true, capability: 'perfmon' },
  redirect: { id: 23, types: XDP_TC, args: ['anything', 'anything'], ret: 'integer' },
  get_route_realm: { id: 24, types: TC, args: ['ctx'], ret: 'integer' },
  perf_event_output: { id: 25, types: NETWORK, args: ['ctx', 'mapPtr', 'anything', 'mem', 'sizeOrZero'], ret: 'integer', gpl: true },
  skb_load_bytes: { id: 26, types: SKB, args: ['ctx', 'anything', 'memUninit', 'size'], ret: 'integer' },
  get_stackid: { id: 27, types: NONE, args: [], ret: 'integer' },
  csum_diff: { id: 28, types: XDP_TC, args: ['memOrNull', 'sizeOrZero', 'memOrNull', 'sizeOrZero', 'anything'], ret: 'integer' },
  skb_get_tunnel_opt: { id: 29, types: TC, args: ['ctx', 'memUninit', 'size'], ret: 'integer' },
  skb_set_tunnel_opt: { id: 30, types: TC, args: ['ctx', 'mem', 'size'], ret: 'integer' },
  skb_change_proto: { id: 31, types: TC, args: ['ctx', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  skb_change_type: { id: 32, types: TC, args: ['ctx', 'anything'], ret: 'integer' },
  skb_under_cgroup: { id: 33, types: TC, args: ['ctx', 'mapPtr', 'anything'], ret: 'integer' },
  get_hash_recalc: { id: 34, types: TC, args: ['ctx'], ret: 'integer' },
  get_current_task: { id: 35, types: ANY, args: [], ret: 'integer', gpl: true, capability: 'perfmon' },
  probe_write_user: { id: 36, types: NONE, args: [], ret: 'integer' },
  current_task_under_cgroup: { id: 37, types: ANY, args: ['mapPtr', 'anything'], ret: 'integer', capability: 'bpf' },
  skb_change_tail: { id: 38, types: TC, args: ['ctx', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  skb_pull_data: { id: 39, types: TC, args: ['ctx', 'anything'], ret: 'integer', changesPacket: true },
  csum_update: { id: 40, types: TC, args: ['ctx', 'anything'], ret: 'integer' },
  set_hash_invalid: { id: 41, types: TC, args: ['ctx'], ret: 'integer' },
  get_numa_node_id: { id: 42, types: ANY, args: [], ret: 'integer' },
  skb_change_head: { id: 43, types: TC, args: ['ctx', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  xdp_adjust_head: { id: 44, types: XDP, args: ['ctx', 'anything'], ret: 'integer', changesPacket: true },
  probe_read_str: { id: 45, types: NONE, args: [], ret: 'integer' },
  get_socket_cookie: { id: 46, types: SKB, args: ['ctx'], ret: 'integer' },
  get_socket_uid: { id: 47, types: SKB, args: ['ctx'], ret: 'integer' },
  set_hash: { id: 48, types: TC, args: ['ctx', 'anything'], ret: 'integer' },
  setsockopt: { id: 49, types: NONE, args: [], ret: 'integer' },
  skb_adjust_room: { id: 50, types: TC, args: ['ctx', 'anything', 'anything', 'anything'], ret: 'integer', changesPacket: true },
  redirect_map: { id: 51, types: XDP, args: ['mapPtr', 'anything', 'anything'], ret: 'integer' },
  sk_redirect_map: { id: 52, types: NONE, args: [], ret: 'integer' },
  sock_map_update: { id: 53, types: NONE, args: [], ret: 'integer' },
  xdp_adjust_meta: { id: 54, types: XDP, args: ['ctx', 'anything'], ret: 'integer', changesPacket: true },
  perf_event_read_value: { id: 55, types: ANY, args: ['mapPtr', 'anything', 'memUninit', 'size'], ret: 'integer', gpl: true, capability: 'perfmon' },
  perf_prog_read_value: { id: 56, types: NONE, args: [], ret: 'integer' },
  getsockopt: { id: 57, types: NONE, args: [], ret: 'integer' },
  override_return: { id: 58, types: NONE, args: [], ret: 'integer' },
  sock_ops_cb_flags_set: { id: 59, types: NONE, args: [], ret: 'integer' },
  msg_redirect_map: { id: 60, types: NONE, args: [], ret: 'integer' },
  msg_apply_bytes: { id: 61, types: NONE, args: [], ret: 'integer' },
  msg_cork_bytes: { id: 62, types: NONE, args: [], ret: 'integer' },
  msg_pull_data: { id: 63, types: NONE, args: [], ret: 'integer' },
  bind: { id: 64, types: NONE, args: [], ret: 'integer' },
  xdp_adjust_tail: { id: 65, types: XDP, args: ['ctx', 'anything'], ret: 'integer', changesPacket: true },
  skb_get_xfrm_state: { id: 66, types: TC, args: ['ctx', 'anything', 'memUninit', 'size', 'anything'], ret: 'integer' },
  get_stack: { id: 67, types: NONE, args: [], ret: 'integer' },
  skb_load_bytes_relative: { id: 68, types: SKB, args: ['ctx', 'anything', 'memUninit', 'size', 'anything'], ret: 'integer' },
  fib_lookup: { id: 69, types: XDP_TC, args: ['ctx', 'memWrite', 'size', 'anything'], ret: 'integer', gpl: true },
  sock_hash_update: { id: 70, types: NONE, args: [], ret: 'integer' },
  msg_redirect_hash: { id: 71, types: NONE, args: [], ret: 'integer' },
  sk_redirect_hash: { id: 72, types: NONE, args: [], ret: 'integer' },
  lwt_push_encap: { id: 73, types: NONE, args: [], ret: 'integer' },
  lwt_seg6_store_bytes: { id: 74, types: NONE, args: [], ret: 'integer' },
  lwt_seg6_adjust_srh: { id: 75, types: NONE, args: [], ret: 'integer' },
  lwt_seg6_action: { id: 76, types: NONE, args: [], ret: 'integer' },
  rc_repeat: { id: 77, types: NONE, args: [], ret: 'integer' },
  rc_keydown: { id: 78, types: NONE, args: [], ret: 'integer' },
  skb_cgroup_id: { id: 79, types: TC_CGROUP, args: ['ctx'], ret: 'integer' },
  get_current_cgroup_id: { id: 80, types: ANY, args: [], ret: 'integer', capability: 'bpf' },
  get_local_storage: { id: 81, types: CGROUP, args: ['mapPtr', 'anything'], ret: 'mapValue' },
  sk_select_reuseport: { id: 82, types: NONE, args: [], ret: 'integer' },
  skb_ancestor_cgroup_id: { id: 83, types: TC_CGROUP, args: ['ctx', 'anything'], ret: 'integer' },
  sk_lookup_tcp: { id: 84, types: SOCK, args: ['ctx', 'mem', 'size', 'anything', 'anything'], ret: 'sockOrNull' },
  sk_lookup_udp: { id: 85, types: SOCK, args: ['ctx', 'mem', 'size', 'anything', 'anything'], ret: 'sockOrNull' },
  sk_release: { id: 86, types: SOCK, args: ['btfSockCommon'], ret: 'integer' },
  map_push_elem: { id: 87, types: ANY, args: ['mapPtr', 'mapValue', 'anything'], ret: 'integer' },
  map_pop_elem: { id: 88, types: ANY, args: ['mapPtr', 'mapValueUninit'], ret: 'integer' },
  map_peek_elem: { id: 89, types: ANY, args: ['mapPtr', 'mapValueUninit'], ret: 'integer' },
  msg_push_data: { id: 90, types: NONE, args: [], ret: 'integer' },
  msg_pop_data: { id: 91, types: NONE, args: [], ret: 'integer' },
  rc_pointer_rel: { id: 92, types: NONE, args: [], ret: 'integer' },
  spin_lock: { id: 93, types: ANY, args: ['spinLock'], ret: 'void', capability: 'bpf' },
  spin_unlock: { id: 94, types: ANY, args: ['spinLock'], ret: 'void', capability: 'bpf' },
  sk_fullsock: { id: 95, types: TC_CGROUP, args: ['sockCommon'], ret: 'sockOrNull' },
  tcp_sock: { id: 96, types: TC_CGROUP, args: ['sockCommon'], ret: 'tcpSockOrNull' },
  skb_ecn_set_ce: { id: 97, types: TC_CGROUP, args: ['ctx'], ret: 'integer' },
  get_listener_sock: { id: 98, types: TC_CGROUP, args: ['sockCommon'], ret: 'sockOrNull' },
  skc_lookup_tcp: { id: 99, types: SOCK, args: ['ctx', 'mem', 'size', 'anything', 'anything'], ret: 'sockCommonOrNull' },
  tcp_check_syncookie: { id: 100, types: XDP_TC, args: ['btfSockCommon', 'mem', 'size', 'mem', 'size'], ret: 'integer', gpl: true },
  sysctl_get_name: { id: 101, types: NONE, args: [], ret: 'integer' },
  sysctl_get_current_value: { id: 102, types: NONE, args: [], ret: 'integer' },
  sysctl_get_new_value: { id: 103, types: NONE, args: [], ret: 'integer' },
  sysctl_set_new_value: { id: 104, types: NONE, args: [], ret: 'integer' },
  strtol: { id: 105, types: ANY, args: ['mem', 'size', 'anything', 'fixedMemUninit'], ret: 'integer', fixedSizes: [8] },
  strtoul: { id: 106, types: ANY, args: ['mem', 'size', 'anything', 'fixedMemUninit'], ret: 'integer', fixedSizes: [8] },
  sk_storage_get: { id: 107, types: TC_CGROUP, args: ['mapPtr', 'btfSockCommon', 'mapValueOrNull', 'anything'], ret: 'mapValueOrNull' },
  sk_storage_delete: { id: 108, types: TC_CGROUP, args: ['mapPtr', 'btfSockCommon'], ret: 'integer' },
  send_signal: { id: 109, types: ANY, args: ['anything'], ret: 'integer', capability: 'perfmon' },
  tcp_gen_syncookie: { id: 110, types: XDP_TC, args: ['btfSockCommon', 'mem', 'size', 'mem', 'size'], ret: 'integer', gpl: true },
  skb_output: { id: 111, types: NONE, args: [], ret: 'integer' },
  probe_read_user: { id: 112, types: ANY, args: ['memUninit', 'sizeOrZero', 'anything'], ret: 'integer', gpl: true, capability: 'perfmon' },
  probe_read_kernel: { id: 113, types: ANY, args: ['memUninit', 'sizeOrZero', 'anything'], ret: 'integer', gpl: true, capability: 'perfmon' },
  probe_read_user_str: { id: 114, types: ANY, args: ['memUninit', 'sizeOrZero', 'anything'], ret: 'integer', gpl: true, capability: 'perfmon' },
  probe_read_kernel_str: { id: 115, types: ANY, args: ['memUninit', 'sizeOrZero', 'anything'], ret: 'integer', gpl: true, capability: 'perfmon' },
  tcp_send_ack: { id: 116, types: NONE, args: [], ret: 'integer' },
  send_signal_thread: { id: 117, types: ANY, args: ['anything'], ret: 'integer', capability: 'perfmon' },
  jiffies64: { id: 118, types: ANY, args: [], ret: 'integer', capability: 'bpf' },
  read_branch_records: { id: 119, types: NONE, args: [], ret: 'integer' },
  get_ns_current_pid_tgid: { id: 120, types: ANY, args: ['anything', 'anything', 'memUninit', 'size'], ret: 'integer' },
  xdp_output: { id: 121, types: NONE, args: [], ret: 'integer' },
  get_netns_cookie: { id: 122, types: SKB, args: ['ctxOrNull'], ret: 'integer' },
  get_current_ancestor_cgroup_id: { id: 123, types: ANY, args: ['anything'], ret: 'integer', capability: 'bpf' },
  sk_assign: { id: 124, types: TC, args: ['ctx', 'btfSockCommon', 'anything'], ret: 'integer' },
  ktime_get_boot_ns: { id: 125, types: ANY, args: [], ret: 'integer' },
  seq_printf: { id: 126, types: NONE, args: [], ret: 'integer' },
  seq_write: { id: 127, types: NONE, args: [], ret: 'integer' },
  sk_cgroup_id: { id: 128, types: CGROUP, args: ['btfSockCommon'], ret: 'integer' },
  sk_ancestor_cgroup_id: { id: 129, types: CGROUP, args: ['btfSockCommon', 'anything'], ret: 'integer' },
  ringbuf_output: { id: 130, types: ANY, args: ['mapPtr', 'mem', 'sizeOrZero', 'anything'], ret: 'integer' },
  ringbuf_reserve: { id: 131, types: ANY, args: ['mapPtr', 'constAllocSize', 'anything'], ret: 'allocMemOrNull' },
  ringbuf_submit: { id: 132, types: ANY, args: ['allocMem', 'anything'], ret: 'void' },
  ringbuf_discard: { id: 133, types: ANY, args: ['allocMem', 'anything'], ret: 'void' },
  ringbuf_query: { id: 134, types: ANY, args: ['mapPtr', 'anything'], ret: 'integer' },
  csum_level: { id: 135, types: TC, args: ['ctx', 'anything'], ret: 'integer' },
  skc_to_tcp6_sock: { id: 136, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  skc_to_tcp_sock: { id: 137, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  skc_to_tcp_timewait_sock: { id: 138, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  skc_to_tcp_request_sock: { id: 139, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  skc_to_udp6_sock: { id: 140, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  get_task_stack: { id: 141, types: ANY, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  load_hdr_opt: { id: 142, types: NONE, args: [], ret: 'integer' },
  store_hdr_opt: { id: 143, types: NONE, args: [], ret: 'integer' },
  reserve_hdr_opt: { id: 144, types: NONE, args: [], ret: 'integer' },
  inode_storage_get: { id: 145, types: NONE, args: [], ret: 'integer' },
  inode_storage_delete: { id: 146, types: NONE, args: [], ret: 'integer' },
  d_path: { id: 147, types: NONE, args: [], ret: 'integer' },
  copy_from_user: { id: 148, types: ANY, args: [], ret: 'integer', sleeps: true, capability: 'perfmon' },
  snprintf_btf: { id: 149, types: ANY, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  seq_printf_btf: { id: 150, types: NONE, args: [], ret: 'integer' },
  skb_cgroup_classid: { id: 151, types: TC, args: ['ctx'], ret: 'integer' },
  redirect_neigh: { id: 152, types: TC, args: ['anything', 'memOrNull', 'sizeOrZero', 'anything'], ret: 'integer' },
  per_cpu_ptr: { id: 153, types: ANY, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'bpf' },
  this_cpu_ptr: { id: 154, types: ANY, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'bpf' },
  redirect_peer: { id: 155, types: TC, args: ['anything', 'anything'], ret: 'integer' },
  task_storage_get: { id: 156, types: ANY, args: [], ret: 'integer', unmodelled: 'local storage', capability: 'bpf' },
  task_storage_delete: { id: 157, types: ANY, args: [], ret: 'integer', unmodelled: 'local storage', capability: 'bpf' },
  get_current_task_btf: { id: 158, types: ANY, args: [], ret: 'integer', gpl: true, unmodelled: 'BTF types', capability: 'perfmon' },
  bprm_opts_set: { id: 159, types: NONE, args: [], ret: 'integer' },
  ktime_get_coarse_ns: { id: 160, types: NETWORK, args: [], ret: 'integer' },
  ima_inode_hash: { id: 161, types: NONE, args: [], ret: 'integer' },
  sock_from_file: { id: 162, types: NONE, args: [], ret: 'integer' },
  check_mtu: { id: 163, types: XDP_TC, args: ['ctx', 'anything', 'fixedMem', 'anything', 'anything'], ret: 'integer', fixedSizes: [4], gpl: true },
  for_each_map_elem: { id: 164, types: ANY, args: ['mapPtr', 'func', 'stackOrNull', 'anything'], ret: 'integer', capability: 'bpf' },
  snprintf: { id: 165, types: ANY, args: ['memUninitOrNull', 'sizeOrZero', 'constStr', 'memOrNull', 'sizeOrZero'], ret: 'integer', gpl: true, capability: 'perfmon' },
  sys_bpf: { id: 166, types: NONE, args: [], ret: 'integer' },
  btf_find_by_name_kind: { id: 167, types: NONE, args: [], ret: 'integer' },
  sys_close: { id: 168, types: NONE, args: [], ret: 'integer' },
  timer_init: { id: 169, types: ANY, args: [], ret: 'integer', gpl: true, unmodelled: 'timers', capability: 'bpf' },
  timer_set_callback: { id: 170, types: ANY, args: [], ret: 'integer', gpl: true, unmodelled: 'timers', capability: 'bpf' },
  timer_start: { id: 171, types: ANY, args: [], ret: 'integer', gpl: true, unmodelled: 'timers', capability: 'bpf' },
  timer_cancel: { id: 172, types: ANY, args: [], ret: 'integer', gpl: true, unmodelled: 'timers', capability: 'bpf' },
  get_func_ip: { id: 173, types: NONE, args: [], ret: 'integer' },
  get_attach_cookie: { id: 174, types: NONE, args: [], ret: 'integer' },
  task_pt_regs: { id: 175, types: ANY, args: [], ret: 'integer', gpl: true, unmodelled: 'BTF types', capability: 'perfmon' },
  get_branch_snapshot: { id: 176, types: ANY, args: ['memUninit', 'sizeOrZero', 'anything'], ret: 'integer', gpl: true, capability: 'perfmon' },
  trace_vprintk: { id: 177, types: ANY, args: ['mem', 'size', 'memOrNull', 'sizeOrZero'], ret: 'integer', gpl: true, capability: 'perfmon' },
  skc_to_unix_sock: { id: 178, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  kallsyms_lookup_name: { id: 179, types: NONE, args: [], ret: 'integer' },
  find_vma: { id: 180, types: ANY, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  loop: { id: 181, types: ANY, args: ['anything', 'func', 'stackOrNull', 'anything'], ret: 'integer', capability: 'bpf' },
  strncmp: { id: 182, types: ANY, args: ['mem', 'size', 'constStr'], ret: 'integer' },
  get_func_arg: { id: 183, types: NONE, args: [], ret: 'integer' },
  get_func_ret: { id: 184, types: NONE, args: [], ret: 'integer' },
  get_func_arg_cnt: { id: 185, types: NONE, args: [], ret: 'integer' },
  get_retval: { id: 186, types: NONE, args: [], ret: 'integer' },
  set_retval: { id: 187, types: NONE, args: [], ret: 'integer' },
  xdp_get_buff_len: { id: 188, types: XDP, args: ['ctx'], ret: 'integer' },
  xdp_load_bytes: { id: 189, types: XDP, args: ['ctx', 'anything', 'memUninit', 'size'], ret: 'integer' },
  xdp_store_bytes: { id: 190, types: XDP, args: ['ctx', 'anything', 'mem', 'size'], ret: 'integer' },
  copy_from_user_task: { id: 191, types: ANY, args: [], ret: 'integer', gpl: true, sleeps: true, capability: 'perfmon' },
  skb_set_tstamp: { id: 192, types: TC, args: ['ctx', 'anything', 'anything'], ret: 'integer' },
  ima_file_hash: { id: 193, types: NONE, args: [], ret: 'integer' },
  kptr_xchg: { id: 194, types: ANY, args: [], ret: 'integer', unmodelled: 'kptrs', capability: 'bpf' },
  map_lookup_percpu_elem: { id: 195, types: ANY, args: ['mapPtr', 'mapKey', 'anything'], ret: 'mapValueOrNull' },
  skc_to_mptcp_sock: { id: 196, types: NETWORK, args: [], ret: 'integer', unmodelled: 'BTF types', capability: 'perfmon' },
  dynptr_from_mem: { id: 197, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  ringbuf_reserve_dynptr: { id: 198, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  ringbuf_submit_dynptr: { id: 199, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  ringbuf_discard_dynptr: { id: 200, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  dynptr_read: { id: 201, types: ANY, args: ['memUninit', 'sizeOrZero', 'dynptr', 'anything', 'anything'], ret: 'integer', capability: 'bpf' },
  dynptr_write: { id: 202, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  dynptr_data: { id: 203, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  tcp_raw_gen_syncookie_ipv4: { id: 204, types: XDP_TC, args: ['fixedMem', 'mem', 'sizeOrZero'], ret: 'integer', fixedSizes: [20], gpl: true },
  tcp_raw_gen_syncookie_ipv6: { id: 205, types: XDP_TC, args: ['fixedMem', 'mem', 'sizeOrZero'], ret: 'integer', fixedSizes: [40], gpl: true },
  tcp_raw_check_syncookie_ipv4: { id: 206, types: XDP_TC, args: ['fixedMem', 'fixedMem'], ret: 'integer', fixedSizes: [20, 20], gpl: true },
  tcp_raw_check_syncookie_ipv6: { id: 207, types: XDP_TC, args: ['fixedMem', 'fixedMem'], ret: 'integer', fixedSizes: [40, 20], gpl: true },
  ktime_get_tai_ns: { id: 208, types: ANY, args: [], ret: 'integer' },
  user_ringbuf_drain: { id: 209, types: ANY, args: [], ret: 'integer', unmodelled: 'dynptrs', capability: 'bpf' },
  cgrp_storage_get: { id: 210, types: ANY, args: [], ret: 'integer', unmodelled: 'local storage', capability: 'bpf' },
  cgrp_storage_delete: { id: 211, types: ANY, args: [], ret: 'integer', unmodelled: 'local storage', capability: 'bpf' },
} as const satisfies Record<string, Helper>

export type HelperName = keyof typeof HELPERS

const BY_ID: ReadonlyMap<number, HelperName> = new Map(
  Object.entries(HELPERS).map(([name, { id }]) => [id, name as HelperName]),
)

/** The name of a helper, without `bpf_`; undefined for an id that Linux 6.18 has not. */
export function helperName(id: number): HelperName | undefined {
  return BY_ID.get(id)
}

/** The row of a helper by its id. */
export function helperById(id: number): Helper | undefined {
  const name = BY_ID.get(id)
  return name && HELPERS[name]
}
