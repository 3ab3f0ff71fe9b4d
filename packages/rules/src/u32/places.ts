// Where words lie: from the network header on, behind an IPv4 header, or where a link's bytes say. What lies before the network header is the
// Ethernet header, whose type is that behind the outermost tag, if there is one.

import { and, cmp, inRanges, load, masked, not, or, type Pred, type Term } from '@netsieve/ir'
import type { Key, Offset } from './ast.ts'

export interface Place {
  readonly base: 'net' | 'transport'
  /** Bytes from the base, beside those that the packet tells. */
  readonly add: number
  readonly index?: Term
}

export const AT_NET: Place = { base: 'net', add: 0 }

const bin = (op: 'add' | 'and' | 'rsh', left: Term, right: Term): Term => ({ kind: 'bin', op, left, right })
const constant = (value: number): Term => ({ kind: 'const', value: BigInt(value) })

/** Four bytes. */
export function word({ base, add, index }: Place, at: number): Term {
  return load(base, add + at, 4, index)
}

/** Farther words lie in no packet that programs can reach. */
const FARTHEST = 0xf000
/** The Ethernet header is so long. */
const LINK = 14
const TAGS = [0x8100n, 0x88a8n]

/** The word is there and is as the key says. Undefined if it cannot be said. */
export function wordPred(
  { value, mask, offset }: Pick<Key, 'value' | 'mask' | 'offset'>,
  place: Place,
  protocol: number | 'all',
): Pred | undefined {
  if (place.add + offset > FARTHEST) return undefined
  if (offset >= 0) return under(word(place, offset), value, mask, 0xffff_ffff)
  if (place.base !== 'net' || place.index || place.add !== 0) return undefined
  const [upper, lower] = [0, 2].map((half) => {
    const [wanted, bits] = half === 0 ? [value >>> 16, mask >>> 16] : [value & 0xffff, mask & 0xffff]
    if (bits === 0) return { kind: 'const', value: true } as const
    const at = LINK + offset + half
    if (at < 0) return undefined
    const is = (from: number) => under(load('link', from, 2), wanted, bits, 0xffff)
    if (at < LINK - 2) return is(at)
    const tagged = inRanges('meta.protocol', TAGS.map((type) => ({ lo: type, hi: type }))) // biome-ignore format: one list
    if (protocol !== 'all') return is(TAGS.includes(BigInt(protocol)) ? at + 4 : at)
    return or(and(tagged, is(at + 4)), and(not(tagged), is(at)))
  }) as [Pred | undefined, Pred | undefined]
  if (!upper || !lower) return undefined
  return upper.kind === 'const' ? lower : lower.kind === 'const' ? upper : and(upper, lower)
}

/** Loads the term even for an empty mask. */
function under(term: Term, value: number, mask: number, all: number): Pred {
  if (mask === 0) return inRanges(term, [{ lo: 0n, hi: BigInt(all) }])
  return cmp(mask === all ? term : masked(term, BigInt(mask)), '==', BigInt(value))
}

/** Where a link's offset leads to, in bytes from the network header, in multiples of 4. */
export function beyond(place: Place, { plus, read }: Offset, protocol: number | 'all'): Place {
  if (!read) return { ...place, add: place.add + ((plus + 3) & ~3) }
  const { at, mask, shift } = read
  const { add, index } = counted(place)
  if (place === AT_NET && protocol === 0x0800 && at === 0 && mask === 0x0f00 && shift === 6 && (plus & 3) === 0)
    return { base: 'transport', add: plus }
  const told = bin('rsh', masked(load(place.base, place.add + at, 2, place.index), BigInt(mask)), constant(shift))
  const fours = (plus & 3) === 0 && ((mask >>> shift) & 3) === 0
  const whole = fours ? told : bin('and', bin('add', told, constant((plus & 3) + 3)), constant(0xffff_fffc))
  return { base: 'net', add: add + (plus & ~3), index: index ? bin('add', index, whole) : whole }
}

/** The same from the network header on. */
function counted(place: Place): Place {
  if (place.base === 'net') return place
  const length = bin('rsh', masked(load('net', 0, 2), 0x0f00n), constant(6))
  return { base: 'net', add: place.add, index: length }
}

/** Bytes from the network header to a place. */
export function distance(place: Place): Term {
  const { add, index } = counted(place)
  if (!index) return constant(add)
  return add === 0 ? index : bin('add', index, constant(add))
}

/** A way's places as a part of a name: empty where nothing moved. */
export function placeName({ at, nexthdr }: { readonly at: Place; readonly nexthdr: Place }): string {
  const parts = [at, nexthdr].map((place) => (place === AT_NET ? '' : text(place)))
  return parts.every((part) => part === '') ? '' : ` from ${parts[0] === parts[1] ? parts[0] : parts.map((part) => part || 'net').join(', next ')}` // biome-ignore format: one choice
}

function text({ base, add, index }: Place): string {
  return `${base}${index ? `+${termText(index)}` : ''}${add > 0 ? `+${add}` : ''}`
}

function termText(term: Term): string {
  switch (term.kind) {
    case 'const':
      return `${term.value}`
    case 'mask':
      return `(${termText(term.term)} & 0x${term.mask.toString(16)})`
    case 'load':
      return `${term.base}[${term.offset}${term.index ? `+${termText(term.index)}` : ''}:${term.bytes}]`
    case 'bin':
      return `(${termText(term.left)} ${{ add: '+', and: '&', rsh: '>>' }[term.op as 'add']} ${termText(term.right)})`
    default:
      throw new Error(`a place is not told by ${term.kind}`)
  }
}
