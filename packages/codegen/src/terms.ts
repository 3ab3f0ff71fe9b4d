// Terms as masked bytes, and as numbers in registers.

import { placeOf, type Term } from '@netsieve/ir'
import { FIELDS, type FieldId, isMetadata, type MetadataId, type MetadataSlot } from '@netsieve/packet'
import { type Emitter, R } from './emitter.ts'
import { findEntry } from './find.ts'
import { headersSeen } from './headers-seen.ts'
import { jhash } from './jhash.ts'
import { mapped } from './lookup/sets.ts'
import { known, L4_BROKEN, SLOT } from './path.ts'
import { bigEndian, reach } from './reach.ts'
import { type Bits, type Failures, type Scope, setOf } from './scope.ts'
import { metadata, networkProtocol, packetLength } from './told.ts'
import { walkHeaders } from './walk-headers.ts'

/** By the number of bits. */
const ONES: bigint[] = []

function ones(bits: number): bigint {
  ONES[bits] ??= (1n << BigInt(bits)) - 1n
  return ONES[bits]
}

/** Fields of headers, as they lie there in any packet. */
const FIELD_BITS = new Map<FieldId, Bits>()

/** A term as masked bytes of the packet or of its metadata, if it is that simple. */
export function asBits(scope: Scope, term: Term): Bits | undefined {
  switch (term.kind) {
    case 'load': {
      const { base, offset, bytes, index } = term
      return { base, offset, bytes, mask: ones(bytes * 8), shift: 0, ...(index && { index }) }
    }
    case 'mask': {
      const inner = asBits(scope, term.term)
      return (
        inner && { ...inner, mask: inner.mask & (inner.shift === 0 ? term.mask : term.mask << BigInt(inner.shift)) }
      )
    }
    case 'field': {
      const { path } = scope
      if (isMetadata(term.field)) return metadataBits(scope, term.field)
      if (term.field === 'meta.protocol' && path.view.tags === 'beside')
        return { base: 'link', offset: 12, bytes: 2, mask: 0xffffn, shift: 0 }
      if (term.field === 'meta.protocol')
        return scope.access.startsAtNetwork ? undefined : { base: 'net', offset: -2, bytes: 2, mask: 0xffffn, shift: 0 }
      if (term.field === 'meta.l4proto' && typeof path.l4proto === 'object') {
        return { base: 'net', offset: path.l4proto.netByte, bytes: 1, mask: 0xffn, shift: 0 }
      }
      const found = fieldBits(term.field)
      if (!found?.guard || !path.tagBeside || FIELDS[term.field].proto !== 'vlan') return found
      const { guard, ...beside } = found
      return beside
    }
    case 'raw': {
      const { base, bit, bits, index } = term
      return { ...bytesOf(base, bit, bits), ...(index && { index }) }
    }
    default:
      return undefined
  }
}

function fieldBits(field: FieldId): Bits | undefined {
  const known = FIELD_BITS.get(field)
  if (known) return known
  const place = placeOf(field)
  if (!place) return undefined
  const { base, bit, bits, index, guard } = place
  // An entry of a list is looked at by itself, whatever else its protocol needs.
  const { proto } = FIELDS[field]
  const found = { ...bytesOf(base, bit, bits), ...(index ? { index } : { proto }), ...(guard && { guard }) }
  FIELD_BITS.set(field, found)
  return found
}

/** Metadata that lies in the map; what the context has, and the packet's type, are numbers to be found. */
function metadataBits({ metadata }: Scope, field: MetadataId): Bits | undefined {
  const slot = metadata.slots.get(field)
  if (!slot || field === 'meta.pkttype' || metadata.context(field) || metadata.locals.has(field)) return undefined
  return slotBits(slot)
}

export function slotBits(slot: MetadataSlot): Bits {
  return { base: slot, offset: slot.valueAt, bytes: slot.bytes, mask: ones(slot.bytes * 8), shift: 0 }
}

/** The whole bytes around some bits. */
function bytesOf(base: Bits['base'], bit: number, bits: number): Bits {
  const offset = bit >> 3
  const bytes = ((bit + bits + 7) >> 3) - offset
  const shift = (offset + bytes) * 8 - (bit + bits)
  return { base, offset, bytes, mask: ones(bits) << BigInt(shift), shift }
}

/** R.A = the value of a term of at most 64 bits. Clobbers the scratch registers; `depth` counts spilled operands. */
export function number(scope: Scope, term: Term, failures: Failures, depth = 0): void {
  const { e } = scope
  const slot = scope.kept.get(term)
  if (slot === undefined) return computed(scope, term, failures, depth)
  if (e.flow.kept.has(term)) return e.put((c) => c.load(8, R.A, R.FP, slot))
  computed(scope, term, failures, depth)
  e.put((c) => c.store(8, R.FP, slot, { reg: R.A }))
  e.know({ kept: new Set([...e.flow.kept, term]) })
}

function computed(scope: Scope, term: Term, failures: Failures, depth: number): void {
  const { e, access, path } = scope
  switch (term.kind) {
    case 'const':
      return constant(e, R.A, term.value)
    case 'length':
      access.length(e, R.A)
      if (path.tagBeside) e.put((c) => c.alu('add', R.A, 4))
      return
    case 'field': {
      const value = known(path, term.field)
      if (value === 'missing') return e.goto(failures.missing)
      if (value !== undefined) return constant(e, R.A, value)
      if (term.field === 'meta.l4proto' && path.l4proto === 'slot') return l4FromSlot(scope, failures)
      if (term.field === 'meta.length') return packetLength(scope, failures)
      if (term.field === 'meta.protocol' && access.startsAtNetwork) return networkProtocol(scope)
      const bits = asBits(scope, term)
      if (bits) return fromBits(scope, bits, failures, depth)
      return metadata(scope, term.field as MetadataId, failures)
    }
    case 'load':
    case 'raw':
      return fromBits(scope, asBits(scope, term)!, failures, depth)
    case 'find':
      return findEntry(scope, term, { absent: failures.missing, missing: failures.missing, cut: failures.cut })
    case 'mask': {
      const bits = asBits(scope, term)
      if (bits) return fromBits(scope, bits, failures, depth)
      number(scope, term.term, failures, depth)
      return and(e, R.A, term.mask)
    }
    case 'bin':
      return binary(scope, term, failures, depth)
    case 'mapped':
      return mapped(scope, setOf(scope, term.map), term.terms, failures)
    case 'headers':
      return headersSeen(scope, failures.missing)
    case 'jhash':
      return jhash(scope, term, failures)
    case 'walk':
      return walkHeaders(scope, term, failures, depth)
  }
}

export function fromBits(scope: Scope, bits: Bits, failures: Failures, depth: number): void {
  const { e } = scope
  const place = reach(scope, bits, failures, depth)
  // R.A may be the place's own register: load through R.C then.
  const dst = place.reg === R.A ? R.C : R.A
  bigEndian(scope, dst, place, bits.bytes)
  if (dst !== R.A) e.put((c) => c.mov(R.A, { reg: dst }))
  if (bits.shift > 0) e.put((c) => c.alu('rsh', R.A, bits.shift))
  if (bits.mask !== ones(bits.bytes * 8)) and(e, R.A, bits.mask >> BigInt(bits.shift))
}

function l4FromSlot({ e, path }: Scope, failures: Failures): void {
  e.put((c) => (path.anew ? c.load(2, R.A, R.FP, SLOT.l4protoAnew) : c.load(8, R.A, R.FP, SLOT.l4proto)))
  if (path.kind === 'ipv6') e.jump('jeq', R.A, L4_BROKEN, path.view.chainDrops ? failures.cut : failures.missing)
}

function binary(scope: Scope, term: Term & { kind: 'bin' }, failures: Failures, depth: number): void {
  const { e } = scope
  const { op, left, right } = term
  const slot = SLOT.spill - 8 * depth
  number(scope, left, failures, depth)
  if (right.kind === 'const') constant(e, R.B, right.value)
  else {
    e.put((c) => c.store(8, R.FP, slot, { reg: R.A }))
    number(scope, right, failures, depth + 1)
    e.put((c) => {
      c.mov(R.B, { reg: R.A })
      c.load(8, R.A, R.FP, slot)
    })
  }
  if (op === 'div' || op === 'mod') e.jump('jeq', R.B, 0, failures.missing, 32)
  if (op === 'lsh' || op === 'rsh') {
    const [far, done] = [e.label('far'), e.label('shifted')]
    e.jump('jgt', R.B, 31, far)
    e.put((c) => c.alu(op, R.A, { reg: R.B }, 32))
    e.goto(done)
    e.bind(far)
    e.put((c) => c.mov(R.A, 0))
    e.bind(done)
  } else e.put((c) => c.alu(op, R.A, { reg: R.B }, 32))
}

/** R[dst] = a constant, in one slot where it fits. */
export function constant(e: Emitter, dst: number, value: bigint): void {
  e.put((c) => {
    if (value <= 0x7fffffffn) c.mov(dst, Number(value))
    else if (value <= 0xffffffffn) c.mov(dst, Number(BigInt.asIntN(32, value)), 32)
    else c.lddw(dst, value)
  })
}

function and(e: Emitter, dst: number, mask: bigint): void {
  if (mask <= 0x7fffffffn) e.put((c) => c.alu('and', dst, Number(mask)))
  else {
    constant(e, R.RET, mask)
    e.put((c) => c.alu('and', dst, { reg: R.RET }))
  }
}
