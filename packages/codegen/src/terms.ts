// Terms and the bytes they stand for: loads, and numbers in registers.

import type { Label } from '@netsieve/asm'
import { headerEnd, isShort, type Pred, placeOf, type SetDef, type Term, VIEWS, type ViewName } from '@netsieve/ir'
import {
  FIELDS,
  isMetadata,
  type MetadataId,
  type MetadataSlot,
  PACKET_TYPES,
  type ProtocolName,
} from '@netsieve/packet'
import { type Access, type BaseRef, MAX_OFFSET, MAX_WALK, type Place } from './access.ts'
import { locateAnew } from './anew.ts'
import { type Emitter, R } from './emitter.ts'
import { findEntry } from './find.ts'
import type { Kept } from './kept.ts'
import type { Maps } from './lookup/maps.ts'
import { mapped } from './lookup/sets.ts'
import { askKnown, localPlace, type MetadataSource, NOT_KNOWN } from './metadata.ts'
import { AVAIL_NONE, AVAIL_TINY, known, L4_BROKEN, type Path, SLOT } from './path.ts'
import { branch } from './predicates.ts'
import type { StateSource } from './state.ts'
import { BEHIND, reachWire, TAG_END } from './tagged.ts'
import { walkHeaders } from './walk-headers.ts'

/** Where evaluation goes when a term cannot be computed. */
export interface Failures {
  readonly missing: Label
  readonly cut: Label
}

/** Everything a term is compiled in. */
export interface Scope {
  readonly e: Emitter
  readonly access: Access
  readonly path: Path
  readonly netRef: BaseRef
  readonly metadata: MetadataSource
  readonly state: StateSource
  readonly maps: Maps
  readonly sets: ReadonlyMap<string, SetDef>
  readonly kept: Kept
}

/** Whole bytes that hold a term's bits: the value is `(bytes & mask) >> shift`. */
export interface Bits {
  readonly base: 'link' | 'net' | 'transport' | MetadataSlot
  readonly offset: number
  readonly bytes: number
  readonly mask: bigint
  readonly shift: number
  readonly proto?: ProtocolName
  /** Added to the offset; `slot`: it is in its stack slot already. */
  readonly index?: Term | 'slot'
  /** Must hold, or the bytes are not there to be read. */
  readonly guard?: Pred
}

const ones = (bits: number) => (1n << BigInt(bits)) - 1n

/** A term as masked bytes of the packet or of its metadata, if it is that simple. */
export function asBits(scope: Scope, term: Term): Bits | undefined {
  switch (term.kind) {
    case 'load': {
      const { base, offset, bytes, index } = term
      return { base, offset, bytes, mask: ones(bytes * 8), shift: 0, ...(index && { index }) }
    }
    case 'mask': {
      const inner = asBits(scope, term.term)
      return inner && { ...inner, mask: inner.mask & (term.mask << BigInt(inner.shift)) }
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
      const place = placeOf(term.field)
      if (!place) return undefined
      const { base, bit, bits, index, guard } = place
      // An entry of a list is looked at by itself, whatever else its protocol needs.
      const { proto } = FIELDS[term.field]
      const beside = path.tagBeside && proto === 'vlan'
      return {
        ...bytesOf(base, bit, bits),
        ...(index ? { index } : { proto }),
        ...(guard && !beside && { guard }),
      }
    }
    case 'raw': {
      const { base, bit, bits, index } = term
      return { ...bytesOf(base, bit, bits), ...(index && { index }) }
    }
    default:
      return undefined
  }
}

/** Metadata that lies in the map; what the context has, and the packet's type, are numbers to be found. */
function metadataBits({ metadata }: Scope, field: MetadataId): Bits | undefined {
  const slot = metadata.slots.get(field)
  if (!slot || field === 'meta.pkttype' || metadata.context(field) || metadata.locals.has(field)) return undefined
  return slotBits(slot)
}

function slotBits(slot: MetadataSlot): Bits {
  return { base: slot, offset: slot.valueAt, bytes: slot.bytes, mask: ones(slot.bytes * 8), shift: 0 }
}

/** The whole bytes around some bits. */
function bytesOf(base: Bits['base'], bit: number, bits: number): Bits {
  const offset = bit >> 3
  const bytes = ((bit + bits + 7) >> 3) - offset
  const shift = (offset + bytes) * 8 - (bit + bits)
  return { base, offset, bytes, mask: ones(bits) << BigInt(shift), shift }
}

/** Makes the bytes of a term readable, or goes where the view says. Leaves the code unreachable if they never are. */
export function reach(scope: Scope, bits: Bits, failures: Failures, depth = 0): Place {
  const { e, access, path } = scope
  if (typeof bits.base === 'object') return reachMetadata(scope, bits.base, failures)
  if (bits.guard) {
    const there = e.label('there')
    branch(scope, bits.guard, there, failures.missing, failures)
    e.bind(there)
  }
  if (bits.index && bits.index !== 'slot') {
    number(scope, bits.index, failures, depth)
    e.put((c) => c.store(8, R.FP, SLOT.index, { reg: R.A }))
  }
  const ref = baseOf(scope, bits, failures)
  if (!ref || !e.reachable) {
    e.goto(failures.missing)
    return { reg: R.FP, disp: SLOT.bytes }
  }
  if (path.view.trim && bits.base === 'net') netEnd(scope, bits, failures)
  if (path.tagBeside && ref.wire !== undefined) return onWire(scope, ref.wire, bits, failures)
  if (!bits.index) return access.reach(e, ref, bits.offset, bits.bytes, failures.missing)
  if (bits.base === 'transport' && path.bounded) {
    indexedEnd(scope, bits)
    e.jump('jsgt', R.B, { reg: R.AVAIL }, failures.missing)
  }
  e.put((c) => c.load(8, R.A, R.FP, SLOT.index))
  return access.reachIndexed(e, ref, bits.offset, bits.bytes, failures.missing)
}

/**
 * Bytes of a frame whose tag lies beside it. An index that points before the tag's end finds nothing: which bytes to put together would have to
 * be known here.
 */
function onWire({ e, access }: Scope, wire: number, { offset, bytes, index }: Bits, failures: Failures): Place {
  const from = wire + offset
  if (!index) return reachWire(e, access, from, bytes, failures.missing)
  e.put((c) => c.load(8, R.A, R.FP, SLOT.index))
  if (from < TAG_END) e.jump('jlt', R.A, TAG_END - from, failures.missing)
  // Behind the tag data lie four bytes further in front; the place is in the register, since no fixed part of a pointer may be negative.
  e.jump('jgt', R.A, MAX_OFFSET, failures.missing)
  e.put((c) => c.alu('add', R.A, from + BEHIND.disp))
  return access.reachIndexed(e, { ...BEHIND, disp: 0 }, 0, bytes, failures.missing)
}

/** R.B = where an indexed load ends, from its base. */
function indexedEnd({ e }: Scope, { offset, bytes }: Bits): void {
  e.put((c) => {
    c.load(8, R.B, R.FP, SLOT.index)
    c.alu('add', R.B, offset + bytes)
  })
}

/** R.A = the address of the metadata in the map. */
function reachMetadata({ e, metadata }: Scope, slot: MetadataSlot, failures: Failures): Place {
  e.put((c) => c.mapValue(R.A, metadata.map))
  if (askKnown(slot)) {
    e.put((c) => c.load(1, R.C, R.A, slot.knownAt))
    e.jump('jeq', R.C, 0, failures.missing)
  }
  return { reg: R.A, disp: slot.valueAt }
}

function baseOf(scope: Scope, bits: Bits, failures: Failures): BaseRef | undefined {
  const { path, netRef } = scope
  switch (bits.base) {
    case 'link':
      return { base: 'link', reg: undefined, disp: 0, wire: 0 }
    case 'net':
      // The type before the network header is there even where the header is not.
      return path.net || bits.offset < 0 ? netRef : undefined
    case 'transport':
      return path.transport === 'absent' ? undefined : transport(scope, bits, failures)
    default:
      return undefined
  }
}

/** The transport header's place for a search in a list of its protocol, whose fixed header is there; undefined if it never is. */
export function transportBase(
  scope: Scope,
  proto: ProtocolName,
  bytes: number,
  failures: Failures,
): BaseRef | undefined {
  const anyFragment = proto === 'sctp' && scope.path.view.lists.fragments
  const index: Term = anyFragment ? { kind: 'find', list: 'sctp', type: 0, bytes: 0 } : { kind: 'length' }
  const bits: Bits = { base: 'transport', offset: 0, bytes, mask: 0n, shift: 0, proto, index }
  const ref = baseOf(scope, bits, failures)
  if (ref && scope.e.reachable) scope.access.reach(scope.e, ref, 0, bytes, failures.missing)
  return ref
}

/** The transport header's place; checks what the view wants to be there of it. */
function transport(scope: Scope, { offset, bytes, proto, index }: Bits, failures: Failures): BaseRef {
  const { e, access, path, netRef } = scope
  const { view } = path
  if (path.transport === 'lazy' && path.kind === 'ipv6') {
    access.reach(e, netRef, 0, 40, failures.missing)
    return { ...netRef, disp: netRef.disp + 40 }
  }
  if (path.transport === 'lazy') {
    if (!e.flow.located) {
      const { reg, disp } = access.reach(e, netRef, 0, 1, failures.missing)
      e.put((c) => {
        c.load(1, R.TRANSPORT, reg, disp)
        c.alu('and', R.TRANSPORT, 0xf)
        c.alu('lsh', R.TRANSPORT, 2)
        const from = netRef.reg ?? (reg === R.FP ? undefined : R.DATA)
        if (from !== undefined) c.alu('add', R.TRANSPORT, { reg: from })
      })
      e.know({ located: true, transport: 0 })
    }
    return { base: 'transport', reg: R.TRANSPORT, disp: netRef.disp }
  }
  // A search in a list has minded fragments.
  const found = typeof index === 'object' && index.kind === 'find'
  if (path.fragmentSlot && view.laterFragments === 'none' && !found) {
    e.put((c) => c.load(4, R.B, R.FP, SLOT.fragment))
    if (path.kind === 'ipv4' && proto !== undefined && view.tinyDrops.includes(proto))
      e.jump('jeq', R.B, 1, failures.cut)
    e.jump('jne', R.B, 0, failures.missing)
  }
  if (path.bounded) enough(scope, proto, offset + bytes, failures)
  const furthest = path.anew ? locateAnew(e, access, path) : 0
  const short = !index && isShort(offset * 8, bytes * 8)
  if (view.laterFragments === 'short' && !short && !found) {
    e.put((c) => c.load(4, R.B, R.FP, SLOT.fragment))
    e.jump('jne', R.B, 0, failures.missing)
  }
  const spread = Math.max(furthest, path.kind === 'ipv6' && view.ipv6Walk.length > 0 ? MAX_WALK : 0)
  const ref = { base: 'transport', reg: R.TRANSPORT, disp: 0, spread } as const
  if (path.kind === 'ipv6' && view.trim && proto !== undefined && view.cutDrops.includes(proto)) {
    // A jumbogram's packet ends where its frame does, which R.AVAIL does not tell: a header that is cut there is cut.
    access.reach(e, ref, headerEnd(proto) - 1, 1, failures.cut)
  }
  if (view.transportNeeds === 'header' && proto !== undefined && !view.trim) {
    // Where nothing trims the packet, its header ends within the frame or is not there: its last byte tells.
    const end = headerEnd(proto)
    if (end > offset + bytes) access.reach(e, ref, end - 1, 1, failures.missing)
  }
  return ref
}

/** Goes on only if R.AVAIL is at least what the field, or its header, needs. */
function enough({ e, path }: Scope, proto: ProtocolName | undefined, end: number, failures: Failures): void {
  const { view } = path
  const header = view.transportNeeds === 'header' && proto !== undefined
  const need = header ? Math.max(headerEnd(proto), end) : end
  if (e.flow.avail >= need) return
  const [avail, width] = path.anew ? ([R.B, 32] as const) : ([R.AVAIL, 64] as const)
  if (path.anew) e.put((c) => c.load(4, avail, R.FP, SLOT.avail))
  if (header && view.cutDrops.includes(proto)) {
    const ok = e.label('whole')
    e.jump('jsge', avail, need, ok, width)
    e.jump('jeq', avail, AVAIL_NONE, failures.missing, width)
    if (!view.tinyDrops.includes(proto)) e.jump('jeq', avail, AVAIL_TINY, failures.missing, width)
    e.goto(failures.cut)
    e.bind(ok)
  } else e.jump('jslt', avail, need, failures.missing, width)
  e.know({ avail: need })
}

/** Network loads past the fixed header, where the packet may end before the frame does. */
function netEnd(scope: Scope, bits: Bits, failures: Failures): void {
  const { e, access, path, netRef } = scope
  const fixed = path.kind === 'ipv4' ? 20 : 40
  const end = bits.offset + bits.bytes
  if (!bits.index && end <= fixed) return
  // IPv4 tells its whole length, IPv6 what follows its header.
  const { reg, disp } = access.reach(e, netRef, path.kind === 'ipv4' ? 2 : 4, 2, failures.missing)
  e.put((c) => {
    c.load(2, R.RET, reg, disp)
    c.be(R.RET, 16)
    if (path.kind === 'ipv6') c.alu('add', R.RET, 40)
  })
  const ok = e.label('inside')
  if (bits.index) {
    indexedEnd(scope, bits)
    e.jump('jle', R.B, { reg: R.RET }, ok)
  } else e.jump('jge', R.RET, end, ok)
  if (path.kind === 'ipv6') {
    // A payload length of 0 before hop-by-hop options: the frame's own end counts.
    e.jump('jne', R.RET, 40, failures.missing)
    const next = access.reach(e, netRef, 6, 1, failures.missing)
    e.put((c) => c.load(1, R.RET, next.reg, next.disp))
    e.jump('jeq', R.RET, 0, ok)
  }
  e.goto(failures.missing)
  e.bind(ok)
}

/** The pieces a number of bytes is loaded in, widest first; on the stack each stays aligned. */
export function pieces(bytes: number): { readonly at: number; readonly size: 1 | 2 | 4 | 8 }[] {
  const out: { at: number; size: 1 | 2 | 4 | 8 }[] = []
  for (let at = 0; at < bytes; ) {
    const size = ([8, 4, 2, 1] as const).find((width) => at + width <= bytes)!
    out.push({ at, size })
    at += size
  }
  return out
}

/** R[dst] = `bytes` bytes at a place as a big-endian number; at most 8 bytes, `dst` may not be the place's register. */
export function bigEndian({ e }: Scope, dst: number, { reg, disp }: Place, bytes: number): void {
  e.put((c) => {
    for (const [i, { at, size }] of pieces(bytes).entries()) {
      const part = i === 0 ? dst : R.RET
      c.load(size, part, reg, disp + at)
      if (size > 1) c.be(part, (size * 8) as 16 | 32 | 64)
      if (i === 0) continue
      c.alu('lsh', dst, size * 8)
      c.alu('or', dst, { reg: R.RET })
    }
  })
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
    case 'walk':
      return walkHeaders(scope, term, failures, depth)
  }
}

/** The same with the packet as another view has it, whose headers are at the same places. */
export function seenAs(scope: Scope, view: ViewName | undefined): Scope {
  const { path } = scope
  if (!view) return scope
  return { ...scope, path: { ...path, view: VIEWS[view], fragmentSlot: path.view.laterFragments === 'short' } }
}

/** @throws Error if there is no such set, which `check` refuses. */
export function setOf({ sets }: Scope, name: string): SetDef {
  const set = sets.get(name)
  if (!set) throw new Error(`set ${name} is not defined`)
  return set
}

function fromBits(scope: Scope, bits: Bits, failures: Failures, depth: number): void {
  const { e } = scope
  const place = reach(scope, bits, failures, depth)
  // R.A may be the place's own register: load through R.C then.
  const dst = place.reg === R.A ? R.C : R.A
  bigEndian(scope, dst, place, bits.bytes)
  if (dst !== R.A) e.put((c) => c.mov(R.A, { reg: dst }))
  if (bits.shift > 0) e.put((c) => c.alu('rsh', R.A, bits.shift))
  if (bits.mask !== ones(bits.bytes * 8)) and(e, R.A, bits.mask >> BigInt(bits.shift))
}

/** R.A = the network protocol that the context tells. */
function networkProtocol({ e, access }: Scope): void {
  access.protocol(e, R.A)
  e.put((c) => c.be(R.A, 16))
}

/** R.A = metadata that the context has, or the packet's type. */
function metadata(scope: Scope, field: MetadataId, failures: Failures): void {
  const { e, metadata: source } = scope
  const local = localPlace(e, source, field, R.A)
  if (local) {
    e.put((c) => c.load(8, R.A, local.reg, local.disp))
    return e.jump('jeq', R.A, NOT_KNOWN, failures.missing)
  }
  const place = source.context(field)
  const slot = source.slots.get(field)!
  if (!place && field === 'meta.pkttype') return packetType(scope, slot)
  if (!place) return fromBits(scope, slotBits(slot), failures, 0)
  e.put((c) => c.load(4, R.A, R.CTX, place.offset))
  if (!place.known) e.jump('jeq', R.A, 0, failures.missing)
}

/** R.A = the packet's type: what the map says, else what the destination address tells. */
function packetType(scope: Scope, slot: MetadataSlot): void {
  const { e, access } = scope
  const [derived, done] = [e.label('derived'), e.label('type')]
  const { reg, disp } = reachMetadata(scope, slot, { missing: derived, cut: derived })
  e.put((c) => c.load(1, R.A, reg, disp))
  e.goto(done)
  e.bind(derived)
  const host = e.label('host')
  if (access.startsAtNetwork) {
    // There is no destination to look at: what nobody tells is taken to be for this host.
    e.put((c) => c.mov(R.A, PACKET_TYPES.host))
    return e.bind(done)
  }
  const place = access.reach(e, { base: 'link', reg: undefined, disp: 0 }, 0, 6, host)
  e.put((c) => c.load(1, R.A, place.reg, place.disp))
  const group = e.label('group')
  e.jump('jset', R.A, 1, group)
  e.bind(host)
  e.put((c) => c.mov(R.A, PACKET_TYPES.host))
  e.goto(done)
  e.bind(group)
  e.put((c) => {
    c.mov(R.A, PACKET_TYPES.multicast)
    c.load(2, R.B, place.reg, place.disp)
  })
  e.jump('jne', R.B, 0xffff, done)
  e.put((c) => c.load(4, R.B, place.reg, place.disp + 2))
  e.jump('jne', R.B, -1, done, 32)
  e.put((c) => c.mov(R.A, PACKET_TYPES.broadcast))
  e.bind(done)
}

/** R.A = bytes from the network header on: those that the IP header tells where the view trims packets, else what is there. */
function packetLength({ e, access, path, netRef }: Scope, failures: Failures): void {
  if (!path.net) return e.goto(failures.missing)
  const done = e.label('length')
  const whole = () => {
    access.offsetInto(e, R.B, netRef)
    access.length(e, R.A)
    // A tag beside the packet counts on the wire, where the base is counted there.
    if (path.tagBeside && netRef.wire !== undefined) e.put((c) => c.alu('add', R.A, 4))
    e.put((c) => c.alu('sub', R.A, { reg: R.B }))
  }
  if (!path.view.trim) return whole()
  const { reg, disp } = access.reach(
    e,
    netRef,
    path.kind === 'ipv4' ? 2 : 4,
    path.kind === 'ipv4' ? 2 : 3,
    failures.missing,
  )
  e.put((c) => {
    c.load(2, R.A, reg, disp)
    if (path.kind === 'ipv6') c.load(1, R.B, reg, disp + 2)
    c.be(R.A, 16)
  })
  if (path.kind === 'ipv4') return
  const sized = e.label('sized')
  // A payload length of 0 before hop-by-hop options: a jumbogram, as long as what came.
  e.jump('jne', R.A, 0, sized)
  e.jump('jne', R.B, 0, sized)
  whole()
  e.goto(done)
  e.bind(sized)
  e.put((c) => c.alu('add', R.A, 40))
  e.bind(done)
}

/** R.A = what counters and limits count of a packet: its bytes from the network header on, or all of them where there is none. */
export function packetBytes(scope: Scope): void {
  const { e, access, path } = scope
  const [all, done] = [e.label('all'), e.label('bytes')]
  packetLength(scope, { missing: all, cut: all })
  e.goto(done)
  e.bind(all)
  access.length(e, R.A)
  if (path.tagBeside) e.put((c) => c.alu('add', R.A, 4))
  e.bind(done)
}

/** Puts the values of fields that rules set where they are looked for from here on. */
export function fillLocals(scope: Scope, field: MetadataId, slot: number): void {
  const { e, metadata: source } = scope
  const [missing, done] = [e.label('missing'), e.label('set')]
  metadata({ ...scope, metadata: { ...source, locals: new Map() } }, field, { missing, cut: missing })
  e.goto(done)
  e.bind(missing)
  e.put((c) => c.mov(R.A, NOT_KNOWN))
  e.bind(done)
  e.put((c) => c.store(8, R.FP, slot, { reg: R.A }))
}

/** A field has the value of a term from here on, in the context too where that may be written. */
export function setMetadata(scope: Scope, field: MetadataId, term: Term, failures: Failures): void {
  const { e, metadata: source } = scope
  number(scope, term, failures)
  const writable = source.writable(field)
  const local = localPlace(e, source, field, R.B)!
  e.put((c) => {
    c.store(8, local.reg, local.disp, { reg: R.A })
    if (writable !== undefined) c.store(4, R.CTX, writable, { reg: R.A })
  })
}

function l4FromSlot({ e, path }: Scope, failures: Failures): void {
  e.put((c) => c.load(8, R.A, R.FP, SLOT.l4proto))
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
