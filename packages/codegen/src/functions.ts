// Functions that are made one by one, as the code of one program: whether they fit, and their calls by number as distances.

import { type FunctionDef, type FunctionProto, type Insn, LIMITS, slotTable } from '@netsieve/asm'
import type { Shared } from './shared.ts'

/** Frames are counted in these steps where nothing is compiled to machine code; less elsewhere. */
const FRAME_STEP = 32

export interface Made {
  readonly name: string
  readonly insns: readonly Insn[]
  readonly stack: number
}

export interface ProgramCode {
  readonly insns: readonly Insn[]
  /** Where its functions start, the program itself among them; absent if it is one function. */
  readonly functions?: readonly FunctionDef[]
}

/** A program with those that it goes on in by tail calls: number 1, 2, …, itself being 0. */
export interface ProgramSet extends ProgramCode {
  readonly programs?: readonly ProgramCode[]
}

/** All programs, by their numbers. */
export const programsOf = (set: ProgramSet): readonly ProgramCode[] => [set, ...(set.programs ?? [])]

/** An instruction by its index, counted through all programs. */
export function insnOf(set: ProgramSet, index: number): Insn | undefined {
  let before = 0
  for (const { insns } of programsOf(set)) {
    if (index < before + insns.length) return insns[index - before]
    before += insns.length
  }
  return undefined
}

const callsOf = ({ insns }: Made): number[] => insns.flatMap(({ spec, imm }) => (spec.call === 'local' ? [imm] : []))

/** Whether the kernel takes so much stack and such deep calls. Functions are made before those that call them are whole: there are no cycles. */
export function fits(made: readonly Made[]): boolean {
  const needs = new Map<number, { readonly stack: number; readonly frames: number }>()
  const needOf = (index: number): { readonly stack: number; readonly frames: number } => {
    const known = needs.get(index)
    if (known) return known
    const one = made[index]!
    const below = [...new Set(callsOf(one))].map(needOf)
    const need = {
      stack:
        Math.ceil(Math.max(1, one.stack) / FRAME_STEP) * FRAME_STEP + Math.max(0, ...below.map(({ stack }) => stack)),
      frames: 1 + Math.max(0, ...below.map(({ frames }) => frames)),
    }
    needs.set(index, need)
    return need
  }
  const { stack, frames } = needOf(0)
  return stack <= LIMITS.stackBytes && frames <= LIMITS.frames
}

/** All functions one behind the other; calls by number become distances. */
export function linked({ locals }: Shared, made: readonly Made[]): ProgramCode {
  const starts: number[] = []
  let size = 0
  for (const { insns } of made) {
    starts.push(size)
    size += slotTable(insns)[insns.length]!
  }
  const out: Insn[] = []
  let slot = 0
  for (const { insns } of made) {
    for (let i = 0; i < insns.length; i++) {
      const one = insns[i]!
      slot += one.spec.slots
      out.push(one.spec.call === 'local' ? { ...one, imm: starts[one.imm]! - slot } : one)
    }
  }
  const proto: FunctionProto = {
    global: true,
    params: [
      { kind: 'ctx' },
      ...(locals.size > 0 ? [{ kind: 'mem', size: 8 * locals.size, nullable: true } as const] : []),
    ],
    returns: 'scalar',
  }
  const functions = made.map(({ name }, i) => ({
    name,
    slot: starts[i]!,
    proto: i === 0 ? { ...proto, params: [{ kind: 'ctx' } as const] } : proto,
  }))
  return { insns: out, functions }
}
