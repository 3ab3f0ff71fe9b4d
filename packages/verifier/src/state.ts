// The state of a program at one instruction: frames with registers and stack slots, objects held, and how it came here.

import { LIMITS } from '@netsieve/asm'
import { isKnown } from './domain/num.ts'
import { type Reg, UNINIT, UNKNOWN_SCALAR, ZERO_SCALAR } from './reg.ts'

/** What a byte of stack holds, four bits each in `Slot.types`. */
export const INVALID = 0
export const SPILL = 1
export const MISC = 2
export const ZEROED = 3
/** Of a dynamic pointer, which is two whole slots: the lower one holds its register. */
export const DYNPTR = 4
const LETTERS = '?rm0d'

const ALL_SPILL = 0x11111111

/**
 * Eight bytes of stack; never changed once in a frame. Byte 0 of `types` is the byte at the highest address (fp-1), byte 7
 * the one at the lowest, where a spilled register starts.
 */
export interface Slot {
  readonly types: number
  /** The register spilled here; meaningful where byte 7 is SPILL. */
  readonly reg: Reg
}

export const EMPTY_SLOT: Slot = { types: 0, reg: UNINIT }

export function byteType(slot: Slot, byte: number): number {
  return (slot.types >>> (byte * 4)) & 0xf
}

export function withByte(types: number, byte: number, type: number): number {
  return (types & ~(0xf << (byte * 4))) | (type << (byte * 4))
}

export function hasSpill(slot: Slot): boolean {
  return byteType(slot, 7) === SPILL
}

export function isDynptr(slot: Slot): boolean {
  return byteType(slot, 7) === DYNPTR
}

export function isFullSpill(slot: Slot): boolean {
  return slot.types === ALL_SPILL
}

/** Letters as the kernel prints them: `????mmmm`. */
export function slotLetters(slot: Slot): string {
  let text = ''
  for (let byte = 0; byte < 8; byte++) text += LETTERS[byteType(slot, byte)]
  return text
}

/** What a callback must return, and the helper's call that it returns to. */
export interface Callback {
  readonly callSlot: number
  readonly helper: number
  readonly range: readonly [min: number, max: number]
}

export class Frame {
  readonly number: number
  readonly subprog: number
  /** The slot of the call that made this frame; -1 for the main program. */
  readonly callSite: number
  readonly callback: Callback | undefined
  /** The call sites that led here, as a name. */
  readonly chain: string
  /** How often the callback that this frame calls has been entered. */
  callbackDepth = 0
  regs: Reg[]
  /** Slot i holds fp-8(i+1) and the seven bytes above; its length is the stack used. */
  stack: Slot[]

  constructor(
    number: number,
    subprog: number,
    callSite: number,
    chain = '',
    callback?: Callback,
    regs: Reg[] = new Array<Reg>(11).fill(UNINIT),
    stack: Slot[] = [],
  ) {
    this.number = number
    this.subprog = subprog
    this.callSite = callSite
    this.callback = callback
    this.chain = chain
    this.regs = regs
    this.stack = stack
  }

  clone(): Frame {
    const { number, subprog, callSite, chain, callback, regs, stack } = this
    const copy = new Frame(number, subprog, callSite, chain, callback, regs.slice(), stack.slice())
    copy.callbackDepth = this.callbackDepth
    return copy
  }
}

/** An object acquired and not yet released, and the slot that acquired it. */
export interface Held {
  readonly id: number
  readonly slot: number
}

/** A spin lock that is held: the id of the map value, and the map's name. */
export interface Lock {
  readonly id: number
  readonly map: string
}

/** One step that backtracking cannot guess: a jump, an access to a stack slot, registers that are linked. */
export interface Step {
  readonly slot: number
  readonly prev: number
  /** The stack slot read or written as a register, by frame and index. */
  access: { readonly frame: number; readonly spi: number } | undefined
  linked: readonly LinkedReg[] | undefined
}

export interface LinkedReg {
  readonly frame: number
  /** A register, or a stack slot where `spill`. */
  readonly index: number
  readonly spill: boolean
}

export class State {
  frames: Frame[] = []
  held: readonly Held[] = []
  lock: Lock | undefined
  /** The saved state that this one continues. */
  parent: Saved | undefined
  /** Ways on from here that are not yet explored. */
  branches = 1
  slot = 0
  firstSlot = 0
  lastSlot = -1
  steps: Step[] = []
  /** Registers, as bits, that precision has been traced back for from a place since this state began (precision.ts): not again from there on. */
  traced: Map<number, number> | undefined
  jumpsOut = 0
  mayGotoDepth = 0
  callbackDepth = 0
  /** Only a processor that guesses wrongly comes here. */
  speculative = false
  /** Every number counts as precise, as for a loader without CAP_BPF. */
  allPrecise = false
  /** States kept on the way here. */
  depth = 0
  /** Kept states: every number here, and on the way here, is marked precise. */
  whollyPrecise = false

  get frame(): Frame {
    return this.frames[this.frames.length - 1]!
  }

  clone(): State {
    const copy = new State()
    copy.frames = this.frames.map((frame) => frame.clone())
    copy.held = this.held
    copy.lock = this.lock
    copy.parent = this.parent
    copy.branches = this.branches
    copy.slot = this.slot
    copy.firstSlot = this.firstSlot
    copy.lastSlot = this.lastSlot
    copy.steps = this.steps.slice()
    copy.mayGotoDepth = this.mayGotoDepth
    copy.callbackDepth = this.callbackDepth
    copy.speculative = this.speculative
    copy.allPrecise = this.allPrecise
    copy.depth = this.depth
    return copy
  }
}

/** A state kept for comparison with later ones. */
export interface Saved {
  readonly state: State
  hits: number
  misses: number
  /** Later states are not compared with it any more. */
  dropped: boolean
}

/** Makes the stack of a frame at least `bytes` long. */
export function growStack(frame: Frame, bytes: number): void {
  const slots = Math.min(LIMITS.stackBytes, bytes + 7) >> 3
  while (frame.stack.length < slots) frame.stack.push(EMPTY_SLOT)
}

export const MISC_SLOT: Slot = { types: 0x22222222, reg: UNINIT }
export const ZERO_SLOT: Slot = { types: 0x33333333, reg: UNINIT }

/** What a load of whole bytes without a register gives: zero if all are known zero. */
export function readBytes(frame: Frame, firstByte: number, size: number): Reg {
  for (let i = 0; i < size; i++) {
    const at = firstByte - i
    if (byteType(frame.stack[at >> 3] ?? EMPTY_SLOT, at & 7) !== ZEROED) return UNKNOWN_SCALAR
  }
  return ZERO_SCALAR
}

/** Whether a spilled scalar of all eight bytes, or bytes that may be read as one. */
export function isConstScalar(reg: Reg): boolean {
  return reg.type === 'scalar' && isKnown(reg.num)
}
