// Rules that lie behind others which take all their packets.

import type { Filter } from '../types.ts'
import { normalIn } from './constants.ts'
import { coveredRules } from './cover.ts'
import type { Pass } from './pass.ts'
import { mapChains, mapped, withRules } from './rewrite.ts'
import { tracelessIn } from './traces.ts'
import { hasEffect, setsMetadata } from './walk.ts'

export const shadowed: Pass = {
  name: 'shadowed',
  after: 'no rule is left that single rules above it cover, nor, in chains of up to 512 rules, several together',
  keeps: 'rule',
  run(filter: Filter) {
    const traceless = tracelessIn(filter)
    const setting = setsMetadata(filter)
    const normal = normalIn(filter)
    return mapChains(filter, (chain) => {
      const covered = coveredRules(chain, setting, normal)
      if (covered.length === 0) return chain
      const gone = new Set(covered.map(({ rule }) => rule))
      const idle = (rule: (typeof chain.rules)[number]) => !hasEffect(rule) && rule.steps.every(traceless)
      const left = (rule: (typeof chain.rules)[number]) => (gone.has(rule) && idle(rule) ? undefined : rule)
      return withRules(chain, mapped(chain.rules, left))
    })
  },
}
