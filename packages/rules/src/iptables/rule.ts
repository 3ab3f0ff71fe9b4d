// One command line from its options: the command, the rule's matches and target.

import { cover, type Diagnostics, type Span, spanText } from '@netsieve/diag'
import { type IpFamily, nearest, readIpProtocol, readNumber, type Word } from '../shared/index.ts'
import type { Action, Command, FlagTest, HeaderTest, Match, PortModule, PortTest, Target } from './ast.ts'
import { HEADER_MODULES, ONLY_IPV6_OPTIONS, readChunkTypes, readDccpTypes } from './headers.ts'
import { readIcmpType } from './icmp.ts'
import { isMetadataOption, readInterface, readMetadataMatch } from './metadata.ts'
import {
  BASE_OPTIONS,
  ICMP_MODULE,
  ICMP_PROTOCOL,
  MATCH_OPTIONS,
  MODULE_PROTOCOL,
  type OptionRow,
  TABLES,
  UNSUPPORTED_MATCHES,
  UNSUPPORTED_OPTIONS,
  UNSUPPORTED_TARGETS,
} from './options.ts'
import { readKept, readTarget, STATE_MODULES, TARGET_OPTIONS } from './targets.ts'
import { readAddresses, readFlags, readPorts, readPortTest } from './values.ts'

/** An option as the line has it. */
export interface Option {
  readonly name: string
  readonly long: boolean
  readonly negated: boolean
  readonly values: readonly Word[]
  readonly span: Span
  readonly nameSpan: Span
}

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

/** A transport match while its options come in. */
interface Transport {
  readonly module: PortModule
  sport?: PortTest
  dport?: PortTest
  flags?: FlagTest
  entry?: { readonly type: number; readonly negated: boolean }
  dccpTypes?: { readonly types: readonly bigint[]; readonly negated: boolean }
  span: Span
}

/** A module of one header while its options come in. */
interface Header {
  readonly kind: 'header'
  readonly module: string
  readonly tests: HeaderTest[]
  span: Span
}

/** A match that keeps something, while its options come in. */
interface Keeping {
  readonly keeps: string
  readonly options: Option[]
  span: Span
}

type Building = Transport | Header | Keeping | Exclude<Match, { kind: 'transport' | 'header' | 'kept' }>

const COMMANDS = new Set(
  'append insert replace delete new-chain delete-chain flush zero rename-chain policy check list list-rules'.split(' '),
)

class LineParser {
  private family: IpFamily
  private table: string
  private command: Option | undefined
  /** The command's long name. */
  private key = ''
  private protocol: { readonly value: bigint; readonly negated: boolean } | undefined
  private readonly first: Match[] = []
  private readonly later: Building[] = []
  private readonly modules = new Set<string>()
  private readonly interfaces: { readonly side: 'in' | 'out'; readonly span: Span }[] = []
  private target: Target | undefined
  /** The target's name, where it has options of its own, and those that came. */
  private named: Word | undefined
  private readonly targetOptions: Option[] = []
  /** A match or target that is not understood: it owns the options that nothing else knows. */
  private foreign = false
  private failed = false
  private readonly seen = new Set<string>()
  private readonly context: LineContext
  private readonly diagnostics: Diagnostics

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
    this.needProtocols()
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

  private fail(what: string, message: string, span: Span, expected?: readonly string[], hint?: string): undefined {
    this.failed = true
    this.diagnostics.error(`iptables/${what}`, message, span, { ...(expected && { expected }), ...(hint && { hint }) })
    return undefined
  }

  /** Runs a reader; a value it cannot read fails the line. */
  private read<T>(value: T | undefined): T | undefined {
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
    const [extra] = option.values.slice(row.max)
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
  private find(option: Option): { readonly row: OptionRow; readonly module: string | undefined } | undefined {
    if (!option.long) {
      const row = BASE_OPTIONS.find(({ letter }) => letter === option.name)
      if (!row) this.unknown(option)
      return row && { row, module: undefined }
    }
    const implicit = this.implicitModule()
    const modules = [...this.modules, ...(implicit && !this.modules.has(implicit) ? [implicit] : [])]
    const rows = modules.flatMap((module) => (MATCH_OPTIONS[module] ?? []).map((row) => ({ row, module })))
    const own = (this.named ? (TARGET_OPTIONS[this.named.text] ?? []) : []).map((row) => ({ row, module: TARGET }))
    const all = [...BASE_OPTIONS.map((row) => ({ row, module: undefined })), ...rows, ...own]
    const exact = all.filter(({ row }) => row.names.includes(option.name))
    const close = exact.length > 0 ? exact : all.filter(({ row }) => row.names.some((n) => n.startsWith(option.name)))
    const distinct = new Set(close.map(({ row }) => row))
    if (distinct.size !== 1 && exact.length === 0) {
      this.unknown(option, modules)
      return undefined
    }
    // Of matches with an option of one name, the last one that was loaded has it.
    const { row, module } = exact.length > 1 ? close.at(-1)! : close[0]!
    if (module !== undefined && module !== TARGET && !this.modules.has(module)) this.load(module, option.nameSpan)
    return { row, module }
  }

  /** The match that a protocol's options load by themselves. */
  private implicitModule(): string | undefined {
    const { value } = this.protocol ?? {}
    if (value === undefined) return undefined
    if (value === ICMP_PROTOCOL[this.family]) return ICMP_MODULE[this.family]
    return (
      this.portModule() ?? Object.keys(HEADER_MODULES).find((name) => HEADER_MODULES[name]!.protocol?.number === value)
    )
  }

  private portModule(): PortModule | undefined {
    if (!this.protocol) return undefined
    const { value } = this.protocol
    return (Object.keys(MODULE_PROTOCOL) as PortModule[]).find((module) => MODULE_PROTOCOL[module] === value)
  }

  private unknown(option: Option, modules: readonly string[] = []): void {
    const what = spanText(option.nameSpan)
    const foreign = modules.some((module) => UNSUPPORTED_OPTIONS[module]?.includes(option.name))
    if (this.foreign) return
    if (foreign) {
      this.later.push({ kind: 'unsupported', what, span: option.span })
      return
    }
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
    if (!['match', 'verbose'].includes(key) && this.once(name, option)) return
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
        if (networks) this.first.push({ kind: 'address', side, negated, networks, span })
        break
      }
      case 'fragments':
        if (this.family === 'ipv6') this.fail('option', 'ip6tables has no -f', span, undefined, 'use -m frag')
        else this.first.push({ kind: 'fragment', negated, span })
        break
      case 'in-interface':
      case 'out-interface': {
        const test = this.read(readInterface(value, this.diagnostics))
        const field = key === 'in-interface' ? 'meta.iifname' : 'meta.oifname'
        this.interfaces.push({ side: key === 'in-interface' ? 'in' : 'out', span })
        // A bare + is every device.
        if (test && (test.mask !== 0n || negated)) this.first.push({ kind: 'field', field, negated, test, span })
        break
      }
      case 'match':
        this.loadNamed(value, span)
        break
      case 'jump':
      case 'goto':
        this.setTarget(key, value, span)
        break
      case 'sport':
      case 'dport':
      case 'tcp-flags':
      case 'syn':
      case 'tcp-option':
      case 'chunk-types':
      case 'dccp-types':
      case 'dccp-option':
        this.transportOption(key, option)
        break
      case 'icmp-type':
      case 'icmpv6-type': {
        const test = this.read(readIcmpType(value, this.family, this.diagnostics))
        const at = this.later.findLastIndex((each) => 'kind' in each && each.kind === 'icmp')
        if (test) this.later[at] = { kind: 'icmp', negated, test, span }
        break
      }
      case 'sports':
      case 'dports':
      case 'ports': {
        const ranges = this.read(readPorts(value, this.portModule(), this.diagnostics))
        const side = ({ sports: 'sport', dports: 'dport', ports: 'either' } as const)[key]
        if (ranges) this.later.push({ kind: 'multiport', side, negated, ranges, span })
        break
      }
      default: {
        if (module === TARGET) this.targetOptions.push({ ...option, name: key })
        if (module !== undefined && STATE_MODULES.has(module)) this.keepingOption(module, { ...option, name: key })
        if (module !== undefined && HEADER_MODULES[module]?.options[key]) return this.headerOption(module, key, option)
        if (module === undefined || !isMetadataOption(module, key)) return
        const match = this.read(readMetadataMatch(module, key, value, this.family, this.diagnostics))
        if (match) this.later.push({ ...match, negated, span })
      }
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
    this.protocol = { value: number, negated: option.negated }
    if (number !== 0n)
      this.first.push({ kind: 'protocol', negated: option.negated, protocol: number, span: option.span })
  }

  private loadNamed(value: Word, span: Span): void {
    const name = ['icmpv6', 'ipv6-icmp'].includes(value.text) ? 'icmp6' : value.text
    const other = this.family === 'ipv4' ? 'ipv6' : 'ipv4'
    if (name === ICMP_MODULE[other] || (HEADER_MODULES[name]?.only ?? this.family) !== this.family)
      this.fail('match', `${this.family === 'ipv4' ? 'iptables' : 'ip6tables'} has no match ${name}`, value.span, name === ICMP_MODULE[other] ? [ICMP_MODULE[this.family]] : undefined) // biome-ignore format: one message
    else if (MATCH_OPTIONS[name]) this.load(name, span)
    else if (UNSUPPORTED_MATCHES.has(name)) {
      this.foreign = true
      this.later.push({ kind: 'unsupported', what: `the match \`${name}\``, span })
    } else {
      const meant = nearest(name, [...Object.keys(MATCH_OPTIONS), ...UNSUPPORTED_MATCHES])
      this.fail('match', `unknown match \`${name}\``, value.span, undefined, meant && `did you mean ${meant}?`)
    }
  }

  private load(module: string, span: Span): void {
    this.modules.add(module)
    for (const key of this.seen) if (key.startsWith(`${module} `)) this.seen.delete(key)
    if (STATE_MODULES.has(module)) this.later.push({ keeps: module, options: [], span })
    if (module === ICMP_MODULE[this.family]) this.later.push({ kind: 'icmp', negated: false, test: {}, span })
    const header = HEADER_MODULES[module]
    if (header) {
      this.later.push({ kind: 'header', module, tests: [...(header.header?.(this.family) ?? [])], span })
      for (const key of Object.keys(header.options)) this.seen.delete(key)
    }
    if (!isPortModule(module)) return
    this.later.push({ module, span })
    for (const key of TRANSPORT_OPTIONS) this.seen.delete(key)
  }

  private headerOption(module: string, key: string, { negated, span, nameSpan, values }: Option): void {
    const match = this.later.findLast((each): each is Header => 'kind' in each && each.kind === 'header' && each.module === module)! // biome-ignore format: one search
    match.span = cover(match.span, span)
    if (ONLY_IPV6_OPTIONS.includes(key) && this.family === 'ipv4') {
      this.fail('option', `${spanText(nameSpan)} is for IPv6`, span)
      return
    }
    const test = this.read(HEADER_MODULES[module]!.options[key]!.read(values[0], this.family, this.diagnostics))
    if (test) match.tests.push({ ...test, negated })
  }

  private keepingOption(module: string, option: Option): void {
    const match = this.later.findLast((each): each is Keeping => 'keeps' in each && each.keeps === module)!
    match.span = cover(match.span, option.span)
    match.options.push(option)
  }

  private transportOption(key: (typeof TRANSPORT_OPTIONS)[number], option: Option): void {
    const match = this.later.findLast((each): each is Transport => 'module' in each)!
    const { negated, span, values } = option
    match.span = cover(match.span, span)
    if (key === 'tcp-option' || key === 'dccp-option') {
      const limits = { what: 'an option', min: key === 'tcp-option' ? 1 : 0, max: 255, octal: true }
      const type = this.read(readNumber(values[0]!, limits, this.diagnostics))
      if (type !== undefined) match.entry = { type: Number(type), negated }
    } else if (key === 'chunk-types') {
      const type = this.read(readChunkTypes(values[0]!, values[1]!, this.diagnostics))
      if (type === 'unsupported') this.later.push({ kind: 'unsupported', what: 'these --chunk-types', span })
      else if (type !== undefined) match.entry = { type, negated }
    } else if (key === 'dccp-types') {
      const types = this.read(readDccpTypes(values[0]!, this.diagnostics))
      if (types) match.dccpTypes = { types, negated }
    } else if (key === 'syn') match.flags = { negated, mask: 0x17n, value: 2n, span }
    else if (key === 'tcp-flags') {
      const flags = this.read(readFlags(values[0]!, values[1]!, this.diagnostics))
      if (flags) match.flags = { ...flags, negated, span }
    } else {
      const range = this.read(readPortTest(values[0]!, match.module, this.diagnostics))
      if (range) match[key] = { ...range, negated, span }
    }
  }

  private setTarget(key: 'jump' | 'goto', value: Word, span: Span): void {
    if (this.target) {
      this.fail('twice', 'a rule has one target', span)
      return
    }
    const verdicts: Readonly<Record<string, 'accept' | 'drop' | 'return'>> = { ACCEPT: 'accept', DROP: 'drop', RETURN: 'return' } // biome-ignore format: one row
    const verdict = key === 'jump' ? verdicts[value.text] : undefined
    if (verdict) this.target = { kind: 'verdict', verdict, span }
    else if (key === 'jump' && Object.hasOwn(TARGET_OPTIONS, value.text)) {
      this.named = value
      this.target = { kind: 'steps', steps: [], span }
    } else if (key === 'jump' && UNSUPPORTED_TARGETS.has(value.text)) {
      this.foreign = true
      this.target = { kind: 'unsupported', what: `the target ${value.text}`, span }
    } else this.target = { kind: key, chain: value, span }
  }

  /** A transport match needs its protocol, not negated, and multiport one that has ports. */
  private needProtocols(): void {
    for (const match of this.later) {
      const has = this.protocol && !this.protocol.negated ? this.protocol.value : undefined
      if ('kind' in match && match.kind === 'header') {
        const needs = HEADER_MODULES[match.module]!.protocol
        if (needs && (needs.in ?? this.family) === this.family && has !== needs.number)
          this.fail('protocol', `the match ${match.module} needs -p ${needs.name}`, match.span)
        continue
      }
      if ('module' in match && has !== MODULE_PROTOCOL[match.module])
        this.fail('protocol', `the match ${match.module} needs -p ${match.module}`, match.span)
      else if ('kind' in match && match.kind === 'icmp' && has !== ICMP_PROTOCOL[this.family])
        this.fail('protocol', `the match ${ICMP_MODULE[this.family]} needs -p ${this.family === 'ipv4' ? 'icmp' : 'icmpv6'}`, match.span) // biome-ignore format: one message
      else if ('kind' in match && match.kind === 'multiport' && ![6n, 17n, 33n, 132n, 136n].includes(has ?? 0n))
        this.fail('protocol', 'multiport needs -p tcp, udp, udplite, sctp or dccp', match.span)
    }
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

  private built(match: Building): Match | undefined {
    if ('module' in match) return { kind: 'transport', ...match }
    if (!('keeps' in match)) return match
    const kept = this.read(readKept(match.keeps, match.options, match.span, this.diagnostics))
    return kept && { kind: 'kept', kept, span: match.span }
  }

  private rule() {
    const { span } = this.context
    const order = ['address', 'field', 'protocol', 'fragment'] as const
    const rank = (match: Match) => order.indexOf(match.kind as (typeof order)[number])
    const matches: Match[] = [
      ...this.first.sort((a, b) => rank(a) - rank(b)),
      ...this.later.flatMap((match) => this.built(match) ?? []),
    ]
    return { text: spanText(span), span, matches, ...(this.target && { target: this.target }) }
  }
}

const TRANSPORT_OPTIONS = ['sport', 'dport', 'tcp-flags', 'syn', 'tcp-option', 'chunk-types', 'dccp-types', 'dccp-option'] as const // biome-ignore format: one family

const NO_INTERFACE = { in: ['OUTPUT', 'POSTROUTING'], out: ['PREROUTING', 'INPUT'] } as const

/** Stands for the target where an option's match is named. */
const TARGET = '-j'

function isPortModule(name: string): name is PortModule {
  return name in MODULE_PROTOCOL
}
