// The program types that filter packets: what each is given, and what its return value means.

import type { ContextName } from './contexts.ts'

/** What becomes of a packet, as far as a filter decides it. */
export type Decision = 'pass' | 'drop'

export interface ProgType {
  /** BPF_PROG_TYPE_*, uapi linux/bpf.h. */
  readonly id: number
  readonly context: ContextName
  /** Where the packet starts that the program sees. */
  readonly firstHeader: 'link' | 'net'
  /** May load through data / data_end pointers; otherwise by LD_ABS or helpers only. */
  readonly directAccess: boolean
  /** May send packets by another device (bpf_redirect). */
  readonly redirects: boolean
  /** What to return for a decision. */
  readonly returns: Readonly<Record<Decision, number>>
  /** Names of the return values that have one. */
  readonly actions: Readonly<Record<number, string>>
  /** The section that libbpf takes the type from. */
  readonly section: string
  /** The same of programs for packets that go out, where that is another. */
  readonly outgoing?: string
}

/** Where a program is attached: to packets that come in or go out. */
export type Side = 'ingress' | 'egress'

/** `pass` of a socket filter keeps this many bytes: all of them. */
export const KEEP_ALL = 262144

export const PROG_TYPES = {
  socket_filter: { id: 1, context: '__sk_buff', firstHeader: 'link', directAccess: false, redirects: false, returns: { pass: KEEP_ALL, drop: 0 }, actions: {}, section: 'socket' }, // biome-ignore format: a row
  sched_cls: {
    id: 3,
    context: '__sk_buff',
    firstHeader: 'link',
    directAccess: true,
    redirects: true,
    returns: { pass: 0, drop: 2 },
    actions: { [-1]: 'TC_ACT_UNSPEC', 0: 'TC_ACT_OK', 1: 'TC_ACT_RECLASSIFY', 2: 'TC_ACT_SHOT', 3: 'TC_ACT_PIPE', 7: 'TC_ACT_REDIRECT' }, // biome-ignore format: a row
    section: 'tc',
  },
  xdp: {
    id: 6,
    context: 'xdp_md',
    firstHeader: 'link',
    directAccess: true,
    redirects: true,
    returns: { pass: 2, drop: 1 },
    actions: { 0: 'XDP_ABORTED', 1: 'XDP_DROP', 2: 'XDP_PASS', 3: 'XDP_TX', 4: 'XDP_REDIRECT' },
    section: 'xdp',
  },
  cgroup_skb: { id: 8, context: '__sk_buff', firstHeader: 'net', directAccess: true, redirects: false, returns: { pass: 1, drop: 0 }, actions: {}, section: 'cgroup/skb', outgoing: 'cgroup_skb/egress' }, // biome-ignore format: a row
  netfilter: { id: 32, context: 'bpf_nf_ctx', firstHeader: 'net', directAccess: false, redirects: false, returns: { pass: 1, drop: 0 }, actions: { 0: 'NF_DROP', 1: 'NF_ACCEPT' }, section: 'netfilter' }, // biome-ignore format: a row
} as const satisfies Record<string, ProgType>

export type ProgTypeName = keyof typeof PROG_TYPES

/** The section of an object that a program of a type stands in. */
export function sectionOf(type: ProgTypeName, side: Side = 'ingress'): string {
  const { section, outgoing = section }: ProgType = PROG_TYPES[type]
  return side === 'egress' ? outgoing : section
}

/**
 * What a return value decides. Socket filters pass what keeps any byte; tc drops on SHOT only; XDP passes PASS, TX and REDIRECT;
 * cgroup_skb passes what has bit 0 set; netfilter programs return NF_DROP or NF_ACCEPT and nothing else.
 */
export function decisionOf(type: ProgTypeName, r0: number): Decision {
  switch (type) {
    case 'socket_filter':
      return r0 === 0 ? 'drop' : 'pass'
    case 'sched_cls':
      return r0 === 2 ? 'drop' : 'pass'
    case 'xdp':
      return r0 >= 2 && r0 <= 4 ? 'pass' : 'drop'
    case 'netfilter':
      return r0 === 1 ? 'pass' : 'drop'
    case 'cgroup_skb':
      return (r0 & 1) === 1 ? 'pass' : 'drop'
  }
}
