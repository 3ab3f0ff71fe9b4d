// `netsieve disasm`: bytes, objects and assembly as text in a dialect, as JSON, as C, as a control-flow graph.

import { DIALECTS, disassemble, disassembleBytes, drawCfg, listObject } from '@netsieve/asm'
import { type Command, Option } from 'commander'
import { FORMS, type FormFlags } from './forms.ts'
import { readBytes, Trouble, writeOutput } from './io.ts'
import { dialectOf, programOf, readObject } from './program.ts'
import { PROG_NAMES } from './rules.ts'

interface DisasmFlags extends FormFlags {
  readonly dialect: string
  readonly emit: string
  readonly cfg?: 'dot' | 'mermaid'
  readonly origins?: boolean
  readonly output?: string
  readonly raw?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  command
    .argument('<file>', 'ELF object, bytes, hex text, JSON or assembly; - is stdin')
    .option('--dialect <name>', `one of ${DIALECTS.join(', ')}`, 'kernel')
    .addOption(new Option('--emit <form>', 'what to write').choices(['asm', ...Object.keys(FORMS)]).default('asm'))
    .addOption(new Option('--cfg <form>', 'draw the control flow instead').choices(['dot', 'mermaid']))
    .option('--origins', 'what instructions are for, as comments')
    .option('--program <name>', 'which program, if there are several; asm shows all')
    .addOption(
      new Option('--prog <type>', 'elf: program type of code without a section').choices(PROG_NAMES).default('xdp'),
    )
    .option('--raw', 'bytes that may be no program: what is no instruction is shown as data')
    .option('-o, --output <file>', 'where to; - is stdout')
    .action((file: string, flags: DisasmFlags) => done(disasm(file, flags)))
}

export function disasm(file: string, flags: DisasmFlags): number {
  const dialect = dialectOf(flags.dialect)
  if (!dialect) throw new Trouble(`error: --dialect ${flags.dialect}: name one to write [cli/dialect]`)
  if (flags.raw) {
    writeOutput(flags.output, disassembleBytes(readBytes(file), dialect))
    return 0
  }
  const object = readObject(file)
  const origins = flags.origins ?? false
  const one = () => programOf(object, file, flags.program).insns
  if (flags.cfg) writeOutput(flags.output, drawCfg(one(), { format: flags.cfg, dialect, origins }))
  else if (flags.emit !== 'asm') writeOutput(flags.output, FORMS[flags.emit]!(object, file, flags))
  else if (flags.program !== undefined || (object.programs.length === 1 && object.maps.length === 0))
    writeOutput(flags.output, disassemble(one(), { dialect, origins }))
  else writeOutput(flags.output, listObject(object, { dialect, origins }))
  return 0
}
