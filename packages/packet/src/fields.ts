// The fields of the protocols, in bits from the start of their header. Parsers, evaluation, code generation, the packet builder,
// equivalence and documentation read the same rows (fields/, a file a layer): a new field is one row there.

import { LINK_FIELDS } from './fields/link.ts'
import { NETWORK_FIELDS } from './fields/network.ts'
import { type Field, header, joined } from './fields/rows.ts'
import { SCTP_FIELDS } from './fields/sctp.ts'
import { TRANSPORT_FIELDS } from './fields/transport.ts'
import { TUNNEL_FIELDS } from './fields/tunnel.ts'
import { METADATA } from './metadata.ts'

export { type Field, VALUE_KINDS, type ValueKind } from './fields/rows.ts'

const META_FIELDS = header('meta', {
  protocol: [0, 16, 'ethertype'], // the network protocol after the tags that the view skips
  nfproto: [0, 8, 'nfproto'],
  l4proto: [0, 8, 'ipproto'], // IPv4's protocol, or the end of IPv6's header chain
  length: [0, 32, 'uint'], // of the packet from its network header on
})

export const FIELDS = joined(
  META_FIELDS,
  METADATA,
  LINK_FIELDS,
  NETWORK_FIELDS,
  TRANSPORT_FIELDS,
  SCTP_FIELDS,
  TUNNEL_FIELDS,
) satisfies Record<string, Field>

export type FieldId = keyof typeof FIELDS

/** The largest value a field can hold. */
export function maxValue(field: FieldId): bigint {
  return (1n << BigInt(FIELDS[field].bits)) - 1n
}
