// Short filters without branches: every block runs, a 0 or 1 for each says whether the program would have come there, and only
// what is reached leaves a mark. A mispredicted branch costs more than ten instructions, so for filters this is often twice as fast.
// Loads of blocks that are not reached read something harmless. A load whose check fails makes the record run the usual way.

import { PROG_TYPES } from '@netsieve/asm'
import { OP } from '../decode.ts'
import { pushContext } from './access.ts'
import { emitAlu, emitCondition, emitDifference } from './alu.ts'
import { emitCheck, emitCheckPacket } from './bounds.ts'
import { endsFlow, isJump } from './cfg.ts'
import type { FunctionEmitter } from './emitter.ts'
import { KIND } from './kinds.ts'
import { LOADS, SIZES } from './opcodes.ts'
import type { Target } from './target.ts'
import { type Body, I32, I64, W } from './writer.ts'

const MOST_INSNS = 64
/** A load this near to the packet's start stays in the input area or in the room after it. */
const NEAR = 4096

const MOV64 = 0xbf
const ADD64 = 0x0f
const JGT64 = 0x2d
const JEQ32 = 0x1e
const JNE32 = 0x5e

/** Where the walk's data are. */
export interface FlatPlaces {
  readonly data: number
  /** i32 local for the packet's length. */
  readonly length: number
  /** i32 local for the index of the instruction that ended the run. */
  readonly exit: number
  readonly wantsExit: boolean
}

/** Whether a program can be flattened: short, forward only, and doing nothing but loading and computing. */
export function canFlatten({ engine, program }: Target): boolean {
  const { code, insns } = program
  const last = code[(insns.length - 1) * 4]
  if (
    insns.length > MOST_INSNS ||
    (last !== 0x95 && last !== 0x05) ||
    PROG_TYPES[engine.options.type].firstHeader !== 'link'
  )
    return false
  return insns.every((_, i) => {
    const op = code[i * 4]!
    if (isJump(op)) return op !== 0xe5 && code[i * 4 + 3]! > i * 4 && code[i * 4 + 3]! < insns.length * 4
    if (LOADS[op] !== undefined) return op < 0x81
    const division = [0x3f, 0x9f, 0x3c, 0x9c, OP.sdiv32, OP.sdiv64, OP.smod32, OP.smod64] as readonly number[]
    const alu = ((op & 7) === 7 || (op & 7) === 4) && op < 0x100 && !division.includes(op)
    return alu || op === 0x95 || op === OP.ldimm64 || (op >= OP.movsx8_64 && op <= OP.be64)
  })
}

/** Emits the flat form. Leaves 1 on the stack where r0 is set and the run is over, 0 where the usual code must run. */
export function emitFlat(target: Target, fn: FunctionEmitter, places: FlatPlaces): void {
  new Flat(target, fn, places).emit()
}

class Flat {
  private readonly target: Target
  private readonly fn: FunctionEmitter
  private readonly places: FlatPlaces
  private readonly body: Body
  private readonly code: Int32Array
  /** i32 locals: 0 where a block is reached. */
  private readonly missed: readonly number[]
  /** Of each block, whether that is nothing but 0 or 1. */
  private readonly isFlag: boolean[]
  private readonly bail: number
  private readonly result: number
  /** Registers that hold the packet's start and its end, and nothing else. */
  private readonly start: number | undefined
  private readonly end: number | undefined
  private readonly ways: readonly number[]
  private readonly otherwise: { readonly block: number; readonly insn: number; readonly r0: number } | undefined
  private readonly neededAfter: readonly ReadonlySet<number>[]
  /** Jumps that are taken where the packet is shorter than so many bytes, by instruction. */
  private readonly shorter: ReadonlyMap<number, number>
  /** Those of them that others say too. */
  private readonly said: ReadonlySet<number>

  constructor(target: Target, fn: FunctionEmitter, places: FlatPlaces) {
    this.target = target
    this.fn = fn
    this.places = places
    this.body = fn.body
    this.code = target.program.code
    const { blocks } = fn.cfg
    this.missed = blocks.map(() => this.body.local(I32))
    this.isFlag = blocks.map(() => true)
    this.bail = this.body.local(I32)
    this.result = this.body.local(I64)
    const xdp = PROG_TYPES[target.engine.options.type].context === 'xdp_md'
    this.start = this.holding(xdp ? 0 : 76)
    this.end = this.holding(xdp ? 4 : 80)
    this.ways = this.countWays()
    this.otherwise = this.mostLikelyEnd()
    this.neededAfter = blocks.map((_, b) => this.readFirstAfter(b))
    this.shorter = this.lengthTests()
    this.said = this.saidByOthers()
  }

  emit(): void {
    const { body, fn } = this
    const { blocks } = fn.cfg
    body.i32(0).set(this.bail)
    for (let b = 1; b < blocks.length; b++) if (this.ways[b]! > 1) body.i32(1).set(this.missed[b]!)
    body.i32(0).set(this.missed[0]!)
    const { otherwise } = this
    if (otherwise) {
      body.i64(otherwise.r0, otherwise.r0 >> 31).set(this.result)
      if (this.places.wantsExit) body.i32(otherwise.insn).set(this.places.exit)
    }
    for (let b = 0; b < blocks.length; b++) if (b !== otherwise?.block && (b === 0 || this.ways[b]! > 0)) this.block(b)
    body.get(this.result).set(fn.registers[0]!)
    body.get(this.bail).op(W.i32_eqz)
  }

  private block(b: number): void {
    const { from, to } = this.fn.cfg.blocks[b]!
    this.fn.enterBlock(b)
    for (let i = from; i < to; i++) {
      const op = this.code[i * 4]!
      if (isJump(op)) this.jump(i, b)
      else if (op === 0x95) this.exit(i, b)
      else if (!this.fn.fused.has(i)) this.compute(i, b)
      this.fn.pass(i)
    }
    const last = this.code[(to - 1) * 4]!
    if (!isJump(last) && !endsFlow(last)) this.way(b + 1, this.isFlag[b]!, () => this.body.get(this.missed[b]!))
  }

  /** Where a way to a block ends: blocks that only lead to another are passed over. */
  private landing(block: number): number {
    const { blocks, at } = this.fn.cfg
    let b = block
    for (let { from, to } = blocks[b]!; to - from === 1 && this.code[from * 4] === 0x05; { from, to } = blocks[b]!)
      b = at.get(this.code[from * 4 + 3]! >> 2)!
    return b
  }

  /** The blocks that a block leads to: by its jump, and by going on. */
  private exits(b: number): { readonly taken: number | undefined; readonly next: number | undefined } {
    const { blocks, at } = this.fn.cfg
    const i = blocks[b]!.to - 1
    const last = this.code[i * 4]!
    return {
      taken: isJump(last) ? this.landing(at.get(this.code[i * 4 + 3]! >> 2)!) : undefined,
      next: endsFlow(last) ? undefined : this.landing(b + 1),
    }
  }

  /** How many ways lead to each block from blocks that can be reached. */
  private countWays(): number[] {
    const ways = this.fn.cfg.blocks.map(() => 0)
    ways.forEach((_, b) => {
      if (b > 0 && ways[b] === 0) return
      const { taken, next } = this.exits(b)
      if (taken !== undefined) ways[taken]!++
      if (next !== undefined) ways[next]!++
    })
    return ways
  }

  /** The end that most ways lead to, if it gives a constant: what holds where no other end is reached. It needs no block. */
  private mostLikelyEnd(): { block: number; insn: number; r0: number } | undefined {
    const { code, target } = this
    let best: { block: number; insn: number; r0: number } | undefined
    this.fn.cfg.blocks.forEach(({ from, to }, block) => {
      const constant = code[from * 4] === 0xbf && code[from * 4 + 1] === 0 && code[from * 4 + 2]! >= 24
      if (to - from !== 2 || !constant || code[(to - 1) * 4] !== 0x95 || block === 0) return
      if (best && this.ways[block]! <= this.ways[best.block]!) return
      best = { block, insn: to - 1, r0: target.engine.regs[code[from * 4 + 2]!]! }
    })
    return best
  }

  /**
   * A way to a block.
   * @param isFlag whether what `push` leaves, 0 where the way is gone, is nothing but 0 or 1
   */
  private way(to: number, isFlag: boolean, push: () => void): void {
    const { body } = this
    const b = this.landing(to)
    if (b === this.otherwise?.block) return
    push()
    if (this.ways[b] === 1) {
      this.isFlag[b] = isFlag
      body.set(this.missed[b]!)
      return
    }
    if (!isFlag) body.i32(0).op(W.i32_ne)
    body.get(this.missed[b]!).op(W.i32_and).set(this.missed[b]!)
  }

  private jump(i: number, b: number): void {
    const { body, code, fn } = this
    const op = code[i * 4]!
    const to = fn.cfg.at.get(code[i * 4 + 3]! >> 2)!
    const missed = this.missed[b]!
    const isFlag = this.isFlag[b]!
    if (op === 0x05) return this.way(to, isFlag, () => body.get(missed))
    const { taken, next } = this.exits(b)
    const otherwise = this.otherwise?.block
    if (taken === otherwise || next === otherwise) {
      // One way is of no account: the other is missed where that one is gone.
      const sign = taken === otherwise ? this.pushIfTaken(i) : this.pushIfNotTaken(i)
      if (sign !== 'nothing') body.get(missed).op(W.i32_or).set(fn.flag())
      const at = sign === 'nothing' ? missed : fn.flag()
      this.way(taken === otherwise ? b + 1 : to, isFlag && sign !== 'number', () => body.get(at))
      return
    }
    emitCondition(fn, i * 4)
    if (op >> 4 === 4) body.i32(0).op(W.i32_ne)
    const jumps = fn.flag()
    body.set(jumps)
    this.way(to, isFlag, () => body.get(jumps).i32(1).op(W.i32_xor).get(missed).op(W.i32_or))
    // What was here and did not jump goes on.
    this.way(b + 1, isFlag, () => body.get(jumps).get(missed).op(W.i32_or))
  }

  /** Pushes what is not 0 where a jump is taken, if that is not said elsewhere. */
  private pushIfTaken(i: number): 'flag' | 'number' | 'nothing' {
    const { body, fn, places } = this
    if (this.said.has(i)) return 'nothing'
    const bytes = this.shorter.get(i)
    if (bytes !== undefined) {
      body.get(places.length).i32(bytes).op(W.i32_sub).i32(31).op(W.i32_shr_s)
      return 'number'
    }
    const op = this.code[i * 4]!
    if (op === JNE32) emitDifference(fn, i * 4)
    else emitCondition(fn, i * 4)
    return op === JNE32 || op >> 4 === 4 ? 'number' : 'flag'
  }

  /** Pushes what is not 0 where a jump is not taken. */
  private pushIfNotTaken(i: number): 'flag' | 'number' {
    const { body, fn } = this
    if (this.code[i * 4] === JEQ32) {
      emitDifference(fn, i * 4)
      return 'number'
    }
    emitCondition(fn, i * 4)
    body.op(W.i32_eqz)
    return 'flag'
  }

  private exit(i: number, b: number): void {
    const { body, places, fn } = this
    body.get(this.result).get(fn.registers[0]!).get(this.missed[b]!).op(W.select).set(this.result)
    if (places.wantsExit) body.get(places.exit).i32(i).get(this.missed[b]!).op(W.select).set(places.exit)
  }

  private compute(i: number, b: number): void {
    const { body, code, fn } = this
    const op = code[i * 4]!
    const d = code[i * 4 + 1]! >> 1
    const register = fn.registers[d]!
    // Others may still want what the register held, if the program never came here.
    const kept = b > 0 && this.neededAfter[b]!.has(d)
    if (kept) body.get(register)
    if (LOADS[op] !== undefined) this.load(i, b)
    else emitAlu(fn, op, d, code[i * 4 + 2]! >> 1)
    if (kept) body.get(this.missed[b]!).op(W.select)
    body.set(register)
  }

  private load(i: number, b: number): void {
    const { body, code, fn, places } = this
    const op = code[i * 4]!
    const s = code[i * 4 + 2]! >> 1
    const off = code[i * 4 + 3]!
    const kind = fn.kinds[s]!
    if (kind === KIND.ctx && pushContext(fn, op, s, off)) return
    if (this.isFixed(i)) {
      body.get(places.data).mem(LOADS[op]!, off)
      return
    }
    let refused = this.missed[b]!
    if (!(this.target.proved?.(i) === true && kind === KIND.packet)) {
      refused = fn.flag()
      const access = { base: s, off, size: SIZES[op]!, write: false }
      if (kind === KIND.packet) emitCheckPacket(fn, access)
      else emitCheck(fn, access)
      body.op(W.i32_eqz).set(refused)
      body.get(this.missed[b]!).op(W.i32_eqz).get(refused).op(W.i32_and).get(this.bail).op(W.i32_or).set(this.bail)
    }
    body.get(places.data)
    fn.value(s)
    body.op(W.i32_wrap_i64)
    if (off !== 0) body.i32(off).op(W.i32_add)
    body.get(refused).op(W.select).mem(LOADS[op]!, 0)
  }

  /** Whether a load is from a place in the packet that is always the same: it needs no choice of address. */
  private isFixed(i: number): boolean {
    const off = this.code[i * 4 + 3]!
    return this.code[i * 4 + 2]! >> 1 === this.start && off >= 0 && off < NEAR && this.target.proved?.(i) === true
  }

  /** The register that the first block loads with a field of the context, if it is written nowhere else. */
  private holding(field: number): number | undefined {
    const { code, fn, target } = this
    const { from, to } = fn.cfg.blocks[0]!
    for (let i = from; i < to; i++) {
      const d = code[i * 4 + 1]! >> 1
      // r1 is the context until something else is written to it.
      if (this.written(i) === 1) return undefined
      if (code[i * 4] !== 0x61 || code[i * 4 + 2]! >> 1 !== 1 || code[i * 4 + 3] !== field) continue
      if (target.program.insns.filter((_, k) => this.written(k) === d).length === 1) return d
    }
    return undefined
  }

  /** Jumps `if start + n > end`, where that is computed right before. */
  private lengthTests(): Map<number, number> {
    const { code, target } = this
    const found = new Map<number, number>()
    for (const { from, to } of this.fn.cfg.blocks) {
      const i = to - 1
      const at = code[i * 4 + 1]! >> 1
      if (to - from < 3 || code[i * 4] !== JGT64 || code[i * 4 + 2]! >> 1 !== this.end || this.end === undefined)
        continue
      const [copy, add] = [(i - 2) * 4, (i - 1) * 4]
      if (code[copy] !== MOV64 || code[copy + 1]! >> 1 !== at || code[copy + 2]! >> 1 !== this.start) continue
      if (code[add] !== ADD64 || code[add + 1]! >> 1 !== at || code[add + 2]! < 24) continue
      const bytes = target.engine.regs[code[add + 2]!]!
      if (bytes > 0 && bytes < NEAR) found.set(i, bytes)
    }
    return found
  }

  /**
   * Tests of the packet's length that others make needless, among those which every packet that is not done yet goes through: what an earlier
   * one of more bytes has let pass, and those before one of more bytes if nothing between them loads from where only a test makes sure.
   */
  private saidByOthers(): Set<number> {
    const said = new Set<number>()
    let most = 0
    let open: number[] = []
    for (let b: number | undefined = 0; b !== undefined; ) {
      const { from, to } = this.fn.cfg.blocks[b]!
      for (let i = from; i < to; i++) if (LOADS[this.code[i * 4]!] !== undefined && b > 0 && !this.isFixed(i)) open = []
      const { taken, next }: { taken: number | undefined; next: number | undefined } = this.exits(b)
      const bytes = this.shorter.get(to - 1)
      if (bytes !== undefined && taken === this.otherwise?.block) {
        if (bytes <= most) said.add(to - 1)
        else {
          for (const earlier of open) said.add(earlier)
          open.push(to - 1)
          most = bytes
        }
      }
      const only: number | undefined =
        taken === undefined || taken === this.otherwise?.block ? next : next === undefined ? taken : undefined
      b = only !== undefined && only !== this.otherwise?.block && this.ways[only] === 1 ? only : undefined
    }
    return said
  }

  private written(i: number): number | undefined {
    const op = this.code[i * 4]!
    return isJump(op) || op === 0x95 ? undefined : this.code[i * 4 + 1]! >> 1
  }

  /** Registers that some later block reads before it writes them. */
  private readFirstAfter(b: number): Set<number> {
    const needed = new Set<number>()
    for (const { from, to } of this.fn.cfg.blocks.slice(b + 1)) {
      const own = new Set<number>()
      for (let i = from; i < to; i++) {
        for (const r of this.reads(i)) if (!own.has(r)) needed.add(r)
        const w = this.written(i)
        if (w !== undefined) own.add(w)
      }
    }
    return needed
  }

  private reads(i: number): number[] {
    const op = this.code[i * 4]!
    const d = this.code[i * 4 + 1]! >> 1
    const s = this.code[i * 4 + 2]! >> 1
    if (op === 0x95) return [0]
    const only =
      op === 0xbf ||
      op === 0xbc ||
      op === OP.ldimm64 ||
      LOADS[op] !== undefined ||
      (op >= OP.movsx8_64 && op <= OP.movsx16_32)
    return only ? [s] : op === 0x05 ? [] : [d, s]
  }
}
