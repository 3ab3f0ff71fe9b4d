// The log in the kernel's format: a line an instruction, with what it touched behind it. At level 1 the lines of a path that
// is finished are dropped, so that a rejection shows the path that led to it; level 2 keeps everything.

import { frameText } from './print.ts'
import type { Frame, State } from './state.ts'

/** Columns: text is padded to 40, or further in steps of 8. */
const COLUMN = 40
const STEP = 8
/** More than this many lines are not kept: hostile programs must not eat memory. */
const MAX_LINES = 400_000

/** How the log marks a path that is only speculative. */
export const SPECULATIVE = ' (speculative execution)'

export class Log {
  readonly lines: string[] = []
  readonly level: number
  private insnLine = -1
  private touchedRegs = 0x7ff
  private touchedSlots = new Set<number>()
  private allSlots = true

  constructor(level: number) {
    this.level = level
  }

  get shows(): boolean {
    return (this.level & 3) !== 0
  }

  get shows2(): boolean {
    return (this.level & 2) !== 0
  }

  private get full(): boolean {
    return this.lines.length >= MAX_LINES
  }

  line(text: string): void {
    if (!this.full) this.lines.push(text)
  }

  /** A line of the end, which is kept in any case: what is wrong, and the counts. */
  lastLine(text: string): void {
    this.lines.push(text)
  }

  touchReg(reg: number): void {
    this.touchedRegs |= 1 << reg
  }

  touchSlot(spi: number): void {
    if (!this.shows) return
    this.touchedSlots.add(spi)
  }

  touchAll(): void {
    this.touchedRegs = 0x7ff
    this.allSlots = true
  }

  private clean(): void {
    this.touchedRegs = 0
    this.touchedSlots = new Set()
    this.allSlots = false
  }

  /** What the last instruction touched, at the end of its line; or on a line of its own. */
  state(state: State, slot: number, frame: Frame = state.frame): void {
    if (!this.shows || this.full) return
    const slots = this.allSlots ? new Set(frame.stack.keys()) : this.touchedSlots
    const text = frameText(state, frame, { regs: this.touchedRegs, slots })
    const last = this.lines.length - 1
    if (this.insnLine === last && last >= 0) {
      const printed = this.lines[last]!.length + 1
      const column = Math.ceil(Math.max(printed + STEP / 2, COLUMN) / STEP) * STEP
      this.lines[last] = `${this.lines[last]}${' '.repeat(column - printed - 1)};${text}`
    } else this.line(`${slot}:${text}`)
    this.clean()
  }

  flushState(state: State, slot: number): void {
    if (this.shows && (this.touchedRegs !== 0 || this.allSlots || this.touchedSlots.size > 0)) this.state(state, slot)
  }

  insn(slot: number, text: string): void {
    if (!this.shows || this.full) return
    this.line(`${slot}: ${text}`)
    this.insnLine = this.lines.length - 1
  }

  /** A branch that was put off is taken up: `from A to B:` and all there is. */
  from(state: State, prev: number, slot: number): void {
    if (!this.shows) return
    this.line('')
    this.line(
      `from ${prev} to ${slot}${state.speculative ? SPECULATIVE : ''}:${frameText(state, state.frame, undefined)}`,
    )
  }

  /** Back to where the log was when a branch was put off. */
  reset(length: number): void {
    if (!this.shows2) this.lines.length = Math.min(this.lines.length, length)
    this.insnLine = -1
  }
}
