// Instructions to bytes and back. RFC 9669 §3: little endian, 8 bytes a slot.
//
//   byte 0   1            2 3   4 5 6 7
//   opcode   src4 | dst4  off   imm          dst is the low nibble

import Long from 'long'
import type { Insn } from './insn.ts'
import { type InsnSpec, specsByOpcode } from './isa.ts'

/** The bytes of a program: 8 for each slot. */
export function encode(program: readonly Insn[]): Uint8Array {
  const slots = program.reduce((sum, { spec }) => sum + spec.slots, 0)
  const bytes = new Uint8Array(slots * 8)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const { spec, dst, src, off, imm, imm64 } of program) {
    bytes[at] = spec.opcode
    bytes[at + 1] = (src << 4) | (dst & 0xf)
    view.setInt16(at + 2, off, true)
    view.setInt32(at + 4, imm, true)
    if (spec.slots === 2) view.setInt32(at + 12, imm64?.high ?? 0, true)
    at += spec.slots * 8
  }
  return bytes
}

/** A slot that is no valid instruction: where, and why. */
export interface BadSlot {
  readonly slot: number
  readonly reason: string
}

export interface Decoded {
  readonly program: readonly Insn[]
  /** Empty if every slot is a valid instruction; slots named here are missing from `program`. */
  readonly bad: readonly BadSlot[]
}

/** Decodes bytes; never throws. A length that is no multiple of 8 is reported at the incomplete slot. */
export function decode(bytes: Uint8Array): Decoded {
  const program: Insn[] = []
  const bad: BadSlot[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const slots = Math.floor(bytes.length / 8)
  for (let slot = 0; slot < slots; slot++) {
    const one = decodeSlot(view, slot, slots)
    if (typeof one === 'string') bad.push({ slot, reason: one })
    else {
      program.push(one)
      slot += one.spec.slots - 1
    }
  }
  if (bytes.length % 8 !== 0) bad.push({ slot: slots, reason: `${bytes.length % 8} bytes are no whole instruction` })
  return { program, bad }
}

function decodeSlot(view: DataView, slot: number, slots: number): Insn | string {
  const at = slot * 8
  const opcode = view.getUint8(at)
  const registers = view.getUint8(at + 1)
  const raw = {
    dst: registers & 0xf,
    src: registers >> 4,
    off: view.getInt16(at + 2, true),
    imm: view.getInt32(at + 4, true),
  }
  const specs = specsByOpcode(opcode)
  if (specs.length === 0) return `unknown opcode ${opcode.toString(16).padStart(2, '0')}`
  const spec = specs.find(({ fixed }) =>
    (['src', 'off', 'imm'] as const).every((f) => fixed[f] === undefined || fixed[f] === raw[f]),
  )
  const reserved = reservedField(spec ?? specs[0]!, raw)
  if (!spec || reserved)
    return `reserved field ${reserved ?? 'off'} is not 0 for opcode ${opcode.toString(16).padStart(2, '0')}`
  if (spec.slots === 1) return { spec, ...raw }
  if (slot + 1 >= slots) return 'the second half of a 64-bit immediate is missing'
  if (view.getUint32(at + 8, true) !== 0) return 'reserved fields of the second half of a 64-bit immediate are not 0'
  return { spec, ...raw, imm64: Long.fromBits(raw.imm, view.getInt32(at + 12, true)) }
}

function reservedField(
  spec: InsnSpec,
  raw: { dst: number; src: number; off: number; imm: number },
): string | undefined {
  for (const field of ['dst', 'src', 'off', 'imm'] as const) {
    const fixed = field === 'dst' ? undefined : spec.fixed[field]
    if (!spec.uses.has(field) && raw[field] !== (fixed ?? 0)) return field
  }
  return undefined
}
