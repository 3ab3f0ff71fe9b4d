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

/** Files that rules name: a disk's, or some in memory. Paths are as they are written; those that begin with no `/` are looked for where the program works. */
export interface Files {
  /** What is at a path, behind links; undefined for nothing. */
  look(path: string): 'file' | 'folder' | undefined
  /** The names in a folder, in any order; none of what is no folder, or cannot be read. */
  list(folder: string): readonly string[]
  /** The text of a file that has at most so many bytes, or why there is none: a sentence without its subject, such as `cannot be read: …`. */
  read(path: string, mostBytes: number): Source | string
}

/** What a front-end may need to read rules. */
export interface ReadOptions {
  /** Where `include` finds files; without it rules cannot name any. Only nft's rules do. */
  readonly files?: Files
  /** nft: folders that are searched behind /etc for what `include` names without a place (`nft -I`). */
  readonly includePath?: readonly string[]
}

/** One syntax. `Ast` is the syntax's own tree; every node of it has a span. */
export interface FrontEnd<Ast> {
  readonly title: string
  readonly profiles: readonly [ProfileName, ...ProfileName[]]
  parse(source: Source, options?: ReadOptions): Outcome<Ast>
  lower(ast: Ast, options: LowerOptions): Outcome<Filter>
}
