// Sets and maps by their meaning: what is looked up in them, and the verdicts that a step can come to.

import type { ElementData, Filter, Rule, SetDef, Step, Verdict } from './types.ts'

/** The sets of a filter by name. */
export function setsOf({ sets = [] }: Filter): ReadonlyMap<string, SetDef> {
  return new Map(sets.map((set) => [set.name, set]))
}

/** What a set holds for a key: the first element that has it, else its catch-all; undefined if there is neither. */
export function findElement({ elements, catchAll }: SetDef, key: readonly bigint[]): ElementData | undefined {
  const found = elements.find((element) =>
    element.key.every(({ lo, hi }, i) => {
      const part = key[i]
      return part !== undefined && lo <= part && part <= hi
    }),
  )
  return found ?? catchAll
}

/** The different verdicts that a map holds, in the order of its elements. */
export function verdictsIn({ elements, catchAll }: Pick<SetDef, 'elements' | 'catchAll'>): Verdict[] {
  const out = new Map<string, Verdict>()
  for (const { verdict } of catchAll ? [...elements, catchAll] : elements)
    if (verdict) out.set(verdictKey(verdict), verdict)
  return [...out.values()]
}

/** A verdict as text: equal texts, equal verdicts. */
export function verdictKey(verdict: Verdict): string {
  if (verdict.kind === 'act') return `${verdict.act} ${JSON.stringify(verdict.args)}`
  return 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind
}

/** The chains that a step can call, each once. */
export function calledBy(step: Step, sets: ReadonlyMap<string, SetDef>): readonly string[] {
  if (step.kind === 'verdict') return 'chain' in step.verdict ? [step.verdict.chain] : NONE
  const map = step.kind === 'vmap' ? sets.get(step.map) : undefined
  if (!map) return NONE
  return [...new Set(verdictsIn(map).flatMap((verdict) => ('chain' in verdict ? [verdict.chain] : [])))]
}

/** The chains that a rule can call, in the order of its steps. */
export function calledIn({ steps }: Rule, sets: ReadonlyMap<string, SetDef>): readonly string[] {
  let found = NONE
  for (let i = 0; i < steps.length; i++) {
    const called = steps[i]!.kind === 'match' ? NONE : calledBy(steps[i]!, sets)
    if (called.length > 0) found = [...found, ...called]
  }
  return found
}

const NONE: readonly string[] = []
