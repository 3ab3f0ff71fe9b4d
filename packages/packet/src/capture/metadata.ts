// What a capture tells of its packets beside their bytes: the interface, the direction and the time of a record, and the headers that Linux
// writes where a capture was taken of all devices at once (LINKTYPE_LINUX_SLL, _SLL2).
//
//   SLL    packet type 2 | device type 2 | address length 2 | address 8 | protocol 2
//   SLL2   protocol 2 | 0 2 | interface index 4 | device type 2 | packet type 1 | address length 1 | address 8

import { type Metadata, type MetadataId, PACKET_TYPES } from '../metadata.ts'
import { parseName } from '../values.ts'
import { arrivalOf } from './arrival.ts'
import { u16, u32 } from './bytes.ts'
import { type CaptureRecord, timestampNs } from './record.ts'

const SLL = 113
const SLL2 = 276
const DAY_SECONDS = 86_400n
/** 1970 began on a Thursday. */
const FIRST_DAY = 4n

type Packet = Pick<CaptureRecord, 'linkType' | 'data' | 'sec' | 'nsec' | 'interface' | 'options'>

/** The metadata that a record of a capture has. */
export function captureMetadata(packet: Packet): Metadata {
  const cooked = cookedHeader(packet)
  const direction = packet.options?.direction ?? (cooked.type === undefined ? undefined : cooked.type === PACKET_TYPES.outgoing ? 'out' : 'in') // biome-ignore format: one choice
  const out: Partial<Record<MetadataId, bigint>> = {}
  const device = (what: 'if' | 'ifname' | 'iftype', value: bigint | undefined) => {
    if (value !== undefined) out[`meta.${direction === 'out' ? 'o' : 'i'}${what}`] = value
  }
  const name = packet.interface?.name === undefined ? undefined : parseName(packet.interface.name)
  device('ifname', name)
  if (name !== undefined) out['meta.ifname'] = name
  device('if', cooked.index)
  if (cooked.index !== undefined) out['meta.ifindex'] = cooked.index
  device('iftype', cooked.device)
  const { packetType } = arrivalOf(packet)
  if (packetType !== undefined) out['meta.pkttype'] = BigInt(packetType)
  if (direction) out['meta.direction'] = direction === 'out' ? 1n : 0n
  if (packet.sec === 0 && packet.nsec === 0) return out
  const seconds = BigInt(packet.sec)
  out['meta.time'] = BigInt.asUintN(64, timestampNs(packet))
  out['meta.day'] = (((seconds / DAY_SECONDS + FIRST_DAY) % 7n) + 7n) % 7n
  out['meta.hour'] = ((seconds % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS
  return out
}

interface Cooked {
  readonly type?: number
  readonly device?: bigint
  readonly index?: bigint
}

function cookedHeader({ linkType, data }: Packet): Cooked {
  if (linkType === SLL && data.length >= 16) return { type: u16(data, 0, false), device: BigInt(u16(data, 2, false)) }
  if (linkType !== SLL2 || data.length < 20) return {}
  const index = u32(data, 4, false)
  return { type: data[10]!, device: BigInt(u16(data, 8, false)), ...(index !== 0 && { index: BigInt(index) }) }
}
