// The values of flower keys, as tc 6.1 reads each of them: its bases differ from key to key (`ip_proto 17` is 0x17).

import type { Diagnostics } from '@netsieve/diag'
import { maxValue, parseMac, parseName, prefixMask, TC_CT_STATES } from '@netsieve/packet'
import { filledUp, part, readNetwork, split, splitAll, type Word } from '../shared/index.ts'
import { type Base, readEtherType, shortNumber, tcNumber } from '../tc/index.ts'
import type { Constraint } from './ast.ts'
import { ARP_OPS, IP_FLAGS, IP_PROTO_NAMES, type IpFlag, type KeyRow, PPP_PROTOCOLS } from './words.ts'

const MAC_BITS = 48

/** The constraint that a key's value is, or undefined after a diagnostic. `family` is that of the filter's protocol. */
export function readValue(
  row: KeyRow,
  word: Word,
  family: 'ipv4' | 'ipv6',
  diagnostics: Diagnostics,
): Constraint | undefined {
  switch (row.form) {
    case 'mac':
      return readMaskedMac(word, diagnostics)
    case 'network':
      return readPrefix(word, family, diagnostics)
    case 'port':
      return readPorts(word, diagnostics)
    case 'ip-flags':
      return readFlags(word, diagnostics)
    case 'ip-proto': {
      const value = IP_PROTO_NAMES[word.text] ?? tcNumber(word.text, 'hex')
      if (value !== undefined && value <= 255) return exactly(value, 255)
      diagnostics.error('rules/protocol', `\`${word.text}\` is no IP protocol of tc's`, word.span, {
        expected: [...Object.keys(IP_PROTO_NAMES), 'a number from 0 to ff, read as hexadecimal'],
      })
      return undefined
    }
    case 'device': {
      const value = parseName(word.text)
      if (value !== undefined) return { kind: 'masked', value, mask: maxValue('meta.iifname') }
      diagnostics.error('flower/device', `\`${word.text}\` is no name of a device`, word.span, {
        expected: ['1 to 15 characters'],
      })
      return undefined
    }
    case 'byte':
      return readMasked(word, row.max!, 'decimal or hex', 'hex', diagnostics)
    case 'hex':
      return readMasked(word, row.max!, 'hex', 'hex', diagnostics)
    case 'decimal':
      return readMasked(word, row.max!, 'decimal', undefined, diagnostics)
    case 'masked':
      return readMasked(word, row.max!, 'decimal', 'decimal', diagnostics)
    case 'masked-any':
      return readMasked(word, row.max!, 'any', 'any', diagnostics)
    case 'one-port':
      return readMasked(word, row.max!, 'decimal', undefined, diagnostics)
    case 'any-network': {
      const network = readNetwork(filledUp(word), diagnostics, { form: 'prefix' })
      return network && { kind: 'masked', value: network.value & network.mask, mask: network.mask, family: network.family } // biome-ignore format: one value
    }
    case 'ct-state':
      return readCtState(word, diagnostics)
    case 'ct-label':
      return readLabel(word, diagnostics)
    case 'any-base':
      return readMasked(word, row.max!, 'any', undefined, diagnostics)
    case 'ether-type': {
      const value = readEtherType(word, diagnostics)
      return value === undefined ? undefined : exactly(value, 0xffff)
    }
    case 'ppp-proto': {
      const value = PPP_PROTOCOLS[word.text.toLowerCase()] ?? shortNumber(word.text)
      if (value !== undefined) return exactly(value, 0xffff)
      diagnostics.error('rules/protocol', `\`${word.text}\` is no PPP protocol of tc's`, word.span, {
        expected: [...Object.keys(PPP_PROTOCOLS), 'a number from 0 to 0xffff'],
      })
      return undefined
    }
    case 'arp-op': {
      const named = ARP_OPS[word.text]
      if (named !== undefined) return exactly(named, 255)
      return readMasked(word, row.max!, 'decimal', 'decimal', diagnostics, 255)
    }
  }
}

const exactly = (value: number, mask: number): Constraint => ({
  kind: 'masked',
  value: BigInt(value),
  mask: BigInt(mask),
})

/** `value` or `value/mask`; `full` is the mask of a plain value. */
function readMasked(
  word: Word,
  max: number,
  base: Base,
  maskBase: Base | undefined,
  diagnostics: Diagnostics,
  full: number = max,
): Constraint | undefined {
  const [first, second] = maskBase === undefined ? [word, undefined] : split(word, '/')
  const value = tcNumber(first.text, base)
  if (value === undefined || value > max) {
    wrong(first, base, max, diagnostics)
    return undefined
  }
  if (second === undefined || maskBase === undefined) return exactly(value, full)
  const mask = tcNumber(second.text, maskBase)
  if (mask !== undefined && mask <= full) return exactly(value & mask, mask)
  wrong(second, maskBase, full, diagnostics)
  return undefined
}

function wrong(word: Word, base: Base, max: number, diagnostics: Diagnostics): void {
  const limit = base === 'hex' ? `from 0 to ${max.toString(16)}, read as hexadecimal` : `from 0 to ${max}`
  diagnostics.error('rules/number', `\`${word.text}\` is no such number`, word.span, {
    expected: [`a number ${limit}`],
  })
}

/** A port (not 0), `lo-hi`, or `port/mask`; no names, values decimal. */
function readPorts(word: Word, diagnostics: Diagnostics): Constraint | undefined {
  const [low, high] = split(word, '-')
  if (high !== undefined) {
    const [lo, hi] = [readPort(low, diagnostics), readPort(high, diagnostics)]
    if (lo === undefined || hi === undefined) return undefined
    if (lo < hi) return { kind: 'range', lo: BigInt(lo), hi: BigInt(hi) }
    diagnostics.error('rules/range', `the range ${word.text} must end above where it starts`, word.span)
    return undefined
  }
  const [port, second] = split(word, '/')
  const value = readPort(port, diagnostics)
  if (value === undefined) return undefined
  if (second === undefined) return exactly(value, 0xffff)
  const mask = tcNumber(second.text, 'any')
  if (mask !== undefined && mask <= 0xffff) return exactly(value & mask, mask)
  diagnostics.error('rules/number', `\`${second.text}\` is no mask of 16 bits`, second.span, {
    expected: ['a number from 0 to 0xffff'],
  })
  return undefined
}

function readPort(word: Word, diagnostics: Diagnostics): number | undefined {
  const value = tcNumber(word.text, 'decimal')
  if (value !== undefined && value >= 1 && value <= 0xffff) return value
  const message =
    value === undefined
      ? `\`${word.text}\` is not a port number`
      : `port ${word.text} is ${value === 0 ? 'refused by tc' : 'above 65535'}`
  diagnostics.error('rules/port', message, word.span, { expected: ['a decimal number from 1 to 65535'] })
  return undefined
}

function readPrefix(word: Word, family: 'ipv4' | 'ipv6', diagnostics: Diagnostics): Constraint | undefined {
  const network = readNetwork(family === 'ipv4' ? filledUp(word) : word, diagnostics, { family, form: 'prefix' })
  return network && { kind: 'masked', value: network.value & network.mask, mask: network.mask }
}

/** A MAC address, with `/mask` or `/bits`. */
function readMaskedMac(word: Word, diagnostics: Diagnostics): Constraint | undefined {
  const [first, second] = split(word, '/')
  const full = maxValue('eth.src')
  const value = parseMac(first.text)
  if (value === undefined) {
    notMac(first, diagnostics)
    return undefined
  }
  if (second === undefined) return { kind: 'masked', value, mask: full }
  const bits = tcNumber(second.text, 'decimal')
  // tc makes another mask of 0 bits and of more than 48 than one would think: they are refused.
  const mask =
    bits === undefined ? parseMac(second.text) : bits >= 1 && bits <= MAC_BITS ? prefixMask(bits, MAC_BITS) : undefined
  if (mask !== undefined) return { kind: 'masked', value: value & mask, mask }
  if (bits === undefined) notMac(second, diagnostics)
  else
    diagnostics.error('rules/prefix', `${second.text} bits are no part of ${MAC_BITS}`, second.span, {
      expected: ['1 to 48 bits', 'a mask'],
    })
  return undefined
}

function notMac(word: Word, diagnostics: Diagnostics): void {
  diagnostics.error('rules/mac', `\`${word.text}\` is not a MAC address`, word.span, {
    expected: ['six bytes in hexadecimal: 00:1b:21:3c:9d:f8'],
  })
}

function readFlags(word: Word, diagnostics: Diagnostics): Constraint | undefined {
  const flags: IpFlag[] = []
  for (const each of splitAll(word, '/')) {
    const flag = IP_FLAGS.find((known) => known === each.text)
    const bare = (name: string) => name.replace(/^no/, '')
    const twice = flag !== undefined && flags.some((other) => bare(other) === bare(flag))
    if (flag === undefined || twice) {
      const message = twice ? `${bare(each.text)} is given twice` : `\`${each.text}\` is no IP flag`
      diagnostics.error('rules/flags', message, each.span, { expected: [...IP_FLAGS] })
      return undefined
    }
    flags.push(flag)
  }
  return { kind: 'flags', flags }
}

/** `+trk+new-est`: states that the connection has, and has not. */
function readCtState(word: Word, diagnostics: Diagnostics): Constraint | undefined {
  const names: Readonly<Record<string, number>> = TC_CT_STATES
  let [value, mask] = [0, 0]
  for (const [text] of word.text.matchAll(/[+-]?[^+-]*/g)) {
    if (text === '') continue
    const bit = /^[+-]/.test(text) ? names[text.slice(1)] : undefined
    if (bit === undefined) {
      const start = word.text.indexOf(text)
      diagnostics.error(
        'rules/flags',
        `\`${text}\` is no state of a connection`,
        part(word, start, start + text.length).span,
        {
          expected: Object.keys(names).map((name) => `'+${name}' or '-${name}'`),
        },
      )
      return undefined
    }
    mask |= bit
    value = text.startsWith('+') ? value | bit : value & ~bit
  }
  const fault = ctFault(value, names)
  if (fault) {
    diagnostics.error('rules/flags', fault, word.span)
    return undefined
  }
  return { kind: 'masked', value: BigInt(value), mask: BigInt(mask) }
}

/** States that Linux refuses together (since 5.12). */
function ctFault(
  set: number,
  { trk, est, rpl, inv, new: fresh }: Readonly<Record<string, number>>,
): string | undefined {
  const has = (bit: number | undefined) => (set & bit!) !== 0
  if (set !== 0 && !has(trk)) return 'Linux wants +trk beside other states that a connection has'
  if (has(inv) && set !== (inv! | trk!)) return 'Linux wants no other state but +trk beside +inv'
  if (has(fresh) && (has(est) || has(rpl))) return `+new and ${has(est) ? '+est' : '+rpl'} exclude one another`
  return undefined
}

/** Bytes in hexadecimal, from the first on, `/` those of a mask. */
function readLabel(word: Word, diagnostics: Diagnostics): Constraint | undefined {
  const parts = splitAll(word, '/')
  const [value, mask] = parts.map(({ text, span }) => {
    if (/^(?:[0-9a-f]{2}){1,16}$/i.test(text)) return BigInt(`0x${text.padEnd(32, '0')}`)
    diagnostics.error('rules/number', `\`${text}\` is no label`, span, { expected: ['1 to 16 bytes in hexadecimal, two digits each'] }) // biome-ignore format: one message
    return undefined
  })
  const all = mask ?? (parts.length === 1 ? (1n << 128n) - 1n : undefined)
  return value === undefined || all === undefined || parts.length > 2 ? undefined : { kind: 'masked', value: value & all, mask: all } // biome-ignore format: one choice
}
