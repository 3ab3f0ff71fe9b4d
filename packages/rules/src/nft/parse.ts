// Text to tables: each statement through the grammar, in order, into what the ruleset holds after it.

import { at, Diagnostics, type Outcome, type Source, type Span } from '@netsieve/diag'
import type { ReadOptions } from '../front.ts'
import { Grammar, type Node } from '../grammar/match.ts'
import { child, children, spanOf } from '../grammar/node.ts'
import { HOOKS, isHook, nearest, type Word } from '../shared/index.ts'
import type { Chain, HookSpec, Kept, NftFamily, Ruleset, Table } from './ast.ts'
import { Includes } from './include.ts'
import { GRAMMAR as DATA } from './nft.gen.ts'
import { readRule } from './rule.ts'
import { type Here, type Item, type Place, scan } from './scan.ts'
import { SetReader, withoutElements } from './sets.ts'
import { Statements } from './statements.ts'
import { Values } from './value.ts'
import { FAMILY_HOOKS, PRIORITIES } from './words.ts'

const GRAMMAR = new Grammar(DATA, {
  S: '',
  NUMBER: 'a number',
  name: 'a name',
  family: 'a family such as inet',
  step: 'a match, a statement or a verdict',
  comment: "'comment'",
  operator: 'an operator such as ==',
  equality: '',
  bits: "'&'",
  binding: '',
  objectmap: '',
  queuemap: '',
  mapadd: '',
  elementword: '',
  othersource: '',
  vmap: '',
  map: '',
  unsupported: '',
  typeword: 'a type such as ipv4_addr',
  rhs: 'a value',
  atom: 'a value',
  selector: "a field such as 'tcp dport'",
  fieldname: "a field's name",
  entryname: 'the name of an option, a header or a chunk',
  index: '',
  variable: "a variable's name",
  hookname: 'a hook',
  priority: 'a priority',
  verdictword: "'accept' or 'drop'",
  chaintype: 'a chain type such as filter',
})

const NO_RULES =
  "a table with a chain, such as 'table inet filter { chain input { type filter hook input priority 0; } }'"

/** The words of a command before any name of the user's. */
const OTHER_COMMAND =
  /^(?:(?:add|create|insert|delete|destroy|list|reset|replace|flush|get|rename)\s+)?(?:ct\s+)?[a-z]+/

/** The grammar's rules for what stands in blocks. */
type ItemRule = 'top' | 'tableitem' | 'chainitem' | 'setitem' | 'objectitem'
type Take = (node: Node, item: Item) => void

const PLACES: Readonly<Partial<Record<ItemRule, Place>>> = { top: 'top', tableitem: 'table' }

/** Reads what `nft -f` reads, and lines of `nft` commands. */
export function parse(source: Source, options: ReadOptions = {}): Outcome<Ruleset> {
  const diagnostics = new Diagnostics()
  const includes = new Includes(source, options, diagnostics)
  const parser = new Parser(source, includes, diagnostics)
  parser.file(source, 'top', (node, item) => parser.top(node, item))
  const tables = [...parser.tables.values()]
  if (tables.length === 0 && !diagnostics.hasErrors)
    diagnostics.error('rules/empty', 'there are no tables here', at(source, 0, 0), { expected: [NO_RULES] })
  for (const table of tables) markDynamic(table)
  for (const { name, timeout, elements } of tables.flatMap(({ sets }) => [...sets.values()]))
    if (timeout && elements.length > 0)
      diagnostics.warning('nft/timeout', `elements of ${name} are taken to stay in it: here no time runs out`, timeout)
  const { value, diagnostics: told } = diagnostics.outcome({ source, tables })
  return { ...(value && { value }), diagnostics: told.map((one) => includes.told(one)) }
}

/** A set that a rule adds to is dynamic, whether it says so or not: nft sets the flag itself. */
function markDynamic({ chains, sets }: Table): void {
  const steps = [...chains.values()].flatMap(({ rules }) => rules.flatMap((rule) => rule.steps))
  for (const step of steps) {
    const set = step.kind === 'buckets' && !step.meter && sets.get(step.set.text)
    if (!set) continue
    set.dynamic = true
    if (step.kind === 'buckets' && step.connections) set.counted = true
  }
}

class Parser {
  readonly tables = new Map<string, Table>()
  private readonly here: Here
  private readonly includes: Includes
  private readonly diagnostics: Diagnostics
  private readonly values: Values
  private readonly sets: SetReader

  constructor(source: Source, includes: Includes, diagnostics: Diagnostics) {
    this.here = { source, text: '' }
    this.includes = includes
    this.diagnostics = diagnostics
    this.values = new Values(this.here, diagnostics)
    this.sets = new SetReader((node) => this.word(node), this.here, this.values, diagnostics)
  }

  /** The statements of a file, which stand in a block if an `include` does. */
  file(source: Source, rule: ItemRule, take: Take): void {
    const { text, items, open } = scan(source, this.diagnostics, PLACES[rule] ?? 'inner')
    Object.assign(this.here, { source, text })
    this.includes.goesOn(source, 0)
    this.items(items, rule, take)
    if (open !== undefined) this.includes.endsIn(at(source, items.at(-1)!.start, open))
  }

  /** The statements of a block; variables and files are everywhere what they are. */
  private items(items: readonly Item[] = [], rule: ItemRule, take: Take): void {
    for (const item of items) {
      const node = this.match(rule, item)
      if (node?.rule === 'define' || node?.rule === 'undefine') this.values.definition(node)
      else if (node?.rule === 'include') this.include(node, item, rule, take)
      else if (node) take(node, item)
    }
  }

  private include(node: Node, { end }: Item, rule: ItemRule, take: Take): void {
    const outer = { ...this.here }
    const path = this.word(child(node, 'path'))
    this.includes.each(path, spanOf(outer.source, node), (source) => this.file(source, rule, take))
    Object.assign(this.here, outer)
    // The line end behind the statement is its own.
    const own = /^[ \t\r\\]*(?:#[^\n]*)?[\n;]?/.exec(outer.text.slice(end))![0]
    this.includes.goesOn(outer.source, end + own.length)
  }

  /** Matches a statement and gives what it is. */
  private match(rule: string, { start, end }: Item): Node | undefined {
    const result = GRAMMAR.match(rule, this.here.text, start, end)
    if (result.ok) return result.node.children[0]
    const rest = this.here.text.slice(result.at, Math.min(end, result.at + 60))
    const word = /^(?:[\w.:/-]+|\S)?/.exec(rest)![0]
    const message = result.tooComplex
      ? 'this statement is too long or too deep to be read'
      : word === ''
        ? 'the statement ends too soon'
        : `\`${word}\` cannot stand here`
    const span = at(this.here.source, Math.min(result.at, end), Math.min(end, result.at + Math.max(1, word.length)))
    this.diagnostics.error('nft/syntax', message, span, { expected: result.expected })
    return undefined
  }

  private word(node: Node | undefined): Word {
    const { start, end } = node!
    const quoted = this.here.text[start] === '"' ? 1 : 0
    const text = this.here.text.slice(start + quoted, end - quoted)
    return { text, span: at(this.here.source, start + quoted, end - quoted) }
  }

  private unsupported(what: string, span: Span): void {
    this.diagnostics.error('nft/unsupported', `unsupported: ${what}`, span)
  }

  top(node: Node, item: Item): void {
    const names = children(node, 'name').map((each) => this.word(each))
    switch (node.rule) {
      case 'tablehead': {
        const table = this.table(node, names[0]!)
        this.values.enter()
        this.items(item.body, 'tableitem', (inner, each) => this.tableItem(table, inner, each))
        this.values.leave()
        return
      }
      case 'flatchain': {
        const table = this.table(node, names[0]!, true)
        return table && this.chain(table, names[1]!, item)
      }
      case 'flatset': {
        const table = this.table(node, names[0]!, true)
        return table && this.set(table, names[1]!, item)
      }
      case 'flatrule':
        return this.flatRule(node, names)
      case 'flatelement': {
        const set = this.table(node, names[0]!, true)?.sets.get(names[1]!.text)
        if (set) for (const each of this.values.elements(child(node, 'set')!)) set.elements.push(each)
        else this.missing('set', names[1]!)
        return
      }
      case 'flush':
        return this.flush(node.children[0]!)
      case 'flatobject': {
        const table = this.table(node, names[0]!, true)
        return table && this.object(table, node, names[1]!, item)
      }
      case 'remove':
        return this.remove(node, names)
      default:
        this.other(node)
    }
  }

  /** A command that is not understood: named by its words before any name of the user's. */
  private other(node: Node): void {
    const [what] = OTHER_COMMAND.exec(this.here.text.slice(node.start, node.end))!
    const words = what.split(/\s+/).join(' ')
    this.diagnostics.error(
      'nft/unsupported',
      `unsupported: the command \`${words}\``,
      at(this.here.source, node.start, node.start + what.length),
    )
  }

  /** `delete chain …`, `delete element …`. What `destroy` does not find is fine. */
  private remove(node: Node, [tableName, name]: readonly Word[]): void {
    const inner = child(node, 'removeelement')
    if (inner) return this.removeElements(inner)
    const what = this.word(child(node, 'removed')).text
    const anyway = this.here.text.startsWith('destroy', node.start)
    const key = this.key(node, tableName!)
    if (anyway && !this.tables.has(key)) return
    const table = this.table(node, tableName!, true)
    if (!table) return
    if (what === 'table') {
      this.tables.delete(key)
      return
    }
    const named: Map<string, unknown> =
      what === 'chain' ? table.chains : what === 'set' || what === 'map' ? table.sets : table.objects
    if (!name) this.unsupported(`deleting a ${what} by its number`, spanOf(this.here.source, node))
    else if (!named.delete(name.text) && !anyway) this.missing(what, name, [...named.keys()])
  }

  private removeElements(node: Node): void {
    const [tableName, name] = children(node, 'name').map((each) => this.word(each))
    const table = this.table(node, tableName!, true)
    const set = table?.sets.get(name!.text)
    if (set) withoutElements(set, this.values.elements(child(node, 'set')!), this.diagnostics)
    else if (table) this.missing('set', name!, [...table.sets.keys()])
  }

  private family(node: Node): NftFamily {
    const family = child(node, 'family')
    return family ? (this.here.text.slice(family.start, family.end) as NftFamily) : 'ip'
  }

  private key(node: Node, name: Word): string {
    return `${this.family(node)} ${name.text}`
  }

  /** The table of a statement: made if it is not there, unless it must exist. */
  private table(node: Node, name: Word): Table
  private table(node: Node, name: Word, mustExist: true): Table | undefined
  private table(node: Node, name: Word, mustExist?: true): Table | undefined {
    const key = this.key(node, name)
    let table = this.tables.get(key)
    if (table) return table
    if (mustExist) {
      this.missing('table', name, [...this.tables.keys()])
      return undefined
    }
    table = {
      family: this.family(node),
      name: name.text,
      span: name.span,
      chains: new Map(),
      sets: new Map(),
      objects: new Map(),
    }
    this.tables.set(key, table)
    return table
  }

  private missing(what: string, name: Word, known: readonly string[] = []): void {
    const meant = nearest(name.text, known)
    this.diagnostics.error('nft/name', `there is no ${what} \`${name.text}\``, name.span, {
      ...(known.length > 0 && { expected: known }),
      ...(meant && { hint: `did you mean ${meant}?` }),
    })
  }

  private flatRule(node: Node, [tableName, chainName]: readonly Word[]): void {
    const table = this.table(node, tableName!, true)
    if (!table) return
    const chain = table.chains.get(chainName!.text)
    if (!chain) return this.missing('chain', chainName!, [...table.chains.keys()])
    const [verb, place] = [child(node, 'verb'), child(node, 'place')]
    const before = verb !== undefined && this.here.text.startsWith('insert', verb.start)
    const index = place ? this.index(place, chain) : before ? 0 : chain.rules.length - 1
    const rule = readRule(this.here, child(node, 'rule')!, this.values, this.diagnostics)
    if (index !== undefined) chain.rules.splice(before ? index : index + 1, 0, rule)
  }

  /** Which rule another is put beside. Undefined after an error. */
  private index(place: Node, chain: Chain): number | undefined {
    const { text, span } = this.word(place)
    const [what, number] = text.split(/\s+/) as [string, string]
    if (what !== 'index') this.unsupported('a rule put beside the one of a number that the kernel gave', span)
    else if (Number(number) < chain.rules.length) return Number(number)
    else this.diagnostics.error('nft/name', `there is no rule ${number}: the chain ${chain.name} has ${chain.rules.length}, counted from 0`, span) // biome-ignore format: one message
    return undefined
  }

  private flush(node: Node): void {
    const [tableName, chainName] = children(node, 'name').map((each) => this.word(each))
    if (node.rule === 'ruleset') {
      const family = child(node, 'family') && this.family(node)
      for (const [key, table] of this.tables) if (!family || table.family === family) this.tables.delete(key)
      return
    }
    const table = this.table(node, tableName!, true)
    if (!table) return
    if (node.rule === 'flushset') {
      const set = table.sets.get(chainName!.text)
      if (set) set.elements = []
      else this.missing('set', chainName!, [...table.sets.keys()])
      return
    }
    const chain = chainName && table.chains.get(chainName.text)
    if (chainName && !chain) return this.missing('chain', chainName, [...table.chains.keys()])
    for (const each of chain ? [chain] : table.chains.values()) each.rules = []
  }

  private tableItem(table: Table, node: Node, item: Item): void {
    switch (node.rule) {
      case 'chainhead':
        return this.chain(table, this.word(child(node, 'name')), item)
      case 'sethead':
        return this.set(table, this.word(child(node, 'name')), item)
      case 'tableattribute':
        // Who owns a table, and for how long, changes nothing of what its rules mean; a dormant one has none.
        if (
          /^flags\b(?!\s+(owner|persist)(\s*,\s*(owner|persist))*\s*;?\s*$)/.test(
            this.here.text.slice(node.start, node.end).replace(/#.*/, ''),
          )
        )
          this.unsupported('these flags of a table', spanOf(this.here.source, node))
        return
      case 'objecthead':
        return this.object(table, node, this.word(child(node, 'name')), item)
      // Maps, flow tables and helpers: what is declared does nothing until a rule names it, and that is not understood.
    }
  }

  /** `counter NAME { packets 5 bytes 300 }`, `limit NAME { rate 10/second }`, `quota NAME { over 10 mbytes }`. */
  private object(table: Table, node: Node, { text: name, span }: Word, item: Item): void {
    const kind = this.word(child(node, 'objectkind')).text as Kept['kind']
    const statements = new Statements(this.here, this.values, this.diagnostics)
    let kept: Kept | undefined = kind === 'counter' ? { kind, packets: 0n, bytes: 0n, span } : undefined
    // A statement of its own may say it without braces.
    const own = child(node, 'rate') ?? child(node, 'quotasize')
    const take = (found: Node): void => {
      if (found.rule === 'chaincomment') return
      kept = statements.kept(found)
      if (kept && kept.kind !== kind)
        this.diagnostics.error('nft/object', `this says a ${kept.kind}, in a ${kind}`, spanOf(this.here.source, found))
    }
    if (own) take(own)
    this.values.enter()
    this.items(item.body, 'objectitem', take)
    this.values.leave()
    if (kept) table.objects.set(name, kept)
    else if (!this.diagnostics.hasErrors) this.diagnostics.error('nft/object', `the ${kind} ${name} says nothing`, span)
  }

  private chain(table: Table, name: Word, item: Item): void {
    let chain = table.chains.get(name.text)
    if (!chain) {
      chain = { name: name.text, span: name.span, rules: [] }
      table.chains.set(name.text, chain)
    }
    this.values.enter()
    this.items(item.body, 'chainitem', (node) => this.chainItem(table, chain, node))
    this.values.leave()
  }

  private chainItem(table: Table, chain: Chain, node: Node): void {
    switch (node.rule) {
      case 'chainflags':
        return this.unsupported('flags of a chain', spanOf(this.here.source, node))
      case 'hook': {
        const hook = this.hook(table, node)
        if (hook) chain.hook = hook
        return
      }
      case 'policy': {
        const value = this.values.atom(node.children[0]!)
        if (value?.kind === 'word' && (value.text === 'accept' || value.text === 'drop'))
          chain.policy = { verdict: value.text, span: spanOf(this.here.source, node) }
        else if (value)
          this.diagnostics.error('nft/policy', 'this is no policy', value.span, { expected: ['accept', 'drop'] })
        return
      }
      case 'rule':
        chain.rules.push(readRule(this.here, node, this.values, this.diagnostics))
    }
  }

  private hook(table: Table, node: Node): HookSpec | undefined {
    const name = this.word(child(node, 'hookname'))
    const type = this.word(child(node, 'chaintype')).text as HookSpec['type']
    const span = spanOf(this.here.source, node)
    if (table.family === 'arp' || table.family === 'bridge') {
      const message = `tables of the family ${table.family} are left out: their packets are not those of the other tables`
      this.diagnostics.warning('nft/family', message, table.span)
      return undefined
    }
    const known = FAMILY_HOOKS[table.family]
    const other = ['egress', 'ingress'].includes(name.text)
    if (other && !known.includes(name.text)) {
      this.unsupported(`the hook ${name.text} in a table of the family ${table.family}`, name.span)
      return undefined
    }
    if (!isHook(name.text) || !known.includes(name.text)) {
      const expected = isHook(name.text) || known.length > 0 ? known : HOOKS
      this.diagnostics.error('nft/hook', `a chain of the family ${table.family} has no hook \`${name.text}\``, name.span, { expected }) // biome-ignore format: one message
      return undefined
    }
    const priority = this.priority(child(node, 'priority')!)
    return priority === undefined ? undefined : { type, hook: name.text, priority, span }
  }

  private priority(node: Node): number | undefined {
    const value = child(node, 'var')
    const given = value && this.values.atom(value)
    const text = given ? given.kind === 'word' && given.text : this.here.text.slice(node.start, node.end)
    const found = /^([a-z]*)\s*([+-]?)\s*([0-9]*)$/.exec(text || '')
    const base = found?.[1] ? PRIORITIES[found[1]] : 0
    const number = Number(`${found?.[2] ?? ''}${found?.[3] || '0'}`)
    if (found && base !== undefined && Math.abs(base + number) <= 0x7fffffff) return base + number
    this.diagnostics.error('nft/priority', 'this is no priority', spanOf(this.here.source, node), {
      expected: ['a number', ...Object.keys(PRIORITIES)],
    })
    return undefined
  }

  private set(table: Table, name: Word, item: Item): void {
    let set = table.sets.get(name.text)
    if (!set) {
      set = { name: name.text, span: name.span, types: [], interval: false, autoMerge: false, elements: [] }
      table.sets.set(name.text, set)
    }
    const { sets } = this
    this.values.enter()
    this.items(item.body, 'setitem', (node) => sets.read(set, node))
    this.values.leave()
  }
}
