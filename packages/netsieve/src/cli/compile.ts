// `netsieve compile`: rules as IR, assembly, bytes, C, JSON.

import {
  disassemble,
  encode,
  functionInfo,
  type Insn,
  type InsnJson,
  toJson as insnsToJson,
  kernelFunctions,
  linkToKernel,
  listObject,
  type ProgTypeName,
  printCbpf,
  writeElf,
} from '@netsieve/asm'
import { generateC, type ProgramCode, programsOf, shortcomings } from '@netsieve/codegen'
import { checkPasses } from '@netsieve/equiv'
import { type Decision, type Filter, print, simplify, toJson } from '@netsieve/ir'
import { type Command, Option } from 'commander'
import { contentsOf, type MapContents, objectOf } from '../object.ts'
import type { Compiled } from '../pipeline.ts'
import { table } from '../report.ts'
import { classicOf } from './classic.ts'
import { err, numberOf, readBytes, say, Trouble, writeOutput } from './io.ts'
import { jsonPieces } from './json.ts'
import { loadScript } from './load-script.ts'
import { compileOptions, compileOrEnd, type RuleFlags, rulesOf, withRuleOptions } from './rules.ts'

export interface CompileFlags extends RuleFlags {
  readonly emit: string
  readonly output?: string
  readonly btf?: string
  readonly checkPasses?: boolean
  readonly runs: string
  readonly seed: string
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** What can be emitted, by name. */
export const EMITS: Readonly<Record<string, (compiled: Compiled) => string | Uint8Array | Iterable<string>>> = {
  ir: (compiled) => print(filterOf(compiled)),
  'ir-json': (compiled) => jsonPieces(toJson(filterOf(compiled))),
  cbpf: (compiled) => printCbpf(classicOf(compiled), 'd'),
  asm: (compiled) =>
    compiled.programs || compiled.maps.length > 0
      ? listObject(objectOf(compiled), { origins: true })
      : disassemble(compiled.insns, { origins: true }),
  hex: (compiled) => `${hex(encode(onlyProgram(compiled)))}\n`,
  bin: (compiled) => encode(onlyProgram(compiled)),
  elf: elfOf,
  c: cOf,
  maps: mapsOf,
  'load-script': scriptOf,
  json: (compiled) => jsonPieces(object(compiled)),
}

/** The instructions where bytes are all that is written. @throws Trouble for a set of programs, which is more than its bytes */
function onlyProgram({ insns, programs }: Compiled): readonly Insn[] {
  if (!programs) return insns
  throw new Trouble(
    `error: unsupported: these rules are ${programs.length + 1} programs that lead to one another: --emit elf, load-script, json and asm tell how [cli/emit]`,
  )
}

/** @throws Trouble for a program that was never rules */
function filterOf({ filter, syntax, source }: Compiled): Filter {
  if (!filter) throw new Trouble(`${source.name}: error: unsupported: ${syntax} has no IR [cli/emit]`)
  return filter
}

/** The same rules as C for clang's BPF target. @throws Trouble for what C has no way to say */
function cOf(compiled: Compiled): string {
  const { source, type, attach } = compiled
  const { value, diagnostics } = generateC(filterOf(compiled), { type, ...(attach && { attach }), from: source.name })
  say(diagnostics, source.name)
  if (value === undefined) throw new Trouble('')
  return value
}

/** An object that libbpf loads; its line information points at the rules. */
function elfOf(compiled: Compiled): Uint8Array {
  return writeElf(objectOf(compiled), { file: compiled.source.name })
}

const contents = (compiled: Compiled): MapContents[] => contentsOf(objectOf(compiled))

/** What the maps of the object must hold, for whoever loads it. */
function mapsOf(compiled: Compiled): string {
  return `${JSON.stringify({ v: 1, maps: contents(compiled) }, undefined, 2)}\n`
}

function scriptOf(compiled: Compiled): string {
  const { type, source, attach } = compiled
  return loadScript({
    type,
    from: source.name,
    outgoing: attach === 'egress',
    object: elfOf(compiled),
    contents: contents(compiled),
  })
}

function object(compiled: Compiled): object {
  const { source, syntax, filter, type, maps, programs } = compiled
  const texts = new Map(filter?.chains.flatMap(({ rules }) => rules.map(({ id, text }) => [id, text] as const)))
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
    ...codeOf(compiled, type, texts),
    ...(programs && { programs: programs.map((each) => codeOf(each, type, texts)) }),
  }
}

/** @param texts of rules, by number: they stand in the IR, and not in each instruction too, since one may be as long as a file */
function codeOf(
  { insns, functions }: Pick<Compiled, 'insns' | 'functions'>,
  type: ProgTypeName,
  texts: ReadonlyMap<number, string>,
): object {
  const known = ({ rule, for: text }: InsnJson) => rule !== undefined && texts.get(rule) === text
  const info = functions && functionInfo(functions, type)
  return {
    hex: hex(encode(insns)),
    // For whoever loads the code with bpf(2): prog_btf_fd and func_info.
    ...(info && {
      btf: hex(info.btf),
      func_info: info.functions.map(({ insnOff, typeId, name }) => ({ insn_off: insnOff, type_id: typeId, name })),
    }),
    instructions: insnsToJson(insns).map((row) => (known(row) ? { ...row, for: undefined } : row)),
  }
}

export function define(command: Command, done: (exitCode: number) => void): void {
  withRuleOptions(command)
    .argument('[expression...]', 'rules as words, instead of -f')
    .addOption(new Option('--emit <form>', 'what to print').choices(Object.keys(EMITS)).default('asm'))
    .option('-o, --output <file>', 'where to; - is stdout')
    .option(
      '--btf <file>',
      "a kernel's BTF, /sys/kernel/btf/vmlinux: its numbers for the kernel functions that netfilter programs call",
    )
    .option(
      '--check-passes',
      'instead: hold each pass against the meaning of the rules, on packets made from their constants',
    )
    .option('--runs <n>', 'for --check-passes: how many packets', '2000')
    .option('--seed <n>', 'for --check-passes: of the packets', '1')
    .action((words: string[], flags: CompileFlags) => done(compileCommand(words, flags)))
}

/** @returns exit code: 0 all passes keep what they say they keep, 1 one does not */
function passesCommand(words: readonly string[], flags: CompileFlags): number {
  const options = compileOptions(flags)
  const filter = filterOf(compileOrEnd(rulesOf(flags, words), options))
  const [runs, seed] = [numberOf(flags.runs, '--runs'), numberOf(flags.seed, '--seed')]
  const rows = checkPasses(filter, { runs, seed, level: options.optimize ?? 1 })
  const shown = rows.map(({ pass, changed, rules, cases, mismatches }) => [pass.name, changed ? 'yes' : 'no', `${rules[0]} → ${rules[1]}`, cases, mismatches]) // biome-ignore format: a row
  writeOutput(flags.output, table([['pass', 'changed', 'rules', 'cases', 'mismatches'], ...shown]))
  for (const { pass, first } of rows) {
    if (!first) continue
    const told = ({ decision, rule, by }: Decision) => `${decision} by ${rule === undefined ? by : `rule ${rule}`}`
    err(`${pass.name}: was ${told(first.before)}, is ${told(first.after)}: ${hex(first.frame)}\n`)
  }
  return rows.some(({ mismatches }) => mismatches > 0) ? 1 : 0
}

/** What maps must hold that an object cannot say, in a file beside it. */
function writeMaps(output: string | undefined, compiled: Compiled): void {
  const maps = contents(compiled)
  if (maps.length === 0) return
  const names = maps.map(({ name }) => name).join(', ')
  if (output === undefined || output === '-') {
    const message = `the object does not say what these maps hold, --emit maps does: ${names}`
    return say([{ severity: 'warning', code: 'cli/maps', message }])
  }
  writeOutput(`${output}.maps.json`, mapsOf(compiled))
}

const CODE: readonly string[] = ['hex', 'bin', 'json']

/** Bytes of code say nothing of the types of functions. */
function sayFunctions({ functions }: Compiled, emit: string): void {
  if (!functions || (emit !== 'hex' && emit !== 'bin')) return
  const message = `these are ${functions.length} functions, and a kernel takes them one by one only if it is told their types, which code alone does not say: --emit json and elf do`
  say([{ severity: 'warning', code: 'cli/functions', message }])
}

/** With the numbers of the kernel's functions, where a kernel is given. @throws Trouble for a file that is no kernel's BTF */
function linked(compiled: Compiled, { btf, emit }: CompileFlags): Compiled {
  if (!programsOf(compiled).some(({ insns }) => insns.some(({ spec }) => spec.call === 'kfunc'))) return compiled
  if (btf === undefined) {
    const message =
      'calls of kernel functions have no numbers yet: --btf gives them those of a kernel, libbpf does so for an object'
    if (CODE.includes(emit)) say([{ severity: 'warning', code: 'cli/btf', message }])
    return compiled
  }
  if (emit === 'elf' || emit === 'load-script') return compiled
  const functions = kernelFunctions(readBytes(btf))
  say(functions.diagnostics, btf)
  const link = <T extends ProgramCode>(program: T): T => {
    const done = functions.value && linkToKernel(program.insns, functions.value)
    if (done) say(done.diagnostics, btf)
    if (!done?.value) throw new Trouble(`${btf}: error: not the BTF of a kernel that has these functions [cli/btf]`)
    return { ...program, insns: done.value }
  }
  return { ...link(compiled), ...(compiled.programs && { programs: compiled.programs.map(link) }) }
}

export function compileCommand(words: readonly string[], flags: CompileFlags): number {
  if (flags.checkPasses) return passesCommand(words, flags)
  const emit = EMITS[flags.emit]
  if (!emit) throw new Trouble(`error: --emit ${flags.emit}: there are ${Object.keys(EMITS).join(', ')} [cli/emit]`)
  const options = compileOptions(flags)
  const compiled = compileOrEnd(rulesOf(flags, words), options)
  // The IR is shown as the rules say it, or where a level is asked for as the passes leave it.
  const simple = options.optimize && flags.emit.startsWith('ir') && { ...compiled, filter: simplify(filterOf(compiled), { level: options.optimize }) } // biome-ignore format: one value
  if (compiled.filter && !flags.emit.startsWith('ir'))
    say(shortcomings(compiled.filter, compiled.type), compiled.source.name)
  writeOutput(flags.output, emit(simple || linked(compiled, flags)))
  sayFunctions(compiled, flags.emit)
  if (flags.emit === 'elf') writeMaps(flags.output, compiled)
  return 0
}
