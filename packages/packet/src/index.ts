export { type BuiltPacket, buildPacket } from './build/build.ts'
export { printPacket } from './build/print.ts'
export {
  type Arrival,
  arrivalOf,
  type Capture,
  type CaptureBlock,
  type CaptureFormat,
  type CaptureInterface,
  type CapturePart,
  CaptureReader,
  type CaptureRecord,
  CaptureWriter,
  captureMetadata,
  filterCapture,
  isGzip,
  LINK_TYPE_NAMES,
  LINK_TYPES,
  type LinkType,
  type Network,
  type NewPacket,
  networkOf,
  PACKET_TYPE,
  type PacketOptions,
  readCapture,
  timestampNs,
  type WriterOptions,
  writeCapture,
} from './capture/index.ts'
export { FIELDS, type Field, type FieldId, maxValue, VALUE_KINDS, type ValueKind } from './fields.ts'
export {
  ADDRESS_TYPES,
  CT_STATES,
  CT_STATUSES,
  DEVICE_TYPES,
  type Hook,
  isMetadata,
  layoutMetadata,
  loadableAt,
  METADATA,
  type Metadata,
  type MetadataField,
  type MetadataId,
  type MetadataLayout,
  type MetadataSlot,
  metadataOf,
  PACKET_TYPES,
  writeMetadata,
} from './metadata.ts'
export { metadataExpected, metadataFromJson, metadataId, parseMetadata } from './metadata-text.ts'
export { namesOf, VALUE_NAMES } from './named.ts'
export {
  type Base,
  type Condition,
  ETHERTYPE,
  EXTENSION_HEADERS,
  type ExtensionHeader,
  IPPROTO,
  type ListName,
  NFPROTO,
  PROTOCOLS,
  type Protocol,
  type ProtocolName,
  protocol,
} from './protocols.ts'
export { read, readBits, writeBits } from './read.ts'
export { type Conversations, type SummaryOptions, summarize } from './summary/index.ts'
export {
  formatIpv4,
  formatIpv6,
  formatMac,
  formatName,
  maskPrefix,
  parseIpv4,
  parseIpv6,
  parseMac,
  parseName,
  prefixMask,
} from './values.ts'
