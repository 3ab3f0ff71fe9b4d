// What the hand corpus is made of: a case, the maps of all cases, and programs from text or from raw slots.

import { assemble, encode, type FunctionDef, type FunctionProto, type MapDef, type ProgTypeName } from '@netsieve/asm'
import type { VerifyOptions } from '@netsieve/verifier'

/** How a case is loaded, apart from its type. */
export type CaseOptions = Pick<
  VerifyOptions,
  'loader' | 'strictAlignment' | 'functions' | 'license' | 'attach' | 'maps'
>

export interface Case {
  readonly name: string
  readonly type: ProgTypeName
  readonly bytes: Uint8Array
  readonly options: CaseOptions
}

/** The maps of every case that has no others, named by index. */
export const CORPUS_MAPS: readonly MapDef[] = [
  { name: 'm', type: 'array', keySize: 4, valueSize: 16, maxEntries: 4 },
  { name: 'm', type: 'hash', keySize: 8, valueSize: 48, maxEntries: 16 },
  { name: 'm', type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 4 },
  { name: 'm', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 4096 },
  { name: 'm', type: 'percpu_array', keySize: 4, valueSize: 8, maxEntries: 2 },
  { name: 'm', type: 'array', keySize: 4, valueSize: 24, maxEntries: 1 },
  { name: 'm', type: 'queue', keySize: 0, valueSize: 8, maxEntries: 4 },
  { name: 'm', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 4, flags: 0x80 },
  { name: 'm', type: 'array', keySize: 4, valueSize: 8, maxEntries: 4, flags: 0x100 },
  { name: 'm', type: 'perf_event_array', keySize: 4, valueSize: 4, maxEntries: 4 },
  { name: 'm', type: 'lpm_trie', keySize: 8, valueSize: 8, maxEntries: 4, flags: 1 },
]

/** The bytes of a program whose instructions are parted by semicolons. */
export function program(text: string): Uint8Array {
  const { value, diagnostics } = assemble({ name: 'case', text: text.split(/; */).join('\n') }, { dialect: 'kernel' })
  if (!value) throw new Error(`${diagnostics[0]?.message}: ${text}`)
  return encode(value.programs[0]!.insns)
}

const LOCAL: FunctionProto = { global: false, params: [], returns: 'scalar' }

/** BTF for the functions of a program, found by the labels that are called or pointed to; those without a type are local. */
export function described(text: string, protos: Readonly<Record<string, FunctionProto>>): FunctionDef[] {
  const labels = new Map<string, number>()
  const used = new Set<string>()
  let slot = 0
  for (const statement of text.split(/; */)) {
    const [, names = '', insn = ''] = /^((?:\w+: *)*)(.*)$/.exec(statement.trim())!
    for (const name of names.split(/: */).filter(Boolean)) labels.set(name, slot)
    const target = /^call ([a-z]\w*)$/.exec(insn) ?? /= ([a-z]\w*) ll$/.exec(insn)
    if (target) used.add(target[1]!)
    if (insn !== '') slot += / ll$|= map\[/.test(insn) ? 2 : 1
  }
  const functions = [...used].map((name) => ({ name, slot: labels.get(name)!, proto: protos[name] ?? LOCAL }))
  return [{ name: 'main', slot: 0 }, ...functions.sort((a, b) => a.slot - b.slot)]
}

/** Raw slots: [opcode, dst, src, off, imm] each. */
export function raw(slots: readonly (readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(slots.length * 8)
  const view = new DataView(bytes.buffer)
  slots.forEach(([opcode = 0, dst = 0, src = 0, off = 0, imm = 0], i) => {
    bytes[i * 8] = opcode
    bytes[i * 8 + 1] = (src << 4) | dst
    view.setInt16(i * 8 + 2, off, true)
    view.setInt32(i * 8 + 4, imm, true)
  })
  return bytes
}

/** Sets r0 and ends. */
export const END = 'r0 = 0; exit'
