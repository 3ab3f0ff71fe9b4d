// What ALU instructions do to registers: numbers by the abstract domain, pointers by their own rules.

import { type AluOp, CLASS, LIMITS } from '@netsieve/asm'
import { giveUpIfWrong } from './branch.ts'
import {
  addOffset,
  arith,
  low32,
  signExtend32,
  signExtend64,
  subOffset,
  swapBytes,
  truncate,
  withLow,
} from './domain/arith.ts'
import { violation } from './domain/compare.ts'
import { draft, isKnown, isKnownIn, known, type Num, sync, UNKNOWN, widthOf } from './domain/num.ts'
import { approx, toSigned, ult } from './domain/wide.ts'
import type { Env } from './env.ts'
import { Rejection, Unsupported } from './errors.ts'
import { markPrecise } from './precision.ts'
import { bitsText } from './print.ts'
import { MAX_OFFSET, proveMapValue } from './prove.ts'
import {
  change,
  isKernelStruct,
  isPacketPointer,
  isPointer,
  type Reg,
  scalar,
  typeName,
  UNKNOWN_SCALAR,
} from './reg.ts'
import { commitMask, planMask, type Sum } from './speculate.ts'

/** Operators as messages name them, by the code in the opcode's upper half. */
const OPERATORS = ['+=', '-=', '*=', '/=', '|=', '&=', '<<=', '>>=', 'neg', '%=', '^=', '=', 's>>=', 'endian', '', '']

export function stepAlu(env: Env, slot: number): void {
  calculate(env, slot)
  // Ranges can only contradict each other where an offset was cut to zero, which leaves its lower half unknown.
  if (env.state.speculative) settleRanges(env, env.prog.dst[slot]!)
}

function settleRanges(env: Env, dst: number): void {
  const reg = env.reg(dst)
  if (!violation(reg.num)) return
  const num = draft(reg.num)
  giveUpIfWrong(env, num, 'alu')
  env.setReg(dst, change(reg, { num }))
}

function calculate(env: Env, slot: number): void {
  const { prog } = env
  const opcode = prog.opcode[slot]!
  const spec = prog.spec[slot]!
  const dst = prog.dst[slot]!
  const width = (opcode & 7) === CLASS.ALU64 ? 64 : 32
  switch (spec.kind) {
    case 'end':
      return changeOrder(env, dst, spec.end !== 'le', spec.width)
    case 'movsx':
      return moveExtended(env, dst, prog.src[slot]!, width, spec.fromBits! >> 3)
    default:
      break
  }
  if (spec.alu === 'mov') {
    if (opcode & 8) return move(env, dst, prog.src[slot]!, width)
    env.setReg(dst, width === 64 ? env.immediate(slot) : scalar(known(0, prog.imm[slot]!)))
  } else if (spec.alu === 'neg') negate(env, dst, width)
  else compute(env, slot, spec.alu!, width)
}

/** Little endian is the machine's own order: `le` only drops the bits above. */
function changeOrder(env: Env, dst: number, swaps: boolean, bits: number): void {
  const reg = env.reg(dst)
  if (reg.type !== 'scalar') env.setReg(dst, UNKNOWN_SCALAR)
  else if (swaps) env.setReg(dst, settle(reg, swapBytes(reg.num, bits)))
  else if (bits < 64) env.setReg(dst, settle(reg, truncate(reg.num, bits >> 3)))
}

/** A scalar that is about to be copied gets an id, so that what is learnt of one copy is learnt of the other. */
export function linkBeforeCopy(env: Env, regno: number): void {
  const reg = env.reg(regno)
  if (reg.type !== 'scalar' || isKnown(reg.num)) return
  const fresh = reg.id === 0 || reg.delta !== 0
  if (fresh) env.setReg(regno, change(reg, { id: env.newId(), off: 0, delta: 0 }))
}

function move(env: Env, dst: number, src: number, width: 32 | 64): void {
  if (width === 64) {
    linkBeforeCopy(env, src)
    env.setReg(dst, env.reg(src))
    return
  }
  const reg = env.reg(src)
  if (reg.type !== 'scalar') {
    if (env.settings.strict) throw new Rejection(`R${src} partial copy of pointer`)
    env.setReg(dst, scalar(low32(UNKNOWN)))
    return
  }
  const small = widthOf(reg.num) <= 32
  if (small) linkBeforeCopy(env, src)
  const from = env.reg(src)
  env.setReg(dst, change(from, { num: low32(from.num), ...(!small && { id: 0 }) }))
}

function moveExtended(env: Env, dst: number, src: number, width: 32 | 64, size: number): void {
  const reg = env.reg(src)
  if (reg.type !== 'scalar') {
    if (env.settings.strict)
      throw new Rejection(`R${src} ${width === 64 ? 'sign-extension part' : 'partial copy'} of pointer`)
    env.setReg(dst, width === 64 ? UNKNOWN_SCALAR : scalar(low32(UNKNOWN)))
    return
  }
  const { num } = reg
  const unchanged = num.umaxH === 0 && num.umaxL >>> 0 < 2 ** (size * 8 - 1)
  if (unchanged) linkBeforeCopy(env, src)
  const from = env.reg(src)
  const extended = width === 64 ? signExtend64(from.num, size) : signExtend32(from.num, size)
  env.setReg(dst, change(from, { num: extended, ...(!unchanged && { id: 0 }) }))
}

function negate(env: Env, dst: number, width: 32 | 64): void {
  const reg = env.reg(dst)
  env.setReg(dst, reg.type === 'scalar' ? settle(reg, arith('neg', width, reg.num, reg.num)) : UNKNOWN_SCALAR)
}

/** A scalar with a new number, which no other register has. */
function settle(reg: Reg, num: Readonly<Num>): Reg {
  const result = scalar(num)
  result.precise = reg.precise
  return result
}

/** What the verifier does with pointers to the kernel's own structs is not known here. */
function proveJudged({ type }: Reg): void {
  if (isKernelStruct(type)) throw new Unsupported('arithmetic on kernel structs')
}

function compute(env: Env, slot: number, op: AluOp, width: 32 | 64): void {
  const { prog } = env
  const dst = prog.dst[slot]!
  const byReg = (prog.opcode[slot]! & 8) !== 0
  const src = prog.src[slot]!
  const left = env.reg(dst)
  const right = byReg ? env.reg(src) : env.immediate(slot)
  if (byReg && isPointer(right)) {
    proveJudged(right)
    if (!isPointer(left)) {
      markPrecise(env, dst)
      return movePointer(env, slot, op, width, right, env.reg(dst), true)
    }
    if (op !== 'sub' || env.settings.strict)
      throw new Rejection(`R${dst} pointer ${OPERATORS[prog.opcode[slot]! >> 4]} pointer prohibited`)
    env.setReg(dst, UNKNOWN_SCALAR)
    return
  }
  if (isPointer(left)) {
    proveJudged(left)
    if (byReg) markPrecise(env, src)
    return movePointer(env, slot, op, width, left, byReg ? env.reg(src) : right, false)
  }
  if (byReg && left.precise) markPrecise(env, src)
  if ((op === 'and' || op === 'or') && isKnown(right.num)) splitSign(env, slot, dst)
  const result = settle(left, arith(op, width, env.reg(dst).num, right.num))
  if ((!byReg || src !== dst) && !env.settings.unprivileged) linkByConstant(result, left, right.num, op, width)
  env.setReg(dst, result)
}

/**
 * A sign spread over all bits (0 or -1) that is about to be a mask: each of the two is followed by itself. The other one
 * comes back to this instruction later.
 */
function splitSign(env: Env, slot: number, dst: number): void {
  const { num } = env.reg(dst)
  const wide = num.sminH === -1 && num.sminL === -1 && num.smaxH === 0 && num.smaxL === 0
  if (!wide && !(num.s32min === -1 && num.s32max === 0)) return
  const other = env.putOff(slot, slot)
  if (wide) {
    other.frame.regs[dst] = scalar(known(0, 0))
    env.setReg(dst, scalar(known(-1, -1)))
    return
  }
  other.frame.regs[dst] = change(other.frame.regs[dst]!, { num: withLow(num, 0) })
  env.setReg(dst, change(env.reg(dst), { num: withLow(num, -1) }))
}

/** After `r1 = r2; r1 += k` the two stay linked, k apart; a second sum unlinks them. (Not without CAP_BPF.) */
function linkByConstant(result: Reg, left: Reg, right: Readonly<Num>, op: AluOp, width: 32 | 64): void {
  if ((op !== 'add' && op !== 'sub') || left.id === 0 || left.delta !== 0 || !isKnownIn(right, width)) return
  const value = right.bits.vl
  if (width === 64 ? right.bits.vh !== value >> 31 : left.num.umaxH !== 0) return
  if (op === 'sub' && value === -0x80000000) return
  result.id = left.id
  result.delta = width
  result.off = op === 'add' ? value : -value
}

/** A pointer plus or minus a number. `swapped`: the number was on the left. */
function movePointer(
  env: Env,
  slot: number,
  op: AluOp,
  width: 32 | 64,
  pointer: Reg,
  offset: Reg,
  swapped: boolean,
): void {
  const dst = env.prog.dst[slot]!
  const { num } = offset
  if (contradicts(num)) {
    env.setReg(dst, UNKNOWN_SCALAR)
    return
  }
  if (width === 32) {
    if (op !== 'sub' || env.settings.strict) throw new Rejection(`R${dst} 32-bit pointer arithmetic prohibited`)
    env.setReg(dst, UNKNOWN_SCALAR)
    return
  }
  proveMovable(dst, op, pointer, num)
  // What was added to a linked number counts as its offset.
  proveSane(num, offset.off, pointer)
  proveSane(pointer.num, pointer.off, pointer)
  const operator = OPERATORS[env.prog.opcode[slot]! >> 4]
  if (op === 'and' || op === 'or' || op === 'xor')
    throw new Rejection(`R${dst} bitwise operator ${operator} on pointer prohibited`)
  if (op !== 'add' && op !== 'sub')
    throw new Rejection(`R${dst} pointer arithmetic with ${operator} operator prohibited`)
  const sum: Sum = { slot, op, dst, src: env.prog.src[slot]!, pointer, num, swapped }
  const mask = planMask(env, sum)
  if (op === 'sub' && swapped) throw new Rejection(`R${dst} tried to subtract pointer from scalar`)
  if (op === 'sub' && pointer.type === 'fp') throw new Rejection(`R${dst} subtraction from stack pointer prohibited`)
  const result = shifted(env, op, pointer, num)
  proveSane(result.num, result.off, pointer)
  if (env.settings.strict) proveInBounds(dst, result)
  commitMask(env, sum, mask, result)
  env.setReg(dst, result)
}

/** Strict: a pointer stays inside what it points to, even where it is not used. */
function proveInBounds(dst: number, reg: Reg): void {
  if (reg.type === 'fp') {
    if (!isKnown(reg.num))
      throw new Rejection(
        `R${dst} variable stack access prohibited for !root, var_off=${bitsText(reg.num)} off=${(reg.off + reg.num.bits.vl) | 0}`,
      )
    const off = reg.off + reg.num.bits.vl
    if (off < 0 && off >= -LIMITS.stackBytes) return
    throw new Rejection(`R${dst} stack pointer arithmetic goes out of range, prohibited for !root; off=${off}`)
  }
  if (reg.type !== 'map_value') return
  try {
    proveMapValue(dst, reg, reg.off, 1, false)
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    const why = `R${dst} pointer arithmetic of map value goes out of range, prohibited for !root`
    throw new Rejection(`${error.message}\n${why}`)
  }
}

/** Bounds that no number meets: the result of a dead branch. */
function contradicts(num: Readonly<Num>): boolean {
  const smin = toSigned(num.sminH, num.sminL)
  const smax = toSigned(num.smaxH, num.smaxL)
  if (smin > smax || ult(num.umaxH, num.umaxL, num.uminH, num.uminL)) return true
  return isKnown(num) && (smin !== smax || num.uminL !== num.umaxL || num.uminH !== num.umaxH)
}

function proveMovable(dst: number, op: AluOp, pointer: Reg, num: Readonly<Num>): void {
  if (pointer.nullable)
    throw new Rejection(`R${dst} pointer arithmetic on ${typeName(pointer)} prohibited, null-check it first`)
  switch (pointer.type) {
    case 'ctx':
    case 'map_value':
    case 'map_key':
    case 'fp':
    case 'pkt':
    case 'pkt_meta':
    case 'mem':
    case 'ringbuf_mem':
    case 'func':
      return
    case 'map_ptr':
      if (isKnown(num) && num.sminL === 0 && num.sminH === 0 && op === 'add') return
      break
    default:
      break
  }
  throw new Rejection(`R${dst} pointer arithmetic on ${typeName(pointer)} prohibited`)
}

/** Offsets stay small enough that sums cannot wrap. */
function proveSane(num: Readonly<Num>, off: number, pointer: Reg): void {
  const name = typeName(pointer)
  const smin = approx(num.sminH, num.sminL)
  if (isKnown(num)) {
    const value = approx(num.bits.vh, num.bits.vl)
    if (value >= MAX_OFFSET || value <= -MAX_OFFSET)
      throw new Rejection(`math between ${name} pointer and ${toSigned(num.bits.vh, num.bits.vl)} is not allowed`)
  }
  if (off >= MAX_OFFSET || off <= -MAX_OFFSET) throw new Rejection(`${name} pointer offset ${off} is not allowed`)
  if (num.sminH === -0x80000000 && num.sminL === 0)
    throw new Rejection(`math between ${name} pointer and register with unbounded min value is not allowed`)
  if (smin >= MAX_OFFSET || smin <= -MAX_OFFSET)
    throw new Rejection(`value ${toSigned(num.sminH, num.sminL)} makes ${name} pointer be out of bounds`)
}

function shifted(env: Env, op: 'add' | 'sub', pointer: Reg, num: Readonly<Num>): Reg {
  if (isKnown(num)) {
    const value = approx(num.bits.vh, num.bits.vl)
    const off = op === 'add' ? pointer.off + value : pointer.off - value
    if (off === (off | 0)) return change(pointer, { off })
  }
  const moved = sync(op === 'add' ? addOffset(pointer.num, num) : subOffset(pointer.num, num))
  if (!isPacketPointer(pointer)) return change(pointer, { num: moved })
  // What was proved of the old pointer's range says nothing of one further on.
  const keepsRange = op === 'sub' && num.sminH >= 0
  return change(pointer, { num: moved, id: env.newId(), ...(!keepsRange && { range: 0 }) })
}
