// A program that is too long for one function, as several. The rules of a base chain are cut into parts, and long chains that are called
// are functions too. Each is global: a verifier looks at it once, by itself, for any packet, whatever is known where it is called. So a function finds
// the headers anew, and says what became of the packet by what it returns:
//
//   a verdict      the packet's way ends: the caller hands it on
//   CODE.next      the part's rules did not decide: on to the next part
//   CODE.end       the chain came to its end, or returned
//   CODE.accepted  this base chain accepts, or is not asked: on to the next base chain
//
// Fields that rules set lie on the stack of the main function; the others have a pointer to them.

import { type FunctionDef, type FunctionProto, type Insn, type Label, LIMITS, slotTable } from '@netsieve/asm'
import type { BaseChain } from '@netsieve/ir'
import { setAside } from './anew.ts'
import { Emitter, NOTHING, R } from './emitter.ts'
import { compacted } from './frame.ts'
import { TOO_LONG, TooLong } from './limits.ts'
import { LOCALS } from './metadata.ts'
import { outlined } from './outline.ts'
import { byPolicy, chainFrom, type RuleScope } from './rules.ts'
import type { Scope } from './scope.ts'
import { type Shared, startScope, toRules } from './shared.ts'
import { fillLocals } from './told.ts'

/** How a program is divided. */
export interface Plan {
  /** Slots after which a part ends, on one way through it. */
  readonly part: number
  /** Called chains of fewer slots, as far as that can be told beforehand, stay where they are called. */
  readonly inline: number
  /** Chains that call functions may be functions themselves, so deep. */
  readonly depth: number
}

/** Tried in this order: functions that call functions take stack, small parts take functions. */
export const PLANS: readonly Plan[] = [1, 4, 16].flatMap((times) =>
  [4, 2, 1, 0].map((depth) => ({ part: 4000 * times, inline: 100 * times, depth })),
)

/** In the main function. */
const KEPT_CONTEXT = R.TRANSPORT

const CODE = { next: -1, end: -2, accepted: -3 } as const

/** Slots of a function at most: those that are near it hold chains which call one another many times. */
const LONGEST_FUNCTION = LIMITS.verifierInsns / 2
/** Programs have so many functions at most, themselves included (BPF_MAX_SUBPROGS). */
const MOST_FUNCTIONS = 256
/** Frames are counted in these steps where nothing is compiled to machine code; less elsewhere. */
const FRAME_STEP = 32

/** A function: rules of a chain from one on. */
interface Part {
  readonly number: number
  /** The first rule behind it. */
  readonly to: number
  readonly gives: ReadonlySet<keyof typeof CODE>
}

interface Made {
  readonly name: string
  readonly insns: readonly Insn[]
  readonly stack: number
}

/** The program with its functions behind it; undefined if it does not fit the kernel's limits in this way. */
export function divided(
  shared: Shared,
  plan: Plan,
): { readonly insns: readonly Insn[]; readonly functions: readonly FunctionDef[] } | undefined {
  const division = new Division(shared, plan)
  const made = division.make()
  return made && fits(made) ? linked(shared, made) : undefined
}

class Division {
  private readonly shared: Shared
  private readonly plan: Plan
  private readonly chains: ReadonlySet<string>
  private readonly parts = new Map<string, Part>()
  private readonly functions: Made[] = []
  private size = 0

  constructor(shared: Shared, plan: Plan) {
    this.shared = shared
    this.plan = plan
    // Functions that do not keep their context call no others.
    this.chains = outlined(shared.filter, shared.access.keepsContext ? plan : { ...plan, depth: 0 })
  }

  /** All functions, the main one first; undefined if there are too many. */
  make(): readonly Made[] | undefined {
    const main = this.main()
    return this.functions.length < MOST_FUNCTIONS ? [main, ...this.functions] : undefined
  }

  private main(): Made {
    const { filter, access, locals, type } = this.shared
    const e = new Emitter()
    e.origin = { text: 'program start' }
    // Where the rules' prologue uses the context up, it is kept for calls.
    if (!access.keepsContext) e.put((c) => c.mov(KEPT_CONTEXT, { reg: 1 }))
    if (access.keepsContext || locals.size > 0) access.prologue(e)
    const [first] = filter.base
    for (const [field, slot] of locals) if (first) fillLocals(startScope(this.shared, e, first), field, slot)
    for (const [i, base] of filter.base.entries()) {
      const [policy, onward] = [e.label('policy'), e.label('base')]
      const onAccept = i < filter.base.length - 1 ? onward : undefined
      e.flow = NOTHING
      this.call(startScope(this.shared, e, base), base, base.chain, policy, onAccept)
      e.bind(policy)
      if (e.reachable) byPolicy({ e, base, type, onAccept })
      e.bind(onward)
    }
    return { name: 'main', ...compacted(e.finish()) }
  }

  /** Calls the parts of a chain, one after the other; control leaves at `end`, at `onAccept`, or by a verdict. */
  private call(scope: Scope, base: BaseChain, chain: string, end: Label, onAccept: Label | undefined): void {
    const { e, access, metadata } = scope
    const count = this.rulesOf(chain).length
    const outer = e.origin
    for (let from = 0; e.reachable; ) {
      const part = this.part(base, chain, from)
      const next = part.to < count ? e.label('part') : end
      e.origin = { text: `chain ${chain}` }
      access.callFunction(e, part.number, access.keepsContext ? R.CTX : KEPT_CONTEXT, (c) => {
        if (this.shared.locals.size === 0) return
        if (metadata.byPointer) return c.load(8, 2, R.FP, LOCALS)
        c.mov(2, { reg: R.FP })
        c.alu('add', 2, LOCALS)
      })
      if (part.gives.has('next')) e.jump('jeq', R.RET, CODE.next, next)
      if (part.gives.has('end')) e.jump('jeq', R.RET, CODE.end, end)
      if (part.gives.has('accepted')) e.jump('jeq', R.RET, CODE.accepted, onAccept!)
      this.handOn(e, chain, !metadata.byPointer)
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

  private rulesOf(chain: string) {
    const found = this.shared.filter.chains.find(({ name }) => name === chain)
    if (!found) throw new Error(`chain ${chain} is not defined`)
    return found.rules
  }

  /** The function of a chain's rules from one on, as packets of a base chain see them: made when it is first asked for. */
  private part(base: BaseChain, chain: string, from: number): Part {
    const key = `${this.shared.filter.base.indexOf(base)} ${from} ${chain}`
    const known = this.parts.get(key)
    if (known) return known
    const number = this.functions.length + 1
    const name = `part_${number}`
    this.functions.push({ name, insns: [], stack: 0 })
    const { made, ...part } = this.compile(base, chain, from)
    this.functions[number - 1] = { name, ...made }
    this.size += made.insns.length
    this.grows(0)
    const whole = { number, ...part }
    this.parts.set(key, whole)
    return whole
  }

  /** However a program is divided, it does not become shorter: nor do chains that are written out where they are called. @throws TooLong */
  private grows(size: number): void {
    if (this.size + size > LIMITS.verifierInsns || size > LONGEST_FUNCTION) throw new TooLong(TOO_LONG)
  }

  private compile(base: BaseChain, chain: string, from: number) {
    const { access, filter, type, locals } = this.shared
    const count = this.rulesOf(chain).length
    const e = new Emitter()
    e.origin = { text: `chain ${chain}` }
    if (locals.size > 0) takePointer(e, type.returns.drop)
    access.prologue(e)
    const scope = startScope(this.shared, e, base, true)
    const [next, end, accepted, unseen] = [e.label('next'), e.label('end'), e.label('accepted'), e.label('unseen')]
    const last = base === filter.base.at(-1)
    let to: number | undefined
    const compileRules = (found: RuleScope): void => {
      const rules = { ...found, path: setAside(e, access, found.path, found.netRef) }
      const start = e.size
      const stop = (rule: number) => (to === undefined ? e.size - start > this.plan.part : rule >= to)
      const callsFunction = (inner: RuleScope, called: string, back: Label): boolean => {
        if (!this.chains.has(called)) return false
        this.call(inner, base, called, back, last ? undefined : accepted)
        return true
      }
      const at = chainFrom({ ...rules, callsFunction, grows: (size) => this.grows(size) }, chain, from, stop, end, [])
      if (!e.reachable) return
      if (at < count) to ??= at
      e.goto(at < count ? next : end)
    }
    toRules(
      this.shared,
      scope,
      base,
      { unseen: last ? unseen : accepted, onAccept: last ? undefined : accepted },
      compileRules,
    )
    e.runDeferred()
    const gives = new Set<keyof typeof CODE>()
    for (const [label, code] of [
      [next, 'next'],
      [end, 'end'],
      [accepted, 'accepted'],
    ] as const) {
      // biome-ignore format: rows
      e.bind(label)
      if (!e.reachable) continue
      gives.add(code)
      e.origin = { text: `chain ${chain}` }
      e.put((c) => c.mov(R.RET, CODE[code]))
      e.exit()
    }
    e.bind(unseen)
    e.origin = { text: 'not seen by any chain' }
    e.put((c) => c.mov(R.RET, type.returns.pass))
    e.exit()
    return { made: compacted(e.finish()), to: to ?? count, gives }
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

const callsOf = ({ insns }: Made): number[] => insns.flatMap(({ spec, imm }) => (spec.call === 'local' ? [imm] : []))

/** Whether the kernel takes so much stack and such deep calls. Functions are made before those that call them are whole: there are no cycles. */
function fits(made: readonly Made[]): boolean {
  const needs = new Map<number, { readonly stack: number; readonly frames: number }>()
  const needOf = (index: number): { readonly stack: number; readonly frames: number } => {
    const known = needs.get(index)
    if (known) return known
    const one = made[index]!
    const below = [...new Set(callsOf(one))].map(needOf)
    const need = {
      stack:
        Math.ceil(Math.max(1, one.stack) / FRAME_STEP) * FRAME_STEP + Math.max(0, ...below.map(({ stack }) => stack)),
      frames: 1 + Math.max(0, ...below.map(({ frames }) => frames)),
    }
    needs.set(index, need)
    return need
  }
  const { stack, frames } = needOf(0)
  return stack <= LIMITS.stackBytes && frames <= LIMITS.frames
}

/** All functions one behind the other; calls by number become distances. */
function linked({ locals }: Shared, made: readonly Made[]): { insns: Insn[]; functions: FunctionDef[] } {
  const starts: number[] = []
  let size = 0
  for (const { insns } of made) {
    starts.push(size)
    size += slotTable(insns)[insns.length]!
  }
  const out: Insn[] = []
  let slot = 0
  for (const { insns } of made) {
    for (const one of insns) {
      slot += one.spec.slots
      out.push(one.spec.call === 'local' ? { ...one, imm: starts[one.imm]! - slot } : one)
    }
  }
  const proto: FunctionProto = {
    global: true,
    params: [
      { kind: 'ctx' },
      ...(locals.size > 0 ? [{ kind: 'mem', size: 8 * locals.size, nullable: true } as const] : []),
    ],
    returns: 'scalar',
  }
  const functions = made.map(({ name }, i) => ({
    name,
    slot: starts[i]!,
    proto: i === 0 ? { ...proto, params: [{ kind: 'ctx' } as const] } : proto,
  }))
  return { insns: out, functions }
}
