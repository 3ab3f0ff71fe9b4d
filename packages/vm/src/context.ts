// The context struct in memory: which bytes of it a program type may load and store, and how it is filled for a packet.
// What an unset field holds is what BPF_PROG_TEST_RUN shows (Linux 6.18).

import { CONTEXTS, type ContextField, PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import Long from 'long'
import type { Socket } from './world.ts'

/** What is known of a packet beside its bytes. Everything has the value of a kernel test run where left out. */
export interface PacketMeta {
  /** Bytes the packet had on the wire, where it was captured cut. */
  readonly wireLength?: number
  readonly ifindex?: number
  readonly ingressIfindex?: number
  readonly rxQueue?: number
  readonly mark?: number
  readonly priority?: number
  readonly hash?: number
  readonly queueMapping?: number
  readonly tcIndex?: number
  readonly tcClassid?: number
  readonly napiId?: number
  /** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3. */
  readonly pktType?: number
  /** EtherType as a number (0x0800); by default that of the frame. */
  readonly protocol?: number
  /** A tag that the network card took out of the frame. */
  readonly vlan?: { readonly tci: number; readonly proto: number }
  /** When the packet came: nanoseconds since 1970. The time that helpers tell. */
  readonly timestampNs?: Long | bigint | number
  readonly gsoSegs?: number
  readonly gsoSize?: number
  /** Bytes of XDP metadata in front of the packet, a multiple of 4, at most 252. */
  readonly metaLength?: number
  /** Bytes before the network header: 14, or 0 for captures that start at the IP header. */
  readonly linkHeader?: number
  /** MTU of the device; 65,536 by default, as that of the loopback device. */
  readonly mtu?: number
  /** The socket that the packet belongs to, by its number in the machine's world. */
  readonly socket?: number
  /** AF_INET 2, AF_INET6 10; of the socket, for cgroup programs. By default that of `socket`, or of the packet. */
  readonly family?: number
  /** Where netfilter has the packet: NF_INET_* of linux/netfilter.h, for its programs. 0, prerouting, by default. */
  readonly hook?: number
}

/** A packet's time as two words; 0 where none is known. */
export function timeWords(time: PacketMeta['timestampNs']): { lo: number; hi: number } {
  if (time === undefined) return { lo: 0, hi: 0 }
  if (typeof time === 'bigint')
    return { lo: Number(BigInt.asIntN(32, time)), hi: Number(BigInt.asIntN(32, time >> 32n)) }
  const { low, high } = typeof time === 'number' ? Long.fromNumber(time) : time
  return { lo: low, hi: high }
}

/** How an access of the context is done; 0 where it is not allowed. */
export const ACCESS = { none: 0, plain: 1, packet: 2, lowHalf: 3, sock: 4, absent: 5, skb: 6, hookState: 7 } as const

/** Access codes at [byte offset · 4 + log2(size)]. */
export interface ContextAccess {
  readonly size: number
  readonly load: Uint8Array
  readonly store: Uint8Array
}

const made = new Map<ProgTypeName, ContextAccess>()

export function contextAccess(type: ProgTypeName): ContextAccess {
  let access = made.get(type)
  if (!access) {
    access = build(type)
    made.set(type, access)
  }
  return access
}

function build(type: ProgTypeName): ContextAccess {
  const layout = CONTEXTS[PROG_TYPES[type].context]
  const load = new Uint8Array(layout.size * 4)
  const store = new Uint8Array(layout.size * 4)
  for (const field of Object.values(layout.fields) as ContextField[]) {
    const end = field.offset + field.size * (field.count ?? 1)
    for (let log = 0; log < 4; log++) {
      const size = 1 << log
      for (let at = field.offset; at + size <= end; at += size) {
        if (at % size !== 0) continue
        if (field.read.includes(type)) load[at * 4 + log] = loadCode(field, at, size)
        if (field.write?.includes(type) && (field.bytes || size === field.size)) store[at * 4 + log] = ACCESS.plain
      }
    }
  }
  return { size: layout.size, load, store }
}

function loadCode(field: ContextField, at: number, size: number): number {
  if (field.bytes) return ACCESS.plain
  if (size > field.size || (size < field.size && !field.narrow)) return ACCESS.none
  if (field.kind === 'sock') return ACCESS.sock
  if (field.kind === 'flow_keys') return ACCESS.absent
  if (field.kind === 'sk_buff') return ACCESS.skb
  if (field.kind === 'nf_hook_state') return ACCESS.hookState
  if (field.kind !== 'scalar') return ACCESS.packet
  // A narrow load of a field that is smaller in the kernel is not shifted to the part that was asked for.
  const inside = at - field.offset
  const whole = field.kernelSize === 1 ? size < 4 : size === field.kernelSize
  if (whole && inside !== 0) return ACCESS.lowHalf
  return ACCESS.plain
}

const XDP = CONTEXTS.xdp_md.fields
const SKB = CONTEXTS.__sk_buff.fields

const ETH_P_802_3 = 0x0001
const ETH_P_802_2 = 0x0004

/** skb->protocol of a frame: its EtherType, or what stands for 802.3 frames. */
export function protocolOf(bytes: Uint8Array, at: number, length: number): number {
  if (length < 14) return 0
  const type = (bytes[at + 12]! << 8) | bytes[at + 13]!
  if (type >= 0x600) return type
  return length >= 16 && bytes[at + 14] === 0xff && bytes[at + 15] === 0xff ? ETH_P_802_3 : ETH_P_802_2
}

/** skb->pkt_type by the destination address, for a device whose own address is all zeros as in a test run. */
export function packetTypeOf(bytes: Uint8Array, at: number, length: number): number {
  if (length < 6) return 0
  let ones = 0xff
  let any = 0
  for (let i = 0; i < 6; i++) {
    ones &= bytes[at + i]!
    any |= bytes[at + i]!
  }
  if (ones === 0xff) return 1
  if (bytes[at]! & 1) return 2
  return any === 0 ? 0 : 3
}

export interface PacketPlace {
  readonly meta: number
  readonly data: number
  readonly end: number
}

/** Fills the context of an XDP program, all but where the packet is. `words` is the memory, `at` the context's address. */
export function fillXdp(words: Int32Array, at: number, meta: PacketMeta): void {
  words[(at + XDP.ingress_ifindex.offset) >> 2] = meta.ifindex ?? 1
  words[(at + XDP.rx_queue_index.offset) >> 2] = meta.rxQueue ?? 0
  words[(at + XDP.egress_ifindex.offset) >> 2] = 0
}

export interface Time {
  readonly lo: number
  readonly hi: number
}

/**
 * Fills the context of an skb program. `words` is the memory, `at` the context's address; `frame` is where the bytes begin that `protocol`
 * is read from.
 */
export function fillSkb(
  words: Int32Array,
  at: number,
  place: PacketPlace,
  frame: { readonly bytes: Uint8Array; readonly at: number; readonly length: number },
  meta: PacketMeta,
  time: Time,
): void {
  const first = at >> 2
  const set = (field: { readonly offset: number }, value: number): void => {
    words[first + (field.offset >> 2)] = value
  }
  for (let i = 0; i < CONTEXTS.__sk_buff.size >> 2; i++) words[first + i] = 0
  const length = place.end - place.data
  const protocol = meta.protocol ?? protocolOf(frame.bytes, frame.at, frame.length)
  set(SKB.len, meta.wireLength === undefined ? length : meta.wireLength - (frame.length - length))
  set(SKB.pkt_type, meta.pktType ?? packetTypeOf(frame.bytes, frame.at, frame.length))
  set(SKB.mark, meta.mark ?? 0)
  set(SKB.queue_mapping, meta.queueMapping ?? 0)
  set(SKB.protocol, networkOrder16(protocol))
  set(SKB.vlan_present, meta.vlan ? 1 : 0)
  set(SKB.vlan_tci, meta.vlan?.tci ?? 0)
  set(SKB.vlan_proto, meta.vlan ? networkOrder16(meta.vlan.proto) : 0)
  set(SKB.priority, meta.priority ?? 0)
  set(SKB.ingress_ifindex, meta.ingressIfindex ?? 0)
  set(SKB.ifindex, meta.ifindex ?? 1)
  set(SKB.tc_index, meta.tcIndex ?? 0)
  set(SKB.hash, meta.hash ?? 0)
  set(SKB.tc_classid, meta.tcClassid ?? 0)
  set(SKB.data, place.data)
  set(SKB.data_end, place.end)
  set(SKB.napi_id, meta.napiId ?? 0)
  set(SKB.family, meta.family ?? 0)
  set(SKB.data_meta, place.meta)
  set(SKB.tstamp, time.lo)
  words[first + (SKB.tstamp.offset >> 2) + 1] = time.hi
  set(SKB.wire_len, meta.wireLength ?? 0)
  set(SKB.gso_segs, meta.gsoSegs ?? 0)
  set(SKB.gso_size, meta.gsoSize ?? 0)
}

const [AF_INET, AF_INET6] = [2, 10]

/**
 * What a cgroup's program is told of the packet's socket, in a context that is filled already: of the one given, or as in a test run of one
 * whose own address is the packet's source and whose other end is its destination. `bytes` is the memory, `netAt` where the network header begins.
 */
export function fillSocket(
  bytes: Uint8Array,
  at: number,
  packet: { readonly netAt: number; readonly end: number; readonly protocol: number },
  { family }: PacketMeta,
  socket: Socket | undefined,
): void {
  const view = new DataView(bytes.buffer)
  const put = (size: number, local: Uint8Array, remote: Uint8Array | undefined): void => {
    view.setUint32(at + SKB.family.offset, family ?? (size === 4 ? AF_INET : AF_INET6), true)
    bytes.set(local, at + (size === 4 ? SKB.local_ip4 : SKB.local_ip6).offset)
    if (remote) bytes.set(remote, at + (size === 4 ? SKB.remote_ip4 : SKB.remote_ip6).offset)
  }
  if (socket) {
    put(socket.local.length, socket.local, socket.remote)
    view.setUint32(at + SKB.local_port.offset, socket.localPort, true)
    // A number of 16 bits in network order, in the upper half.
    view.setUint16(at + SKB.remote_port.offset + 2, socket.remotePort ?? 0, false)
    return
  }
  const { netAt, end, protocol } = packet
  const [first, size, header] = protocol === 0x0800 ? [12, 4, 20] : [8, 16, 40]
  if ((protocol !== 0x0800 && protocol !== 0x86dd) || netAt + header > end) return
  const from = netAt + first
  put(size, bytes.slice(from, from + size), bytes.slice(from + size, from + 2 * size))
}

/** NFPROTO_* of a packet's EtherType, linux/netfilter.h; 0 for what netfilter has no programs for. */
export function familyOf(protocol: number): number {
  return protocol === 0x0800 ? 2 : protocol === 0x86dd ? 10 : 0
}

/** A 16-bit number as a little-endian machine sees it in network byte order. */
export function networkOrder16(n: number): number {
  return ((n & 0xff) << 8) | ((n >>> 8) & 0xff)
}
