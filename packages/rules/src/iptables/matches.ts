// The matches of one line while its options come in: what each module is told, and what the rule asks for in the end.

import { cover, type Diagnostics, type Span, spanText } from '@netsieve/diag'
import type { Pred } from '@netsieve/ir'
import { type IpFamily, nearest, readNumber, type Word } from '../shared/index.ts'
import type { FlagTest, HeaderTest, Match, PortModule, PortTest, Use } from './ast.ts'
import { readBytecode } from './bytecode.ts'
import { readChunkTypes } from './chunks.ts'
import { HEADER_MODULES, ONLY_IPV6_OPTIONS, readDccpTypes } from './headers.ts'
import { readIcmpType } from './icmp.ts'
import { readKept, STATE_MODULES } from './kept.ts'
import { isMetadataOption, readMetadataMatch } from './metadata.ts'
import {
  BARE_MATCHES,
  ICMP_MODULE,
  ICMP_PROTOCOL,
  MATCH_OPTIONS,
  MODULE_PROTOCOL,
  ONLY_FAMILY,
  UNSUPPORTED_MATCHES,
  UNSUPPORTED_OPTIONS,
} from './options.ts'
import { readU32 } from './u32.ts'
import { readFlags, readPorts, readPortTest } from './values.ts'

/** An option as the line has it. */
export interface Option {
  readonly name: string
  readonly long: boolean
  readonly negated: boolean
  readonly values: readonly Word[]
  readonly span: Span
  readonly nameSpan: Span
}

/** What `-p` says: its word in lower case, since some matches go by names. */
export interface Protocol {
  readonly value: bigint
  readonly word: string
  readonly negated: boolean
}

/** The line that matches stand in. */
export interface Line {
  readonly family: IpFamily
  readonly protocol: Protocol | undefined
  readonly diagnostics: Diagnostics
  /** Options that came, by their names; a module that is loaded again may have its own again. */
  readonly seen: Set<string>
  fail(what: string, message: string, span: Span, expected?: readonly string[], hint?: string): undefined
  /** A value that a reader gave; none fails the line. */
  read<T>(value: T | undefined): T | undefined
}

/** A transport match while its options come in. */
interface Transport {
  readonly module: PortModule
  sport?: PortTest
  dport?: PortTest
  flags?: FlagTest
  entry?: { readonly type: number; readonly negated: boolean }
  chunks?: { readonly pred: Pred; readonly negated: boolean }
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

const TRANSPORT_OPTIONS = ['sport', 'dport', 'tcp-flags', 'syn', 'tcp-option', 'chunk-types', 'dccp-types', 'dccp-option'] as const // biome-ignore format: one family
/** tcp, udp, dccp, sctp, udplite. */
const PORT_PROTOCOLS: readonly bigint[] = [6n, 17n, 33n, 132n, 136n]
const PORT_LISTS = { sports: 'sport', dports: 'dport', ports: 'either' } as const

export class MatchList {
  readonly modules = new Set<string>()
  /** What the rule uses, which not every chain may. */
  readonly uses: Use[] = []
  /** A match that is not understood: it owns the options that nothing else knows. */
  foreign = false
  private readonly line: Line
  private readonly first: Match[] = []
  private readonly later: Building[] = []
  /** Modules that were loaded, and have no option yet. */
  private bare: Use[] = []
  /** What was found of the line's protocol: each option asks for that. */
  private told:
    | { readonly protocol: Protocol; readonly family: IpFamily; readonly module: string | undefined }
    | undefined

  constructor(line: Line) {
    this.line = line
  }

  /** A match of the program itself: addresses, devices, the protocol. */
  own(match: Match): void {
    this.first.push(match)
  }

  unsupported(what: string, span: Span): void {
    this.later.push({ kind: 'unsupported', what, span })
  }

  /** The match that a protocol's options load by themselves. */
  implicit(): string | undefined {
    const { protocol, family } = this.line
    if (!protocol) return undefined
    if (this.told?.protocol !== protocol || this.told.family !== family)
      this.told = { protocol, family, module: this.moduleOf(protocol, family) }
    return this.told.module
  }

  private moduleOf({ value, word }: Protocol, family: IpFamily): string | undefined {
    if (value === ICMP_PROTOCOL[family]) return ICMP_MODULE[family]
    return (
      this.portModule() ??
      Object.keys(HEADER_MODULES).find((name) => {
        const { protocol: own } = HEADER_MODULES[name]!
        return own?.number === value && (!own.named || own.name === word)
      })
    )
  }

  private portModule(): PortModule | undefined {
    const value = this.line.protocol?.value
    return (Object.keys(MODULE_PROTOCOL) as PortModule[]).find((module) => MODULE_PROTOCOL[module] === value)
  }

  /** `-m NAME`. */
  loadNamed(value: Word, span: Span): void {
    const { family } = this.line
    const name = ['icmpv6', 'ipv6-icmp'].includes(value.text) ? 'icmp6' : value.text
    const other = family === 'ipv4' ? 'ipv6' : 'ipv4'
    if (name === ICMP_MODULE[other] || (HEADER_MODULES[name]?.only ?? ONLY_FAMILY[name] ?? family) !== family) {
      this.foreign = true
      this.line.fail('match', `${family === 'ipv4' ? 'iptables' : 'ip6tables'} has no match ${name}`, value.span, name === ICMP_MODULE[other] ? [ICMP_MODULE[family]] : undefined) // biome-ignore format: one message
    } else if (MATCH_OPTIONS[name]) this.load(name, span)
    else if (UNSUPPORTED_MATCHES.has(name)) {
      this.foreign = true
      this.unsupported(`the match \`${name}\``, span)
    } else {
      const meant = nearest(name, [...Object.keys(MATCH_OPTIONS), ...UNSUPPORTED_MATCHES])
      this.line.fail('match', `unknown match \`${name}\``, value.span, undefined, meant && `did you mean ${meant}?`)
      this.foreign = true
    }
  }

  load(module: string, span: Span): void {
    const { seen, family } = this.line
    this.modules.add(module)
    const use = { name: module, span }
    this.uses.push(use)
    this.bare.push(use)
    const own = `${module} `
    for (const key of seen) if (key.startsWith(own)) seen.delete(key)
    if (STATE_MODULES.has(module)) this.later.push({ keeps: module, options: [], span })
    if (module === ICMP_MODULE[family]) this.later.push({ kind: 'icmp', negated: false, test: {}, span })
    const header = HEADER_MODULES[module]
    if (header) {
      this.later.push({ kind: 'header', module, tests: [...(header.header?.(family) ?? [])], span })
      for (const key of Object.keys(header.options)) seen.delete(key)
    }
    if (!isPortModule(module)) return
    this.later.push({ module, span })
    for (const key of TRANSPORT_OPTIONS) seen.delete(key)
  }

  /** Takes an option that belongs to one of the modules that are loaded and is not understood; false if it is no such one. */
  unsupportedOption({ name, nameSpan, span }: Option): boolean {
    const implicit = this.implicit()
    const owner = [...this.modules, ...(implicit ? [implicit] : [])].find((module) =>
      UNSUPPORTED_OPTIONS[module]?.includes(name),
    )
    if (owner === undefined) return false
    this.noLongerBare(owner)
    this.unsupported(spanText(nameSpan), span)
    return true
  }

  /** Of a module that is loaded twice, each option is the later one's. */
  private noLongerBare(module: string): void {
    if (this.bare.length === 0) return
    const last = this.uses.findLast(({ name }) => name === module)
    this.bare = this.bare.filter((use) => use !== last)
  }

  /** An option of a module, by its long name. */
  option(module: string, key: string, option: Option): void {
    const { line } = this
    const { negated, span } = option
    const [value] = option.values as readonly [Word]
    this.noLongerBare(module)
    if (isPortModule(module)) return this.transportOption(key as (typeof TRANSPORT_OPTIONS)[number], option)
    if (STATE_MODULES.has(module)) return this.keepingOption(module, { ...option, name: key })
    if (HEADER_MODULES[module]?.options[key]) return this.headerOption(module, key, option)
    if (key === 'icmp-type' || key === 'icmpv6-type') {
      const test = line.read(readIcmpType(value, line.family, line.diagnostics))
      const at = this.later.findLastIndex((each) => 'kind' in each && each.kind === 'icmp')
      if (test) this.later[at] = { kind: 'icmp', negated, test, span }
    } else if (Object.hasOwn(PORT_LISTS, key)) {
      const ranges = line.read(readPorts(value, this.portModule(), line.diagnostics))
      const side = PORT_LISTS[key as keyof typeof PORT_LISTS]
      if (ranges) this.later.push({ kind: 'multiport', side, negated, ranges, span })
    } else if (key === 'u32') {
      const tests = line.read(readU32(value, line.diagnostics))
      if (tests) this.later.push({ kind: 'u32', negated, tests, span })
    } else if (key === 'bytecode') {
      const pred = line.read(readBytecode(value, line.diagnostics))
      if (pred === 'unsupported') this.unsupported('this program', span)
      else if (pred) this.later.push({ kind: 'header', module, tests: [{ kind: 'pred', pred }], span })
    } else if (isMetadataOption(module, key)) {
      const match = line.read(readMetadataMatch(module, key, value, line.family, line.diagnostics))
      if (module === 'owner' && negated)
        line.diagnostics.warning('iptables/owner', 'a packet without a socket matches this too; here only one whose owner is told does', span) // biome-ignore format: one message
      if (match) this.later.push({ ...match, negated, span })
    }
  }

  private headerOption(module: string, key: string, { negated, span, nameSpan, values }: Option): void {
    const { family, diagnostics } = this.line
    const match = this.later.findLast((each): each is Header => 'kind' in each && each.kind === 'header' && each.module === module)! // biome-ignore format: one search
    match.span = cover(match.span, span)
    if (ONLY_IPV6_OPTIONS.includes(key) && family === 'ipv4') {
      this.line.fail('option', `${spanText(nameSpan)} is for IPv6`, span)
      return
    }
    const { options, alone, after } = HEADER_MODULES[module]!
    const [wanted, given] = after?.[key] ?? []
    if (given && !given(match.tests)) {
      this.line.fail('option', `${spanText(nameSpan)} needs ${wanted} before it`, span)
      return
    }
    const others = alone
      ?.find((names) => names.includes(key))
      ?.filter((name) => name !== key && this.line.seen.has(name))
    if (others && others.length > 0) {
      this.line.fail('option', `${spanText(nameSpan)} does not go with --${others[0]}`, span)
      return
    }
    const test = this.line.read(options[key]!.read(values[0], family, diagnostics, negated))
    if (test === 'invert') match.tests[0] = { ...match.tests[0]!, negated: true }
    else if (test && test !== 'nothing') match.tests.push({ ...test, negated })
  }

  private keepingOption(module: string, option: Option): void {
    const match = this.later.findLast((each): each is Keeping => 'keeps' in each && each.keeps === module)!
    match.span = cover(match.span, option.span)
    match.options.push(option)
    // What comes behind it is of another association.
    if (module === 'policy' && option.name === 'next') for (const key of this.line.seen) if (key.startsWith('policy ')) this.line.seen.delete(key) // biome-ignore format: one walk
  }

  private transportOption(key: (typeof TRANSPORT_OPTIONS)[number], option: Option): void {
    const { line } = this
    const match = this.later.findLast((each) => 'module' in each) as Transport
    const { negated, span, values } = option
    match.span = cover(match.span, span)
    if (key === 'tcp-option' || key === 'dccp-option') {
      const limits = { what: 'an option', min: key === 'tcp-option' ? 1 : 0, max: 255, octal: true }
      const type = line.read(readNumber(values[0]!, limits, line.diagnostics))
      if (type !== undefined) match.entry = { type: Number(type), negated }
    } else if (key === 'chunk-types') {
      const pred = line.read(readChunkTypes(values[0]!, values[1]!, line.diagnostics))
      if (pred) match.chunks = { pred, negated }
    } else if (key === 'dccp-types') {
      const types = line.read(readDccpTypes(values[0]!, line.diagnostics))
      if (types) match.dccpTypes = { types, negated }
    } else if (key === 'syn') match.flags = { negated, mask: 0x17n, value: 2n, span }
    else if (key === 'tcp-flags') {
      const flags = line.read(readFlags(values[0]!, values[1]!, line.diagnostics))
      if (flags) match.flags = { ...flags, negated, span }
    } else {
      const range = line.read(readPortTest(values[0]!, match.module, line.diagnostics))
      if (range) match[key] = { ...range, negated, span }
    }
  }

  /** A match without a test would let every packet through. */
  needOptions(): void {
    // An option's short form may have gone to a match or target that is not understood.
    if (this.foreign) return
    for (const { name, span } of this.bare) {
      if (BARE_MATCHES.has(name)) continue
      const options = MATCH_OPTIONS[name]!.map(({ names: [first] }) => `--${first}`)
      const [only, more] = options
      this.line.fail('option', `the match ${name} needs ${more ? 'an option' : only}`, span, options)
    }
  }

  /** A transport match needs its protocol, not negated, and multiport one that has ports. */
  needProtocols(): void {
    const { protocol, family } = this.line
    const has = protocol && !protocol.negated ? protocol.value : undefined
    const fail = (message: string, span: Span) => this.line.fail('protocol', message, span)
    for (const match of this.later) {
      if ('module' in match && !('kind' in match)) {
        if (has !== MODULE_PROTOCOL[match.module])
          fail(`the match ${match.module} needs -p ${match.module}`, match.span)
      } else if (!('kind' in match)) continue
      else if (match.kind === 'header') {
        const needs = HEADER_MODULES[match.module]?.protocol
        if (needs && (needs.in ?? family) === family && has !== needs.number)
          fail(`the match ${match.module} needs -p ${needs.name}`, match.span)
        else if (has !== 6n && match.tests.some(({ kind }) => kind === 'bit'))
          fail('this option needs -p tcp', match.span)
      } else if (match.kind === 'icmp' && has !== ICMP_PROTOCOL[family])
        fail(`the match ${ICMP_MODULE[family]} needs -p ${family === 'ipv4' ? 'icmp' : 'icmpv6'}`, match.span)
      else if (match.kind === 'multiport' && !PORT_PROTOCOLS.includes(has ?? 0n))
        fail('multiport needs -p tcp, udp, udplite, sctp or dccp', match.span)
    }
  }

  /** All matches: addresses, devices, protocol and fragment first, as the kernel looks at them. */
  all(): Match[] {
    const order = ['address', 'field', 'protocol', 'fragment'] as const
    const rank = (match: Match) => order.indexOf(match.kind as (typeof order)[number])
    const all = this.first.sort((a, b) => rank(a) - rank(b)).slice()
    for (const each of this.later) {
      const match = this.built(each)
      if (match) all.push(match)
    }
    return all
  }

  private built(match: Building): Match | undefined {
    if ('module' in match && !('kind' in match)) return { kind: 'transport', ...match }
    if ('kind' in match) return match
    const { family, protocol, diagnostics } = this.line
    const ports = protocol !== undefined && !protocol.negated && PORT_PROTOCOLS.includes(protocol.value)
    return this.line.read(readKept(match.keeps, match.options, { family, ports, span: match.span }, diagnostics))
  }
}

export function isPortModule(name: string): name is PortModule {
  return Object.hasOwn(MODULE_PROTOCOL, name)
}
