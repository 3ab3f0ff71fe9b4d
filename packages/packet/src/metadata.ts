// What is known of a packet beside its bytes: interfaces, marks, sockets, connection tracking, time. Each row is a field of the IR like
// those of headers; its value comes from a capture's records, a run's options, a sidecar file, or the context of a program.
// Numbers and names are those of the kernel: uapi linux/if_packet.h, nf_conntrack_common.h, nf_tables.h.

import type { Field } from './fields.ts'

/** Where a packet is on its way through netfilter; `capture`, where libpcap takes it. */
export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress' | 'capture'

export interface MetadataField extends Field {
  readonly proto: 'meta'
  readonly bit: 0
  readonly title: string
  /** Values that have names. */
  readonly names?: Readonly<Record<string, number>>
  /** Names are single bits, which a value may have several of. */
  readonly bitNames?: true
  /** The hooks at which a packet has it; all where absent. */
  readonly hooks?: readonly Hook[]
  /** It is 0 until something sets it: never missing. */
  readonly unset?: 0
}

const row = <Bits extends number, Kind extends Field['kind']>(
  bits: Bits,
  kind: Kind,
  title: string,
  more: Pick<MetadataField, 'names' | 'bitNames' | 'hooks' | 'unset'> = {},
) => ({ proto: 'meta', bit: 0, bits, kind, title, ...more }) as const

/** A packet that came in by a device, one that will leave by one, one that a socket sent or takes, one that connection tracking has seen. */
const IN = { hooks: ['ingress', 'prerouting', 'input', 'forward', 'postrouting', 'capture'] } as const
const OUT = { hooks: ['forward', 'output', 'postrouting', 'egress', 'capture'] } as const
const SOCKET = { hooks: ['input', 'output', 'postrouting', 'egress', 'capture'] } as const
const TRACKED = { hooks: ['prerouting', 'input', 'forward', 'output', 'postrouting', 'capture'] } as const

/** ARPHRD_*: types of devices (uapi linux/if_arp.h) that rules name. */
export const DEVICE_TYPES = { ether: 1, ppp: 512, ipip: 768, ipip6: 769, loopback: 772, sit: 776, ipgre: 778 } as const
export const PACKET_TYPES = { host: 0, broadcast: 1, multicast: 2, other: 3, outgoing: 4 } as const
/** RTN_*: what routing does with an address (uapi linux/rtnetlink.h). */
export const ADDRESS_TYPES = { unspec: 0, unicast: 1, local: 2, broadcast: 3, anycast: 4, multicast: 5, blackhole: 6, unreachable: 7, prohibit: 8, throw: 9, nat: 10, xresolve: 11 } as const // biome-ignore format: one family
export const CT_STATES = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const
export const CT_STATUSES = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
} as const
/** TCA_FLOWER_KEY_CT_FLAGS_*: of the action ct of tc (uapi linux/pkt_cls.h). */
export const TC_CT_STATES = { new: 1, est: 2, rel: 4, trk: 8, inv: 16, rpl: 32 } as const
const DAYS = { sunday: 0, monday: 1, tuesday: 2, wednesday: 3, thursday: 4, friday: 5, saturday: 6 } as const

// biome-ignore format: one row each
export const METADATA = {
  'meta.iif': row(32, 'uint', 'index of the device it came in by', IN),
  'meta.iifname': row(128, 'ifname', 'name of the device it came in by', IN),
  'meta.iiftype': row(16, 'uint', 'type of the device it came in by (ARPHRD_*)', { ...IN, names: DEVICE_TYPES }),
  'meta.iifgroup': row(32, 'uint', 'group of the device it came in by', IN),
  'meta.iifkind': row(128, 'ifname', 'kind of the device it came in by, such as vrf', IN),
  'meta.oif': row(32, 'uint', 'index of the device it leaves by', OUT),
  'meta.oifname': row(128, 'ifname', 'name of the device it leaves by', OUT),
  'meta.oiftype': row(16, 'uint', 'type of the device it leaves by (ARPHRD_*)', { ...OUT, names: DEVICE_TYPES }),
  'meta.oifgroup': row(32, 'uint', 'group of the device it leaves by', OUT),
  'meta.oifkind': row(128, 'ifname', 'kind of the device it leaves by', OUT),
  'meta.sdif': row(32, 'uint', 'index of the slave device it came in by', IN),
  'meta.sdifname': row(128, 'ifname', 'name of the slave device it came in by', IN),
  'meta.physin': row(128, 'ifname', 'port of a bridge that it came in by', { hooks: TRACKED.hooks, names: { none: 0 } }),
  'meta.physout': row(128, 'ifname', 'port of a bridge that it leaves by', { hooks: TRACKED.hooks, names: { none: 0 } }),
  'meta.mark': row(32, 'hex', 'mark of the packet', { unset: 0 }),
  'meta.priority': row(32, 'hex', 'queueing priority of the packet', { unset: 0 }),
  'meta.pkttype': row(8, 'uint', 'who it was sent to (PACKET_*)', { names: PACKET_TYPES }),
  'meta.ifname': row(128, 'ifname', 'name of the device it was seen on, whichever way it went'),
  'meta.ifindex': row(32, 'uint', 'index of the device it was seen on'),
  'meta.direction': row(8, 'uint', 'whether it came in or went out', { names: { in: 0, out: 1 } }),
  'meta.skuid': row(32, 'uint', 'user of the socket', SOCKET),
  'meta.skgid': row(32, 'uint', 'group of the socket', SOCKET),
  'meta.cgroup': row(32, 'uint', 'class of the socket by its control group (net_cls)', SOCKET),
  'meta.rtclassid': row(32, 'hex', 'realm of the route', TRACKED),
  'meta.cpu': row(32, 'uint', 'processor that handles it'),
  'meta.rxqueue': row(32, 'uint', 'queue of the device it came in by', { unset: 0 }),
  'meta.ipsec': row(8, 'uint', 'whether it was decrypted', { hooks: ['prerouting', 'input', 'forward', 'capture'], names: { missing: 0, exists: 1 } }),
  'meta.random': row(32, 'uint', 'a number drawn for it'),
  'meta.turn': row(32, 'uint', 'a number that rules count up from packet to packet', { unset: 0 }),
  'meta.symhash': row(32, 'uint', 'a hash of its addresses and ports, the same for both directions'),
  'fib.saddr.type': row(8, 'uint', 'what routing does with its source (RTN_*)', { names: ADDRESS_TYPES }),
  'fib.daddr.type': row(8, 'uint', 'what routing does with its destination (RTN_*)', { names: ADDRESS_TYPES }),
  'fib.reverse': row(8, 'uint', 'whether the way back to its source leaves by the device it came in by', { ...IN, names: { missing: 0, exists: 1 } }),
  'meta.nftrace': row(8, 'uint', 'whether it is traced', { unset: 0 }),
  'meta.time': row(64, 'uint', 'when it came: nanoseconds since 1970'),
  'meta.day': row(8, 'uint', 'day of the week, UTC', { names: DAYS }),
  'meta.hour': row(32, 'uint', 'seconds since midnight, UTC'),
  'ct.state': row(32, 'flags', 'state of its connection', { ...TRACKED, names: CT_STATES, bitNames: true }),
  'ct.status': row(32, 'flags', 'status bits of its connection', { ...TRACKED, names: CT_STATUSES, bitNames: true }),
  'ct.direction': row(8, 'uint', 'its direction in its connection', { ...TRACKED, names: { original: 0, reply: 1 } }),
  'ct.mark': row(32, 'hex', 'mark of its connection', TRACKED),
  'ct.label': row(128, 'hex', 'labels of its connection', TRACKED),
  'ct.zone': row(16, 'uint', 'conntrack zone', TRACKED),
  'ct.id': row(32, 'hex', 'number of its connection', TRACKED),
  'ct.helper': row(128, 'ifname', 'helper of its connection', TRACKED),
  'ct.expiration': row(32, 'uint', 'milliseconds until its connection is forgotten', TRACKED),
  'ct.l3proto': row(8, 'nfproto', 'network protocol of its connection', TRACKED),
  'ct.proto': row(8, 'ipproto', 'transport protocol of its connection', TRACKED),
  'ct.packets': row(64, 'uint', 'packets of its connection so far', TRACKED),
  'ct.bytes': row(64, 'uint', 'bytes of its connection so far', TRACKED),
  'ct.avgpkt': row(64, 'uint', 'bytes a packet of its connection', TRACKED),
  'ct.orig.src': row(32, 'ipv4', "source of its connection's first packet", TRACKED),
  'ct.orig.dst': row(32, 'ipv4', "destination of its connection's first packet", TRACKED),
  'ct.orig.src6': row(128, 'ipv6', "source of its connection's first packet", TRACKED),
  'ct.orig.dst6': row(128, 'ipv6', "destination of its connection's first packet", TRACKED),
  'ct.orig.sport': row(16, 'port', "source port of its connection's first packet", TRACKED),
  'ct.orig.dport': row(16, 'port', "destination port of its connection's first packet", TRACKED),
  'ct.reply.src': row(32, 'ipv4', 'source of the answer to it', TRACKED),
  'ct.reply.dst': row(32, 'ipv4', 'destination of the answer to it', TRACKED),
  'ct.reply.src6': row(128, 'ipv6', 'source of the answer to it', TRACKED),
  'ct.reply.dst6': row(128, 'ipv6', 'destination of the answer to it', TRACKED),
  'ct.reply.sport': row(16, 'port', 'source port of the answer to it', TRACKED),
  'ct.reply.dport': row(16, 'port', 'destination port of the answer to it', TRACKED),
  'ct.count': row(32, 'uint', 'connections that are counted together with its own', TRACKED),
  'tunnel.id': row(32, 'uint', 'number of the tunnel that it was taken out of: a VNI or a key'),
  'tunnel.src': row(32, 'ipv4', 'source of the tunnel that it was taken out of'),
  'tunnel.dst': row(32, 'ipv4', 'destination of the tunnel that it was taken out of'),
  'tunnel.src6': row(128, 'ipv6', 'source of the tunnel that it was taken out of'),
  'tunnel.dst6': row(128, 'ipv6', 'destination of the tunnel that it was taken out of'),
  'tunnel.dport': row(16, 'port', 'destination port of the tunnel that it was taken out of'),
  'tunnel.tos': row(8, 'hex', 'type of service of the tunnel that it was taken out of'),
  'tunnel.ttl': row(8, 'uint', 'time to live of the tunnel that it was taken out of'),
  'tc.ct.state': row(16, 'flags', 'what the action ct found of its connection', { names: TC_CT_STATES, bitNames: true, unset: 0 }),
  'tc.ct.zone': row(16, 'uint', 'zone that the action ct looked in', { unset: 0 }),
  'tc.ct.mark': row(32, 'hex', 'mark of the connection that the action ct found', { unset: 0 }),
  'tc.ct.label': row(128, 'hex', 'labels of the connection that the action ct found, their bytes in order', { unset: 0 }),
} as const satisfies Record<string, MetadataField>

export type MetadataId = keyof typeof METADATA

/** Values of a packet's metadata. What is left out is not known: the field is missing. */
export type Metadata = Readonly<Partial<Record<MetadataId, bigint>>>

export function isMetadata(field: string): field is MetadataId {
  return Object.hasOwn(METADATA, field)
}

/** Whether packets at a hook can have a field; a hook that is not known (a tool's own) has all. */
export function loadableAt(field: MetadataId, hook: string): boolean {
  const { hooks }: MetadataField = METADATA[field]
  return (
    hooks === undefined || !(HOOKS as readonly string[]).includes(hook) || (hooks as readonly string[]).includes(hook)
  )
}

const HOOKS: readonly Hook[] = [
  'ingress',
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
  'egress',
  'capture',
]

/** Where a field lies in the bytes that a program reads metadata from: a byte that is 1 if it is known, and its value, big endian. */
export interface MetadataSlot {
  readonly field: MetadataId
  readonly knownAt: number
  readonly valueAt: number
  readonly bytes: number
}

export interface MetadataLayout {
  readonly bytes: number
  readonly slots: readonly MetadataSlot[]
}

/** The layout for a program that reads these fields: the bytes that say what is known first, then values, aligned. */
export function layoutMetadata(fields: readonly MetadataId[]): MetadataLayout {
  let at = fields.length
  const slots = fields.map((field, knownAt) => {
    const bytes = METADATA[field].bits / 8
    const align = Math.min(bytes, 8)
    const valueAt = Math.ceil(at / align) * align
    at = valueAt + bytes
    return { field, knownAt, valueAt, bytes }
  })
  return { bytes: Math.max(8, Math.ceil(at / 8) * 8), slots }
}

/** Writes a packet's metadata where a program will read it. */
export function writeMetadata({ bytes, slots }: MetadataLayout, values: Metadata): Uint8Array {
  const out = new Uint8Array(bytes)
  for (const { field, knownAt, valueAt, bytes: length } of slots) {
    let rest = values[field]
    if (rest === undefined) continue
    out[knownAt] = 1
    for (let i = length - 1; i >= 0; i--, rest >>= 8n) out[valueAt + i] = Number(rest & 0xffn)
  }
  return out
}

/** A packet's value of a field, as far as it is known: given, not set, or told by the frame's own bytes. */
export function metadataOf(field: MetadataId, values: Metadata, frame: Uint8Array): bigint | undefined {
  const { unset }: MetadataField = METADATA[field]
  if (field === 'meta.pkttype') return values[field] ?? BigInt(packetType(frame))
  return values[field] ?? (unset === undefined ? undefined : BigInt(unset))
}

/** Who an Ethernet frame is for by its destination: one to a single address is taken to be for this host. */
function packetType(frame: Uint8Array): number {
  if (frame.length < 6 || !(frame[0]! & 1)) return PACKET_TYPES.host
  return frame.subarray(0, 6).every((byte) => byte === 0xff) ? PACKET_TYPES.broadcast : PACKET_TYPES.multicast
}
