// Programs from files: ELF objects, bytes, hex text, JSON, assembly in any dialect; found out from the content.

import {
  assemble,
  type BpfObject,
  DIALECTS,
  type Dialect,
  decode,
  fromJson,
  type Insn,
  type Program,
  readElf,
} from '@netsieve/asm'
import { source } from '@netsieve/diag'
import { nameOf, readBytes, say, Trouble } from './io.ts'

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46]

export interface ReadOptions {
  readonly dialect?: string | undefined
  /** Keep instructions with reserved fields that are not 0: for a verifier, which refuses them itself. */
  readonly keepReserved?: boolean
}

export function dialectOf(name: string | undefined): Dialect | undefined {
  if (name === undefined || name === 'auto') return undefined
  const found = DIALECTS.find((dialect) => dialect === name)
  if (!found) throw new Trouble(`error: no dialect ${name}; there are ${DIALECTS.join(', ')} [cli/dialect]`)
  return found
}

/** A file as it is: an object of some kind, or the bytes of a program, which may be no instructions. */
export type ProgramFile =
  | { readonly kind: 'object'; readonly object: BpfObject }
  | { readonly kind: 'bytes'; readonly name: string; readonly bytes: Uint8Array }

/** Everything a file holds. @throws Trouble */
export function readObject(path: string, options: ReadOptions = {}): BpfObject {
  const file = readProgramFile(path, options)
  return file.kind === 'object' ? file.object : objectOf(fromBytes(file.name, file.bytes, options))
}

/** @throws Trouble */
export function readProgramFile(path: string, options: ReadOptions = {}): ProgramFile {
  const name = nameOf(path)
  const bytes = readBytes(path)
  if (bytes.length === 0) throw new Trouble(`${name}: error: this file is empty [program/empty]`)
  if (ELF_MAGIC.every((byte, i) => bytes[i] === byte)) {
    const { value, diagnostics } = readElf(bytes)
    say(diagnostics, name)
    if (!value) throw new Trouble('')
    return { kind: 'object', object: value }
  }
  if (bytes.includes(0)) return { kind: 'bytes', name, bytes }
  const text = new TextDecoder().decode(bytes)
  const digits = text.replace(/\s+/g, '')
  if (/^(?:[0-9a-f]{16})+$/i.test(digits)) {
    return { kind: 'bytes', name, bytes: Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16)) }
  }
  if (/^[[{]/.test(digits)) return { kind: 'object', object: objectOf(fromJsonText(name, text)) }
  const dialect = dialectOf(options.dialect)
  const { value, diagnostics } = assemble(source(name, text), { ...(dialect && { dialect }) })
  say(diagnostics)
  if (!value) throw new Trouble('')
  return { kind: 'object', object: value }
}

/** The one program of a file, or the one that is named. @throws Trouble */
export function programOf(object: BpfObject, path: string, wanted?: string): Program {
  const names = object.programs.map(({ name }) => name).join(', ')
  if (wanted !== undefined) {
    const found = object.programs.find(({ name, section }) => name === wanted || section === wanted)
    if (!found) throw new Trouble(`${path}: error: there is no program ${wanted}; there are ${names} [program/name]`)
    return found
  }
  const [first, second] = object.programs
  if (!first) throw new Trouble(`${path}: error: there is no program in this file [program/empty]`)
  if (second)
    throw new Trouble(
      `${path}: error: there are several programs: choose one of ${names} with --program [program/several]`,
    )
  return first
}

/** A program by itself as an object. */
export function objectOf(insns: readonly Insn[]): BpfObject {
  return {
    programs: [{ name: 'program', section: 'prog', insns, functions: [{ name: 'program', slot: 0 }] }],
    maps: [],
    data: [],
  }
}

function fromBytes(name: string, bytes: Uint8Array, { keepReserved = false }: ReadOptions): Insn[] {
  const { program, bad } = decode(bytes, { keepReserved })
  const first = bad.find(({ field }) => !(keepReserved && field !== undefined))
  if (first) throw new Trouble(`${name}: error: instruction ${first.slot}: ${first.reason} [program/decode]`)
  return [...program]
}

/** What `asm --emit json`, `disasm --emit json` and `compile --emit json` print. */
function fromJsonText(name: string, text: string): Insn[] {
  try {
    const value = JSON.parse(text) as { instructions?: unknown } | readonly unknown[]
    const rows = Array.isArray(value) ? value : (value as { instructions?: unknown }).instructions
    if (!Array.isArray(rows)) throw new RangeError('there is no list of instructions')
    return fromJson(rows as Parameters<typeof fromJson>[0])
  } catch (error) {
    throw new Trouble(
      `${name}: error: this JSON is no program: ${error instanceof Error ? error.message : String(error)} [program/json]`,
    )
  }
}
