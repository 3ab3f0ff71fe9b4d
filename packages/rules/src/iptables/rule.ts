// One command line from its options: the command, the rule's matches and target.

import { type Diagnostics, type Span, spanText } from '@netsieve/diag'
import { type IpFamily, nearest, readIpProtocol, readNumber, type Word } from '../shared/index.ts'
import type { Action, Command, RuleSpec, Target } from './ast.ts'
import { STATE_MODULES } from './kept.ts'
import { isPortModule, type Line, MatchList, type Option, type Protocol } from './matches.ts'
import { isMetadataOption, readInterface } from './metadata.ts'
import {
  BASE_OPTIONS,
  MATCH_OPTIONS,
  type OptionRow,
  optionOfLetter,
  optionOfName,
  TABLES,
  UNSUPPORTED_TARGETS,
} from './options.ts'
import { readTarget, TARGET_OPTIONS } from './targets.ts'
import { readAddresses } from './values.ts'

export interface LineContext {
  readonly family: IpFamily
  readonly table: string
  readonly span: Span
  /** Inside `*table` … COMMIT. */
  readonly inTable: boolean
}

/** The command of a line, or undefined after saying what is wrong with it (or that it changes nothing). */
export function parseCommand(
  options: readonly Option[],
  context: LineContext,
  diagnostics: Diagnostics,
): Command | undefined {
  return new LineParser(context, diagnostics).parse(options)
}

/** An option's row, and the match or target that it is of. */
interface Found {
  readonly row: OptionRow
  readonly module: string | undefined
}

const COMMANDS = new Set(
  'append insert replace delete new-chain delete-chain flush zero rename-chain policy check list list-rules'.split(' '),
)

class LineParser implements Line {
  family: IpFamily
  protocol: Protocol | undefined
  readonly seen = new Set<string>()
  readonly diagnostics: Diagnostics
  private table: string
  private command: Option | undefined
  /** The command's long name. */
  private key = ''
  private readonly matches: MatchList = new MatchList(this)
  private readonly interfaces: { readonly side: 'in' | 'out'; readonly span: Span }[] = []
  private target: Target | undefined
  /** The target's name, where it has options of its own, and those that came. */
  private named: Word | undefined
  private readonly targetOptions: Option[] = []
  private failed = false
  private readonly context: LineContext

  constructor(context: LineContext, diagnostics: Diagnostics) {
    this.context = context
    this.diagnostics = diagnostics
    this.family = context.family
    this.table = context.table
  }

  parse(options: readonly Option[]): Command | undefined {
    for (const option of options) this.option(option)
    const command = this.command
    if (!command) {
      if (!this.failed) this.fail('command', 'this line has no command', this.context.span, ['-A, -I, -D, -P, -N, …'])
      return undefined
    }
    if (!this.failed) this.matches.needOptions()
    this.matches.needProtocols()
    if (this.named) {
      const protocol = this.protocol && !this.protocol.negated ? this.protocol.value : undefined
      this.target = this.read(
        readTarget(this.named, this.targetOptions, { family: this.family, protocol }, this.diagnostics),
      )
    }
    this.checkInterfaces()
    const action = this.failed ? undefined : this.action(command)
    return action && { family: this.family, table: this.table, span: this.context.span, ...action }
  }

  fail(what: string, message: string, span: Span, expected?: readonly string[], hint?: string): undefined {
    this.failed = true
    this.diagnostics.error(`iptables/${what}`, message, span, { ...(expected && { expected }), ...(hint && { hint }) })
    return undefined
  }

  read<T>(value: T | undefined): T | undefined {
    if (value === undefined) this.failed = true
    return value
  }

  private option(option: Option): void {
    const found = this.find(option)
    if (!found) return
    const { row } = found
    const key = row.names[0]
    if (option.values.length < row.min) {
      const [what, missing] = [spanText(option.nameSpan), row.min - option.values.length]
      this.fail('argument', `${what} needs ${missing === 1 ? 'a value' : `${missing} values`}${option.values.length ? ' more' : ''}`, option.span) // biome-ignore format: one message
      return
    }
    const extra = option.values[row.max]
    if (extra) {
      this.fail('argument', `\`${extra.text}\` is one word too many for ${spanText(option.nameSpan)}`, extra.span)
      return
    }
    if (option.negated && !row.negatable) {
      this.fail('negation', `${spanText(option.nameSpan)} cannot be negated`, option.span)
      return
    }
    this.apply(key, option, found.module)
  }

  /** The option's row: exact name or letter, else the start of exactly one name; loads the protocol's match if that knows it. */
  private find(option: Option): Found | undefined {
    if (!option.long) {
      const row = optionOfLetter(option.name)
      if (!row) this.unknown(option)
      return row && { row, module: undefined }
    }
    const implicit = this.matches.implicit()
    const { modules, foreign } = this.matches
    const loaded = [...modules]
    if (implicit && !modules.has(implicit)) loaded.push(implicit)
    const found = this.exact(option.name, loaded) ?? this.shortened(option, loaded, foreign)
    if (found?.module !== undefined && found.module !== TARGET && !modules.has(found.module))
      this.matches.load(found.module, option.nameSpan)
    return found
  }

  /** Of matches with an option of one name, the last one that was loaded has it. */
  private exact(name: string, loaded: readonly string[]): Found | undefined {
    const target = this.named && TARGET_OPTIONS[this.named.text]
    const own = target && optionOfName(target, name)
    if (own) return { row: own, module: TARGET }
    for (let i = loaded.length - 1; i >= 0; i--) {
      const rows = MATCH_OPTIONS[loaded[i]!]
      const row = rows && optionOfName(rows, name)
      if (row) return { row, module: loaded[i] }
    }
    const row = optionOfName(BASE_OPTIONS, name)
    return row && { row, module: undefined }
  }

  /** The one option that begins like this. What is not known may be one of a match or target that is not understood. */
  private shortened(option: Option, loaded: readonly string[], foreign: boolean): Found | undefined {
    const rows = loaded.flatMap((module) => (MATCH_OPTIONS[module] ?? []).map((row) => ({ row, module })))
    const own = (this.named ? (TARGET_OPTIONS[this.named.text] ?? []) : []).map((row) => ({ row, module: TARGET }))
    const all = [...BASE_OPTIONS.map((row) => ({ row, module: undefined })), ...rows, ...own]
    const close = foreign ? [] : all.filter(({ row }) => row.names.some((name) => name.startsWith(option.name)))
    if (new Set(close.map(({ row }) => row)).size === 1) return close[0]
    this.unknown(option)
    return undefined
  }

  private unknown(option: Option): void {
    const what = spanText(option.nameSpan)
    if (this.matches.foreign) return
    if (this.matches.unsupportedOption(option)) return
    const known = [...BASE_OPTIONS, ...Object.values(MATCH_OPTIONS).flat()].flatMap(({ names }) => names)
    const needs = Object.entries(MATCH_OPTIONS).filter(([, rows]) =>
      rows.some(({ names }) => names.includes(option.name)),
    )
    const meant = option.long ? nearest(option.name, known) : undefined
    const hint =
      needs.length > 0
        ? `--${option.name} needs ${needs.map(([module]) => (isPortModule(module) ? `-p ${module}` : `-m ${module}`)).join(' or ')} before it`
        : meant && `did you mean --${meant}?`
    this.fail('option', `unknown option ${what}`, option.nameSpan, undefined, hint)
  }

  private apply(key: string, option: Option, module: string | undefined): void {
    const [value] = option.values as readonly [Word]
    const { negated, span } = option
    if (COMMANDS.has(key)) {
      if (this.command) this.fail('command', 'a line has one command', option.span)
      else this.command = option
      this.key = key
      return
    }
    const own =
      module !== undefined && (module === TARGET || STATE_MODULES.has(module) || isMetadataOption(module, key))
    const name = own ? `${module} ${key}` : key
    if (key !== 'match' && key !== 'verbose' && this.once(name, option)) return
    switch (key) {
      case 'table':
        this.setTable(value)
        break
      case 'ipv4':
      case 'ipv6':
        this.family = key
        break
      case 'protocol':
        this.setProtocol(option, value)
        break
      case 'source':
      case 'destination': {
        const networks = this.read(readAddresses(value, this.family, negated, this.diagnostics))
        const side = key === 'source' ? 'src' : 'dst'
        if (networks) this.matches.own({ kind: 'address', side, negated, networks, span })
        break
      }
      case 'fragments':
        if (this.family === 'ipv6') this.fail('option', 'ip6tables has no -f', span, undefined, 'use -m frag')
        else this.matches.own({ kind: 'fragment', negated, span })
        break
      case 'in-interface':
      case 'out-interface': {
        const test = this.read(readInterface(value, this.diagnostics))
        const field = key === 'in-interface' ? 'meta.iifname' : 'meta.oifname'
        this.interfaces.push({ side: key === 'in-interface' ? 'in' : 'out', span })
        // A bare + is every device.
        if (test && (test.mask !== 0n || negated)) this.matches.own({ kind: 'field', field, negated, test, span })
        break
      }
      case 'match':
        this.matches.loadNamed(value, span)
        break
      case 'jump':
      case 'goto':
        this.setTarget(key, value, span)
        break
      default:
        if (module === TARGET) this.targetOptions.push({ ...option, name: key })
        else if (module !== undefined) this.matches.option(module, key, option)
    }
  }

  /** Says so if an option comes a second time. */
  private once(key: string, option: Option): boolean {
    const again = this.seen.has(key)
    if (again) this.fail('twice', `${spanText(option.nameSpan)} stands twice in one rule`, option.span)
    this.seen.add(key)
    return again
  }

  private setTable(value: Word): void {
    if (this.context.inTable) this.fail('table', 'no -t inside a table of iptables-save', value.span)
    else if (TABLES[value.text]) this.table = value.text
    else this.fail('table', `there is no table \`${value.text}\``, value.span, Object.keys(TABLES))
  }

  private setProtocol(option: Option, value: Word): void {
    const number = value.text.toLowerCase() === 'all' ? 0n : this.read(readIpProtocol(value, this.diagnostics, true))
    if (number === undefined) return
    if (number === 0n && option.negated) {
      this.fail('never', 'this rule would never match: no packet has no protocol', option.span)
      return
    }
    this.protocol = { value: number, word: value.text.toLowerCase(), negated: option.negated }
    if (number !== 0n)
      this.matches.own({ kind: 'protocol', negated: option.negated, protocol: number, span: option.span })
  }

  private setTarget(key: 'jump' | 'goto', value: Word, span: Span): void {
    if (this.target) {
      this.fail('twice', 'a rule has one target', span)
      return
    }
    const verdict = key === 'jump' ? VERDICTS[value.text] : undefined
    if (verdict) this.target = { kind: 'verdict', verdict, span }
    else if (key === 'jump' && Object.hasOwn(TARGET_OPTIONS, value.text)) {
      this.named = value
      this.target = { kind: 'steps', steps: [], span }
    } else if (key === 'jump' && UNSUPPORTED_TARGETS.has(value.text)) {
      this.matches.foreign = true
      this.target = { kind: 'unsupported', what: `the target ${value.text}`, name: value.text, span }
    } else this.target = { kind: key, chain: value, span }
  }

  /** Packets that come in have no device to leave by yet, and the other way round. */
  private checkInterfaces(): void {
    const chain = this.command?.values[0]?.text ?? ''
    for (const { side, span } of this.interfaces) {
      if (!(NO_INTERFACE[side] as readonly string[]).includes(chain)) continue
      this.fail(
        'hook',
        `-${side === 'in' ? 'i' : 'o'} cannot be used in ${chain}: its packets have no such device`,
        span,
      )
    }
  }

  private action(command: Option): Action | undefined {
    const [chain, second] = command.values as readonly [Word, Word | undefined]
    switch (this.key) {
      case 'append':
        return { kind: 'append', chain, rule: this.rule() }
      case 'insert':
      case 'replace': {
        const position = second ? this.position(second) : 1
        return position === undefined ? undefined : { kind: this.key, chain, position, rule: this.rule() }
      }
      case 'delete': {
        if (!second) return { kind: 'delete', chain, rule: this.rule() }
        const position = this.position(second)
        return position === undefined ? undefined : { kind: 'deleteAt', chain, position }
      }
      case 'new-chain':
        return { kind: 'new', chain }
      case 'delete-chain':
        return { kind: 'remove', ...(chain && { chain }) }
      case 'flush':
        return { kind: 'flush', ...(chain && { chain }) }
      case 'rename-chain':
        return { kind: 'rename', chain, to: second! }
      case 'policy': {
        const policy = second!.text
        if (policy === 'ACCEPT' || policy === 'DROP') {
          return { kind: 'policy', chain, policy: policy === 'DROP' ? 'drop' : 'accept' }
        }
        return this.fail('policy', `\`${policy}\` is no policy`, second!.span, ['ACCEPT', 'DROP'])
      }
      default:
        // -L, -S, -C and -Z change no rule.
        return undefined
    }
  }

  private position(word: Word): number | undefined {
    const value = this.read(readNumber(word, { what: 'a rule number', min: 1, max: 0x7fffffff }, this.diagnostics))
    return value === undefined ? undefined : Number(value)
  }

  private rule(): RuleSpec {
    const { span } = this.context
    const { uses } = this.matches
    const name = this.named?.text ?? (this.target?.kind === 'unsupported' ? this.target.name : undefined)
    const all = name === undefined || !this.target ? uses : [...uses, { name, span: this.target.span }]
    return {
      text: spanText(span),
      span,
      matches: this.matches.all(),
      ...(all.length > 0 && { uses: all }),
      ...(this.target && { target: this.target }),
    }
  }
}

const VERDICTS: Readonly<Record<string, 'accept' | 'drop' | 'return'>> = { ACCEPT: 'accept', DROP: 'drop', RETURN: 'return' } // biome-ignore format: one row
const NO_INTERFACE = { in: ['OUTPUT', 'POSTROUTING'], out: ['PREROUTING', 'INPUT'] } as const

/** Stands for the target where an option's match is named. */
const TARGET = '-j'
