// Finding an entry in a list by its type: options of IPv4, TCP and DCCP, extension headers of IPv6, chunks of SCTP. Slow and exact: what
// generated code must find too. Every walk is bounded; what the view makes of broken lists is in its `lists`.

import { EXTENSION_HEADERS, IPPROTO, NFPROTO, PROTOCOLS, type ProtocolName } from '@netsieve/packet'
import { ipv4OptionsHold } from './ipv4-options.ts'
import { type Located, MAX_EXTENSION_HEADERS } from './locate.ts'
import type { Find } from './types.ts'
import type { View } from './views.ts'

/** Chunks of an SCTP packet that are looked at. */
export const MAX_CHUNKS = 64

/** Options that are looked at; only DCCP has room for more. */
export const MAX_OPTIONS = 64

/** Bytes from the list's base; `absent`: there is none; `missing`: the packet is not of the list's network protocol; `cut`: it is dropped. */
export type FoundAt = number | 'absent' | 'missing' | 'cut'

/** What a search looks at. */
export interface Searched {
  readonly view: View
  readonly frame: Uint8Array
  readonly located: Located
  /** Why the transport header of a protocol may not be read. */
  readonly transportFailure: (start: number, proto: ProtocolName) => 'missing' | 'cut' | undefined
}

const L4 = { tcp: IPPROTO.tcp, dccp: IPPROTO.dccp, sctp: IPPROTO.sctp } as const

export function findEntry(searched: Searched, find: Find): FoundAt {
  const { located } = searched
  switch (find.list) {
    case 'ipv4':
      return located.nfproto === NFPROTO.ipv4 ? inIpv4(searched, find) : 'missing'
    case 'ipv6':
      return located.nfproto === NFPROTO.ipv6 ? inExtensions(searched, find) : 'missing'
    default:
      return inTransport(searched, find.list, find)
  }
}

function inTransport(searched: Searched, list: 'tcp' | 'dccp' | 'sctp', find: Find): FoundAt {
  const { view, frame, located } = searched
  const { transport, netEnd, l4proto } = located
  if (l4proto === 'broken') return view.chainDrops ? 'cut' : 'absent'
  if (l4proto !== L4[list] || transport === undefined) return 'absent'
  const anyFragment = list === 'sctp' && view.lists.fragments
  const failure = anyFragment ? undefined : searched.transportFailure(transport, list)
  if (failure) return failure === 'cut' ? 'cut' : 'absent'
  const packet = frame.subarray(transport, Math.max(transport, netEnd))
  if (packet.length < PROTOCOLS[list].minBytes) return 'absent'
  if (list === 'sctp') return inChunks(packet, view, find)
  const [from, to] = list === 'tcp' ? [20, (packet[12]! >> 4) * 4] : [dccpHeader(packet), packet[4]! * 4]
  // The header's length must be a possible one, and the list must be there.
  if (to < from || to > packet.length) return view.lists.drops ? 'cut' : 'absent'
  const single = list === 'dccp' && view.lists.badLength === 'end' ? 31 : 1
  return inOptions(packet, from, to, view, find, single)
}

/** Bytes of a DCCP header before its options (RFC 4340 §5): twelve, four more of the sequence number, and what its type has. */
export function dccpHeader(packet: Uint8Array): number {
  const type = (packet[8]! >> 1) & 0xf
  return 12 + (packet[8]! & 1) * 4 + (DCCP_TYPE_BYTES[type] ?? 12)
}

/** Request: service code; response and reset: acknowledgement and four bytes more; data: nothing; others: acknowledgement. */
export const DCCP_TYPE_BYTES: readonly number[] = [4, 12, 0, 8, 8, 8, 8, 12, 8, 8]

/** Options of one byte up to type `single`, of type, length and value above. */
function inOptions(packet: Uint8Array, from: number, to: number, { lists }: View, find: Find, single: number): FoundAt {
  const last = lists.lastByte ? to : to - 1
  for (let at = from, rounds = 0; at < last && rounds < MAX_OPTIONS; rounds++) {
    const type = packet[at]!
    const said = type <= single ? 1 : at + 1 < to ? packet[at + 1]! : 0
    const length = lists.badLength === 'step' ? said || 1 : said
    const bad = lists.badLength === 'end' && type > single && said < 2
    if (type === find.type) {
      const fits = !bad && (!lists.whole || at + length <= to) && find.bytes <= length
      return fits ? at : 'absent'
    }
    if (bad || (type === 0 && lists.end)) return 'absent'
    at += length
  }
  return 'absent'
}

/** IPv4's options follow 20 bytes of header, up to what its length field says. */
function inIpv4({ view, frame, located }: Searched, find: Find): FoundAt {
  const { net, netEnd } = located
  if (net === undefined || net + 20 > netEnd) return 'absent'
  const to = (frame[net]! & 0xf) * 4
  if (to <= 20 || net + to > netEnd) return 'absent'
  const packet = frame.subarray(net, net + to)
  if (view.lists.ipv4 === 'walk') return inOptions(packet, 20, to, view, find, 1)
  return (typeof find.type === 'number' && ipv4OptionsHold(packet)?.get(find.type)) || 'absent'
}

const WALKED: readonly number[] = Object.values(EXTENSION_HEADERS)
/** Fixed parts of extension headers, which must be there where a view looks at them by their protocol. */
const FIXED = new Map<number, number>(
  (['hopopt', 'dstopts', 'routing', 'fragment', 'ah6', 'mobility'] as const).map((name) => [
    PROTOCOLS[name].entry.type,
    PROTOCOLS[name].minBytes,
  ]),
)
/** Bytes of those that must be there whole. */
const SIZES: Readonly<Record<number, (length: number) => number>> = {
  [IPPROTO.hopopt]: (length) => (length + 1) * 8,
  [IPPROTO.dstopts]: (length) => (length + 1) * 8,
  [IPPROTO.routing]: (length) => (length + 1) * 8,
  [IPPROTO.ah]: (length) => (length + 2) * 4,
}

/** The kernel's search for one header (ipv6_find_hdr), whatever the view's own walk stops at. */
function inExtensions({ view, frame, located }: Searched, find: Find): FoundAt {
  const { net, netEnd } = located
  const broken = view.lists.drops ? 'cut' : 'absent'
  if (net === undefined || net + 40 > netEnd) return 'absent'
  const packet = frame.subarray(net, netEnd)
  let type = packet[6]!
  let at = 40
  for (let headers = 0; ; headers++) {
    const found = type === find.type
    if (!WALKED.includes(type)) return found ? extension(packet, at, view, find) : 'absent'
    if (headers === MAX_EXTENSION_HEADERS) return broken
    const needs = type === IPPROTO.routing || type === IPPROTO.fragment ? 4 : 2
    if (at + needs > packet.length) return broken
    if (found) return extension(packet, at, view, find)
    const [next, length] = [packet[at]!, packet[at + 1]!]
    if (type === IPPROTO.fragment) {
      if (((packet[at + 2]! << 8) | packet[at + 3]!) >> 3 !== 0) return 'absent'
      at += 8
    } else at += type === IPPROTO.ah ? (length + 2) * 4 : (length + 1) * 8
    type = next
  }
}

function extension(packet: Uint8Array, at: number, { lists }: View, find: Find): FoundAt {
  if (!lists.drops) return at
  const type = find.type as number
  if (at + (FIXED.get(type) ?? 0) > packet.length) return 'cut'
  const size = SIZES[type]?.(packet[at + 1]!) ?? 0
  return at + size > packet.length ? 'cut' : at
}

/** Whether an entry is of a type, by its first two bytes. */
function isType(type: Find['type'], first: number, second: number): boolean {
  if (typeof type === 'number') return first === type
  const head = (first << 8) | second
  return type.heads.some(({ mask, value }) => (head & mask) === value) !== type.none
}

/** Chunks follow 12 bytes of header, each at a multiple of 4. */
function inChunks(packet: Uint8Array, { lists }: View, find: Find): FoundAt {
  for (let at = 12, chunks = 0; chunks < MAX_CHUNKS; chunks++) {
    if (chunks > 0 && at >= packet.length) return 'absent'
    const length = at + 4 <= packet.length ? (packet[at + 2]! << 8) | packet[at + 3]! : 0
    if (length === 0) return lists.drops ? 'cut' : 'absent'
    if (isType(find.type, packet[at]!, packet[at + 1]!)) {
      return find.bytes > 0 && (find.bytes > length || at + length > packet.length) ? 'absent' : at
    }
    at += (length + 3) & ~3
  }
  return 'absent'
}
