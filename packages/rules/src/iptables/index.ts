// iptables, ip6tables and iptables-save.

import type { FrontEnd } from '../front.ts'
import type { Ruleset } from './ast.ts'
import { lower } from './lower.ts'
import { XT_PROFILES } from './match.ts'
import { parse } from './parse.ts'

export const iptables: FrontEnd<Ruleset> = {
  title: 'iptables and ip6tables command lines, iptables-save files',
  profiles: XT_PROFILES,
  parse,
  lower,
}
