// Words of a rule as values: numbers, ports, protocols, addresses, networks. Each gives the value, or undefined after saying what is
// wrong and what would be right. Codes: rules/number, rules/port, rules/address, rules/prefix, rules/protocol, rules/mac, rules/range.

import type { Diagnostics, Span } from '@netsieve/diag'
import { maskPrefix, parseIpv4, parseIpv6, parseMac, prefixMask } from '@netsieve/packet'
import { etherType, nearest, protocolNumber, servicePort } from './names.ts'

/** A piece of rule text and where it stands. */
export interface Word {
  readonly text: string
  readonly span: Span
}

/** A part of a word, by offsets into its text. */
export function part(word: Word, start: number, end: number = word.text.length): Word {
  const { source, start: from } = word.span
  return { text: word.text.slice(start, end), span: { source, start: from + start, end: from + end } }
}

/** Splits at the first `separator`; the second half is undefined without one. */
export function split(word: Word, separator: string): readonly [Word, Word | undefined] {
  const at = word.text.indexOf(separator)
  return at < 0 ? [word, undefined] : [part(word, 0, at), part(word, at + separator.length)]
}

/** Splits at every `separator`. */
export function splitAll(word: Word, separator: string): Word[] {
  if (!word.text.includes(separator)) return [word]
  const out: Word[] = []
  let start = 0
  for (const text of word.text.split(separator)) {
    out.push(part(word, start, start + text.length))
    start += text.length + separator.length
  }
  return out
}

export interface NumberRules {
  /** What it is, for messages: `a TTL`. */
  readonly what?: string
  readonly min?: bigint | number
  readonly max: bigint | number
  /** A leading 0 makes it octal, as strtoul(3) with base 0 does; else a leading 0 means nothing. */
  readonly octal?: boolean
}

/** The number that a text is (decimal, 0x hexadecimal, octal if asked), or undefined. */
export function parseNumber(text: string, octal = false): bigint | undefined {
  if (text.length > 40) return undefined
  if (!/^[0-9]+$/.test(text)) return /^0x[0-9a-f]+$/i.test(text) ? BigInt(text) : undefined
  if (!octal || text === '0' || !text.startsWith('0')) return BigInt(text)
  return /^[0-7]+$/.test(text) ? BigInt(`0o${text.slice(1)}`) : undefined
}

/** A number within limits. */
export function readNumber(word: Word, rules: NumberRules, diagnostics: Diagnostics): bigint | undefined {
  const { what = 'a number', min = 0, max, octal = false } = rules
  const value = parseNumber(word.text, octal)
  if (value !== undefined && value >= min && value <= max) return value
  const expected = [`${what} from ${min} to ${max}`]
  if (value === undefined) {
    diagnostics.error('rules/number', `\`${word.text}\` is not a number`, word.span, { expected })
    return undefined
  }
  const side = value < min ? `below ${min}` : `above ${max}`
  diagnostics.error('rules/number', `${word.text} is ${side}`, word.span, { expected })
  return undefined
}

/** A port: a number or a service's name (`http`), with the transport's own names first where one is given. */
export function readPort(
  word: Word,
  diagnostics: Diagnostics,
  { transport, octal = false }: { readonly transport?: string | undefined; readonly octal?: boolean } = {},
): bigint | undefined {
  const value = parseNumber(word.text, octal)
  if (value !== undefined && value <= 65535n) return value
  const expected = ['a port from 0 to 65535', "a service's name"]
  if (value !== undefined) {
    diagnostics.error('rules/port', `port ${word.text} is above 65535`, word.span, { expected })
    return undefined
  }
  const port = servicePort(word.text, transport)
  if (port !== undefined) return BigInt(port)
  const other = transport === undefined ? undefined : servicePort(word.text)
  const hint = other === undefined ? undefined : `${word.text} is port ${other}, but not of ${transport}`
  diagnostics.error('rules/port', `\`${word.text}\` is neither a port nor a known service`, word.span, {
    expected,
    ...(hint && { hint }),
  })
  return undefined
}

/** An IP protocol, 0 to 255, by number or name. */
export function readIpProtocol(word: Word, diagnostics: Diagnostics, octal = false): bigint | undefined {
  const value = parseNumber(word.text, octal) ?? protocolNumber(word.text)
  if (value !== undefined && value <= 255) return BigInt(value)
  const message =
    value === undefined ? `\`${word.text}\` is no known IP protocol` : `IP protocol ${word.text} is above 255`
  const meant = nearest(word.text, [
    'tcp',
    'udp',
    'icmp',
    'icmpv6',
    'ipv6-icmp',
    'sctp',
    'dccp',
    'udplite',
    'esp',
    'ah',
  ])
  diagnostics.error('rules/protocol', message, word.span, {
    expected: ['a protocol number from 0 to 255', "a protocol's name"],
    ...(meant && { hint: `did you mean ${meant}?` }),
  })
  return undefined
}

/** An Ethernet type by name or number (hexadecimal with 0x). */
export function readEtherType(word: Word, diagnostics: Diagnostics): bigint | undefined {
  const value = parseNumber(word.text) ?? etherType(word.text)
  if (value !== undefined && value <= 0xffff) return BigInt(value)
  diagnostics.error('rules/protocol', `\`${word.text}\` is no known Ethernet type`, word.span, {
    expected: ['a number from 0 to 0xffff', "a name such as 'ip', 'ip6', 'arp', '802.1q'"],
  })
  return undefined
}

export function readMac(word: Word, diagnostics: Diagnostics): bigint | undefined {
  const value = parseMac(word.text)
  if (value === undefined)
    diagnostics.error('rules/mac', `\`${word.text}\` is not a MAC address`, word.span, {
      expected: ['six bytes in hexadecimal: 00:1b:21:3c:9d:f8'],
    })
  return value
}

export type IpFamily = 'ipv4' | 'ipv6'

export interface Address {
  readonly family: IpFamily
  readonly value: bigint
}

export const addressBits = (family: IpFamily): 32 | 128 => (family === 'ipv4' ? 32 : 128)

const EXAMPLE = { ipv4: 'an IPv4 address such as 192.0.2.1', ipv6: 'an IPv6 address such as 2001:db8::1' } as const

/** One IP address, of `family` where one is asked for. Names are refused: they would need a resolver. */
export function readAddress(word: Word, diagnostics: Diagnostics, family?: IpFamily): Address | undefined {
  const v4 = family === 'ipv6' ? undefined : parseIpv4(word.text)
  if (v4 !== undefined) return { family: 'ipv4', value: v4 }
  const v6 = family === 'ipv4' ? undefined : parseIpv6(word.text)
  if (v6 !== undefined) return { family: 'ipv6', value: v6 }
  diagnostics.error('rules/address', ...addressFault(word, family), {
    expected: family ? [EXAMPLE[family]] : [EXAMPLE.ipv4, EXAMPLE.ipv6],
    ...(/^[a-z][\w.-]*[a-z]$/i.test(word.text) && { hint: 'host names are not resolved: write the address' }),
  })
  return undefined
}

function addressFault({ text, span }: Word, family: IpFamily | undefined): [string, Span] {
  if (family === 'ipv4' && parseIpv6(text) !== undefined) return [`${text} is an IPv6 address, not an IPv4 one`, span]
  if (family === 'ipv6' && parseIpv4(text) !== undefined) return [`${text} is an IPv4 address, not an IPv6 one`, span]
  const parts = text.split('.')
  if (parts.length === 4 && parts.every((each) => /^\d+$/.test(each))) {
    const at = parts.findIndex((each) => parseIpv4(`0.0.0.${each}`) === undefined)
    const start = span.start + parts.slice(0, at).join('.').length + (at > 0 ? 1 : 0)
    const where = { ...span, start, end: start + parts[at]!.length }
    if (Number(parts[at]) > 255) return [`${parts[at]} is above 255, in the address ${text}`, where]
    return [`${parts[at]} has a leading zero, which some tools read as octal`, where]
  }
  return [`\`${text}\` is not an IP address`, span]
}

export interface Network extends Address {
  /** Any mask, not only that of a prefix. */
  readonly mask: bigint
}

/** What may follow the `/` of an address. */
export type MaskForm = 'prefix' | 'prefix or mask'

/**
 * `10/8` means 10.0.0.0/8 to iptables and tc, which fill up networks with zero bytes. Without a mask it stays what it is, an error: they differ on
 * what it means (10.1 is 10.0.0.1 to iptables, 10.1.0.0 to tc).
 */
export function filledUp(word: Word): Word {
  const [, host, mask] = /^(\d+(?:\.\d+){0,2})(\/.*)$/.exec(word.text) ?? []
  if (host === undefined) return word
  return { text: `${host}${'.0'.repeat(4 - host.split('.').length)}${mask}`, span: word.span }
}

/** An address with or without `/24` (or `/255.255.255.0`, contiguous or not). Bits outside the mask are kept: judge them yourself. */
export function readNetwork(
  word: Word,
  diagnostics: Diagnostics,
  { family, form = 'prefix or mask' }: { readonly family?: IpFamily | undefined; readonly form?: MaskForm } = {},
): Network | undefined {
  const [host, tail] = split(word, '/')
  const address = readAddress(host, diagnostics, family)
  if (!address) return undefined
  const bits = addressBits(address.family)
  if (tail === undefined) return { ...address, mask: prefixMask(bits, bits) }
  if (/^\d{1,4}$/.test(tail.text)) {
    if (Number(tail.text) <= bits) return { ...address, mask: prefixMask(Number(tail.text), bits) }
    diagnostics.error('rules/prefix', `a prefix of ${tail.text} bits does not fit ${bits}`, tail.span, {
      expected: [`a prefix length from 0 to ${bits}`],
    })
    return undefined
  }
  const mask = form === 'prefix' ? undefined : address.family === 'ipv4' ? parseIpv4(tail.text) : parseIpv6(tail.text)
  if (mask !== undefined) return { ...address, mask }
  diagnostics.error(
    'rules/prefix',
    `\`${tail.text}\` is not a ${form === 'prefix' ? 'prefix length' : 'mask'}`,
    tail.span,
    {
      expected: [`a prefix length from 0 to ${bits}`, ...(form === 'prefix' ? [] : ['a mask such as 255.255.255.0'])],
    },
  )
  return undefined
}

/** The prefix length of a network's mask, or undefined if it is none. */
export function networkPrefix(network: Network): number | undefined {
  return maskPrefix(network.mask, addressBits(network.family))
}

/** `lo SEPARATOR hi` of two ports, or one port; `open` allows an end to be left out. */
export function readPortRange(
  word: Word,
  diagnostics: Diagnostics,
  options: {
    readonly separator: string
    readonly open?: boolean
    readonly transport?: string | undefined
    readonly octal?: boolean
  },
): { readonly lo: bigint; readonly hi: bigint } | undefined {
  // Service names hold dashes (`ftp-data`): a known name is one port. Each has a letter (RFC 6335).
  const known = /[a-z]/i.test(word.text) && servicePort(word.text, options.transport) !== undefined
  const [first, second] = known ? [word, undefined] : split(word, options.separator)
  if (second === undefined) {
    const port = readPort(first, diagnostics, options)
    return port === undefined ? undefined : { lo: port, hi: port }
  }
  const bound = (end: Word, missing: bigint) =>
    end.text === '' && options.open ? missing : readPort(end, diagnostics, options)
  const lo = bound(first, 0n)
  const hi = bound(second, 65535n)
  if (lo === undefined || hi === undefined) return undefined
  if (lo <= hi) return { lo, hi }
  diagnostics.error('rules/range', `the range ${word.text} ends before it starts`, word.span)
  return undefined
}
