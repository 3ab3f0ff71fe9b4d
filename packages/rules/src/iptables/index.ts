// iptables, ip6tables and iptables-save.

import type { Outcome, Source } from '@netsieve/diag'
import type { Filter } from '@netsieve/ir'
import type { FrontEnd, LowerOptions } from '../front.ts'
import type { Ruleset } from './ast.ts'
import { lower } from './lower.ts'
import { XT_PROFILES } from './match.ts'
import { parse } from './parse.ts'

export interface IptablesOptions extends LowerOptions {
  /** What is in the sets that `-m set` looks into, as `ipset save` writes it. */
  readonly ipsets?: Source
}

export const iptables: FrontEnd<Ruleset> & { lower(ast: Ruleset, options: IptablesOptions): Outcome<Filter> } = {
  title: 'iptables and ip6tables command lines, iptables-save files',
  profiles: XT_PROFILES,
  parse,
  lower,
}
