// The files and the plugin protocol of the bpf_conformance suite (Alan Jowett's; one test a file: assembly, memory, result).
// Pure: the files are read, and the plugin's process is made, by who calls this.

import type { Source } from '@netsieve/diag'
import { source } from '@netsieve/diag'
import { decode } from './codec.ts'
import { readElf } from './elf/read.ts'
import type { Insn } from './insn.ts'
import { assemble } from './text/assemble.ts'

/** One `.data` file. */
export interface ConformanceTest {
  /** Assembly of the gcc dialect. Line numbers are those of the file. */
  readonly asm: Source
  /** Program bytes of the `raw` section; they count instead of `asm`. */
  readonly raw?: Uint8Array
  readonly mem?: Uint8Array
  /** The value of r0 at the end, unsigned. */
  readonly result?: bigint
  /** What the runtime must say instead. */
  readonly error?: string
}

const SECTIONS = ['asm', 'result', 'mem', 'raw', 'no register offset', ' c', 'error'] as const

/** Reads a `.data` file as the suite's own runner does; nothing if it would skip the file. */
export function parseConformance(name: string, text: string): ConformanceTest | undefined {
  const lines: Record<(typeof SECTIONS)[number], string[]> = { asm: [], result: [], mem: [], raw: [], 'no register offset': [], ' c': [], error: [] } // biome-ignore format: a row
  let section: (typeof SECTIONS)[number] | undefined
  const asm: string[] = []
  for (const raw of text.split('\n')) {
    const line = raw.replace(/\r$/, '').replace(/#.*/, '')
    const directive = line.includes('--')
    if (directive) section = SECTIONS.find((each) => line.includes(each))
    if (directive && !section) return undefined
    // Lines that are no assembly stay as empty ones, so that messages have the file's line numbers.
    asm.push(!directive && section === 'asm' ? line : '')
    if (!directive && section && line.trim() !== '') lines[section].push(line.trim())
  }
  const result = lines.result.at(-1)
  const error = lines.error.at(-1)
  if (result === undefined && !error) return undefined
  if (lines.asm.length === 0 && lines.raw.length === 0) return undefined
  const mem = hexBytes(lines.mem.join(' '))
  if (!mem) return undefined
  return {
    asm: source(name, asm.join('\n')),
    ...(lines.raw.length > 0 && { raw: words(lines.raw) }),
    ...(lines.mem.length > 0 && { mem }),
    ...(result !== undefined && { result: BigInt.asUintN(64, BigInt(result)) }),
    ...(error && { error }),
  }
}

/** 64-bit words, little endian. */
function words(lines: readonly string[]): Uint8Array {
  const values = lines.join(' ').split(/\s+/).map(BigInt)
  const view = new DataView(new ArrayBuffer(values.length * 8))
  for (const [i, value] of values.entries()) view.setBigUint64(i * 8, BigInt.asUintN(64, value), true)
  return new Uint8Array(view.buffer)
}

/** Bytes as pairs of hexadecimal digits, with white space between or without; nothing if there is anything else. */
export function hexBytes(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '')
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** The instructions of a test; messages if there are none. */
export function conformanceProgram(test: ConformanceTest): {
  readonly program?: readonly Insn[]
  readonly error?: string
} {
  if (test.raw) return decoded(test.raw)
  const { value, diagnostics } = assemble(test.asm, { dialect: 'gcc' })
  const program = value?.programs[0]?.insns
  return program ? { program } : { error: diagnostics.map(({ message }) => message).join('\n') }
}

function decoded(bytes: Uint8Array): { readonly program?: readonly Insn[]; readonly error?: string } {
  const { program, bad } = decode(bytes)
  const [first] = bad
  return first ? { error: `slot ${first.slot}: ${first.reason}` } : { program }
}

/** What the suite's runner reads from a plugin's process. */
export interface PluginReply {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program on memory: r1 points to `mem`, r2 is its length. @returns r0 as an unsigned number, or what went wrong. */
export type PluginRun = (program: readonly Insn[], mem: Uint8Array) => bigint | { readonly error: string }

/**
 * A plugin of the suite. `args` are the command line's: the memory as hex (left out if there is none), then options, of
 * which `--elf` says that `stdin` is an object file (function `main`, else the first) instead of bare instructions.
 */
export function conformancePlugin(args: readonly string[], stdin: string, run: PluginRun): PluginReply {
  const fail = (message: string): PluginReply => ({ exitCode: 1, stdout: '', stderr: `${message}\n` })
  const options = args.filter((arg) => arg.startsWith('--'))
  const mem = hexBytes(args.find((arg) => !arg.startsWith('--')) ?? '')
  const bytes = hexBytes(stdin)
  if (!mem) return fail('the memory is not given as pairs of hexadecimal digits')
  if (!bytes) return fail('the program is not given as pairs of hexadecimal digits')
  const { program, error } = options.includes('--elf') ? fromElf(bytes) : decoded(bytes)
  if (!program) return fail(error ?? 'no program')
  const result = run(program, mem)
  return typeof result === 'bigint' ? { exitCode: 0, stdout: `${BigInt.asUintN(64, result).toString(16)}\n`, stderr: '' } : fail(result.error) // biome-ignore format: one choice
}

function fromElf(bytes: Uint8Array): { readonly program?: readonly Insn[]; readonly error?: string } {
  const { value, diagnostics } = readElf(bytes)
  const chosen = value?.programs.find(({ name }) => name === 'main') ?? value?.programs[0]
  return chosen ? { program: chosen.insns } : { error: diagnostics.map(({ message }) => message).join('\n') }
}
