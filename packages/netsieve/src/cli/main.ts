// The command line: verbs, options, exit codes. 0 done · 1 a negative answer (rejected, different) · 2 trouble · 130 interrupted.

import { Command, CommanderError, Option } from 'commander'
import { type CompileFlags, compileCommand, EMITS } from './compile.ts'
import { demo } from './demo.ts'
import { type EquivFlags, equivCommand } from './equiv.ts'
import { err, Trouble } from './io.ts'
import { withRuleOptions } from './rules.ts'
import { type RunFlags, run } from './run.ts'
import { type TraceFlags, trace } from './trace.ts'
import { type VerifyFlags, verifyCommand } from './verify.ts'

function program(done: (exitCode: number) => void): Command {
  const root = new Command('netsieve')
    .description('Packet-filter rules in any syntax, compiled to eBPF and run over captures, without a kernel.')
    .version('0.1.0')
    .showHelpAfterError('(netsieve VERB --help shows the options)')
    .exitOverride()

  withRuleOptions(root.command('run'))
    .description('run a capture through rules')
    .argument('[expression...]', 'rules as words, instead of -f')
    .option('-r, --read <capture>', 'pcap or pcapng file, also .gz; - is stdin')
    .option('-w, --write <capture>', 'write the packets that pass, byte for byte; - is stdout')
    .option('-c, --count <n>', 'stop after n packets that pass')
    .option('--json', 'one object with totals and hits a rule')
    .option('--jsonl', 'a line a packet: {"i", "verdict", "r0", "rule"}')
    .option('--check', 'hold each verdict against the meaning of the rules')
    .addOption(
      new Option('--engine <name>', 'what runs the program').choices(['interpreter', 'jit']).default('interpreter'),
    )
    .action((words: string[], flags: RunFlags) => done(run(words, flags)))

  withRuleOptions(root.command('compile'))
    .description('rules to IR, assembly or bytes')
    .argument('[expression...]', 'rules as words, instead of -f')
    .addOption(new Option('--emit <form>', 'what to print').choices(Object.keys(EMITS)).default('asm'))
    .option('-o, --output <file>', 'where to; - is stdout')
    .action((words: string[], flags: CompileFlags) => done(compileCommand(words, flags)))

  root
    .command('verify')
    .description('what the kernel verifier would say of a program (bytes, hex text or assembly)')
    .argument('<file>', 'the program; - is stdin')
    .addOption(new Option('--prog <type>', 'program type').choices(['xdp', 'tc', 'socket']).default('xdp'))
    .option('--log <level>', 'how much of the log: 0, 1, 2, 4', '1')
    .option('--strict', 'as for a loader without privileges')
    .option('--json', 'one object')
    .action((file: string, flags: VerifyFlags) => done(verifyCommand(file, flags)))

  withRuleOptions(root.command('trace'))
    .description('one packet through the program, instruction by instruction')
    .argument('[expression...]', 'rules as words, instead of -f')
    .option('-r, --read <capture>', 'the capture; - is stdin')
    .option('-p, --packet <n>', 'which packet, from 0', '0')
    .option('--json', 'a line an instruction')
    .action((words: string[], flags: TraceFlags) => done(trace(words, flags)))

  root
    .command('equiv')
    .description('look for a packet that two rulesets judge differently: exit 0 none found, 1 different, 2 trouble')
    .argument('<a>', 'file of rules')
    .argument('<b>', 'file of rules')
    .option('-s, --syntax <name>', 'syntax of both; by default what each looks like')
    .option('--syntax-b <name>', 'syntax of the second')
    .addOption(new Option('--prog <type>', 'program type').choices(['xdp', 'tc', 'socket']).default('xdp'))
    .option('--hook <name>', 'the hook whose packets these are')
    .option('--profile <name>', 'whose meaning the rules have')
    .option('--on-match <verdict>', 'pcap expressions: what becomes of packets that match')
    .option('-w, --write <capture>', 'write the packet that tells them apart')
    .option('--seed <n>', 'of the packets tried', '1')
    .option('--runs <n>', 'how many packets to try', '20000')
    .option('--json', 'one object')
    .action((a: string, b: string, flags: EquivFlags) => done(equivCommand(a, b, flags)))

  root
    .command('demo')
    .description('one rule in five syntaxes over a shipped capture')
    .action(() => done(demo()))
  return root
}

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0
  try {
    await program((code) => {
      exitCode = code
    }).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof Trouble) {
      if (error.message !== '') err(`${error.message}\n`)
      return error.exitCode
    }
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  return exitCode
}
