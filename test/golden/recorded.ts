// The rulesets whose verdicts the real tools gave, as filters, and the captures they were asked about: for tests of programs.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { renderAll, source } from '@netsieve/diag'
import type { Filter, ProfileName } from '@netsieve/ir'
import { readCapture } from '@netsieve/packet'
import { SYNTAXES, type SyntaxName } from '@netsieve/rules'

// Found from the sources and from a bundle in a folder two below the root alike.
const file = (name: string) => fileURLToPath(new URL(`../../test/golden/${name}`, import.meta.url))
const json = <T>(name: string) => JSON.parse(readFileSync(file(name), 'utf8')) as T

/** Captures by name, with their frames. */
export const CAPTURES = Object.entries({
  base: 'captures/base.pcap',
  flags: 'captures/flags.pcap',
  trunc: 'captures/trunc.pcap',
  talk: '../../samples/talk.pcap',
}).map(([name, path]) => ({
  name,
  frames: readCapture(path, readFileSync(file(path))).records.map(({ data }) => data),
}))

export interface Recorded {
  readonly name: string
  readonly filter: Filter
}

function read(name: string, syntax: SyntaxName, text: string, options: { profile?: ProfileName; hook?: string } = {}): Recorded {
  const { value, diagnostics } = SYNTAXES[syntax].read(source(name, text), options)
  if (!value) throw new Error(renderAll(diagnostics))
  return { name, filter: value }
}

const PROFILE_OF = { nft: 'nft-6.18', 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const

/** The example in six syntaxes, every recorded netfilter ruleset, and the first recorded pcap expressions. */
export function recorded(expressions: number): Recorded[] {
  const netfilter = json<{ rows: readonly { name: string; syntax: SyntaxName; tool: keyof typeof PROFILE_OF; hook: string; rules: string }[] }>('netfilter/golden.json')
  const pcap = json<{ rows: readonly { expr: string; error?: string }[] }>('pcap.golden.json')
  const example = (syntax: SyntaxName, name: string) => read(name, syntax, readFileSync(file(`../../samples/rules/${name}`), 'utf8'))
  return [
    example('iptables', 'http.iptables'),
    example('nft', 'http.nft'),
    example('pcap', 'http.pcap-filter'),
    example('flower', 'http.flower'),
    example('ethtool', 'http.ethtool'),
    example('u32', 'http.u32'),
    ...netfilter.rows.map(({ name, syntax, tool, hook, rules }) => read(`${name} under ${tool}`, syntax, rules, { profile: PROFILE_OF[tool], hook })),
    ...pcap.rows
      .slice(0, expressions)
      .filter(({ error, expr }) => error === undefined && SYNTAXES.pcap.read(source('', expr), {}).value)
      .map(({ expr }) => read(expr, 'pcap', expr)),
  ]
}
