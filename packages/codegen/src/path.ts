// A way through the program for one kind of frame. Rules are compiled once for each, so what the kind tells (the network protocol, that
// there is no transport header) needs no instruction.

import type { Term, View } from '@netsieve/ir'
import { ETHERTYPE, type FieldId, NFPROTO } from '@netsieve/packet'

export interface Path {
  readonly kind: 'ipv4' | 'ipv6' | 'other' | 'short'
  readonly view: View
  /** Frames were told apart by their type: `other` is neither IPv4 nor IPv6. */
  readonly split: boolean
  /** The outermost tag lies beside the packet (tagged.ts): bytes count as on the wire. */
  readonly tagBeside: boolean
  /** Network fields can be read where their bytes are. */
  readonly net: boolean
  /** `absent`: never; `ready`: R.TRANSPORT (and R.AVAIL where `bounded`) are set; `lazy`: found when first needed. */
  readonly transport: 'absent' | 'ready' | 'lazy'
  /** R.AVAIL holds the bytes left from the transport header, or one of AVAIL_*. */
  readonly bounded: boolean
  /** Rules find the transport header anew (anew.ts): R.TRANSPORT and R.AVAIL are not asked before that. */
  readonly anew?: boolean
  /** The view is a step's own: R.AVAIL does not tell it of later fragments, their slot does. */
  readonly fragmentSlot?: boolean
  /** Where the transport protocol is: a byte of the network header, the stack slot, or nowhere. */
  readonly l4proto: 'absent' | 'slot' | { readonly netByte: number }
}

/** Values of R.AVAIL that are no lengths: no transport header to read; a fragment that xt drops. */
export const AVAIL_NONE = -1
export const AVAIL_TINY = -2

/** Stack slots, from the frame pointer. `bytes` is where helpers put packet bytes, up to 40, `joined` where 16 bytes around a
 * tag are put together; operands are spilled from `spill` down. Lookups have slots below: from `found` up what was found of 7
 * components, from `key` up the key of a hash table or a wide number, from `saved` down 7 registers that are to survive. */
export const SLOT = {
  l4proto: -8,
  // Where the verifier keeps no numbers: it would follow both ways after each rule that asks.
  fragment: -12,
  count: -24,
  forget: -32,
  bytes: -72,
  joined: -88,
  // The dynamic pointer of a netfilter program, whose packets have no tag beside them.
  dynptr: -88,
  index: -96,
  // Of a search in a list (find.ts): where it is, where the list ends, how many rounds are left; and bytes that the verifier keeps no numbers of, as
  // they do not start an eight-byte slot: the type it is looking at, the step to the next, what was seen, what was found.
  walkAt: -104,
  walkEnd: -112,
  walkCount: -120,
  walkType: -127,
  walkStep: -125,
  walkSeen: -124,
  walkFound: -123,
  spill: -136,
  saved: -232,
  // Terms that are kept (kept.ts), from here down: where no lookup is.
  kept: -296,
  key: -392,
  found: -448,
  // Of the transport header, where rules find it anew (anew.ts); none starts an eight-byte slot.
  avail: -484,
  transportAt: -490,
  netAt: -491,
  l4protoAnew: -494,
} as const

/** Two bytes each for where searches in lists ended, so that they are made once on a way; none starts an eight-byte slot (find.ts). */
export const REMEMBERED: readonly number[] = [-454, -452, -450, -462, -460, -458, -470, -468, -466]

/** Value of the l4proto slot when an extension header chain could not be followed. */
export const L4_BROKEN = 256

/** A 16-bit number as it is loaded from network order. */
export const swapped = (value: number): number => ((value & 0xff) << 8) | (value >> 8)

/** A field's value where the path alone tells it: a number, or that it is missing; undefined if the packet must be asked. */
export function known(path: Path, field: FieldId): bigint | 'missing' | undefined {
  const { kind, view } = path
  const ip = kind === 'ipv4' || kind === 'ipv6'
  switch (field) {
    case 'meta.protocol':
      return ip ? BigInt(ETHERTYPE[kind]) : kind === 'short' ? 'missing' : undefined
    case 'meta.nfproto':
      return ip ? BigInt(NFPROTO[kind]) : 'missing'
    case 'meta.l4proto':
      return path.l4proto === 'absent' ? 'missing' : undefined
    case 'eth.type':
      return kind === 'short' ? 'missing' : ip && untouched(view) ? BigInt(ETHERTYPE[kind]) : undefined
    default:
      return undefined
  }
}

/** The path alone tells that a term is not this value: frames of other types than IP have neither of IP's. */
export function excluded({ kind, view, split }: Path, term: Term, value: bigint): boolean {
  if (kind !== 'other' || !split || term.kind !== 'field') return false
  const type = term.field === 'meta.protocol' || (term.field === 'eth.type' && untouched(view))
  return type && (value === BigInt(ETHERTYPE.ipv4) || value === BigInt(ETHERTYPE.ipv6))
}

/** Where tags are not taken off, the type that chose the path is the frame's own. */
function untouched(view: View): boolean {
  return view.tags === 'opaque' || view.tags === 'fixed' || view.tags === 'beside'
}
