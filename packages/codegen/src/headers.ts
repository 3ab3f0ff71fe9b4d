// From the start of the program to the headers: which kind of frame it is, and where its network header starts.
// The same choices, by the same data of the view, as ir's locate.ts makes slowly.

import type { Label } from '@netsieve/asm'
import { ETHERTYPE } from '@netsieve/packet'
import type { BaseRef } from './access.ts'
import { type Dispatch, FILL, forget } from './dispatch.ts'
import { R } from './emitter.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import { type Path, swapped } from './path.ts'
import { ifTagBeside, tagControl } from './tagged.ts'

export const LINK: BaseRef = { base: 'link', reg: undefined, disp: 0 }
const FIXED_NET: BaseRef = { base: 'link', reg: undefined, disp: 14, wire: 14 }
const MOVING_NET: BaseRef = { base: 'net', reg: R.NET, disp: 0 }

/** Emits the way to the headers and, for each kind of frame, the rules. */
export function dispatch(d: Dispatch): void {
  const { e, view, wants } = d
  if (d.access.startsAtNetwork) return dispatchNetwork(d)
  if (!d.needs.network && view.reach === 'frames' && wants.ipv4 && wants.ipv6 && wants.other) {
    const path = { ...FILL, split: false, kind: 'other', view, net: true } as const
    const beside = e.label('beside')
    if (d.tagsBeside && d.needs.pastAddresses) ifTagBeside(e, beside)
    d.rules(path, FIXED_NET)
    e.bind(beside)
    if (e.reachable) d.rules({ ...path, tagBeside: true }, FIXED_NET)
    return
  }
  const netRef = view.tags === 'opaque' || view.tags === 'fixed' ? FIXED_NET : MOVING_NET
  const beside = e.label('beside')
  e.origin = { text: 'Ethernet header' }
  if (d.tagsBeside) ifTagBeside(e, beside)
  // Where rules ask for nothing that the tag moves, they are the same for both.
  if (view.tags === 'priority' && !d.needs.pastAddresses) {
    return sorted(d, netRef, (kinds) => {
      byType(d, netRef, kinds, 0)
      e.bind(beside)
      if (!e.reachable) return
      e.origin = { text: 'VLAN tag' }
      priorityTag(d)
      byType(d, netRef, kinds, 1)
    })
  }
  dispatchTypes(d, netRef, 0)
  e.bind(beside)
  if (e.reachable) tagBeside(d, netRef)
}

/** Programs that start at the network header are told its protocol by their context; no protocol stands for frames too short for a type. */
function dispatchNetwork(d: Dispatch): void {
  const { e, view, wants } = d
  if (!d.needs.network && view.reach === 'frames' && wants.ipv4 && wants.ipv6 && wants.other)
    return d.rules({ ...FILL, split: false, kind: 'other', view, net: true }, LINK)
  e.origin = { text: 'network protocol' }
  sorted(d, LINK, (kinds) => {
    d.access.protocol(e, R.RET)
    e.jump('jeq', R.RET, swapped(ETHERTYPE.ipv4), kinds.ipv4)
    e.jump('jeq', R.RET, swapped(ETHERTYPE.ipv6), kinds.ipv6)
    e.jump('jeq', R.RET, 0, kinds.short)
    e.goto(kinds.other)
  })
}

/** Sorts frames by type; `tagsOff` tags are off already. */
function dispatchTypes(d: Dispatch, netRef: BaseRef, tagsOff: 0 | 1): void {
  sorted(d, netRef, (kinds) => byType(d, netRef, kinds, tagsOff))
}

/** Compiles the rules for each kind of frame, behind the branches to the kinds. */
function sorted(d: Dispatch, netRef: BaseRef, branches: (kinds: Kinds) => void): void {
  const { e, view, wants } = d
  const labels = { ipv4: e.label('ipv4'), ipv6: e.label('ipv6'), other: e.label('other'), short: e.label('short') }
  const to = (kind: keyof typeof labels, wanted: boolean) => (wanted ? labels[kind] : d.unseen)
  const kinds = {
    ipv4: to('ipv4', wants.ipv4),
    ipv6: to('ipv6', wants.ipv6),
    other: to('other', wants.other && view.reach === 'frames'),
    short: to('short', wants.other && view.reach === 'frames'),
  }
  branches(kinds)
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
  if (view.tags === 'beside') {
    d.access.baseInto(e, R.NET, FIXED_NET)
    e.know({ net: 0 })
    return wants.other
      ? d.rules({ ...FILL, kind: 'other', view, net: true, tagBeside: true }, MOVING_NET)
      : e.goto(d.unseen)
  }
  if (view.tags === 'priority') priorityTag(d)
  const inner = {
    ...d,
    tagsBeside: false,
    rules: (path: Path, ref: BaseRef) => d.rules({ ...path, tagBeside: true }, ref),
  }
  dispatchTypes(inner, netRef, 1)
}

/** A tag beside the packet whose VLAN id is not 0 is for another device. */
function priorityTag({ e, unseen }: Dispatch): void {
  tagControl(e, R.RET)
  e.jump('jset', R.RET, 0x0fff, unseen)
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
      if (at === 12 || view.tags !== 'priority') d.access.baseInto(e, R.NET, { ...LINK, disp: at + 2 })
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
  if (view.tags === 'first' || view.tags === 'two') {
    const off = (view.tags === 'two' ? 2 : 1) - tagsOff
    for (const [i, tag] of tags.slice(0, off).entries()) {
      ifTag(tag)
      e.goto(kinds.other)
      e.bind(tag)
      typeAt(16 + 4 * i, kinds.other)
    }
    e.goto(kinds.other)
  } else if (view.tags === 'beside') {
    ifTag(tags[0])
    e.goto(kinds.other)
    e.bind(tags[0])
    d.access.baseInto(e, R.NET, { ...LINK, disp: 18 })
    e.know({ net: 0 })
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

/** A tag whose VLAN id is not 0 is for another device. */
function untagged({ e, access, unseen }: Dispatch, at: number): void {
  const { reg, disp } = access.reach(e, LINK, at, 2, unseen)
  e.put((c) => c.load(2, R.RET, reg, disp))
  e.jump('jset', R.RET, swapped(0x0fff), unseen)
}
