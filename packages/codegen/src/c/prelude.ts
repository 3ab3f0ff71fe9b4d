// The part of a C program that every rule stands on: the packet's struct, bounded loads by a helper of the program type, numbers.
// Loads count bytes as they were on the wire: before tc and socket filters the kernel has taken the outermost VLAN tag off
// (bytes 12 to 15) and keeps it beside the packet.

import { CONTEXTS, KFUNCS, type Kfunc, PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { NFPROTO, type ValueKind } from '@netsieve/packet'
import { written } from './text.ts'
import type { Unit } from './unit.ts'

/** What C needs to know of a program type beside its row in the table. */
export interface Target {
  /** The helper that copies bytes, with its arguments: the packet `p`, where, to where, how many. */
  readonly load: (p: string, at: string, to: string, bytes: string) => string
  readonly size: string
  /** EtherType, of packets that start at the network header. */
  readonly protocol?: string
  /** Return values, by their names in uapi headers where they have one. */
  readonly pass: string
  readonly drop: string
  readonly header?: string
}

const loader =
  (helper: string): Target['load'] =>
  (...args) =>
    `${helper}(${args.join(', ')})`
const SKB = { load: loader('bpf_skb_load_bytes'), size: 'ctx->len' } as const

const TARGETS: Readonly<Partial<Record<ProgTypeName, Target>>> = {
  xdp: { load: loader('bpf_xdp_load_bytes'), size: 'bpf_xdp_get_buff_len(ctx)', pass: 'XDP_PASS', drop: 'XDP_DROP' },
  sched_cls: { ...SKB, pass: 'TC_ACT_OK', drop: 'TC_ACT_SHOT', header: 'linux/pkt_cls.h' },
  socket_filter: {
    ...SKB,
    pass: `${PROG_TYPES.socket_filter.returns.pass}`,
    drop: `${PROG_TYPES.socket_filter.returns.drop}`,
  },
  cgroup_skb: {
    ...SKB,
    protocol: 'bpf_ntohs(ctx->protocol)',
    pass: `${PROG_TYPES.cgroup_skb.returns.pass}`,
    drop: `${PROG_TYPES.cgroup_skb.returns.drop}`,
  },
  netfilter: {
    load: (p, at, to, bytes) => `bpf_dynptr_read(${to}, ${bytes}, ${p}, ${at}, 0)`,
    size: 'bpf_dynptr_size(&data)',
    protocol: `ctx->state->pf == ${NFPROTO.ipv4} ? ETH_P_IP : ctx->state->pf == ${NFPROTO.ipv6} ? ETH_P_IPV6 : 0`,
    pass: 'NF_ACCEPT',
    drop: 'NF_DROP',
    header: 'linux/netfilter.h',
  },
}

/** How a program type is written in C; none for one that is not. */
export const targetOf = (type: ProgTypeName): Target | undefined => TARGETS[type]

export const contextOf = (type: ProgTypeName): string => `struct ${PROG_TYPES[type].context}`

/** Packets of the program type start at the network header; the context tells their type. */
export const startsAtNetwork = (type: ProgTypeName): boolean => PROG_TYPES[type].firstHeader === 'net'

/** The program type may get frames whose outermost tag lies beside them. */
export const tagsBeside = (type: ProgTypeName): boolean =>
  !startsAtNetwork(type) && 'vlan_present' in CONTEXTS[PROG_TYPES[type].context].fields

/** What a netfilter program is given, and the functions of the kernel that it reads packets by. */
export function netfilterContext(unit: Unit): void {
  unit.need('bpf_nf_ctx', () => `/* What the kernel has in these structs beside is not asked for. */
struct nf_hook_state {
	__u8 hook;
	__u8 pf;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

${Object.entries(KFUNCS).map(prototype).join('\n')}`) // biome-ignore format: C
}

function prototype([name, { prototype }]: [string, Kfunc]): string {
  const params = Object.entries(prototype.params).map(([param, type]) => `${type}${type.endsWith('*') ? '' : ' '}${param}`) // biome-ignore format: one act
  return `extern ${prototype.returns} ${name}(${params.join(', ')}) __ksym;`
}

/** What rules and functions that fetch values say. */
export function verdicts(unit: Unit): void {
  unit.need('enum verdict', () => `/* What a rule says of a packet. Functions that fetch a value give 0, or the verdict that its absence has. */
enum verdict {
	NEXT = 1, /* nothing: on to the next rule */
	ACCEPT,
	DROP,
	RETURN, /* back to the calling chain */
	POLICY, /* the program ends as if nothing had matched */
};`) // biome-ignore format: C
}

/** The struct of a packet, with more members for what rules ask for beside its bytes. */
export function packetStruct(type: ProgTypeName, more: readonly string[], metadata: boolean): string {
  const members = [
    type === 'netfilter' ? 'const struct bpf_dynptr *data;' : `${contextOf(type)} *ctx;`,
    ...(metadata ? ['const struct metadata *metadata;'] : []),
    '__u32 size;',
    ...(startsAtNetwork(type) ? ['__u32 type; /* Ethernet type, as the context tells it */'] : []),
    ...(tagsBeside(type)
      ? ['__u32 tag; /* a VLAN tag that the kernel has taken off: type and control information */']
      : []),
    '__u32 protocol; /* Ethernet type after the tags that are taken off */',
    '__u32 nfproto; /* 2: IPv4, 10: IPv6 */',
    '__u32 net;',
    '__u32 end; /* of the IP packet, or of the frame */',
    '__u32 l4proto;',
    '__u32 transport;',
    '__u32 fragment; /* its offset, in units of 8 bytes */',
    '__u32 more; /* fragments follow */',
    ...more,
  ]
  return `/* A ${startsAtNetwork(type) ? 'packet' : 'frame'} and where its headers are: offsets from its first byte, NONE where there is none. */
#define NONE 0xffffffffU

struct packet {
${members.map((member) => `	${member}`).join('\n')}
};`
}

/** `load(p, at, to, bytes)`: copies bytes of the frame, not 0 if they are not all there. */
export function load(unit: Unit, type: ProgTypeName): string {
  const { load: helper } = TARGETS[type]!
  const packet = type === 'netfilter' ? 'p->data' : 'p->ctx'
  if (!tagsBeside(type)) {
    return unit.need('load', () => `/* Copies bytes of the frame; not 0 if it ends before. */
static __always_inline long load(const struct packet *p, __u64 at, void *to, __u32 bytes)
{
	return ${helper(packet, 'at', 'to', 'bytes')};
}`) // biome-ignore format: C
  }
  return unit.need('load', () => {
    unit.need('load_across_tag', () => `/* Bytes around a VLAN tag that the kernel has taken off: it stood from 12 to 15. */
static __noinline long load_across_tag(${contextOf(type)} *ctx, __u32 tag, __u32 at, __u8 *to, __u32 bytes)
{
	for (__u32 i = 0; i < bytes; i++, at++) {
		if (at >= 12 && at <= 15)
			to[i] = tag >> (15 - at) * 8;
		else if (${helper('ctx', 'at < 12 ? at : at - 4', 'to + i', '1')})
			return -1;
	}
	return 0;
}`) // biome-ignore format: C
    return `/* Copies bytes of the frame as it was on the wire; not 0 if it ends before. */
static __always_inline long load(const struct packet *p, __u64 at, void *to, __u32 bytes)
{
	if (!p->tag || at + bytes <= 12)
		return ${helper(packet, 'at', 'to', 'bytes')};
	if (at >= 16)
		return ${helper(packet, 'at - 4', 'to', 'bytes')};
	return load_across_tag(p->ctx, p->tag, at, to, bytes);
}`
  })
}

/** `load_be(p, at, bytes, &value)`: 1 to 8 bytes as a number; of 9 to 16 bytes it is `load_be128`. */
export function loadNumber(unit: Unit, type: ProgTypeName, wide: boolean): string {
  if (!wide) {
    return unit.need('load_be', () => {
      load(unit, type)
      return `/* 1 to 8 bytes, big endian, as a number: they come to the end of a word of zeros. */
static __always_inline long load_be(const struct packet *p, __u64 at, __u32 bytes, __u64 *value)
{
	__u64 word = 0;
	long failed = load(p, at, (__u8 *)&word + sizeof(word) - bytes, bytes);

	*value = bpf_be64_to_cpu(word);
	return failed;
}`
    })
  }
  return unit.need('load_be128', () => {
    load(unit, type)
    u128(unit)
    return `/* The same for 9 to 16 bytes. */
static __always_inline long load_be128(const struct packet *p, __u64 at, __u32 bytes, u128 *value)
{
	__u64 words[2] = {};
	long failed = load(p, at, (__u8 *)words + sizeof(words) - bytes, bytes);

	*value = (u128)bpf_be64_to_cpu(words[0]) << 64 | bpf_be64_to_cpu(words[1]);
	return failed;
}`
  })
}

export const u128 = (unit: Unit): string => unit.need('u128', () => 'typedef unsigned __int128 u128;')

/** A number as its kind of field writes it. */
export function number(unit: Unit, value: bigint, kind?: ValueKind): string {
  const { text, needs } = written(value, kind)
  if (needs === 'in.h' || needs === 'in6.h') unit.include(`linux/${needs}`)
  else if (needs) macro(unit, needs)
  if (text.startsWith('ETH_P_')) unit.include('linux/if_ether.h')
  return text
}

/** Macros for addresses. */
function macro(unit: Unit, name: 'ip4' | 'ip6' | 'mac'): void {
  switch (name) {
    case 'ip4':
      unit.need('IP4', () => '#define IP4(a, b, c, d) ((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))')
      return
    case 'mac':
      unit.need(
        'MAC',
        () =>
          '#define MAC(a, b, c, d, e, f) \\\n\t((__u64)(a) << 40 | (__u64)(b) << 32 | (__u64)(c) << 24 | (d) << 16 | (e) << 8 | (f))',
      )
      return
    case 'ip6':
      u128(unit)
      unit.need('IP6', () => '#define IP6(a, b, c, d) ((u128)(a) << 96 | (u128)(b) << 64 | (u128)(c) << 32 | (d))')
  }
}

/** How the values of more than 64 bits, and those that are 0 where there is none, are told apart. */
export interface Fetched {
  readonly wide: boolean
  readonly zero: boolean
}

/** `GET(field, p, …)`: the value that a function fetches, or the end of the rule that asks. */
export function get(unit: Unit, { wide, zero }: Fetched): string {
  const name = `GET${zero ? '0' : ''}${zero && wide ? '_' : ''}${wide ? '128' : ''}`
  return unit.need(name, () => {
    const type = wide ? u128(unit) : '__u64'
    const note = zero
      ? 'A value of the packet; 0 where there is none.'
      : 'A value of the packet; where there is none, the rule ends here.'
    const failed = zero
      ? 'if (failed && failed != NEXT) return failed; failed ? 0 : value;'
      : 'if (failed) return failed; value;'
    return `/* ${note} */
#define ${name}(fetch, ...) \\
	({ ${type} value; int failed = fetch(__VA_ARGS__, &value); ${failed} })`
  })
}

/** `forget(number)`. */
export function forget(unit: Unit): void {
  unit.need('forget', () => `/* A number by way of half a stack slot, which the verifier does not follow: it sees one case then, not one for each number. */
static __always_inline __u32 forget(__u32 number)
{
	struct {
		__u32 unused, number;
	} slot __attribute__((aligned(8)));

	slot.number = number;
	asm volatile("" : : "r"(&slot) : "memory");
	return slot.number;
}`) // biome-ignore format: C
}
