// Two ways to the same lines: what `nft --debug=netlink` printed for a rule, and our IR of the rule. Equal lines: the same loads compared with
// the same values in the same order, the matches that nft adds by itself among them.
//
//   network 12:4 == c0000201      bytes 12..15 of the network header (a mask is written behind: ` & ff000000`)

import { entryOf, placeOf as fieldPlace, type Pred, type Rule, type Term, typeText } from '@netsieve/ir'
import { FIELDS } from '@netsieve/packet'

/** Bytes of a header under a mask, or a number of the packet's metadata. */
interface Place {
  readonly base: string
  readonly offset: number
  readonly bytes: number
  readonly mask: bigint
}

interface Line {
  readonly text: string
  /** An equality on bytes: neighbours are joined, as nft joins them. */
  readonly equality?: Place & { readonly value: bigint }
}

const ones = (bytes: number) => (1n << BigInt(bytes * 8)) - 1n
const hex = (value: bigint, bytes: number) => value.toString(16).padStart(bytes * 2, '0')
const other = (text: string): Line => ({ text })

/** A comparison; bytes that the mask does not look at are left off at both ends of an equality (nft loads fewer bytes for short prefixes). */
function compare(place: Place, test: string, value: bigint): Line {
  if (test !== '==' && test !== '!=') return other(`${show(place)} ${test} ${hex(value, place.bytes)}`)
  let { offset, bytes, mask } = place
  let rest = value
  while (bytes > 1 && (mask & 0xffn) === 0n) [bytes, mask, rest] = [bytes - 1, mask >> 8n, rest >> 8n]
  while (bytes > 1 && mask >> BigInt((bytes - 1) * 8) === 0n) [offset, bytes] = [offset + 1, bytes - 1]
  const trimmed = { ...place, offset, bytes, mask }
  const text = `${show(trimmed)} ${test} ${hex(rest, bytes)}`
  return test === '==' && place.base !== 'meta' ? { text, equality: { ...trimmed, value: rest } } : { text }
}

/** `(x & mask) ^ flipped == value` as `x & mask == …`. @throws Error for a question of order */
function turned(place: Place, test: string, value: bigint, flipped: bigint): Line {
  if (flipped !== 0n && test !== '==' && test !== '!=') throw new Error('order behind bits that are turned over')
  return compare(place, test, value ^ flipped)
}

function show({ base, offset, bytes, mask }: Place): string {
  return `${base} ${offset}:${bytes}${mask === ones(bytes) ? '' : ` & ${hex(mask, bytes)}`}`
}

function within(place: Place, negated: boolean, ranges: readonly (readonly [bigint, bigint])[]): Line {
  const whole: [bigint, bigint][] = []
  for (const [lo, hi] of ranges) {
    const last = whole.at(-1)
    if (last && lo === last[1] + 1n) last[1] = hi
    else whole.push([lo, hi])
  }
  const shown = whole.map(([lo, hi]) => `${hex(lo, place.bytes)}-${hex(hi, place.bytes)}`)
  return other(`${show(place)} ${negated ? 'not in' : 'in'} ${shown.join(' ')}`)
}

/** Joins equalities on neighbouring bytes. */
function joined(lines: readonly Line[]): string[] {
  const out: Line[] = []
  for (const line of lines) {
    const last = out.at(-1)
    const [a, b] = [last?.equality, line.equality]
    if (a && b && a.base === b.base && (a.offset + a.bytes === b.offset || b.offset + b.bytes === a.offset)) {
      const [first, second] = a.offset < b.offset ? [a, b] : [b, a]
      const shift = BigInt(second.bytes * 8)
      const place = { ...first, bytes: first.bytes + second.bytes, mask: (first.mask << shift) | second.mask }
      out[out.length - 1] = compare(place, '==', (first.value << shift) | second.value)
    } else out.push(line)
  }
  return out.map((line) => line.text)
}

// The tool's side.

/** What `meta load` and `ct load` load: our field and its bytes; numbers of this machine's byte order are marked so. */
const LOADS: Readonly<Record<string, readonly [field: string, bytes: number, host?: 'host']>> = {
  'meta l4proto': ['meta.l4proto', 1],
  'meta nfproto': ['meta.nfproto', 1],
  'meta protocol': ['meta.protocol', 2],
  'meta len': ['meta.length', 4, 'host'],
  'meta mark': ['meta.mark', 4, 'host'],
  'meta priority': ['meta.priority', 4, 'host'],
  'meta iif': ['meta.iif', 4, 'host'],
  'meta oif': ['meta.oif', 4, 'host'],
  'meta iifname': ['meta.iifname', 16],
  'meta oifname': ['meta.oifname', 16],
  'meta iiftype': ['meta.iiftype', 2, 'host'],
  'meta oiftype': ['meta.oiftype', 2, 'host'],
  'meta iifgroup': ['meta.iifgroup', 4, 'host'],
  'meta oifgroup': ['meta.oifgroup', 4, 'host'],
  'meta iifkind': ['meta.iifkind', 16],
  'meta skuid': ['meta.skuid', 4, 'host'],
  'meta skgid': ['meta.skgid', 4, 'host'],
  'meta cpu': ['meta.cpu', 4, 'host'],
  'meta cgroup': ['meta.cgroup', 4, 'host'],
  'meta rtclassid': ['meta.rtclassid', 4, 'host'],
  'meta pkttype': ['meta.pkttype', 1],
  'meta secpath': ['meta.ipsec', 1],
  'meta day': ['meta.day', 1],
  'meta hour': ['meta.hour', 4, 'host'],
  'meta time': ['meta.time', 8, 'host'],
  'ct state': ['ct.state', 4, 'host'],
  'ct status': ['ct.status', 4, 'host'],
  'ct direction': ['ct.direction', 1],
  'ct mark': ['ct.mark', 4, 'host'],
  'ct zone': ['ct.zone', 2, 'host'],
  'ct helper': ['ct.helper', 16],
  'ct expiration': ['ct.expiration', 4, 'host'],
  'ct l3protocol': ['ct.l3proto', 1],
  'ct protocol': ['ct.proto', 1],
  'ct protocol original': ['ct.proto', 1],
  'ct bytes': ['ct.bytes', 8, 'host'],
  'ct packets': ['ct.packets', 8, 'host'],
  'ct avgpkt': ['ct.avgpkt', 8, 'host'],
  'ct src_ip original': ['ct.orig.src', 4],
  'ct dst_ip original': ['ct.orig.dst', 4],
  'ct src_ip reply': ['ct.reply.src', 4],
  'ct dst_ip6 reply': ['ct.reply.dst6', 16],
}

/** A value with its bytes in the other order. */
function swapped(value: bigint, bytes: number): bigint {
  let out = 0n
  for (let i = 0; i < bytes; i++) out = (out << 8n) | ((value >> BigInt(8 * i)) & 0xffn)
  return out
}

/** A register's words, as printed on a little-endian machine, as a number of so many bytes in network order. */
function number(words: string, bytes: number): bigint {
  const all = words
    .trim()
    .split(/\s+/)
    .flatMap((word) => {
      const digits = word.replace(/^0x/, '').padStart(8, '0')
      return [digits.slice(6), digits.slice(4, 6), digits.slice(2, 4), digits.slice(0, 2)]
    })
  return BigInt(`0x${all.slice(0, bytes).join('')}`)
}

/** Elements of a set: `element KEY  : 0 [end]` starts an interval, flag 1 ends one before KEY; without any flag 1 they are single values. */
function elements(line: string, bytes: number, host: boolean): [bigint, bigint][] {
  const found = [...line.matchAll(/element ((?:[0-9a-f]{8} )+) : ([01])/g)].map(
    (m) => [host ? swapped(number(m[1]!, bytes), bytes) : number(m[1]!, bytes), m[2]] as const,
  )
  if (found.every(([, flag]) => flag === '0')) {
    return [...new Set(found.map(([key]) => key))].sort((a, b) => (a < b ? -1 : 1)).map((key) => [key, key])
  }
  const ordered = [...found].sort(([a], [b]) => (a < b ? -1 : 1))
  return ordered.flatMap(([key, flag], i): [bigint, bigint][] => {
    if (flag === '1') return []
    const end = ordered[i + 1]
    return [[key, end ? end[0] - 1n : ones(bytes)]]
  })
}

const TESTS: Readonly<Record<string, string>> = { eq: '==', neq: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=' }

const LISTS: Readonly<Record<string, string>> = { ipv4: 'ipv4', ipv6: 'ipv6', tcpopt: 'tcp', sctp: 'sctp' }

/** Reads expressions one by one; a register is loaded, masked, then compared. */
class Netlink {
  readonly out: Line[] = []
  private place: Place = { base: '', offset: 0, bytes: 0, mask: 0n }
  /** Bits that are turned over before a comparison. */
  private flipped = 0n
  private lower: bigint | undefined
  private host = false
  private readonly sets: string[]

  constructor(sets: readonly string[]) {
    this.sets = [...sets]
  }

  private readonly readers: readonly (readonly [RegExp, (...groups: string[]) => void])[] = [
    [
      /^(meta|ct) load (\w+) => reg \d(?: , dir (\w+))?/,
      (what, key, direction) => {
        const name = `${what} ${key}${direction ? ` ${direction}` : ''}`
        const [field, bytes, host] = LOADS[name] ?? []
        if (!field) throw new Error(`not known here: ${name}`)
        this.load(field, 0, bytes!)
        this.host = host !== undefined
      },
    ],
    [/^byteorder /, () => (this.host = false)],
    [
      /^payload load (\d+)b @ (\w+) header \+ (\d+)/,
      (bytes, base, offset) => this.load(base!, Number(offset), Number(bytes)),
    ],
    [
      /^exthdr load (?:(ipv4|ipv6|tcpopt) )?(\d+)b @ (\d+) \+ (\d+)( present)? => reg/,
      (list, bytes, type, offset, present) =>
        this.load(`${LISTS[list ?? 'sctp']} ${type}${present ?? ''}`, Number(offset), Number(bytes)),
    ],
    [/^bitwise reg \d = \( reg \d & (.*?) \) \^ (.*)$/, (mask, flipped) => this.mask(mask!, flipped!)],
    [/^cmp (\w+) reg \d (.*)$/, (test, value) => this.value(test!, value!)],
    [/^range (eq|neq) reg \d (.*)$/, (test, words) => this.range(test === 'neq', words!.trim().split(/\s+/))],
    [/^lookup reg \d set \S+( 0x1)?\s*$/, (not) => this.lookup(not !== undefined)],
    [/^counter /, () => this.out.push(other('count'))],
    [/^immediate reg 0 (.*?)\s*$/, (verdict) => this.out.push(other(verdict!))],
    [/^target name \w+ rev/, () => this.out.push(other('xt target'))],
    [/^queue /, () => this.out.push(other('act'))],
    [/^limit rate/, () => this.out.push(other('limit'))],
    [/^quota /, () => this.out.push(other('quota'))],
    [/^log/, () => this.out.push(other('log'))],
    [/^reject /, () => this.out.push(other('act'))],
    [
      /^(?:immediate reg [1-9]|meta set (\w+)|ct set (\w+))/,
      (meta, ct) => (meta || ct ? this.out.push(other(`set ${meta ? 'meta' : 'ct'}.${meta ?? ct}`)) : undefined),
    ],
    [/^match name comment/, () => undefined],
    [/^match name \w+ rev/, () => this.out.push(other('xt match'))],
  ]

  read(line: string): void {
    for (const [regex, reader] of this.readers) {
      const found = regex.exec(line.slice(2, -2))
      if (found) return reader(...found.slice(1))
    }
    throw new Error(`not known here: ${line}`)
  }

  private number(words: string): bigint {
    const value = number(words, this.place.bytes)
    return this.host ? swapped(value, this.place.bytes) : value
  }

  /** Names are compared with their closing zero, or without it for all that begin so. */
  private value(test: string, words: string): void {
    const { base, bytes } = this.place
    if (!/name$/.test(base)) return this.compare(test, this.number(words))
    const given = words.trim().split(/\s+/)
    const value = number([...given, ...Array<string>(4 - given.length).fill('0x00000000')].join(' '), bytes)
    const length =
      value
        .toString(16)
        .padStart(bytes * 2, '0')
        .replace(/(?:00)+$/, '').length / 2
    if (given.length < 4 && given.length * 4 - length < 4)
      this.place = { ...this.place, mask: ones(bytes) ^ ones(bytes - length) }
    this.compare(test, value)
  }

  private load(base: string, offset: number, bytes: number): void {
    this.host = false
    this.place = { base, offset, bytes, mask: ones(bytes) }
    this.lower = undefined
    this.flipped = 0n
  }

  private mask(words: string, flipped: string): void {
    this.place = { ...this.place, mask: this.number(words) }
    this.flipped = this.number(flipped)
  }

  /** `gte` and `lte` of one register are a range. */
  private compare(test: string, value: bigint): void {
    if (test === 'lte' && this.lower !== undefined)
      this.out[this.out.length - 1] = within(this.place, false, [[this.lower, value]])
    else if (test === 'neq' && this.place.base.endsWith(' present'))
      this.out.push(compare(this.place, '==', value ^ 1n))
    else this.out.push(turned(this.place, TESTS[test]!, value, this.flipped))
    this.lower = test === 'gte' ? value : undefined
  }

  private range(negated: boolean, words: readonly string[]): void {
    const half = words.length / 2
    const [lo, hi] = [words.slice(0, half), words.slice(half)].map((each) => this.number(each.join(' ')))
    this.out.push(within(this.place, negated, [[lo!, hi!]]))
  }

  private lookup(negated: boolean): void {
    this.out.push(within(this.place, negated, elements(this.sets.shift()!, this.place.bytes, this.host)))
  }
}

/** The lines of `nft --debug=netlink`. @throws Error for an expression that is not known here. */
export function fromNetlink(netlink: readonly string[]): string[] {
  const reader = new Netlink(netlink.filter((line) => line.startsWith('element')))
  for (const line of netlink) if (!line.startsWith('element')) reader.read(line)
  return joined(reader.out)
}

// Our side.

/** A base, or the list and type of the entry that bits are counted from. */
function baseOf({ base, index }: { readonly base: keyof typeof BASES; readonly index?: Term }): string {
  return index?.kind === 'find' ? `${index.list} ${typeText(index.type)}` : BASES[base]
}

function bitsAt(base: string, bit: number, bits: number): { readonly place: Place; readonly shift: bigint } {
  const offset = Math.floor(bit / 8)
  const bytes = Math.ceil((bit + bits) / 8) - offset
  const shift = BigInt((offset + bytes) * 8 - bit - bits)
  return { place: { base, offset, bytes, mask: ((1n << BigInt(bits)) - 1n) << shift }, shift }
}

/** The place of a term, and how far its number lies from the end of the bytes. */
function placeOf(term: Term): { readonly place: Place; readonly shift: bigint } {
  switch (term.kind) {
    case 'field': {
      const { bits } = FIELDS[term.field]
      const found = fieldPlace(term.field)
      if (!found) return { place: { base: term.field, offset: 0, bytes: bits / 8, mask: ones(bits / 8) }, shift: 0n }
      return bitsAt(baseOf(found), found.bit, bits)
    }
    case 'raw':
      return bitsAt(baseOf(term), term.bit, term.bits)
    case 'load':
      return {
        place: { base: BASES[term.base], offset: term.offset, bytes: term.bytes, mask: ones(term.bytes) },
        shift: 0n,
      }
    case 'mask': {
      const { place, shift } = placeOf(term.term)
      return { place: { ...place, mask: term.mask << shift }, shift }
    }
    default:
      throw new Error(`no place for ${term.kind}`)
  }
}

const BASES = { link: 'link', net: 'network', transport: 'transport' } as const
const NEGATED: Readonly<Record<string, string>> = { '==': '!=', '!=': '==', '<': '>=', '<=': '>', '>': '<=', '>=': '<' }

function line(pred: Pred, negated = false): Line {
  if (pred.kind === 'not') return line(pred.arg, !negated)
  if (pred.kind === 'cmp') {
    const { term } = pred
    const flips = term.kind === 'bin' && term.op === 'xor' && term.right.kind === 'const'
    const { place, shift } = placeOf(flips ? term.left : term)
    const flipped = flips && term.right.kind === 'const' ? term.right.value : 0n
    return turned(place, negated ? NEGATED[pred.test]! : pred.test, pred.value << shift, flipped << shift)
  }
  if (pred.kind === 'exists') {
    const { list, type } = entryOf(pred.what)
    return compare(
      { base: `${list} ${typeText(type)} present`, offset: 0, bytes: 1, mask: 0xffn },
      '==',
      negated ? 0n : 1n,
    )
  }
  if (pred.kind !== 'in') throw new Error(`no line for ${pred.kind}`)
  const { place, shift } = placeOf(pred.term)
  return within(place, negated, pred.ranges.map(({ lo, hi }) => [lo << shift, hi << shift] as const)) // biome-ignore format: a call
}

/** The lines of a rule of the IR. */
export function fromRule({ steps: all }: Rule): string[] {
  // One xt match may ask for several things.
  const steps = all.filter((step, i) => {
    const last = all[i - 1]
    return step.kind !== 'match' || !step.view || last?.kind !== 'match' || !last.view || last.span !== step.span
  })
  return joined(
    steps.map((step) => {
      if (step.kind === 'match') return step.view ? other('xt match') : line(step.pred)
      if (step.kind === 'count' || step.kind === 'limit' || step.kind === 'quota' || step.kind === 'log')
        return other(step.kind)
      if (step.kind === 'set') return other(`set ${step.field}`)
      if (step.kind !== 'verdict') throw new Error(`no line for ${step.kind}`)
      const { verdict } = step
      if (verdict.kind === 'act') return other('act')
      return other('chain' in verdict ? `${verdict.kind} -> ${verdict.chain}` : verdict.kind)
    }),
  )
}
