// The bytes of the packet that a term stands for: made readable at a place, and loaded from there.

import { headerEnd, isShort, type Term } from '@netsieve/ir'
import type { MetadataSlot, ProtocolName } from '@netsieve/packet'
import { type BaseRef, MAX_OFFSET, MAX_WALK, type Place } from './access.ts'
import { availAnew, locateAnew } from './anew.ts'
import { R } from './emitter.ts'
import { askKnown } from './metadata.ts'
import { AVAIL_NONE, AVAIL_TINY, SLOT } from './path.ts'
import { branch } from './predicates.ts'
import type { Bits, Failures, Scope } from './scope.ts'
import { BEHIND, reachWire, TAG_END } from './tagged.ts'
import { number } from './terms.ts'

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
    availAnew(e, path)
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
export function reachMetadata({ e, metadata }: Scope, slot: MetadataSlot, failures: Failures): Place {
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
  const furthest = path.anew ? locateAnew(e, access, path, failures.missing) : 0
  const short = !index && isShort(offset * 8, bytes * 8)
  if (view.laterFragments === 'short' && !short && !found) {
    e.put((c) => c.load(4, R.B, R.FP, SLOT.fragment))
    e.jump('jne', R.B, 0, failures.missing)
  }
  const spread = Math.max(furthest, path.kind === 'ipv6' && view.ipv6Walk.length > 0 ? MAX_WALK : 0)
  const ref = { base: 'transport', reg: R.TRANSPORT, disp: 0, spread } as const
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
export function pieces(bytes: number): readonly Piece[] {
  PIECES[bytes] ??= piecesOf(bytes)
  return PIECES[bytes]
}

interface Piece {
  readonly at: number
  readonly size: 1 | 2 | 4 | 8
}

/** By the number of bytes. */
const PIECES: (readonly Piece[])[] = []

function piecesOf(bytes: number): readonly Piece[] {
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
    const all = pieces(bytes)
    for (let i = 0; i < all.length; i++) {
      const { at, size } = all[i]!
      const part = i === 0 ? dst : R.RET
      c.load(size, part, reg, disp + at)
      if (size > 1) c.be(part, (size * 8) as 16 | 32 | 64)
      if (i === 0) continue
      c.alu('lsh', dst, size * 8)
      c.alu('or', dst, { reg: R.RET })
    }
  })
}
