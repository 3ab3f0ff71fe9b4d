// Computing and comparing: each pushes its result. Shift counts need no mask, WebAssembly takes them modulo the width as well.
// RFC 9669 §4.1–4.3.

import { OP } from '../decode.ts'
import { swap32 as swapConstant, swap16 as swapShort } from '../u64.ts'
import type { FunctionEmitter } from './emitter.ts'
import { type Body, I32, I64, W } from './writer.ts'

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

/** Division and remainder, unsigned and signed. */
function isDivision(op: number): boolean {
  const unsigned = op === 0x3f || op === 0x9f || op === 0x3c || op === 0x9c
  return unsigned || (op >= 0x13c && op <= 0x13f) || (op >= 0x19c && op <= 0x19f)
}

export function emitAlu(fn: FunctionEmitter, op: number, d: number, s: number): void {
  const { body } = fn
  if (ALU64[op] !== undefined) {
    fn.value(d)
    fn.value(s)
    body.op(ALU64[op]!)
  } else if (ALU32[op] !== undefined) {
    fn.value32(d)
    fn.value32(s)
    body.op(ALU32[op]!, W.i64_extend_i32_u)
  } else if (isDivision(op)) emitDivision(fn, op, d, s)
  else emitUnary(fn, op, d, s)
}

function emitUnary(fn: FunctionEmitter, op: number, d: number, s: number): void {
  const { body } = fn
  const extended = (op?: number): void => {
    fn.value32(s)
    if (op !== undefined) body.op(op)
    body.op(W.i64_extend_i32_u)
  }
  switch (op) {
    case 0xbf:
    case OP.ldimm64:
      return fn.value(s)
    case 0xbc:
      return extended()
    case 0x87:
      body.i64(0, 0)
      fn.value(d)
      body.op(W.i64_sub)
      return
    case 0x84:
      body.i32(0)
      fn.value32(d)
      body.op(W.i32_sub, W.i64_extend_i32_u)
      return
    case OP.movsx8_64:
    case OP.movsx16_64:
    case OP.movsx32_64:
      fn.value(s)
      body.op(op === OP.movsx8_64 ? W.i64_extend8_s : op === OP.movsx16_64 ? W.i64_extend16_s : W.i64_extend32_s)
      return
    case OP.movsx8_32:
      return extended(W.i32_extend8_s)
    case OP.movsx16_32:
      return extended(W.i32_extend16_s)
    default:
      emitByteOrder(fn, op, d)
  }
}

// ---- byte order ----

function emitByteOrder(fn: FunctionEmitter, op: number, d: number): void {
  const { body } = fn
  fn.value(d)
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
      return swapLow(fn, 2)
    case OP.be32:
      return swapLow(fn, 4)
    default:
      swap64(body, fn.wide())
  }
}

/** Swaps the low 2 or 4 bytes of the 64-bit number on the stack; the others become 0. */
export function swapLow(fn: FunctionEmitter, bytes: 2 | 4): void {
  fn.body.op(W.i32_wrap_i64)
  if (bytes === 2) swap16(fn.body, fn.temp())
  else swap32(fn.body, fn.temp())
  fn.body.op(W.i64_extend_i32_u)
}

function swap16(body: Body, temp: number): void {
  body.tee(temp).i32(8).op(W.i32_shl).i32(0xff00).op(W.i32_and)
  body.get(temp).i32(8).op(W.i32_shr_u).i32(0xff).op(W.i32_and, W.i32_or)
}

/** Swaps the 32-bit number on the stack; `temp` is an i32 local. */
export function swap32(body: Body, temp: number): void {
  const odd = 0xff00ff00 | 0
  body.tee(temp).i32(8).op(W.i32_rotl).i32(0x00ff00ff).op(W.i32_and)
  body.get(temp).i32(24).op(W.i32_rotl).i32(odd).op(W.i32_and, W.i32_or)
}

/** Swaps the 64-bit number on the stack: its bytes in pairs, the pairs in fours, the halves. `temp` is an i64 local. */
export function swap64(body: Body, temp: number): void {
  for (const [mask, by] of [[0x00ff00ff, 8], [0x0000ffff, 16]] as const) {
    body.tee(temp).i64(mask, mask).op(W.i64_and).i64(by, 0).op(W.i64_shl)
    body.get(temp).i64(by, 0).op(W.i64_shr_u).i64(mask, mask).op(W.i64_and, W.i64_or)
  } // biome-ignore format: two steps
  body.i64(32, 0).op(W.i64_rotl)
}

// ---- division ----

/** Division by 0 gives 0, remainder by 0 the dividend; the most negative number by -1 must not trap. RFC 9669 §4.1. */
function emitDivision(fn: FunctionEmitter, op: number, d: number, s: number): void {
  const { body } = fn
  const wide = (op & 7) === 7
  const kind = wide ? I64 : I32
  const modulo = (op & 0xf0) === 0x90
  const signed = op >= 0x100
  const get = (r: number): void => (wide ? fn.value(r) : fn.value32(r))
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

// ---- comparisons ----

/** Pushes whether a comparing jump at a code position is taken. */
export function emitCondition(fn: FunctionEmitter, pc: number): void {
  const { body, code, engine } = fn
  const op = code[pc]!
  const s = code[pc + 2]! >> 1
  const wide = (op & 7) === 5
  const zero = s >= 12 && engine.regs[s * 2] === 0 && (!wide || engine.regs[s * 2 + 1] === 0)
  pushSide(fn, pc)
  if (zero && op >> 4 === 1) {
    body.op(wide ? W.i64_eqz : W.i32_eqz)
    return
  }
  pushOtherSide(fn, pc)
  if (op >> 4 === 4) {
    if (wide) body.op(W.i64_and).i64(0, 0).op(W.i64_ne)
    else body.op(W.i32_and)
    return
  }
  body.op(TESTS[op >> 4]![wide ? 0 : 1])
}

/** Pushes a number that is 0 where a comparison of 32 bits, for equality, finds its sides equal. */
export function emitDifference(fn: FunctionEmitter, pc: number): void {
  pushSide(fn, pc)
  pushOtherSide(fn, pc)
  fn.body.op(W.i32_xor)
}

function pushSide(fn: FunctionEmitter, pc: number): void {
  const d = fn.code[pc + 1]! >> 1
  if ((fn.code[pc]! & 7) === 5) fn.value(d)
  else fn.value32(d)
}

function pushOtherSide(fn: FunctionEmitter, pc: number): void {
  const { body, code, engine } = fn
  const s = code[pc + 2]! >> 1
  const wide = (code[pc]! & 7) === 5
  if (fn.fused.has((pc >> 2) - 1)) pushSwapped(body, code[pc - 4]!, engine.regs[s * 2]!, wide)
  else if (wide) fn.value(s)
  else fn.value32(s)
}

/** The constant of a comparison whose other side was to be swapped by `op`, and was not. */
function pushSwapped(body: Body, op: number, value: number, wide: boolean): void {
  const swapped = op === OP.be16 ? swapShort(value) : swapConstant(value)
  if (wide) body.i64(swapped, 0)
  else body.i32(swapped)
}
