// What terms and predicates are on a packet, as a view sees it: numbers and truth, or why there is neither.

import {
  FIELDS,
  type FieldId,
  isMetadata,
  type MetadataId,
  metadataOf,
  NFPROTO,
  type ProtocolName,
  protocol,
  readBits,
} from '@netsieve/packet'
import { arithmetic, compareValues } from './arithmetic.ts'
import { containsBytes } from './contains.ts'
import { headersSeen } from './headers.ts'
import { jhash } from './jhash.ts'
import { type FoundAt, findEntry } from './lists.ts'
import type { Located } from './locate.ts'
import { entryOf, placeOf } from './places.ts'
import { findElement } from './sets.ts'
import type { FilterState } from './state.ts'
import type { ElementData, Find, Pred, SetDef, Term } from './types.ts'
import type { View } from './views.ts'
import { walkHeaders } from './walk-headers.ts'

/** A packet on its way through the base chains, with what steps change. */
export interface Packet {
  readonly frame: Uint8Array
  readonly wireLength: number
  readonly metadata: Partial<Record<MetadataId, bigint>>
  readonly now: bigint
  readonly state: FilterState
  readonly logs: { readonly rule: number; readonly words: string }[]
}

/** A term that cannot be computed: the field is not there, or the packet is dropped for asking. */
export type Failure = 'missing' | 'cut'
/** Reads one packet for the rules of a base chain. */
export class Reading {
  private readonly sets: ReadonlyMap<string, SetDef>
  /** The base chain's view, or that of the step that is looked at. */
  view: View
  private readonly located: Located
  private readonly packet: Packet

  constructor(sets: ReadonlyMap<string, SetDef>, view: View, located: Located, packet: Packet) {
    this.sets = sets
    this.view = view
    this.located = located
    this.packet = packet
  }

  /** What counters and limits count of a packet: its bytes from the network header on, or all where there is none. */
  bytes(): bigint {
    return BigInt(this.length() ?? this.packet.wireLength)
  }

  /** What a set holds for a key. @throws Error if there is no such set. */
  find(name: string, terms: readonly Term[]): ElementData | Failure | undefined {
    const set = this.sets.get(name)
    if (!set) throw new Error(`set ${name} is not defined`)
    const key = this.key(terms)
    return typeof key === 'string' ? key : findElement(set, key)
  }

  /** The values of terms, in their order. */
  key(terms: readonly Term[]): bigint[] | Failure {
    const key: bigint[] = []
    for (const term of terms) {
      const value = this.asked(term)
      if (typeof value === 'string') return value
      key.push(value)
    }
    return key
  }

  pred(pred: Pred): boolean | Failure {
    switch (pred.kind) {
      case 'const':
        return pred.value
      case 'cmp': {
        const value = this.asked(pred.term)
        return typeof value === 'string' ? value : compareValues(value, pred.test, pred.value)
      }
      case 'in': {
        const value = this.asked(pred.term)
        return typeof value === 'string' ? value : pred.ranges.some(({ lo, hi }) => lo <= value && value <= hi)
      }
      case 'relation': {
        const left = this.term(pred.left)
        if (typeof left === 'string') return left
        const right = this.term(pred.right)
        return typeof right === 'string' ? right : compareValues(left, pred.test, right)
      }
      case 'inSet': {
        const found = this.find(pred.set, pred.terms)
        return typeof found === 'string' ? found : found !== undefined
      }
      case 'exists': {
        const at = this.entry(entryOf(pred.what))
        return typeof at === 'number' || (at === 'absent' ? false : at)
      }
      case 'contains': {
        const { net, netEnd } = this.located
        return net !== undefined && containsBytes(this.packet.frame.subarray(net, netEnd), pred)
      }
      case 'and':
      case 'or': {
        const decides = pred.kind === 'or'
        for (const arg of pred.args) {
          const holds = this.pred(arg)
          if (holds !== !decides) return holds
        }
        return !decides
      }
      case 'not': {
        const holds = this.pred(pred.arg)
        return typeof holds === 'string' ? holds : !holds
      }
      case 'sure': {
        const holds = this.pred(pred.arg)
        return holds === 'missing' ? false : holds
      }
    }
  }

  /** The term of a comparison: where a view reads 0 for what is not there, the whole term is 0. */
  asked(term: Term): bigint | Failure {
    const value = this.term(term)
    return value === 'missing' && this.view.missing === 'zero' ? 0n : value
  }

  private entry(find: Find): FoundAt {
    const { view, located } = this
    const { frame } = this.packet
    const transportFailure = (start: number, proto: ProtocolName) => this.transportFailure(start, false, proto)
    return findEntry({ view, frame, located, transportFailure }, find)
  }

  private field(field: FieldId): bigint | Failure {
    const place = placeOf(field)
    if (!place) return this.meta(field)
    const { base, bit, bits, guard } = place
    const held = guard ? this.pred(guard) : true
    if (held !== true) return held === 'cut' ? 'cut' : 'missing'
    const index = place.index ? this.term(place.index) : 0n
    if (typeof index === 'string') return index
    const indexed = indexing(place.index)
    // An entry of a list is looked at by itself, whatever else its protocol needs.
    const proto = indexed === 'no' ? FIELDS[field].proto : undefined
    return this.bits(base, bit + Number(index) * 8, bits, proto, indexed)
  }

  private term(term: Term): bigint | Failure {
    switch (term.kind) {
      case 'const':
        return term.value
      case 'length':
        return BigInt(this.packet.wireLength)
      case 'field':
        return this.field(term.field)
      case 'raw': {
        const index = term.index ? this.term(term.index) : 0n
        if (typeof index === 'string') return index
        return this.bits(term.base, term.bit + Number(index) * 8, term.bits, undefined, indexing(term.index))
      }
      case 'find': {
        const at = this.entry(term)
        return typeof at === 'number' ? BigInt(at) : at === 'cut' ? 'cut' : 'missing'
      }
      case 'load': {
        const index = term.index ? this.term(term.index) : 0n
        if (typeof index === 'string') return index
        return this.bits(term.base, (term.offset + Number(index)) * 8, term.bytes * 8, undefined, indexing(term.index))
      }
      case 'mask': {
        const value = this.term(term.term)
        return typeof value === 'string' ? value : value & term.mask
      }
      case 'bin': {
        const left = this.term(term.left)
        if (typeof left === 'string') return left
        const right = this.term(term.right)
        return typeof right === 'string' ? right : arithmetic(term.op, left, right)
      }
      case 'mapped': {
        const found = this.find(term.map, term.terms)
        return typeof found === 'string' ? found : (found?.value ?? 'missing')
      }
      case 'headers':
        return headersSeen(this.packet.frame, this.located) ?? 'missing'
      case 'jhash': {
        const key = this.key(term.parts.map((part) => part.term))
        return typeof key === 'string' ? key : jhash(term, key)
      }
      case 'walk': {
        const last = walkHeaders(this.packet.frame, term)
        return last === undefined ? 'missing' : BigInt(last)
      }
    }
  }

  private meta(field: FieldId): bigint | Failure {
    if (isMetadata(field)) return metadataOf(field, this.packet.metadata, this.packet.frame) ?? 'missing'
    const { protocol, nfproto, l4proto } = this.located
    if (l4proto === 'broken' && field === 'meta.l4proto') return this.view.chainDrops ? 'cut' : 'missing'
    const values: Readonly<Record<string, number | 'broken' | undefined>> = {
      'meta.protocol': protocol,
      'meta.nfproto': nfproto,
      'meta.l4proto': l4proto,
      'meta.length': this.length(),
    }
    const value = values[field]
    return typeof value === 'number' ? BigInt(value) : 'missing'
  }

  /** Bytes from the network header on: up to the packet's end where the view trims it to that, else to the frame's on the wire. */
  private length(): number | undefined {
    const { net, netEnd, nfproto } = this.located
    if (net === undefined) return undefined
    const { frame, wireLength } = this.packet
    // The length of a jumbogram is that of what came.
    const jumbo = nfproto === NFPROTO.ipv6 && frame[net + 4] === 0 && frame[net + 5] === 0 && frame[net + 6] === 0
    return (this.view.trim && !jumbo ? netEnd : wireLength) - net
  }

  private bits(
    base: 'link' | 'net' | 'transport',
    bit: number,
    bits: number,
    proto?: ProtocolName,
    indexed: 'no' | 'computed' | 'found' = 'no',
  ): bigint | Failure {
    if (base === 'link') return readBits(this.packet.frame, bit, bits) ?? 'missing'
    const { net, transport, netEnd } = this.located
    const start = base === 'net' ? net : transport
    if (start === undefined) return 'missing'
    // A search in a list has minded fragments.
    if (base === 'transport' && indexed !== 'found') {
      const failure = this.transportFailure(start, indexed === 'no' && isShort(bit, bits), proto)
      if (failure) return failure
    }
    return readBits(this.packet.frame.subarray(0, netEnd), start * 8 + bit, bits) ?? 'missing'
  }

  /** Why a transport field may not be read although its bytes may be there: fragments and cut headers, as the view has it. */
  private transportFailure(start: number, short: boolean, proto: ProtocolName | undefined): Failure | undefined {
    const { view } = this
    const { fragment, netEnd, nfproto } = this.located
    const named = proto !== undefined
    if (fragment.offset !== 0) {
      const tiny = fragment.offset === 1 && nfproto === NFPROTO.ipv4
      if (named && tiny && view.tinyDrops.includes(proto)) return 'cut'
      if (view.laterFragments === 'none') return 'missing'
      if (view.laterFragments === 'short' && !short) return 'missing'
    } else if (fragment.more && view.firstFragments === 'none') return 'missing'
    if (view.transportNeeds === 'header' && named && start + headerEnd(proto) > netEnd) {
      return view.cutDrops.includes(proto) ? 'cut' : 'missing'
    }
    return undefined
  }
}

/** What a place is counted from beside its base. */
function indexing(index: Term | undefined): 'no' | 'computed' | 'found' {
  return index === undefined ? 'no' : index.kind === 'find' ? 'found' : 'computed'
}

/** Where a protocol's fixed header ends, from its base. */
export function headerEnd(name: ProtocolName): number {
  const { at = 0, minBytes } = protocol(name)
  return at + minBytes
}

/** The bytes that hold the bits are 1, 2 or 4, aligned to their number (an index makes a load long, wherever it ends). */
export function isShort(bit: number, bits: number): boolean {
  const first = Math.floor(bit / 8)
  const bytes = Math.ceil((bit + bits) / 8) - first
  return (bytes === 1 || bytes === 2 || bytes === 4) && first % bytes === 0
}
