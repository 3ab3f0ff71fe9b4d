// `netsieve demo`: the talk's example, "drop incoming IPv4 HTTP", in five syntaxes over a shipped capture.

import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { disassemble } from '@netsieve/asm'
import type { SyntaxName } from '@netsieve/rules'
import type { Command } from 'commander'
import { Counter, table } from '../report.ts'
import { captureParts, out, readText, Trouble } from './io.ts'
import { LinkSieve } from './link-sieve.ts'
import { compileOrEnd } from './rules.ts'

/** The example's files, by syntax; u32, which says it by places of bytes alone, is not shown. */
const EXAMPLES = {
  iptables: 'http.iptables',
  nft: 'http.nft',
  pcap: 'http.pcap-filter',
  flower: 'http.flower',
  ethtool: 'http.ethtool',
} as const satisfies Record<Exclude<SyntaxName, 'ir' | 'u32'>, string>

const SAMPLES = join(dirname(fileURLToPath(import.meta.url)), '../../../../samples')

export function define(command: Command, done: (exitCode: number) => void): void {
  command.action(() => done(demo()))
}

export function demo(): number {
  const capture = join(SAMPLES, 'http.pcap')
  const shown = (path: string) => relative(process.cwd(), path) || path
  const rows: (string | number)[][] = []
  const outcomes = new Set<string>()
  let listing = ''
  for (const [syntax, file] of Object.entries(EXAMPLES) as [SyntaxName, string][]) {
    const path = join(SAMPLES, 'rules', file)
    const rules = { ...readText(path), name: shown(path) }
    const compiled = compileOrEnd(rules, { syntax })
    const link = new LinkSieve(compiled, 1, { engine: 'interpreter' })
    const { status, stats } = link.verifier
    const counter = new Counter()
    const verdicts: string[] = []
    for (const part of captureParts(capture)) {
      if (part.kind !== 'packet') continue
      const verdict = link.sieve.judge(link.frame(part), link.meta(part, link.frame(part)))
      counter.add(verdict)
      verdicts.push(verdict.verdict)
    }
    outcomes.add(verdicts.join(' '))
    const { passed, dropped } = counter.totals(compiled.filter)
    const rule = compiled.filter?.chains.flatMap((chain) => chain.rules)[0]?.text ?? ''
    rows.push([syntax, compiled.insns.length, `${status} (${stats.processedInsns})`, passed, dropped, rule])
    if (syntax === 'nft') listing = disassemble(compiled.insns, { origins: true })
  }
  out(`"Drop incoming IPv4 HTTP" in ${rows.length} syntaxes over ${shown(capture)}, as XDP programs:\n\n`)
  out(table([['syntax', 'insns', 'verifier', 'passed', 'dropped', 'rule'], ...rows], '  '))
  out(`\nThe nft rule beside its instructions:\n\n${listing}`)
  if (outcomes.size !== 1) throw new Trouble('error: the five do not judge the same [demo/differ]', 1)
  out('\nAll five judge every packet the same. Next: node packages/netsieve/bin/netsieve.js --help\n')
  return 0
}
