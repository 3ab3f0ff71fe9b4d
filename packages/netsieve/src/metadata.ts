// A packet's metadata on its way into a program: into the context that the machine fills, and into the map that the program reads.

import { PROG_TYPES } from '@netsieve/asm'
import { leaves, METADATA_MAP } from '@netsieve/codegen'
import { type Filter, termsOf } from '@netsieve/ir'
import {
  isMetadata,
  METADATA,
  type Metadata,
  type MetadataField,
  type MetadataId,
  metadataOf,
  writeMetadata,
} from '@netsieve/packet'
import type { Machine, PacketMeta } from '@netsieve/vm'
import type { Compiled } from './pipeline.ts'

const KEY = new Uint8Array(4)

/** Writes a packet's metadata where the program looks for it. */
export function fillMetadata(
  { metadata, type }: Compiled,
  machine: Machine,
  values: Metadata,
  frame: Uint8Array,
): void {
  if (!metadata) return
  // What a frame's destination tells is told to programs that do not see it.
  const blind = PROG_TYPES[type].firstHeader === 'net' && metadata.slots.some(({ field }) => field === 'meta.pkttype')
  const told = blind ? { ...values, 'meta.pkttype': metadataOf('meta.pkttype', values, frame)! } : values
  machine.map(METADATA_MAP).set(KEY, writeMetadata(metadata, told))
}

/** What the context says of a packet; a device that is not known has the index 0. */
export function contextMetadata({ filter }: Compiled, values: Metadata, frame: Uint8Array): PacketMeta {
  if (!filter || metadataFields(filter).length === 0) return {}
  const number = (field: MetadataId) => Number(metadataOf(field, values, frame) ?? 0n)
  const out = filter.base.some(({ hook }) => leaves(hook))
  return {
    ifindex: number(out ? 'meta.oif' : 'meta.iif'),
    ingressIfindex: number('meta.iif'),
    rxQueue: number('meta.rxqueue'),
    mark: number('meta.mark'),
    priority: number('meta.priority'),
    pktType: number('meta.pkttype'),
  }
}

const FIELDS_OF = new WeakMap<Filter, readonly MetadataId[]>()

/** The metadata that a filter's rules ask for. */
export function metadataFields(filter: Filter): readonly MetadataId[] {
  let fields = FIELDS_OF.get(filter)
  if (!fields) {
    const found = new Set<MetadataId>()
    for (const term of termsOf(filter)) if (term.kind === 'field' && isMetadata(term.field)) found.add(term.field)
    fields = [...found]
    FIELDS_OF.set(filter, fields)
  }
  return fields
}

/** Whether a field is missing unless something beside the packet's bytes tells it. */
export function needsSidecar(field: MetadataId): boolean {
  const { unset }: MetadataField = METADATA[field]
  return unset === undefined && field !== 'meta.pkttype'
}
