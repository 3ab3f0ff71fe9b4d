// From the start of the program to the headers: which kind of frame it is, and where its network and transport headers start.
// The same choices, by the same data of the view, as ir's locate.ts makes slowly.

import type { Label } from '@netsieve/asm'
import { type ExtensionHeader, MAX_EXTENSION_HEADERS, type View } from '@netsieve/ir'
import { ETHERTYPE, IPPROTO } from '@netsieve/packet'
import { type Access, type BaseRef, MAX_OFFSET } from './access.ts'
import { type Emitter, R } from './emitter.ts'
import { AVAIL_NONE, AVAIL_TINY, L4_BROKEN, type Path, SLOT } from './path.ts'
import { ifTagBeside, tagControl } from './tagged.ts'

/** What the rules of a base chain ask of a packet; nothing else is located. */
export interface Needs {
  readonly network: boolean
  /** Bytes of the frame behind its addresses, or its length: what a tag shifts. */
  readonly pastAddresses: boolean
  readonly transport: boolean
  readonly l4proto: boolean
  /** Transport loads that are not 1, 2 or 4 aligned bytes. */
  readonly longTransport: boolean
}

export interface Dispatch {
  readonly e: Emitter
  readonly access: Access
  readonly view: View
  readonly needs: Needs
  /** Which network protocols the chain is asked about; frames of others go to `unseen`. */
  readonly wants: { readonly ipv4: boolean; readonly ipv6: boolean; readonly other: boolean }
  readonly unseen: Label
  /** The program type may get frames whose outermost tag lies beside them. */
  readonly tagsBeside: boolean
  /** Compiles the rules for one kind of frame; control does not come back. */
  readonly rules: (path: Path, netRef: BaseRef) => void
}

const LINK: BaseRef = { base: 'link', reg: undefined, disp: 0 }
const FIXED_NET: BaseRef = { base: 'link', reg: undefined, disp: 14, wire: 14 }
const MOVING_NET: BaseRef = { base: 'net', reg: R.NET, disp: 0 }

/** A 16-bit number as it is loaded from network order. */
const swapped = (value: number) => ((value & 0xff) << 8) | (value >> 8)
const FILL = {
  tagBeside: false,
  split: true,
  net: false,
  transport: 'absent',
  bounded: false,
  l4proto: 'absent',
} as const

/** Emits the way to the headers and, for each kind of frame, the rules. */
export function dispatch(d: Dispatch): void {
  const { e, view, wants } = d
  if (!d.needs.network && view.reach === 'frames' && wants.ipv4 && wants.ipv6 && wants.other) {
    const path = { ...FILL, split: false, kind: 'other', view, net: true } as const
    const beside = e.label('beside')
    if (d.tagsBeside && d.needs.pastAddresses) ifTagBeside(e, beside)
    d.rules(path, FIXED_NET)
    e.bind(beside)
    if (e.reachable) d.rules({ ...path, tagBeside: true }, FIXED_NET)
    return
  }
  const netRef = view.tags === 'first' || view.tags === 'priority' ? MOVING_NET : FIXED_NET
  const beside = e.label('beside')
  e.origin = { text: 'Ethernet header' }
  if (d.tagsBeside) ifTagBeside(e, beside)
  dispatchTypes(d, netRef, 0)
  e.bind(beside)
  if (e.reachable) tagBeside(d, netRef)
}

/** Sorts frames by type; `tagsOff` tags are off already. */
function dispatchTypes(d: Dispatch, netRef: BaseRef, tagsOff: 0 | 1): void {
  const { e, view, wants } = d
  const labels = { ipv4: e.label('ipv4'), ipv6: e.label('ipv6'), other: e.label('other'), short: e.label('short') }
  const to = (kind: keyof typeof labels, wanted: boolean) => (wanted ? labels[kind] : d.unseen)
  const kinds = {
    ipv4: to('ipv4', wants.ipv4),
    ipv6: to('ipv6', wants.ipv6),
    other: to('other', wants.other && view.reach === 'frames'),
    short: to('short', wants.other && view.reach === 'frames'),
  }
  byType(d, netRef, kinds, tagsOff)
  e.bind(labels.ipv4)
  if (e.reachable) ipv4(d, netRef)
  e.bind(labels.ipv6)
  if (e.reachable) ipv6(d, netRef)
  e.bind(labels.other)
  // libpcap follows the IPv4 header's length without asking for the type.
  const loose = view.tags === 'fixed' ? ({ transport: 'lazy', l4proto: { netByte: 9 } } as const) : FILL
  if (e.reachable) d.rules({ ...FILL, ...loose, kind: 'other', view, net: true }, netRef)
  e.bind(labels.short)
  if (e.reachable) d.rules({ ...FILL, kind: 'short', view }, netRef)
}

/** Frames whose outermost tag the kernel has taken off: what the view sees of them, seen with it. */
function tagBeside(d: Dispatch, netRef: BaseRef): void {
  const { e, view, wants } = d
  e.origin = { text: 'VLAN tag' }
  if (netRef === FIXED_NET) {
    // The tag's type is the network protocol: neither IPv4 nor IPv6.
    if (!wants.other || view.reach === 'ip') return e.goto(d.unseen)
    return d.rules({ ...FILL, kind: 'other', view, net: true, tagBeside: true }, FIXED_NET)
  }
  if (view.tags === 'priority') {
    tagControl(e, R.RET)
    e.jump('jset', R.RET, 0x0fff, d.unseen)
  }
  const inner = {
    ...d,
    tagsBeside: false,
    rules: (path: Path, ref: BaseRef) => d.rules({ ...path, tagBeside: true }, ref),
  }
  dispatchTypes(inner, netRef, 1)
}

type Kinds = Readonly<Record<'ipv4' | 'ipv6' | 'other' | 'short', Label>>

/** Branches on the type at byte 12, and on what follows the tags that the view takes off. */
function byType(d: Dispatch, netRef: BaseRef, kinds: Kinds, tagsOff: 0 | 1): void {
  const { e, view } = d
  const tags = [e.label('tag'), e.label('tag')] as const
  const typeAt = (at: number, short: Label): void => {
    const { reg, disp } = d.access.reach(e, LINK, at, 2, short)
    e.put((c) => c.load(2, R.RET, reg, disp))
    if (netRef === MOVING_NET) {
      if (at === 12 || view.tags === 'first') d.access.baseInto(e, R.NET, { ...LINK, disp: at + 2 })
      else behindTags(d, at + 2)
      e.know({ net: 0 })
    }
    e.jump('jeq', R.RET, swapped(ETHERTYPE.ipv4), kinds.ipv4)
    e.jump('jeq', R.RET, swapped(ETHERTYPE.ipv6), kinds.ipv6)
  }
  const ifTag = (target: Label): void => {
    e.jump('jeq', R.RET, swapped(ETHERTYPE.vlan), target)
    e.jump('jeq', R.RET, swapped(ETHERTYPE.qinq), target)
  }
  typeAt(12, kinds.short)
  if (view.tags === 'first' && tagsOff === 0) {
    ifTag(tags[0])
    e.goto(kinds.other)
    e.bind(tags[0])
    typeAt(16, kinds.other)
    e.goto(kinds.other)
  } else if (view.tags === 'priority') {
    ifTag(tags[0])
    e.goto(kinds.other)
    e.bind(tags[0])
    untagged(d, 14)
    typeAt(16, d.unseen)
    // Two tags at most are taken off, wherever the first one lies.
    if (tagsOff === 0) {
      ifTag(tags[1])
      e.goto(kinds.other)
      e.bind(tags[1])
      untagged(d, 18)
      typeAt(20, d.unseen)
    }
    e.goto(d.unseen)
  } else e.goto(kinds.other)
}

/** R.NET = the network header behind tags. However many there are, the verifier sees one case; it lets nothing before the header be read then. */
function behindTags({ e, access }: Dispatch, at: number): void {
  e.put((c) => c.mov(R.NET, at))
  forget(e, R.NET, 1)
  access.baseInto(e, R.A, LINK)
  e.put((c) => c.alu('add', R.NET, { reg: R.A }))
}

/**
 * Through the stack the verifier forgets what it knew of a small number, but that it fits `bytes` bytes: ways that differ in nothing else look
 * alike to it then, and it follows only one of them.
 */
function forget(e: Emitter, reg: number, bytes: 1 | 2): void {
  e.put((c) => {
    c.store(bytes, R.FP, SLOT.forget + 2, { reg })
    c.load(bytes, reg, R.FP, SLOT.forget + 2)
  })
}

/** A tag whose VLAN id is not 0 is for another device. */
function untagged({ e, access, unseen }: Dispatch, at: number): void {
  const { reg, disp } = access.reach(e, LINK, at, 2, unseen)
  e.put((c) => c.load(2, R.RET, reg, disp))
  e.jump('jset', R.RET, swapped(0x0fff), unseen)
}

/** Where frames go whose IP header is not as the view wants it: out of sight, or to the rules without a transport header. */
function failing(d: Dispatch, kind: 'ipv4' | 'ipv6', netRef: BaseRef): Label {
  const { e, view } = d
  if (view.reach === 'ip') return d.unseen
  const label = e.label('bad')
  e.defer(() => {
    e.bind(label)
    if (e.reachable) d.rules({ ...FILL, kind, view, net: view.netNeeds === 'bytes' }, netRef)
  })
  return label
}

function ipv4(d: Dispatch, netRef: BaseRef): void {
  const { e, access, view, needs } = d
  e.origin = { text: 'IPv4 header' }
  const path = { ...FILL, kind: 'ipv4', view, net: true, l4proto: { netByte: 9 } } as const
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
  if (!none && !(view.laterFragments === 'short' && needs.longTransport)) return
  // With first fragments unreadable too, any fragment will do: offset and more-fragments bit together.
  word(none && view.firstFragments === 'none' ? 0x3fff : 0x1fff)
  if (!none) e.put((c) => c.store(8, R.FP, SLOT.fragment, { reg: R.A }))
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

function ipv6(d: Dispatch, netRef: BaseRef): void {
  const { e, access, view, needs } = d
  e.origin = { text: 'IPv6 header' }
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
  // R.AVAIL = length of the packet from its IPv6 header on; 0xffff (the frame's end counts) for a jumbogram.
  e.put((c) => c.load(1, R.RET, reg, disp + 6))
  if (view.header === 'checked') {
    const [sized, counted, zero] = [e.label('sized'), e.label('counted'), e.label('zero')]
    e.put((c) => {
      c.load(2, R.AVAIL, reg, disp + 4)
      c.be(R.AVAIL, 16)
    })
    e.jump('jeq', R.AVAIL, 0, zero)
    e.bind(sized)
    e.put((c) => c.alu('add', R.AVAIL, 40))
    access.tooShort(e, netRef, R.AVAIL, bad)
    if (!view.trim) e.put((c) => c.mov(R.AVAIL, 0xffff))
    e.bind(counted)
    const { origin } = e
    e.defer(() => {
      e.origin = origin
      e.bind(zero)
      e.jump('jne', R.RET, IPPROTO.hopopt, sized)
      e.put((c) => c.mov(R.AVAIL, 0xffff))
      e.goto(counted)
    })
  } else e.put((c) => c.mov(R.AVAIL, 0xffff))
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

const NUMBER = { hopopt: IPPROTO.hopopt, routing: IPPROTO.routing, dstopts: IPPROTO.dstopts, fragment: IPPROTO.fragment, ah: IPPROTO.ah } as const satisfies Record<ExtensionHeader, number> // biome-ignore format: one family

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
    if (view.laterFragments === 'short') c.store(8, R.FP, SLOT.fragment, 0)
  })
  e.know({ transport: 0, avail: -1 })
  e.bind(again)
  e.put((c) => c.store(8, R.FP, SLOT.l4proto, { reg: R.RET }))
  for (const header of ['hopopt', 'dstopts'] as const) e.jump('jeq', R.RET, NUMBER[header], options)
  e.jump('jeq', R.RET, NUMBER.routing, routing)
  e.jump('jeq', R.RET, NUMBER.fragment, fragment)
  // A view that does not walk AH looks at its first bytes all the same.
  e.jump('jeq', R.RET, NUMBER.ah, ah)
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
  e.jump('jgt', R.TRANSPORT, MAX_OFFSET, broken)
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
  for (const header of Object.values(NUMBER)) e.jump('jeq', R.RET, header, broken)
  e.put((c) => {
    c.store(8, R.FP, SLOT.l4proto, { reg: R.RET })
    if (view.laterFragments === 'short') c.store(8, R.FP, SLOT.fragment, 1)
    // nft reads from the IPv6 header itself here (the kernel leaves the transport offset at 0).
    if (view.laterFragments === 'none') c.mov(R.AVAIL, AVAIL_NONE)
  })
  access.baseInto(e, R.TRANSPORT, netRef)
  e.goto(done)
}
