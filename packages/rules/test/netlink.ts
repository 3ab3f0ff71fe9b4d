// Two ways to the same lines: what `nft --debug=netlink` printed for a rule, and our IR of the rule. Equal lines: the same loads compared with
// the same values in the same order, the matches that nft adds by itself among them.
//
//   network 12:4 == c0000201      bytes 12..15 of the network header (a mask is written behind: ` & ff000000`)

import type { Pred, Rule, Term } from '@netsieve/ir'
import { FIELDS, PROTOCOLS } from '@netsieve/packet'

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

const META: Readonly<Record<string, number>> = { l4proto: 1, nfproto: 1, protocol: 2 }

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
function elements(line: string, bytes: number): [bigint, bigint][] {
  const found = [...line.matchAll(/element ((?:[0-9a-f]{8} )+) : ([01])/g)].map(
    (m) => [number(m[1]!, bytes), m[2]] as const,
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

/** Reads expressions one by one; a register is loaded, masked, then compared. */
class Netlink {
  readonly out: Line[] = []
  private place: Place = { base: '', offset: 0, bytes: 0, mask: 0n }
  private lower: bigint | undefined
  private readonly sets: string[]

  constructor(sets: readonly string[]) {
    this.sets = [...sets]
  }

  private readonly readers: readonly (readonly [RegExp, (...groups: string[]) => void])[] = [
    [/^meta load (\w+) =>/, (key) => this.load(META[key!] ? `meta.${key}` : 'skip', 0, META[key!] ?? 2)],
    [
      /^payload load (\d+)b @ (\w+) header \+ (\d+)/,
      (bytes, base, offset) => this.load(base!, Number(offset), Number(bytes)),
    ],
    [/^bitwise reg \d = \( reg \d & (.*?) \) \^ [0x ]+$/, (mask) => this.mask(mask!)],
    [/^cmp (\w+) reg \d (.*)$/, (test, value) => this.compare(test!, number(value!, this.place.bytes))],
    [/^range (eq|neq) reg \d (.*)$/, (test, words) => this.range(test === 'neq', words!.trim().split(/\s+/))],
    [/^lookup reg \d set \S+( 0x1)?\s*$/, (not) => this.lookup(not !== undefined)],
    [/^counter /, () => this.out.push(other('count'))],
    [/^immediate reg 0 (.*?)\s*$/, (verdict) => this.out.push(other(verdict!))],
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

  private load(base: string, offset: number, bytes: number): void {
    this.place = { base, offset, bytes, mask: ones(bytes) }
    this.lower = undefined
  }

  private mask(words: string): void {
    this.place = { ...this.place, mask: number(words, this.place.bytes) }
  }

  /** `gte` and `lte` of one register are a range. */
  private compare(test: string, value: bigint): void {
    if (this.place.base === 'skip') return
    if (test === 'lte' && this.lower !== undefined)
      this.out[this.out.length - 1] = within(this.place, false, [[this.lower, value]])
    else this.out.push(compare(this.place, TESTS[test]!, value))
    this.lower = test === 'gte' ? value : undefined
  }

  private range(negated: boolean, words: readonly string[]): void {
    const half = words.length / 2
    const [lo, hi] = [words.slice(0, half), words.slice(half)].map((each) => number(each.join(' '), this.place.bytes))
    this.out.push(within(this.place, negated, [[lo!, hi!]]))
  }

  private lookup(negated: boolean): void {
    this.out.push(within(this.place, negated, elements(this.sets.shift()!, this.place.bytes)))
  }
}

/** The lines of `nft --debug=netlink`. @throws Error for an expression that is not known here. */
export function fromNetlink(netlink: readonly string[]): string[] {
  const reader = new Netlink(netlink.filter((line) => line.startsWith('element')))
  for (const line of netlink) if (!line.startsWith('element')) reader.read(line)
  return joined(reader.out)
}

// Our side.

/** The place of a term, and how far its number lies from the end of the bytes. */
function placeOf(term: Term): { readonly place: Place; readonly shift: bigint } {
  switch (term.kind) {
    case 'field': {
      const { proto, bit, bits } = FIELDS[term.field]
      const { base } = PROTOCOLS[proto]
      if (base === 'meta')
        return { place: { base: term.field, offset: 0, bytes: bits / 8, mask: ones(bits / 8) }, shift: 0n }
      const offset = Math.floor(bit / 8)
      const bytes = Math.ceil((bit + bits) / 8) - offset
      const shift = BigInt((offset + bytes) * 8 - bit - bits)
      return { place: { base: BASES[base], offset, bytes, mask: ((1n << BigInt(bits)) - 1n) << shift }, shift }
    }
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
    const { place, shift } = placeOf(pred.term)
    return compare(place, negated ? NEGATED[pred.test]! : pred.test, pred.value << shift)
  }
  if (pred.kind !== 'in') throw new Error(`no line for ${pred.kind}`)
  const { place, shift } = placeOf(pred.term)
  return within(place, negated, pred.ranges.map(({ lo, hi }) => [lo << shift, hi << shift] as const)) // biome-ignore format: a call
}

/** The lines of a rule of the IR. */
export function fromRule({ steps }: Rule): string[] {
  return joined(
    steps.map((step) => {
      if (step.kind === 'match') return step.view ? other('xt match') : line(step.pred)
      if (step.kind === 'count') return other('count')
      if (step.kind !== 'verdict') throw new Error(`no line for ${step.kind}`)
      const { verdict } = step
      return other('chain' in verdict ? `${verdict.kind} -> ${verdict.chain}` : verdict.kind)
    }),
  )
}
