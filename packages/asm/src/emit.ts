// Programs for other tools: hexadecimal, a C array, JSON; and bytes that may hold no program at all as a listing.

import Long from 'long'
import { decode, encode } from './codec.ts'
import { type Insn, insn } from './insn.ts'
import { specByName } from './isa.ts'
import { formatInsn } from './text/print.ts'
import type { Dialect } from './text/templates.ts'

const digits = (value: number, width: number): string => value.toString(16).padStart(width, '0')

/** 16 digits a slot, one slot a line. */
export function emitHex(program: readonly Insn[]): string {
  return lines(encode(program), 8, (slot) => Array.from(slot, (byte) => digits(byte, 2)).join(''))
}

/** A C array of `struct bpf_insn` with each instruction's text as a comment. Needs linux/bpf.h and nothing else. */
export function emitC(program: readonly Insn[], name = 'program'): string {
  const rows = program.flatMap(({ spec, dst, src, off, imm, imm64 }, i) => {
    const first = `  { .code = 0x${digits(spec.opcode, 2)}, .dst_reg = ${dst}, .src_reg = ${src}, .off = ${off}, .imm = ${c32(imm)} },`
    const second = spec.slots === 2 ? [`  { .imm = ${c32(imm64?.high ?? 0)} },`] : []
    return [`${first} /* ${formatInsn(program[i]!).slice(5).replaceAll('*/', '* /')} */`, ...second]
  })
  return `static const struct bpf_insn ${name}[] = {\n${rows.join('\n')}\n};\n`
}

/** -2147483648 is an expression of the wrong type in C. */
const c32 = (imm: number): string => (imm === -0x80000000 ? '(-2147483647 - 1)' : `${imm}`)

function lines(bytes: Uint8Array, width: number, line: (part: Uint8Array) => string): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += width) text += `${line(bytes.subarray(at, at + width))}\n`
  return text
}

/** One instruction as JSON. `imm64` is exact: signed decimal, and all 64 bits in hexadecimal. */
export interface InsnJson {
  readonly slot: number
  readonly form: string
  readonly opcode: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
  readonly imm64?: { readonly decimal: string; readonly hex: string }
  readonly text: string
  readonly rule?: number
  readonly for?: string
}

/** A program as values for `JSON.stringify`. */
export function toJson(program: readonly Insn[]): InsnJson[] {
  let slot = 0
  return program.map((one) => {
    const { spec, dst, src, off, imm, imm64, origin } = one
    const at = slot
    slot += spec.slots
    return {
      slot: at,
      form: spec.name,
      opcode: spec.opcode,
      dst,
      src,
      off,
      imm,
      ...(imm64 && { imm64: { decimal: imm64.toSigned().toString(), hex: `0x${imm64.toUnsigned().toString(16)}` } }),
      text: formatInsn(one),
      ...(origin?.rule !== undefined && { rule: origin.rule }),
      ...(origin && { for: origin.text }),
    }
  })
}

/**
 * The program of such values; `text`, `slot` and `opcode` are not looked at.
 * @throws RangeError for a form that there is not.
 */
export function fromJson(rows: readonly Pick<InsnJson, 'form' | 'dst' | 'src' | 'off' | 'imm' | 'imm64'>[]): Insn[] {
  return rows.map(({ form, dst, src, off, imm, imm64 }) => {
    const spec = specByName(form)
    return insn(spec, { dst, src, off, imm, ...(imm64 && { imm64: Long.fromString(imm64.decimal) }) })
  })
}

/** Bytes as a listing, slot by slot; what is no instruction stands there as data with the reason behind it. */
export function disassembleBytes(bytes: Uint8Array, dialect: Dialect = 'kernel'): string {
  const { program, bad } = decode(bytes)
  const wrong = new Map(bad.map((each) => [each.slot, each]))
  let text = ''
  let next = 0
  for (let slot = 0; slot * 8 < bytes.length; ) {
    const reason = wrong.get(slot)
    if (reason) {
      text += `${`${slot}`.padStart(4)}: .byte ${reason.hex.replace(/..(?=.)/g, '$& ')} ; ${reason.reason}\n`
      slot += Math.ceil(reason.hex.length / 16)
      continue
    }
    const one = program[next++]!
    text += `${`${slot}`.padStart(4)}: ${formatInsn(one, { dialect, slot })}\n`
    slot += one.spec.slots
  }
  return text
}
