// Instructions with control flow in view: what is reachable, and what is known about the packet at each point.
// Code that cannot be reached is not emitted (the kernel refuses programs that hold any).

import { Code, type Insn, type JumpOp, type Label, type Origin } from '@netsieve/asm'
import { TOO_LONG, TooLong } from './limits.ts'

/** Register roles. r0, r1, r4 and r5 are scratch; helper calls keep r6..r10 only. */
export const R = { RET: 0, A: 1, DATA: 2, END: 3, B: 4, C: 5, CTX: 6, NET: 7, TRANSPORT: 8, AVAIL: 9, FP: 10 } as const

/** What holds at a point of the code, on every path to it. */
export interface Flow {
  /** Bytes from each base that are known to be in the packet (pointers checked against data_end). */
  readonly link: number
  readonly net: number
  readonly transport: number
  /** R.AVAIL is known to be at least this. */
  readonly avail: number
  /** R.TRANSPORT holds the transport header's place. */
  readonly located: boolean
  /** Searches in lists whose ends are remembered on the stack. */
  readonly searched: ReadonlySet<string>
  /** Terms whose values are in their slots (kept.ts). */
  readonly kept: ReadonlySet<object>
}

export const NOTHING: Flow = {
  link: 0,
  net: 0,
  transport: 0,
  avail: -1,
  located: false,
  searched: new Set(),
  kept: new Set(),
}

function meet(a: Flow, b: Flow): Flow {
  if (saysNoMore(a, b)) return a
  if (saysNoMore(b, a)) return b
  return {
    link: Math.min(a.link, b.link),
    net: Math.min(a.net, b.net),
    transport: Math.min(a.transport, b.transport),
    avail: Math.min(a.avail, b.avail),
    located: a.located && b.located,
    searched: a.searched === b.searched ? a.searched : new Set([...a.searched].filter((key) => b.searched.has(key))),
    kept: a.kept === b.kept ? a.kept : new Set([...a.kept].filter((term) => b.kept.has(term))),
  }
}

/** What holds here holds there too. */
function saysNoMore(a: Flow, b: Flow): boolean {
  return (
    a === b ||
    (a.link <= b.link &&
      a.net <= b.net &&
      a.transport <= b.transport &&
      a.avail <= b.avail &&
      (b.located || !a.located) &&
      a.searched === b.searched &&
      a.kept === b.kept)
  )
}

const OPPOSITE: Partial<Record<JumpOp, JumpOp>> = {
  jeq: 'jne',
  jne: 'jeq',
  jgt: 'jle',
  jle: 'jgt',
  jlt: 'jge',
  jge: 'jlt',
  jsgt: 'jsle',
  jsle: 'jsgt',
  jslt: 'jsge',
  jsge: 'jslt', // biome-ignore format: pairs
}

interface Conditional {
  readonly op: JumpOp
  readonly dst: number
  readonly source: number | { readonly reg: number }
  readonly width: 32 | 64
  readonly target: Label
  readonly origin: Origin | undefined
}

/** Jumps of 16 bits go this far at most: the kernel makes several instructions of one (a division, a context load) and then checks that jumps still reach. */
const NEAR = 0x3fff

/** A program under construction. */
export class Emitter {
  private readonly code = new Code()
  private readonly arrivals = new Map<Label, Flow>()
  private readonly bound = new Set<Label>()
  private readonly deferred: (() => void)[] = []
  // Jumps at the end of what is emitted wait here until it is known which label follows: that one needs no jump.
  private conditional: Conditional | undefined
  private onward: Label | undefined
  private following: Label[] = []
  /** Those that followed before: a list to be used again. */
  private followed: Label[] = []
  flow: Flow = NOTHING
  /** Searches that have a place to remember where they ended. */
  readonly searches: string[] = []
  reachable = true
  origin: Origin | undefined

  /** Jumps back so far. */
  loops = 0

  /** With more slots than this the program is given up. */
  most = Number.POSITIVE_INFINITY

  /** Slots of what was emitted so far. */
  get size(): number {
    return this.code.size
  }

  label(name: string): Label {
    return this.code.label(name)
  }

  /** Emits what `write` writes, unless this point cannot be reached. @throws TooLong */
  put(write: (code: Code) => void): void {
    if (!this.reachable) return
    if (this.code.size > this.most) throw new TooLong(TOO_LONG)
    this.flush()
    this.code.origin = this.origin
    write(this.code)
  }

  /** The program will have about so many slots: it is given up if that is too many by far. @throws TooLong */
  foresee(size: number): void {
    if (size > 2 * this.most) throw new TooLong(TOO_LONG)
  }

  know(facts: Partial<Flow>): void {
    this.flow = { ...this.flow, ...facts }
  }

  jump(op: JumpOp, dst: number, source: number | { readonly reg: number }, target: Label, width: 32 | 64 = 64): void {
    if (!this.reachable) return
    this.flush()
    this.conditional = { op, dst, source, width, target, origin: this.origin }
    this.arrive(target)
  }

  /** A loop that passes here may go round as often as it likes: once the program has passed too often, it goes to `spent`. */
  mayGoto(spent: Label): void {
    this.put((code) => code.mayGoto(spent))
    if (this.reachable) this.arrive(spent)
  }

  goto(target: Label): void {
    if (!this.reachable) return
    if (this.following.length > 0) this.flush()
    this.onward = target
    this.arrive(target)
    this.reachable = false
  }

  exit(): void {
    this.put((code) => code.exit())
    this.reachable = false
  }

  /** Places a label here. Only jumps already emitted count: a later backward jump must know no less than this point. */
  bind(label: Label): void {
    const arriving = this.arrivals.get(label)
    if (!arriving && !this.reachable) return
    this.bound.add(label)
    this.following.push(label)
    if (arriving) this.flow = this.reachable ? meet(this.flow, arriving) : arriving
    this.reachable = true
  }

  /** Code off the common path: written when `runDeferred` is called. */
  defer(write: () => void): void {
    this.deferred.push(write)
  }

  /** Writes what was put off. */
  runDeferred(): void {
    for (let write = this.deferred.shift(); write; write = this.deferred.shift()) write()
  }

  finish(): Insn[] {
    this.runDeferred()
    this.flush()
    return this.code.layout(NEAR)
  }

  private arrive(target: Label): void {
    if (this.bound.has(target)) this.loops++
    const before = this.arrivals.get(target)
    this.arrivals.set(target, before ? meet(before, this.flow) : this.flow)
  }

  /** Emits the jumps that wait, then the labels behind them. */
  private flush(): void {
    const { conditional, onward, following } = this
    if (!conditional && !onward && following.length === 0) return
    this.conditional = undefined
    this.onward = undefined
    const next = following
    this.following = this.followed
    this.followed = next
    const needless = onward !== undefined && next.includes(onward)
    if (conditional) {
      const { op, dst, source, width, target, origin } = conditional
      const opposite = OPPOSITE[op]
      this.code.origin = origin
      // Both ways lead to the same place: no test is needed.
      const same =
        onward === undefined ? next.includes(target) : target === onward || (needless && next.includes(target))
      if (same) {
        if (onward && !needless) this.code.goto(onward)
      } else if (onward && !needless && opposite && next.includes(target))
        this.code.jump(opposite, dst, source, onward, width)
      else {
        this.code.jump(op, dst, source, target, width)
        if (onward && !needless) this.code.goto(onward)
      }
    } else if (onward && !needless) {
      this.code.origin = this.origin
      this.code.goto(onward)
    }
    for (let i = 0; i < next.length; i++) this.code.bind(next[i]!)
    next.length = 0
  }
}
