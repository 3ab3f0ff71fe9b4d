// `netsieve asm`: assembly in any dialect to bytes, objects, C, JSON.

import { DIALECTS } from '@netsieve/asm'
import { type Command, Option } from 'commander'
import { FORMS, type FormFlags } from './forms.ts'
import { writeOutput } from './io.ts'
import { readObject } from './program.ts'
import { PROG_NAMES } from './rules.ts'

interface AsmFlags extends FormFlags {
  readonly dialect?: string
  readonly emit: string
  readonly output?: string
}

export function define(command: Command, done: (exitCode: number) => void): void {
  command
    .argument('<file>', 'assembly; - is stdin')
    .option('--dialect <name>', `one of ${DIALECTS.join(', ')}; by default what the text looks like`)
    .addOption(new Option('--emit <form>', 'what to write').choices(Object.keys(FORMS)).default('hex'))
    .option('-o, --output <file>', 'where to; - is stdout')
    .option('--program <name>', 'which program, if there are several')
    .addOption(
      new Option('--prog <type>', 'elf: program type of code without a section').choices(PROG_NAMES).default('xdp'),
    )
    .action((file: string, flags: AsmFlags) => done(asm(file, flags)))
}

export function asm(file: string, flags: AsmFlags): number {
  const object = readObject(file, flags)
  writeOutput(flags.output, FORMS[flags.emit]!(object, file, flags))
  return 0
}
