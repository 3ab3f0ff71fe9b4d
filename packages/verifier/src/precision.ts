// Which numbers matter: when a check depends on a number, the way it came is walked back and the registers and slots it
// came from are marked precise in the states on the way. States that differ only in imprecise numbers may stand for each other.

import { LIMITS } from '@netsieve/asm'
import type { Env } from './env.ts'
import { Rejection } from './errors.ts'
import { change, type Reg } from './reg.ts'
import { EMPTY_SLOT, hasSpill, type State, type Step } from './state.ts'
import { CALLBACK_HELPERS } from './structure.ts'

const MAX_FRAMES = 8

/** Registers and slots still to be traced: sets of bits for each frame. */
class Wanted {
  frame: number
  readonly regs = [0, 0, 0, 0, 0, 0, 0, 0]
  private readonly low = [0, 0, 0, 0, 0, 0, 0, 0]
  private readonly high = [0, 0, 0, 0, 0, 0, 0, 0]

  constructor(frame: number) {
    this.frame = frame
  }

  get empty(): boolean {
    for (let i = 0; i <= this.frame; i++) if ((this.regs[i]! | this.low[i]! | this.high[i]!) !== 0) return false
    return true
  }

  has(reg: number): boolean {
    return (this.regs[this.frame]! & (1 << reg)) !== 0
  }

  add(reg: number): void {
    this.regs[this.frame]! |= 1 << reg
  }

  drop(reg: number): void {
    this.regs[this.frame]! &= ~(1 << reg)
  }

  /** Whether any slot of a frame is wanted. */
  hasSlots(frame: number): boolean {
    return (this.low[frame]! | this.high[frame]!) !== 0
  }

  hasSlot(frame: number, spi: number): boolean {
    return ((spi < 32 ? this.low : this.high)[frame]! & (1 << (spi & 31))) !== 0
  }

  addSlot(frame: number, spi: number): void {
    const half = spi < 32 ? this.low : this.high
    half[frame]! |= 1 << (spi & 31)
  }

  dropSlot(frame: number, spi: number): void {
    const half = spi < 32 ? this.low : this.high
    half[frame]! &= ~(1 << (spi & 31))
  }

  /** The slots wanted of a frame, from the top of the stack down. */
  slots(frame: number): number[] {
    const slots: number[] = []
    for (let spi = 0; spi < 64; spi++) if (this.hasSlot(frame, spi)) slots.push(spi)
    return slots
  }

  /** Nothing of a frame is wanted. */
  clear(frame: number): void {
    this.regs[frame] = this.low[frame] = this.high[frame] = 0
  }

  text(): string {
    const regs = [...Array(11).keys()].filter((i) => this.has(i)).map((i) => `r${i}`)
    return `regs=${regs.join(',')} stack=${this.slots(this.frame).map((spi) => `${-8 * (spi + 1)}`)}`
  }
}

/** The number in a register is relied upon. Nothing happens for pointers. */
export function markPrecise(env: Env, regno: number): void {
  if (env.reg(regno).type !== 'scalar') return
  const wanted = new Wanted(env.state.frames.length - 1)
  wanted.add(regno)
  trace(env, env.state, wanted)
}

/** The number in a stack slot is relied upon. */
export function markSlotsPrecise(env: Env, frame: number, spi: number): void {
  const wanted = new Wanted(env.state.frames.length - 1)
  wanted.addSlot(frame, spi)
  trace(env, env.state, wanted)
}

/** What was precise in a state that stands for `state` is precise on the way to `state`. Whether that marked anything new. */
export function inheritPrecision(env: Env, old: State, state: State): boolean {
  const wanted = new Wanted(old.frames.length - 1)
  old.frames.forEach((frame, i) => {
    frame.regs.forEach((reg, r) => {
      if (reg.type === 'scalar' && reg.precise) wanted.regs[i]! |= 1 << r
    })
    frame.stack.forEach((slot, spi) => {
      if (hasSpill(slot) && slot.reg.type === 'scalar' && slot.reg.precise) wanted.addSlot(i, spi)
    })
  })
  return trace(env, state, wanted)
}

function trace(env: Env, start: State, wanted: Wanted): boolean {
  // A loader without capabilities has every number precise from the start.
  if (wanted.empty || env.settings.unprivileged) return false
  let state = start
  let last = start === env.state ? env.slot : start.slot
  let first = start.firstSlot
  let later = -1
  let skip = true
  let changed = false
  const traced = tracedBefore(env, start)
  traced?.set(placeOf(start.steps.length, last, wanted.frame), wanted.regs[wanted.frame]!)
  for (;;) {
    if (env.log.shows2)
      env.log.line(`mark_precise: frame${wanted.frame}: last_idx ${last} first_idx ${first} subseq_idx ${later} `)
    let history = state.steps.length
    for (let slot = last; slot >= 0; ) {
      const top = state.steps[history - 1]
      const step = history > 0 && top!.slot === slot ? top : undefined
      if (skip) skip = false
      else if (!walkBack(env, slot, later, step, wanted)) return markAll(env, start)
      else if (state === start && traced)
        wanted.regs[wanted.frame]! &= ~(traced.get(placeOf(history, slot, wanted.frame)) ?? 0)
      if (wanted.empty) return changed
      later = slot
      if (slot === state.firstSlot && (history === 0 || (history === 1 && state.steps[0]!.slot === slot))) break
      if (step) {
        slot = step.prev
        history--
      } else slot--
    }
    if (!state.parent) break
    state = state.parent.state
    changed = markState(env, state, wanted) || changed
    if (wanted.empty) return changed
    later = first
    last = state.lastSlot
    first = state.firstSlot
  }
  return markAll(env, start) || changed
}

/** A place on the way since a state was kept: how many steps are recorded before it, the slot, and which frame is looked at. */
const placeOf = (history: number, slot: number, frame: number): number =>
  (history * LIMITS.programSlots + slot) * MAX_FRAMES + frame

/** What was traced from places of the present state; nothing where the log tells each walk. */
function tracedBefore(env: Env, start: State): Map<number, number> | undefined {
  if (start !== env.state || env.log.shows2) return undefined
  start.traced ??= new Map()
  return start.traced
}

/** Marks what is wanted in a state of the way; what is marked already, or is no number, is wanted no more. */
function markState(env: Env, state: State, wanted: Wanted): boolean {
  let changed = false
  for (let f = wanted.frame; f >= 0; f--) {
    const frame = state.frames[f]
    if (!frame) {
      wanted.clear(f)
      continue
    }
    for (let r = 0; wanted.regs[f]! >> r !== 0; r++) {
      if (!(wanted.regs[f]! & (1 << r))) continue
      const reg = frame.regs[r]!
      if (reg.type !== 'scalar' || reg.precise) wanted.regs[f]! &= ~(1 << r)
      else {
        frame.regs[r] = precise(reg)
        changed = true
      }
    }
    for (const spi of wanted.hasSlots(f) ? wanted.slots(f) : NONE) {
      // Linux 6.18 trips over itself here, and refuses the program with these words.
      if (spi >= frame.stack.length)
        throw new Rejection(
          `verifier bug: stack slot ${spi}, total slots ${frame.stack.length} (i >= func->allocated_stack / BPF_REG_SIZE)`,
          true,
        )
      const slot = frame.stack[spi] ?? EMPTY_SLOT
      if (!hasSpill(slot) || slot.reg.type !== 'scalar' || slot.reg.precise) wanted.dropSlot(f, spi)
      else {
        frame.stack[spi] = { types: slot.types, reg: precise(slot.reg) }
        changed = true
      }
    }
  }
  if (env.log.shows2) env.log.line(`mark_precise: frame${wanted.frame}: parent state ${wanted.text()}`)
  return changed
}

const NONE: readonly number[] = []

function precise(reg: Reg): Reg {
  return change(reg, { precise: true })
}

/** When tracing does not help: everything on the way is precise. */
export function markAll(env: Env, start: State): boolean {
  if (env.settings.unprivileged) return false
  if (env.log.shows2)
    env.log.line(`mark_precise: frame${start.frames.length - 1}: falling back to forcing all scalars precise`)
  let changed = false
  // A state marked this way has only such states before it, and stays as it is.
  for (let saved = start.parent; saved && !saved.state.whollyPrecise; saved = saved.state.parent) {
    saved.state.whollyPrecise = true
    for (const frame of saved.state.frames) {
      frame.regs.forEach((reg, i) => {
        if (reg.type !== 'scalar' || reg.precise) return
        frame.regs[i] = precise(reg)
        changed = true
      })
      frame.stack.forEach((slot, spi) => {
        if (!hasSpill(slot) || slot.reg.type !== 'scalar' || slot.reg.precise) return
        frame.stack[spi] = { types: slot.types, reg: precise(slot.reg) }
        changed = true
      })
    }
  }
  return changed
}

function addLinked(wanted: Wanted, step: Step | undefined): void {
  if (!step?.linked) return
  const { linked } = step
  const hit = linked.some(({ frame, index, spill }) =>
    spill ? wanted.hasSlot(frame, index) : (wanted.regs[frame]! & (1 << index)) !== 0,
  )
  if (!hit) return
  for (const { frame, index, spill } of linked) {
    if (spill) wanted.addSlot(frame, index)
    else wanted.regs[frame]! |= 1 << index
  }
}

/** What had to be known before an instruction for `wanted` to be known after it. False if that cannot be told. */
function walkBack(env: Env, slot: number, later: number, step: Step | undefined, wanted: Wanted): boolean {
  const { prog } = env
  const opcode = prog.opcode[slot]!
  if (opcode === 0) return true
  if (env.log.shows2)
    env.log.line(`mark_precise: frame${wanted.frame}: ${wanted.text()} before ${slot}: ${env.insnText(slot)}`)
  addLinked(wanted, step)
  const told = walkInsn(env, slot, later, step, wanted)
  addLinked(wanted, step)
  return told
}

function walkInsn(env: Env, slot: number, later: number, step: Step | undefined, wanted: Wanted): boolean {
  const { prog } = env
  const opcode = prog.opcode[slot]!
  const dst = prog.dst[slot]!
  const src = prog.src[slot]!
  switch (opcode & 7) {
    case 4:
    case 7:
      walkAlu(opcode, dst, src, wanted)
      return true
    case 1:
      walkLoad(dst, step, wanted)
      return true
    case 3:
      if ((opcode & 0xe0) === 0xc0 && prog.imm[slot] === 0x100) {
        walkLoad(dst, step, wanted)
        return true
      }
      return walkStore(dst, src, step, wanted)
    case 2:
      return walkStore(dst, undefined, step, wanted)
    case 0:
      if (!wanted.has(dst)) return true
      wanted.drop(dst)
      return opcode === 0x18
    default:
      return walkJump(env, slot, later, wanted)
  }
}

function walkAlu(opcode: number, dst: number, src: number, wanted: Wanted): void {
  if (!wanted.has(dst)) return
  const op = opcode & 0xf0
  if (op === 0x80 || op === 0xd0) return
  if (op === 0xb0) wanted.drop(dst)
  if (opcode & 8 && src !== 10) wanted.add(src)
}

function walkLoad(dst: number, step: Step | undefined, wanted: Wanted): void {
  if (!wanted.has(dst)) return
  wanted.drop(dst)
  if (step?.access) wanted.addSlot(step.access.frame, step.access.spi)
}

function walkStore(dst: number, src: number | undefined, step: Step | undefined, wanted: Wanted): boolean {
  // A number is no address: this comes of pointers that were subtracted.
  if (wanted.has(dst)) return false
  if (!step?.access) return true
  const { frame, spi } = step.access
  if (!wanted.hasSlot(frame, spi)) return true
  wanted.dropSlot(frame, spi)
  if (src !== undefined) wanted.add(src)
  return true
}

const ARGS = 0x3e

function walkJump(env: Env, slot: number, later: number, wanted: Wanted): boolean {
  const { prog } = env
  const opcode = prog.opcode[slot]!
  const op = opcode & 0xf0
  if (op === 0x90) return walkExit(env, later, wanted)
  if (op === 0x80) return walkCall(env, slot, later, wanted)
  if (op === 0 || op === 0xe0 || !(opcode & 8)) return true
  const [dst, src] = [prog.dst[slot]!, prog.src[slot]!]
  if (!wanted.has(dst) && !wanted.has(src)) return true
  wanted.add(dst)
  wanted.add(src)
  return true
}

function callsBack(env: Env, slot: number): boolean {
  const { prog } = env
  return prog.opcode[slot] === 0x85 && prog.src[slot] === 0 && CALLBACK_HELPERS.has(prog.imm[slot]!)
}

function walkExit(env: Env, later: number, wanted: Wanted): boolean {
  const { prog } = env
  const fromCallback = later >= 0 && callsBack(env, later)
  if (fromCallback) wanted.regs[wanted.frame]! &= ~ARGS
  if (wanted.regs[wanted.frame]! & ARGS) return false
  const local = later >= 1 && prog.opcode[later - 1] === 0x85 && prog.src[later - 1] === 1
  const result = local && !fromCallback && wanted.has(0)
  wanted.drop(0)
  if (wanted.frame + 1 >= MAX_FRAMES) return false
  wanted.frame++
  if (result) wanted.add(0)
  return true
}

function walkCall(env: Env, slot: number, later: number, wanted: Wanted): boolean {
  const { prog, structure } = env
  const isLocal = prog.src[slot] === 1
  // A global function is not walked through: its result is made by the call.
  if (isLocal && !structure.subprogs[structure.subprogOf[slot + 1 + prog.imm[slot]!]!]!.proto?.global) {
    const frame = wanted.frame
    if (frame === 0 || wanted.regs[frame]! & ~ARGS || wanted.hasSlots(frame)) return false
    wanted.regs[frame - 1]! |= wanted.regs[frame]!
    wanted.regs[frame] = 0
    wanted.frame--
    return true
  }
  if (!isLocal && callsBack(env, slot) && slot !== later - 1) {
    const frame = wanted.frame
    if (frame === 0 || wanted.regs[frame]! & ~ARGS || wanted.hasSlots(frame)) return false
    wanted.regs[frame] = 0
    wanted.frame--
    return true
  }
  wanted.drop(0)
  return (wanted.regs[wanted.frame]! & ARGS) === 0
}
