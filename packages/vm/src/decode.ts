// A program as the interpreter runs it: four numbers an instruction, immediates moved into registers of their own,
// jump targets resolved. What cannot run becomes an operation that faults when it is reached, never before.
//
//   code[4i]  operation   code[4i+1]  2·dst   code[4i+2]  2·src   code[4i+3]  offset, target · 4, or immediate

import { type Insn, type InsnSpec, slotTable } from '@netsieve/asm'
import { REGION } from './memory.ts'

/** Operations that are no opcode's own; the rest are the opcodes, of the register form where there are two. */
export const OP = {
  sdiv64: 0x13f, smod64: 0x19f, sdiv32: 0x13c, smod32: 0x19c,
  movsx8_64: 0x120, movsx16_64: 0x121, movsx32_64: 0x122, movsx8_32: 0x123, movsx16_32: 0x124,
  le16: 0x130, le32: 0x131, le64: 0x132, be16: 0x134, be32: 0x135, be64: 0x136,
  ldimm64: 0x140, callLocal: 0x185, invalid: 0x1fd, badJump: 0x1fe, stop: 0x1ff,
} as const // biome-ignore format: one family

export interface DecodedProgram {
  readonly insns: readonly Insn[]
  readonly slots: Uint32Array
  readonly code: Int32Array
  /** Instruction index by slot; -1 for the second half of LD_IMM64 and beyond the end. */
  readonly bySlot: Int32Array
  /** First instructions of the functions that local calls and function pointers lead to. */
  readonly functions: ReadonlySet<number>
  /** Whether any instruction names r10. */
  readonly usesStack: boolean
}

/** In the last number of an exit that hands on what a called function returned (`Origin.handsOn`). */
const HANDS_ON = 1

/** Whether the instruction at a code position is such an exit. */
export function handsOn(code: Int32Array, pc: number): boolean {
  return code[pc] === 0x95 && code[pc + 3] === HANDS_ON
}

/** Registers r0..r10 and one spare come first in the register file, then one for each distinct constant. */
export const FIRST_CONSTANT = 12

/** The interpreter has 24 bits for the number of a register's first word. */
const MOST_REGISTERS = 1 << 23

/** Constants of all programs of a machine, each once. */
export class Constants {
  /** Low and high words in turn, from register FIRST_CONSTANT on. */
  readonly words: number[] = []
  /** By value, where the high word only extends the sign; by text otherwise. */
  private readonly known = new Map<string | number, number>()

  /** The register that holds the value. @throws RangeError above eight million. */
  register(lo: number, hi: number): number {
    const key = hi === lo >> 31 ? lo : `${lo},${hi}`
    let register = this.known.get(key)
    if (register === undefined) {
      register = FIRST_CONSTANT + this.words.length / 2
      if (register >= MOST_REGISTERS) throw new RangeError(`the programs have more than ${MOST_REGISTERS} constants`)
      this.words.push(lo, hi)
      this.known.set(key, register)
    }
    return register
  }
}

/** The value of a pointer to a function of the program: its instruction's index. RFC 9669 §5.4: relative like a local call. */
function funcAddress(target: number): { lo: number; hi: number } {
  return { lo: target / 4, hi: REGION.func }
}

/** What an LD_IMM64 loads: resolved by the machine, which knows its maps. Undefined where there is no such thing. */
export type Resolve64 = (insn: Insn) => { lo: number; hi: number } | undefined

export function decodeProgram(insns: readonly Insn[], constants: Constants, resolve: Resolve64): DecodedProgram {
  const slots = slotTable(insns)
  const bySlot = new Int32Array(slots[insns.length]! + 1).fill(-1)
  for (let i = 0; i < insns.length; i++) bySlot[slots[i]!] = i
  const code: number[] = new Array(insns.length * 4).fill(0)
  // After the program: where control falls off its end, then one place for each jump out of it.
  code.push(OP.badJump, Math.max(insns.length - 1, 0), 0, 0)
  const target = (i: number, distance: number): number => {
    const slot = slots[i + 1]! + distance
    const to = slot >= 0 && slot < bySlot.length ? bySlot[slot]! : -1
    if (to >= 0) return to * 4
    code.push(OP.badJump, i, 0, 0)
    return code.length - 4
  }
  for (let i = 0; i < insns.length; i++) {
    const insn = insns[i]!
    const row = decodeOne(insn, i, constants, resolve, target)
    for (let k = 0; k < 4; k++) code[i * 4 + k] = row[k]!
  }
  const functions = new Set<number>()
  for (let i = 0; i < insns.length; i++) {
    const { spec, imm } = insns[i]!
    const distance = spec.call === 'local' ? imm : spec.imm64 === 'func' ? imm - 1 : undefined
    const to = distance === undefined ? -1 : (bySlot[slots[i + 1]! + distance] ?? -1)
    if (to >= 0) functions.add(to)
  }
  const usesStack = insns.some(({ dst, src }) => dst === 10 || src === 10)
  return { insns, slots, code: Int32Array.from(code), bySlot, functions, usesStack }
}

type Row = readonly [op: number, dst2: number, src2: number, extra: number]

/** A number that no helper has; one below 0 that no kernel function has is its complement. */
const NO_HELPER = 0x7fffffff

function decodeOne(
  insn: Insn,
  i: number,
  constants: Constants,
  resolve: Resolve64,
  target: (i: number, distance: number) => number,
): Row {
  const { spec, dst, src, off, imm } = insn
  const invalid: Row = [OP.invalid, 0, 0, 0]
  if ((spec.uses.has('dst') && dst > 10) || (spec.uses.has('src') && src > 10)) return invalid
  // r10 is read only; as a base of stores and a compare operand it is fine.
  if (dst === 10 && writesDst(spec)) return invalid
  if (src === 10 && spec.kind === 'atomic' && spec.fetch && spec.atomic !== 'cmpxchg') return invalid
  const source = spec.source === 'imm' ? constants.register(imm, imm >> 31) : src
  switch (spec.kind) {
    case 'alu':
      return [aluOp(spec), dst * 2, source * 2, 0]
    case 'movsx':
      return [movsxOp(spec), dst * 2, src * 2, 0]
    case 'end':
      return [
        (spec.end === 'le' ? OP.le16 : OP.be16) + (spec.width === 16 ? 0 : spec.width === 32 ? 1 : 2),
        dst * 2,
        0,
        0,
      ]
    case 'ldimm64': {
      const value = spec.imm64 === 'func' ? funcAddress(target(i, imm - 1)) : resolve(insn)
      return value ? [OP.ldimm64, dst * 2, constants.register(value.lo, value.hi) * 2, 0] : invalid
    }
    case 'ldpkt':
      return [spec.opcode, 0, src * 2, imm]
    case 'load':
      return [spec.opcode, dst * 2, src * 2, off]
    case 'store':
      return [spec.opcode | 0x01, dst * 2, source * 2, off]
    case 'atomic':
      return [0xc3, dst * 2, src * 2, off]
    case 'jump':
      return [spec.opcode | 0x08, dst * 2, source * 2, target(i, off)]
    case 'goto':
      return [0x05, 0, 0, target(i, spec.width === 32 ? imm : off)]
    case 'may_goto':
      return [0xe5, 0, 0, target(i, off)]
    case 'call':
      if (spec.call === 'local') return [OP.callLocal, 0, 0, target(i, imm)]
      if (spec.call === 'helper') return [0x85, 0, 0, imm < 0 ? NO_HELPER : imm]
      // Numbers that a kernel gave say nothing here.
      if (spec.call === 'kfunc') return [0x85, 0, 0, imm < 0 ? imm : -1 - NO_HELPER]
      return spec.call === 'register' ? [0x8d, dst * 2, 0, 0] : invalid
    case 'exit':
      return [0x95, 0, 0, insn.origin?.handsOn ? HANDS_ON : 0]
  }
}

function writesDst(spec: InsnSpec): boolean {
  return (
    spec.kind === 'alu' ||
    spec.kind === 'movsx' ||
    spec.kind === 'end' ||
    spec.kind === 'ldimm64' ||
    spec.kind === 'load' ||
    (spec.kind === 'atomic' && spec.atomic === 'load_acquire')
  )
}

function aluOp(spec: InsnSpec): number {
  if (spec.alu === 'neg') return spec.opcode
  if (spec.alu === 'sdiv') return spec.width === 64 ? OP.sdiv64 : OP.sdiv32
  if (spec.alu === 'smod') return spec.width === 64 ? OP.smod64 : OP.smod32
  return spec.opcode | 0x08
}

function movsxOp(spec: InsnSpec): number {
  if (spec.width === 32) return spec.fromBits === 8 ? OP.movsx8_32 : OP.movsx16_32
  return spec.fromBits === 8 ? OP.movsx8_64 : spec.fromBits === 16 ? OP.movsx16_64 : OP.movsx32_64
}
