// What a processor may do before it knows better, for loaders that may not profit from it (Spectre): the way that a decided
// jump does not take, and pointer sums whose offset was cut to zero. Such paths are walked like any other, but what is wrong on
// them does not refuse the program: the kernel puts a barrier there, and the path ends.

import { LIMITS } from '@netsieve/asm'
import { draft, isKnown, type Num, unbound32 } from './domain/num.ts'
import { approx, uapprox } from './domain/wide.ts'
import type { Env } from './env.ts'
import { Rejection } from './errors.ts'
import { change, isPointer, type Reg, UNKNOWN_SCALAR } from './reg.ts'
import { byteType, MISC, type Slot, ZEROED } from './state.ts'

/** What code generation needs to know of a pointer sum: the same from every path that leads there. */
export interface Mask {
  readonly kind: string
  readonly limit: number
}

/** The sum at hand, before it is made. */
export interface Sum {
  readonly slot: number
  readonly op: 'add' | 'sub'
  readonly dst: number
  readonly src: number
  readonly pointer: Reg
  readonly num: Readonly<Num>
  /** The number was on the left. */
  readonly swapped: boolean
}

const NOT_FOR_ALL = 'pointer arithmetic with it prohibited for !root'

/** Puts off the way that a decided jump does not take; the registers compared may hold anything there. */
export function mispredict(env: Env, slot: number, other: number, compared: readonly number[]): void {
  if (!env.settings.strict) return
  const state = env.putOff(other, slot, true)
  for (const regno of compared) state.frame.regs[regno] = UNKNOWN_SCALAR
}

/**
 * Before a sum of a pointer and a register: the offset can be masked, which needs a known direction and limit. Puts off the path
 * on which the mask makes the offset zero.
 * @returns what `commitMask` needs once the sum is made; undefined where there is nothing to mask
 */
export function planMask(env: Env, sum: Sum): Mask | undefined {
  const { slot, op, dst, pointer, num, swapped } = sum
  if (skipsMask(env, slot)) return undefined
  const negative = num.sminH < 0
  let mask: Mask | undefined
  if (!env.state.speculative) {
    if (!isKnown(num) && negative !== num.smaxH < 0)
      throw new Rejection(`R${swapped ? dst : sum.src} has unknown scalar with mixed signed bounds, ${NOT_FOR_ALL}`)
    mask = { kind: `${negative}/${isKnown(num)}/${swapped}`, limit: limitOf(pointer, (op === 'add') === negative, sum) }
    if (!isKnown(num)) env.exactNumbers = true
  }
  if (isKnown(num)) return mask
  const cut = env.putOff(slot + 1, slot, true)
  const bounds = draft(pointer.num)
  unbound32(bounds)
  cut.frame.regs[dst] = swapped ? pointer : change(pointer, { num: bounds })
  return mask
}

/** After the sum: the limit is narrowed to how far the pointer went, and must be the same on every path. */
export function commitMask(env: Env, sum: Sum, mask: Mask | undefined, result: Reg): void {
  if (!mask || env.state.speculative) return
  const { slot, op, dst, num } = sum
  const limit = Math.abs(mask.limit - limitOf(result, (op === 'add') === num.sminH < 0, sum))
  const before = env.masks[slot]
  if (before && (before.kind !== mask.kind || before.limit !== limit))
    throw new Rejection(`R${dst} tried to ${op} from different maps, paths or scalars, ${NOT_FOR_ALL}`)
  env.masks[slot] = { kind: mask.kind, limit }
}

function skipsMask(env: Env, slot: number): boolean {
  return !env.settings.strict || (env.prog.opcode[slot]! & 8) === 0 || env.barrier[slot] === 1
}

/** How far a pointer is from the end that it moves to, or from the start if it moves left. */
function limitOf(pointer: Reg, toLeft: boolean, { op, dst, src, swapped }: Sum): number {
  const { num, off, map } = pointer
  if (pointer.type !== 'fp' && pointer.type !== 'map_value')
    throw new Rejection(`R${swapped ? src : dst} has pointer with unsupported alu operation, ${NOT_FOR_ALL}`)
  const [limit, max] =
    pointer.type === 'fp'
      ? [-(approx(num.bits.vh, num.bits.vl) + off), LIMITS.stackBytes + (toLeft ? 1 : 0)]
      : [(toLeft ? approx(num.sminH, num.sminL) : uapprox(num.umaxH, num.umaxL)) + off, map!.valueSize]
  if (limit >>> 0 >= max) throw new Rejection(`R${dst} tried to ${op} beyond pointer bounds, ${NOT_FOR_ALL}`)
  return limit
}

/** A store that speculation might not see in time gets a barrier behind it, where speculative paths end. */
export function noteStackStore(env: Env, old: Slot, firstByte: number, size: number, value: Reg | undefined): void {
  if (!env.settings.strict) return
  let barrier = value !== undefined && isPointer(value)
  for (let i = 0; i < size && !barrier; i++) {
    const type = byteType(old, (firstByte - i) & 7)
    barrier = type !== MISC && type !== ZEROED
  }
  if (barrier) env.barrierBehind[env.slot] = 1
}
