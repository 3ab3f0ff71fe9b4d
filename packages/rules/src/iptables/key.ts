// Fields under masks as keys of what is kept for each.

import { field, load, masked, placeOf, type Term } from '@netsieve/ir'
import { FIELDS, type FieldId, maxValue } from '@netsieve/packet'

export interface FieldKey {
  readonly field: FieldId
  readonly term: Term
}

/** A field under a mask; of more than 64 bits only whole bytes from its start on. Undefined for other masks. */
export function addressKey(id: FieldId, mask: bigint): FieldKey | undefined {
  const { bits } = FIELDS[id]
  if (mask === maxValue(id)) return { field: id, term: field(id) }
  if (bits <= 64) return { field: id, term: masked(field(id), mask) }
  let bytes = bits / 8
  while (bytes > 0 && ((mask >> BigInt(bits - bytes * 8)) & 0xffn) === 0n) bytes--
  const whole = ((1n << BigInt(bytes * 8)) - 1n) << BigInt(bits - bytes * 8)
  const place = placeOf(id)
  if (mask !== whole || bytes === 0 || !place || place.base !== 'net') return undefined
  return { field: id, term: load(place.base, place.bit / 8, bytes) }
}
