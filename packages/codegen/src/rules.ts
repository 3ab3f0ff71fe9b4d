// Chains and rules as code: steps in order, verdicts as exits, called chains inlined.

import { HELPERS, type Label, type Origin, type ProgType } from '@netsieve/asm'
import {
  ACTS,
  type Act,
  actText,
  type BaseChain,
  countsOnMatch,
  type ElementData,
  type Filter,
  type Rule,
  type Step,
  type Verdict,
} from '@netsieve/ir'
import { forgetTransport } from './anew.ts'
import { R } from './emitter.ts'
import { isIdle } from './idle.ts'
import { ALONE, chainsOf, emitRun, exitsOf, type Run, runFrom, takesAny, worthwhile } from './lookup/lists.ts'
import { verdictMap } from './lookup/sets.ts'
import { branch } from './predicates.ts'
import { type Failures, type Scope, seenAs, setOf } from './scope.ts'
import { countNamed, countRule, gate, turn } from './state.ts'
import { setMetadata, storeMetadata } from './told.ts'
import { isIndex } from './type.ts'

/** What the rules of one base chain, on one path, are compiled in. */
export interface RuleScope extends Scope {
  readonly filter: Filter
  readonly base: BaseChain
  readonly type: ProgType
  /** Lists of rules are not compiled as one decision. */
  readonly oneByOne: boolean
  /** Where an accepted packet goes on: the next base chain; none: it passes. */
  readonly onAccept: Label | undefined
  /** Calls of chains that are functions of their own: true if this one is, and then control leaves at `end` or by a verdict. */
  readonly callsFunction?: (scope: RuleScope, chain: string, end: Label) => boolean
  /** Whether a rule is not to be compiled with others as one decision. */
  readonly alone?: (rule: Rule) => boolean
  /** Told before a run of rules how long the function will be at least. */
  readonly begins?: (size: number) => void
  /** Told after each rule how long the function has become, and how much of that a run of rules added just now. */
  readonly grows?: (size: number, run: number) => void
  /** How long the function may become by a rule that is compiled by itself. */
  readonly most?: () => number
}

/** Compiles a base chain's rules and its policy; control ends here. */
export function baseChain(scope: RuleScope): void {
  const { e, base } = scope
  const policy = e.label('policy')
  chain(scope, base.chain, policy, [])
  e.bind(policy)
  byPolicy(scope)
}

/** The policy decides. */
export function byPolicy(scope: Pick<RuleScope, 'e' | 'base' | 'type' | 'onAccept'>): void {
  const { e, base } = scope
  e.origin = { text: `policy ${base.policy} of ${base.chain}` }
  decide(scope, base.policy)
}

/** Compiles a chain in place. Control leaves by a verdict, or at `end` past the last rule. */
function chain(scope: RuleScope, name: string, end: Label, callers: readonly string[]): void {
  if (scope.callsFunction?.(scope, name, end)) return
  chainFrom(scope, name, 0, () => false, end, callers)
  scope.e.goto(end)
}

/**
 * Compiles the rules of a chain from one on, until `stop` says so of one that is to come. Control leaves by a verdict, at `end` where the chain
 * is returned from, or falls through.
 * @returns the number of the first rule that was not compiled
 */
export function chainFrom(
  scope: RuleScope,
  name: string,
  from: number,
  stop: (rule: number) => boolean,
  end: Label,
  callers: readonly string[],
): number {
  const { e, filter, maps } = scope
  const found = chainsOf(maps, filter).get(name)
  if (!found || callers.includes(name)) throw new Error(`chain ${name} is ${found ? 'in a cycle' : 'not defined'}`)
  const path = [...callers, name]
  const { rules } = found
  let i = from
  while (i < rules.length && !stop(i)) {
    if (!e.reachable) return rules.length
    const run = scope.oneByOne ? ALONE : runFrom(scope, rules, i)
    const before = e.size
    const whole = worthwhile(run)
    const these = rules.slice(i, i + Math.max(1, run.length))
    const oneByOne = (): void => {
      for (const rule of these) compileRule(scope, rule, end, path)
    }
    e.most = whole || !scope.most ? Number.POSITIVE_INFINITY : scope.most()
    if (whole) scope.begins?.(e.size + exitsOf(run))
    if (whole) whereThere(scope, run.needs, () => together(scope, `${name} ${i}`, run, end, path), oneByOne)
    // Rules that this path's packets cannot match are left out.
    else if (run.length === 0 || takesAny(run) || run.needs !== undefined) oneByOne()
    e.most = Number.POSITIVE_INFINITY
    i += Math.max(1, run.length)
    scope.grows?.(e.size, whole ? e.size - before : 0)
  }
  return i
}

/** Packets that have all bytes that are asked for are decided at once, those that are shorter rule by rule. */
function whereThere(
  { e, access, netRef }: RuleScope,
  needs: number | undefined,
  atOnce: () => void,
  oneByOne: () => void,
): void {
  if (needs === undefined) return atOnce()
  const [short, done] = [e.label('short'), e.label('done')]
  access.reach(e, netRef, needs - 1, 1, short)
  atOnce()
  e.goto(done)
  e.bind(short)
  if (e.reachable) oneByOne()
  e.bind(done)
}

/** Compiles a run of rules as one decision. */
function together(scope: RuleScope, name: string, run: Run, end: Label, callers: readonly string[]): void {
  const { e } = scope
  const outer = e.origin
  const [first, last] = [run.boxes[0]!.rule, run.boxes.at(-1)!.rule]
  e.origin = { text: `rules ${first.id} to ${last.id}` }
  const next = e.label('next')
  const does = (rule: Rule, what: readonly Step[] | 'cut'): void => {
    const search = e.origin
    e.origin = originOf(rule)
    if (what === 'cut') decide(scope, 'drop')
    else
      for (const step of what) {
        if (step.kind === 'verdict') {
          if (countsOnMatch(rule.steps)) countRule(scope, rule.id)
          verdict(scope, step.verdict, next, end, callers)
        } else if (step.kind === 'count' || step.kind === 'log')
          effect(scope, step, rule.id, next, { missing: next, cut: next })
      }
    e.origin = search
  }
  emitRun(scope, name, run, { decide: does, next })
  e.bind(next)
  e.origin = outer
}

function originOf({ id, text, span }: Rule): Origin {
  return { rule: id, text, ...(span && { span }) }
}

function compileRule(scope: RuleScope, rule: Rule, end: Label, callers: readonly string[]): void {
  const { e, path } = scope
  if (isIdle(scope, rule)) return
  const outer = e.origin
  const origin = originOf(rule)
  const [next, cut] = [e.label('next'), e.label('cut')]
  const rejected = e.label('rejected')
  e.origin = origin
  if (path.anew) forgetTransport(e)
  const counts = countsOnMatch(rule.steps)
  const failures = { missing: path.view.missing === 'reject' ? rejected : next, cut }
  for (const step of rule.steps) {
    if (step.kind === 'match') {
      const holds = e.label('holds')
      branch(seenAs(scope, step.view), step.pred, holds, next, failures)
      e.bind(holds)
    } else if (step.kind === 'verdict') {
      if (counts) countRule(scope, rule.id)
      verdict(scope, step.verdict, next, end, callers)
      break
    } else if (step.kind === 'vmap') {
      const come = ({ verdict: held }: ElementData): void => {
        if (counts) countRule(scope, rule.id)
        if (held) verdict(scope, held, next, end, callers)
      }
      verdictMap(scope, setOf(scope, step.map), step.terms, { come, none: next, failures })
      break
    } else effect(scope, step, rule.id, next, failures)
  }
  if (counts && e.reachable) countRule(scope, rule.id)
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

/** A step that neither matches packet fields nor ends the rule; goes to `next` where it does not hold. */
function effect(
  scope: RuleScope,
  step: Exclude<Step, { kind: 'match' | 'verdict' | 'vmap' }>,
  rule: number,
  next: Label,
  failures: Failures,
): void {
  const { e } = scope
  switch (step.kind) {
    case 'count':
      return step.counter === undefined ? countRule(scope, rule) : countNamed(scope, step.counter)
    case 'log':
      // What is written is for those who read it; no verdict depends on it.
      return
    case 'turn':
      turn(scope, step.state)
      return storeMetadata(scope, step.field)
    case 'set':
      return setMetadata(scope, step.field, step.term, failures)
    default: {
      const holds = e.label('within')
      gate(scope, step, { holds, next, failures })
      e.bind(holds)
    }
  }
}

function verdict(scope: RuleScope, what: Verdict, next: Label, end: Label, callers: readonly string[]): void {
  const { e } = scope
  switch (what.kind) {
    case 'accept':
    case 'drop':
      return decide(scope, what.kind)
    case 'act':
      return act(scope, what)
    case 'continue':
      return e.goto(next)
    case 'return':
      return e.goto(end)
    case 'jump':
      return chain(scope, what.chain, next, callers)
    case 'goto':
      return chain(scope, what.chain, end, callers)
  }
}

/** Ends the packet's way as the act has it; a device that is told by its index is where the packet is sent to. */
function act(scope: RuleScope, what: Act): void {
  const { e, type } = scope
  const { decision } = ACTS[what.act]
  e.origin = { ...e.origin!, act: actText(what) }
  const [device = '', direction] = what.args
  if (what.act === 'redirect' && type.redirects && isIndex(device)) {
    e.put((c) => {
      c.mov(1, Number(device))
      c.mov(2, direction === 'ingress' ? 1 : 0)
      c.call(HELPERS.redirect.id)
    })
    return e.exit()
  }
  decide(scope, decision === 'pass' ? 'accept' : 'drop')
}

/** Ends the packet's way through this base chain. */
function decide({ e, type, onAccept }: Pick<RuleScope, 'e' | 'type' | 'onAccept'>, what: 'accept' | 'drop'): void {
  if (what === 'accept' && onAccept) return e.goto(onAccept)
  e.put((c) => c.mov(R.RET, type.returns[what === 'accept' ? 'pass' : 'drop']))
  e.exit()
}
