// Chains and rules as code: steps in order, verdicts as exits, called chains inlined.

import type { Label, ProgType } from '@netsieve/asm'
import { type BaseChain, type Chain, type Filter, type Rule, type Verdict, VIEWS } from '@netsieve/ir'
import { R } from './emitter.ts'
import { branch } from './predicates.ts'
import type { Scope } from './terms.ts'

/** What the rules of one base chain, on one path, are compiled in. */
export interface RuleScope extends Scope {
  readonly filter: Filter
  readonly base: BaseChain
  readonly type: ProgType
  /** Where an accepted packet goes on: the next base chain; none: it passes. */
  readonly onAccept: Label | undefined
}

/** Compiles a base chain's rules and its policy; control ends here. */
export function baseChain(scope: RuleScope): void {
  const { e, base } = scope
  const policy = e.label('policy')
  chain(scope, base.chain, policy, policy, [])
  e.bind(policy)
  e.origin = { text: `policy ${base.policy} of ${base.chain}` }
  decide(scope, base.policy)
}

/** Compiles a chain in place. Control leaves by a verdict, at `end` past the last rule, or at `policy` where a program rejects. */
function chain(scope: RuleScope, name: string, end: Label, policy: Label, callers: readonly string[]): void {
  const { e, filter } = scope
  const found = filter.chains.find((candidate: Chain) => candidate.name === name)
  if (!found || callers.includes(name)) throw new Error(`chain ${name} is ${found ? 'in a cycle' : 'not defined'}`)
  for (const rule of found.rules) {
    if (!e.reachable) return
    compileRule(scope, rule, end, policy, [...callers, name])
  }
  e.goto(end)
}

function compileRule(scope: RuleScope, rule: Rule, end: Label, policy: Label, callers: readonly string[]): void {
  const { e, path } = scope
  const outer = e.origin
  const origin = { rule: rule.id, text: rule.text, ...(rule.span && { span: rule.span }) }
  const [next, cut] = [e.label('next'), e.label('cut')]
  const rejected = e.label('rejected')
  e.origin = origin
  for (const step of rule.steps) {
    if (step.kind === 'match') {
      const holds = e.label('holds')
      const seen: RuleScope = step.view
        ? { ...scope, path: { ...path, view: VIEWS[step.view], fragmentSlot: path.view.laterFragments === 'short' } }
        : scope
      branch(seen, step.pred, holds, next, { missing: path.view.missing === 'reject' ? rejected : next, cut })
      e.bind(holds)
    } else if (step.kind === 'verdict') {
      verdict(scope, step.verdict, next, end, policy, callers)
      break
    } else if (step.kind === 'vmap') throw new Error(`the map ${step.map} is not compiled`)
  }
  // A rejecting program ends as its policy has it, but it is this rule that ended it.
  e.defer(() => {
    e.origin = origin
    e.bind(rejected)
    decide(scope, scope.base.policy)
    e.bind(cut)
    decide(scope, 'drop')
  })
  e.goto(next)
  e.bind(next)
  e.origin = outer
}

function verdict(
  scope: RuleScope,
  what: Verdict,
  next: Label,
  end: Label,
  policy: Label,
  callers: readonly string[],
): void {
  const { e } = scope
  switch (what.kind) {
    case 'accept':
    case 'drop':
      return decide(scope, what.kind)
    case 'continue':
      return e.goto(next)
    case 'return':
      return e.goto(end)
    case 'jump':
      return chain(scope, what.chain, next, policy, callers)
    case 'goto':
      return chain(scope, what.chain, end, policy, callers)
  }
}

/** Ends the packet's way through this base chain. */
function decide({ e, type, onAccept }: RuleScope, what: 'accept' | 'drop'): void {
  if (what === 'accept' && onAccept) return e.goto(onAccept)
  e.put((c) => c.mov(R.RET, type.returns[what === 'accept' ? 'pass' : 'drop']))
  e.exit()
}
