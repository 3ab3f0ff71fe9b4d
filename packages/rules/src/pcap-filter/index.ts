// tcpdump's filter expressions, pcap-filter(7), with libpcap 1.10's meaning on a capture file.

import type { Diagnostic, Outcome, Source } from '@netsieve/diag'
import type { Filter } from '@netsieve/ir'
import { LINK_TYPES } from '@netsieve/packet'
import type { FrontEnd, LowerOptions } from '../front.ts'
import type { Ast } from './ast.ts'
import { Fault } from './fault.ts'
import { FIRST, type PcapLink } from './layers.ts'
import { lowerExpression } from './lower.ts'
import { NameFiles } from './names.ts'
import { parseExpression } from './parse.ts'

export type { Ast } from './ast.ts'
export type { PcapLink } from './layers.ts'

export interface PcapOptions extends LowerOptions {
  /** The capture's link type; default `EN10MB`. */
  readonly link?: PcapLink
  /** The network's mask, for `ip broadcast`; unknown if absent. */
  readonly netmask?: bigint
  /** Texts of a hosts(5), an ethers(5) and a networks(5) file, for names. */
  readonly hosts?: string
  readonly ethers?: string
  readonly networks?: string
}

export const pcapFilter: FrontEnd<Ast> & { lower(ast: Ast, options: PcapOptions): Outcome<Filter> } = {
  title: 'pcap-filter expression (tcpdump)',
  profiles: ['pcap-file'],

  parse(source: Source): Outcome<Ast> {
    return guarded(() => ({ value: parseExpression(source), diagnostics: [] }))
  },

  lower(ast: Ast, options: PcapOptions = {}): Outcome<Filter> {
    const { profile = 'pcap-file', link = 'EN10MB', netmask = 0n, hosts, ethers, networks, onMatch = 'pass' } = options
    if (profile !== 'pcap-file') {
      const message = `a pcap-filter expression has no meaning under the profile ${profile}`
      return { diagnostics: [{ severity: 'error', code: 'rules/profile', message, expected: ['pcap-file'] }] }
    }
    const names = new NameFiles(hosts, ethers, networks)
    return guarded(() => lowerExpression(ast, { profile, link, netmask, names, onMatch }))
  },
}

/** The link type of a capture by its number (LINKTYPE or DLT), if expressions can be read for it. */
export function pcapLinkOf(number: number): PcapLink | undefined {
  const name = LINK_TYPES[number]?.name
  return name !== undefined && Object.hasOwn(FIRST, name) ? (name as PcapLink) : undefined
}

function guarded<T>(work: () => Outcome<T>): Outcome<T> {
  try {
    return work()
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    const diagnostics: readonly Diagnostic[] = [fault.diagnostic]
    return { diagnostics }
  }
}
