// The rule languages by name: one row each. What a command line offers and a message lists comes from here.

import type { Outcome, Source } from '@netsieve/diag'
import type { Filter, ProfileName } from '@netsieve/ir'
import { ethtool } from './ethtool/index.ts'
import { flower } from './flower/index.ts'
import type { FrontEnd } from './front.ts'
import { iptables } from './iptables/index.ts'
import { nft } from './nft/index.ts'
import { type PcapOptions, pcapFilter } from './pcap-filter/index.ts'

/** Options of every front-end together; each takes what is its own. */
export type RuleOptions = PcapOptions

/** A syntax without its tree's type: text in, filter out. */
export interface Syntax {
  readonly title: string
  readonly profiles: readonly [ProfileName, ...ProfileName[]]
  /** Other names users know it by. */
  readonly aliases: readonly string[]
  /** What text of this syntax starts with, or has in it. */
  readonly signs: RegExp | undefined
  read(source: Source, options: RuleOptions): Outcome<Filter>
}

function syntax<Ast>(front: FrontEnd<Ast>, aliases: readonly string[], signs?: RegExp): Syntax {
  return {
    title: front.title,
    profiles: front.profiles,
    aliases,
    signs,
    read(source, options) {
      const parsed = front.parse(source)
      if (parsed.value === undefined) return { diagnostics: parsed.diagnostics }
      const lowered = front.lower(parsed.value, options)
      return { ...lowered, diagnostics: [...parsed.diagnostics, ...lowered.diagnostics] }
    },
  }
}

export const SYNTAXES = {
  iptables: syntax(
    iptables,
    ['ip6tables', 'iptables-save'],
    /^\s*(?:\*(?:raw|mangle|nat|filter|security)\s*$|(?:sudo\s+)?ip6?tables\b|-[AINPtDRXF]\s)/m,
  ),
  nft: syntax(
    nft,
    ['nftables'],
    /^\s*(?:nft\s|table\s|flush\s+ruleset|define\s|(?:add|create|insert)\s+(?:table|chain|rule|set|element)\b)/m,
  ),
  flower: syntax(flower, ['tc', 'tc-flower'], /(?:^|\s)flower(?:\s|$)|^\s*tc\s+filter\b/m),
  ethtool: syntax(ethtool, ['ntuple'], /(?:^|\s)flow-type\s|^\s*ethtool\s/m),
  pcap: syntax(pcapFilter, ['tcpdump', 'pcap-filter']),
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
