// Short filters without branches: every block runs, a 0 or 1 for each says whether the program would have come there, and only
// what is reached leaves a mark. A mispredicted branch costs more than ten instructions, so for filters this is often twice as fast.
// Loads of blocks that are not reached read something harmless. A load whose check fails makes the record run the usual way.

import { PROG_TYPES } from '@netsieve/asm'
import { OP } from '../decode.ts'
import { pushContext } from './access.ts'
import { emitAlu, emitCondition } from './alu.ts'
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

/** Where the walk's data are. */
export interface FlatPlaces {
  readonly data: number
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
  /** i32 locals: whether each block is reached. */
  private readonly reached: readonly number[]
  private readonly bail: number
  private readonly result: number
  private readonly exact = new Set<number>()
  private readonly ways: readonly number[]
  private readonly otherwise: { readonly block: number; readonly insn: number; readonly r0: number } | undefined
  private readonly neededAfter: readonly ReadonlySet<number>[]

  constructor(target: Target, fn: FunctionEmitter, places: FlatPlaces) {
    this.target = target
    this.fn = fn
    this.places = places
    this.body = fn.body
    this.code = target.program.code
    const { blocks } = fn.cfg
    this.reached = blocks.map(() => this.body.local(I32))
    this.bail = this.body.local(I32)
    this.result = this.body.local(I64)
    this.ways = this.countWays()
    this.otherwise = this.mostLikelyEnd()
    this.neededAfter = blocks.map((_, b) => this.readFirstAfter(b))
  }

  emit(): void {
    const { body, fn } = this
    const { blocks } = fn.cfg
    body.i32(0).set(this.bail)
    for (let b = 1; b < blocks.length; b++) if (this.ways[b]! > 1) body.i32(0).set(this.reached[b]!)
    body.i32(1).set(this.reached[0]!)
    const { otherwise } = this
    if (otherwise) {
      body.i64(otherwise.r0, otherwise.r0 >> 31).set(this.result)
      if (this.places.wantsExit) body.i32(otherwise.insn).set(this.places.exit)
    }
    for (let b = 0; b < blocks.length; b++) if (b !== otherwise?.block) this.block(b)
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
    if (!isJump(last) && !endsFlow(last)) this.reach(b + 1, () => this.body.get(this.reached[b]!))
  }

  /** How many ways lead to each block. */
  private countWays(): number[] {
    const { code } = this
    const { blocks, at } = this.fn.cfg
    const ways = blocks.map(() => 0)
    blocks.forEach(({ to }, b) => {
      const last = code[(to - 1) * 4]!
      if (isJump(last)) ways[at[code[(to - 1) * 4 + 3]! >> 2]!]!++
      if (!endsFlow(last)) ways[b + 1]!++
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

  /** Another way to a block. */
  private reach(b: number, when: () => void): void {
    const { body } = this
    if (b === this.otherwise?.block) return
    if (this.ways[b] === 1) {
      when()
      body.set(this.reached[b]!)
      return
    }
    body.get(this.reached[b]!)
    when()
    body.op(W.i32_or).set(this.reached[b]!)
  }

  private jump(i: number, b: number): void {
    const { body, code, fn } = this
    const op = code[i * 4]!
    const to = fn.cfg.at[code[i * 4 + 3]! >> 2]!
    if (op === 0x05) return this.reach(to, () => body.get(this.reached[b]!))
    const taken = fn.flag()
    const test = (): void => emitCondition(fn, i * 4)
    if (to === this.otherwise?.block) {
      this.reach(b + 1, () => {
        test()
        body.op(W.i32_eqz).get(this.reached[b]!).op(W.i32_and)
      })
      return
    }
    test()
    if (op >> 4 === 4) body.i32(0).op(W.i32_ne)
    body.get(this.reached[b]!).op(W.i32_and).set(taken)
    this.reach(to, () => body.get(taken))
    // What was here and did not jump goes on.
    this.reach(b + 1, () => body.get(this.reached[b]!).get(taken).op(W.i32_xor))
  }

  private exit(i: number, b: number): void {
    const { body, places, fn } = this
    body.get(fn.registers[0]!).get(this.result).get(this.reached[b]!).op(W.select).set(this.result)
    if (places.wantsExit) body.i32(i).get(places.exit).get(this.reached[b]!).op(W.select).set(places.exit)
  }

  private compute(i: number, b: number): void {
    const { body, code, fn } = this
    const op = code[i * 4]!
    const d = code[i * 4 + 1]! >> 1
    if (LOADS[op] !== undefined) this.load(i, b)
    else emitAlu(fn, op, d, code[i * 4 + 2]! >> 1)
    const register = fn.registers[d]!
    // Others may still want what the register held, if the program never came here.
    if (b > 0 && this.neededAfter[b]!.has(d)) body.get(register).get(this.reached[b]!).op(W.select)
    body.set(register)
  }

  private load(i: number, b: number): void {
    const { body, code, fn, places } = this
    const op = code[i * 4]!
    const s = code[i * 4 + 2]! >> 1
    const off = code[i * 4 + 3]!
    const kind = fn.kinds[s]!
    if (kind === KIND.ctx && pushContext(fn, op, s, off)) {
      if (b === 0 && op === 0x61) this.noteData(i)
      return
    }
    const proved = this.target.proved?.(i) === true && kind === KIND.packet
    const at = fn.flag()
    if (proved && this.exact.has(s) && off >= 0 && off < NEAR) {
      body.get(places.data).mem(LOADS[op]!, off)
      return
    }
    if (proved) body.get(this.reached[b]!).set(at)
    else {
      const access = { base: s, off, size: SIZES[op]!, write: false }
      if (kind === KIND.packet) emitCheckPacket(fn, access)
      else emitCheck(fn, access)
      body.set(at)
      body.get(this.bail).get(this.reached[b]!).get(at).op(W.i32_eqz, W.i32_and, W.i32_or).set(this.bail)
    }
    fn.value(s)
    body.op(W.i32_wrap_i64)
    if (off !== 0) body.i32(off).op(W.i32_add)
    body.get(places.data).get(at).op(W.select).mem(LOADS[op]!, 0)
  }

  /** A register that is written once, here in the first block, with the packet's start: a load from it needs no choice of address. */
  private noteData(i: number): void {
    const { code, fn, target } = this
    const d = code[i * 4 + 1]! >> 1
    const field = PROG_TYPES[target.engine.options.type].context === 'xdp_md' ? 0 : 76
    const writes = target.program.insns.filter((_, k) => this.written(k) === d)
    if (writes.length === 1 && fn.offsetOf(code[i * 4 + 2]! >> 1) + code[i * 4 + 3]! === field) this.exact.add(d)
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
