// What an instruction needs of the state before it, as data: registers to read, a register to write, memory to touch.
// The first of the three questions; `prove` answers whether the needs are met, `step` what the instruction then does.

import type { Prog } from './prog.ts'

export type Access = 'read' | 'write'

export type Need =
  | { readonly kind: 'fields'; readonly message: string } // a reserved field is not zero: never met
  | { readonly kind: 'read'; readonly reg: number }
  | { readonly kind: 'write'; readonly reg: number }
  | { readonly kind: 'number'; readonly reg: number; readonly why: string } // strict: no pointer here
  | { readonly kind: 'never'; readonly message: string }
  | { readonly kind: 'atomicPlace'; readonly reg: number; readonly verb: string }
  | {
      readonly kind: 'memory'
      readonly access: Access
      readonly reg: number
      readonly off: number
      readonly size: number
      /** The register stored or loaded; undefined for an immediate and for what stays in memory. */
      readonly value: number | undefined
      readonly signed: boolean
      /** Must be aligned even where the machine would not mind. */
      readonly aligned: boolean
    }

const SIZES = [4, 2, 1, 8] as const

function sizeOf(opcode: number): number {
  return SIZES[(opcode >> 3) & 3]!
}

/** The needs of the instruction at a slot, in the order in which the kernel looks at them. */
export function needsAt(prog: Prog, slot: number): readonly Need[] {
  const opcode = prog.opcode[slot]!
  switch (opcode & 7) {
    case 1:
      return loadNeeds(prog, slot, (opcode & 0xe0) === 0x80)
    case 2:
      return storeImmNeeds(prog, slot)
    case 3:
      return (opcode & 0xe0) === 0xc0 ? atomicNeeds(prog, slot) : storeNeeds(prog, slot)
    case 4:
    case 7:
      return aluNeeds(prog, slot)
    default:
      return []
  }
}

function memory(
  prog: Prog,
  slot: number,
  access: Access,
  reg: number,
  value: number | undefined,
  signed = false,
  aligned = false,
): Need {
  const size = sizeOf(prog.opcode[slot]!)
  return { kind: 'memory', access, reg, off: prog.off[slot]!, size, value, signed, aligned }
}

// The same few for every instruction of every program.
const READ: readonly Need[] = Array.from({ length: 16 }, (_, reg) => ({ kind: 'read', reg }))
const WRITE: readonly Need[] = Array.from({ length: 16 }, (_, reg) => ({ kind: 'write', reg }))

function read(reg: number): Need {
  return READ[reg]!
}

function write(reg: number): Need {
  return WRITE[reg]!
}

function loadNeeds(prog: Prog, slot: number, signed: boolean): Need[] {
  const [dst, src] = [prog.dst[slot]!, prog.src[slot]!]
  return [read(src), write(dst), memory(prog, slot, 'read', src, dst, signed)]
}

function storeNeeds(prog: Prog, slot: number): Need[] {
  if (prog.imm[slot] !== 0) return [{ kind: 'fields', message: 'BPF_STX uses reserved fields' }]
  const [dst, src] = [prog.dst[slot]!, prog.src[slot]!]
  return [read(src), read(dst), memory(prog, slot, 'write', dst, src)]
}

function storeImmNeeds(prog: Prog, slot: number): Need[] {
  if (prog.src[slot] !== 0) return [{ kind: 'fields', message: 'BPF_ST uses reserved fields' }]
  const dst = prog.dst[slot]!
  return [read(dst), memory(prog, slot, 'write', dst, undefined)]
}

const READ_MODIFY_WRITE: ReadonlySet<number> = new Set([0, 1, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1])
export const LOAD_ACQUIRE = 0x100
export const STORE_RELEASE = 0x110
export const CMPXCHG = 0xf1

function atomicNeeds(prog: Prog, slot: number): Need[] {
  const imm = prog.imm[slot]!
  const [dst, src] = [prog.dst[slot]!, prog.src[slot]!]
  if (imm === LOAD_ACQUIRE)
    return [
      read(src),
      write(dst),
      memory(prog, slot, 'read', src, dst, false, true),
      { kind: 'atomicPlace', reg: src, verb: 'loads from' },
    ]
  if (imm === STORE_RELEASE)
    return [
      read(src),
      read(dst),
      memory(prog, slot, 'write', dst, src, false, true),
      { kind: 'atomicPlace', reg: dst, verb: 'stores into' },
    ]
  if (!READ_MODIFY_WRITE.has(imm))
    return [
      { kind: 'never', message: `BPF_ATOMIC uses invalid atomic opcode ${(imm >>> 0).toString(16).padStart(2, '0')}` },
    ]
  const size = sizeOf(prog.opcode[slot]!)
  if (size < 4) return [{ kind: 'never', message: 'invalid atomic operand size' }]
  const needs: Need[] = [read(src), read(dst)]
  if (imm === CMPXCHG) needs.push(read(0), { kind: 'number', reg: 0, why: 'leaks addr into mem' })
  needs.push({ kind: 'number', reg: src, why: 'leaks addr into mem' })
  needs.push({ kind: 'atomicPlace', reg: dst, verb: 'stores into' })
  const loaded = imm & 1 ? (imm === CMPXCHG ? 0 : src) : undefined
  if (loaded !== undefined) needs.push(write(loaded))
  needs.push(
    memory(prog, slot, 'read', dst, undefined, false, true),
    memory(prog, slot, 'write', dst, undefined, false, true),
  )
  return needs
}

function aluNeeds(prog: Prog, slot: number): Need[] {
  const opcode = prog.opcode[slot]!
  const [dst, src, off, imm] = [prog.dst[slot]!, prog.src[slot]!, prog.off[slot]!, prog.imm[slot]!]
  const wide = (opcode & 7) === 7
  const op = opcode & 0xf0
  const byReg = (opcode & 8) !== 0
  const bad = (what: string): Need[] => [{ kind: 'fields', message: `${what} uses reserved fields` }]
  if (op === 0x80) {
    if (byReg || src !== 0 || off !== 0 || imm !== 0) return bad('BPF_NEG')
    return [read(dst), { kind: 'number', reg: dst, why: 'pointer arithmetic prohibited' }, write(dst)]
  }
  if (op === 0xd0) {
    if (src !== 0 || off !== 0 || (imm !== 16 && imm !== 32 && imm !== 64) || (wide && byReg)) return bad('BPF_END')
    return [read(dst), { kind: 'number', reg: dst, why: 'pointer arithmetic prohibited' }, write(dst)]
  }
  if (op === 0xb0) {
    if (!byReg) return src !== 0 || off !== 0 ? bad('BPF_MOV') : [write(dst)]
    const extends_ = off === 8 || off === 16 || (wide && off === 32)
    if (imm !== 0 || (off !== 0 && !extends_)) return bad('BPF_MOV')
    return [read(src), write(dst)]
  }
  const signedDivision = (op === 0x30 || op === 0x90) && off === 1
  if (byReg ? imm !== 0 : src !== 0) return bad('BPF_ALU')
  if (off !== 0 && !signedDivision) return bad('BPF_ALU')
  const needs: Need[] = byReg ? [read(src), read(dst)] : [read(dst)]
  if (!byReg && (op === 0x30 || op === 0x90) && imm === 0) needs.push({ kind: 'never', message: 'div by zero' })
  const isShift = op === 0x60 || op === 0x70 || op === 0xc0
  if (!byReg && isShift && (imm < 0 || imm >= (wide ? 64 : 32)))
    needs.push({ kind: 'never', message: `invalid shift ${imm}` })
  needs.push(write(dst))
  return needs
}
