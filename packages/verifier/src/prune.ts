// Which states need not be looked at: a state that an earlier, finished one includes is safe as that one was.
// Also where loops are found that cannot end.

import { includes, sameNum } from './domain/num.ts'
import type { Env, LoopVisit } from './env.ts'
import { Rejection } from './errors.ts'
import { inheritPrecision, markAll } from './precision.ts'
import { frameText } from './print.ts'
import { change, type Reg, UNINIT } from './reg.ts'
import {
  byteType,
  EMPTY_SLOT,
  type Frame,
  hasSpill,
  INVALID,
  isDynptr,
  isFullSpill,
  MISC,
  type Saved,
  type Slot,
  SPILL,
  type State,
  ZEROED,
} from './state.ts'

/** How alike two states must be: for pruning, within a loop not finished, or in everything. */
export type Likeness = 'prune' | 'within' | 'exact'

/** Pairs ids of the old state with ids of the new one. */
export class Ids {
  private readonly pairs: number[] = []
  private fresh = 1 << 30
  /** Numbers must be the same, not only within those of the old state. */
  readonly exactNumbers: boolean
  /** Every number counts as precise. */
  readonly allPrecise: boolean

  constructor({ exactNumbers, settings }: Env) {
    this.exactNumbers = exactNumbers
    this.allPrecise = settings.unprivileged
  }

  match(old: number, now: number): boolean {
    if ((old === 0) !== (now === 0)) return false
    if (old === 0) return true
    for (let i = 0; i < this.pairs.length; i += 2) {
      if (this.pairs[i] === old) return this.pairs[i + 1] === now
      if (this.pairs[i + 1] === now) return false
    }
    this.pairs.push(old, now)
    return true
  }

  /** A scalar without an id counts as one with an id of its own. */
  matchScalar(old: number, now: number): boolean {
    return this.match(old || ++this.fresh, now || ++this.fresh)
  }
}

function sameReg(a: Reg, b: Reg, ids: Ids): boolean {
  return (
    a.type === b.type &&
    a.nullable === b.nullable &&
    a.off === b.off &&
    a.range === b.range &&
    a.map === b.map &&
    a.memSize === b.memSize &&
    a.frame === b.frame &&
    a.subprog === b.subprog &&
    sameNum(a.num, b.num) &&
    ids.match(a.id, b.id) &&
    ids.match(a.refId, b.refId)
  )
}

function regSafe(old: Reg, now: Reg, ids: Ids, likeness: Likeness): boolean {
  if (likeness === 'exact') return sameReg(old, now, ids)
  if (old.type === 'uninit') return likeness === 'prune' || now.type === 'uninit'
  if (old.type !== now.type || old.nullable !== now.nullable) return false
  switch (old.type) {
    case 'scalar':
      if (ids.exactNumbers) return old.off === now.off && sameNum(old.num, now.num) && ids.matchScalar(old.id, now.id)
      if (!old.precise && !ids.allPrecise && likeness === 'prune') return true
      // What is linked to nothing may stand for what is linked: links only tell more.
      if (old.id === 0) return includes(old.num, now.num)
      if (old.delta !== now.delta || (old.delta !== 0 && old.off !== now.off)) return false
      return ids.matchScalar(old.id, now.id) && includes(old.num, now.num)
    case 'map_key':
    case 'map_value':
    case 'mem':
    case 'ringbuf_mem':
      if (old.off !== now.off || old.map !== now.map || old.memSize !== now.memSize) return false
      return includes(old.num, now.num) && ids.match(old.id, now.id) && ids.match(old.refId, now.refId)
    case 'pkt':
    case 'pkt_meta':
      if (old.range < 0 || now.range < 0 ? old.range !== now.range : old.range > now.range) return false
      return old.off === now.off && ids.match(old.id, now.id) && includes(old.num, now.num)
    default:
      return sameReg(old, now, ids)
  }
}

/** A slot whose eight bytes read as one number; bytes without meaning read as an unknown one. */
function asScalar(slot: Slot, strict: boolean): Reg | undefined {
  if (isFullSpill(slot)) return slot.reg.type === 'scalar' ? slot.reg : undefined
  for (let byte = 0; byte < 8; byte++) {
    const type = byteType(slot, byte)
    if (type !== MISC && !(type === INVALID && !strict)) return undefined
  }
  return UNBOUND
}

import { UNKNOWN_SCALAR as UNBOUND } from './reg.ts'

function stackSafe(old: Frame, now: Frame, ids: Ids, likeness: Likeness, strict: boolean): boolean {
  for (let spi = 0; spi < old.stack.length; spi++) {
    const was = old.stack[spi]!
    const is = now.stack[spi] ?? EMPTY_SLOT
    if (likeness !== 'prune' && (spi >= now.stack.length || was.types !== is.types)) return false
    if (was === is && (!hasSpill(was) || likeness === 'exact')) {
      if (!hasSpill(was)) continue
    }
    if (!slotSafe(was, is, spi < now.stack.length, ids, likeness, strict)) return false
  }
  return true
}

function slotSafe(was: Slot, is: Slot, present: boolean, ids: Ids, likeness: Likeness, strict: boolean): boolean {
  if (was.types === 0) return true
  if (present) {
    const a = asScalar(was, strict)
    const b = a && asScalar(is, strict)
    if (a && b) return regSafe(a, b, ids, likeness)
  }
  for (let byte = 0; byte < 8; byte++) {
    const t = byteType(was, byte)
    if (t === INVALID || (t === MISC && !strict)) continue
    if (!present) return false
    const u = byteType(is, byte)
    if (t === MISC && u === ZEROED) continue
    if (t !== u) return false
  }
  if (isDynptr(was)) return regSafe(was.reg, is.reg, ids, likeness)
  return byteType(was, 7) !== SPILL || (byteType(is, 7) === SPILL && regSafe(was.reg, is.reg, ids, likeness))
}

/** The slot a frame of a state is at: its own, or that of the call it waits for. */
function slotOf(state: State, frame: number): number {
  return frame === state.frames.length - 1 ? state.slot : state.frames[frame + 1]!.callSite
}

export function statesEqual(env: Env, old: State, now: State, likeness: Likeness): boolean {
  if (old.frames.length !== now.frames.length) return false
  // What was walked by mistake only may have ended at a barrier: it says nothing of the way itself.
  if (old.speculative && !now.speculative) return false
  if (old.held.length !== now.held.length) return false
  if ((old.lock === undefined) !== (now.lock === undefined)) return false
  const ids = new Ids(env)
  if (!old.held.every((held, i) => ids.match(held.id, now.held[i]!.id))) return false
  if (old.lock && now.lock && (old.lock.map !== now.lock.map || !ids.match(old.lock.id, now.lock.id))) return false
  for (let f = 0; f < old.frames.length; f++) {
    const a = old.frames[f]!
    const b = now.frames[f]!
    if (a.callSite !== b.callSite || a.callbackDepth > b.callbackDepth) return false
    const live = env.structure.live[slotOf(old, f)]!
    for (let r = 0; r < 11; r++) {
      if (live & (1 << r) && !regSafe(a.regs[r]!, b.regs[r]!, ids, likeness)) return false
    }
    if (!stackSafe(a, b, ids, likeness, env.settings.strict)) return false
  }
  return true
}

/** Quick: nothing in the innermost frame's registers has changed since. */
function mayBeLooping(old: State, now: State): boolean {
  if (old.frames.length !== now.frames.length) return false
  const [a, b] = [old.frame.regs, now.frame.regs]
  for (let r = 0; r < 11; r++) {
    const [x, y] = [a[r]!, b[r]!]
    if (x === y) continue
    if (
      x.type !== y.type ||
      x.off !== y.off ||
      x.id !== y.id ||
      x.range !== y.range ||
      x.map !== y.map ||
      !sameNum(x.num, y.num)
    )
      return false
  }
  return true
}

function looksDifferent(state: State): string {
  return frameText(state, state.frame, undefined)
}

/** What was never read again does not keep states apart. */
function clean(env: Env, state: State): void {
  state.frames.forEach((frame, f) => {
    const slot = slotOf(state, f)
    const live = env.structure.live[slot]!
    for (let r = 0; r < 10; r++) if (!(live & (1 << r))) frame.regs[r] = UNINIT
    for (let spi = 0; spi < frame.stack.length; spi++)
      if (!env.liveStack.isLive(state, f, spi)) frame.stack[spi] = EMPTY_SLOT
  })
}

const cleaned = new WeakSet<State>()

/** The loop a state is in, and the calls that lead into it: a name for one visit of the loop. */
function visitName(env: Env, state: State): string | undefined {
  let name = ''
  for (let f = 0; f < state.frames.length; f++) {
    const slot = slotOf(state, f)
    const loop = env.structure.loop[slot]!
    if (loop) return `${name}${loop}`
    name += `${slot},`
  }
  return undefined
}

function visitOf(env: Env, state: State): LoopVisit | undefined {
  const name = visitName(env, state)
  return name === undefined ? undefined : env.loopVisits.get(name)
}

function enterLoop(env: Env, state: State): void {
  const name = visitName(env, state)
  if (name === undefined) return
  let visit = env.loopVisits.get(name)
  if (!visit) {
    visit = { entry: undefined, backEdges: [] }
    env.loopVisits.set(name, visit)
  }
  if (visit.entry) return
  visit.entry = state
  if (env.log.shows2) env.log.line(`SCC enter (${name})`)
}

/** All ways from a state are explored; if it was the loop's entry, precision is passed along the loop's back edges. */
export function finish(env: Env, start: State): void {
  let state = start
  let saved: Saved | undefined
  for (;;) {
    state.branches--
    if (state.branches > 0) return
    leaveLoop(env, state)
    if (saved?.dropped) env.counts.savedStates--
    saved = state.parent
    if (!saved) return
    state = saved.state
  }
}

const MAX_ROUNDS = 64

function leaveLoop(env: Env, state: State): void {
  const visit = visitOf(env, state)
  if (!visit || visit.entry !== state) return
  if (env.log.shows2) env.log.line(`SCC exit (${visitName(env, state)})`)
  visit.entry = undefined
  for (let round = 0, changed = true; changed && visit.backEdges.length > 0; round++) {
    changed = false
    for (const edge of visit.backEdges) {
      if (round === MAX_ROUNDS) markAll(env, edge.state)
      else if (inheritPrecision(env, edge.equal, edge.state)) changed = true
    }
    if (round === MAX_ROUNDS) break
  }
  env.counts.backEdges -= visit.backEdges.length
  visit.backEdges.length = 0
}

/**
 * At a point where states are compared: true if an earlier state stands for this one.
 * @throws Rejection for a loop that cannot end
 */
export function isKnownState(env: Env, slot: number): boolean {
  const { counts, state: now, structure } = env
  const force = structure.checkpoint[slot] === 1 || now.steps.length > 40
  const jumps = counts.jumps - counts.jumpsAtSave
  const insns = counts.insns - counts.insnsAtSave
  let keep = force || (jumps >= 2 && insns >= 8)
  const list = env.savedAt(slot, now)
  let seen = 0
  for (let i = 0; i < list.length; ) {
    const old = list[i]!
    seen++
    if (old.state.slot !== slot) {
      i++
      continue
    }
    const verdict = env.settings.prune ? compare(env, slot, old.state, now) : 'miss'
    if (verdict === 'hit') {
      old.hits++
      return true
    }
    if (verdict === 'open' && !force && jumps < 20 && insns < 100) keep = false
    if (keep) old.misses++
    const patience = structure.checkpoint[slot] && old.state.branches > 0 ? 64 : 3
    if (old.misses > old.hits * patience + patience) {
      list.splice(i, 1)
      // One that is still on the way here is kept for that.
      old.dropped = true
      if (old.state.branches === 0) counts.savedStates--
    } else i++
  }
  counts.maxStatesPerInsn = Math.max(counts.maxStatesPerInsn, seen)
  if (keep && !(env.settings.unprivileged && seen > MOST_UNPRIVILEGED)) save(env, slot)
  return false
}

/** Without CAP_BPF no more states than this are kept of one instruction. */
const MOST_UNPRIVILEGED = 64

type Comparison = 'hit' | 'miss' | 'open'

function compare(env: Env, slot: number, old: State, now: State): Comparison {
  if (old.branches > 0) {
    const { structure, prog } = env
    const isMayGoto = prog.opcode[slot] === 0xe5
    const callsBack = prog.opcode[slot] === 0x85 && structure.checkpoint[slot] === 1
    if (callsBack) return statesEqual(env, old, now, 'within') ? takeOver(env, slot, old, now) : 'miss'
    if (isMayGoto && old.mayGotoDepth !== now.mayGotoDepth && statesEqual(env, old, now, 'within'))
      return joinLoop(env, slot, old, now)
    if (
      mayBeLooping(old, now) &&
      statesEqual(env, old, now, 'exact') &&
      old.mayGotoDepth === now.mayGotoDepth &&
      old.callbackDepth === now.callbackDepth
    ) {
      throw new Rejection(
        `infinite loop detected at insn ${slot}\ncur state:${looksDifferent(now)}\nold state:${looksDifferent(old)}`,
      )
    }
    return 'open'
  }
  if (!cleaned.has(old)) {
    cleaned.add(old)
    clean(env, old)
  }
  const visit = visitOf(env, old)
  const unfinished = visit !== undefined && visit.backEdges.length > 0
  if (!statesEqual(env, old, now, unfinished ? 'within' : 'prune')) return 'miss'
  return unfinished ? joinLoop(env, slot, old, now) : takeOver(env, slot, old, now)
}

/** The old state stands for this one: what is precise there is precise on the way here. */
function takeOver(env: Env, slot: number, old: State, now: State): 'hit' {
  if (env.structure.jumpPoint[slot]) env.recordStep()
  inheritPrecision(env, old, now)
  return 'hit'
}

/** Equal to a state whose loop is not finished: what becomes precise there later must become precise on the way here. */
function joinLoop(env: Env, slot: number, old: State, now: State): Comparison {
  takeOver(env, slot, old, now)
  const visit = visitOf(env, old)
  if (!visit) markAll(env, now)
  else {
    visit.backEdges.push({ state: now.clone(), equal: old })
    env.counts.backEdges++
    notePeak(env)
    if (env.log.shows2) env.log.line(`SCC backedge (${visitName(env, old)})`)
  }
  return 'hit'
}

/** Keeps a copy of the present state; the present one goes on from it, with nothing precise. */
function save(env: Env, slot: number): void {
  const { counts, state } = env
  counts.totalStates++
  counts.savedStates++
  notePeak(env)
  counts.jumpsAtSave = counts.jumps
  counts.insnsAtSave = counts.insns
  for (const frame of state.frames) {
    for (let r = 0; r < 10; r++) frame.regs[r] = imprecise(frame.regs[r]!)
    frame.stack.forEach((s, spi) => {
      if (hasSpill(s) && s.reg.precise) frame.stack[spi] = { types: s.types, reg: imprecise(s.reg) }
    })
  }
  const copy = state.clone()
  copy.slot = slot
  const saved: Saved = { state: copy, hits: 0, misses: 0, dropped: false }
  enterLoop(env, copy)
  state.parent = saved
  state.depth = copy.depth + 1
  state.branches = 1
  state.firstSlot = slot
  state.steps = []
  state.traced = undefined
  env.step = undefined
  env.savedAt(slot, state).unshift(saved)
}

function notePeak({ counts }: Env): void {
  counts.peakStates = Math.max(counts.peakStates, counts.savedStates + counts.backEdges)
}

function imprecise(reg: Reg): Reg {
  return reg.precise ? change(reg, { precise: false }) : reg
}
