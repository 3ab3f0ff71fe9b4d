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

/** A range that holds something: what, as a number from 0. */
export interface Held extends Range {
  readonly index: number
}

/**
 * Cuts a component at the ends of ranges that may overlap. `enter` and `leave` are called where a range begins and is over, `classOf` between:
 * it gives the class of what holds there.
 */
export function cut(
  bits: number,
  ranges: readonly Held[],
  on: {
    readonly enter: (index: number) => void
    readonly leave: (index: number) => void
    readonly classOf: () => number
  },
): Pieces {
  const narrow = bits <= NARROW
  const value = (number: bigint): number | bigint => (narrow ? Number(number) : number)
  const top = 1n << BigInt(bits)
  const events: { readonly at: number | bigint; readonly index: number; readonly enters: boolean }[] = []
  for (const { lo, hi, index } of ranges) {
    events.push({ at: value(lo), index, enters: true })
    if (hi + 1n < top) events.push({ at: value(hi + 1n), index, enters: false })
  }
  events.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const starts: (number | bigint)[] = []
  const classes: number[] = []
  const zero = narrow ? 0 : 0n
  const piece = (at: number | bigint): void => {
    const found = on.classOf()
    if (classes.at(-1) === found) return
    starts.push(at)
    classes.push(found)
  }
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
  return { bits, starts, classes }
}

/** Cuts a component at disjoint ranges: the class of a value is what its range holds plus 1, or 0 outside of all. */
export function cutDisjoint(bits: number, ranges: readonly Range[], holds: readonly number[]): Pieces {
  let now = -1
  return cut(
    bits,
    ranges.map((range, index) => ({ ...range, index })),
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
