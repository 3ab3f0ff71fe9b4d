// Instructions to bytes and back. RFC 9669 §3: little endian, 8 bytes a slot.
//
//   byte 0   1            2 3   4 5 6 7
//   opcode   src4 | dst4  off   imm          dst is the low nibble

import Long from 'long'
import type { Insn } from './insn.ts'
import { type FieldUse, type InsnSpec, specsByOpcode } from './isa.ts'

/** The bytes of a program: 8 for each slot. */
export function encode(program: readonly Insn[]): Uint8Array {
  let slots = 0
  for (let i = 0; i < program.length; i++) slots += program[i]!.spec.slots
  const bytes = new Uint8Array(slots * 8)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let i = 0; i < program.length; i++) {
    const { spec, dst, src, off, imm, imm64 } = program[i]!
    bytes[at] = spec.opcode
    bytes[at + 1] = (src << 4) | (dst & 0xf)
    view.setInt16(at + 2, off, true)
    view.setInt32(at + 4, imm, true)
    if (spec.slots === 2) view.setInt32(at + 12, imm64?.high ?? 0, true)
    at += spec.slots * 8
  }
  return bytes
}

/** A slot that is no valid instruction: where, why, and what it holds. */
export interface BadSlot {
  readonly slot: number
  readonly reason: string
  /** The field that should be 0, if the instruction is known and only that is wrong. */
  readonly field?: FieldUse
  /** The bytes as hex: of one slot, of both of a 64-bit immediate, or fewer at the end. */
  readonly hex: string
}

export interface Decoded {
  readonly program: readonly Insn[]
  /** Empty if every slot is a valid instruction. */
  readonly bad: readonly BadSlot[]
}

export interface DecodeOptions {
  /**
   * Keep instructions whose opcode is known though a reserved field is not 0: a verifier wants to refuse them itself.
   * They are listed in `bad` all the same. Default false: slots that are bad are missing from the program.
   */
  readonly keepReserved?: boolean
}

/** Decodes bytes; never throws. A length that is no multiple of 8 is reported at the incomplete slot. */
export function decode(bytes: Uint8Array, { keepReserved = false }: DecodeOptions = {}): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const program: Insn[] = []
  const bad: BadSlot[] = []
  const slots = Math.floor(bytes.length / 8)
  for (let slot = 0; slot < slots; slot++) {
    const { insn, reason, field } = decodeSlot(view, slot, slots)
    if (reason !== undefined)
      bad.push({ slot, reason, ...(field && { field }), hex: hex(bytes, slot, insn?.spec.slots ?? 1) })
    if (!insn) continue
    if (reason === undefined || keepReserved) program.push(insn)
    slot += insn.spec.slots - 1
  }
  if (bytes.length % 8 !== 0) {
    bad.push({ slot: slots, reason: `${bytes.length % 8} bytes are no whole instruction`, hex: hex(bytes, slots, 1) })
  }
  return { program, bad }
}

function hex(bytes: Uint8Array, slot: number, count: number): string {
  return Array.from(bytes.subarray(slot * 8, (slot + count) * 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

interface Slot {
  readonly insn?: Insn
  readonly reason?: string
  readonly field?: FieldUse
}

function decodeSlot(view: DataView, slot: number, slots: number): Slot {
  const at = slot * 8
  const opcode = view.getUint8(at)
  const registers = view.getUint8(at + 1)
  const dst = registers & 0xf
  const src = registers >> 4
  const off = view.getInt16(at + 2, true)
  const imm = view.getInt32(at + 4, true)
  for (const each of EXACT[opcode] ?? exactly(opcode)) {
    if (each.dst !== undefined && each.dst !== dst) continue
    if (each.src !== undefined && each.src !== src) continue
    if (each.off !== undefined && each.off !== off) continue
    if (each.imm !== undefined && each.imm !== imm) continue
    if (each.spec.slots === 1) return { insn: { spec: each.spec, dst, src, off, imm } }
    break
  }
  return decodeRest(view, slot, slots, { opcode, dst, src, off, imm })
}

/** By opcode, once it was met: its forms, with the values that fields must have which a form does not use. */
const EXACT: ReturnType<typeof exactly>[] = new Array(256)

function exactly(opcode: number) {
  const forms = specsByOpcode(opcode).map((spec) => {
    const must = (field: 'dst' | 'src' | 'off' | 'imm') =>
      spec.uses.has(field) ? undefined : ((field === 'dst' ? undefined : spec.fixed[field]) ?? 0)
    return { spec, dst: must('dst'), src: must('src'), off: must('off'), imm: must('imm') }
  })
  EXACT[opcode] = forms
  return forms
}

interface Raw {
  readonly opcode: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
}

/** A 64-bit immediate, or what is wrong with an instruction. */
function decodeRest(view: DataView, slot: number, slots: number, { opcode, dst, src, off, imm }: Raw): Slot {
  const at = slot * 8
  const specs = specsByOpcode(opcode)
  let spec = specs[0]
  if (!spec) return { reason: `unknown opcode ${byte(opcode)}` }
  let wrong: Slot = {}
  if (specs.length > 1) {
    spec = specs.find(({ fixed }) => agrees(fixed.src, src) && agrees(fixed.off, off) && agrees(fixed.imm, imm))
    if (!spec) {
      wrong = unknownVariant(specs, opcode, { src, off, imm })
      spec = specs[0]!
    }
  }
  if (wrong.field === undefined) {
    const { uses, fixed } = spec
    if (!uses.has('dst') && dst !== 0) wrong = reserved(opcode, 'dst')
    else if (!uses.has('src') && src !== (fixed.src ?? 0)) wrong = reserved(opcode, 'src')
    else if (!uses.has('off') && off !== (fixed.off ?? 0)) wrong = reserved(opcode, 'off')
    else if (!uses.has('imm') && imm !== (fixed.imm ?? 0)) wrong = reserved(opcode, 'imm')
  }
  if (spec.slots === 1) return { insn: { spec, dst, src, off, imm }, ...wrong }
  if (slot + 1 >= slots) return { reason: 'the second half of a 64-bit immediate is missing' }
  if (view.getUint32(at + 8, true) !== 0) {
    return { reason: 'reserved fields of the second half of a 64-bit immediate are not 0' }
  }
  const high = view.getInt32(at + 12, true)
  if (!spec.uses.has('next_imm') && high !== 0 && wrong.field === undefined) wrong = reserved(opcode, 'next_imm')
  return { insn: { spec, dst, src, off, imm, imm64: Long.fromBits(imm, high) }, ...wrong }
}

const agrees = (fixed: number | undefined, value: number): boolean => fixed === undefined || fixed === value
const byte = (value: number): string => value.toString(16).padStart(2, '0')

function reserved(opcode: number, field: FieldUse): Slot {
  return { reason: `reserved field ${field} is not 0 for opcode ${byte(opcode)}`, field }
}

/** The opcode has variants, told apart by one field, and the value there is none of theirs. */
function unknownVariant(
  specs: readonly InsnSpec[],
  opcode: number,
  raw: { src: number; off: number; imm: number },
): Slot {
  const field = (['src', 'off', 'imm'] as const).find((name) => specs.some(({ fixed }) => fixed[name] !== undefined))!
  const values = [...new Set(specs.map(({ fixed }) => fixed[field]!))].map((value) => `${value}`)
  return { reason: `${field} ${raw[field]} is not one of ${values.join(', ')} for opcode ${byte(opcode)}`, field }
}
