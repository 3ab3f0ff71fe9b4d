// How a packet came, as far as its capture tells: by options of its pcapng block (draft-ietf-opsawg-pcapng §4.3), or by the cooked header
// that Linux puts before packets taken from "any" device (LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2).

import { u16, u32 } from './bytes.ts'
import type { CaptureRecord } from './record.ts'

/** What a packet's options tell. */
export interface PacketOptions {
  readonly direction?: 'in' | 'out'
  /** How it was addressed: to us, to a group, to all, or to somebody else. */
  readonly reception?: 'unicast' | 'multicast' | 'broadcast' | 'promiscuous'
  /** The queue of the interface that it came by. */
  readonly queue?: number
  /** Packets lost between the one before of this interface and this one. */
  readonly dropped?: number
  readonly comments?: readonly string[]
}

/** PACKET_* of linux/if_packet.h. */
export const PACKET_TYPE = { host: 0, broadcast: 1, multicast: 2, otherhost: 3, outgoing: 4 } as const

export interface Arrival {
  /** pcapng: the interface's number in its section, from 0. */
  readonly interfaceId?: number
  readonly interfaceName?: string
  /** The kernel's number of the interface, which LINUX_SLL2 keeps. */
  readonly ifindex?: number
  readonly direction?: 'in' | 'out'
  /** A number of PACKET_TYPE. */
  readonly packetType?: number
  readonly queue?: number
  readonly comments?: readonly string[]
}

const LINUX_SLL = 113
const LINUX_SLL2 = 276
const BY_RECEPTION = {
  unicast: 'host',
  multicast: 'multicast',
  broadcast: 'broadcast',
  promiscuous: 'otherhost',
} as const

export function arrivalOf(record: Pick<CaptureRecord, 'interface' | 'options' | 'linkType' | 'data'>): Arrival {
  const { interface: seen, options = {} } = record
  const cooked = cookedArrival(record.linkType, record.data)
  const { direction = cooked.direction, reception, queue, comments } = options
  const packetType =
    direction === 'out' ? PACKET_TYPE.outgoing : reception ? PACKET_TYPE[BY_RECEPTION[reception]] : cooked.packetType
  return {
    ...(seen && { interfaceId: seen.id }),
    ...(seen?.name !== undefined && { interfaceName: seen.name }),
    ...(cooked.ifindex !== undefined && { ifindex: cooked.ifindex }),
    ...(direction !== undefined && { direction }),
    ...(packetType !== undefined && { packetType }),
    ...(queue !== undefined && { queue }),
    ...(comments !== undefined && { comments }),
  }
}

/** The first 16 bits of LINUX_SLL are the packet's type; LINUX_SLL2 has the interface at byte 4 and the type at byte 10. */
function cookedArrival(linkType: number, data: Uint8Array): Pick<Arrival, 'ifindex' | 'direction' | 'packetType'> {
  if (linkType === LINUX_SLL && data.length >= 16) return ofType(u16(data, 0, false))
  if (linkType === LINUX_SLL2 && data.length >= 20) return { ifindex: u32(data, 4, false), ...ofType(data[10]!) }
  return {}
}

function ofType(packetType: number): Pick<Arrival, 'direction' | 'packetType'> {
  if (packetType > PACKET_TYPE.outgoing) return {}
  return { packetType, direction: packetType === PACKET_TYPE.outgoing ? 'out' : 'in' }
}

const OPTION = { end: 0, comment: 1, flags: 2, dropped: 4, queue: 6 } as const
const DIRECTIONS = [undefined, 'in', 'out', undefined] as const
const RECEPTIONS = [undefined, 'unicast', 'multicast', 'broadcast', 'promiscuous'] as const
/** So many comments of a packet are kept. */
const MOST_COMMENTS = 64

/**
 * Options of an Enhanced Packet Block (the obsolete Packet Block has flags and comments alike); a wrong length ends them.
 * @param told is called with a length that does not fit
 */
export function packetOptions(
  body: Uint8Array,
  little: boolean,
  obsolete: boolean,
  told: (length: number) => void,
): PacketOptions {
  let found: PacketOptions = {}
  for (let at = 0; at + 4 <= body.length; ) {
    const [code, length] = [u16(body, at, little), u16(body, at + 2, little)]
    if (code === OPTION.end) break
    if (at + 4 + length > body.length) {
      told(length)
      break
    }
    found = withOption(found, code, body.subarray(at + 4, at + 4 + length), little, obsolete)
    at += 4 + length + (-length & 3)
  }
  return found
}

function withOption(
  found: PacketOptions,
  code: number,
  value: Uint8Array,
  little: boolean,
  obsolete: boolean,
): PacketOptions {
  if (code === OPTION.comment) {
    const { comments = [] } = found
    return comments.length < MOST_COMMENTS ? { ...found, comments: [...comments, textOf(value)] } : found
  }
  if (code === OPTION.flags && value.length >= 4) {
    //  … | 8 7 6 5 FCS length | 4 3 2 reception | 1 0 direction
    const flags = u32(value, 0, little)
    const [direction, reception] = [DIRECTIONS[flags & 3], RECEPTIONS[(flags >>> 2) & 7]]
    return { ...found, ...(direction && { direction }), ...(reception && { reception }) }
  }
  if (obsolete) return found
  if (code === OPTION.queue && value.length >= 4) return { ...found, queue: u32(value, 0, little) }
  if (code === OPTION.dropped && value.length >= 8) {
    const [first, second] = [u32(value, 0, little), u32(value, 4, little)]
    return { ...found, dropped: little ? second * 2 ** 32 + first : first * 2 ** 32 + second }
  }
  return found
}

/** UTF-8 as text; bytes that are not, one character each. TextDecoder is not part of the language. */
export function textOf(bytes: Uint8Array): string {
  let coded = ''
  for (const byte of bytes) coded += `%${byte.toString(16).padStart(2, '0')}`
  try {
    return decodeURIComponent(coded)
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  }
}
