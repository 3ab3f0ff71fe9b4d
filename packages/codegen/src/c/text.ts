// Pieces of C text: names, comments that nothing breaks out of, numbers as their field writes them.

import { at, position, type Span } from '@netsieve/diag'
import { formatIpv4, type ValueKind } from '@netsieve/packet'

/** Any text as a C identifier. */
export const identifier = (text: string): string => text.replace(/[^A-Za-z0-9]+/g, '_').replace(/^(?=\d)|^$/, '_')

/** Text inside a comment: one line, and nothing that ends a comment, starts one, or is not what it looks like. */
export function inComment(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\p{C}\u2028\u2029]/gu, (character) => `<U+${character.codePointAt(0)!.toString(16).padStart(4, '0')}>`)
    .replace(/\*(?=\/)|\/(?=\*)|\?(?=\?)/g, '$& ')
    .replace(/\\$/, '\\ ')
}

/** A comment, in one line or as a paragraph. */
export function comment(...lines: readonly string[]): string {
  if (lines.length === 1) return `/* ${lines[0]} */`
  return ['/*', ...lines.map((line) => ` * ${line}`.trimEnd()), ' */'].join('\n')
}

/** `rules.nft:5: `, where a span has a place. */
export function lineOf(span: Span | undefined): string {
  if (!span) return ''
  return `${inComment(span.source.name)}:${position(span.source, at(span.source, span.start).start).line}: `
}

const PROTOCOL_NAMES: Readonly<Record<string, string>> = {
  1: 'IPPROTO_ICMP',
  2: 'IPPROTO_IGMP',
  6: 'IPPROTO_TCP',
  17: 'IPPROTO_UDP',
  41: 'IPPROTO_IPV6',
  47: 'IPPROTO_GRE',
  50: 'IPPROTO_ESP',
  51: 'IPPROTO_AH',
  58: 'IPPROTO_ICMPV6',
  132: 'IPPROTO_SCTP',
  136: 'IPPROTO_UDPLITE',
}

const ETHERTYPE_NAMES: Readonly<Record<string, string>> = {
  2048: 'ETH_P_IP',
  2054: 'ETH_P_ARP',
  32821: 'ETH_P_RARP',
  33024: 'ETH_P_8021Q',
  34525: 'ETH_P_IPV6',
  34984: 'ETH_P_8021AD',
}

/** What a number is written with: names of uapi headers, macros of the prelude. */
export interface Written {
  readonly text: string
  /** The macro or header that it needs. */
  readonly needs?: 'ip4' | 'ip6' | 'mac' | 'in.h' | 'in6.h'
}

/** A number in C, as its kind of field is written. */
export function written(value: bigint, kind?: ValueKind): Written {
  switch (kind) {
    case 'ipv4':
      if (value <= 0xffffffffn) return { text: `IP4(${formatIpv4(value).replaceAll('.', ', ')})`, needs: 'ip4' }
      break
    case 'mac':
      if (value >> 48n === 0n) return { text: `MAC(${bytesOf(value, 6).join(', ')})`, needs: 'mac' }
      break
    case 'ipproto': {
      const name = PROTOCOL_NAMES[String(value)]
      if (name) return { text: name, needs: value === 58n ? 'in6.h' : 'in.h' }
      break
    }
    case 'ethertype':
      return { text: ETHERTYPE_NAMES[String(value)] ?? hex(value) }
    case 'hex':
    case 'flags':
      if (value >> 64n === 0n) return { text: hex(value) }
  }
  if (value >> 64n !== 0n) {
    const words = [96n, 64n, 32n, 0n].map((shift) => hex((value >> shift) & 0xffffffffn))
    return { text: `IP6(${words.join(', ')})`, needs: 'ip6' }
  }
  return { text: value > 0x7fffffffn ? hex(value) : `${value}` }
}

function bytesOf(value: bigint, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `0x${((value >> BigInt((count - 1 - i) * 8)) & 0xffn).toString(16)}`)
}

/** Hexadecimal with the suffix of its width. */
export function hex(value: bigint): string {
  return `0x${value.toString(16)}${value > 0xffffffffn ? 'ULL' : value > 0x7fffffffn ? 'U' : ''}`
}

/** `if` with one statement below it, or several in braces, one level in. */
export function when(condition: string, ...statements: readonly string[]): string {
  const body = statements.map((statement) => `\t\t${statement}`).join('\n')
  return statements.length === 1 ? `\tif (${condition})\n${body}` : `\tif (${condition}) {\n${body}\n\t}`
}
