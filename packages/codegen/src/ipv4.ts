// From an IPv4 header to the rules: is it one, where does it end, what do fragments mean for what follows.

import type { BaseRef } from './access.ts'
import { type Dispatch, FILL, failing } from './dispatch.ts'
import { R } from './emitter.ts'
import { AVAIL_NONE, AVAIL_TINY, SLOT } from './path.ts'

export function ipv4(d: Dispatch, netRef: BaseRef): void {
  const { e, access, view, needs } = d
  e.origin = { text: 'IPv4 header' }
  const path = { ...FILL, kind: 'ipv4', view, net: true, l4proto: { netByte: 9 } } as const
  const idle = d.idle?.ipv4
  if (view.header === 'trust' && idle) return e.goto(idle)
  if (view.header === 'trust') return d.rules({ ...path, transport: 'lazy', bounded: false }, netRef)
  const bad = failing(d, 'ipv4', netRef)
  const bounded = view.trim || view.laterFragments === 'none' || view.firstFragments === 'none'
  const { reg, disp } = access.reach(e, netRef, 0, 20, bad)
  // R.C = header length, R.RET = total length; both stay until the transport header is placed.
  e.put((c) => {
    c.load(1, R.C, reg, disp)
    if (view.header === 'checked') c.load(2, R.RET, reg, disp + 2)
  })
  if (view.header === 'checked') {
    e.put((c) => {
      c.be(R.RET, 16)
      c.mov(R.A, { reg: R.C })
      c.alu('rsh', R.A, 4)
    })
    e.jump('jne', R.A, 4, bad)
  }
  e.put((c) => {
    c.alu('and', R.C, 0xf)
    c.alu('lsh', R.C, 2)
  })
  e.jump('jlt', R.C, 20, bad)
  if (view.header === 'checked') {
    e.jump('jlt', R.RET, { reg: R.C }, bad)
    access.tooShort(e, netRef, R.RET, bad)
  }
  if (idle) return e.goto(idle)
  if (needs.transport) {
    access.baseInto(e, R.TRANSPORT, netRef)
    e.put((c) => {
      c.alu('add', R.TRANSPORT, { reg: R.C })
      if (bounded && view.trim) {
        c.mov(R.AVAIL, { reg: R.RET })
        c.alu('sub', R.AVAIL, { reg: R.C })
      } else if (bounded) c.mov(R.AVAIL, 0xffff)
    })
    e.know({ transport: 0, avail: -1 })
    ipv4Fragments(d, netRef)
  }
  d.rules({ ...path, transport: needs.transport ? 'ready' : 'absent', bounded }, netRef)
}

/** What the fragment word means for transport fields. The header's 20 bytes are known to be there. */
function ipv4Fragments({ e, access, view, needs }: Dispatch, netRef: BaseRef): void {
  const never = e.label('never')
  const word = (mask: number): void => {
    const { reg, disp } = access.reach(e, netRef, 6, 2, never)
    e.put((c) => {
      c.load(2, R.A, reg, disp)
      c.be(R.A, 16)
      c.alu('and', R.A, mask)
    })
  }
  const none = view.laterFragments === 'none'
  if (!none && !(view.laterFragments === 'short' && needs.fragments)) return
  // With first fragments unreadable too, any fragment will do: offset and more-fragments bit together.
  word(none && view.firstFragments === 'none' ? 0x3fff : 0x1fff)
  if (!none) e.put((c) => c.store(4, R.FP, SLOT.fragment, { reg: R.A }))
  else {
    const whole = e.label('whole')
    e.jump('jeq', R.A, 0, whole)
    e.put((c) => c.mov(R.AVAIL, AVAIL_NONE))
    if (view.tinyDrops.length > 0) {
      e.jump('jne', R.A, 1, whole)
      e.put((c) => c.mov(R.AVAIL, AVAIL_TINY))
    }
    e.bind(whole)
  }
  // The bytes were checked before: where a load of them failed all the same, nothing can be told of transport.
  e.defer(() => {
    e.bind(never)
    e.put((c) => c.mov(R.RET, 0))
    e.exit()
  })
}
