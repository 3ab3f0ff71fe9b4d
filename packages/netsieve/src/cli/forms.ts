// The forms in which a program is written for other tools: the same for whatever it was read from.

import { type BpfObject, emitC, emitHex, encode, sectionOf, toJson, UnwritableError, writeElf } from '@netsieve/asm'
import { say, Trouble } from './io.ts'
import { programOf } from './program.ts'
import { progOf, sideOf } from './rules.ts'

export interface FormFlags {
  /** Which program, if there are several. */
  readonly program?: string
  /** The program type of code without a section. */
  readonly prog: string
}

/** Forms by name. */
export const FORMS: Readonly<
  Record<string, (object: BpfObject, path: string, flags: FormFlags) => string | Uint8Array>
> = {
  hex: (object, path, { program }) => emitHex(programOf(object, path, program).insns),
  bin: (object, path, { program }) => encode(programOf(object, path, program).insns),
  c: (object, path, { program }) => emitC(programOf(object, path, program).insns),
  json: (object, path, { program }) =>
    `${JSON.stringify({ v: 1, instructions: toJson(programOf(object, path, program).insns) }, undefined, 2)}\n`,
  elf: elfOf,
}

/** @throws Trouble for what no object can say */
function elfOf(object: BpfObject, path: string, { prog }: FormFlags): Uint8Array {
  try {
    return writeElf(withSections(object, prog), { file: path })
  } catch (error) {
    if (!(error instanceof UnwritableError)) throw error
    const { message, span } = error
    say([{ severity: 'error', code: 'asm/object', message, ...(span && { span }) }], path)
    throw new Trouble('')
  }
}

/** Programs without a section get that of the program type asked for. */
function withSections(object: BpfObject, prog: string): BpfObject {
  const section = sectionOf(progOf(prog), sideOf(prog))
  const programs = object.programs.map((one) => (one.section === 'prog' ? { ...one, section } : one))
  return { ...object, programs }
}
