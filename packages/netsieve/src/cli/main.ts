// The command line: verbs and exit codes. 0 done · 1 a negative answer (rejected, different) · 2 trouble.
// Only the module of the verb that was asked for is loaded: starting is most of the time of a short run.

import { Command, CommanderError } from 'commander'
import { err, out, Trouble } from './io.ts'
import { withToolWords } from './words.ts'

/** A verb's module: gives its command options and an action, which tells the exit code. */
interface Verb {
  define(command: Command, done: (exitCode: number) => void): void
}

const VERBS: Readonly<Record<string, { readonly title: string; readonly load: () => Promise<Verb> }>> = {
  run: { title: 'run a capture through rules', load: () => import('./run.ts') },
  compile: { title: 'rules to IR, assembly or bytes', load: () => import('./compile.ts') },
  asm: { title: 'assembly to bytes, an object, C, JSON', load: () => import('./asm.ts') },
  disasm: { title: 'a program as text in a dialect, or as a graph', load: () => import('./disasm.ts') },
  verify: { title: 'what the kernel verifier would say of a program', load: () => import('./verify.ts') },
  lint: { title: 'rules that no packet comes to, or that change nothing', load: () => import('./lint.ts') },
  trace: { title: 'one packet through the program, instruction by instruction', load: () => import('./trace.ts') },
  equiv: { title: 'look for a packet that two rulesets judge differently', load: () => import('./equiv.ts') },
  demo: { title: 'one rule in five syntaxes over a shipped capture', load: () => import('./demo.ts') },
}

async function program(args: readonly string[], done: (exitCode: number) => void): Promise<Command> {
  const root = new Command('netsieve')
    .description('Packet-filter rules in any syntax, compiled to eBPF and run over captures, without a kernel.')
    .version('0.1.0')
    .showHelpAfterError('(netsieve VERB --help shows the options)')
    .exitOverride()
    // Written at once, so that the process can end without waiting for anything.
    .configureOutput({ writeOut: out, writeErr: err })
  // Options without a verb: tcpdump's way to be called.
  if (/^-./.test(args[0] ?? '') && !/^(-h|--help|-V|--version)$/.test(args[0]!)) {
    ;(await import('./tcpdump.ts')).define(root.helpCommand(false), done)
    return root.showHelpAfterError("(netsieve -n --help shows which of tcpdump's options there are)")
  }
  root.addHelpText(
    'after',
    `
Without a verb it takes tcpdump's options: netsieve -r in.pcap [-w out.pcap] [-d] expression
(netsieve -n --help shows which of them there are)`,
  )
  const [asked, topic] = args.filter((word) => !word.startsWith('-'))
  const verb = asked === 'help' ? topic : asked
  const meant = asked === args[0] || args.some((word) => word === '-h' || word === '--help')
  // Help for a verb that there is not is no help.
  if (verb !== undefined && verb !== 'help' && !Object.hasOwn(VERBS, verb) && meant) {
    throw new Trouble(
      `error: unknown command '${verb}'; there are ${Object.keys(VERBS).join(', ')}; without one, tcpdump's options come before an expression: netsieve -r in.pcap tcp [cli/verb]`,
    )
  }
  for (const [name, { title, load }] of Object.entries(VERBS)) {
    const command = root.command(name).description(title)
    const wanted = name === asked || (asked === 'help' && args.includes(name))
    if (wanted) (await load()).define(command, done)
  }
  return root
}

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0
  try {
    const root = await program(args, (code) => {
      exitCode = code
    })
    const command = root.commands.find((candidate) => candidate.name() === args[0])
    const words = args[0] === 'help' && args[1] === 'help' ? ['--help'] : args
    await root.parseAsync(command ? withToolWords(command, words) : words, { from: 'user' })
  } catch (error) {
    if (error instanceof Trouble) {
      if (error.message !== '') err(`${error.message}\n`)
      return error.exitCode
    }
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    // A fault of our own is trouble too, not the negative answer that an exit code of 1 would be.
    err(
      `${error instanceof Error ? error.stack : String(error)}\nerror: a fault of netsieve: please report it [cli/fault]\n`,
    )
    return 2
  }
  return exitCode
}

/** What another thread runs: its part of a capture. */
export { work } from './team/worker.ts'
