// `netsieve verify`: what the kernel's verifier would say of a program, whoever made it.

import { type BpfObject, decode, type Program } from '@netsieve/asm'
import { printPacket, writeCapture } from '@netsieve/packet'
import { explain, type LoaderName, renderExplanation, verify, verifyBytes } from '@netsieve/verifier'
import { type Command, Option } from 'commander'
import { counterexample } from '../counterexample.ts'
import { out, Trouble, writeOutput } from './io.ts'
import { objectOf, type ProgramFile, programOf, readProgramFile } from './program.ts'
import { PROG_NAMES, progOf } from './rules.ts'

export interface VerifyFlags {
  readonly prog?: string
  readonly program?: string
  readonly log: string
  readonly strict?: boolean
  readonly loader?: LoaderName
  readonly strictAlignment?: boolean
  readonly explain?: boolean
  readonly write?: string
  readonly json?: boolean
}

export function define(command: Command, done: (exitCode: number) => void): void {
  command
    .argument('<file>', 'the program: ELF object, bytes, hex text, JSON or assembly; - is stdin')
    .addOption(
      new Option('--prog <type>', 'program type; by default what its section says, or xdp').choices(PROG_NAMES),
    )
    .option('--program <name>', 'which program of the file; by default each of them')
    .option(
      '--log <level>',
      "how much of the log: 0 only what is wrong, 1 and 2 the kernel's levels, 4 statistics; sums of them up to 7",
      '1',
    )
    .addOption(
      new Option('--loader <who>', 'who loads it: root; bpf has CAP_BPF and CAP_NET_ADMIN but no CAP_PERFMON; none has no capability') // biome-ignore format: one act
        .choices(['root', 'bpf', 'none']),
    )
    .addOption(new Option('--strict', 'as for a loader that may not leak pointers: --loader bpf').conflicts('loader'))
    .option('--strict-alignment', 'every access must be aligned (BPF_F_STRICT_ALIGNMENT)')
    .option('--explain', 'why, where the value at fault comes from, what to do, and a packet that goes wrong')
    .option('-w, --write <capture>', 'write that packet')
    .option('--json', 'one object a program')
    .addHelpText('after', '\nExit code: 0 accepted, 1 rejected, 2 trouble or not decided.')
    .action((file: string, flags: VerifyFlags) => done(verifyCommand(file, flags)))
}

/** @returns exit code: 0 accepted, 1 rejected, 2 not decided; of several programs, the highest */
export function verifyCommand(file: string, flags: VerifyFlags): number {
  if (!/^[0-7]$/.test(flags.log)) throw new Trouble(`error: --log ${flags.log}: 0 to 7 are expected [cli/log]`)
  const read = readProgramFile(file, { keepReserved: true })
  // Bytes may be no instructions: the verifier says of which.
  const object = read.kind === 'object' ? read.object : objectOf(decode(read.bytes, { keepReserved: true }).program)
  if (read.kind === 'bytes' && read.bytes.length % 8 !== 0)
    throw new Trouble(
      `${read.name}: error: ${read.bytes.length} bytes are no whole number of instructions [program/decode]`,
    )
  const { programs } = object
  if (flags.program !== undefined || programs.length < 2)
    return verifyProgram(read, object, programOf(object, file, flags.program), flags)
  if (flags.write !== undefined)
    throw new Trouble(`error: -w and ${programs.length} programs: choose one with --program [cli/verify]`)
  // Each by itself, as they are loaded.
  const codes = programs.map((program) => {
    if (!flags.json) out(`${program.name}:\n`)
    return verifyProgram(read, object, program, flags)
  })
  return Math.max(...codes)
}

function verifyProgram(
  read: ProgramFile,
  { maps, license, programs }: BpfObject,
  { name, insns, type, functions, section }: Program,
  flags: VerifyFlags,
): number {
  const progType = flags.prog === undefined ? (type ?? 'xdp') : progOf(flags.prog)
  const options = {
    type: progType,
    maps,
    logLevel: Number(flags.log),
    loader: flags.loader ?? (flags.strict ? 'bpf' : 'root'),
    strictAlignment: flags.strictAlignment ?? false,
    attach: (flags.prog ?? section).includes('egress') ? 'egress' : 'ingress',
    // Without BTF the kernel knows nothing of the functions.
    ...(functions.some(({ proto }) => proto) && { functions }),
    ...(license !== undefined && { license }),
  } as const
  const verdict = read.kind === 'bytes' ? verifyBytes(read.bytes, options) : verify(insns, options)
  const { status, message, slot, insn, log, stats } = verdict
  const explanation = flags.explain ? explain(insns, verdict) : undefined
  const found =
    status === 'rejected' && insn !== undefined && (flags.explain || flags.write !== undefined)
      ? counterexample(insns, insn, { type: progType, maps })
      : undefined
  if (flags.write !== undefined && found)
    writeOutput(flags.write, writeCapture([{ data: found.packet, linkType: 1 }], { format: 'pcap' }))
  if (flags.json) {
    const shown = found && { packet: printPacket(1, found.packet), fault: found.fault.reason }
    out(
      `${JSON.stringify({ v: 1, ...(programs.length > 1 && { program: name }), status, message, slot, stats, log, ...(explanation && { explanation }), ...(shown && { counterexample: shown }) })}\n`,
    )
  } else {
    out(log)
    const where = slot === undefined ? '' : ` at instruction ${slot}`
    out(
      status === 'accepted'
        ? `accepted: ${stats.processedInsns} instructions processed\n`
        : `${status === 'unsupported' ? message : `${status}${where}: ${message}`}\n`,
    )
    if (explanation) out(`\n${renderExplanation(explanation)}`)
    if (found)
      out(
        `Counterexample: ${found.packet.length === 0 ? 'an empty packet' : printPacket(1, found.packet)}\n  ${found.packet.length} bytes: ${found.fault.reason.replace(/ at insn \d+$/, '')}${flags.write === undefined ? '' : `; written to ${flags.write}`}\n`,
      )
    else if (flags.write !== undefined)
      out(
        `nothing is written: ${status === 'rejected' ? 'no packet was found that goes wrong there' : `the program is ${status}`}\n`,
      )
  }
  return status === 'accepted' ? 0 : status === 'rejected' ? 1 : 2
}
