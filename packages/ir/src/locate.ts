// Where a view finds the headers of a frame. Slow and exact: what generated code must find too.

import { ETHERTYPE, EXTENSION_HEADERS, type ExtensionHeader, IPPROTO, NFPROTO } from '@netsieve/packet'
import type { View } from './views.ts'

export interface Located {
  /** False: the frame never comes to rules of this view. */
  readonly seen: boolean
  /** The network protocol after the tags that the view takes off. */
  readonly protocol?: number
  readonly nfproto?: number
  /** The outermost tag in the frame. */
  readonly vlan?: { readonly tpid: number; readonly tci: number }
  /** Start of the network header; loads from it and from the transport header end before `netEnd`. */
  readonly net?: number
  readonly netEnd: number
  /** The transport protocol; `broken` where an IPv6 header chain could not be followed. */
  readonly l4proto?: number | 'broken'
  readonly transport?: number
  /** Fragment offset in 8-byte units, and whether more fragments follow. */
  readonly fragment: { readonly offset: number; readonly more: boolean }
}

const WHOLE = { offset: 0, more: false } as const
const UNSEEN: Located = { seen: false, netEnd: 0, fragment: WHOLE }

const EXTENSION = new Map(
  Object.entries(EXTENSION_HEADERS).map(([name, number]) => [number as number, name as ExtensionHeader]),
)

/** Extension headers followed at most: a generated program unrolls its walk, so the meaning is bounded too. */
export const MAX_EXTENSION_HEADERS = 16

/** Locates the headers of an Ethernet frame. */
export function locate(view: View, frame: Uint8Array): Located {
  const link = afterTags(view, frame)
  if (!link) return view.reach === 'ip' ? UNSEEN : { seen: true, netEnd: frame.length, fragment: WHOLE }
  const { protocol, net, vlan } = link
  const base = { seen: true, protocol, net, netEnd: frame.length, fragment: WHOLE, ...(vlan && { vlan }) }
  if (protocol === ETHERTYPE.ipv4) return locateIpv4(view, frame, { ...base, nfproto: NFPROTO.ipv4 })
  if (protocol === ETHERTYPE.ipv6) return locateIpv6(view, frame, { ...base, nfproto: NFPROTO.ipv6 })
  if (view.reach === 'ip') return UNSEEN
  // libpcap asks no ethertype before it follows the IPv4 header's length.
  return view.tags === 'fixed' ? locateIpv4(view, frame, base) : base
}

interface Link {
  readonly protocol: number
  readonly net: number
  readonly vlan?: { readonly tpid: number; readonly tci: number }
}

function afterTags(view: View, frame: Uint8Array): Link | undefined {
  const first = u16(frame, 12)
  if (first === undefined) return undefined
  const tci = isTag(first) ? u16(frame, 14) : undefined
  const vlan = tci === undefined ? undefined : { tpid: first, tci }
  const link = { protocol: first, net: 14, ...(vlan && { vlan }) }
  switch (view.tags) {
    case 'opaque':
    case 'fixed':
      return link
    case 'beside':
      return isTag(first) ? { ...link, net: 18 } : link
    case 'first':
    case 'two': {
      const last = view.tags === 'two' ? 22 : 18
      let { protocol, net } = link
      while (net < last && isTag(protocol)) {
        const inner = u16(frame, net + 2)
        if (inner === undefined) break
        protocol = inner
        net += 4
      }
      return { ...link, protocol, net }
    }
    case 'priority': {
      let at = 12
      for (let type: number | undefined = first; type !== undefined; type = u16(frame, at)) {
        if (!isTag(type)) return { ...link, protocol: type, net: at + 2 }
        const id = u16(frame, at + 2)
        if (id === undefined || (id & 0xfff) !== 0 || at >= 20) return undefined
        at += 4
      }
      return undefined
    }
  }
}

function isTag(type: number): boolean {
  return type === ETHERTYPE.vlan || type === ETHERTYPE.qinq
}

type Found = Located & { readonly net: number }

function locateIpv4(view: View, frame: Uint8Array, base: Found): Located {
  const { net } = base
  const available = frame.length - net
  const headerLength = ((frame[net] ?? 0) & 0xf) * 4
  const totalLength = u16(frame, net + 2) ?? 0
  const whole = available >= 20 && headerLength >= 20
  const checked = whole && frame[net]! >> 4 === 4 && totalLength >= headerLength && totalLength <= available
  if (view.reach === 'ip' && !checked) return UNSEEN
  if (view.header === 'checked' ? !checked : view.header === 'ihl' ? !whole : available < 1) {
    return view.netNeeds === 'header' ? without(base) : base
  }
  const fragment = { offset: (u16(frame, net + 6) ?? 0) & 0x1fff, more: ((frame[net + 6] ?? 0) & 0x20) !== 0 }
  const l4proto = frame[net + 9]
  const located = { ...base, transport: net + headerLength, fragment, ...(l4proto !== undefined && { l4proto }) }
  return view.trim ? { ...located, netEnd: net + totalLength } : located
}

function locateIpv6(view: View, frame: Uint8Array, base: Found): Located {
  const { net } = base
  const available = frame.length - net
  const whole = available >= 40
  const payload = u16(frame, net + 4) ?? 0
  // A payload length of 0 before hop-by-hop options may be a jumbogram: the frame's own length counts (RFC 2675).
  const jumbo = payload === 0 && frame[net + 6] === IPPROTO.hopopt
  const checked = whole && frame[net]! >> 4 === 6 && (jumbo || payload + 40 <= available)
  if (view.reach === 'ip' && !checked) return UNSEEN
  if (view.header === 'trust') {
    const l4proto = frame[net + 6]
    return { ...base, ...(l4proto !== undefined && { l4proto }), ...(whole && { transport: net + 40 }) }
  }
  if (view.header === 'checked' ? !checked : !whole) return view.netNeeds === 'header' ? without(base) : base
  const netEnd = view.trim && !jumbo ? net + 40 + payload : frame.length
  return walk(view, frame.subarray(0, netEnd), { ...base, netEnd })
}

/** Follows the extension headers of the view (RFC 8200 §4; AH: RFC 4302 §2.2) inside `packet`, which ends where loads end. */
function walk(view: View, packet: Uint8Array, base: Found): Located {
  // A `zero` view keeps the last number it saw where the chain is cut (the flow dissector); others have none.
  const broken = (number: number): Located => ({ ...base, l4proto: view.missing === 'zero' ? number : 'broken' })
  let protocol = packet[base.net + 6]!
  let at = base.net + 40
  let fragment: Located['fragment'] = WHOLE
  for (let headers = 0; ; headers++) {
    const header = EXTENSION.get(protocol)
    const [next, length] = [packet[at], packet[at + 1]]
    const walked = header !== undefined && view.ipv6Walk.includes(header)
    // A walk that stops at AH (nft's) has looked at its first bytes all the same.
    const looked = walked || (header === 'ah' && view.ipv6Walk.length > 0)
    if (looked && (headers === MAX_EXTENSION_HEADERS || next === undefined || length === undefined))
      return broken(protocol)
    // The kernel reads four bytes of a routing header (ipv6_find_hdr), the flow dissector two of any.
    if (walked && header === 'routing' && view.missing !== 'zero' && u16(packet, at + 2) === undefined)
      return broken(protocol)
    if (!walked || next === undefined || length === undefined)
      return { ...base, l4proto: protocol, transport: at, fragment }
    if (header === 'fragment') {
      const word = u16(packet, at + 2)
      if (word === undefined || (view.missing === 'zero' && at + 8 > packet.length)) return broken(protocol)
      fragment = { offset: word >> 3, more: (word & 1) !== 0 }
      // The flow dissector looks for nothing behind a fragment header, not even in a packet that is whole.
      if (view.missing === 'zero') return { ...base, l4proto: next, fragment }
      if (fragment.offset !== 0) {
        // The kernel leaves the transport offset at its initial 0: at the IPv6 header itself.
        const known = next === IPPROTO.none || !EXTENSION.has(next)
        return known ? { ...base, l4proto: next, transport: base.net, fragment } : broken(protocol)
      }
      at += 8
    } else at += header === 'ah' ? (length + 2) * 4 : (length + 1) * 8
    protocol = next
  }
}

/** The same without a network header: its fields are not there. */
function without({ net: _, ...rest }: Found): Located {
  return rest
}

function u16(bytes: Uint8Array, at: number): number | undefined {
  return at + 2 <= bytes.length ? (bytes[at]! << 8) | bytes[at + 1]! : undefined
}
