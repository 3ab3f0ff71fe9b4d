// Looks for a frame that two filters decide differently. A difference is shown by a frame that both were asked about; that none was found
// proves nothing.

import { actText, evaluate, type Filter } from '@netsieve/ir'
import fc from 'fast-check'
import { buildFrame, type Plan } from './frame.ts'
import { planArbitrary } from './generate.ts'
import { oddities, plainPlan } from './odd.ts'
import { type Constants, collectConstants, type Path, pathKey, pathsOf } from './paths.ts'

export interface Decided {
  readonly decision: 'pass' | 'drop'
  /** The rule that decided, where one did. */
  readonly rule?: number
  /** What else is done with the frame, in words: equal words, equal acts. */
  readonly act?: string
}

/** A filter as a function of an Ethernet frame. */
export type Decide = (frame: Uint8Array) => Decided

/** One of two filters: what it says, and a way to ask it (its compiled program, say). By default its meaning is evaluated. */
export interface Side {
  readonly filter: Filter
  readonly decide?: Decide
}

export interface CompareOptions {
  /** Frames to try; default 20,000. */
  readonly runs?: number
  /** The same seed gives the same frames; default 1. */
  readonly seed?: number
  /** `plain`: only whole, sound, untagged frames without options, extension headers and fragments; default `any`. */
  readonly frames?: 'any' | 'plain'
}

export type Comparison =
  | {
      readonly status: 'different'
      /** The smallest frame found, and what each side said to it. */
      readonly frame: Uint8Array
      /** What is unusual about the frame, in words; nothing for a plain one. */
      readonly odd: readonly string[]
      readonly a: Decided
      readonly b: Decided
      readonly seed: number
      /** fast-check's path to the frame from the seed, within the search (of plain frames, then of all) that found it. */
      readonly path: string
      /** Frames tried until one differed. */
      readonly runs: number
    }
  | { readonly status: 'none-found'; readonly runs: number; readonly seed: number }

const DEFAULT_RUNS = 20_000
/** Of all frames this part is plain and comes first: a difference that anyone can meet is worth more than an odd one. */
const PLAIN_FIRST = 1 / 4

/** Compares two filters on frames made from the constants of both. Deterministic for a seed. */
export function compare(
  a: Side,
  b: Side,
  { runs = DEFAULT_RUNS, seed = 1, frames = 'any' }: CompareOptions = {},
): Comparison {
  const [decideA, decideB] = [decider(a), decider(b)]
  const plans = plansFor(a.filter, b.filter)
  const same = (plan: Plan) => {
    const frame = buildFrame(plan)
    const [left, right] = [decideA(frame), decideB(frame)]
    return left.decision === right.decision && left.act === right.act
  }
  const plain = frames === 'plain' ? runs : Math.floor(runs * PLAIN_FIRST)
  const found = search(plans.map(plainPlan), same, plain, seed) ?? search(plans, same, runs - plain, seed, plain)
  if (!found) return { status: 'none-found', runs, seed }
  const frame = buildFrame(found.plan)
  const { path, runs: tried } = found
  return {
    status: 'different',
    frame,
    odd: oddities(found.plan),
    a: decideA(frame),
    b: decideB(frame),
    seed,
    path,
    runs: tried,
  }
}

/** The smallest plan that is not the same to both sides, if any is found; `before` counts the frames of earlier searches. */
function search(plans: fc.Arbitrary<Plan>, same: (plan: Plan) => boolean, runs: number, seed: number, before = 0) {
  if (runs === 0) return undefined
  const result = fc.check(fc.property(plans, same), { numRuns: runs, seed })
  if (!result.failed) return undefined
  const { counterexample, counterexamplePath: path } = result
  if (counterexample === null || path === null) throw new Error('fast-check failed without a counterexample')
  // Again, outside fast-check: what a side throws is to be seen as it was thrown.
  if (same(counterexample[0])) throw new Error('a side does not always decide a frame in the same way')
  return { plan: tidied(counterexample[0], same), path, runs: before + result.numRuns }
}

/** Plans around the rules of both filters, and three of four around those that only one of them has. */
function plansFor(a: Filter, b: Filter): fc.Arbitrary<Plan> {
  const constants = collectConstants([a, b])
  const everywhere = planArbitrary(constants)
  const focus = changedPaths(a, b)
  if (focus.length === 0 || focus.length === constants.paths.length) return everywhere
  const aimed = aimedPlans(constants, focus)
  return fc.oneof({ arbitrary: everywhere, weight: 1 }, { arbitrary: aimed, weight: 3 })
}

/** Mostly plain frames: a changed rule shows in them nearly always. */
function aimedPlans(constants: Constants, focus: readonly Path[]): fc.Arbitrary<Plan> {
  const any = planArbitrary(constants, focus, 6)
  return fc.oneof({ arbitrary: any.map(plainPlan), weight: 3 }, { arbitrary: any, weight: 1 })
}

function decider({ filter, decide }: Side): Decide {
  return decide ?? ((frame) => meaning(filter, frame))
}

/** What a filter means for a frame. */
export function meaning(filter: Filter, frame: Uint8Array): Decided {
  const { act, logs: _, ...decided } = evaluate(filter, frame)
  return { ...decided, ...(act && { act: actText(act) }) }
}

/** The paths between the common start and the common end of two filters of one view: where a change is. All of them otherwise. */
function changedPaths(a: Filter, b: Filter): Path[] {
  const [left, right] = [pathsOf(a), pathsOf(b)]
  const views = (filter: Filter) => filter.base.map(({ view, family, policy }) => `${view} ${family} ${policy}`).join()
  if (views(a) !== views(b)) return [...left, ...right]
  const [leftKeys, rightKeys] = [left.map(pathKey), right.map(pathKey)]
  let start = 0
  while (start < left.length && leftKeys[start] === rightKeys[start]) start++
  let end = 0
  while (end < Math.min(left.length, right.length) - start && leftKeys.at(-1 - end) === rightKeys.at(-1 - end)) end++
  return [...left.slice(start, left.length - end), ...right.slice(start, right.length - end)]
}

const PLAIN: readonly Partial<Plan>[] = [
  { payload: 0 },
  { tags: [] },
  { options: 0 },
  { frag: 0 },
  { extensions: [] },
  { oddity: 'none' },
]

/** What fast-check's shrinking leaves standing by chance: writes that do not matter, and parts of the plan. */
function tidied(plan: Plan, same: (plan: Plan) => boolean): Plan {
  let best = plan
  const attempt = (next: Plan) => {
    if (!same(next)) best = next
  }
  for (let i = plan.writes.length - 1; i >= 0; i--) attempt({ ...best, writes: best.writes.toSpliced(i, 1) })
  const { cut: _cut, ...uncut } = best
  attempt(uncut)
  const { short: _short, ...unshort } = best
  attempt(unshort)
  for (const plain of PLAIN) attempt({ ...best, ...plain })
  return best
}
