// Where a program finds a packet's metadata: in its context, where the program type has it there; else in a map of one value that is filled
// in before each packet (packet's layoutMetadata), read through its address, without a lookup.

import { CONTEXTS, type ContextName, type MapDef, PROG_TYPES, type ProgTypeName } from '@netsieve/asm'
import { type BaseChain, type Filter, termsOf } from '@netsieve/ir'
import {
  isMetadata,
  layoutMetadata,
  METADATA,
  type MetadataField,
  type MetadataId,
  type MetadataLayout,
  type MetadataSlot,
} from '@netsieve/packet'
import type { Place } from './access.ts'
import { type Emitter, R } from './emitter.ts'

/** The map's name. */
export const METADATA_MAP = 'netsieve_meta'

/** A 32-bit field of the context; `known`: it always is, otherwise 0 says that it is not. */
export interface ContextPlace {
  readonly offset: number
  readonly known: boolean
}

const { fields: XDP } = CONTEXTS.xdp_md
const { fields: SKB } = CONTEXTS.__sk_buff

type Places = Readonly<Partial<Record<MetadataId, ContextPlace>>>
const index = ({ offset }: { readonly offset: number }): ContextPlace => ({ offset, known: false })
const always = ({ offset }: { readonly offset: number }): ContextPlace => ({ offset, known: true })

const OF_SKB: Places = {
  'meta.mark': always(SKB.mark),
  'meta.priority': always(SKB.priority),
  'meta.pkttype': always(SKB.pkt_type),
}
const IN_CONTEXT: Readonly<Record<ContextName, Readonly<Record<'in' | 'out', Places>>>> = {
  xdp_md: {
    in: { 'meta.iif': index(XDP.ingress_ifindex), 'meta.rxqueue': always(XDP.rx_queue_index) },
    out: {},
  },
  __sk_buff: {
    in: { ...OF_SKB, 'meta.iif': index(SKB.ifindex) },
    out: { ...OF_SKB, 'meta.iif': index(SKB.ingress_ifindex), 'meta.oif': index(SKB.ifindex) },
  },
  bpf_nf_ctx: { in: {}, out: {} },
}

/** Hooks of packets that leave: programs for them are attached where packets go out. */
const LEAVING: readonly string[] = ['output', 'postrouting', 'egress']

/** Whether packets at a hook are on their way out. */
export const leaves = (hook: string): boolean => LEAVING.includes(hook)

/** What of the context holds a field for the packets of a base chain. */
function inContext(field: MetadataId, type: ProgTypeName, { hook }: BaseChain): ContextPlace | undefined {
  return IN_CONTEXT[PROG_TYPES[type].context][leaves(hook) ? 'out' : 'in'][field]
}

/** The fields of a filter that its program takes from the map, with their layout; undefined if there are none. */
export function metadataOfFilter(filter: Filter, type: ProgTypeName): MetadataLayout | undefined {
  const fields = new Set<MetadataId>()
  const locals = localsOf(filter)
  for (const base of filter.base) {
    for (const term of termsOf(filter, [base.chain])) {
      if (term.kind === 'field' && isMetadata(term.field) && !inContext(term.field, type, base)) fields.add(term.field)
    }
    for (const field of locals.keys()) if (!inContext(field, type, base)) fields.add(field)
  }
  return fields.size > 0 ? layoutMetadata([...fields].sort()) : undefined
}

export function metadataMap({ bytes }: MetadataLayout): MapDef {
  return { name: METADATA_MAP, type: 'array', keySize: 4, valueSize: bytes, maxEntries: 1 }
}

/** Where the rules of a base chain find metadata. */
export interface MetadataSource {
  readonly context: (field: MetadataId) => ContextPlace | undefined
  readonly slots: ReadonlyMap<MetadataId, MetadataSlot>
  /** Index of the map among the program's. */
  readonly map: number
  /** Stack slots of the fields that rules set: from the start of the program on they have their value there, or NOT_KNOWN. */
  readonly locals: Locals
  /** The function has them by a pointer that it was given, in its own slot at LOCALS. */
  readonly byPointer: boolean
  /** Where in the context a field can be set too, for whoever gets the packet next. */
  readonly writable: (field: MetadataId) => number | undefined
}

/** In the slot of a field that is missing. */
export const NOT_KNOWN = -1
/** The slots lie at the far end of the stack. */
export const LOCALS = -512

/** The fields that rules set, with their places on the stack of the program's main function. */
export type Locals = ReadonlyMap<MetadataId, number>

export function localsOf(filter: Filter): Locals {
  const fields = new Set<MetadataId>()
  for (const { rules } of filter.chains) {
    for (const { steps } of rules) {
      for (let i = 0; i < steps.length; i++) {
        const step = steps[i]!
        if (step.kind === 'set' || step.kind === 'turn') fields.add(step.field)
      }
    }
  }
  return new Map([...fields].sort().map((field, i) => [field, LOCALS + 8 * i]))
}

/** Context fields by the metadata that they are. */
const WRITABLE = { 'meta.mark': SKB.mark, 'meta.priority': SKB.priority } as const

function writableIn(field: MetadataId, type: ProgTypeName): number | undefined {
  const place = field === 'meta.mark' || field === 'meta.priority' ? WRITABLE[field] : undefined
  return place && PROG_TYPES[type].context === '__sk_buff' && (place.write as readonly string[]).includes(type)
    ? place.offset
    : undefined
}

export function sourceFor(
  type: ProgTypeName,
  base: BaseChain,
  program: {
    readonly layout: MetadataLayout | undefined
    readonly map: number
    readonly locals: Locals
    readonly byPointer?: boolean
  },
): MetadataSource {
  return {
    context: (field) => inContext(field, type, base),
    slots: new Map(program.layout?.slots.map((slot) => [slot.field, slot])),
    map: program.map,
    locals: program.locals,
    byPointer: program.byPointer ?? false,
    writable: (field) => writableIn(field, type),
  }
}

/** Where a field that rules set has its value: on the stack, or behind the pointer, which R[reg] becomes. Undefined for other fields. */
export function localPlace(
  e: Emitter,
  { locals, byPointer }: MetadataSource,
  field: MetadataId,
  reg: number,
): Place | undefined {
  const slot = locals.get(field)
  if (slot === undefined) return undefined
  if (!byPointer) return { reg: R.FP, disp: slot }
  e.put((c) => c.load(8, reg, R.FP, LOCALS))
  return { reg, disp: slot - LOCALS }
}

/** Whether the byte that says if a value is known must be asked: what nothing has set reads as 0. */
export function askKnown({ field }: MetadataSlot): boolean {
  const { unset }: MetadataField = METADATA[field]
  return unset === undefined
}
