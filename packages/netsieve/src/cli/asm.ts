// `netsieve asm`: assembly in any dialect to bytes, objects, C, JSON.

import { type BpfObject, DIALECTS, emitC, emitHex, encode, SECTION_OF_TYPE, toJson, writeElf } from '@netsieve/asm'
import { type Command, Option } from 'commander'
import { writeOutput } from './io.ts'
import { programOf, readObject } from './program.ts'
import { progOf } from './rules.ts'

interface AsmFlags {
  readonly dialect?: string
  readonly emit: string
  readonly output?: string
  readonly program?: string
  readonly prog: string
}

const EMITS: Readonly<Record<string, (object: BpfObject, path: string, flags: AsmFlags) => string | Uint8Array>> = {
  hex: (object, path, { program }) => emitHex(programOf(object, path, program).insns),
  bin: (object, path, { program }) => encode(programOf(object, path, program).insns),
  c: (object, path, { program }) => emitC(programOf(object, path, program).insns),
  json: (object, path, { program }) =>
    `${JSON.stringify({ v: 1, instructions: toJson(programOf(object, path, program).insns) }, undefined, 2)}\n`,
  elf: (object, path, { prog }) => writeElf(withSections(object, prog), { file: path }),
}

/** Programs without a section get that of the program type asked for. */
function withSections(object: BpfObject, prog: string): BpfObject {
  const programs = object.programs.map((one) =>
    one.section === 'prog' ? { ...one, section: SECTION_OF_TYPE[progOf(prog)] } : one,
  )
  return { ...object, programs }
}

export function define(command: Command, done: (exitCode: number) => void): void {
  command
    .argument('<file>', 'assembly; - is stdin')
    .option('--dialect <name>', `one of ${DIALECTS.join(', ')}; by default what the text looks like`)
    .addOption(new Option('--emit <form>', 'what to write').choices(Object.keys(EMITS)).default('hex'))
    .option('-o, --output <file>', 'where to; - is stdout')
    .option('--program <name>', 'which program, if there are several')
    .addOption(
      new Option('--prog <type>', 'elf: program type of code without a section')
        .choices(['xdp', 'tc', 'socket'])
        .default('xdp'),
    )
    .action((file: string, flags: AsmFlags) => done(asm(file, flags)))
}

export function asm(file: string, flags: AsmFlags): number {
  const object = readObject(file, flags)
  writeOutput(flags.output, EMITS[flags.emit]!(object, file, flags))
  return 0
}
