// Frames from a plan: which headers, what is odd about them, and numbers written over the defaults. Everything not planned is the plainest
// thing: documentation-like addresses, sound lengths, a right IPv4 checksum, no payload. Bytes come last, so that shrinking acts on the plan.

import {
  ETHERTYPE,
  FIELDS,
  type FieldId,
  IPPROTO,
  NFPROTO,
  PROTOCOLS,
  type ProtocolName,
  writeBits,
} from '@netsieve/packet'
import type { Slot } from './slots.ts'

export interface Write {
  readonly slot: Slot
  readonly value: bigint
}

/** What is not as it should be about the network header. */
export const ODDITIES = ['none', 'padding', 'length too long', 'length too short', 'ihl', 'version'] as const
export type Oddity = (typeof ODDITIES)[number]
export type Net = 'ipv4' | 'ipv6' | 'arp' | 'other'
export type Extension = 'hopopt' | 'dstopts' | 'routing' | 'fragment' | 'later fragment' | 'ah'

export interface Plan {
  readonly net: Net
  /** The transport protocol's number. */
  readonly transport: number
  readonly tags: readonly { readonly tpid: number; readonly tci: number }[]
  /** 32-bit words of IPv4 options, 0 to 10. */
  readonly options: number
  /** IPv4's reserved bit, DF, MF and offset. */
  readonly frag: number
  readonly extensions: readonly Extension[]
  readonly oddity: Oddity
  readonly payload: number
  /** The packet ends so many bytes into the transport header, and its lengths say so. */
  readonly short?: number
  /** The frame ends here, if it is longer. */
  readonly cut?: number
  /** Written last, in order, wherever their slot is. */
  readonly writes: readonly Write[]
}

const LONGEST = 2048
const EXTENSION = {
  hopopt: IPPROTO.hopopt,
  dstopts: IPPROTO.dstopts,
  routing: IPPROTO.routing,
  fragment: IPPROTO.fragment,
  'later fragment': IPPROTO.fragment,
  ah: IPPROTO.ah,
} as const
const TYPE: Readonly<Record<Net, number>> = {
  ipv4: ETHERTYPE.ipv4,
  ipv6: ETHERTYPE.ipv6,
  arp: ETHERTYPE.arp,
  other: 0x88b5,
}
const ETHERNET = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
const V6 = (last: number) => [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]

/** A sound TCP packet over IPv4 with nothing unusual: what other plans are varied from. */
export const PLAIN_TCP: Plan = {
  net: 'ipv4',
  transport: 6,
  tags: [],
  options: 0,
  frag: 0,
  extensions: [],
  oddity: 'none',
  payload: 0,
  writes: [],
}

/** The bytes of a planned frame. */
export function buildFrame(plan: Plan): Uint8Array {
  const facts = new Map<string, number>()
  for (const { slot, value } of plan.writes)
    if (slot.base === 'meta' || slot.base === 'length') facts.set(slot.key, Number(value))
  const net = netOf(plan, facts)
  const transport = transportOf(plan, facts)
  const tags = tagsOf(plan, facts)
  const type = typeBehind(facts, tags) ?? TYPE[net]
  const out = [...ETHERNET]
  for (const { tpid, tci } of tags) out.push(tpid >> 8, tpid & 255, tci >> 8, tci & 255)
  out.push(type >> 8, type & 255)
  const netAt = out.length
  const transportAt = netAt + pushNet(out, net, transport, plan)
  pushTransport(out, transport.header)
  for (let i = 0; i < plan.payload; i++) out.push(0)
  const whole = grown(out, plan.writes, netAt, transportAt)
  const bytes = plan.short === undefined ? whole : whole.subarray(0, transportAt + plan.short)
  if (plan.oddity === 'length too long') writeLengths(bytes, net, netAt, bytes.length - netAt + 8)
  else writeLengths(bytes, net, netAt, plan.oddity === 'length too short' ? 12 : bytes.length - netAt)
  const padded = plan.oddity === 'padding' ? withLength(bytes, bytes.length + 6) : bytes
  const sized = withLength(padded, facts.get('length') ?? padded.length)
  for (const write of plan.writes) put(sized, write, netAt, transportAt)
  if (net === 'ipv4' && !plan.writes.some(({ slot }) => slot.field === 'ipv4.checksum')) checksum(sized, netAt)
  return plan.cut === undefined ? sized : sized.subarray(0, Math.min(plan.cut, sized.length))
}

/** The headers that the written fields ask for go before those of the plan; a written number may still belie them. */
function netOf({ net, writes }: Plan, facts: ReadonlyMap<string, number>): Net {
  for (const { slot } of writes)
    if (slot.proto === 'ipv4' || slot.proto === 'ipv6' || slot.proto === 'arp') return slot.proto
  const type = facts.get('meta.protocol') ?? typeWritten(writes)
  for (const kind of ['ipv4', 'ipv6', 'arp'] as const) if (type === TYPE[kind]) return kind
  if (facts.get('meta.nfproto') === NFPROTO.ipv4) return 'ipv4'
  if (facts.get('meta.nfproto') === NFPROTO.ipv6) return 'ipv6'
  for (const { slot } of writes) {
    const only = slot.proto && slot.base === 'transport' ? onlyOf(slot.proto) : undefined
    if (only) return only
  }
  const transport = writes.some(({ slot }) => slot.base === 'transport' || slot.key === 'meta.l4proto')
  return transport && net !== 'ipv6' ? 'ipv4' : net
}

function typeWritten(writes: readonly Write[]): number | undefined {
  const write = writes.find(({ slot }) => slot.base === 'link' && slot.bit === 96 && slot.bits === 16)
  return write && Number(write.value)
}

function onlyOf(proto: ProtocolName): 'ipv4' | 'ipv6' | undefined {
  const row = PROTOCOLS[proto]
  return 'only' in row ? row.only : undefined
}

interface Transport {
  readonly number: number
  readonly header: ProtocolName | undefined
}

function transportOf({ transport, writes }: Plan, facts: ReadonlyMap<string, number>): Transport {
  const inHeader = writes.find(({ slot }) => slot.field === 'ipv4.protocol' || slot.field === 'ipv6.nexthdr')
  const given = facts.get('meta.l4proto') ?? (inHeader && Number(inHeader.value))
  for (const { slot } of writes) {
    if (slot.base !== 'transport' || !slot.proto || slot.proto === 'th') continue
    const row = PROTOCOLS[slot.proto]
    const own = 'ipProtocol' in row ? row.ipProtocol : transport
    return { number: given ?? own, header: slot.proto }
  }
  const number = given ?? transport
  return { number, header: HEADERS.get(number) }
}

const HEADERS = new Map<number, ProtocolName>(
  (Object.keys(PROTOCOLS) as ProtocolName[]).flatMap((name) => {
    const row = PROTOCOLS[name]
    return 'ipProtocol' in row ? [[row.ipProtocol, name] as const] : []
  }),
)

const TAG_FIELD = /^vlan([123]?)\.(tpid|tci|pcp|dei|id)$/

/** The tags of the plan with what is written to their fields, and as many as those ask for. */
function tagsOf({ tags, writes }: Plan, facts: ReadonlyMap<string, number>): Plan['tags'] {
  const out = tags.map((tag) => ({ ...tag }))
  const upTo = (count: number) => {
    while (out.length < count) out.push({ tpid: ETHERTYPE.vlan, tci: 0 })
  }
  const type = typeWritten(writes)
  if (type === ETHERTYPE.vlan || type === ETHERTYPE.qinq) upTo(1)
  for (const [key, value] of facts) {
    const [, depth, name] = TAG_FIELD.exec(key) ?? []
    const inside = /^vlan([123]?)\.type$/.exec(key)
    if (inside) upTo(Number(inside[1]) + 1)
    if (name === undefined) continue
    upTo(Number(depth) + 1)
    const tag = out[Number(depth)]!
    const { bit, bits } = FIELDS[key as FieldId]
    const bytes = Uint8Array.of(tag.tpid >> 8, tag.tpid & 255, tag.tci >> 8, tag.tci & 255)
    writeBits(bytes, bit, bits, BigInt(value))
    out[Number(depth)] = { tpid: (bytes[0]! << 8) | bytes[1]!, tci: (bytes[2]! << 8) | bytes[3]! }
  }
  return out
}

/** The type behind the tags. */
function typeBehind(facts: ReadonlyMap<string, number>, tags: Plan['tags']): number | undefined {
  const last = tags.length === 0 ? undefined : `vlan${tags.length > 1 ? tags.length - 1 : ''}.type`
  return (last === undefined ? undefined : facts.get(last)) ?? facts.get('meta.protocol')
}

/** Appends the network header; returns its length with extension headers. Lengths are written later. */
function pushNet(out: number[], net: Net, transport: Transport, plan: Plan): number {
  const start = out.length
  if (net === 'ipv4') {
    const ihl = plan.oddity === 'ihl' ? 4 : 5 + plan.options
    const version = plan.oddity === 'version' ? 5 : 4
    out.push((version << 4) | ihl, 0, 0, 0, 0, 0, plan.frag >> 8, plan.frag & 255, 64, transport.number, 0, 0)
    out.push(10, 0, 0, 1, 10, 0, 0, 2)
    for (let i = 0; i < plan.options * 4; i++) out.push(1)
  } else if (net === 'ipv6') {
    const numbers = [...plan.extensions.map((kind) => EXTENSION[kind]), transport.number]
    out.push(plan.oddity === 'version' ? 0x50 : 0x60, 0, 0, 0, 0, 0, numbers[0]!, 64, ...V6(1), ...V6(2))
    for (const [i, kind] of plan.extensions.entries()) out.push(...extension(kind, numbers[i + 1]!))
  } else if (net === 'arp') {
    out.push(0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2)
  }
  return out.length - start
}

function extension(kind: Extension, next: number): number[] {
  switch (kind) {
    case 'fragment':
      return [next, 0, 0, 1, 0, 0, 0, 1]
    case 'later fragment':
      return [next, 0, 0, 8, 0, 0, 0, 1]
    case 'ah':
      return [next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    case 'routing':
      return [next, 0, 4, 0, 0, 0, 0, 0]
    default:
      return [next, 0, 1, 4, 0, 0, 0, 0]
  }
}

function pushTransport(out: number[], header: ProtocolName | undefined): void {
  const start = out.length
  const bytes = header ? PROTOCOLS[header].minBytes : 0
  for (let i = 0; i < bytes; i++) out.push(0)
  if (header === 'tcp') out[start + 12] = 0x50
  if (header === 'udp' || header === 'udplite') out[start + 5] = 8
}

/** The bytes, with room for every write that lies a little behind the end. */
function grown(out: readonly number[], writes: readonly Write[], netAt: number, transportAt: number): Uint8Array {
  let length = out.length
  for (const { slot } of writes) {
    const end = startOf(slot, netAt, transportAt) + Math.ceil((slot.bit + slot.bits) / 8)
    if (end > length && end <= LONGEST) length = end
  }
  const bytes = new Uint8Array(length)
  bytes.set(out)
  return bytes
}

function startOf({ base }: Slot, netAt: number, transportAt: number): number {
  return base === 'net' ? netAt : base === 'transport' ? transportAt : base === 'link' ? 0 : Number.NEGATIVE_INFINITY
}

function writeLengths(bytes: Uint8Array, net: Net, netAt: number, length: number): void {
  if (net === 'ipv4') writeBits(bytes, netAt * 8 + FIELDS['ipv4.length'].bit, 16, BigInt(length))
  if (net === 'ipv6') writeBits(bytes, netAt * 8 + FIELDS['ipv6.plen'].bit, 16, BigInt(Math.max(0, length - 40)))
}

function withLength(bytes: Uint8Array, length: number): Uint8Array {
  if (length <= bytes.length) return bytes.subarray(0, length)
  const out = new Uint8Array(Math.min(length, LONGEST))
  out.set(bytes)
  return out
}

function put(bytes: Uint8Array, { slot, value }: Write, netAt: number, transportAt: number): void {
  const start = startOf(slot, netAt, transportAt)
  const end = start + Math.ceil((slot.bit + slot.bits) / 8)
  if (start < 0 || end > bytes.length) return
  if (slot.bit % 8 !== 0 || slot.bits % 8 !== 0) {
    writeBits(bytes, start * 8 + slot.bit, slot.bits, value)
    return
  }
  let rest = value
  for (let at = end - 1; at >= start + slot.bit / 8; at--) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
}

/** RFC 791's checksum of the header, where it is whole. */
function checksum(bytes: Uint8Array, at: number): void {
  const end = at + ((bytes[at] ?? 0) & 15) * 4
  if (end < at + 20 || end > bytes.length) return
  bytes[at + 10] = 0
  bytes[at + 11] = 0
  let sum = 0
  for (let i = at; i < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  bytes[at + 10] = (~sum >> 8) & 255
  bytes[at + 11] = ~sum & 255
}
