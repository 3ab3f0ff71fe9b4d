// The functions of one program: parts of chains. Each is global: a verifier looks at it once, by itself, for any packet, whatever is known where it
// is called. So a function finds the headers anew, and says what became of the packet by what it returns:
//
//   a verdict      the packet's way ends: the caller hands it on
//   CODE.next      the part's rules did not decide: on to the next part
//   CODE.end       the chain came to its end, or returned
//   CODE.accepted  this base chain accepts, or is not asked: on to the next base chain
//   CODE.calls - k a chain is called that is too long to be called from here: the caller goes on there
//
// Fields that rules set lie on the stack of the main function; the others have a pointer to them.

import { type Label, LIMITS } from '@netsieve/asm'
import { type BaseChain, calledBy, type Rule, VIEWS } from '@netsieve/ir'
import { setAside } from './anew.ts'
import { Emitter, R } from './emitter.ts'
import { compacted } from './frame.ts'
import type { Made } from './functions.ts'
import { busyRules } from './idle.ts'
import { tooLongFrom } from './limits.ts'
import { chainsOf } from './lookup/lists.ts'
import { LOCALS } from './metadata.ts'
import type { Outlined, Plan } from './outline.ts'
import { chainFrom, type RuleScope } from './rules.ts'
import type { Scope } from './scope.ts'
import { type Shared, startScope, toRules } from './shared.ts'

/** In the main function. */
export const KEPT_CONTEXT = R.TRANSPORT

const CODE = { next: -1, end: -2, accepted: -3, calls: -4 } as const

/** Slots of a function at most: those that are near it hold chains which call one another many times. */
const LONGEST_FUNCTION = LIMITS.verifierInsns / 2

/**
 * What a verifier processes, as measured: it comes by an instruction 1.0 to 2.2 times; following IPv6's extension headers takes 18,000, a search of a rule for
 * an option 9,500.
 */
const [PASSES, WALK, SEARCH] = [2, 18_000, 9500]
const walks = ({ family, view }: BaseChain): boolean => family !== 'ipv4' && VIEWS[view].ipv6Walk.length > 0

/** Slots of what was emitted, and for each loop as many as there are branches put off while a verifier goes round it. */
const lengthOf = ({ size, loops }: Emitter): number => size + 400 * loops

/** A call that the caller of a part makes: where it leads, and whether the part's chain goes on behind it or is left. */
export interface FarCall {
  readonly chain: string
  readonly back: 'next' | 'end'
}

/** A function: rules of a chain from one on. */
export interface Part {
  readonly number: number
  /** The first rule behind it. */
  readonly to: number
  readonly gives: ReadonlySet<'next' | 'end' | 'accepted'>
  readonly calls: readonly FarCall[]
}

/** Where control goes on behind a part. */
export interface Ways {
  readonly next: Label | undefined
  readonly end: Label | undefined
  readonly accepted: Label | undefined
  readonly calls: readonly Label[]
}

export class Parts {
  private readonly shared: Shared
  readonly plan: Plan
  private readonly outlined: Outlined
  /** Of the functions that other programs have already: names are those of a whole object. */
  private readonly before: number
  private readonly parts = new Map<string, Part>()
  readonly functions: Made[] = []
  /** Slots of all functions. */
  size = 0
  /** Instructions that a verifier is thought to process of them. */
  effort = 0

  constructor(shared: Shared, plan: Plan, outlined: Outlined, before: number) {
    this.shared = shared
    this.plan = plan
    this.outlined = outlined
    this.before = before
  }

  rulesOf(chain: string): readonly Rule[] {
    const found = chainsOf(this.shared.maps, this.shared.filter).get(chain)
    if (!found) throw new Error(`chain ${chain} is not defined`)
    return found.rules
  }

  /** The function of a chain's rules from one on, as packets of a base chain see them: made when it is first asked for. */
  part(base: BaseChain, chain: string, from: number): Part {
    const key = `${this.shared.filter.base.indexOf(base)} ${from} ${chain}`
    const known = this.parts.get(key)
    if (known) return known
    const number = this.functions.length + 1
    const name = `part_${this.before + number}`
    this.functions.push({ name, insns: [], stack: 0 })
    const { made, searches, ...part } = this.compile(base, chain, from)
    this.functions[number - 1] = { name, ...made }
    this.size += made.insns.length
    this.effort += PASSES * made.insns.length + (walks(base) ? WALK : 0) + SEARCH * searches
    this.grows(0, this.rulesOf(chain)[from])
    const whole = { number, ...part }
    this.parts.set(key, whole)
    return whole
  }

  /** Calls a part: control leaves by one of the ways, or by a verdict. */
  call({ e, access, metadata }: Scope, part: Part, chain: string, ways: Ways): void {
    const { locals } = this.shared
    e.origin = { text: `chain ${chain}` }
    access.callFunction(e, part.number, access.keepsContext ? R.CTX : KEPT_CONTEXT, (c) => {
      if (locals.size === 0) return
      if (metadata.byPointer) return c.load(8, 2, R.FP, LOCALS)
      c.mov(2, { reg: R.FP })
      c.alu('add', 2, LOCALS)
    })
    for (const way of ['next', 'end', 'accepted'] as const)
      if (part.gives.has(way)) e.jump('jeq', R.RET, CODE[way], ways[way]!)
    for (const [i, label] of ways.calls.entries()) e.jump('jeq', R.RET, CODE.calls - i, label)
    this.handOn(e, chain, !metadata.byPointer)
  }

  /** Calls the parts of a chain, one after the other; control leaves at `end`, at `accepted`, or by a verdict. */
  private callAll(scope: Scope, base: BaseChain, chain: string, end: Label, accepted: Label | undefined): void {
    const { e } = scope
    const count = this.rulesOf(chain).length
    const outer = e.origin
    for (let from = 0; e.reachable; ) {
      const part = this.part(base, chain, from)
      const next = part.to < count ? e.label('part') : end
      this.call(scope, part, chain, { next, end, accepted, calls: [] })
      if (next === end) break
      e.bind(next)
      from = part.to
    }
    e.origin = outer
  }

  /** Ends with what a function returned. Programs of some types must say what that can be. */
  private handOn(e: Emitter, chain: string, main: boolean): void {
    const { type } = this.shared
    e.origin = { text: `chain ${chain}`, handsOn: true }
    if (main && !type.redirects) {
      const drop = e.label('drop')
      e.jump('jne', R.RET, type.returns.pass, drop)
      e.put((c) => c.mov(R.RET, type.returns.pass))
      e.exit()
      e.bind(drop)
      e.put((c) => c.mov(R.RET, type.returns.drop))
    }
    e.exit()
  }

  /** Whether a chain has no rules from one on that packets of a network protocol might match: what follows their header need not be found. */
  private isIdle(scope: Scope, base: BaseChain, chain: string, from: number, kind: 'ipv4' | 'ipv6'): boolean {
    const key = `busy ${this.shared.filter.base.indexOf(base)} ${kind} ${chain}`
    return from >= this.shared.maps.once(key, () => busyRules(scope, base, this.rulesOf(chain), kind))
  }

  /** However a program is divided, it does not become shorter: nor do chains that are written out where they are called. @throws TooLong */
  private grows(size: number, rule: Rule | undefined): void {
    if (this.size + size > LIMITS.verifierInsns || size > LONGEST_FUNCTION) throw tooLongFrom(rule)
  }

  private compile(base: BaseChain, chain: string, from: number) {
    const { access, filter, type, locals, sets } = this.shared
    const { near, far } = this.outlined
    const rules = this.rulesOf(chain)
    const count = rules.length
    const e = new Emitter()
    e.origin = { text: `chain ${chain}` }
    if (locals.size > 0) takePointer(e, type.returns.drop)
    access.prologue(e)
    const scope = startScope(this.shared, e, base, true)
    const [next, end, accepted, unseen] = [e.label('next'), e.label('end'), e.label('accepted'), e.label('unseen')]
    const calls: (FarCall & { readonly label: Label })[] = []
    const last = base === filter.base.at(-1)
    let to: number | undefined
    let searches = 0
    const alone = (rule: Rule) =>
      far.size > 0 && rule.steps.some((step) => calledBy(step, sets).some((to) => far.has(to)))
    const callFar = (called: string, back: FarCall['back']): Label => {
      const known = calls.find((each) => each.chain === called && each.back === back)
      if (known) return known.label
      const label = e.label('call')
      calls.push({ chain: called, back, label })
      return label
    }
    const compileRules = (found: RuleScope): void => {
      const path = setAside(e, access, found.path, found.netRef)
      const [start, loops] = [lengthOf(e), e.loops]
      const stop = (rule: number) =>
        (to === undefined ? lengthOf(e) - start > this.plan.part : rule >= to) ||
        (rule > from && (alone(rules[rule]!) || alone(rules[from]!)))
      const callsFunction = (inner: RuleScope, called: string, back: Label): boolean => {
        if (far.has(called)) {
          if (back !== end) to = from + 1
          e.goto(callFar(called, back === end ? 'end' : 'next'))
          return true
        }
        if (!near.has(called)) return false
        this.callAll(inner, base, called, back, last ? undefined : accepted)
        return true
      }
      const grows = (size: number) => this.grows(size, rules[from])
      const at = chainFrom({ ...found, path, callsFunction, alone, grows }, chain, from, stop, end, [])
      searches += e.loops - loops
      if (!e.reachable) return
      if (at < count) to ??= at
      e.goto(at < count ? next : end)
    }
    toRules(
      this.shared,
      scope,
      base,
      {
        unseen: last ? unseen : accepted,
        onAccept: last ? undefined : accepted,
        idle: {
          ipv4: this.isIdle(scope, base, chain, from, 'ipv4') ? end : undefined,
          ipv6: this.isIdle(scope, base, chain, from, 'ipv6') ? end : undefined,
        },
      },
      compileRules,
    )
    e.runDeferred()
    const gives = new Set<'next' | 'end' | 'accepted'>()
    const give = (label: Label, code: number): boolean => {
      e.bind(label)
      if (!e.reachable) return false
      e.origin = { text: `chain ${chain}` }
      e.put((c) => c.mov(R.RET, code))
      e.exit()
      return true
    }
    for (const [label, code] of [[next, 'next'], [end, 'end'], [accepted, 'accepted']] as const) if (give(label, CODE[code])) gives.add(code) // biome-ignore format: one act
    for (const [i, { label }] of calls.entries()) give(label, CODE.calls - i)
    e.bind(unseen)
    e.origin = { text: 'not seen by any chain' }
    e.put((c) => c.mov(R.RET, type.returns.pass))
    e.exit()
    return { made: compacted(e.finish()), searches, to: to ?? count, gives, calls }
  }
}

/** The pointer to fields that rules set goes to its slot; the verifier wants to see that it is not null. */
function takePointer(e: Emitter, none: number): void {
  const given = e.label('given')
  e.jump('jne', 2, 0, given)
  e.put((c) => c.mov(R.RET, none))
  e.exit()
  e.bind(given)
  e.put((c) => c.store(8, R.FP, LOCALS, { reg: 2 }))
}
