// Objects that clang made of the C sources beside this file: their programs, each with all that a loader tells the kernel of it.

import { readdirSync, readFileSync } from 'node:fs'
import { type Insn, type ProgTypeName, readElf } from '@netsieve/asm'
import type { VerifyOptions } from '@netsieve/verifier'

const FOLDER = new URL('../../test/verifier/objects/', import.meta.url)

export interface ObjectProgram {
  /** `file/program`. */
  readonly name: string
  readonly program: readonly Insn[]
  readonly options: Pick<VerifyOptions, 'maps' | 'functions' | 'license'> & { readonly type: ProgTypeName }
}

export function objectPrograms(): ObjectProgram[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.o'))
    .flatMap((file) => {
      const { value, diagnostics } = readElf(new Uint8Array(readFileSync(new URL(file, FOLDER))))
      if (!value) throw new Error(`${file}: ${diagnostics[0]?.message}`)
      return value.programs.map(({ name, type, insns, functions }) => ({
        name: `${file.replace('.o', '')}/${name}`,
        program: insns,
        options: { type: type!, maps: value.maps, functions, ...(value.license && { license: value.license }) },
      }))
    })
}
