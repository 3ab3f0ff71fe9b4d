// Numbers, Ethernet types and classes as tc 6.1 reads them: its bases differ from word to word.

import type { Diagnostics } from '@netsieve/diag'
import type { Word } from '../shared/index.ts'

export type Base = 'decimal' | 'hex' | 'decimal or hex' | 'any'

/** A number in a base; `any` is strtoul's base 0. */
export function tcNumber(text: string, base: Base): number | undefined {
  if (text.length > 12) return undefined
  if (base !== 'hex' && /^[0-9]+$/.test(text)) {
    if (base !== 'any' || text === '0' || !text.startsWith('0')) return Number.parseInt(text, 10)
    return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined
  }
  if (base === 'decimal') return undefined
  if (base === 'any') return /^0x[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : undefined
  return /^(0x)?[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : undefined
}

/** Ethernet types that tc knows by name (in any case); others are written as numbers. */
const PROTOCOL_NAMES: Readonly<Record<string, number>> = {
  ip: 0x0800,
  ipv4: 0x0800,
  ipv6: 0x86dd,
  arp: 0x0806,
  rarp: 0x8035,
  '802.1q': 0x8100,
  '802.1ad': 0x88a8,
  mpls_uc: 0x8847,
  mpls_mc: 0x8848,
  ppp_ses: 0x8864,
}

/** ETH_P_ALL. */
export const ALL = 3

/** An Ethernet type by name or number; `all`, where there is one for all. Undefined after an error. */
export function readEtherType(word: Word, diagnostics: Diagnostics, all?: number): number | undefined {
  const name = word.text.toLowerCase()
  const value = name === 'all' ? all : (PROTOCOL_NAMES[name] ?? shortNumber(word.text))
  if (value !== undefined && value !== 0) return value
  diagnostics.error('rules/protocol', `\`${word.text}\` is no protocol known here`, word.span, {
    expected: [
      ...(all === undefined ? [] : ["'all'"]),
      ...Object.keys(PROTOCOL_NAMES).map((known) => `'${known}'`),
      'a number from 1 to 0xffff',
    ],
    ...(name === 'ip6' && { hint: 'tc calls it ipv6' }),
  })
  return undefined
}

/** A class, `1:10`, with what may be left out of it filled in; `root` and `none` are classes too. */
export function classText(text: string): string | undefined {
  if (text === 'root') return 'ffff:ffff'
  if (text === 'none') return '0:0'
  const found = /^(?:0x)?([0-9a-f]{0,8})(?::([0-9a-f]{0,4}))?$/i.exec(text)
  if (!found || text === '' || text === ':') return undefined
  const [major, minor] = [found[1], found[2]].map((part) => Number.parseInt(part || '0', 16)) as [number, number]
  if (found[2] === undefined) return `${(major >>> 16).toString(16)}:${(major & 0xffff).toString(16)}`
  return major <= 0xffff ? `${major.toString(16)}:${minor.toString(16)}` : undefined
}

/** At most 16 bits, in base 0: Ethernet types, priorities. */
export function shortNumber(text: string): number | undefined {
  const value = tcNumber(text, 'any')
  return value !== undefined && value <= 0xffff ? value : undefined
}

/** 32 bits, in base 0: handles. */
export function longNumber(text: string): number | undefined {
  const value = tcNumber(text, 'any')
  return value !== undefined && value <= 0xffffffff ? value : undefined
}
