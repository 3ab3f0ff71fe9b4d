// `netsieve verify`: what the kernel's verifier would say of a program, whoever made it.

import { assemble, decode, type Insn, type MapDef } from '@netsieve/asm'
import { source } from '@netsieve/diag'
import { verify } from '@netsieve/verifier'
import { type Command, Option } from 'commander'
import { out, readBytes, say, Trouble } from './io.ts'
import { progOf } from './rules.ts'

export interface VerifyFlags {
  readonly prog: string
  readonly log: string
  readonly strict?: boolean
  readonly json?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  command
    .argument('<file>', 'the program: bytes, hex text or assembly; - is stdin')
    .addOption(new Option('--prog <type>', 'program type').choices(['xdp', 'tc', 'socket']).default('xdp'))
    .option('--log <level>', 'how much of the log: 0, 1, 2, 4', '1')
    .option('--strict', 'as for a loader without privileges')
    .option('--json', 'one object')
    .addHelpText('after', '\nExit code: 0 accepted, 1 rejected, 2 trouble or not decided.')
    .action((file: string, flags: VerifyFlags) => done(verifyCommand(file, flags)))
}

/** @returns exit code: 0 accepted, 1 rejected, 2 not decided */
export function verifyCommand(file: string, flags: VerifyFlags): number {
  if (!['0', '1', '2', '4'].includes(flags.log))
    throw new Trouble(`error: --log ${flags.log}: there are 0, 1, 2 and 4 [cli/log]`)
  const logLevel = Number(flags.log) as 0 | 1 | 2 | 4
  const { insns, maps } = programOf(file)
  const verdict = verify(insns, { type: progOf(flags.prog), maps, logLevel, strict: flags.strict ?? false })
  const { status, message, slot, log, stats } = verdict
  if (flags.json) out(`${JSON.stringify({ v: 1, status, message, slot, stats, log })}\n`)
  else {
    out(log)
    const where = slot === undefined ? '' : ` at instruction ${slot}`
    out(
      status === 'accepted'
        ? `accepted: ${stats.processedInsns} instructions processed\n`
        : `${status}${where}: ${message}\n`,
    )
  }
  return status === 'accepted' ? 0 : status === 'rejected' ? 1 : 2
}

interface ReadProgram {
  readonly insns: readonly Insn[]
  readonly maps: readonly MapDef[]
}

/** A program from a file: instructions as bytes or as hex text, or assembly. @throws Trouble */
export function programOf(path: string): ReadProgram {
  const name = path === '-' ? '<stdin>' : path
  const bytes = readBytes(path)
  if (bytes.length === 0) throw new Trouble(`${name}: error: this file is empty [program/empty]`)
  const text = bytes.includes(0) ? undefined : new TextDecoder().decode(bytes)
  if (text === undefined) return fromBytes(name, bytes)
  const digits = text.replace(/\s+/g, '')
  if (/^([0-9a-f]{16})+$/i.test(digits))
    return fromBytes(
      name,
      Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16)),
    )
  const { value, diagnostics } = assemble(source(name, text))
  say(diagnostics)
  if (!value) throw new Trouble('')
  const [program, second] = value.programs
  if (!program) throw new Trouble(`${name}: error: there is no program in this file [program/empty]`)
  if (second)
    throw new Trouble(
      `${name}: error: there are several programs in this file: ${value.programs.map((one) => one.name).join(', ')} [program/several]`,
    )
  return { insns: program.insns, maps: value.maps }
}

function fromBytes(name: string, bytes: Uint8Array): ReadProgram {
  const { program, bad } = decode(bytes)
  const [first] = bad
  if (first) throw new Trouble(`${name}: error: instruction ${first.slot}: ${first.reason} [program/decode]`)
  return { insns: program, maps: [] }
}
