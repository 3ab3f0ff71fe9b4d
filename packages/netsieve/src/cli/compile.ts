// `netsieve compile`: rules as IR, assembly, bytes, JSON.

import {
  type CbpfInsn,
  disassemble,
  encode,
  toJson as insnsToJson,
  printCbpf,
  SECTION_OF_TYPE,
  writeElf,
} from '@netsieve/asm'
import { generateCbpf } from '@netsieve/codegen'
import { type Filter, print, toJson } from '@netsieve/ir'
import { type Command, Option } from 'commander'
import type { Compiled } from '../pipeline.ts'
import { say, Trouble, writeOutput } from './io.ts'
import { compileOptions, compileOrEnd, type RuleFlags, rulesOf, withRuleOptions } from './rules.ts'

export interface CompileFlags extends RuleFlags {
  readonly emit: string
  readonly output?: string
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** What can be emitted, by name. */
export const EMITS: Readonly<Record<string, (compiled: Compiled) => string | Uint8Array>> = {
  ir: (compiled) => print(filterOf(compiled)),
  'ir-json': (compiled) => `${JSON.stringify(toJson(filterOf(compiled)), undefined, 2)}\n`,
  cbpf: (compiled) => printCbpf(classicOf(compiled), 'd'),
  asm: ({ insns }) => disassemble(insns, { origins: true }),
  hex: ({ insns }) => `${hex(encode(insns))}\n`,
  bin: ({ insns }) => encode(insns),
  elf: elfOf,

  json: (compiled) => `${JSON.stringify(object(compiled), undefined, 2)}\n`,
}

/** @throws Trouble for a program that was never rules */
function filterOf({ filter, syntax }: Compiled): Filter {
  if (!filter) throw new Trouble(`error: unsupported: ${syntax} has no IR [cli/emit]`)
  return filter
}

/** The classic program of a pcap expression. @throws Trouble for rules that classic BPF cannot say */
export function classicOf({ filter, syntax }: Compiled): readonly CbpfInsn[] {
  if (!filter) throw new Trouble(`error: unsupported: ${syntax} is classic BPF already [cli/emit]`)
  const { value, diagnostics } = generateCbpf(filter)
  say(diagnostics)
  if (!value) throw new Trouble('')
  return value
}

/** An object that libbpf loads; its line information points at the rules. */
function elfOf({ source, type, insns, maps }: Compiled): Uint8Array {
  const section = SECTION_OF_TYPE[type]
  const program = { name: 'netsieve', section, type, insns, functions: [{ name: 'netsieve', slot: 0 }] }
  return writeElf({ programs: [program], maps, data: [], license: 'GPL' }, { file: source.name })
}

function object({ source, syntax, filter, type, insns, maps }: Compiled): object {
  return {
    v: 1,
    rules: source.name,
    syntax,
    prog: type,
    ...(filter && { ir: toJson(filter) }),
    maps: maps.map(({ entries, ...map }) => ({
      ...map,
      ...(entries && { entries: entries.map(([key, value]) => [hex(key), hex(value)]) }),
    })),
    hex: hex(encode(insns)),
    instructions: insnsToJson(insns),
  }
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withRuleOptions(command)
    .argument('[expression...]', 'rules as words, instead of -f')
    .addOption(new Option('--emit <form>', 'what to print').choices(Object.keys(EMITS)).default('asm'))
    .option('-o, --output <file>', 'where to; - is stdout')
    .action((words: string[], flags: CompileFlags) => done(compileCommand(words, flags)))
}

export function compileCommand(words: readonly string[], flags: CompileFlags): number {
  const emit = EMITS[flags.emit]
  if (!emit) throw new Trouble(`error: --emit ${flags.emit}: there are ${Object.keys(EMITS).join(', ')} [cli/emit]`)
  const compiled = compileOrEnd(rulesOf(flags, words), compileOptions(flags))
  writeOutput(flags.output, emit(compiled))
  return 0
}
