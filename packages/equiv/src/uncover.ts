// Out of the way of earlier rules: moves numbers within a rule's box until no earlier rule of its filter covers them, so that the rule itself
// gets to decide. Where rules overlap much, hardly any number picked at random would do.

import type { Range } from '@netsieve/ir'
import type { Path } from './paths.ts'
import { type Constraint, complement, type Slot, topOf } from './slots.ts'

export interface Choice {
  readonly slot: Slot
  value: bigint
}

const MOST_MOVES = 24

/** Numbers from a seed: each call gives one from 0 to `below` - 1. */
function numbers(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5
    return Math.floor(((state >>> 0) / 2 ** 32) * below)
  }
}

/** The paths before this one in its filter that may cover some of its box. */
export function blockersOf(path: Path): readonly Path[] {
  return path.siblings.slice(0, path.index).filter((other) => other.rule !== path.rule && meets(other, path))
}

function meets(a: Path, b: Path): boolean {
  return a.constraints.every((constraint) => {
    const other = b.constraints.find(({ slot }) => slot.key === constraint.slot.key)
    if (other?.kind !== 'ranges' || constraint.kind !== 'ranges') return true
    return constraint.ranges.some((x) => other.ranges.some((y) => x.lo <= y.hi && y.lo <= x.hi))
  })
}

/**
 * Moves choices (and adds some) until no blocker covers them, or for so many moves. `box` are the constraints that the choices are to
 * keep to. Deterministic for a seed.
 */
export function uncover(
  choices: readonly Choice[],
  box: readonly Constraint[],
  blockers: readonly Path[],
  seed: number,
): Choice[] {
  const next = numbers(seed)
  const chosen = new Map(choices.map((choice) => [choice.slot.key, { ...choice }]))
  for (let move = 0; move < MOST_MOVES; move++) {
    const blocker = blockers.find(({ constraints }) => constraints.every((each) => covered(each, chosen)))
    if (!blocker) break
    const ways = blocker.constraints.flatMap((constraint) => {
      const gaps = outside(constraint, box)
      return gaps.length > 0 ? [{ slot: constraint.slot, gaps }] : []
    })
    if (ways.length === 0) break
    const { slot, gaps } = ways[next(ways.length)]!
    chosen.set(slot.key, { slot, value: inside(gaps[next(gaps.length)]!, next) })
  }
  return [...chosen.values()]
}

/** A slot without a choice may hold anything: it counts as covered. */
function covered(constraint: Constraint, chosen: ReadonlyMap<string, Choice>): boolean {
  const value = chosen.get(constraint.slot.key)?.value
  if (value === undefined) return true
  if (constraint.kind === 'masked') return ((value & constraint.mask) === constraint.value) === constraint.equal
  return constraint.ranges.some(({ lo, hi }) => lo <= value && value <= hi)
}

/** What the box allows in a slot and a blocker's constraint does not. */
function outside(constraint: Constraint, box: readonly Constraint[]): Range[] {
  if (constraint.kind !== 'ranges') return []
  const top = topOf(constraint.slot)
  const own = box.find(({ slot }) => slot.key === constraint.slot.key)
  const allowed = own?.kind === 'ranges' ? own.ranges : [{ lo: 0n, hi: top }]
  return complement(constraint.ranges, top).flatMap((gap) =>
    allowed.flatMap(({ lo, hi }) => {
      const part = { lo: gap.lo > lo ? gap.lo : lo, hi: gap.hi < hi ? gap.hi : hi }
      return part.lo <= part.hi ? [part] : []
    }),
  )
}

/** Either end of a range, or a number in it. */
function inside({ lo, hi }: Range, next: (below: number) => number): bigint {
  const which = next(4)
  if (which < 2) return which === 0 ? lo : hi
  return (
    lo +
    (((BigInt(next(2 ** 31)) << 98n) |
      (BigInt(next(2 ** 31)) << 67n) |
      (BigInt(next(2 ** 31)) << 36n) |
      BigInt(next(2 ** 31))) %
      (hi - lo + 1n))
  )
}
