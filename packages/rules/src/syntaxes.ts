// The rule languages by name: one row each. What a command line offers and a message lists comes from here.

import type { Diagnostic, Outcome, Source } from '@netsieve/diag'
import type { Filter, ProfileName } from '@netsieve/ir'
import { ethtool } from './ethtool/index.ts'
import { flower } from './flower/index.ts'
import type { FrontEnd, ReadOptions } from './front.ts'
import { type IptablesOptions, iptables } from './iptables/index.ts'
import { ir } from './ir/index.ts'
import { nft } from './nft/index.ts'
import { type PcapOptions, pcapFilter } from './pcap-filter/index.ts'
import { HOOKS } from './shared/index.ts'
import { TC_HOOKS } from './tc/order.ts'
import { u32 } from './u32/index.ts'

/** Options of every front-end together; each takes what is its own. */
export type RuleOptions = PcapOptions & IptablesOptions & ReadOptions

/** Options that say how the rules themselves are to be read: given for a syntax that has no such thing, they are refused. */
type OwnOption = Exclude<keyof RuleOptions, 'link' | 'unused' | 'files'>
const OF_PCAP = ['profile', 'onMatch', 'netmask', 'hosts', 'ethers', 'networks'] as const satisfies readonly OwnOption[]
const OF_HOOKS = ['profile', 'hook'] as const satisfies readonly OwnOption[]
const OF_IPTABLES = [...OF_HOOKS, 'ipsets'] as const satisfies readonly OwnOption[]
const OF_NFT = [...OF_HOOKS, 'includePath'] as const satisfies readonly OwnOption[]
const OPTION_WORDS = { profile: 'a profile', hook: 'a hook', onMatch: 'a verdict for packets that match', netmask: 'a netmask', hosts: 'names of hosts', ethers: 'names of Ethernet addresses', networks: 'names of networks', ipsets: 'sets of ipset', includePath: 'a folder of files to include' } as const satisfies Record<OwnOption, string> // biome-ignore format: one family

/** A syntax without its tree's type: text in, filter out. */
export interface Syntax {
  readonly title: string
  readonly profiles: readonly [ProfileName, ...ProfileName[]]
  /** Other names users know it by. */
  readonly aliases: readonly string[]
  /** What text of this syntax starts with, or has in it. */
  readonly signs: RegExp | undefined
  /** The hooks that its rules can be at, in the order of a packet's way; none of a syntax without hooks. */
  readonly hooks: readonly string[]
  /** Options that mean something to it. */
  readonly takes: readonly OwnOption[]
  read(source: Source, options: RuleOptions): Outcome<Filter>
}

function syntax<Ast>(
  front: FrontEnd<Ast>,
  takes: readonly OwnOption[],
  aliases: readonly string[],
  signs?: RegExp,
  hooks: readonly string[] = [],
): Syntax {
  return {
    // Asked for when they are wanted: a front-end may be loaded as late as that.
    get title() {
      return front.title
    },
    get profiles() {
      return front.profiles
    },
    aliases,
    signs,
    hooks,
    takes,
    read(source, options) {
      const foreign = (Object.keys(OPTION_WORDS) as OwnOption[]).filter(
        (key) => options[key] !== undefined && !takes.includes(key),
      )
      if (foreign.length > 0) return { diagnostics: foreign.map((key) => misplaced(front.title, key)) }
      if (options.profile !== undefined && !front.profiles.includes(options.profile)) {
        const message = `${front.title}: no meaning under the profile ${options.profile}`
        return { diagnostics: [{ severity: 'error', code: 'rules/profile', message, expected: front.profiles }] }
      }
      const parsed = front.parse(source, options)
      if (parsed.value === undefined) return { diagnostics: parsed.diagnostics }
      const lowered = front.lower(parsed.value, options)
      return { ...lowered, diagnostics: [...parsed.diagnostics, ...lowered.diagnostics] }
    },
  }
}

function misplaced(title: string, option: OwnOption): Diagnostic {
  return {
    severity: 'error',
    code: 'rules/option',
    message: `${OPTION_WORDS[option]} (${option}) is given, but means nothing to: ${title}`,
  }
}

export const SYNTAXES = {
  // First: its text quotes rules of the others.
  ir: syntax(ir, [], [], /^\s*(?:\/\/.*\n\s*)*filter\s+\S+\s+profile\s|^\s*\{\s*"(?:v|syntax)"\s*:/),
  iptables: syntax(
    iptables,
    OF_IPTABLES,
    ['ip6tables', 'iptables-save'],
    /^\s*(?:\*(?:raw|mangle|nat|filter|security)\s*$|(?:sudo\s+)?ip6?tables\b|-[AINPtDRXF]\s)/m,
    HOOKS,
  ),
  nft: syntax(
    nft,
    OF_NFT,
    ['nftables'],
    /^\s*(?:nft\s|table\s|flush\s+ruleset|define\s|include\s*"|(?:add|create|insert)\s+(?:table|chain|rule|set|element)\b)/m,
    HOOKS,
  ),
  // Before flower, which takes every tc filter else: the word stands alone where it is no match of iptables.
  u32: syntax(
    u32,
    OF_HOOKS,
    ['tc-u32'],
    /(?:^|\s)u32\s+(?:match|divisor|ht|link|order|classid|flowid|indev|offset|hashkey|sample|police|action|skip_[hs]w)(?:\s|$)/,
    TC_HOOKS,
  ),
  flower: syntax(flower, OF_HOOKS, ['tc', 'tc-flower'], /(?:^|\s)(?:flower|matchall)(?:\s|$)|^\s*tc\s+filter\b/m, TC_HOOKS), // biome-ignore format: a row
  ethtool: syntax(ethtool, OF_HOOKS, ['ntuple'], /(?:^|\s)flow-type\s|^\s*ethtool\s/m, ['ingress']),
  pcap: syntax(pcapFilter, OF_PCAP, ['tcpdump', 'pcap-filter']),
} as const satisfies Record<string, Syntax>

export type SyntaxName = keyof typeof SYNTAXES

/** A syntax by its name or another name of it. */
export function syntaxByName(name: string): SyntaxName | undefined {
  return (Object.keys(SYNTAXES) as SyntaxName[]).find((key) => key === name || SYNTAXES[key].aliases.includes(name))
}

/** The syntax that a text looks like; what looks like none of the others is taken for a pcap-filter expression. */
export function guessSyntax(text: string): SyntaxName {
  const bare = text.replace(/^\s*#.*$/gm, '')
  return (Object.keys(SYNTAXES) as SyntaxName[]).find((key) => (SYNTAXES[key] as Syntax).signs?.test(bare)) ?? 'pcap'
}
