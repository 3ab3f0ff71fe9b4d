// One function while its WebAssembly is emitted: registers are i64 locals; what they are known to hold, which scopes are open and
// how many instructions ran is kept here. Who emits an instruction: see function.ts.

import type { Engine } from '../engine.ts'
import { STATUS } from './abi.ts'
import type { Cfg } from './cfg.ts'
import { type Chain, findChains, type Table } from './chains.ts'
import { pushDepth } from './frames.ts'
import type { ProgramFunction } from './functions.ts'
import { copyKinds, type Kinds, stepKinds } from './kinds.ts'
import { Labels } from './labels.ts'
import { fusedSwaps, type Needs } from './needs.ts'
import type { Scope } from './scopes.ts'
import type { Around, Layout, Target } from './target.ts'
import { type Body, I32, I64, W } from './writer.ts'

export interface EmitterOptions {
  readonly known: ProgramFunction
  readonly layout: Layout
  readonly body: Body
  /** Locals of r0..r10. */
  readonly registers: readonly number[]
  readonly around: Around
  /** Whether instructions are counted. */
  readonly counted: boolean
  /** Whether chains of tests become one: not where instructions are counted, as each test counts. */
  readonly chains?: boolean
}

export class FunctionEmitter {
  readonly body: Body
  readonly known: ProgramFunction
  readonly layout: Layout
  readonly target: Target
  readonly engine: Engine
  readonly code: Int32Array
  readonly cfg: Cfg
  readonly registers: readonly number[]
  readonly around: Around
  readonly entryBlock: number
  /** Kinds at the start of each block. */
  readonly kindsAt: readonly Kinds[]
  /** Kinds of the registers before the current instruction. */
  readonly kinds: Kinds
  /** Byte swaps (by instruction) that are left out: see `fusedSwaps`. */
  readonly fused: ReadonlyMap<number, Table | undefined>
  /** What the function goes through. */
  readonly needs: Needs
  /** Chains of tests, by the block that the first of them ends; and the blocks of the others, once they are made with it. */
  readonly chains: ReadonlyMap<number, Chain>
  readonly tested = new Set<number>()
  /** i32 locals that hold context fields, by offset. */
  contextLocals: ReadonlyMap<number, number> = new Map()

  /** i64 local: a pointer to the packet's start. */
  readonly packetBase: number
  /** i64 locals, by size of access: how many places in the packet such an access can start at. */
  readonly limits: ReadonlyMap<number, number>

  /** The open scopes. */
  readonly labels = new Labels()
  /** i32 local for the next block's number, where a dispatcher stands for structured scopes. */
  dispatch: number | undefined
  /** Open `if`s, inside the labels. */
  private ifs = 0

  /** i32 local: instructions executed before the current block. */
  private readonly used: number | undefined
  /** Instructions of the current block before the current one. */
  private done = 0

  constructor({ known, layout, body, registers, around, counted, chains = false }: EmitterOptions) {
    const { target, cfg, kindsAt, needs } = known
    this.known = known
    this.layout = layout
    this.target = target
    this.engine = target.engine
    this.code = target.program.code
    this.body = body
    this.registers = registers
    this.around = around
    this.cfg = cfg
    this.entryBlock = cfg.at.get(known.entry)!
    this.kindsAt = kindsAt
    this.kinds = this.kindsAt[0]!.slice()
    this.chains = chains ? findChains(this.engine, this.code, this.cfg) : new Map()
    this.fused = fusedSwaps(target, this.cfg, this.chains)
    this.packetBase = body.local(I64)
    this.needs = needs
    this.limits = new Map([...this.needs.packetSizes].map((size) => [size, body.local(I64)]))
    if (counted) this.used = body.local(I32)
  }

  // ---- where we are ----

  /** Begins a block: what registers hold is known again. */
  enterBlock(b: number): void {
    copyKinds(this.kinds, this.kindsAt[b]!)
    this.done = 0
  }

  /** Goes past an instruction. */
  pass(i: number): void {
    stepKinds(this.engine, this.code, i, this.kinds)
    this.done++
  }

  /** Offset of a register that points into the context or the stack; of one that holds a map, its number. */
  offsetOf(register: number): number {
    return this.kinds[register + 11]!
  }

  /** Number of the map whose values a register points to. */
  mapOf(register: number): number {
    return this.kinds[register + 22]!
  }

  // ---- values ----

  /** Pushes a register's or constant's value. */
  value(register: number): void {
    if (register < 11) this.body.get(this.registers[register]!)
    else this.body.i64(this.engine.regs[register * 2]!, this.engine.regs[register * 2 + 1]!)
  }

  /** Pushes the low half. */
  value32(register: number): void {
    if (register < 11) this.body.get(this.registers[register]!).op(W.i32_wrap_i64)
    else this.body.i32(this.engine.regs[register * 2]!)
  }

  /** Sets a register from the stack. */
  setRegister(register: number): void {
    this.body.set(this.registers[register]!)
  }

  /** Writes registers (or constants) to the register file. */
  spill(registers: readonly number[]): void {
    for (const r of registers) {
      this.body.i32(this.engine.regsAt + r * 8)
      this.value(r)
      this.body.mem(W.i64_store, 0)
    }
  }

  /** Reads a register back from the register file. */
  fill(register: number): void {
    this.body.i32(this.engine.regsAt + register * 8).mem(W.i64_load, 0)
    this.setRegister(register)
  }

  // Locals that last one instruction, made when they are first asked for.
  private scratch: { wide?: number; temp?: number; row?: number; flag?: number } = {}

  /** An i64 local: a pointer, as a rule. */
  wide(): number {
    this.scratch.wide ??= this.body.local(I64)
    return this.scratch.wide
  }

  /** An i32 local: a linear address, as a rule. */
  temp(): number {
    this.scratch.temp ??= this.body.local(I32)
    return this.scratch.temp
  }

  /** An i32 local: the offset of a row in the region table. */
  row(): number {
    this.scratch.row ??= this.body.local(I32)
    return this.scratch.row
  }

  /** An i32 local: whether something holds. */
  flag(): number {
    this.scratch.flag ??= this.body.local(I32)
    return this.scratch.flag
  }

  // ---- scopes ----

  /** Depth of a branch to a scope outside the function's own, 0 being the innermost. */
  outside(scope: number): number {
    return this.labels.count + this.ifs + scope
  }

  /** Depth of a branch to the open scope that stands for jumps to a block. */
  depthOf(kind: Scope['kind'], target: number): number {
    return this.labels.depthOf(kind, target) + this.ifs
  }

  /** Opens an `if` on the value on the stack, with a result or without. */
  openIf(result = 0x40): void {
    this.body.op(W.if, result)
    this.ifs++
  }

  closeIf(): void {
    this.ifs--
    this.body.op(W.end)
  }

  /** Goes to the fault exit if the number on the stack is 0. */
  orFault(): void {
    this.body.op(W.i32_eqz)
    this.openIf()
    this.around.fault(this)
    this.closeIf()
  }

  // ---- the count of instructions ----

  /** At the start of a function: from 0, or on from where the caller was. */
  startCount(fresh: boolean): void {
    if (this.used === undefined) return
    if (fresh) this.body.i32(0).set(this.used)
    else this.body.i32(STATUS.used).mem(W.i32_load, 0).set(this.used)
  }

  /** Counts the block, which ends before a jump's target. */
  countBlock(): void {
    this.count(this.done)
  }

  /** Counts the block up to the current instruction, which ends it. */
  countJump(): void {
    this.count(this.done + 1)
    this.done = -1
  }

  /** used += n */
  private count(n: number): void {
    if (this.used !== undefined && n > 0) this.body.get(this.used).i32(n).op(W.i32_add).set(this.used)
  }

  /** Leaves the number of instructions, this one included, where the machine finds it. */
  storeUsed(): void {
    if (this.used === undefined) return
    const included = this.done + 1
    this.body.i32(STATUS.used).get(this.used).i32(included).op(W.i32_add).mem(W.i32_store, 0)
  }

  /** Leaves what the machine asks for, the instructions executed and the depth of calls, and pushes where the program is. */
  leaveWord(pc: number): void {
    const { body, engine, layout, target } = this
    this.storeUsed()
    if (layout.numbers.size > 0) {
      body.i32(STATUS.depth)
      pushDepth(this)
      body.mem(W.i32_store, 0)
    }
    body.i32(engine.codeStarts[target.index]! + pc)
  }

  /** Takes the count back after others may have counted. */
  loadUsed(): void {
    if (this.used === undefined) return
    const included = this.done + 1
    this.body.i32(STATUS.used).mem(W.i32_load, 0).i32(included).op(W.i32_sub).set(this.used)
  }

  /** Pushes whether more instructions than the budget have run; false, and nothing, where they are not counted. */
  pushOverBudget(): boolean {
    if (this.used === undefined) return false
    const { insnBudget } = this.engine.options
    this.body
      .get(this.used)
      .i32(Math.min(insnBudget, 0x7fffffff) - this.done - 1)
      .op(W.i32_gt_s)
    return true
  }
}
