// The options that name rules and say how to read them: the same for every verb.

import type { ProgTypeName, Side } from '@netsieve/asm'
import { type Outcome, type Source, source } from '@netsieve/diag'
import { PROFILES, type ProfileName } from '@netsieve/ir'
import { parseIpv4 } from '@netsieve/packet'
import { guessSyntax, pcapLinkOf, SYNTAXES, type SyntaxName, syntaxByName } from '@netsieve/rules'
import { type Command, Option } from 'commander'
import { type Compiled, type CompileOptions, compile, failed, type OptimizeLevel } from '../pipeline.ts'
import { FILES } from './files.ts'
import { err, readText, say, Trouble } from './io.ts'
import { withOwnOptions } from './words.ts'

const SYNTAX_NAMES = [...Object.keys(SYNTAXES), 'cbpf'].join(', ')

/** Program types by their names here, and by the kernel's own. */
const PROGS: Readonly<Record<string, ProgTypeName>> = {
  xdp: 'xdp',
  tc: 'sched_cls',
  socket: 'socket_filter',
  cgroup: 'cgroup_skb',
  'cgroup-egress': 'cgroup_skb',
  netfilter: 'netfilter',
  sched_cls: 'sched_cls',
  socket_filter: 'socket_filter',
}

export const PROG_NAMES = ['xdp', 'tc', 'socket', 'cgroup', 'cgroup-egress', 'netfilter']

/** What names in rules stand for. */
export interface NameFlags {
  readonly hosts?: string
  readonly ethers?: string
  readonly networks?: string
  readonly netmask?: string
  readonly ipset?: string
  /** Folders of files that rules include. */
  readonly include?: readonly string[]
}

export interface RuleFlags extends NameFlags {
  readonly file?: string
  readonly syntax?: string
  readonly prog: string
  readonly hook?: string
  readonly profile?: string
  readonly onMatch?: string
  /** `-O`: commander calls it by its letter. */
  readonly O?: string
  /** The capture, of verbs that take one. */
  readonly read?: string
}

/** Adds the options about rules to a command. */
export function withRuleOptions(command: Command): Command {
  command
    .option('-f, --file <rules>', 'file of rules; - is stdin')
    .option('-s, --syntax <name>', `one of ${SYNTAX_NAMES}; by default what the rules look like`)
    .option('--prog <type>', `program type: ${PROG_NAMES.join(', ')}`, 'xdp')
    .option(
      '--hook <name>',
      "the hook whose packets these are: input, forward, ingress, …; by default the syntax's own",
    )
    .option('--profile <name>', `whose meaning the rules have: ${Object.keys(PROFILES).join(', ')}`)
    .addOption(
      new Option('--on-match <verdict>', 'pcap expressions: what becomes of packets that match').choices([
        'pass',
        'drop',
      ]),
    )
    .addOption(
      new Option('-O <level>', 'passes over the IR: 0 none, 1 (default) all that keep the deciding rule, 2 merge rules too').choices(['0', '1', '2']), // biome-ignore format: one option
    )
  return withNameOptions(command)
}

/** Adds the options that tell what names in rules stand for. */
export function withNameOptions(command: Command): Command {
  return command
    .option('--hosts <file>', 'pcap expressions: names of hosts, as in hosts(5)')
    .option('--ethers <file>', 'pcap expressions: names of Ethernet addresses, as in ethers(5)')
    .option('--networks <file>', 'pcap expressions: names of networks, as in networks(5)')
    .option('--ipset <file>', 'iptables: what is in sets, as `ipset save` writes it')
    .option(
      '-I, --include <folder>',
      'nft: a folder, behind /etc, where `include` looks for files; may be given several times',
      (folder: string, before: readonly string[] | undefined) => [...(before ?? []), folder],
    )
    .option('--netmask <mask>', 'pcap expressions: the mask that `ip broadcast` needs')
}

/** The rules that the options name: a file, or the words of the command line. @throws Trouble */
export function rulesOf(flags: RuleFlags, words: readonly string[]): Source {
  if (flags.file !== undefined && words.length > 0) {
    throw new Trouble(`error: rules are given twice, by -f ${flags.file} and as words: ${words.join(' ')} [cli/rules]`)
  }
  if (flags.file === '-' && flags.read === '-')
    throw new Trouble('error: -f - and -r -: rules and capture cannot both come from stdin [cli/stdin]')
  if (flags.file !== undefined) return readText(flags.file)
  if (words.length === 0) throw new Trouble('error: no rules: give a file with -f, or an expression [cli/rules]')
  return source('<expression>', words.join(' '))
}

export function syntaxOf(name: string | undefined): SyntaxName | 'cbpf' | undefined {
  if (name === undefined || name === 'auto') return undefined
  if (name === 'cbpf') return name
  const syntax = syntaxByName(name)
  if (!syntax) throw new Trouble(`error: no syntax ${name}; there are ${SYNTAX_NAMES} [cli/syntax]`)
  return syntax
}

export function progOf(name: string): ProgTypeName {
  const type = PROGS[name]
  if (!type) throw new Trouble(`error: no program type ${name}; there are ${PROG_NAMES.join(', ')} [cli/prog]`)
  return type
}

/** Where a program of a type, as it is called here, is attached. */
export const sideOf = (name: string): Side => (name === 'cgroup-egress' ? 'egress' : 'ingress')

export function compileOptions(flags: RuleFlags): CompileOptions {
  if (flags.profile !== undefined && !Object.hasOwn(PROFILES, flags.profile)) {
    throw new Trouble(`error: no profile ${flags.profile}; there are ${Object.keys(PROFILES).join(', ')} [cli/profile]`)
  }
  const syntax = syntaxOf(flags.syntax)
  return {
    ...namesOf(flags),
    files: FILES,
    ...(flags.include && { includePath: flags.include }),
    ...(syntax && { syntax }),
    ...(flags.ipset !== undefined && { ipsets: readText(flags.ipset) }),
    type: progOf(flags.prog),
    attach: sideOf(flags.prog),
    ...(flags.O !== undefined && { optimize: Number(flags.O) as OptimizeLevel }),
    ...(flags.hook !== undefined && { hook: flags.hook }),
    ...(flags.profile !== undefined && { profile: flags.profile as ProfileName }),
    ...(flags.onMatch !== undefined && { onMatch: flags.onMatch as 'pass' | 'drop' }),
  }
}

/** Names and masks of pcap expressions, from files. @throws Trouble */
export function namesOf({
  hosts,
  ethers,
  networks,
  netmask,
}: Pick<RuleFlags, 'hosts' | 'ethers' | 'networks' | 'netmask'>): CompileOptions {
  const mask = netmask === undefined ? undefined : parseIpv4(netmask)
  if (netmask !== undefined && mask === undefined)
    throw new Trouble(`error: --netmask ${netmask}: a mask such as 255.255.255.0 is expected [cli/netmask]`)
  return {
    ...(hosts !== undefined && { hosts: readText(hosts).text }),
    ...(ethers !== undefined && { ethers: readText(ethers).text }),
    ...(networks !== undefined && { networks: readText(networks).text }),
    ...(mask !== undefined && { netmask: mask }),
  }
}

/** Compiles for captures of a link type, says what there is to say, and ends the command if rules are wrong. @throws Trouble */
export function compileOrEnd(rules: Source, options: CompileOptions, linkType = 1): Compiled {
  const link = pcapLinkOf(linkType)
  return understood(rules, options.syntax, () => compile(rules, { ...options, ...(link && { link }) }))
}

/** What is made of rules; says what there is to say. @throws Trouble if they are wrong */
export function understood<T>(rules: Source, syntax: string | undefined, make: () => Outcome<T>): T {
  const guessed = syntax === undefined && guessSyntax(rules.text) === 'pcap'
  if (guessed && rules.text.replace(/^\s*#.*$/gm, '').trim() === '')
    throw new Trouble(`${rules.name}: error: there are no rules here [rules/empty]`)
  const { value, diagnostics } = make()
  say(withOwnOptions(diagnostics), rules.name)
  if (guessed && diagnostics.some(({ code }) => code === 'rules/syntax' || code === 'rules/character'))
    err(
      'note: this was taken for a pcap expression; -s names another syntax, whose rules are in tables and chains or commands [cli/guessed]\n',
    )
  if (!value || failed(diagnostics)) throw new Trouble('')
  return value
}
