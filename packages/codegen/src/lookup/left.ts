// What is left of a packet's transport header, where asking for more than that may drop it (a cut header under iptables-legacy): at the first rule
// that asks, whatever other rules say. So a list of such rules is a list for each thing that may be left. In each it is known of every number whether
// it is there, is missing, or drops the packet.

import type { Label } from '@netsieve/asm'
import { headerEnd, placeOf, type Term } from '@netsieve/ir'
import { FIELDS, type ProtocolName } from '@netsieve/packet'
import { type Emitter, R } from '../emitter.ts'
import { AVAIL_NONE, AVAIL_TINY, L4_BROKEN, type Path, SLOT } from '../path.ts'

/**
 * `some`: at least `from` bytes, but less than `below`. `none`: no transport header can be read. `tiny`: nor here, of a fragment that drops what
 * asks for some protocols. `broken`: nor here, behind extension headers that cannot be followed.
 */
export type Left =
  | { readonly kind: 'some'; readonly from: number; readonly below: number }
  | { readonly kind: 'none' | 'tiny' | 'broken' }

export type Told = 'there' | 'missing' | 'cut'

interface Need {
  readonly bytes: number
  readonly proto: ProtocolName | undefined
}

/** Bytes of the transport header that a term takes; undefined for others. */
function needOf({ view }: Path, term: Term): Need | undefined {
  const inner = term.kind === 'mask' ? term.term : term
  const place = inner.kind === 'field' ? placeOf(inner.field) : undefined
  const at = place ?? (inner.kind === 'raw' ? inner : undefined)
  if (inner.kind === 'load') return inner.base === 'transport' ? { bytes: inner.offset + inner.bytes, proto: undefined } : undefined // biome-ignore format: one test
  if (at?.base !== 'transport') return undefined
  const end = (at.bit + at.bits + 7) >> 3
  const proto = inner.kind === 'field' && view.transportNeeds === 'header' ? FIELDS[inner.field].proto : undefined
  return { bytes: proto === undefined ? end : Math.max(end, headerEnd(proto)), proto }
}

const asksChain = ({ view, kind, l4proto }: Path, term: Term): boolean =>
  view.chainDrops && kind === 'ipv6' && l4proto === 'slot' && term.kind === 'field' && term.field === 'meta.l4proto'

/** Asking for a number may drop the packet. */
export function mayCut(path: Path, term: Term): boolean {
  if (term.kind === 'mask') return mayCut(path, term.term)
  if (term.kind !== 'field') return false
  return asksChain(path, term) || (path.view.cutDrops as readonly string[]).includes(FIELDS[term.field].proto)
}

export function told(path: Path, left: Left | undefined, term: Term): Told {
  if (!left) return 'there'
  if (asksChain(path, term.kind === 'mask' ? term.term : term)) return left.kind === 'broken' ? 'cut' : 'there'
  const need = needOf(path, term)
  if (!need || (left.kind === 'some' && need.bytes <= left.from)) return 'there'
  const { cutDrops, tinyDrops } = path.view
  const drops = left.kind === 'some' ? cutDrops : left.kind === 'tiny' ? tinyDrops : []
  return need.proto !== undefined && drops.includes(need.proto) ? 'cut' : 'missing'
}

/** All that may be left where not everything is there that these terms ask for. */
export function allLeft(path: Path, terms: Iterable<Term>): Left[] {
  const needs = new Set<number>()
  const out: Left[] = []
  let chains = false
  for (const term of terms) {
    const need = path.transport === 'ready' && path.bounded ? needOf(path, term) : undefined
    if (need) needs.add(need.bytes)
    if (asksChain(path, term.kind === 'mask' ? term.term : term)) chains = true
  }
  if (chains) out.push({ kind: 'broken' })
  if (needs.size === 0) return out
  out.push({ kind: 'none' })
  if (path.kind === 'ipv4' && path.view.tinyDrops.length > 0) out.push({ kind: 'tiny' })
  const sorted = [...needs].sort((a, b) => a - b)
  for (const [i, below] of sorted.entries()) out.push({ kind: 'some', from: sorted[i - 1] ?? 0, below })
  return out
}

/** Goes to where packets go of which so much is left; goes on with those of which everything is there. */
export function sortLeft(e: Emitter, { anew }: Path, all: readonly Left[], to: (left: Left) => Label): void {
  const most = Math.max(0, ...all.map((left) => (left.kind === 'some' ? left.below : 0)))
  const [whole, odd] = [e.label('whole'), e.label('odd')]
  const broken = all.find(({ kind }) => kind === 'broken')
  if (most === 0) {
    if (broken) goIfBroken(e, to(broken))
    return
  }
  const avail = anew ? R.B : R.AVAIL
  const width = anew ? 32 : 64
  if (anew) e.put((c) => c.load(4, R.B, R.FP, SLOT.avail))
  e.jump('jslt', avail, most, odd, width)
  e.goto(whole)
  e.bind(odd)
  if (broken) goIfBroken(e, to(broken))
  for (const left of all) {
    if (left.kind === 'none') e.jump('jeq', avail, AVAIL_NONE, to(left), width)
    if (left.kind === 'tiny') e.jump('jeq', avail, AVAIL_TINY, to(left), width)
    if (left.kind !== 'some') continue
    if (left.below < most) e.jump('jslt', avail, left.below, to(left), width)
    else e.goto(to(left))
  }
  e.bind(whole)
  e.know({ avail: most })
}

function goIfBroken(e: Emitter, to: Label): void {
  e.put((c) => c.load(8, R.A, R.FP, SLOT.l4proto))
  e.jump('jeq', R.A, L4_BROKEN, to)
}
