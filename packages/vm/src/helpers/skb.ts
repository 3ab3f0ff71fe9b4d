// Helpers on socket buffers: reading and writing the packet by offset, checksums, size, VLAN tags, redirection.

import { CONTEXTS, type HelperName } from '@netsieve/asm'
import { networkOrder16, protocolOf } from '../context.ts'
import type { Engine } from '../engine.ts'
import { ERRNO } from '../maps/map.ts'
import { replace2, replace4, replaceByDiff } from './checksum.ts'
import { arg, flagsArg, type HelperFunction, uarg } from './helper.ts'

const SKB = CONTEXTS.__sk_buff.fields
const INT_MAX = 0x7fffffff
const TC_ACT_SHOT = 2
const TC_ACT_REDIRECT = 7

/** Copies packet bytes out; zeros and an errno where they are not all there. */
function loadBytes(engine: Engine, start: number, limit: number): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const offset = uarg(engine, 2)
  const length = uarg(engine, 4)
  const to = engine.memArg(3, length, true)
  if (to === undefined) return undefined
  const { bytes } = engine.mem
  const from = start + offset
  if (offset > limit || from + length > engine.end) {
    bytes.fill(0, to, to + length)
    return ERRNO.EFAULT
  }
  bytes.copyWithin(to, from, from + length)
  return 0
}

function loadBytesRelative(engine: Engine): number | undefined {
  const header = arg(engine, 5)
  // 0 is the link header, 1 the network header; others load nothing.
  const start = header === 0 ? engine.linkAt : engine.netAt
  const limit = header === 0 || header === 1 ? 0xffff : -1
  return loadBytes(engine, start, limit)
}

function storeBytes(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const offset = uarg(engine, 2)
  const length = uarg(engine, 4)
  const from = engine.memArg(3, length, false)
  if (from === undefined) return undefined
  if (flagsArg(engine, 5) & ~3) return ERRNO.EINVAL
  if (offset > INT_MAX || engine.data + offset + length > engine.end) return ERRNO.EFAULT
  engine.mem.bytes.copyWithin(engine.data + offset, from, from + length)
  if (arg(engine, 5) & 2) setField(engine, SKB.hash, 0)
  return 0
}

function setField(engine: Engine, field: { readonly offset: number }, value: number): void {
  engine.mem.view.setInt32(engine.ctxAt + field.offset, value, true)
}

/** Where a checksum field is; undefined if not wholly in the packet or at an odd offset. */
function checksumAt(engine: Engine): number | undefined {
  const offset = uarg(engine, 2)
  if (offset > 0xffff || offset & 1) return undefined
  const at = engine.data + offset
  return at + 2 <= engine.end ? at : undefined
}

function replaced(field: number, size: number, from: number, to: number): number | undefined {
  if (size === 0) return from === 0 ? replaceByDiff(field, to) : undefined
  if (size === 2) return replace2(field, from & 0xffff, to & 0xffff)
  return size === 4 ? replace4(field, from, to) : undefined
}

function l3CsumReplace(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const flags = flagsArg(engine, 5)
  if (flags & ~0xf) return ERRNO.EINVAL
  const at = checksumAt(engine)
  if (at === undefined) return ERRNO.EFAULT
  const { view } = engine.mem
  const value = replaced(view.getUint16(at, true), flags, uarg(engine, 3), uarg(engine, 4))
  if (value === undefined) return ERRNO.EINVAL
  view.setUint16(at, value, true)
  return 0
}

/** BPF_F_MARK_MANGLED_0: a field of 0 stays 0, as UDP has it; BPF_F_MARK_ENFORCE: even then it is computed. */
function l4CsumReplace(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const flags = flagsArg(engine, 5)
  if (flags & ~0xff) return ERRNO.EINVAL
  const at = checksumAt(engine)
  if (at === undefined) return ERRNO.EFAULT
  const { view } = engine.mem
  const field = view.getUint16(at, true)
  const mangled = (flags & 0x20) !== 0
  if (mangled && !(flags & 0x40) && field === 0) return 0
  const value = replaced(field, flags & 0xf, uarg(engine, 3), uarg(engine, 4))
  if (value === undefined) return ERRNO.EINVAL
  view.setUint16(at, mangled && value === 0 ? 0xffff : value, true)
  return 0
}

/** After the packet changed its size. */
function resized(engine: Engine): void {
  setField(engine, SKB.len, engine.end - engine.data)
  engine.packetMoved()
}

/** The longest packet that helpers make. */
const MAX_LENGTH = 65536

function present(engine: Engine): boolean {
  return engine.mem.view.getInt32(engine.ctxAt + SKB.vlan_present.offset, true) !== 0
}

/** The tag beside the packet. The protocol is in network order, as the context has it. */
function putTag(engine: Engine, proto: number, tci: number): void {
  setField(engine, SKB.vlan_present, proto === 0 ? 0 : 1)
  setField(engine, SKB.vlan_proto, proto)
  setField(engine, SKB.vlan_tci, tci)
}

/** Moves the front of the packet: `by` bytes forward (the packet shrinks) or back, keeping the first `kept` bytes in front. */
function moveFront(engine: Engine, by: number, kept: number): void {
  engine.mem.bytes.copyWithin(engine.data + by, engine.data, engine.data + kept)
  engine.data += by
  engine.linkAt += by
  engine.netAt = engine.linkAt + 14
  engine.meta = engine.data
  resized(engine)
}

function vlanPush(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  // The protocol comes in network order; anything but 802.1ad is 802.1Q.
  const proto = networkOrder16(arg(engine, 2) & 0xffff) === 0x88a8 ? 0x88a8 : 0x8100
  const { view } = engine.mem
  const at = engine.ctxAt
  if (present(engine)) {
    // The tag there was goes into the frame, the new one beside it.
    if (engine.data - 4 < engine.roomFrom) return ERRNO.ENOMEM
    const old = view.getUint16(at + SKB.vlan_proto.offset, true)
    moveFront(engine, -4, 12)
    view.setUint16(engine.data + 12, old, true)
    view.setUint16(engine.data + 14, view.getUint16(at + SKB.vlan_tci.offset, true), false)
    setField(engine, SKB.protocol, old)
  }
  putTag(engine, networkOrder16(proto), arg(engine, 3) & 0xffff)
  return 0
}

/** Takes the tag out of the frame: its value, undefined if the frame is too short. */
function popFromFrame(engine: Engine): number | undefined {
  if (engine.end - engine.data < 18) return undefined
  const tci = engine.mem.view.getUint16(engine.data + 14, false)
  moveFront(engine, 4, 12)
  const protocol = protocolOf(engine.mem.bytes, engine.data, engine.end - engine.data)
  setField(engine, SKB.protocol, networkOrder16(protocol))
  return tci
}

function vlanPop(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const protocol = (): number => engine.mem.view.getUint16(engine.ctxAt + SKB.protocol.offset, false)
  if (present(engine)) putTag(engine, 0, 0)
  else if (!isVlan(protocol())) return 0
  else if (popFromFrame(engine) === undefined) return ERRNO.ENOMEM
  // The next tag of the frame moves beside it.
  const next = protocol()
  if (!isVlan(next)) return 0
  const tci = popFromFrame(engine)
  if (tci === undefined) return ERRNO.ENOMEM
  putTag(engine, networkOrder16(next), tci)
  return 0
}

function isVlan(ethertype: number): boolean {
  return ethertype === 0x8100 || ethertype === 0x88a8
}

const IPV4 = 0x0800
const IPV6 = 0x86dd

function ethertype(engine: Engine): number {
  return engine.mem.view.getUint16(engine.ctxAt + SKB.protocol.offset, false)
}

/** IPv4 becomes IPv6 or the other way: 20 bytes more or fewer after the link header, the rest is the program's work. */
function changeProto(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  if (flagsArg(engine, 3) !== 0) return ERRNO.EINVAL
  const to = networkOrder16(arg(engine, 2) & 0xffff)
  const from = ethertype(engine)
  if (!((from === IPV4 && to === IPV6) || (from === IPV6 && to === IPV4))) return ERRNO.ENOTSUPP
  const head = engine.netAt - engine.data
  if (to === IPV6) {
    if (engine.data - 20 < engine.roomFrom) return ERRNO.ENOMEM
    moveFront(engine, -20, head)
    engine.mem.bytes.fill(0, engine.data + head, engine.data + head + 20)
  } else if (engine.end - engine.data < head + 20) return ERRNO.ENOMEM
  else moveFront(engine, 20, head)
  setField(engine, SKB.protocol, networkOrder16(to))
  setField(engine, SKB.hash, 0)
  return 0
}

const ROOM_FLAGS = 0x1ff
const ENCAP_L3_IPV4 = 2
const ENCAP_L3 = 6
const ENCAP_L2_ETH = 0x40
/** All flags that only growing may have. */
const ENCAP = 0x5e
const DECAP_L3_IPV4 = 0x80
const DECAP_L3 = 0x180

/** Grows or shrinks the packet after the link header (mode 1) or after the basic network header (mode 0). */
function adjustRoom(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const difference = arg(engine, 2)
  const mode = arg(engine, 3)
  const flags = flagsArg(engine, 4)
  if (flags & ~ROOM_FLAGS) return ERRNO.EINVAL
  if (Math.abs(difference) > 0xfff) return ERRNO.EFAULT
  const protocol = ethertype(engine)
  if (protocol !== IPV4 && protocol !== IPV6) return ERRNO.ENOTSUPP
  const header = protocol === IPV4 ? 20 : 40
  const link = engine.netAt - engine.data
  if (mode !== 0 && mode !== 1) return ERRNO.ENOTSUPP
  const shrink = difference < 0
  const encap = flags & ENCAP_L3
  const decap = flags & DECAP_L3
  if (decap !== 0 && (!shrink || decap === DECAP_L3)) return ERRNO.EINVAL
  const at = mode === 0 ? link + header : link
  const least = decap === 0 ? header : decap === DECAP_L3_IPV4 ? 20 : 40
  if (shrink && engine.end - engine.netAt + difference < least) return ERRNO.ENOTSUPP
  if (!shrink && engine.end - engine.data + difference > MAX_LENGTH) return ERRNO.ENOTSUPP
  if (shrink) {
    if (flags & ENCAP) return ERRNO.EINVAL
    moveFront(engine, -difference, at)
  } else {
    // An inner link header needs its length in the flags' highest byte, which is none here.
    if (encap === ENCAP_L3 || (encap && flags & ENCAP_L2_ETH)) return ERRNO.EINVAL
    if (engine.data - difference < engine.roomFrom) return ERRNO.ENOMEM
    moveFront(engine, -difference, at)
    engine.mem.bytes.fill(0, engine.data + at, engine.data + at + difference)
  }
  const outer = encap === ENCAP_L3_IPV4 || decap === DECAP_L3_IPV4 ? IPV4 : encap || decap ? IPV6 : protocol
  setField(engine, SKB.protocol, networkOrder16(outer))
  return 0
}

const EACCES = -13

/** Checksums are not offloaded here: a query says so, what would change the level has nothing to change. */
function csumLevel(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const level = flagsArg(engine, 2)
  if (level === 0) return EACCES
  return level <= 3 ? 0 : ERRNO.EINVAL
}

/** The delivery time, of clock 0 (real time; 0 is none), 1 (monotonic) or 2 (TAI). */
function setTstamp(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const protocol = ethertype(engine)
  if (protocol !== IPV4 && protocol !== IPV6) return ERRNO.EOPNOTSUPP
  const clock = arg(engine, 3)
  const [lo, hi] = [engine.regs[4]!, engine.regs[5]!]
  const zero = (lo | hi) === 0
  if (clock < 0 || clock > 2 || (zero && clock !== 0)) return ERRNO.EINVAL
  engine.mem.view.setInt32(engine.ctxAt + SKB.tstamp.offset, lo, true)
  engine.mem.view.setInt32(engine.ctxAt + SKB.tstamp.offset + 4, hi, true)
  engine.mem.bytes[engine.ctxAt + SKB.tstamp_type.offset] = clock
  return 0
}

const ENODEV = -19
const LOOPBACK_MTU = 65536
const FRAG_NEEDED = 1

/** Whether the packet, changed by so many bytes, fits the device's MTU. There is one device: the one the packet came by. */
function checkMtu(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const at = engine.memArg(3, 4, true)
  if (at === undefined) return undefined
  const { view } = engine.mem
  const given = view.getUint32(at, true)
  const difference = arg(engine, 4)
  const flags = flagsArg(engine, 5)
  if (flags & ~1 || (flags & 1 && (difference !== 0 || given !== 0))) return ERRNO.EINVAL
  const device = arg(engine, 2)
  if (device !== 0 && device !== (engine.info.ifindex ?? 1)) return ENODEV
  const mtu = engine.info.mtu ?? LOOPBACK_MTU
  const length = given > 0 ? given + 14 : engine.end - engine.data
  view.setUint32(at, mtu, true)
  return length + difference <= mtu + 14 ? 0 : FRAG_NEEDED
}

/** Makes room at the head, filled with 0, or takes none away: head_room only grows. */
function changeHead(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const room = uarg(engine, 2)
  if (flagsArg(engine, 3) !== 0) return ERRNO.EINVAL
  const length = engine.end - engine.data + room
  if (length > MAX_LENGTH) return ERRNO.EINVAL
  if (engine.data - room < engine.roomFrom) return ERRNO.ENOMEM
  engine.data -= room
  // The network header stays where it was.
  engine.linkAt = engine.data
  engine.meta = engine.data
  engine.mem.bytes.fill(0, engine.data, engine.data + room)
  resized(engine)
  return 0
}

function changeTail(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const length = uarg(engine, 2)
  if (flagsArg(engine, 3) !== 0) return ERRNO.EINVAL
  const least = engine.netAt - engine.data
  if (length < least || engine.data + length > engine.packetTo) return ERRNO.EINVAL
  const before = engine.end
  if (!engine.spend(Math.max(engine.data + length - before, 0))) return undefined
  engine.end = engine.data + length
  if (engine.end > before) engine.mem.bytes.fill(0, before, engine.end)
  resized(engine)
  return 0
}

function pullData(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  return uarg(engine, 2) > engine.end - engine.data ? ERRNO.ENOMEM : 0
}

function changeType(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const [type, now] = [uarg(engine, 2), engine.mem.view.getInt32(engine.ctxAt + SKB.pkt_type.offset, true)]
  // Only between HOST, BROADCAST, MULTICAST and OTHERHOST.
  if (type > 3 || now > 3) return ERRNO.EINVAL
  setField(engine, SKB.pkt_type, type)
  return 0
}

function redirect(engine: Engine): number | undefined {
  const flags = flagsArg(engine, 2)
  const xdp = engine.options.type === 'xdp'
  if (flags & (xdp ? ~0 : ~1)) return xdp ? 0 : TC_ACT_SHOT
  const output = { kind: 'redirect', to: 'ifindex', target: arg(engine, 1), flags } as const
  return engine.send(output, 0) ? (xdp ? 4 : TC_ACT_REDIRECT) : undefined
}

function cloneRedirect(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  if (flagsArg(engine, 3) & ~1) return ERRNO.EINVAL
  const clone = () => ({ kind: 'clone', target: arg(engine, 2), data: engine.packetBytes() }) as const
  return engine.send(clone, engine.end - engine.data) ? 0 : undefined
}

function innerProtocol(engine: Engine): number {
  const { view } = engine.mem
  let at = engine.linkAt + 12
  let protocol = ethertype(engine)
  while (isVlan(protocol) && at + 6 <= engine.end) {
    at += 4
    protocol = view.getUint16(at, false)
  }
  return protocol
}

/** Sets the ECN field to "congestion experienced" where the packet says it can be: 1 if it is set afterwards. */
function ecnSetCe(engine: Engine): number | undefined {
  if (!engine.ctxArg(1)) return undefined
  const { view, bytes } = engine.mem
  const at = engine.netAt
  // Tags are looked through for the protocol, while the network header stays where it was.
  const protocol = innerProtocol(engine)
  if (protocol === IPV4 && at + 20 <= engine.end) {
    const next = (bytes[at + 1]! + 1) & 3
    if (next < 2) return next === 0 ? 1 : 0
    const sum = view.getUint16(at + 10, false) + 0xfffb + next
    view.setUint16(at + 10, (sum & 0xffff) + (sum >>> 16), false)
    bytes[at + 1]! |= 3
    return 1
  }
  if (protocol === IPV6 && at + 40 <= engine.end) {
    const ecn = (bytes[at + 1]! >> 4) & 3
    if (ecn === 0) return 0
    bytes[at + 1]! |= 0x30
    return 1
  }
  return 0
}

export const SKB_HELPERS: Partial<Record<HelperName, HelperFunction>> = {
  skb_load_bytes: (engine) => loadBytes(engine, engine.data, INT_MAX),
  skb_load_bytes_relative: loadBytesRelative,
  skb_store_bytes: storeBytes,
  l3_csum_replace: l3CsumReplace,
  l4_csum_replace: l4CsumReplace,
  skb_vlan_push: vlanPush,
  skb_vlan_pop: vlanPop,
  skb_change_head: changeHead,
  skb_change_tail: changeTail,
  skb_change_type: changeType,
  skb_pull_data: pullData,
  skb_ecn_set_ce: ecnSetCe,
  redirect,
  skb_change_proto: changeProto,
  skb_adjust_room: adjustRoom,
  skb_set_tstamp: setTstamp,
  csum_level: csumLevel,
  check_mtu: checkMtu,
  clone_redirect: cloneRedirect,
  get_hash_recalc: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    engine.regs[0] = engine.mem.view.getInt32(engine.ctxAt + SKB.hash.offset, true)
    engine.regs[1] = 0
    return undefined
  },
  set_hash_invalid: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    setField(engine, SKB.hash, 0)
    return 0
  },
  set_hash: (engine) => {
    if (!engine.ctxArg(1)) return undefined
    setField(engine, SKB.hash, arg(engine, 2))
    return 0
  },
  // A checksum that the device made is not simulated: the kernel says so with -ENOTSUPP.
  csum_update: (engine) => (engine.ctxArg(1) ? ERRNO.ENOTSUPP : undefined),
  get_socket_cookie: () => 0,
  get_socket_uid: () => 65534,
}
