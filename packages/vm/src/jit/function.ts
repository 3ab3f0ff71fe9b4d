// One function of a program as a WebAssembly body: registers are i64 locals, jumps are structured control flow, every
// memory access is checked unless it is certain (own stack, context at a known place) or was proved by a verifier.

import { helperById } from '@netsieve/asm'
import { ACCESS } from '../context.ts'
import { type DecodedProgram, OP } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { HELPER_FUNCTIONS } from '../helpers/table.ts'
import { AT, REGION } from '../memory.ts'
import { swap32 } from '../u64.ts'
import { IMPORT, type ImportName, STATUS } from './abi.ts'
import { buildCfg, type Cfg, endsFlow, isJump, liveAfter } from './cfg.ts'
import { blockKinds, entryKinds, KIND, type Kinds, stepKinds } from './kinds.ts'
import { type Body, I32, I64, W } from './writer.ts'

/** Says of an instruction (by index) that its memory access lies wholly in one region, not the context. */
export type Proved = (insn: number) => boolean

export interface Target {
  readonly engine: Engine
  readonly program: DecodedProgram
  readonly proved: Proved | undefined
  /** Function numbers of local functions, by their first instruction. */
  readonly functions: ReadonlyMap<number, number>
  /** Function numbers of compiled lookups, by map. */
  readonly lookups: ReadonlyMap<number, number>
}

/** What a function goes through: the region table, helpers, places of the context. */
export interface Needs {
  readonly regions: boolean
  readonly helpers: boolean
  readonly context: ReadonlySet<number>
}

/** What is around the function's code: how it ends. */
export interface Around {
  /** r0 is in its local. */
  exit(compiler: FunctionCompiler, pc: number): void
  fault(compiler: FunctionCompiler): void
  tailCall(compiler: FunctionCompiler): void
  /** Before code that looks at the machine's own state of the packet. */
  sync?(compiler: FunctionCompiler): void
}

export const SIZES: Readonly<Record<number, number>> = {
  97: 4,
  105: 2,
  113: 1,
  121: 8,
  129: 4,
  137: 2,
  145: 1,
  99: 4,
  107: 2,
  115: 1,
  123: 8,
}
export const LOADS: Readonly<Record<number, number>> = {
  97: W.i64_load32_u, 105: W.i64_load16_u, 113: W.i64_load8_u, 121: W.i64_load, 129: W.i64_load32_s, 137: W.i64_load16_s, 145: W.i64_load8_s,
} // biome-ignore format: one family
const STORES: Readonly<Record<number, number>> = {
  99: W.i64_store32,
  107: W.i64_store16,
  115: W.i64_store8,
  123: W.i64_store,
}
const ALU64: Readonly<Record<number, number>> = {
  15: W.i64_add, 31: W.i64_sub, 47: W.i64_mul, 79: W.i64_or, 95: W.i64_and, 175: W.i64_xor, 111: W.i64_shl, 127: W.i64_shr_u, 207: W.i64_shr_s,
} // biome-ignore format: one family
const ALU32: Readonly<Record<number, number>> = {
  12: W.i32_add, 28: W.i32_sub, 44: W.i32_mul, 76: W.i32_or, 92: W.i32_and, 172: W.i32_xor, 108: W.i32_shl, 124: W.i32_shr_u, 204: W.i32_shr_s,
} // biome-ignore format: one family
/** Jump tests by the high half of their opcode: 64-bit and 32-bit comparisons. */
const TESTS: Readonly<Record<number, readonly [number, number]>> = {
  1: [W.i64_eq, W.i32_eq], 2: [W.i64_gt_u, W.i32_gt_u], 3: [W.i64_ge_u, W.i32_ge_u], 5: [W.i64_ne, W.i32_ne], 6: [W.i64_gt_s, W.i32_gt_s],
  7: [W.i64_ge_s, W.i32_ge_s], 10: [W.i64_lt_u, W.i32_lt_u], 11: [W.i64_le_u, W.i32_le_u], 12: [W.i64_lt_s, W.i32_lt_s], 13: [W.i64_le_s, W.i32_le_s],
} // biome-ignore format: one family

/** Open scopes: block numbers that a branch to them means, or a name. */
type Label = { readonly kind: 'block' | 'loop'; readonly target: number } | { readonly kind: 'other' }

export class FunctionCompiler {
  readonly body: Body
  readonly target: Target
  readonly engine: Engine
  readonly code: Int32Array
  readonly cfg: Cfg
  readonly registers: readonly number[]
  private readonly around: Around
  private readonly entryBlock: number
  private readonly kindsAt: readonly Kinds[]
  private kinds!: Kinds
  /** Labels of open scopes, outermost first. */
  readonly labels: Label[] = []
  /** Byte swaps that are left out, because the constant that follows is swapped instead. */
  private readonly fused: ReadonlySet<number>
  private readonly packetBase: number
  private readonly limits = new Map<number, number>()
  private readonly limitSizes: readonly number[]
  private used: number | undefined
  private a: number | undefined
  private p: number | undefined
  private row: number | undefined
  private next: number | undefined
  /** Instructions of the current block before the current one. */
  private done = 0
  private slots = 0

  /** Depth of a branch to a scope outside the function's own, 0 being the innermost. */
  outside(scope: number): number {
    return this.labels.length + this.slots + scope
  }

  /** `registers`: locals of r0..r10. */
  constructor(
    target: Target,
    entry: number,
    main: boolean,
    body: Body,
    registers: readonly number[],
    around: Around,
    counted: boolean,
  ) {
    this.target = target
    this.engine = target.engine
    this.code = target.program.code
    this.body = body
    this.registers = registers
    this.around = around
    this.cfg = buildCfg(this.code, entry)
    const linux = this.engine.options.mode === 'linux'
    const entryBlock = this.cfg.at.get(entry)!
    this.entryBlock = entryBlock
    this.kindsAt = blockKinds(this.engine, this.code, this.cfg, entryKinds(main, linux), entryBlock)
    this.fused = this.findFused()
    this.packetBase = body.local(I64)
    this.limitSizes = this.sizesUsed()
    for (const size of this.limitSizes) this.limits.set(size, body.local(I64))
    if (counted) this.used = body.local(I32)
  }

  /** Whether anything in the function goes through the region table, the machine's helpers or the context's memory. */
  get needs(): Needs {
    this.found ??= this.findNeeds()
    return this.found
  }
  private found: Needs | undefined

  private findNeeds(): Needs {
    let regions = false
    let helpers = false
    const context = new Set<number>()
    this.forEachInsn((i, op, kinds) => {
      if (op === 0x85 || op === 0x8d) helpers = true
      if (op === OP.callLocal) regions = true
      if (op >= 0x20 && op <= 0x50 && (op & 7) === 0 && kinds[6] !== KIND.ctx) helpers = true
      const size = SIZES[op]
      if (op === 0xc3) regions = true
      if (size === undefined) return
      const load = LOADS[op] !== undefined
      const base = this.code[i * 4 + (load ? 2 : 1)]! >> 1
      const kind = kinds[base]!
      if (kind === KIND.ctx) context.add(kinds[base + 11]! + this.code[i * 4 + 3]!)
      else if (
        kind === KIND.stack
          ? !this.inStack(kinds[base + 11]! + this.code[i * 4 + 3]!, size)
          : kind !== KIND.packet || !load
      ) {
        if (kind !== KIND.packet || !this.target.proved?.(i)) regions = true
      }
    })
    return { regions, helpers, context }
  }

  private forEachInsn(visit: (i: number, op: number, kinds: Kinds) => void): void {
    this.cfg.blocks.forEach(({ from, to }, b) => {
      const kinds = this.kindsAt[b]!.slice()
      for (let i = from; i < to; i++) {
        visit(i, this.code[i * 4]!, kinds)
        stepKinds(this.engine, this.code, i, kinds)
      }
    })
  }

  private sizesUsed(): number[] {
    const sizes = new Set<number>()
    this.forEachInsn((i, op, kinds) => {
      const size = SIZES[op]
      if (size !== undefined && kinds[this.code[i * 4 + (LOADS[op] !== undefined ? 2 : 1)]! >> 1] === KIND.packet)
        sizes.add(size)
      if (op >= 0x20 && op <= 0x50 && (op & 7) === 0) sizes.add(packetLoadSize(op))
    })
    return [...sizes]
  }

  /** A load, a swap of what it gave, and a test for equality or bits with a constant, the value being of no use afterwards. */
  private findFused(): Set<number> {
    const { code, cfg, engine } = this
    const fused = new Set<number>()
    const live = liveAfter(code, cfg)
    cfg.blocks.forEach(({ from, to }, b) => {
      const jump = (to - 1) * 4
      const test = code[jump]! >> 4
      if (to - from < 3 || !isJump(code[jump]!) || code[jump] === 0x05 || (test !== 1 && test !== 4 && test !== 5))
        return
      const [swap, load] = [jump - 4, jump - 8]
      const d = code[jump + 1]!
      if (code[swap + 1] !== d || code[load + 1] !== d || live[b]! & (1 << (d >> 1)) || code[jump + 2]! < 24) return
      const [lo, hi] = [engine.regs[code[jump + 2]!]!, engine.regs[code[jump + 2]! + 1]!]
      const fits =
        code[swap] === OP.be16
          ? code[load] === 0x69 && lo >>> 16 === 0 && hi === 0
          : code[swap] === OP.be32 && code[load] === 0x61
      if (fits && (hi === 0 || (code[jump]! & 7) === 6)) fused.add(to - 2)
    })
    return fused
  }

  isFused(i: number): boolean {
    return this.fused.has(i)
  }

  // ---- for those who lay out the code otherwise (flatten.ts) ----

  /** Begins a block: what registers hold is known again. */
  enterBlock(b: number): void {
    this.kinds = this.kindsAt[b]!.slice()
  }

  /** Goes past an instruction. */
  pass(i: number): void {
    stepKinds(this.engine, this.code, i, this.kinds)
  }

  kindOf(register: number): number {
    return this.kinds[register]!
  }

  /** Offset of a register that points into the context. */
  contextOffset(register: number): number {
    return this.kinds[register + 11]!
  }

  /** An i32 local that lasts one instruction. */
  scratch(): number {
    this.flag ??= this.body.local(I32)
    return this.flag
  }
  private flag: number | undefined

  /** Pushes a value of the context; false where it has to be looked at. */
  pushContext(op: number, base: number, off: number): boolean {
    return this.contextValue(op, this.kinds[base + 11]! + off, SIZES[op]!)
  }

  // ---- packet bounds ----

  /** Sets the bounds from the packet region's row. */
  boundsFromRegion(): void {
    const row = AT.regions + REGION.packet * 32
    const { body } = this
    body.i32(row).mem(W.i64_load32_u, 16).i64(0, REGION.packet).op(W.i64_or).set(this.packetBase)
    this.limitsFrom(() => body.i32(row).mem(W.i64_load32_u, 20).i32(row).mem(W.i64_load32_u, 16).op(W.i64_sub))
  }

  /** Sets the bounds from a length on the stack (i64) and the start's address in a local (i32). */
  boundsFrom(start: number, length: number): void {
    const { body } = this
    body.get(start).op(W.i64_extend_i32_u).i64(0, REGION.packet).op(W.i64_or).set(this.packetBase)
    this.limitsFrom(() => body.get(length).op(W.i64_extend_i32_u))
  }

  /** For each size in use: how many places such an access can start at. */
  private limitsFrom(length: () => void): void {
    const { body } = this
    for (const [size, local] of this.limits) {
      length()
      body
        .i64(size - 1, 0)
        .op(W.i64_sub)
        .tee(local)
        .i64(0, 0)
        .get(local)
        .i64(0, 0)
        .op(W.i64_gt_s, W.select)
        .set(local)
      // select takes the first value where the test holds: here that is the difference itself.
    }
  }

  // ---- control flow ----

  emit(): void {
    if (this.cfg.scopes) this.emitStructured()
    else this.emitDispatcher()
  }

  private emitStructured(): void {
    const { body, cfg } = this
    const scopes = cfg.scopes!
    const open: { to: number }[] = []
    let next = 0
    cfg.blocks.forEach((_block, b) => {
      while (open.length > 0 && open[open.length - 1]!.to === b) {
        body.op(W.end)
        open.pop()
        this.labels.pop()
      }
      for (; next < scopes.length && scopes[next]!.from === b; next++) {
        const { kind, to } = scopes[next]!
        body.op(kind === 'loop' ? W.loop : W.block, 0x40)
        open.push({ to })
        this.labels.push({ kind, target: kind === 'loop' ? b : to })
      }
      this.emitBlock(b)
    })
    for (; open.length > 0; open.pop()) {
      body.op(W.end)
      this.labels.pop()
    }
    body.op(W.unreachable)
  }

  /** A loop around a switch on the number of the next block: for jumps into the middle of loops. */
  private emitDispatcher(): void {
    const { body, cfg } = this
    const count = cfg.blocks.length
    this.next = body.local(I32)
    body.i32(this.entryBlock).set(this.next)
    body.op(W.loop, 0x40)
    this.labels.push({ kind: 'loop', target: -1 })
    for (let b = 0; b < count; b++) {
      body.op(W.block, 0x40)
      this.labels.push({ kind: 'other' })
    }
    body
      .get(this.next)
      .op(W.br_table)
      .u32(count - 1)
    for (let b = 0; b < count; b++) body.u32(b)
    for (let b = 0; b < count; b++) {
      body.op(W.end)
      this.labels.pop()
      this.emitBlock(b)
      if (b + 1 < count && !endsFlow(this.code[(cfg.blocks[b]!.to - 1) * 4]!)) this.branch(b + 1)
    }
    body.op(W.end, W.unreachable)
    this.labels.pop()
  }

  /** An unconditional branch to a block. */
  private branch(to: number): void {
    const { body } = this
    if (this.next !== undefined) body.i32(to).set(this.next)
    body.op(W.br).u32(this.depthOf(to))
  }

  private depthOf(to: number): number {
    const wanted = this.next !== undefined ? -1 : to
    for (let i = this.labels.length - 1; i >= 0; i--) {
      const label = this.labels[i]!
      if (
        label.kind !== 'other' &&
        label.target === wanted &&
        (label.kind === 'loop') === this.isBackward(label.kind)
      ) {
        return this.labels.length - 1 - i + this.slots
      }
    }
    throw new Error(`no scope for block ${to}`)
  }

  private backward = false
  private isBackward(kind: 'block' | 'loop'): boolean {
    return this.next !== undefined ? kind === 'loop' : this.backward
  }

  private emitBlock(b: number): void {
    const { from, to } = this.cfg.blocks[b]!
    this.kinds = this.kindsAt[b]!.slice()
    this.done = 0
    for (let i = from; i < to; i++) {
      if (!this.fused.has(i)) this.emitInsn(i, b)
      stepKinds(this.engine, this.code, i, this.kinds)
      this.done++
    }
    const last = this.code[(to - 1) * 4]!
    if (!isJump(last) && !endsFlow(last)) this.count(this.done)
  }

  /** used += n */
  private count(n: number): void {
    if (this.used !== undefined && n > 0) this.body.get(this.used).i32(n).op(W.i32_add).set(this.used)
  }

  /** Leaves the number of instructions, this one included, where the machine finds it. */
  storeUsed(): void {
    if (this.used === undefined) return
    this.body
      .i32(STATUS.used)
      .get(this.used)
      .i32(this.done + 1)
      .op(W.i32_add)
      .mem(W.i32_store, 0)
  }

  /** Takes the count back after others may have counted. */
  private loadUsed(): void {
    if (this.used === undefined) return
    this.body
      .i32(STATUS.used)
      .mem(W.i32_load, 0)
      .i32(this.done + 1)
      .op(W.i32_sub)
      .set(this.used)
  }

  /** At the start of a function: goes on counting where the caller was. */
  startCount(fresh: boolean): void {
    if (this.used === undefined) return
    if (fresh) this.body.i32(0).set(this.used)
    else this.body.i32(STATUS.used).mem(W.i32_load, 0).set(this.used)
  }

  // ---- instructions ----

  private emitInsn(i: number, b: number): void {
    const { body, code } = this
    const pc = i * 4
    const op = code[pc]!
    const d = code[pc + 1]! >> 1
    const s = code[pc + 2]! >> 1
    const off = code[pc + 3]!
    if (isJump(op)) return this.emitJump(op, pc, b)
    if (LOADS[op] !== undefined) return this.emitLoad(op, pc, d, s, off)
    if (STORES[op] !== undefined) return this.emitStore(op, pc, d, s, off)
    switch (op) {
      case 0x95:
        this.storeUsed()
        return this.around.exit(this, pc)
      case 0x85:
      case 0x8d:
        return this.emitHelper(pc, op)
      case OP.callLocal:
        return this.emitLocalCall(pc, off)
      case 0xc3:
        return this.emitAtomic(pc, d, s)
      case 0x20:
      case 0x28:
      case 0x30:
      case 0x40:
      case 0x48:
      case 0x50:
        return this.emitPacketLoad(op, pc, s, off)
      case OP.invalid:
      case OP.badJump:
        this.storeUsed()
        body.i32(pc).i32(0).call(IMPORT.fail).op(W.drop)
        return this.around.fault(this)
      default:
        this.emitAlu(op, d, s)
        body.set(this.registers[d]!)
    }
  }

  /** A register's or constant's value. */
  value(register: number): void {
    if (register < 11) this.body.get(this.registers[register]!)
    else this.body.i64(this.engine.regs[register * 2]!, this.engine.regs[register * 2 + 1]!)
  }

  private value32(register: number): void {
    if (register < 11) this.body.get(this.registers[register]!).op(W.i32_wrap_i64)
    else this.body.i32(this.engine.regs[register * 2]!)
  }

  emitAlu(op: number, d: number, s: number): void {
    const { body } = this
    if (ALU64[op] !== undefined) {
      this.value(d)
      this.value(s)
      body.op(ALU64[op]!)
    } else if (ALU32[op] !== undefined) {
      this.value32(d)
      this.value32(s)
      body.op(ALU32[op]!, W.i64_extend_i32_u)
    } else if (
      op === 0x3f ||
      op === 0x9f ||
      op === 0x3c ||
      op === 0x9c ||
      (op >= 0x13c && op <= 0x13f) ||
      (op >= 0x19c && op <= 0x19f)
    ) {
      this.emitDivision(op, d, s)
    } else this.emitUnary(op, d, s)
  }

  private emitUnary(op: number, d: number, s: number): void {
    const { body } = this
    const extended = (op?: number): void => {
      this.value32(s)
      if (op !== undefined) body.op(op)
      body.op(W.i64_extend_i32_u)
    }
    switch (op) {
      case 0xbf:
      case OP.ldimm64:
        return this.value(s)
      case 0xbc:
        return extended()
      case 0x87:
        body.i64(0, 0)
        this.value(d)
        body.op(W.i64_sub)
        return
      case 0x84:
        body.i32(0)
        this.value32(d)
        body.op(W.i32_sub, W.i64_extend_i32_u)
        return
      case OP.movsx8_64:
      case OP.movsx16_64:
      case OP.movsx32_64:
        this.value(s)
        body.op(op === OP.movsx8_64 ? W.i64_extend8_s : op === OP.movsx16_64 ? W.i64_extend16_s : W.i64_extend32_s)
        return
      case OP.movsx8_32:
        return extended(W.i32_extend8_s)
      case OP.movsx16_32:
        return extended(W.i32_extend16_s)
      default:
        this.emitByteOrder(op, d)
    }
  }

  private emitByteOrder(op: number, d: number): void {
    const { body } = this
    this.value(d)
    switch (op) {
      case OP.le16:
        body.i64(0xffff, 0).op(W.i64_and)
        return
      case OP.le32:
        body.i64(-1, 0).op(W.i64_and)
        return
      case OP.le64:
        return
      case OP.be16:
        this.swap16From64()
        body.op(W.i64_extend_i32_u)
        return
      case OP.be32:
        body.op(W.i32_wrap_i64)
        this.swap32()
        body.op(W.i64_extend_i32_u)
        return
      default: {
        this.a ??= body.local(I64)
        body.set(this.a).get(this.a).op(W.i32_wrap_i64)
        this.swap32()
        body.op(W.i64_extend_i32_u).i64(32, 0).op(W.i64_shl)
        body.get(this.a).i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64)
        this.swap32()
        body.op(W.i64_extend_i32_u, W.i64_or)
      }
    }
  }

  private swap16From64(): void {
    const { body } = this
    const x = this.temp()
    body.op(W.i32_wrap_i64).tee(x).i32(8).op(W.i32_shl).i32(0xff00).op(W.i32_and)
    body.get(x).i32(8).op(W.i32_shr_u).i32(0xff).op(W.i32_and, W.i32_or)
  }

  private swap32(): void {
    const { body } = this
    const x = this.temp()
    body.tee(x).i32(8).op(W.i32_rotl).i32(0x00ff00ff).op(W.i32_and)
    body
      .get(x)
      .i32(24)
      .op(W.i32_rotl)
      .i32(0xff00ff00 | 0)
      .op(W.i32_and, W.i32_or)
  }

  private temp(): number {
    this.p ??= this.body.local(I32)
    return this.p
  }

  /** Division by 0 gives 0, remainder by 0 the dividend; the most negative number by -1 must not trap. RFC 9669 §4.1. */
  private emitDivision(op: number, d: number, s: number): void {
    const { body } = this
    const wide = (op & 7) === 7
    const kind = wide ? I64 : I32
    const modulo = (op & 0xf0) === 0x90
    const signed = op >= 0x100
    const get = (r: number): void => (wide ? this.value(r) : this.value32(r))
    const zero = (): Body => (wide ? body.i64(0, 0) : body.i32(0))
    const minus = (): Body => (wide ? body.i64(-1, -1) : body.i32(-1))
    get(s)
    body.op(wide ? W.i64_eqz : W.i32_eqz).op(W.if, kind)
    if (modulo) get(d)
    else zero()
    body.op(W.else)
    if (signed) {
      get(s)
      minus()
        .op(wide ? W.i64_eq : W.i32_eq)
        .op(W.if, kind)
      zero()
      if (!modulo) {
        get(d)
        body.op(wide ? W.i64_sub : W.i32_sub)
      }
      body.op(W.else)
    }
    get(d)
    get(s)
    const [divS, divU, remS, remU] = wide
      ? [W.i64_div_s, W.i64_div_u, W.i64_rem_s, W.i64_rem_u]
      : [W.i32_div_s, W.i32_div_u, W.i32_rem_s, W.i32_rem_u]
    body.op(modulo ? (signed ? remS : remU) : signed ? divS : divU)
    if (signed) body.op(W.end)
    body.op(W.end)
    if (!wide) body.op(W.i64_extend_i32_u)
  }

  private emitJump(op: number, pc: number, b: number): void {
    const { body, code, cfg } = this
    const to = cfg.at.get(code[pc + 3]! >> 2)!
    const back = code[pc + 3]! <= pc
    this.count(this.done + 1)
    this.done = -1
    const always = op === 0x05
    if (!always) this.condition(pc)
    this.backward = to <= b
    if (!back && this.next === undefined) {
      body.op(always ? W.br : W.br_if).u32(this.depthOf(to))
      return
    }
    if (!always) {
      body.op(W.if, 0x40)
      this.slots++
    }
    if (back) this.checkBudget(pc)
    this.branch(to)
    if (!always) {
      this.slots--
      body.op(W.end)
    }
  }

  private checkBudget(pc: number): void {
    if (this.used === undefined) return
    const { body } = this
    body.get(this.used).i32(Math.min(this.engine.options.insnBudget, 0x7fffffff)).op(W.i32_gt_s, W.if, 0x40)
    this.slots++
    this.storeUsed()
    body.i32(pc).i32(1).call(IMPORT.fail).op(W.drop)
    this.around.fault(this)
    this.slots--
    body.op(W.end)
  }

  /** Pushes whether the jump at a code position is taken. */
  condition(pc: number): void {
    const { body, code } = this
    const op = code[pc]!
    const d = code[pc + 1]! >> 1
    const s = code[pc + 2]! >> 1
    if (op === 0xe5) {
      // Taken once the counter has run down.
      const x = this.temp()
      body.i32(STATUS.mayGoto).i32(STATUS.mayGoto).mem(W.i32_load, 0).tee(x).i32(1).op(W.i32_sub).mem(W.i32_store, 0)
      body.get(x).i32(0).op(W.i32_le_s)
      return
    }
    const wide = (op & 7) === 5
    const zero = s >= 12 && this.engine.regs[s * 2] === 0 && (!wide || this.engine.regs[s * 2 + 1] === 0)
    const get = (r: number): void => (wide ? this.value(r) : this.value32(r))
    get(d)
    if (zero && op >> 4 === 1) {
      body.op(wide ? W.i64_eqz : W.i32_eqz)
      return
    }
    if (this.fused.has((pc >> 2) - 1)) this.swappedConstant(code[pc - 4]!, this.engine.regs[s * 2]!, wide)
    else get(s)
    if (op >> 4 === 4) {
      if (wide) body.op(W.i64_and).i64(0, 0).op(W.i64_ne)
      else body.op(W.i32_and)
      return
    }
    body.op(TESTS[op >> 4]![wide ? 0 : 1])
  }

  private swappedConstant(op: number, value: number, wide: boolean): void {
    const swapped = op === OP.be16 ? ((value & 0xff) << 8) | (value >>> 8) : swap32(value)
    if (wide) this.body.i64(swapped, 0)
    else this.body.i32(swapped)
  }

  // ---- memory ----

  private inStack(offset: number, size: number): boolean {
    return offset >= -512 && offset + size <= 0
  }

  private emitLoad(op: number, pc: number, d: number, s: number, off: number): void {
    const { body } = this
    const size = SIZES[op]!
    const kind = this.kinds[s]!
    const offset = this.kinds[s + 11]! + off
    if (kind === KIND.stack && this.inStack(offset, size)) {
      this.direct(s, off, LOADS[op]!)
      body.set(this.registers[d]!)
      return
    }
    if (kind === KIND.ctx && this.contextValue(op, offset, size)) {
      body.set(this.registers[d]!)
      return
    }
    const proved = kind !== KIND.ctx && this.target.proved?.(pc >> 2) === true
    if (proved && kind === KIND.packet) {
      this.direct(s, off, LOADS[op]!)
      body.set(this.registers[d]!)
      return
    }
    if (proved) this.checkNotContext(s, off)
    else this.check(s, off, size, kind === KIND.packet, false)
    body.op(W.if, I64)
    this.slots++
    body.get(this.temp()).mem(LOADS[op]!, 0)
    body.op(W.else)
    this.cold('load', pc, s)
    // All 64 bits: a pointer of the context comes from 32.
    body.i32(this.engine.regsAt + d * 8).mem(W.i64_load, 0)
    if (op === 0x81) body.op(W.i64_extend32_s)
    else if (op === 0x89) body.op(W.i64_extend16_s)
    else if (op === 0x91) body.op(W.i64_extend8_s)
    body.op(W.end)
    this.slots--
    body.set(this.registers[d]!)
  }

  /** A load straight from a pointer. */
  private direct(base: number, off: number, opcode: number): void {
    const { body } = this
    this.value(base)
    body.op(W.i32_wrap_i64)
    if (off < 0) body.i32(off).op(W.i32_add)
    body.mem(opcode, Math.max(off, 0))
  }

  /** Pushes a value from a known place of the context; false where that is not allowed, or has to be looked at. */
  private contextValue(op: number, offset: number, size: number): boolean {
    const { body, engine } = this
    const how =
      offset >= 0 && offset + size <= engine.access.size
        ? engine.access.load[offset * 4 + Math.log2(size)]
        : ACCESS.none
    if (how === ACCESS.none || how === ACCESS.sock || op >= 0x81) return false
    const from = how === ACCESS.lowHalf ? offset & ~3 : offset
    this.contextWord(from, LOADS[op]!)
    if (how === ACCESS.packet) body.i64(0, REGION.packet).op(W.i64_or)
    return true
  }

  /** Pushes a value of the context; batches have some of them in locals. */
  private contextWord(offset: number, opcode: number): void {
    const local = this.contextLocals.get(offset)
    if (local !== undefined && opcode === W.i64_load32_u) this.body.get(local).op(W.i64_extend_i32_u)
    else this.body.i32(this.engine.ctxAt + offset).mem(opcode, 0)
  }
  /** i32 locals that hold context fields, by offset. */
  contextLocals: ReadonlyMap<number, number> = new Map()

  private emitStore(op: number, pc: number, d: number, s: number, off: number): void {
    const { body, engine } = this
    const size = SIZES[op]!
    const kind = this.kinds[d]!
    const offset = this.kinds[d + 11]! + off
    const proved = kind !== KIND.ctx && this.target.proved?.(pc >> 2) === true
    const certain = (kind === KIND.stack && this.inStack(offset, size)) || (proved && kind === KIND.packet)
    if (certain) {
      this.value(d)
      body.op(W.i32_wrap_i64)
      if (off < 0) body.i32(off).op(W.i32_add)
      this.value(s)
      body.mem(STORES[op]!, Math.max(off, 0))
      return
    }
    if (
      kind === KIND.ctx &&
      offset >= 0 &&
      offset + size <= engine.access.size &&
      engine.access.store[offset * 4 + Math.log2(size)] === ACCESS.plain
    ) {
      body.i32(engine.ctxAt + offset)
      this.value(s)
      body.mem(STORES[op]!, 0)
      return
    }
    if (proved) this.checkNotContext(d, off)
    else this.check(d, off, size, kind === KIND.packet && this.packetWritable(), true)
    body.op(W.if, 0x40)
    this.slots++
    body.get(this.temp())
    this.value(s)
    body.mem(STORES[op]!, 0).op(W.else)
    if (s < 11) this.spill([s])
    this.cold('store', pc, d)
    body.op(W.end)
    this.slots--
  }

  private packetWritable(): boolean {
    const { type, mode } = this.engine.options
    return mode === 'rfc9669' || type === 'xdp' || type === 'sched_cls'
  }

  /** Pushes whether an access is inside its region (1) and leaves the linear address in the temporary. */
  check(base: number, off: number, size: number, packet: boolean, write: boolean): void {
    const { body } = this
    this.a ??= body.local(I64)
    const p = this.temp()
    this.value(base)
    if (off !== 0) body.i64(off, off >> 31).op(W.i64_add)
    body.tee(this.a).op(W.i32_wrap_i64).set(p)
    if (packet) {
      body.get(this.a).get(this.packetBase).op(W.i64_sub).get(this.limits.get(size)!).op(W.i64_lt_u)
      return
    }
    this.row ??= body.local(I32)
    // The region's row; numbers above the table go to row 0, which is empty.
    body.get(this.a).i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).tee(this.row)
    body.get(this.row).i32(REGION.count).op(W.i32_lt_u, W.i32_mul).i32(5).op(W.i32_shl).tee(this.row)
    const from = AT.regions + (write ? 8 : 0)
    body.mem(W.i32_load, from).get(p).op(W.i32_le_u)
    body
      .get(p)
      .get(this.row)
      .mem(W.i32_load, from + 4)
      .op(W.i32_lt_u, W.i32_and)
    if (size > 1)
      body
        .get(p)
        .i32(size)
        .op(W.i32_add)
        .get(this.row)
        .mem(W.i32_load, from + 4)
        .op(W.i32_le_u, W.i32_and)
  }

  /** Pushes whether a proved pointer is not to the context, which only the machine knows to read; leaves the linear address. */
  private checkNotContext(base: number, off: number): void {
    const { body } = this
    this.value32(base)
    if (off !== 0) body.i32(off).op(W.i32_add)
    body.set(this.temp())
    this.value(base)
    body.i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).i32(REGION.ctx).op(W.i32_ne)
  }

  /** The machine's own way of an access that the check refused; goes on only where it allowed it. */
  private cold(name: ImportName, pc: number, base: number): void {
    const { body } = this
    this.around.sync?.(this)
    this.storeUsed()
    body.i32(pc)
    this.value32(base)
    this.value(base)
    body.i64(32, 0).op(W.i64_shr_u, W.i32_wrap_i64).call(IMPORT[name])
    this.orFault()
  }

  /** Goes to the fault exit if the number on the stack is 0. */
  private orFault(): void {
    const { body } = this
    body.op(W.i32_eqz, W.if, 0x40)
    this.slots++
    this.around.fault(this)
    this.slots--
    body.op(W.end)
  }

  private spill(registers: readonly number[]): void {
    for (const r of registers) {
      this.body.i32(this.engine.regsAt + r * 8)
      this.value(r)
      this.body.mem(W.i64_store, 0)
    }
  }

  private fill(register: number): void {
    this.body
      .i32(this.engine.regsAt + register * 8)
      .mem(W.i64_load, 0)
      .set(this.registers[register]!)
  }

  private emitAtomic(pc: number, d: number, s: number): void {
    this.around.sync?.(this)
    this.storeUsed()
    this.spill([...new Set([0, d, s])].filter((r) => r !== 10))
    if (d === 10 || s === 10) this.spill([10])
    this.body.i32(pc).call(IMPORT.atomic)
    this.orFault()
    for (const r of new Set([0, s, d])) if (r !== 10) this.fill(r)
  }

  private emitPacketLoad(op: number, pc: number, s: number, imm: number): void {
    const { body } = this
    const size = packetLoadSize(op)
    const indirect = op >= 0x40
    const known = this.kinds[6] === KIND.ctx && this.kinds[17] === 0
    // Packet bounds start at XDP's metadata; skb programs have none, so there they start with the packet.
    if (!known || this.engine.options.type === 'xdp' || this.engine.options.mode !== 'linux' || (!indirect && imm < 0))
      return this.coldPacketLoad(pc)
    this.a ??= body.local(I64)
    const p = this.temp()
    if (indirect) {
      this.value32(s)
      body.i32(imm).op(W.i32_add)
    } else body.i32(imm)
    body.tee(p).i32(0).op(W.i32_lt_s, W.if, 0x40)
    this.slots++
    this.coldPacketLoad(pc)
    body.op(W.else)
    body.get(p).op(W.i64_extend_i32_u).get(this.limits.get(size)!).op(W.i64_ge_u, W.if, 0x40)
    this.slots++
    this.exitZero(pc)
    this.slots--
    body.op(W.end)
    body.get(this.packetBase).op(W.i32_wrap_i64).get(p).op(W.i32_add)
    body.mem(size === 4 ? W.i64_load32_u : size === 2 ? W.i64_load16_u : W.i64_load8_u, 0)
    if (size === 2) {
      this.swap16From64()
      body.op(W.i64_extend_i32_u)
    } else if (size === 4) {
      body.op(W.i32_wrap_i64)
      this.swap32()
      body.op(W.i64_extend_i32_u)
    }
    body.set(this.registers[0]!)
    this.slots--
    body.op(W.end)
  }

  private exitZero(pc: number): void {
    this.body.i64(0, 0).set(this.registers[0]!)
    this.storeUsed()
    this.around.exit(this, pc)
  }

  private coldPacketLoad(pc: number): void {
    const { body } = this
    const s = this.code[pc + 2]! >> 1
    this.around.sync?.(this)
    this.storeUsed()
    this.spill(s < 11 ? [...new Set([6, s])] : [6])
    body.i32(pc).call(IMPORT.packet).op(W.i32_eqz, W.if, 0x40)
    this.slots++
    body.i32(STATUS.fault).mem(W.i32_load, 0).op(W.if, 0x40)
    this.slots++
    this.around.fault(this)
    this.slots--
    body.op(W.end)
    this.exitZero(pc)
    this.slots--
    body.op(W.end)
    this.fill(0)
  }

  // ---- calls ----

  private emitHelper(pc: number, op: number): void {
    const { body } = this
    const id = this.code[pc + 3]!
    if (op === 0x85 && id === 1 && this.emitLookup()) return
    this.around.sync?.(this)
    this.storeUsed()
    // A helper of the user's own may read all five arguments.
    const own = HELPER_FUNCTIONS.get(id) !== this.engine.helpers.get(id)
    const known = op === 0x85 && !own ? helperById(id) : undefined
    this.spill([1, 2, 3, 4, 5].slice(0, known ? known.args.length : 5))
    if (op === 0x8d) this.spill([this.code[pc + 1]! >> 1])
    body.i32(pc).call(IMPORT.helper)
    if (id === 12 || !known) {
      const x = this.temp()
      body.tee(x).i32(2).op(W.i32_eq, W.if, 0x40)
      this.slots++
      this.around.tailCall(this)
      this.slots--
      body.op(W.end).get(x)
    }
    this.orFault()
    this.fill(0)
    this.loadUsed()
    if (!known || known.changesPacket) this.boundsFromRegion()
  }

  /** A lookup in a known map, with a key on the function's own stack. */
  private emitLookup(): boolean {
    const { body, kinds, engine } = this
    const map = kinds[1] === KIND.map ? kinds[12]! : -1
    const lookup = this.target.lookups.get(map)
    const own = HELPER_FUNCTIONS.get(1) !== engine.helpers.get(1)
    const { keySize } = engine.maps[map]?.def ?? { keySize: 0 }
    if (lookup === undefined || own || kinds[2] !== KIND.stack || !this.inStack(kinds[13]!, keySize)) return false
    this.a ??= body.local(I64)
    this.value32(2)
    body.call(lookup).op(W.i64_extend_i32_u).tee(this.a)
    body.i64(0, engine.maps[map]!.region).op(W.i64_or).i64(0, 0)
    body.get(this.a).i64(0, 0).op(W.i64_ne, W.select).set(this.registers[0]!)
    return true
  }

  private emitLocalCall(pc: number, to: number): void {
    const { body } = this
    const callee = this.target.functions.get(to >> 2)!
    this.storeUsed()
    this.spill([10])
    body.i32(pc).call(IMPORT.enter)
    this.orFault()
    for (let r = 1; r <= 5; r++) this.value(r)
    body
      .i32(this.engine.regsAt + 80)
      .mem(W.i64_load, 0)
      .call(callee)
      .set(this.registers[0]!)
    body.i32(STATUS.fault).mem(W.i32_load, 0).op(W.i32_eqz)
    this.orFault()
    body.i32(pc).call(IMPORT.leave).op(W.drop)
    this.loadUsed()
    this.boundsFromRegion()
  }
}

function packetLoadSize(op: number): number {
  return (op & 0x18) === 0 ? 4 : (op & 0x18) === 0x08 ? 2 : 1
}
