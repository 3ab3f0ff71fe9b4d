// One run of the verifier: the program, the state being looked at, the branches put off, the states kept, and the counts.

import { type FunctionDef, formatInsn, type Helper, insn, LIMITS, type MapDef, type ProgTypeName } from '@netsieve/asm'
import Long from 'long'
import { knownInt } from './domain/num.ts'
import { Rejection } from './errors.ts'
import { StackLiveness } from './live-stack.ts'
import { Log } from './log.ts'
import { type Need, needsAt } from './needs.ts'
import type { Prog } from './prog.ts'
import { type Reg, scalar } from './reg.ts'
import type { Mask } from './speculate.ts'
import { Frame, type LinkedReg, type Saved, State, type Step } from './state.ts'
import type { Structure } from './structure.ts'

/**
 * Who loads a program: `root` may do all; `bpf` has CAP_BPF and CAP_NET_ADMIN, but no CAP_PERFMON, and may not leak pointers; `none` has no
 * capability at all, as kernel.unprivileged_bpf_disabled=0 lets it load (its maps may be another's).
 */
export type LoaderName = 'root' | 'bpf' | 'none'

export interface Settings {
  readonly type: ProgTypeName
  readonly maps: readonly MapDef[]
  readonly logLevel: number
  /** The loader may not leak pointers nor read stack that was never written. */
  readonly strict: boolean
  /** The loader has no capability: short programs without loops and functions, fewer helpers and context fields. */
  readonly unprivileged: boolean
  readonly gplCompatible: boolean
  /** Instructions processed at most. */
  readonly budget: number
  /** cgroup_skb: which way the packets go. */
  readonly attach: 'ingress' | 'egress'
  /** The functions that BTF describes; callbacks need it, and global functions are known by it. */
  readonly functions: readonly FunctionDef[] | undefined
  /** Every access must be aligned, as for machines that cannot do others. */
  readonly strictAlignment: boolean
  /** Processors of the machine: what bpf_get_smp_processor_id can return. */
  readonly cpus: number
  /** Whether earlier states may stand for later ones. */
  readonly prune: boolean
}

/** A branch put off. */
interface Pending {
  readonly state: State
  readonly slot: number
  readonly prev: number
  readonly logLength: number
}

/** More branches than this put off at once are too complex. */
const MAX_PENDING = 8192

export interface Counts {
  insns: number
  jumps: number
  insnsAtSave: number
  jumpsAtSave: number
  totalStates: number
  peakStates: number
  savedStates: number
  /** States that wait for their loop to be finished. */
  backEdges: number
  maxStatesPerInsn: number
}

/** A visit of a loop from one place: the state that came in first, and later states that were found equal within it. */
export interface LoopVisit {
  entry: State | undefined
  readonly backEdges: { readonly state: State; readonly equal: State }[]
}

export class Env {
  readonly prog: Prog
  readonly settings: Settings
  readonly structure: Structure
  readonly log: Log
  readonly pending: Pending[] = []
  /** States kept, in buckets by slot and call site: as many buckets as slots, as the kernel's counts depend on it. */
  private buckets: (Saved[] | undefined)[] = []
  readonly loopVisits = new Map<string, LoopVisit>()
  readonly counts: Counts = {
    insns: 0,
    jumps: 0,
    insnsAtSave: 0,
    jumpsAtSave: 0,
    totalStates: 0,
    peakStates: 0,
    savedStates: 0,
    backEdges: 0,
    maxStatesPerInsn: 0,
  }
  private readonly immediates: (Reg | undefined)[] = []
  private readonly needs: (readonly Need[] | undefined)[] = []
  /** Pointer kinds seen at each memory access: one instruction is compiled for one kind. */
  readonly accessKind: (Reg['type'] | undefined)[] = []
  readonly stackDepth: number[] = []
  /** Slots that were reached. */
  readonly seen: Uint8Array
  /** How memory was reached at each slot: see `noteAccess`. */
  readonly accesses: Uint8Array
  readonly liveStack: StackLiveness
  /** Strict: slots with a barrier before them, and behind them, where speculative paths end; how pointer sums are masked. */
  readonly barrier: Uint8Array
  readonly barrierBehind: Uint8Array
  readonly masks: (Mask | undefined)[] = []
  /** Strict: masks depend on numbers, so states are the same only with the same numbers. */
  exactNumbers = false
  /** Global functions that were called. */
  readonly globals = new Set<number>()
  state: State
  /** All paths are walked: what is wrong now is not at an instruction. */
  finished = false
  slot = 0
  prev = -1
  /** The step recorded for the instruction at hand. */
  step: Step | undefined
  private ids = 0

  constructor(prog: Prog, structure: Structure, settings: Settings, log: Log = new Log(settings.logLevel)) {
    this.prog = prog
    this.structure = structure
    this.settings = settings
    this.log = log
    this.seen = new Uint8Array(prog.length)
    this.accesses = new Uint8Array(prog.length)
    this.barrier = new Uint8Array(prog.length)
    this.barrierBehind = new Uint8Array(prog.length)
    this.liveStack = new StackLiveness(this)
    this.state = new State()
    this.state.frames = [new Frame(0, 0, -1)]
  }

  get frame(): Frame {
    return this.state.frame
  }

  get regs(): Reg[] {
    return this.state.frame.regs
  }

  /** A new id for registers that belong together. */
  newId(): number {
    return ++this.ids
  }

  reg(index: number): Reg {
    return this.state.frame.regs[index]!
  }

  setReg(index: number, reg: Reg): void {
    this.state.frame.regs[index] = reg
  }

  /** The needs of the instruction at a slot; they do not depend on the state. */
  needsOf(slot: number): readonly Need[] {
    this.needs[slot] ??= needsAt(this.prog, slot)
    return this.needs[slot]
  }

  /** The immediate of the instruction at a slot, sign-extended. */
  immediate(slot: number): Reg {
    this.immediates[slot] ??= scalar(knownInt(this.prog.imm[slot]!))
    return this.immediates[slot]
  }

  /** The states kept that may be compared with the present one; some of other slots among them. */
  savedAt(slot: number, state: State): Saved[] {
    const bucket = ((slot ^ state.frame.callSite) >>> 0) % this.prog.length
    this.buckets[bucket] ??= []
    return this.buckets[bucket]
  }

  /** Forgets the states kept: another function is looked at. */
  forgetStates(): void {
    this.buckets = []
    this.loopVisits.clear()
  }

  /** Puts a copy of the state off, to be continued at `slot`. The copy is returned: what the branch learns goes there. */
  putOff(slot: number, prev: number, speculative = false): State {
    const state = this.state.clone()
    if (speculative) state.speculative = true
    this.pending.push({ state, slot, prev, logLength: this.log.lines.length })
    if (state.parent) state.parent.state.branches++
    if (this.pending.length > MAX_PENDING)
      throw new Rejection(`The sequence of ${this.pending.length} jumps is too complex.`, true)
    return state
  }

  /** Records how the present instruction was reached, or what it touched. */
  recordStep(access?: Step['access'], linked?: readonly LinkedReg[]): void {
    if (this.step) {
      if (access) this.step.access = access
      if (linked) this.step.linked = linked
      return
    }
    this.step = { slot: this.slot, prev: this.prev, access, linked }
    this.state.steps.push(this.step)
  }

  /** The instruction at a slot as the log writes it: `(b7) r0 = 0`. */
  insnText(slot: number): string {
    const { prog } = this
    const spec = prog.spec[slot]
    if (!spec) return `(${prog.opcode[slot]!.toString(16).padStart(2, '0')}) ???`
    // The kernel's log has the bare number of a function's address.
    if (spec.imm64 === 'func') return `(18) r${prog.dst[slot]} = 0x${(prog.imm[slot]! >>> 0).toString(16)}`
    const imm64 = spec.slots === 2 ? Long.fromBits(prog.imm[slot]!, prog.imm[slot + 1]!) : undefined
    const fields = { dst: prog.dst[slot]!, src: prog.src[slot]!, off: prog.off[slot]!, imm: prog.imm[slot]! }
    return formatInsn(insn(spec, { ...fields, ...(imm64 && { imm64 }) }))
  }

  /** Remembers how much stack a subprogram uses. */
  useStack(subprog: number, bytes: number): void {
    this.stackDepth[subprog] = Math.max(this.stackDepth[subprog] ?? 0, Math.min(bytes, LIMITS.stackBytes))
  }
}

/** Whether programs of this type and loader may call it. */
export function helperMay({ types, capability }: Helper, { type, strict, unprivileged }: Settings): boolean {
  return types.includes(type) && !(capability && unprivileged) && !(capability === 'perfmon' && strict)
}
