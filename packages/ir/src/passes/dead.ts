// What no packet comes to, and what does nothing for those that do.

import type { Chain, Rule } from '../types.ts'
import type { Pass } from './pass.ts'
import { type Traceless, tracelessIn } from './traces.ts'
import { hasEffect, reachedChains } from './walk.ts'

export const dead: Pass = {
  name: 'dead',
  after:
    'every chain can be reached; no rule follows one that ends every packet; every rule decides, calls, or leaves a trace',
  keeps: 'rule',
  run(filter) {
    const traceless = tracelessIn(filter)
    const live = new Map<string, Chain>()
    // Called chains first: calls of those that are empty now do nothing.
    for (const chain of reachedChains(filter).reverse()) {
      const empty = (name: string) => live.get(name)?.rules.length === 0
      live.set(chain.name, { ...chain, rules: liveRules(chain, empty, traceless) })
    }
    // Calls of empty chains are gone, and with them perhaps the last call of others.
    const kept = new Set(reachedChains({ ...filter, chains: [...live.values()] }).map(({ name }) => name))
    const chains = filter.chains.flatMap((chain) => {
      const now = kept.has(chain.name) ? live.get(chain.name) : undefined
      return now
        ? [now.rules.length === chain.rules.length && now.rules.every((r, i) => r === chain.rules[i]) ? chain : now]
        : []
    })
    const same = chains.length === filter.chains.length && chains.every((chain, i) => chain === filter.chains[i])
    return same ? filter : { ...filter, chains }
  },
}

function liveRules(chain: Chain, empty: (name: string) => boolean, traceless: Traceless): Rule[] {
  const out: Rule[] = []
  for (const rule of chain.rules) {
    const now = liveRule(rule, empty)
    if (!idle(now, traceless)) out.push(now)
    if (endsAll(now)) break
  }
  // What the end of the chain does anyway.
  for (let last = out.at(-1); last && comesBack(last) && settled(last, traceless); last = out.at(-1)) out.pop()
  return out
}

/** A rule without steps that are never done, and without calls of chains that hold nothing. */
function liveRule(rule: Rule, empty: (name: string) => boolean): Rule {
  const never = rule.steps.findIndex((step) => step.kind === 'match' && step.pred.kind === 'const' && !step.pred.value)
  const steps = never < 0 ? rule.steps : rule.steps.slice(0, never + 1)
  const end = steps.at(-1)
  const call = end?.kind === 'verdict' && 'chain' in end.verdict && empty(end.verdict.chain) ? end : undefined
  if (!call) return never < 0 ? rule : { ...rule, steps }
  const kind = call.verdict.kind === 'goto' ? 'return' : 'continue'
  return { ...rule, steps: [...steps.slice(0, -1), { ...call, verdict: { kind } }] }
}

/** No packet is decided, called away or marked by it, nor dropped for what it asks. */
function idle(rule: Rule, traceless: Traceless): boolean {
  const end = rule.steps.at(-1)
  const never = end?.kind === 'match' && end.pred.kind === 'const' && !end.pred.value
  const decides = rule.steps.some(
    (step) => step.kind === 'vmap' || (step.kind === 'verdict' && step.verdict.kind !== 'continue'),
  )
  return (never || !decides) && settled(rule, traceless)
}

const settled = (rule: Rule, traceless: Traceless) => !hasEffect(rule) && rule.steps.every(traceless)

function comesBack({ steps }: Rule): boolean {
  const end = steps.find((step) => step.kind === 'verdict' || step.kind === 'vmap')
  return end?.kind === 'verdict' && end.verdict.kind === 'return'
}

/** Whether every packet that comes to a rule is decided or taken away by it. */
export function endsAll({ steps }: Rule): boolean {
  for (const step of steps) {
    if (step.kind === 'verdict') return step.verdict.kind !== 'continue' && step.verdict.kind !== 'jump'
    if (step.kind !== 'count' && step.kind !== 'log') return false
  }
  return false
}
