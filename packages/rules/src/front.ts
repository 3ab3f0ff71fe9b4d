// What every rule syntax offers: text to AST with spans (`parse`), AST to IR (`lower`).

import type { Outcome, Source } from '@netsieve/diag'
import type { Filter, ProfileName } from '@netsieve/ir'

export interface LowerOptions {
  /** Semantic profile; the syntax's default is what Linux 6.18 does. */
  readonly profile?: ProfileName
  /** Which of the ruleset's hooks the packets come to: `input`, `forward`, `ingress`, …; the default is the syntax's own. */
  readonly hook?: string
  /** Say of chains that nothing calls, at any hook, that it is so: what lint asks for. */
  readonly unused?: boolean
  /** pcap expressions only: what becomes of packets that match; the others get the opposite. Default `pass`. */
  readonly onMatch?: 'pass' | 'drop'
}

/** One syntax. `Ast` is the syntax's own tree; every node of it has a span. */
export interface FrontEnd<Ast> {
  readonly title: string
  readonly profiles: readonly [ProfileName, ...ProfileName[]]
  parse(source: Source): Outcome<Ast>
  lower(ast: Ast, options: LowerOptions): Outcome<Filter>
}
