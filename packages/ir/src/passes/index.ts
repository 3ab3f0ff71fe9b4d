// The passes, in the order in which they are applied, and what they found to say about rules.

import type { Filter } from '../types.ts'
import { constants } from './constants.ts'
import { dead } from './dead.ts'
import { groups } from './groups.ts'
import { guards } from './guards.ts'
import { merge } from './merge.ts'
import type { Pass } from './pass.ts'
import { shadowed } from './shadowed.ts'

export type { Pass } from './pass.ts'

/** All passes, in order. */
export const PASSES: readonly Pass[] = [constants, guards, shadowed, dead, merge, groups]

export interface SimplifyOptions {
  /** 0: nothing; 1 (default): passes that keep the deciding rule; 2: those too that keep only the verdict. */
  readonly level?: 0 | 1 | 2
  /** Asked after each pass, with the filter before it and after: tests and `--check-passes` compare the two. */
  readonly check?: (pass: Pass, before: Filter, after: Filter) => void
}

/** The passes of a level. */
export function passesOf(level: 0 | 1 | 2): readonly Pass[] {
  return level === 0 ? [] : PASSES.filter(({ keeps }) => keeps === 'rule' || level === 2)
}

/** A filter that `check` takes, with the same meaning, shorter. */
export function simplify(filter: Filter, { level = 1, check }: SimplifyOptions = {}): Filter {
  return passesOf(level).reduce((before, pass) => {
    const after = pass.run(before)
    check?.(pass, before, after)
    return after
  }, filter)
}
