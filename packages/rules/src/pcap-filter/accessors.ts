// `tcp[13]`: bytes of a header, and what must hold of the packet for them to be that header's.

import { cmp, load, type Pred, type Term } from '@netsieve/ir'
import { IPPROTO } from '@netsieve/packet'
import { Fault } from './fault.ts'
import { at, type Layers, type Place, sum } from './layers.ts'
import { ETHER, linkProtocol } from './link.ts'
import { notLaterFragment } from './ports.ts'
import { isIpWord, protocolAlone } from './protocols.ts'
import { constant } from './terms.ts'
import type { ProtocolWord } from './words.ts'

export interface Access {
  /** Checked before, and after, what the index itself needs. */
  readonly first: readonly Pred[]
  readonly after: readonly Pred[]
  readonly term: Term
}

const NO_HEADER: ReadonlySet<ProtocolWord> = new Set(['ah', 'esp'])
const LINK_PAYLOADS: ReadonlySet<ProtocolWord> = new Set([
  'ip',
  'ip6',
  'arp',
  'rarp',
  'atalk',
  'decnet',
  'lat',
  'sca',
  'moprc',
  'mopdl', // biome-ignore format: one family
])

/**
 * `bytes` bytes at `index` of a protocol's header. @throws Fault for a protocol that cannot be indexed.
 * @param trusted the checks will be made, so that the view may be asked where the header is
 */
export function accessorTerm(
  layers: Layers,
  protocol: ProtocolWord,
  index: Term,
  bytes: 1 | 2 | 4,
  trusted: boolean,
): Access {
  if (protocol === 'link')
    return { first: [], after: [], term: inFull(layers, layers.place('header'), 0, index, bytes) }
  if (LINK_PAYLOADS.has(protocol)) {
    const after = [protocolAlone(layers, protocol)]
    return { first: [], after, term: netTerm(layers, 0, index, bytes) }
  }
  if (protocol === 'icmp6') {
    const first = [linkProtocol(layers, ETHER.ip6)]
    const after = [cmp(layers.netField('ipv6.nexthdr'), '==', IPPROTO.icmp6)]
    return { first, after, term: netTerm(layers, 40, index, bytes) }
  }
  if (!isIpWord(protocol) || NO_HEADER.has(protocol))
    throw new Fault('rules/unsupported', `the bytes of \`${protocol}\` cannot be indexed`)
  const first = [linkProtocol(layers, ETHER.ip)]
  const after = [protocolAlone(layers, protocol), notLaterFragment(layers)]
  const near = trusted && !layers.full && index.kind === 'const' && index.value < NEAR
  const term = near
    ? layers.transportBytes(Number(index.value), bytes)
    : inFull(layers, layers.place('transport'), 0, index, bytes)
  return { first, after, term }
}

/** Constant indices up to here are places that the view knows. */
const NEAR = 0x10000n

/** Bytes at a distance from the network header. */
function netTerm(layers: Layers, offset: number, index: Term, bytes: number): Term {
  const near = index.kind === 'const' && index.value < NEAR ? layers.netBytes(offset + Number(index.value), bytes) : undefined // biome-ignore format: one choice
  if (layers.plain && near) return near
  return inFull(layers, layers.place('net'), offset, index, bytes, near)
}

/**
 * The load as libpcap writes it: by an index, be it a constant. Its optimiser does not know yet, when it decides about branches, that this may be
 * the same bytes as a load without one.
 */
function inFull(
  layers: Layers,
  place: Place,
  offset: number,
  index: Term,
  bytes: number,
  short = indexed(place, offset, index, bytes),
): Term {
  // biome-ignore format: one line
  if (!layers.full || index.kind !== 'const') return short
  const where: Term = place.more ? { kind: 'bin', op: 'add', left: index, right: place.more } : index
  return layers.called(load('link', place.bytes + offset, bytes, where), short)
}

/** A constant index is added to a fixed place, and wraps at 32 bits there; a computed one that passes the packet's end is refused instead. */
function indexed({ bytes: start, more }: Place, offset: number, index: Term, bytes: number): Term {
  if (index.kind === 'const' && !more)
    return load('link', Number(BigInt.asUintN(32, BigInt(start + offset) + index.value)), bytes)
  if (index.kind === 'const' && index.value === 0n) return at({ bytes: start, ...(more && { more }) }, offset, bytes)
  const where = index.kind === 'const' ? sum(more!, constant(index.value)) : sum(index, more)
  return load('link', start + offset, bytes, where)
}
