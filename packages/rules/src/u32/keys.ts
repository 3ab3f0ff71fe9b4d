// The selectors of u32 (iproute2 6.1), and what tc makes of them: words of four bytes that are compared under masks. The words and their places
// are recorded in test/rules/u32.

import type { Diagnostics, Span } from '@netsieve/diag'
import { parseMac } from '@netsieve/packet'
import type { Node } from '../grammar/match.ts'
import {
  addressBits,
  filledUp,
  type IpFamily,
  nearest,
  networkPrefix,
  readNetwork,
  type Word,
} from '../shared/index.ts'
import { tcNumber } from '../tc/index.ts'
import type { Key } from './ast.ts'

/** A number that has a name: where it stands, and in how many bytes. */
interface FieldRow {
  readonly at: number
  readonly bytes: 1 | 2 | 4
  /** It counts from where a link has led to, whatever `at` says. */
  readonly nexthdr?: true
  /** It stands above so many others of its bytes, and takes 8 bits; no `at`. */
  readonly above?: number
}

const FIELDS: Readonly<Record<string, Readonly<Record<string, FieldRow>>>> = {
  ip: {
    ihl: { at: 0, bytes: 1 },
    tos: { at: 1, bytes: 1 },
    dsfield: { at: 1, bytes: 1 },
    precedence: { at: 1, bytes: 1 },
    protocol: { at: 9, bytes: 1 },
    sport: { at: 20, bytes: 2 },
    dport: { at: 22, bytes: 2 },
    icmp_type: { at: 20, bytes: 1 },
    icmp_code: { at: 21, bytes: 1 },
  },
  ip6: {
    priority: { at: 0, bytes: 4, above: 20 },
    flowlabel: { at: 0, bytes: 4 },
    protocol: { at: 6, bytes: 1 },
    sport: { at: 40, bytes: 2 },
    dport: { at: 42, bytes: 2 },
    icmp_type: { at: 40, bytes: 1 },
    icmp_code: { at: 41, bytes: 1 },
  },
  tcp: { src: { at: 0, bytes: 2, nexthdr: true }, dst: { at: 2, bytes: 2, nexthdr: true } },
  udp: { src: { at: 0, bytes: 2, nexthdr: true }, dst: { at: 2, bytes: 2, nexthdr: true } },
  icmp: { type: { at: 0, bytes: 1, nexthdr: true }, code: { at: 1, bytes: 1, nexthdr: true } },
}

const ADDRESSES = { ip: { src: 12, dst: 16 }, ip6: { src: 8, dst: 24 } } as const
const MACS = { src: -8, dst: -14 } as const
/** Under these masks the word at 4 of an IPv4 header. */
const FLAGS = { nofrag: [0, 0x3fff], firstfrag: [0x2000, 0x3fff], df: [0x4000, 0x4000], mf: [0x2000, 0x2000] } as const

interface Place {
  readonly offset: number
  readonly nexthdr: boolean
}

/** Reads the selectors of one filter. */
export class KeyReader {
  readonly keys: Key[] = []
  private readonly word: (node: Node) => Word
  private readonly diagnostics: Diagnostics

  constructor(word: (node: Node) => Word, diagnostics: Diagnostics) {
    this.word = word
    this.diagnostics = diagnostics
  }

  /** A `number`, `flags`, `address`, `ether` or `field` of the grammar. */
  selector(node: Node): void {
    const { span, text } = this.word(node)
    const [head, name] = text.split(/[ \t]+/) as [string, string]
    const values = valueAndMask(node).map((value) => this.word(value))
    const at = node.children.find(({ rule }) => rule === 'at')?.children.find(({ rule }) => rule === 'value')
    switch (node.rule) {
      case 'flags': {
        const [value, mask] = FLAGS[name as keyof typeof FLAGS]
        return this.pack({ value, mask, offset: 4, nexthdr: false, span })
      }
      case 'number': {
        const place = this.place(at, 0)
        return place && this.numbers(Number(head.slice(1)) / 8, values, place, span)
      }
      case 'address': {
        const place = this.place(at, ADDRESSES[head as 'ip'][name as 'src'])
        return place && this.address(head === 'ip6' ? 'ipv6' : 'ipv4', values[0]!, place, span)
      }
      case 'ether': {
        const place = this.place(at, MACS[name as 'src'])
        return place && this.mac(values[0]!, place, span)
      }
      default:
        return this.field(head, node, values, at, span)
    }
  }

  private field(head: string, node: Node, values: readonly Word[], at: Node | undefined, span: Span): void {
    const name = this.word(node.children.find(({ rule }) => rule === 'name')!)
    const rows = FIELDS[head]!
    const row = Object.hasOwn(rows, name.text) ? rows[name.text] : undefined
    if (!row) {
      const meant = nearest(name.text, Object.keys(rows))
      this.diagnostics.error('rules/unknown-key', `tc u32 knows no ${head} ${name.text}`, name.span, {
        expected: Object.keys(rows).map((each) => `'${each}'`),
        ...(meant && { hint: `did you mean ${meant}?` }),
      })
      return
    }
    if (row.above !== undefined && at) {
      const where = this.word(at).span
      this.diagnostics.error('u32/at', `${name.text} stands where it stands: it has no \`at\``, where)
      return
    }
    const place = this.place(at, row.at)
    if (place) this.numbers(row.bytes, values, { ...place, nexthdr: place.nexthdr || row.nexthdr === true }, span, row.above) // biome-ignore format: one call
  }

  /** `VALUE MASK`: the mask is hexadecimal. With `above`, 8 bits above so many others. */
  private numbers(bytes: number, [first, second]: readonly Word[], place: Place, span: Span, above?: number): void {
    const bits = above === undefined ? bytes * 8 : 8
    const value = this.bounded(first!, 'any', bits)
    const mask = this.bounded(second!, 'hex', bits)
    if (value === undefined || mask === undefined) return
    if (bytes === 4) {
      if (!this.aligned(place.offset, span)) return
      const shift = 2 ** (above ?? 0)
      return this.pack({ value: value * shift, mask: mask * shift, ...place, span })
    }
    // Two bytes lie in the upper or the lower half of a word, wherever they should begin.
    const start = bytes === 1 ? place.offset : place.offset & 3 ? (place.offset & ~3) + 2 : place.offset
    if (start !== place.offset)
      this.diagnostics.warning('u32/at', `tc takes the two bytes at ${start}: it knows halves of words only`, span)
    this.pack(within(value, mask, bytes, { ...place, offset: start }, span))
  }

  private address(family: IpFamily, word: Word, place: Place, span: Span): void {
    const any = ['any', 'all', 'default'].includes(word.text)
    const network = any
      ? { value: 0n, mask: 0n }
      : readNetwork(family === 'ipv4' ? filledUp(word) : word, this.diagnostics, { family })
    if (!network || !this.aligned(place.offset, span)) return
    if ('family' in network && networkPrefix(network) === undefined) {
      this.diagnostics.error('rules/prefix', 'tc wants the mask of a prefix', word.span)
      return
    }
    const words = addressBits(family) / 32
    for (let i = 0; i < words; i++) {
      const part = (number: bigint) => Number((number >> BigInt(32 * (words - 1 - i))) & 0xffffffffn)
      const mask = part(network.mask)
      if (mask !== 0 || words === 1)
        this.pack({ value: part(network.value), mask, offset: place.offset + 4 * i, nexthdr: place.nexthdr, span })
    }
  }

  private mac(word: Word, place: Place, span: Span): void {
    const address = parseMac(word.text)
    if (address === undefined) {
      this.diagnostics.error('rules/mac', `\`${word.text}\` is not a MAC address`, word.span, {
        expected: ['six bytes in hexadecimal: 00:1b:21:3c:9d:f8'],
      })
      return
    }
    for (let i = 0; i < 6; i++) {
      const byte = Number((address >> BigInt(8 * (5 - i))) & 0xffn)
      this.pack(within(byte, 0xff, 1, { ...place, offset: place.offset + i }, span))
    }
  }

  /** `at PLACE`, or the usual one. Undefined after an error. */
  private place(at: Node | undefined, usual: number): Place | undefined {
    if (!at) return { offset: usual, nexthdr: false }
    const { text, span } = this.word(at)
    const nexthdr = text.startsWith('nexthdr+')
    const digits = nexthdr ? text.slice(8) : text
    const number = tcNumber(digits.replace(/^[+-]/, ''), 'any')
    if (number !== undefined && number <= 0x7fffffff)
      return { offset: digits.startsWith('-') ? -number : number, nexthdr }
    this.diagnostics.error('rules/number', `\`${text}\` is no place`, span, {
      expected: ['a number of bytes', "'nexthdr+' and a number of bytes"],
    })
    return undefined
  }

  private bounded(word: Word, base: 'any' | 'hex', bits: number): number | undefined {
    const value = tcNumber(word.text, base)
    if (value !== undefined && value < 2 ** bits) return value
    const message =
      value === undefined ? `\`${word.text}\` is no such number` : `${word.text} does not fit ${bits} bits`
    this.diagnostics.error('rules/number', message, word.span, {
      expected: [base === 'hex' ? `a mask of ${bits} bits in hexadecimal` : `a number of ${bits} bits`],
    })
    return undefined
  }

  private aligned(offset: number, span: Span): boolean {
    if ((offset & 3) === 0) return true
    this.diagnostics.error('u32/at', `four bytes lie at a multiple of 4, not at ${offset}`, span)
    return false
  }

  /** Keys of one place are one key; where they ask for other bits, tc refuses the second. */
  private pack(key: Key): void {
    const index = this.keys.findIndex(({ offset, nexthdr }) => offset === key.offset && nexthdr === key.nexthdr)
    const other = this.keys[index]
    if (!other) {
      this.keys.push({ ...key, value: (key.value & key.mask) >>> 0 })
      return
    }
    if (((other.value ^ key.value) & other.mask & key.mask) !== 0) {
      this.diagnostics.error('u32/contradiction', 'this can never match: another match asks for other bits', key.span, {
        notes: [{ message: 'this one', span: other.span }],
      })
      return
    }
    const value = ((other.value & other.mask) | (key.value & key.mask)) >>> 0
    this.keys[index] = { ...other, value, mask: (other.mask | key.mask) >>> 0 }
  }
}

/** What a selector compares with, and under which mask. */
export function valueAndMask(selector: Node): Node[] {
  return selector.children.filter(({ rule }) => rule === 'value' || rule === 'mask')
}

/** Bytes inside of the word that they lie in. */
function within(value: number, mask: number, bytes: number, { offset, nexthdr }: Place, span: Span): Key {
  const shift = 32 - 8 * (bytes + (offset & 3))
  const moved = (number: number) => (number << shift) >>> 0
  return { value: moved(value), mask: moved(mask), offset: offset & ~3, nexthdr, span }
}
