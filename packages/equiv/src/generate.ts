// Frames that may tell filters apart, as fast-check arbitraries: inside a rule's box, or with one field just off it; the other fields plain
// or next to some constant of the filters; now and then odd headers and cut frames. Simple choices come first, so that frames shrink to them.

import { ETHERTYPE, IPPROTO } from '@netsieve/packet'
import fc from 'fast-check'
import { buildFrame, type Extension, ODDITIES, type Oddity, type Plan, type Write } from './frame.ts'
import type { Constants, Path } from './paths.ts'
import { type Constraint, complement, type Slot, topOf } from './slots.ts'
import { blockersOf, uncover } from './uncover.ts'

const TRANSPORTS = [
  IPPROTO.tcp,
  IPPROTO.udp,
  IPPROTO.icmp,
  IPPROTO.icmp6,
  IPPROTO.sctp,
  IPPROTO.esp,
  IPPROTO.udplite,
  33,
  IPPROTO.igmp,
  IPPROTO.none,
  137,
  255,
]
const EXTENSIONS: readonly Extension[] = ['dstopts', 'hopopt', 'routing', 'fragment', 'later fragment', 'ah']
/** Whole, DF, MF, offset 1 (8 bytes), offset 185, both. */
const FRAGS = [0, 0x4000, 0x2000, 1, 185, 0x20b9]

/** Plans of frames around the boxes of `constants`; `focus` are the paths to aim at, all where absent; of
 * `inside` + 2 frames `inside` are in a box, the others just off it. */
export function planArbitrary(
  constants: Constants,
  focus: readonly Path[] = constants.paths,
  inside = 1,
): fc.Arbitrary<Plan> {
  const atoms = new Map(constants.slots.map(({ slot, atoms }) => [slot.key, atoms]))
  const boxed = focus.length === 0 ? fc.constant<readonly Write[]>([]) : boxArbitrary(focus, atoms, inside)
  return fc
    .record({ shape: shapeArbitrary(), extra: extraArbitrary(constants), box: boxed })
    .map(({ shape, extra, box }): Plan => {
      const taken = new Set(box.map(({ slot }) => slot.key))
      return { ...shape, writes: [...box, ...extra.filter(({ slot }) => !taken.has(slot.key))] }
    })
}

/** The frames of those plans. */
export function frameArbitrary(constants: Constants, focus?: readonly Path[]): fc.Arbitrary<Uint8Array> {
  return planArbitrary(constants, focus).map(buildFrame)
}

/** `plain` most of the time, and what shrinking ends at. */
function mostly<T>(plain: T, weight: number, odd: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ withCrossShrink: true }, { arbitrary: fc.constant(plain), weight }, { arbitrary: odd, weight: 1 })
}

function shapeArbitrary(): fc.Arbitrary<Omit<Plan, 'writes'>> {
  const tag = fc.record({
    tpid: fc.constantFrom<number>(ETHERTYPE.vlan, ETHERTYPE.qinq),
    tci: fc.constantFrom(0, 1, 5, 0x2005, 0xfff),
  })
  return fc
    .record({
      net: mostly<Plan['net']>('ipv4', 3, fc.constantFrom('ipv6', 'arp', 'other')),
      transport: mostly<number>(IPPROTO.tcp, 1, fc.constantFrom(...TRANSPORTS)),
      tags: mostly<Plan['tags']>([], 12, fc.array(tag, { minLength: 1, maxLength: 2 })),
      options: mostly(0, 12, fc.integer({ min: 1, max: 10 })),
      frag: mostly(0, 8, fc.constantFrom(...FRAGS)),
      extensions: mostly<readonly Extension[]>(
        [],
        5,
        fc.array(fc.constantFrom(...EXTENSIONS), { minLength: 1, maxLength: 3 }),
      ),
      oddity: mostly<Oddity>('none', 20, fc.constantFrom(...ODDITIES)),
      payload: mostly(0, 3, fc.integer({ min: 0, max: 12 })),
      short: mostly<number | undefined>(undefined, 16, fc.integer({ min: 0, max: 20 })),
      cut: mostly<number | undefined>(undefined, 16, fc.integer({ min: 0, max: 100 })),
    })
    .map(({ cut, short, ...rest }) => ({
      ...rest,
      ...(cut !== undefined && { cut }),
      ...(short !== undefined && { short }),
    }))
}

/** A few slots, whichever, with numbers of the filters' own. */
function extraArbitrary({ slots }: Constants): fc.Arbitrary<readonly Write[]> {
  if (slots.length === 0) return fc.constant([])
  const each = slots.map(({ slot, atoms }) =>
    fc.nat(atoms.length - 1).map((at): Write => ({ slot, value: atoms[at]! })),
  )
  const one = fc.nat(slots.length - 1).chain((index) => each[index]!)
  return fc.array(one, { maxLength: 3 })
}

type Atoms = ReadonlyMap<string, readonly bigint[]>

/** Numbers that a path's constraints allow, or all but one of them. */
function boxArbitrary(paths: readonly Path[], atoms: Atoms, inside: number): fc.Arbitrary<readonly Write[]> {
  const blockers = new Map<Path, readonly Path[]>()
  return fc
    .record({
      index: fc.nat(paths.length - 1),
      off: fc.nat(),
      onBox: fc.integer({ min: 0, max: inside + 1 }),
      way: fc.nat(),
    })
    .chain(({ index, off, onBox, way }) => {
      const path = paths[index]!
      if (path.constraints.length === 0) return fc.constant<readonly Write[]>([])
      const odd = onBox < inside ? -1 : off % path.constraints.length
      const box = path.constraints.map((constraint, i) => (i === odd ? reverse(constraint) : constraint))
      return fc.tuple(...box.map((constraint) => valueArbitrary(constraint, atoms))).map((values) => {
        const out: Write[] = []
        for (const [i, value] of values.entries()) if (value !== undefined) out.push({ slot: box[i]!.slot, value })
        if (way % 4 === 0) return out
        const known = blockers.get(path) ?? blockersOf(path)
        blockers.set(path, known)
        return uncover(out, box, known, way)
      })
    })
}

function reverse(constraint: Constraint): Constraint {
  if (constraint.kind === 'masked') return { ...constraint, equal: !constraint.equal }
  return { ...constraint, ranges: complement(constraint.ranges, topOf(constraint.slot)) }
}

/** A number that a constraint allows, once in a while none (the default is left standing). */
function valueArbitrary(constraint: Constraint, atoms: Atoms): fc.Arbitrary<bigint | undefined> {
  const values = constraint.kind === 'masked' ? maskedArbitrary(constraint) : rangesArbitrary(constraint, atoms)
  if (!values) return fc.constant(undefined)
  return fc.oneof(
    { withCrossShrink: true },
    { arbitrary: fc.constant(undefined), weight: 1 },
    { arbitrary: values, weight: 40 },
  )
}

function rangesArbitrary(
  { slot, ranges }: Extract<Constraint, { kind: 'ranges' }>,
  atoms: Atoms,
): fc.Arbitrary<bigint> | undefined {
  if (ranges.length === 0) return undefined
  const known = atoms.get(slot.key) ?? []
  return fc.nat(ranges.length - 1).chain((index) => {
    const { lo, hi } = ranges[index]!
    if (lo === hi) return fc.constant(lo)
    const [from, to] = [firstAtLeast(known, lo), firstAtLeast(known, hi + 1n)]
    const edges = fc.constantFrom(lo, hi, (lo + hi) >> 1n)
    const inner = from < to ? fc.integer({ min: from, max: to - 1 }).map((at) => known[at]!) : edges
    return fc.oneof(
      { withCrossShrink: true },
      { arbitrary: edges, weight: 2 },
      { arbitrary: inner, weight: 3 },
      { arbitrary: fc.bigInt({ min: lo, max: hi }), weight: 3 },
    )
  })
}

function firstAtLeast(sorted: readonly bigint[], value: bigint): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

function maskedArbitrary({ slot, mask, value, equal }: Extract<Constraint, { kind: 'masked' }>): fc.Arbitrary<bigint> {
  const top = topOf(slot)
  const free = fc.oneof(fc.constantFrom(0n, top), fc.bigInt({ min: 0n, max: top })).map((bits) => bits & (top ^ mask))
  const fixed = equal ? fc.constant(value) : flips(slot, mask).map((bit) => value ^ bit)
  return fc.tuple(fixed, free).map(([base, rest]) => base | rest)
}

/** One bit of a mask; of an empty one none. */
function flips({ bits }: Slot, mask: bigint): fc.Arbitrary<bigint> {
  const out: bigint[] = []
  for (let bit = 0n; bit < BigInt(bits); bit++) if (mask & (1n << bit)) out.push(1n << bit)
  return fc.constantFrom(...(out.length > 0 ? out : [0n]))
}
