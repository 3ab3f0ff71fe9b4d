// Captures: reading, copying and writing pcap and pcapng files.

export { type Arrival, arrivalOf, PACKET_TYPE, type PacketOptions } from './arrival.ts'
export { LINK_TYPE_NAMES, LINK_TYPES, type LinkType, type Network, networkOf } from './link-types.ts'
export { isGzip } from './magic.ts'
export { captureMetadata } from './metadata.ts'
export { type Capture, CaptureReader, filterCapture, readCapture } from './reader.ts'
export {
  type CaptureBlock,
  type CaptureFormat,
  type CaptureInterface,
  type CapturePart,
  type CaptureRecord,
  MAX_PACKET_BYTES,
  timestampNs,
} from './record.ts'
export { CaptureWriter, type NewPacket, type WriterOptions, writeCapture } from './write.ts'
