// Numbers drawn at random. What is told of a packet is one number; the kernel draws one wherever a rule asks. So each rule but the first that asks
// makes the next number of the one before.

import { type Chain, field, type Step, type Term, termsIn } from '@netsieve/ir'

const bin = (op: 'add' | 'mul', left: Term, right: bigint): Term => ({ kind: 'bin', op, left, right: { kind: 'const', value: right } }) // biome-ignore format: one value
/** The next number: a linear congruence (Numerical Recipes, chapter 7), whose upper bits, which are asked for, are good enough. */
const next = (): Step => ({ kind: 'set', field: 'meta.random', term: bin('add', bin('mul', field('meta.random'), 1_664_525n), 1_013_904_223n) }) // biome-ignore format: one value

const asks = (step: Step): boolean => {
  for (const term of termsIn(step)) if (term.kind === 'field' && term.field === 'meta.random') return true
  return false
}

/** The chains with a number of its own for each step that asks for one. */
export function drawnAnew(chains: readonly Chain[]): readonly Chain[] {
  const rules = chains.flatMap((chain) => chain.rules).filter(({ steps }) => steps.some(asks))
  if (rules.length === 0) return chains
  const first = rules.reduce((one, other) => (other.id < one.id ? other : one)).steps.find(asks)
  return chains.map((chain) => ({
    ...chain,
    rules: chain.rules.map((rule) => {
      if (!rule.steps.some(asks)) return rule
      const steps = rule.steps.flatMap((step) => (asks(step) && step !== first ? [{ ...next(), span: rule.span }, step] : step)) // biome-ignore format: one call
      return { ...rule, steps: steps as Step[] }
    }),
  }))
}
