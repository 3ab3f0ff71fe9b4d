// Passes held against the meaning: each one's filter and the one before it decide frames made from the filter's constants.

import { type Decision, evaluate, type Filter, type Pass, simplify } from '@netsieve/ir'
import fc from 'fast-check'
import { frameArbitrary } from './generate.ts'
import { collectConstants } from './paths.ts'

export interface PassCheckOptions {
  /** Frames to try; default 2,000. */
  readonly runs?: number
  /** The same seed gives the same frames; default 1. */
  readonly seed?: number
  /** Which passes: those of `simplify`'s level; default 1. */
  readonly level?: 0 | 1 | 2
}

/** What one pass did to a filter. */
export interface PassCheck {
  readonly pass: Pass
  /** Rules before and after it. */
  readonly rules: readonly [before: number, after: number]
  readonly changed: boolean
  readonly cases: number
  readonly mismatches: number
  /** The first frame that is decided otherwise, and how. */
  readonly first?: { readonly frame: Uint8Array; readonly before: Decision; readonly after: Decision }
}

/** Applies the passes of a level and compares what each made with what it was given: verdicts, and deciding rules where the pass keeps them. */
export function checkPasses(filter: Filter, { runs = 2000, seed = 1, level = 1 }: PassCheckOptions = {}): PassCheck[] {
  const frames = fc.sample(frameArbitrary(collectConstants([filter])), { numRuns: runs, seed })
  const out: PassCheck[] = []
  simplify(filter, {
    level,
    check(pass, before, after) {
      const rules = [before, after].map(({ chains }) => chains.reduce((sum, chain) => sum + chain.rules.length, 0)) as [number, number] // biome-ignore format: a pair
      if (before === after) out.push({ pass, rules, changed: false, cases: runs, mismatches: 0 })
      else out.push({ pass, rules, changed: true, cases: runs, ...compared(pass, before, after, frames) })
    },
  })
  return out
}

function compared(
  pass: Pass,
  before: Filter,
  after: Filter,
  frames: readonly Uint8Array[],
): Pick<PassCheck, 'mismatches' | 'first'> {
  let mismatches = 0
  let first: PassCheck['first']
  for (const frame of frames) {
    const [was, is] = [evaluate(before, frame), evaluate(after, frame)]
    const same =
      was.decision === is.decision && (pass.keeps === 'verdict' || (was.rule === is.rule && was.by === is.by))
    if (same) continue
    mismatches++
    first ??= { frame, before: was, after: is }
  }
  return { mismatches, ...(first && { first }) }
}
