// The values of one component, cut where what is found changes: a class for every value.

import type { Range } from '@netsieve/ir'

/** Piece i holds the values from `starts[i]` to before `starts[i + 1]`; the first starts at 0. Numbers up to 48 bits, bigints above. */
export interface Pieces {
  readonly bits: number
  readonly starts: readonly (number | bigint)[]
  readonly classes: readonly number[]
}

/** Components of at most this many bits are worked on as numbers. */
export const NARROW = 48

/** What is told where something begins or ceases to hold, by its number; and what class there is between. */
export interface Turns {
  readonly enter: (index: number) => void
  readonly leave: (index: number) => void
  readonly classOf: () => number
}

/**
 * Cuts a component at the ends of ranges that may overlap. `enter` and `leave` are called where a range begins and is over, `classOf` between:
 * it gives the class of what holds there.
 * @param held by the number of what holds in them: sorted, disjoint ranges, if it does not hold everywhere
 */
export function cut(bits: number, held: readonly (readonly Range[] | undefined)[], on: Turns): Pieces {
  const starts: (number | bigint)[] = []
  const classes: number[] = []
  const piece = (at: number | bigint): void => {
    const found = on.classOf()
    if (classes.length > 0 && classes[classes.length - 1] === found) return
    starts.push(at)
    classes.push(found)
  }
  if (bits <= SHORT && held.length <= MOST_SHORT) shortCuts(bits, held, on, piece)
  else longCuts(bits, held, on, piece)
  return { bits, starts, classes }
}

/** Numbers of so many bits, and what happens to so many things there, are one exact number together. */
const SHORT = 32
const MOST_SHORT = 2 ** 20

/** Sorts ends as numbers: the value, then what begins (an odd number) or ceases to hold there. */
function shortCuts(
  bits: number,
  held: readonly (readonly Range[] | undefined)[],
  on: Turns,
  piece: (at: number) => void,
): void {
  let count = 0
  for (let i = 0; i < held.length; i++) count += held[i]?.length ?? 0
  const ends = new Float64Array(2 * count)
  const [unit, top] = [2 * MOST_SHORT, 2 ** bits]
  let size = 0
  for (let i = 0; i < held.length; i++) {
    const ranges = held[i]
    if (!ranges) continue
    for (let j = 0; j < ranges.length; j++) {
      const { lo, hi } = ranges[j]!
      ends[size++] = Number(lo) * unit + 2 * i + 1
      const behind = Number(hi) + 1
      if (behind < top) ends[size++] = behind * unit + 2 * i
    }
  }
  const sorted = ends.subarray(0, size).sort()
  if (size === 0 || sorted[0]! >= unit) piece(0)
  for (let i = 0; i < size; ) {
    const at = Math.floor(sorted[i]! / unit)
    for (const next = (at + 1) * unit; i < size && sorted[i]! < next; i++) {
      const what = sorted[i]! - at * unit
      if (what % 2 === 1) on.enter((what - 1) / 2)
      else on.leave(what / 2)
    }
    piece(at)
  }
}

function longCuts(
  bits: number,
  held: readonly (readonly Range[] | undefined)[],
  on: Turns,
  piece: (at: number | bigint) => void,
): void {
  const narrow = bits <= NARROW
  const value = (number: bigint): number | bigint => (narrow ? Number(number) : number)
  const top = 1n << BigInt(bits)
  const events: { readonly at: number | bigint; readonly index: number; readonly enters: boolean }[] = []
  for (const [index, ranges] of held.entries()) {
    for (const { lo, hi } of ranges ?? []) {
      events.push({ at: value(lo), index, enters: true })
      if (hi + 1n < top) events.push({ at: value(hi + 1n), index, enters: false })
    }
  }
  events.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const zero = narrow ? 0 : 0n
  if (events.length === 0 || events[0]!.at > zero) piece(zero)
  for (let i = 0; i < events.length; ) {
    const { at } = events[i]!
    for (; i < events.length && events[i]!.at === at; i++) {
      const { index, enters } = events[i]!
      if (enters) on.enter(index)
      else on.leave(index)
    }
    piece(at)
  }
}

/** Cuts a component at disjoint ranges: the class of a value is what its range holds plus 1, or 0 outside of all. */
export function cutDisjoint(bits: number, ranges: readonly Range[], holds: readonly number[]): Pieces {
  let now = -1
  return cut(
    bits,
    ranges.map((range) => [range]),
    {
      enter: (index) => {
        now = index
      },
      // A range that begins where another is over may have been seen first.
      leave: (index) => {
        if (now === index) now = -1
      },
      classOf: () => (now < 0 ? 0 : holds[now]! + 1),
    },
  )
}
