// A rule tool's own command line as words: `netsieve run -r in.pcap iptables -A INPUT -p tcp -j DROP`. From the tool's name on, words that begin
// with a dash are the tool's, not ours.

import { type Diagnostic, spanText } from '@netsieve/diag'
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

/** The tool whose words a command line has, and our own options that it could have had: there is one command line a process. */
let behind: { readonly tool: string; readonly options: ReadonlySet<string> } | undefined

/** The arguments of a command, with `--` before a rule tool's name that is the first of its words. */
export function withToolWords(command: Command, args: readonly string[]): string[] {
  behind = undefined
  for (let i = args.indexOf(command.name()) + 1; i < args.length; i++) {
    const word = args[i]!
    if (word === '--') break
    if (!word.startsWith('-') || word === '-') {
      if (!TOOLS.has(word)) break
      const names = command.options.flatMap(({ long, short }) => [long, short].filter((name) => name !== undefined))
      behind = { tool: word, options: new Set(names) }
      return [...args.slice(0, i), '--', ...args.slice(i)]
    }
    const option = command.options.find((candidate) => candidate.short === word || candidate.long === word)
    if (option?.required) i++
  }
  return [...args]
}

/** What tools' words are that mean nothing where they stand. */
const UNKNOWN = /\/(?:option|syntax|unsupported)$/

/** Where a word that a tool does not know is an option of ours, what to do about it. */
export function withOwnOptions(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.map((one) => {
    const hint = UNKNOWN.test(one.code) && one.span && ownOption(spanText(one.span))
    if (!hint) return one
    const { expected: _, ...rest } = one
    return { ...rest, hint }
  })
}

/** What to do about an option of ours that stands behind a tool's name; undefined for any other word. */
export function ownOption(word: string): string | undefined {
  const name = /^--?[a-zA-Z][\w-]*/.exec(word)?.[0]
  if (!behind || name === undefined || !behind.options.has(name)) return undefined
  return `${name} is netsieve's own: write it before ${behind.tool}, whose words are all that follow`
}
