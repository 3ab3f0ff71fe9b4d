// The functions that a run can come to, of all programs, and what is known of each before its code is emitted: what its arguments are at
// all of its calls, what it goes through, and how far calls and counts can go.

import { LIMITS } from '@netsieve/asm'
import { OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { buildCfg, isJump, lengthFrom } from './cfg.ts'
import { helpersOf, mayCallBack, mayGoOn, movesPacket } from './helper-calls.ts'
import { argumentKinds, blockKinds, entryKinds, type Kinds, merge, stepKinds } from './kinds.ts'
import { findNeeds, type Known, type Needs } from './needs.ts'
import { readsAnywhere } from './stack.ts'
import type { Proved, Target } from './target.ts'

export interface ProgramFunction extends Known {
  readonly entry: number
  /** The functions that it calls, by the instruction that does. */
  readonly callees: ReadonlyMap<number, ProgramFunction>
  readonly needs: Needs
  /** Whether it, or what it calls, reads by pointers that may lead to the stack of a function above it. */
  readonly readsAbove: boolean
  /** Whether the packet may be elsewhere when it returns. */
  readonly movesPacket: boolean
  /** Whether it makes tail calls itself. */
  readonly goesOn: boolean
}

export interface Functions {
  readonly engine: Engine
  /** The programs. */
  readonly targets: readonly Target[]
  readonly all: readonly ProgramFunction[]
  /** Where each program starts; only the first where no tail call leads to others. */
  readonly mains: readonly ProgramFunction[]
  /** Whether there are tail calls. */
  readonly goOn: boolean
  /** Whether helpers call functions. */
  readonly callsBack: boolean
  /** Whether calls may be too deep: then each looks. */
  readonly deep: boolean
  /** Whether the table of regions is looked at for frames too. */
  readonly rows: boolean
  /** Whether a run may need more instructions than the budget, at a place where that is looked at. */
  readonly endless: boolean
}

/** What is found out of a function, bit by bit. */
class Draft implements ProgramFunction {
  readonly target: Target
  readonly entry: number
  readonly cfg: ProgramFunction['cfg']
  readonly callees = new Map<number, Draft>()
  entered: Kinds | undefined
  kindsAt: readonly Kinds[] = []
  changed = false
  readsAbove = false
  movesPacket = false
  goesOn = false
  private known: Needs | undefined

  constructor(target: Target, entry: number) {
    this.target = target
    this.entry = entry
    this.cfg = buildCfg(target.program.code, entry)
    this.forEachHelper((id) => {
      this.goesOn ||= mayGoOn(target.engine, id)
      this.movesPacket ||= movesPacket(target.engine, id)
    })
  }

  private forEachHelper(visit: (id: number | undefined) => void): void {
    const { code } = this.target.program
    for (const { from, to } of this.cfg.blocks)
      for (let i = from; i < to; i++) {
        if (code[i * 4] === 0x85) visit(code[i * 4 + 3]!)
        else if (code[i * 4] === 0x8d) visit(undefined)
      }
  }

  enter(kinds: Kinds): void {
    const merged = this.entered ? merge(this.entered, kinds) : kinds
    if (merged === this.entered) return
    this.entered = merged
    this.changed = true
  }

  get needs(): Needs {
    this.known ??= findNeeds(this)
    return this.known
  }

  /** Follows what registers hold through the function, and into those that it calls. */
  follow(): void {
    const { target, cfg, entry } = this
    const { engine, program } = target
    this.changed = false
    this.kindsAt = blockKinds(engine, program.code, cfg, this.entered!, cfg.at.get(entry)!)
    if (this.callees.size === 0) return
    cfg.blocks.forEach(({ from, to }, b) => {
      const kinds = this.kindsAt[b]!.slice()
      for (let i = from; i < to; i++) {
        this.callees.get(i)?.enter(argumentKinds(kinds))
        stepKinds(engine, program.code, i, kinds)
      }
    })
  }
}

/** @param proved counted through all programs */
export function functionsOf(engine: Engine, proved: Proved | undefined): Functions {
  const targets = targetsOf(engine, proved)
  const helpers = targets.flatMap(helpersOf)
  const goOn = helpers.some((id) => mayGoOn(engine, id))
  const callsBack = helpers.some((id) => mayCallBack(engine, id))
  const drafts = new Map<string, Draft>()
  const draftOf = (target: Target, entry: number): Draft => {
    const key = `${target.index},${entry}`
    let draft = drafts.get(key)
    if (!draft) {
      draft = new Draft(target, entry)
      drafts.set(key, draft)
      const { code } = target.program
      for (const { from, to } of draft.cfg.blocks)
        for (let i = from; i < to; i++)
          if (code[i * 4] === OP.callLocal) draft.callees.set(i, draftOf(target, code[i * 4 + 3]! >> 2))
    }
    return draft
  }
  const mains = targets.map((target) => draftOf(target, 0))
  const linux = engine.options.mode === 'linux'
  mains[0]!.enter(entryKinds(true, linux))
  if (goOn) for (const main of mains) main.enter(entryKinds(true, true))
  // What a helper hands to a function is not known.
  if (callsBack)
    for (const target of targets)
      for (const entry of target.program.functions) draftOf(target, entry).enter(entryKinds(false, linux))
  const all = callersFirst(drafts)
  while (all.some(({ changed }) => changed)) for (const draft of all) if (draft.changed) draft.follow()
  spread(all, mains)
  const heights = heightsOf(all)
  return {
    engine,
    targets,
    all,
    mains,
    goOn,
    callsBack,
    deep:
      callsBack ||
      mains.some((main) => heights(main).frames > engine.options.callDepth) ||
      all.some((one) => one.entry !== 0 && one.goesOn),
    rows: all.some(({ needs }) => needs.regions),
    endless:
      all.some(looksAtBudget) &&
      !(
        most(
          mains.map((main) => heights(main).insns),
          goOn,
        ) <= engine.options.insnBudget
      ),
  }
}

/**
 * Whether programs have as few functions as Linux takes, and these together as few instructions: each is looked through by itself, and all that
 * call each other at one time. In Linux functions are apart; an instruction that several come to is counted in each.
 */
export function isCompilable({ programs }: Engine): boolean {
  return programs.every(({ code, functions }) => {
    if (functions.size > LIMITS.functions) return false
    let left: number = LIMITS.programSlots
    if ((functions.size + 1) * (code.length / 4) <= left) return true
    for (const entry of new Set([0, ...functions])) {
      const length = lengthFrom(code, entry, left)
      if (length === undefined) return false
      left -= length
    }
    return true
  })
}

/** The programs that a run can come to. */
export function targetsOf(engine: Engine, proved: Proved | undefined): Target[] {
  const targets = engine.programs.map((program, index): Target => {
    const start = engine.starts[index]!
    return { engine, index, program, proved: proved && ((insn) => proved(start + insn)) }
  })
  return helpersOf(targets[0]!).some((id) => mayGoOn(engine, id)) ? targets : targets.slice(0, 1)
}

const most = (insns: readonly number[], goOn: boolean): number => Math.max(...insns) * (goOn ? 1 + LIMITS.tailCalls : 1)

/** In an order in which callers come before what they call, as far as there is one. */
function callersFirst(drafts: ReadonlyMap<string, Draft>): readonly Draft[] {
  const seen = new Set<Draft>()
  const order: Draft[] = []
  const visit = (draft: Draft): void => {
    if (seen.has(draft)) return
    seen.add(draft)
    for (const callee of draft.callees.values()) visit(callee)
    order.push(draft)
  }
  for (const draft of drafts.values()) visit(draft)
  return order.reverse()
}

/** What holds of a function that calls another which it holds of; a tail call leads to any program. */
function spread(all: readonly Draft[], mains: readonly Draft[]): void {
  // Only callers ask.
  const asked = new Set([
    ...all.flatMap(({ callees }) => [...callees.values()]),
    ...(all.some(({ goesOn }) => goesOn) ? mains : []),
  ])
  for (const one of asked) one.readsAbove = readsAnywhere(one)
  for (let again = true; again; ) {
    again = false
    for (const one of [...all].reverse()) {
      const next = [...one.callees.values(), ...(one.goesOn ? mains : [])]
      for (const what of ['readsAbove', 'movesPacket'] as const) {
        if (one[what] || !next.some((other) => other[what])) continue
        one[what] = true
        again = true
      }
    }
  }
}

interface Height {
  readonly frames: number
  /** Instructions at most; infinite where loops or recursion are. */
  readonly insns: number
}

function heightsOf(all: readonly ProgramFunction[]): (one: ProgramFunction) => Height {
  const known = new Map<ProgramFunction, Height>()
  const heightOf = (one: ProgramFunction): Height => {
    const before = known.get(one)
    if (before) return before
    // What comes here again before this is known is recursion.
    known.set(one, { frames: Number.POSITIVE_INFINITY, insns: Number.POSITIVE_INFINITY })
    const below = [...one.callees.values()].map(heightOf)
    const own = one.cfg.blocks.reduce((sum, { from, to }) => sum + to - from, 0)
    const height = {
      frames: 1 + Math.max(0, ...below.map(({ frames }) => frames)),
      insns: below.reduce((sum, { insns }) => sum + insns, goesBack(one) ? Number.POSITIVE_INFINITY : own),
    }
    known.set(one, height)
    return height
  }
  all.forEach(heightOf)
  return heightOf
}

function goesBack({ target, cfg }: ProgramFunction): boolean {
  const { code } = target.program
  return cfg.blocks.some(({ to }) => {
    const last = (to - 1) * 4
    return isJump(code[last]!) && (code[last] === 0xe5 || code[last + 3]! <= last)
  })
}

/** Whether a function has a place where instructions are held against the budget. */
function looksAtBudget(one: ProgramFunction): boolean {
  return one.callees.size > 0 || goesBack(one) || one.goesOn
}
