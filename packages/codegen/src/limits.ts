// What the kernel's verifier takes of one function, and whether a program stays below that.

import { type Insn, slotTable, targetSlot } from '@netsieve/asm'
import type { Rule } from '@netsieve/ir'

/** A program that is too long, in some way of writing it. `rule`: the first one that there is no room for, where that is known. */
export class TooLong extends Error {
  readonly rule: Rule | undefined

  constructor(message: string, rule?: Rule) {
    super(message)
    this.rule = rule
  }
}
export const TOO_LONG =
  'there are too many rules: the kernel takes 34 programs one after the other, each of 256 functions and 1,000,000 instructions'

/** There is no room from this rule on. */
export const tooLongFrom = (rule: Rule | undefined): TooLong =>
  rule ? new TooLong(`${TOO_LONG}; there is no room for this rule and those behind it`, rule) : new TooLong(TOO_LONG)

/**
 * Slots of rules one after the other, outside of lookups, that are one function. A verifier comes by each of them once for every kind of packet
 * that it still tells apart there: five to ten times, and thirty where rules reach for bytes behind changing places. Who asks for rules one by one
 * wants to see that form, and gets more of it.
 */
export const LONGEST_LINEAR = { usual: 15_000, oneByOne: 40_000 } as const
/** Slots of a program of one function, with its lookups. */
export const LONGEST_WHOLE = 200_000
/** Branches that a verifier may still have to come back to (BPF_COMPLEXITY_LIMIT_JMP_SEQ), with some room for loops. */
const MOST_PENDING = 8192 - 1024

/** Whether a program without functions is within the limits. */
export function fitsWhole(insns: readonly Insn[]): boolean {
  return pendingOf(insns) <= MOST_PENDING
}

/**
 * The most branches that wait while a verifier follows a path: it goes on behind a conditional jump, and comes back to its target later. Loops
 * are taken for passed once.
 */
export function pendingOf(insns: readonly Insn[]): number {
  const slots = slotTable(insns)
  const at = new Map<number, number>()
  for (let i = 0; i < insns.length; i++) at.set(slots[i]!, i)
  const waiting = new Int32Array(insns.length + 1).fill(-1)
  waiting[0] = 0
  let most = 0
  const come = (to: number | undefined, count: number): void => {
    if (to !== undefined && waiting[to]! < count) waiting[to] = count
  }
  for (let i = 0; i < insns.length; i++) {
    const count = waiting[i]!
    if (count < 0) continue
    most = Math.max(most, count)
    const { spec } = insns[i]!
    if (spec.kind === 'exit') continue
    const target = spec.kind === 'jump' || spec.kind === 'goto' ? targetSlot(insns[i]!, slots[i]!) : undefined
    const to = target === undefined ? undefined : at.get(target)
    if (to !== undefined && to > i) come(to, count)
    if (spec.kind !== 'goto') come(i + 1, count + (spec.kind === 'jump' ? 1 : 0))
  }
  return most
}
