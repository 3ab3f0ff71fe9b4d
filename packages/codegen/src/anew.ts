// Long lists of rules: what a verifier learns of the packet at one rule, how far its transport header reaches, it must not know at the next. It would
// follow the rest of the list for every combination of what it could have learnt before. So the header's place, length and protocol lie on the stack in
// bytes that it keeps no numbers of, and each rule that asks starts from there.

import type { Label } from '@netsieve/asm'
import { type Access, type BaseRef, MAX_WALK } from './access.ts'
import { type Emitter, R } from './emitter.ts'
import { type Path, SLOT } from './path.ts'

/** No transport header that is found is further from the packet's start: link header and tags, and what `MAX_WALK` takes. */
const FURTHEST = MAX_WALK + 0x40

/** Puts aside where the headers are that were found; the path on which rules find the transport header anew. */
export function setAside(e: Emitter, access: Access, path: Path, netRef: BaseRef): Path {
  const ready = path.transport === 'ready'
  if (ready) {
    access.offsetInto(e, R.A, { base: 'transport', reg: R.TRANSPORT, disp: 0 })
    e.put((c) => {
      c.store(sizeFor(path), R.FP, SLOT.transportAt, { reg: R.A })
      if (path.bounded) c.store(4, R.FP, SLOT.avail, { reg: R.AVAIL })
      if (path.l4proto !== 'slot') return
      c.load(8, R.A, R.FP, SLOT.l4proto)
      c.store(2, R.FP, SLOT.l4protoAnew, { reg: R.A })
    })
  }
  // Of other types than IP, rules may ask for the bytes before the header: it must be known how many there are.
  if (netRef.reg === R.NET && path.net && path.kind !== 'other') sameNetwork(e, access, netRef)
  return ready ? { ...path, anew: true } : path
}

/** The network header's place is found anew too: behind how many tags it is, the verifier does not know from here on. */
function sameNetwork(e: Emitter, access: Access, netRef: BaseRef): void {
  const { net } = e.flow
  access.offsetInto(e, R.A, netRef)
  e.put((c) => {
    c.store(1, R.FP, SLOT.netAt, { reg: R.A })
    c.load(1, R.NET, R.FP, SLOT.netAt)
  })
  access.renew(e)
  if (access.keeps.includes(R.DATA)) e.put((c) => c.alu('add', R.NET, { reg: R.DATA }))
  e.know({ net: 0 })
  if (net === 0) return
  const never = e.label('never')
  access.reach(e, netRef, 0, net, never)
  e.defer(() => {
    e.bind(never)
    e.put((c) => c.mov(R.RET, 0))
    e.exit()
  })
}

/** IPv4 headers end within 255 bytes. */
const sizeFor = ({ kind }: Path): 1 | 2 => (kind === 'ipv4' ? 1 : 2)

/** Before a rule: nothing is known of the transport header. */
export function forgetTransport(e: Emitter): void {
  e.know({ located: false, transport: 0, avail: -1 })
}

/**
 * R.TRANSPORT = the transport header's place, unless the rule has it already. Returns how far it may be from the packet's start, as the verifier sees it.
 * @param never where it would go if it were further
 */
export function locateAnew(e: Emitter, access: Access, path: Path, never: Label): number {
  const size = sizeFor(path)
  const furthest = size === 1 ? 0xff : FURTHEST
  if (e.flow.located) return furthest
  e.put((c) => c.load(size, R.TRANSPORT, R.FP, SLOT.transportAt))
  if (size === 2) e.jump('jgt', R.TRANSPORT, furthest, never)
  if (access.keeps.includes(R.DATA)) e.put((c) => c.alu('add', R.TRANSPORT, { reg: R.DATA }))
  e.know({ located: true, transport: 0 })
  return furthest
}

/** R.AVAIL = the bytes from the transport header on, or what stands for none; where rules find it anew, with nothing known of it. */
export function availAnew(e: Emitter, { anew, bounded }: Path): void {
  if (!anew || !bounded) return
  e.put((c) => {
    c.load(4, R.AVAIL, R.FP, SLOT.avail)
    c.alu('lsh', R.AVAIL, 32)
    c.alu('arsh', R.AVAIL, 32)
  })
}
