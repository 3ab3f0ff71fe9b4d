// A program as the kernel counts it: by slots of 8 bytes, LD_IMM64 taking two. Made from instructions or from raw bytes,
// where anything may stand in a slot.

import { encode, type Insn, type InsnSpec, slotTable, specsByOpcode } from '@netsieve/asm'

export interface Prog {
  readonly length: number
  readonly opcode: Uint8Array
  readonly dst: Uint8Array
  readonly src: Uint8Array
  readonly off: Int16Array
  readonly imm: Int32Array
  /** The form of each slot's instruction; undefined for an unknown opcode, unknown fixed fields and second halves. */
  readonly spec: readonly (InsnSpec | undefined)[]
  /** Slots that are the second half of an LD_IMM64. */
  readonly secondHalf: Uint8Array
  /** Index of the instruction of each slot. */
  readonly insnOf: Uint32Array
}

/** @throws RangeError if a field does not fit its place in the encoding. */
export function fromInsns(program: readonly Insn[]): Prog {
  const slots = slotTable(program)
  const insnOf = new Uint32Array(slots[program.length]!)
  for (let i = 0; i < program.length; i++) insnOf.fill(i, slots[i], slots[i + 1])
  return { ...fromBytes(encode(program)), insnOf }
}

/** Bytes of whole slots; a rest that is no slot is left out. */
export function fromBytes(bytes: Uint8Array): Prog {
  const length = bytes.length >> 3
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const prog = {
    length,
    opcode: new Uint8Array(length),
    dst: new Uint8Array(length),
    src: new Uint8Array(length),
    off: new Int16Array(length),
    imm: new Int32Array(length),
    spec: new Array<InsnSpec | undefined>(length).fill(undefined),
    secondHalf: new Uint8Array(length),
    insnOf: new Uint32Array(length),
  }
  let insns = 0
  for (let slot = 0; slot < length; slot++) {
    prog.opcode[slot] = view.getUint8(slot * 8)
    prog.dst[slot] = view.getUint8(slot * 8 + 1) & 0xf
    prog.src[slot] = view.getUint8(slot * 8 + 1) >> 4
    prog.off[slot] = view.getInt16(slot * 8 + 2, true)
    prog.imm[slot] = view.getInt32(slot * 8 + 4, true)
    if (slot > 0 && prog.opcode[slot - 1] === 0x18 && !prog.secondHalf[slot - 1]) prog.secondHalf[slot] = 1
    else {
      prog.spec[slot] = formOf(prog, slot)
      insns++
    }
    prog.insnOf[slot] = insns - 1
  }
  return prog
}

function formOf(prog: Pick<Prog, 'opcode' | 'src' | 'off' | 'imm'>, slot: number): InsnSpec | undefined {
  return specsByOpcode(prog.opcode[slot]!).find(
    ({ fixed }) =>
      (fixed.src === undefined || fixed.src === prog.src[slot]) &&
      (fixed.off === undefined || fixed.off === prog.off[slot]) &&
      (fixed.imm === undefined || fixed.imm === prog.imm[slot]),
  )
}

/** Where a jump or goto leads: the slot. */
export function jumpTarget(prog: Prog, slot: number): number {
  return slot + 1 + (prog.opcode[slot] === 0x06 ? prog.imm[slot]! : prog.off[slot]!)
}
