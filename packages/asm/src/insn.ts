// One instruction as a value, and a program as a list of them.

import type { Span } from '@netsieve/diag'
import Long from 'long'
import { type InsnSpec, specByName } from './isa.ts'

/** What asked for an instruction: a rule's text, and which rule it is. */
export interface Origin {
  /** Number of the rule in its program, from 0; absent for code that belongs to none (prologue, policy). */
  readonly rule?: number
  /** What the instruction is for, in words: the rule's text, `policy drop`, `Ethernet header`. */
  readonly text: string
  /** What is done with the packet where the program ends here, if that is more than passing or dropping it: `reject(icmp port-unreachable)`. */
  readonly act?: string
  /** Of an exit that hands on what a called function returned: the exit of that function is what decided. */
  readonly handsOn?: true
  readonly span?: Span
}

/**
 * One eBPF instruction. Fields are as encoded: `dst`, `src` 0..15, `off` a signed 16-bit and `imm` a signed 32-bit number.
 * For LD_IMM64 `imm64` holds both immediates as one 64-bit value, `imm` its low half as a signed number.
 * Fields that the form fixes (`spec.fixed`) are filled in too, so encoding never consults the form.
 */
export interface Insn {
  readonly spec: InsnSpec
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
  readonly imm64?: Long
  readonly origin?: Origin
}

export interface InsnFields {
  readonly dst?: number
  readonly src?: number
  readonly off?: number
  readonly imm?: number
  readonly imm64?: Long
  readonly origin?: Origin | undefined
}

/** Makes an instruction of a form, by its name or spec; fields left out are 0 or what the form fixes. */
export function insn(form: string | InsnSpec, fields: InsnFields = {}): Insn {
  const spec = typeof form === 'string' ? specByName(form) : form
  const { fixed } = spec
  const { dst = 0, src = fixed.src ?? 0, off = fixed.off ?? 0, origin } = fields
  if (spec.slots === 1) {
    const { imm = fixed.imm ?? 0 } = fields
    return origin ? { spec, dst, src, off, imm, origin } : { spec, dst, src, off, imm }
  }
  const imm64 = fields.imm64 ?? Long.fromNumber(fields.imm ?? 0)
  return origin
    ? { spec, dst, src, off, imm: imm64.low, imm64, origin }
    : { spec, dst, src, off, imm: imm64.low, imm64 }
}

/**
 * Slot number of each instruction, and the number of slots at the end: `slots[i]` is where instruction i starts.
 * The kernel counts slots: LD_IMM64 takes two, jump offsets and messages count both.
 */
export function slotTable(program: readonly Insn[]): Uint32Array {
  const slots = new Uint32Array(program.length + 1)
  for (let i = 0; i < program.length; i++) slots[i + 1] = slots[i]! + program[i]!.spec.slots
  return slots
}
