// Link types of captures: which we read, and where a packet's network header starts in each. Numbers are the LINKTYPE_ values of
// tcpdump.org/linktypes.html, which captures hold (not the DLT_ values of an operating system).

import { ETHERTYPE } from '../protocols.ts'
import { u16, u32 } from './bytes.ts'

/** How the network protocol of a packet is told. */
type How =
  | { readonly by: 'ethertype'; readonly at: number } // a 16-bit EtherType, big endian
  | { readonly by: 'version' } // no header: the IP version
  | { readonly by: 'fixed'; readonly ethertype: number }
  | { readonly by: 'family'; readonly order: 'network' | 'host' } // a 32-bit AF_ number
  | { readonly by: 'ppp' } // a 16-bit PPP protocol, perhaps after the HDLC bytes ff 03

export interface LinkType {
  readonly name: string
  readonly headerBytes: number
  readonly how: How
}

export const LINK_TYPES: Readonly<Record<number, LinkType>> = {
  0: { name: 'NULL', headerBytes: 4, how: { by: 'family', order: 'host' } },
  1: { name: 'EN10MB', headerBytes: 14, how: { by: 'ethertype', at: 12 } },
  9: { name: 'PPP', headerBytes: 2, how: { by: 'ppp' } },
  12: { name: 'RAW', headerBytes: 0, how: { by: 'version' } }, // DLT_RAW, written as it is by some programs
  14: { name: 'RAW', headerBytes: 0, how: { by: 'version' } }, // the same on OpenBSD
  101: { name: 'RAW', headerBytes: 0, how: { by: 'version' } },
  108: { name: 'LOOP', headerBytes: 4, how: { by: 'family', order: 'network' } },
  113: { name: 'LINUX_SLL', headerBytes: 16, how: { by: 'ethertype', at: 14 } },
  228: { name: 'IPV4', headerBytes: 0, how: { by: 'fixed', ethertype: ETHERTYPE.ipv4 } },
  229: { name: 'IPV6', headerBytes: 0, how: { by: 'fixed', ethertype: ETHERTYPE.ipv6 } },
  276: { name: 'LINUX_SLL2', headerBytes: 20, how: { by: 'ethertype', at: 0 } },
}

/** The names of the link types that we read, for messages. */
export const LINK_TYPE_NAMES: readonly string[] = [...new Set(Object.values(LINK_TYPES).map((row) => row.name))]

/** Where the network header starts and, as an EtherType, what it is (undefined if it has none, or is neither IPv4 nor IPv6). */
export interface Network {
  readonly offset: number
  readonly ethertype?: number
}

const AF_INET = 2
const AF_INET6 = [10, 24, 28, 30] // Linux; NetBSD and OpenBSD; FreeBSD; macOS
const PPP_IPV4 = 0x0021
const PPP_IPV6 = 0x0057

/** Finds the network header behind the link header; undefined for a link type that we do not read, or a packet too short for it. */
export function networkOf(linkType: number, data: Uint8Array): Network | undefined {
  const row = LINK_TYPES[linkType]
  if (!row || data.length < row.headerBytes) return undefined
  const { how, headerBytes: offset } = row
  switch (how.by) {
    case 'fixed':
      return { offset, ethertype: how.ethertype }
    case 'version':
      return network(offset, data.length ? { 4: ETHERTYPE.ipv4, 6: ETHERTYPE.ipv6 }[data[0]! >> 4] : undefined)
    case 'ethertype':
      return ethertype(offset, u16(data, how.at, false))
    case 'family':
      return network(offset, ofFamily(u32(data, 0, false), how.order === 'host'))
    case 'ppp':
      return ppp(data)
  }
}

function network(offset: number, type: number | undefined): Network {
  return type === undefined ? { offset } : { offset, ethertype: type }
}

/** Below 0x600 it is a length (IEEE 802.3 §3.2.6), or in LINUX_SLL a kind of frame without EtherType. */
function ethertype(offset: number, type: number): Network {
  return network(offset, type < 0x600 ? undefined : type)
}

/** The host that wrote a NULL header may have had either byte order: families are small, so the large reading is the wrong one. */
function ofFamily(value: number, anyOrder: boolean): number | undefined {
  const swapped = ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
  const family = anyOrder && value > 0xffff ? swapped : value
  if (family === AF_INET) return ETHERTYPE.ipv4
  return AF_INET6.includes(family) ? ETHERTYPE.ipv6 : undefined
}

function ppp(data: Uint8Array): Network | undefined {
  const at = data[0] === 0xff && data[1] === 0x03 ? 2 : 0
  if (data.length < at + 2) return undefined
  const protocol = u16(data, at, false)
  return network(at + 2, protocol === PPP_IPV4 ? ETHERTYPE.ipv4 : protocol === PPP_IPV6 ? ETHERTYPE.ipv6 : undefined)
}
