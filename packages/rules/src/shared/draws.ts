// Numbers drawn at random. What is told of a packet is one number; the kernel draws one wherever a rule asks. So each rule that asks, but one
// that is the first to ask of every packet, makes the next number of the one before.

import { type Chain, type Filter, field, type Step, type Term, termsIn } from '@netsieve/ir'

const bin = (op: 'add' | 'mul', left: Term, right: bigint): Term => ({ kind: 'bin', op, left, right: { kind: 'const', value: right } }) // biome-ignore format: one value
/** The next number: a linear congruence (Numerical Recipes, chapter 7), whose upper bits, which are asked for, are good enough. */
const next = (): Step => ({ kind: 'set', field: 'meta.random', term: bin('add', bin('mul', field('meta.random'), 1_664_525n), 1_013_904_223n) }) // biome-ignore format: one value

const asks = (step: Step): boolean => {
  for (const term of termsIn(step)) if (term.kind === 'field' && term.field === 'meta.random') return true
  return false
}

/** The step that is the first to ask, whichever way a packet goes; undefined where a chain may be called before. */
function firstAsked({ base, chains }: Pick<Filter, 'base' | 'chains'>): Step | undefined {
  const byName = new Map(chains.map(({ name, rules }) => [name, rules]))
  for (const { chain } of base)
    for (const { steps } of byName.get(chain) ?? []) {
      const first = steps.find(asks)
      if (first) return first
      if (steps.some((step) => step.kind === 'vmap' || (step.kind === 'verdict' && 'chain' in step.verdict)))
        return undefined
    }
  return undefined
}

/** The chains with a number of its own for each step that asks for one, each time that it does. */
export function drawnAnew(filter: Pick<Filter, 'base' | 'chains'>): readonly Chain[] {
  const first = firstAsked(filter)
  return filter.chains.map((chain) => ({
    ...chain,
    rules: chain.rules.map((rule) => {
      if (!rule.steps.some((step) => asks(step) && step !== first)) return rule
      const steps = rule.steps.flatMap((step) => (asks(step) && step !== first ? [{ ...next(), span: rule.span }, step] : step)) // biome-ignore format: one call
      return { ...rule, steps: steps as Step[] }
    }),
  }))
}
