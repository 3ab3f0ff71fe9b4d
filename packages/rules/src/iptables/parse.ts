// Text to commands: each line through the grammar, its options through the words of options.ts.

import { at, Diagnostics, type Outcome, type Source } from '@netsieve/diag'
import { Grammar, type Node } from '../grammar/match.ts'
import { child, spanOf, wordOf } from '../grammar/node.ts'
import type { IpFamily, Word } from '../shared/index.ts'
import type { Command, Ruleset } from './ast.ts'
import { GRAMMAR as DATA } from './iptables.gen.ts'
import { lines, type Range } from './lines.ts'
import type { Option } from './matches.ts'
import { TABLES } from './options.ts'
import { parseCommand } from './rule.ts'

const GRAMMAR = new Grammar(DATA, {
  S: '',
  tableline: "a table's start such as '*filter'",
  chainline: "a chain's line such as ':INPUT DROP [0:0]'",
  counters: 'counters such as [0:0]',
  program: "'iptables'",
  item: "an option such as '-A' or '--dport'",
  option: 'an option',
  value: 'a value',
  dtext: '',
  escaped: '',
  policy: 'a policy: ACCEPT, DROP or -',
  tablename: "a table's name",
  chainname: "a chain's name",
})

/** Reads iptables and ip6tables command lines, and what iptables-save writes. */
export function parse(source: Source): Outcome<Ruleset> {
  const diagnostics = new Diagnostics()
  const commands: Command[] = []
  const guess = guessFamily(source.text)
  const programs = new Set<string>()
  let table: { readonly name: string; readonly line: Range } | undefined
  for (const range of lines(source)) {
    const node = matchLine(source, range, diagnostics)
    const [what] = node?.children ?? []
    if (!what) continue
    const span = at(source, range.start, range.end)
    const context = { family: guess, table: table?.name ?? 'filter', span }
    switch (what.rule) {
      case 'tableline': {
        if (table) unfinished(source, table, diagnostics)
        const name = wordOf(source, child(what, 'tablename')!)
        table = { name: name.text, line: range }
        if (TABLES[name.text]) commands.push({ ...context, table: name.text, kind: 'table' })
        else unknownTable(name, diagnostics)
        break
      }
      case 'commit':
        if (!table) diagnostics.error('iptables/commit', 'COMMIT without a table', span, { expected: ['*table'] })
        table = undefined
        break
      case 'chainline':
        chainLine(source, what, context, diagnostics, commands)
        break
      case 'command': {
        const program = child(what, 'program')
        const name = program && wordOf(source, program).text
        const family = name ? (name.includes('ip6tables') ? 'ipv6' : 'ipv4') : guess
        if (name) programs.add(name.endsWith('-legacy') ? 'legacy' : 'nft')
        const options: Option[] = []
        for (const item of what.children) if (item.rule === 'item') options.push(option(source, item))
        const found = parseCommand(options, { ...context, family, inTable: table !== undefined }, diagnostics)
        if (found) commands.push(found)
      }
    }
  }
  if (table) unfinished(source, table, diagnostics)
  if (commands.length === 0 && !diagnostics.hasErrors)
    diagnostics.error('rules/empty', 'there are no rules here', at(source, 0, 0), {
      expected: ["a command such as 'iptables -A INPUT -p tcp --dport 80 -j DROP'", "'*filter' of iptables-save"],
    })
  return diagnostics.outcome({ source, commands, legacy: programs.has('legacy') && programs.size === 1 })
}

function matchLine(source: Source, { start, end }: Range, diagnostics: Diagnostics): Node | undefined {
  const result = GRAMMAR.match('line', source.text, start, end)
  if (result.ok) return result.node
  const word = /^\S*/.exec(source.text.slice(result.at, Math.min(end, result.at + 60)))![0]
  const message = result.tooComplex
    ? 'this line is too long or too deep to be read'
    : result.at >= end
      ? 'the line ends too soon'
      : `\`${word}\` cannot stand here`
  const span = at(source, Math.min(result.at, end), Math.min(end, result.at + Math.max(1, word.length)))
  const negated = /!\s+$/.test(source.text.slice(start, result.at))
  diagnostics.error('iptables/syntax', message, span, {
    expected: result.expected,
    ...(negated && { hint: 'write `!` before the option: ! --dport 80' }),
  })
  return undefined
}

/** Files of ip6tables-save say so in their first line; else an IPv6 address or protocol tells. */
function guessFamily(text: string): IpFamily {
  const v6 =
    /^\s*#[^\n]*\bip6tables\b/m.test(text) ||
    /(?:-[sd]|--src|--source|--dst|--destination)[ \t=]+[0-9a-f.]*:/i.test(text) ||
    /(?:-p|--proto(?:col)?)[ \t=]+(?:ipv6-icmp|icmpv6)\b/i.test(text)
  return v6 ? 'ipv6' : 'ipv4'
}

function unfinished(source: Source, table: { readonly line: Range }, diagnostics: Diagnostics): void {
  const { start, end } = table.line
  const message = 'this table has no COMMIT: iptables-restore would not load it'
  diagnostics.error('iptables/commit', message, at(source, start, end), { expected: ['COMMIT'] })
}

function unknownTable(name: Word, diagnostics: Diagnostics): void {
  diagnostics.error('iptables/table', `there is no table \`${name.text}\``, name.span, {
    expected: Object.keys(TABLES),
  })
}

function chainLine(
  source: Source,
  node: Node,
  context: { family: IpFamily; table: string; span: Command['span'] },
  diagnostics: Diagnostics,
  commands: Command[],
): void {
  const chain = wordOf(source, child(node, 'chainname')!)
  const policy = wordOf(source, child(node, 'policy')!)
  const builtIn = TABLES[context.table]?.chains.includes(chain.text)
  if (policy.text === '-') commands.push({ ...context, kind: builtIn ? 'flush' : 'new', chain })
  else if (policy.text === 'ACCEPT' || policy.text === 'DROP')
    commands.push({ ...context, kind: 'policy', chain, policy: policy.text === 'DROP' ? 'drop' : 'accept' })
  else
    diagnostics.error('iptables/policy', `\`${policy.text}\` is no policy`, policy.span, {
      expected: ['ACCEPT', 'DROP', '-'],
    })
}

function option(source: Source, item: Node): Option {
  const node = child(item, 'option')!.children[0]!
  const long = child(node, 'longname')
  const name = wordOf(source, long ?? child(node, 'letter')!)
  const values: Word[] = []
  for (let i = 0; i < node.children.length; i++)
    if (node.children[i]!.rule === 'value') values.push(value(source, node.children[i]!))
  return {
    name: name.text,
    long: long !== undefined,
    negated: child(item, 'negation') !== undefined,
    values,
    span: at(source, item.start, item.end),
    nameSpan: at(source, node.start, name.span.end),
  }
}

/** A value without its quotes; the span is inside them if it is all one quoted piece. */
function value(source: Source, node: Node): Word {
  const only = node.children.length === 1 ? node.children[0]!.children[0]! : undefined
  if (only?.rule === 'plain') return wordOf(source, only)
  const inner = only?.rule === 'double' || only?.rule === 'single' ? 1 : 0
  const { start, end } = spanOf(source, node)
  return {
    text: node.children.map((piece) => unquote(source, piece.children[0]!)).join(''),
    span: at(source, start + inner, end - inner),
  }
}

function unquote(source: Source, node: Node): string {
  if (node.rule === 'double' || node.rule === 'single')
    return node.children.map((each) => unquote(source, each)).join('')
  return source.text.slice(node.rule === 'escaped' ? node.start + 1 : node.start, node.end)
}
