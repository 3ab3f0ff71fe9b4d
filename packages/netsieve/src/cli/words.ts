// A rule tool's own command line as words: `netsieve run -r in.pcap iptables -A INPUT -p tcp -j DROP`. From the tool's name on, words that begin
// with a dash are the tool's, not ours.

import type { Command } from 'commander'

const TOOLS: ReadonlySet<string> = new Set([
  'iptables',
  'ip6tables',
  'iptables-nft',
  'ip6tables-nft',
  'iptables-legacy',
  'ip6tables-legacy',
  'nft',
  'tc',
  'ethtool',
])

/** The arguments of a command, with `--` before a rule tool's name that is the first of its words. */
export function withToolWords(command: Command, args: readonly string[]): string[] {
  for (let i = args.indexOf(command.name()) + 1; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') break
    if (!word.startsWith('-') || word === '-') {
      if (TOOLS.has(word)) return [...args.slice(0, i), '--', ...args.slice(i)]
      break
    }
    const option = command.options.find((candidate) => candidate.short === word || candidate.long === word)
    if (option?.required) i++
  }
  return [...args]
}
