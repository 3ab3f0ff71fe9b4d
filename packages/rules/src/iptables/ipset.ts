// Sets of ipset(8) as `ipset save` writes them, for `-m set`: which they are, and what is in them. Sources: ipset(8), and what ipset 7.17 says.

import type { Diagnostics, Source, Span } from '@netsieve/diag'
import type { Range } from '@netsieve/ir'
import { parseName } from '@netsieve/packet'
import { type IpFamily, readMac, readNumber, splitAll, type Word } from '../shared/index.ts'
import { type Ports, readAddresses, readMark, readPorts } from './ipset-values.ts'

/** What one component of a set's elements is. */
export type PartKind = 'ip' | 'net' | 'port' | 'mac' | 'iface' | 'mark'

export interface IpSet {
  readonly name: string
  readonly span: Span
  readonly type: string
  readonly parts: readonly PartKind[]
  /** Of its addresses; none where it has none. */
  readonly family?: IpFamily
  /** Addresses are in it by networks of this length. */
  readonly netmask?: number
  /** Bits of a mark that are looked at. */
  readonly markMask?: bigint
  /** Seconds after which its elements go, if they go at all; 0: those that say so. */
  readonly timeout?: bigint
  readonly maxElements: number
  /** The first element that goes after a time. */
  timed?: Span
  readonly entries: Entry[]
  /** Of list:set: the sets that are asked one after the other. */
  readonly members: Word[]
}

/** An element: for each component the numbers that it stands for; of names of devices the name as a number. */
export interface Entry {
  readonly ranges: readonly Range[]
  /** Of a component with ports: the protocol, if it is told. */
  readonly protocol?: number
  /** It takes packets out that a wider element holds. */
  readonly nomatch: boolean
  readonly span: Span
}

const TYPES: readonly string[] = [
  'bitmap:ip', 'bitmap:ip,mac', 'bitmap:port', 'hash:ip', 'hash:mac', 'hash:ip,mac', 'hash:net', 'hash:net,net', 'hash:ip,port', 'hash:net,port', 'hash:ip,port,ip',
  'hash:ip,port,net', 'hash:ip,mark', 'hash:net,port,net', 'hash:net,iface', 'list:set',
] // biome-ignore format: one family

/** Words behind a set's type, with how many values each has: those that say what is in it, and those that do not matter here. */
const OPTIONS: Readonly<Record<string, 0 | 1>> = {
  family: 1, range: 1, netmask: 1, markmask: 1, timeout: 1, hashsize: 1, maxelem: 1, bucketsize: 1, initval: 1, size: 1, probes: 1, resize: 1,
  counters: 0, comment: 0, skbinfo: 0, forceadd: 0, '-exist': 0, '-!': 0,
} // biome-ignore format: one family
/** The same behind an element. */
const OF_ELEMENT: Readonly<Record<string, 0 | 1>> = { timeout: 1, packets: 1, bytes: 1, comment: 1, skbmark: 1, skbprio: 1, skbqueue: 1, nomatch: 0, '-exist': 0, '-!': 0 } // biome-ignore format: one family

/** Those that count something. */
const COUNTS: readonly string[] = ['timeout', 'hashsize', 'maxelem', 'bucketsize', 'size', 'probes', 'resize', 'packets', 'bytes', 'skbqueue'] // biome-ignore format: one family

/** Elements of a set where it says nothing (ipset(8), maxelem). */
export const MAX_ELEMENTS = 65_536

const COMMANDS = { create: 'create', '-N': 'create', add: 'add', '-A': 'add', flush: 'flush', '-F': 'flush' } as const

/** The sets of a text by their names; what is wrong is told. */
export function readIpSets(source: Source, diagnostics: Diagnostics): ReadonlyMap<string, IpSet> {
  const sets = new Map<string, IpSet>()
  const setOf = ({ text, span }: Word): IpSet | undefined => {
    const set = sets.get(text)
    if (!set) diagnostics.error('ipset/name', `no set \`${text}\` has been created`, span, { expected: [...sets.keys()] }) // biome-ignore format: one message
    return set
  }
  for (const words of lines(source)) {
    const [command, name, third, ...rest] = words[0]!.text === 'ipset' ? words.slice(1) : words
    if (!command || command.text === 'COMMIT') continue
    const what = Object.hasOwn(COMMANDS, command.text) ? COMMANDS[command.text as keyof typeof COMMANDS] : undefined
    if (!what) {
      diagnostics.error('ipset/command', `\`${command.text}\` is no line of ipset's save format`, command.span, { expected: ['create', 'add'] }) // biome-ignore format: one message
      continue
    }
    if (what === 'flush') {
      const named = name && setOf(name)
      for (const set of name ? [named] : sets.values()) {
        set?.entries.splice(0)
        set?.members.splice(0)
      }
      continue
    }
    if (!name || !third) {
      diagnostics.error('ipset/command', `${what} needs ${what === 'create' ? 'a name and a type' : 'a set and an element'}`, command.span) // biome-ignore format: one message
      continue
    }
    if (what === 'create') {
      const set = create(name, third, rest, diagnostics)
      if (set && sets.has(name.text)) diagnostics.error('ipset/twice', `there are two sets ${name.text}`, name.span)
      else if (set) sets.set(name.text, set)
      continue
    }
    const set = setOf(name)
    if (!set) continue
    const options = optionsOf(rest, OF_ELEMENT, diagnostics)
    if (options?.has('timeout') && options.get('timeout')?.text !== '0') set.timed ??= third.span
    if (options) add(set, third, options.has('nomatch'), diagnostics)
  }
  for (const set of sets.values()) warnFull(set, diagnostics)
  return sets
}

/** The words of each line that has some; of a quoted one what stands between the quotes. */
function* lines(source: Source): Generator<Word[]> {
  for (const line of source.text.matchAll(/[^\n]+/g)) {
    if (/^\s*(?:#|$)/.test(line[0])) continue
    const words: Word[] = []
    for (const word of line[0].matchAll(/"([^"]*)"|\S+/g)) {
      const start = line.index + word.index
      words.push({ text: word[1] ?? word[0], span: { source, start, end: start + word[0].length } })
    }
    yield words
  }
}

/** Options with their values. Undefined after an error. */
function optionsOf(
  words: readonly Word[],
  known: Readonly<Record<string, 0 | 1>>,
  diagnostics: Diagnostics,
): ReadonlyMap<string, Word | undefined> | undefined {
  const out = new Map<string, Word | undefined>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (!Object.hasOwn(known, word.text) || (known[word.text] === 1 && !words[i + 1])) {
      const message = Object.hasOwn(known, word.text)
        ? `${word.text} needs a value`
        : `\`${word.text}\` cannot stand here`
      diagnostics.error('ipset/option', message, word.span, { expected: Object.keys(known) })
      return undefined
    }
    const value = known[word.text] === 1 ? words[++i] : undefined
    if (value && COUNTS.includes(word.text) && !/^\d+$/.test(value.text)) {
      diagnostics.error('ipset/option', `\`${value.text}\` is no number`, value.span, { expected: ['a number'] })
      return undefined
    }
    out.set(word.text, value)
  }
  return out
}

const TYPE_FAMILIES = { inet: 'ipv4', inet6: 'ipv6' } as const

function create(name: Word, type: Word, rest: readonly Word[], diagnostics: Diagnostics): IpSet | undefined {
  if (!TYPES.includes(type.text)) {
    diagnostics.error('ipset/type', `there are no sets of the type \`${type.text}\``, type.span, { expected: TYPES })
    return undefined
  }
  const options = optionsOf(rest, OPTIONS, diagnostics)
  if (!options) return undefined
  const parts = type.text === 'list:set' ? [] : (type.text.replace(/^.*:/, '').split(',') as PartKind[])
  const family = options.get('family')
  if (family && !Object.hasOwn(TYPE_FAMILIES, family.text)) {
    diagnostics.error('ipset/family', `\`${family.text}\` is no family`, family.span, { expected: ['inet', 'inet6'] })
    return undefined
  }
  const netmask = options.get('netmask')
  const bits = netmask && readNumber(netmask, { what: 'a prefix length', min: 1, max: family?.text === 'inet6' ? 128 : 32 }, diagnostics) // biome-ignore format: one call
  if (netmask && bits === undefined) return undefined
  const markMask = options.get('markmask')
  const marked = markMask && readNumber(markMask, { what: 'a mask', max: 0xffffffff, octal: true }, diagnostics)
  if (markMask && marked === undefined) return undefined
  const addressed = parts.some((part) => part === 'ip' || part === 'net')
  return {
    name: name.text,
    span: name.span,
    type: type.text,
    parts,
    ...(addressed && { family: family ? TYPE_FAMILIES[family.text as 'inet'] : 'ipv4' }),
    ...(bits !== undefined && { netmask: Number(bits) }),
    ...(marked !== undefined && { markMask: marked }),
    ...(options.get('timeout') && { timeout: BigInt(options.get('timeout')!.text) }),
    maxElements: Number(options.get('maxelem')?.text ?? MAX_ELEMENTS),
    entries: [],
    members: [],
  }
}

/** Where a set has no room for an element: the kernel refuses it, and those behind it. */
function warnFull({ name, type, maxElements, entries }: IpSet, diagnostics: Diagnostics): void {
  if (!type.startsWith('hash:') || entries.length <= maxElements) return
  const seen = new Set<string>()
  for (const { ranges, span } of entries) {
    seen.add(ranges.map(({ lo, hi }) => `${lo}-${hi}`).join())
    if (seen.size <= maxElements) continue
    diagnostics.warning('ipset/full', `the set ${name} has room for ${maxElements} elements (maxelem): the kernel would refuse this one; here it is taken`, span) // biome-ignore format: one message
    return
  }
}

function add(set: IpSet, word: Word, nomatch: boolean, diagnostics: Diagnostics): void {
  if (set.type === 'list:set') {
    set.members.push(word)
    return
  }
  const words = splitAll(word, ',')
  // hash:net,iface has `physdev:` before a name.
  if (words.length !== set.parts.length) {
    diagnostics.error('ipset/element', `\`${word.text}\` has ${words.length} parts, an element of ${set.name} has ${set.parts.length}`, word.span, { expected: [set.parts.join(',').toUpperCase()] }) // biome-ignore format: one message
    return
  }
  if (nomatch && !set.parts.includes('net')) {
    diagnostics.error('ipset/element', 'nomatch is for sets of networks', word.span)
    return
  }
  const ports = set.parts.flatMap((kind, i) => (kind === 'port' ? (readPorts(words[i]!, diagnostics) ?? 'wrong') : []))
  if (ports.includes('wrong')) return
  const [port] = ports as Ports[]
  const ranges = words.map((part, i) => {
    const kind = set.parts[i]!
    return kind === 'port' ? port!.range : readPart(set, kind, part, diagnostics)
  })
  if (!ranges.every((range) => range !== undefined)) return
  set.entries.push({ ranges, nomatch, ...(port && { protocol: port.protocol }), span: word.span })
}

function readPart(
  set: IpSet,
  kind: Exclude<PartKind, 'port'>,
  word: Word,
  diagnostics: Diagnostics,
): Range | undefined {
  switch (kind) {
    case 'ip':
    case 'net':
      return readAddresses(word, set, diagnostics)
    case 'mac': {
      const value = readMac(word, diagnostics)
      return value === undefined ? undefined : { lo: value, hi: value }
    }
    case 'iface':
      return readDevice(word, diagnostics)
    case 'mark':
      return readMark(word, set.markMask, diagnostics)
  }
}

/** A device's name as the number that metadata has for it. */
function readDevice(word: Word, diagnostics: Diagnostics): Range | undefined {
  if (word.text.startsWith('physdev:')) {
    diagnostics.error('ipset/unsupported', 'unsupported: ports of bridges (physdev)', word.span)
    return undefined
  }
  const value = parseName(word.text)
  if (value !== undefined) return { lo: value, hi: value }
  diagnostics.error('ipset/element', `\`${word.text}\` is no name of a device`, word.span)
  return undefined
}
