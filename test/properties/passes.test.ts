// Each pass keeps what it says it keeps: on random filters, the random frames and those made from the filter's constants are decided as before.

import { collectConstants, frameArbitrary } from '@netsieve/equiv'
import {
  check,
  type Decision,
  evaluate,
  type Filter,
  PASSES,
  print,
  simplify,
  VIEWS,
  type ViewName,
} from '@netsieve/ir'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRAMES, frame } from './frames.ts'
import { filterOf } from './random-ir.ts'
import { ruleListOf } from './random-lists.ts'

const RUNS = Number(process.env.NETSIEVE_RUNS ?? 40)
const SEED = 20_261_127

/** What differs on some frame, as text; undefined if nothing does. */
function difference(
  before: Filter,
  after: Filter,
  frames: readonly Uint8Array[],
  keeps: 'rule' | 'verdict',
): string | undefined {
  for (const bytes of frames) {
    const told = ({ decision, rule, by }: Decision) => (keeps === 'rule' ? `${decision} by ${by} ${rule}` : decision)
    const [was, is] = [told(evaluate(before, bytes)), told(evaluate(after, bytes))]
    if (was !== is)
      return `was ${was}, is ${is}\n${print(before)}\nnow\n${print(after)}\nframe ${Buffer.from(bytes).toString('hex')}`
  }
  return undefined
}

const KINDS = { 'any filter': filterOf, 'rules over few fields': ruleListOf } as const

describe.each(Object.keys(VIEWS) as ViewName[])('view %s', (view) => {
  it.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('%s', (kind) => {
    const changed = new Map<string, number>()
    fc.assert(
      fc.property(
        KINDS[kind](view),
        fc.array(frame, { minLength: 15, maxLength: 15 }),
        fc.nat(),
        (filter, frames, seed) => {
          fc.pre(check(filter).value !== undefined)
          const near = fc.sample(frameArbitrary(collectConstants([filter])), { numRuns: 25, seed })
          const all = [...frames, ...near, ...FRAMES.slice(0, 20)]
          for (const pass of PASSES) {
            const after = pass.run(filter)
            if (after !== filter) changed.set(pass.name, (changed.get(pass.name) ?? 0) + 1)
            const wrong =
              check(after)
                .diagnostics.map(({ message }) => message)
                .join() || difference(filter, after, all, pass.keeps)
            if (wrong !== undefined) throw new Error(`${pass.name}: ${wrong}`)
          }
          const whole = simplify(filter)
          const wrong =
            difference(filter, whole, all, 'rule') ?? difference(filter, simplify(filter, { level: 2 }), all, 'verdict')
          if (wrong !== undefined) throw new Error(`all passes: ${wrong}`)
        },
      ),
      { numRuns: RUNS, seed: SEED, endOnFailure: false },
    )
    if (kind === 'rules over few fields') {
      const idle = VIEWS[view].missing === 'reject' ? ['shadowed', 'groups'] : []
      expect(PASSES.map(({ name }) => name).filter((name) => !changed.has(name) && !idle.includes(name))).toEqual([])
    }
  })
})
