// The packets and rules whose meaning is recorded, what the tools said, and the table that docs/semantics.md is.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildPacket } from '@netsieve/packet'

/** From this file, and from a bundle of it: both lie two folders deep. */
const FOLDER = fileURLToPath(new URL('../../test/golden/semantics/', import.meta.url))

export const TOOLS = ['nft', 'nft ingress', 'iptables-nft', 'iptables-legacy', 'pcap', 'u32'] as const
export type Tool = (typeof TOOLS)[number]

export interface Row {
  /** Number of the case in the project's list of semantic traps; several rows may have one. */
  readonly row: number
  readonly what: string
  readonly packets: readonly string[]
  readonly rules: readonly string[]
  /** The field of a view that holds the choice. */
  readonly field: string
}

export interface Cases {
  readonly packets: Readonly<Record<string, string>>
  /** Rules by name, in the words of each syntax. */
  readonly rules: Readonly<Record<string, Readonly<Partial<Record<'nft' | 'iptables' | 'pcap' | 'u32', string>>>>>
  readonly rows: readonly Row[]
}

export interface Golden {
  readonly tools: Readonly<Record<string, string>>
  readonly verdicts: Readonly<Record<string, Readonly<Partial<Record<Tool, string | { readonly error: string }>>>>>
}

const json = <T>(name: string): T => JSON.parse(readFileSync(`${FOLDER}${name}`, 'utf8')) as T

export const folder = FOLDER
export const cases = json<Cases>('cases.json')
export const golden = () => json<Golden>('golden.json')

/** The packets, built. */
export function frames(): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(cases.packets).map(([name, text]) => {
      const { value, diagnostics } = buildPacket(text)
      if (!value) throw new Error(`${name}: ${diagnostics.map(({ message }) => message).join()}`)
      return [name, value.data]
    }),
  )
}

const WORDS: Readonly<Record<string, string>> = { d: '**yes**', a: 'no', '-': '–' }

/** docs/semantics.md. */
export function page(): string {
  const { tools, verdicts } = golden()
  const names = Object.keys(cases.packets)
  const lines = cases.rows.flatMap(({ row, what, packets, rules, field }) =>
    packets.flatMap((packet) =>
      rules.map((rule) => {
        const told = TOOLS.map((tool) => {
          const verdict = verdicts[rule]?.[tool]
          return verdict === undefined ? '' : typeof verdict === 'string' ? WORDS[verdict[names.indexOf(packet)]!]! : 'refused'
        })
        return `| ${row} | ${what} | ${packet} | ${rule} | ${told.join(' | ')} | ${field} |`
      }),
    ),
  )
  const spelled = Object.entries(cases.rules).map(([name, rule]) => {
    const cell = (key: 'nft' | 'iptables' | 'pcap' | 'u32') => (rule[key] === undefined ? '' : `\`${rule[key].replace(/\|/g, '\\|')}\``)
    return `| ${name} | ${cell('nft')} | ${cell('iptables')} | ${cell('pcap')} | ${cell('u32')} |`
  })
  const built = Object.entries(cases.packets).map(([name, text]) => `| ${name} | \`${text}\` |`)
  return `# What rules mean on odd packets

Written by \`test/golden/semantics-write.ts\` from what the real tools said (\`record.py\`): ${Object.entries(tools).map(([name, version]) => `${name} ${version}`).join('; ')}.
\`test/golden/semantics.test.ts\` holds netsieve's meaning, and its programs, against every verdict of these rules on all of these packets, the ones that are not
shown too. The last column names the field of a view (\`packages/ir/src/views.ts\`) that holds the choice, or says that the front-end writes the rule so.

**yes**: the rule drops the packet (a pcap expression: matches it); no: it does not; –: the packet does not come to the hook, or cannot be sent; empty: the rule cannot be
said there. iptables-legacy also drops what its modules find cut ("hotdrop"): a yes for a rule and for its opposite. nft, iptables-nft and iptables-legacy stand at
prerouting, so fragments are not yet put together.

| # | case | packet | rule | ${TOOLS.join(' | ')} | in the view |
|---|---|---|---|${TOOLS.map(() => '---|').join('')}---|
${lines.join('\n')}

## The rules

| rule | nft | iptables, ip6tables | pcap | tc u32 |
|---|---|---|---|---|
${spelled.join('\n')}

## The packets

| packet | built from |
|---|---|
${built.join('\n')}

## Profiles without a recorded tool

| profile | why |
|---|---|
| \`nft-fragfix\` | what later kernels' source says (payload loads that mind fragment offsets); there is no such kernel here to record |
| \`flower\`, \`ethtool\` | the kernel's flow dissector by its source, an ideal device by ethtool's documentation: no classifier or device was there to ask |
| \`raw\` | bytes at places: nothing to ask |
`
}
