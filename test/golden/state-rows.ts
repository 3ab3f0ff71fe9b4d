// Recorded rulesets that keep something from packet to packet (state/record.py), with the packets that they were asked about and the verdicts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderAll, source } from '@netsieve/diag'
import { check, type Filter } from '@netsieve/ir'
import { buildPacket } from '@netsieve/packet'
import { SYNTAXES } from '@netsieve/rules'

export interface Row {
  readonly name: string
  readonly tool: 'nft' | 'iptables-nft' | 'iptables-legacy'
  /** Packets by their number, length, the end of their source and their time to live: `4x100,1x200@7,1x100@1/63`. */
  readonly frames: string
  readonly rules: string
  /** One character a packet: a or d. */
  readonly verdicts: string
}

export const { rows }: { readonly rows: readonly Row[] } = JSON.parse(readFileSync(join(import.meta.dirname, 'state/golden.json'), 'utf8'))
const PROFILES = { nft: 'nft-6.18', 'iptables-nft': 'xt-nft', 'iptables-legacy': 'xt-legacy' } as const

export function filterOf({ tool, rules, name }: Row): Filter {
  const { value, diagnostics } = SYNTAXES[tool === 'nft' ? 'nft' : 'iptables'].read(source(name, rules), { profile: PROFILES[tool], hook: 'input' })
  const checked = value && check(value)
  if (!checked?.value) throw new Error(renderAll([...diagnostics, ...(checked?.diagnostics ?? [])]))
  return checked.value
}

export function framesOf(text: string): Uint8Array[] {
  return text.split(',').flatMap((part) => {
    const [times = 0, length = 0, source = 1, ttl = 64] = part.split(/[x@/]/).map(Number)
    const { value } = buildPacket(`eth / ipv4(src=10.0.0.${source}, dst=10.0.0.2, ttl=${ttl}) / udp(sport=1000, dport=53) / zeros(${length - 28})`)
    return Array<Uint8Array>(times).fill(value!.data)
  })
}

/** The letter of a decision in what is recorded. */
export const letter = (decision: string): string => (decision === 'pass' ? 'a' : 'd')
