// What is told of a packet beside its headers: metadata, its type, its length.

import type { Term } from '@netsieve/ir'
import { type MetadataId, type MetadataSlot, PACKET_TYPES } from '@netsieve/packet'
import { R } from './emitter.ts'
import { localPlace, NOT_KNOWN } from './metadata.ts'
import { reachMetadata } from './reach.ts'
import type { Failures, Scope } from './scope.ts'
import { fromBits, number, slotBits } from './terms.ts'

/** R.A = the network protocol that the context tells. */
export function networkProtocol({ e, access }: Scope): void {
  access.protocol(e, R.A)
  e.put((c) => c.be(R.A, 16))
}

/** R.A = metadata that the context has, or the packet's type. */
export function metadata(scope: Scope, field: MetadataId, failures: Failures): void {
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
export function packetLength({ e, access, path, netRef }: Scope, failures: Failures): void {
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
  number(scope, term, failures)
  storeMetadata(scope, field)
}

/** Metadata has the number in R.A from here on. */
export function storeMetadata(scope: Scope, field: MetadataId): void {
  const { e, metadata: source } = scope
  const writable = source.writable(field)
  const local = localPlace(e, source, field, R.B)!
  e.put((c) => {
    c.store(8, local.reg, local.disp, { reg: R.A })
    if (writable !== undefined) c.store(4, R.CTX, writable, { reg: R.A })
  })
}
