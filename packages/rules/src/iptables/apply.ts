// Runs the commands: what the tables hold after them. Order counts: -I, -D and *table see what stands before them.

import type { Diagnostics, Span } from '@netsieve/diag'
import type { IpFamily, Word } from '../shared/index.ts'
import type { Command, RuleSpec, Ruleset } from './ast.ts'
import { TABLES } from './options.ts'

export interface ChainState {
  name: string
  readonly builtIn: boolean
  policy: 'accept' | 'drop'
  /** Where the policy, or the user chain's declaration, was written. */
  span?: Span
  rules: RuleSpec[]
}

export interface TableState {
  readonly family: IpFamily
  readonly name: string
  readonly chains: Map<string, ChainState>
}

export function apply(ruleset: Ruleset, diagnostics: Diagnostics): TableState[] {
  const tables = new Map<string, TableState>()
  for (const command of ruleset.commands) {
    const key = `${command.family} ${command.table}`
    if (command.kind === 'table') tables.delete(key)
    let table = tables.get(key)
    if (!table) {
      table = emptyTable(command)
      tables.set(key, table)
    }
    run(table, command, diagnostics)
  }
  return [...tables.values()]
}

function emptyTable({ family, table }: Command): TableState {
  const chains = new Map<string, ChainState>()
  for (const name of TABLES[table]!.chains) chains.set(name, { name, builtIn: true, policy: 'accept', rules: [] })
  return { family, name: table, chains }
}

function run(table: TableState, command: Command, diagnostics: Diagnostics): void {
  switch (command.kind) {
    case 'table':
      return
    case 'new': {
      const { text: name, span } = command.chain
      if (table.chains.has(name)) diagnostics.error('iptables/chain', `the chain ${name} exists already`, span)
      else table.chains.set(name, { name, builtIn: false, policy: 'accept', span, rules: [] })
      return
    }
    case 'flush':
    case 'remove':
      return clear(table, command, diagnostics)
    default: {
      const chain = find(table, command.chain, diagnostics)
      if (chain) change(table, chain, command, diagnostics)
    }
  }
}

function find(table: TableState, word: Word, diagnostics: Diagnostics): ChainState | undefined {
  const chain = table.chains.get(word.text)
  if (!chain)
    diagnostics.error('iptables/chain', `the table ${table.name} has no chain ${word.text}`, word.span, {
      expected: [...table.chains.keys()],
      hint: `make it first: -N ${word.text}`,
    })
  return chain
}

function clear(
  table: TableState,
  command: Extract<Command, { kind: 'flush' | 'remove' }>,
  diagnostics: Diagnostics,
): void {
  const one = command.chain && find(table, command.chain, diagnostics)
  if (command.chain && !one) return
  const chains = one ? [one] : [...table.chains.values()]
  if (command.kind === 'flush') {
    for (const chain of chains) chain.rules = []
    return
  }
  for (const chain of chains) {
    if (chain.builtIn && !one) continue
    const fault = chain.builtIn ? 'is built in' : chain.rules.length > 0 ? 'is not empty' : undefined
    if (fault) diagnostics.error('iptables/chain', `the chain ${chain.name} ${fault}`, command.span)
    else table.chains.delete(chain.name)
  }
}

type Change = Exclude<Command, { kind: 'table' | 'new' | 'flush' | 'remove' }>

function change(table: TableState, chain: ChainState, command: Change, diagnostics: Diagnostics): void {
  switch (command.kind) {
    case 'policy':
      if (!chain.builtIn) diagnostics.error('iptables/policy', 'only built-in chains have a policy', command.chain.span)
      chain.policy = command.policy
      chain.span = command.span
      return
    case 'rename':
      return rename(table, chain, command, diagnostics)
    case 'append':
      chain.rules.push(command.rule)
      return
    case 'insert':
      if (inRange(command.position, chain.rules.length + 1, command, diagnostics))
        chain.rules.splice(command.position - 1, 0, command.rule)
      return
    case 'replace':
      if (inRange(command.position, chain.rules.length, command, diagnostics))
        chain.rules.splice(command.position - 1, 1, command.rule)
      return
    case 'deleteAt':
      if (inRange(command.position, chain.rules.length, command, diagnostics))
        chain.rules.splice(command.position - 1, 1)
      return
    case 'delete': {
      const wanted = canonical(command.rule)
      const index = chain.rules.findIndex((rule) => canonical(rule) === wanted)
      if (index >= 0) chain.rules.splice(index, 1)
      else diagnostics.error('iptables/no-rule', `${chain.name} has no such rule to delete`, command.span)
    }
  }
}

function inRange(position: number, most: number, command: Change, diagnostics: Diagnostics): boolean {
  if (position <= most) return true
  const message = `${command.chain.text} has no rule ${position}`
  diagnostics.error('iptables/no-rule', message, command.span, { expected: [`a rule number from 1 to ${most}`] })
  return false
}

function rename(
  table: TableState,
  chain: ChainState,
  command: Extract<Command, { kind: 'rename' }>,
  diagnostics: Diagnostics,
): void {
  const { text: to, span } = command.to
  if (chain.builtIn) diagnostics.error('iptables/chain', `the chain ${chain.name} is built in`, command.chain.span)
  else if (table.chains.has(to)) diagnostics.error('iptables/chain', `the chain ${to} exists already`, span)
  else {
    table.chains.delete(chain.name)
    chain.name = to
    table.chains.set(to, chain)
  }
}

/** A rule without its places: equal for rules that iptables -D holds to be the same. */
function canonical({ matches, target }: RuleSpec): string {
  return JSON.stringify({ matches, target }, (key, value: unknown) => {
    if (key === 'span') return undefined
    return typeof value === 'bigint' ? value.toString() : value
  })
}
