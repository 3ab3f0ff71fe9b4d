// From an IPv6 header to the rules: is it one, and what stands at the end of its chain of extension headers (RFC 8200 §4).

import type { Label } from '@netsieve/asm'
import { MAX_EXTENSION_HEADERS } from '@netsieve/ir'
import { EXTENSION_HEADERS, IPPROTO } from '@netsieve/packet'
import { type BaseRef, MAX_WALK } from './access.ts'
import { type Dispatch, FILL, failing, forget } from './dispatch.ts'
import { R } from './emitter.ts'
import { AVAIL_NONE, L4_BROKEN, SLOT } from './path.ts'

export function ipv6(d: Dispatch, netRef: BaseRef): void {
  const { e, access, view, needs } = d
  e.origin = { text: 'IPv6 header' }
  const idle = d.idle?.ipv6
  if (view.header === 'trust' && idle) return e.goto(idle)
  if (view.header === 'trust')
    return d.rules({ ...FILL, kind: 'ipv6', view, net: true, transport: 'lazy', l4proto: { netByte: 6 } }, netRef)
  const bad = failing(d, 'ipv6', netRef)
  const { reg, disp } = access.reach(e, netRef, 0, 40, bad)
  if (view.header === 'checked') {
    e.put((c) => {
      c.load(1, R.A, reg, disp)
      c.alu('rsh', R.A, 4)
    })
    e.jump('jne', R.A, 6, bad)
  }
  // R.AVAIL = length of the packet from its IPv6 header on; of a jumbogram, and where packets are not trimmed, the frame's end counts.
  e.put((c) => c.load(1, R.RET, reg, disp + 6))
  if (view.header === 'checked') {
    const [sized, counted] = [e.label('sized'), e.label('counted')]
    e.put((c) => {
      c.load(2, R.AVAIL, reg, disp + 4)
      c.be(R.AVAIL, 16)
    })
    e.jump('jne', R.AVAIL, 0, sized)
    // No code further down would do: a jump back is a loop to whoever reads the program.
    e.jump('jne', R.RET, IPPROTO.hopopt, sized)
    if (view.trim) access.rest(e, R.AVAIL, netRef)
    else e.put((c) => c.mov(R.AVAIL, 0xffff))
    e.goto(counted)
    e.bind(sized)
    e.put((c) => c.alu('add', R.AVAIL, 40))
    access.tooShort(e, netRef, R.AVAIL, bad)
    if (!view.trim) e.put((c) => c.mov(R.AVAIL, 0xffff))
    e.bind(counted)
  } else e.put((c) => c.mov(R.AVAIL, 0xffff))
  if (idle) return e.goto(idle)
  if (!needs.transport && !needs.l4proto) {
    return d.rules(
      { ...FILL, kind: 'ipv6', view, net: true, transport: 'absent', bounded: false, l4proto: 'absent' },
      netRef,
    )
  }
  if (view.ipv6Walk.length > 0) walk(d, netRef)
  else direct(d, netRef)
  e.know({ transport: 0, avail: -1 })
  d.rules({ ...FILL, kind: 'ipv6', view, net: true, transport: 'ready', bounded: true, l4proto: 'slot' }, netRef)
}

/** No extension headers: the transport header follows the fixed one. R.RET = next header. */
function direct({ e, access }: Dispatch, netRef: BaseRef): void {
  e.put((c) => {
    c.store(8, R.FP, SLOT.l4proto, { reg: R.RET })
    c.alu('sub', R.AVAIL, 40)
  })
  access.baseInto(e, R.TRANSPORT, { ...netRef, disp: netRef.disp + 40 })
}

/**
 * Follows extension headers: a loop over R.TRANSPORT = offset from the network header, R.RET = next header, R.AVAIL = packet length.
 * Ends with the transport protocol in its slot, R.TRANSPORT at the header and R.AVAIL = the bytes from there (AVAIL_NONE if none can be read).
 */
function walk(d: Dispatch, netRef: BaseRef): void {
  const { e, access, view } = d
  e.origin = { text: 'IPv6 extension headers' }
  const flower = view.missing === 'zero'
  const [again, options, routing, fragment, ah, found, broken, done] = ['again', 'options', 'routing', 'fragment', 'ah', 'found', 'broken', 'done'].map((name) => e.label(name)) as [Label, Label, Label, Label, Label, Label, Label, Label] // biome-ignore format: a list
  e.put((c) => {
    c.mov(R.TRANSPORT, 40)
    c.store(4, R.FP, SLOT.count, MAX_EXTENSION_HEADERS)
    if (view.laterFragments === 'short') c.store(4, R.FP, SLOT.fragment, 0)
  })
  e.know({ transport: 0, avail: -1 })
  e.bind(again)
  e.put((c) => c.store(8, R.FP, SLOT.l4proto, { reg: R.RET }))
  for (const header of ['hopopt', 'dstopts'] as const) e.jump('jeq', R.RET, EXTENSION_HEADERS[header], options)
  e.jump('jeq', R.RET, EXTENSION_HEADERS.routing, routing)
  e.jump('jeq', R.RET, EXTENSION_HEADERS.fragment, fragment)
  // A view that does not walk AH looks at its first bytes all the same.
  e.jump('jeq', R.RET, EXTENSION_HEADERS.ah, ah)
  e.goto(found)

  // The kernel reads four bytes of a routing header (ipv6_find_hdr), the flow dissector two of any.
  for (const [label, bytes] of [
    [options, 2],
    [routing, flower ? 2 : 4],
  ] as const) {
    // biome-ignore format: pairs
    e.bind(label)
    enter(d, netRef, bytes, broken)
    e.put((c) => {
      c.alu('add', R.A, 1)
      c.alu('lsh', R.A, 3)
      c.alu('add', R.TRANSPORT, { reg: R.A })
    })
    e.goto(again)
  }

  e.bind(ah)
  enter(d, netRef, 2, broken, view.ipv6Walk.includes('ah'))
  if (view.ipv6Walk.includes('ah')) {
    e.put((c) => {
      c.alu('add', R.A, 2)
      c.alu('lsh', R.A, 2)
      c.alu('add', R.TRANSPORT, { reg: R.A })
    })
    e.goto(again)
  } else e.goto(found)

  e.bind(fragment)
  walkFragment(d, netRef, { again, broken, done, flower })

  e.bind(found)
  placed(d, netRef, broken)
  e.goto(done)

  e.bind(broken)
  e.put((c) => {
    // The flow dissector keeps the number of the header that it could not follow.
    if (!flower) c.store(8, R.FP, SLOT.l4proto, L4_BROKEN)
    c.mov(R.AVAIL, AVAIL_NONE)
  })
  access.baseInto(e, R.TRANSPORT, netRef)
  e.goto(done)

  e.bind(done)
}

/** The chain's end: R.TRANSPORT from an offset to the header's place, R.AVAIL to what is left of the packet there. */
function placed({ e, access, view }: Dispatch, netRef: BaseRef, broken: Label): void {
  // Chains of any length look alike from here on. None of 16 headers reaches as far as the bound, but the verifier has forgotten that.
  forget(e, R.TRANSPORT, 2)
  e.jump('jgt', R.TRANSPORT, MAX_WALK, broken)
  const inside = e.label('inside')
  e.put((c) => {
    if (view.trim) c.alu('sub', R.AVAIL, { reg: R.TRANSPORT })
  })
  if (view.trim) {
    e.jump('jsge', R.AVAIL, 0, inside)
    e.put((c) => c.mov(R.AVAIL, 0))
    e.bind(inside)
  }
  access.baseInto(e, R.B, netRef)
  e.put((c) => {
    c.alu('add', R.B, { reg: R.TRANSPORT })
    c.mov(R.TRANSPORT, { reg: R.B })
  })
}

/** At an extension header: R.RET = its next header, R.A = its length byte; R.B = its place. Goes to `broken` where it is cut or one too many. */
function enter({ e, access, view }: Dispatch, netRef: BaseRef, bytes: number, broken: Label, counts = true): void {
  if (counts) {
    e.put((c) => c.load(4, R.A, R.FP, SLOT.count))
    e.jump('jeq', R.A, 0, broken)
    e.put((c) => {
      c.alu('sub', R.A, 1)
      c.store(4, R.FP, SLOT.count, { reg: R.A })
    })
  }
  forget(e, R.TRANSPORT, 2)
  if (view.trim) {
    e.put((c) => {
      c.mov(R.A, { reg: R.TRANSPORT })
      c.alu('add', R.A, bytes)
    })
    e.jump('jgt', R.A, { reg: R.AVAIL }, broken)
  }
  e.put((c) => c.mov(R.A, { reg: R.TRANSPORT }))
  const { reg, disp } = access.reachIndexed(e, netRef, 0, bytes, broken)
  e.put((c) => {
    if (bytes >= 4) {
      c.load(2, R.C, reg, disp + 2)
      c.be(R.C, 16)
    }
    c.load(1, R.RET, reg, disp)
    c.load(1, R.A, reg, disp + 1)
  })
}

interface FragmentLabels {
  readonly again: Label
  readonly broken: Label
  readonly done: Label
  readonly flower: boolean
}

/** A fragment header: offset 0 goes on behind it; a later fragment has no transport header of its own. */
function walkFragment(d: Dispatch, netRef: BaseRef, { again, broken, done, flower }: FragmentLabels): void {
  const { e, access, view } = d
  enter(d, netRef, flower ? 8 : 4, broken)
  if (flower) {
    e.put((c) => {
      c.store(8, R.FP, SLOT.l4proto, { reg: R.RET })
      c.mov(R.AVAIL, AVAIL_NONE)
    })
    access.baseInto(e, R.TRANSPORT, netRef)
    return e.goto(done)
  }
  const later = e.label('later')
  e.put((c) => c.alu('rsh', R.C, 3))
  e.jump('jne', R.C, 0, later)
  e.put((c) => c.alu('add', R.TRANSPORT, 8))
  e.goto(again)
  e.bind(later)
  for (const header of Object.values(EXTENSION_HEADERS)) e.jump('jeq', R.RET, header, broken)
  e.put((c) => {
    c.store(8, R.FP, SLOT.l4proto, { reg: R.RET })
    if (view.laterFragments === 'short') c.store(4, R.FP, SLOT.fragment, 1)
    // nft reads from the IPv6 header itself here (the kernel leaves the transport offset at 0).
    if (view.laterFragments === 'none') c.mov(R.AVAIL, AVAIL_NONE)
  })
  access.baseInto(e, R.TRANSPORT, netRef)
  e.goto(done)
}
