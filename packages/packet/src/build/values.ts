// Values of fields ⇄ text, by their kind: numbers, addresses, names of protocols, letters of TCP flags.

import type { ValueKind } from '../fields.ts'
import { namesOf } from '../named.ts'
import { ETHERTYPE, IPPROTO } from '../protocols.ts'
import { formatIpv4, formatIpv6, formatMac, parseIpv4, parseIpv6, parseMac } from '../values.ts'

const ETHERTYPES: ReadonlyMap<string, number> = new Map(Object.entries(ETHERTYPE))
const IPPROTOS: ReadonlyMap<string, number> = new Map(Object.entries(IPPROTO))

/** tcpdump's letters, from FIN up. */
const FLAGS = 'FSRPAUEW'

/** The number a text means for a kind of value; undefined if none. */
export function parseValue(kind: ValueKind, text: string): bigint | undefined {
  if (/^(0x[0-9a-f]{1,32}|\d{1,39})$/i.test(text)) return BigInt(text)
  switch (kind) {
    case 'mac':
      return parseMac(text)
    case 'ipv4':
      return parseIpv4(text)
    case 'ipv6':
      return parseIpv6(text)
    case 'ethertype':
      return named(ETHERTYPES, text)
    case 'ipproto':
      return named(IPPROTOS, text)
    case 'flags':
      return flags(text)
    default:
      return named(new Map(Object.entries(namesOf(kind))), text)
  }
}

/** What a value of a kind may look like, for messages. */
export function expectedValue(kind: ValueKind, bits: number): readonly string[] {
  const number = `a number up to ${(1n << BigInt(bits)) - 1n}`
  switch (kind) {
    case 'mac':
      return ['02:00:00:00:00:01']
    case 'ipv4':
      return ['10.0.0.1']
    case 'ipv6':
      return ['2001:db8::1']
    case 'ethertype':
      return [number, ...ETHERTYPES.keys()]
    case 'ipproto':
      return [number, ...IPPROTOS.keys()]
    case 'flags':
      return [number, `letters of ${FLAGS}`]
    default:
      return [number, ...Object.keys(namesOf(kind))]
  }
}

function named(names: ReadonlyMap<string, number>, text: string): bigint | undefined {
  const value = names.get(text)
  return value === undefined ? undefined : BigInt(value)
}

function flags(text: string): bigint | undefined {
  let value = 0n
  for (const letter of text) {
    const bit = FLAGS.indexOf(letter)
    if (bit < 0) return undefined
    value |= 1n << BigInt(bit)
  }
  return value
}

/** A value as text that `parseValue` reads as the same. */
export function formatValue(kind: ValueKind, value: bigint): string {
  switch (kind) {
    case 'mac':
      return formatMac(value)
    case 'ipv4':
      return formatIpv4(value)
    case 'ipv6':
      return formatIpv6(value)
    case 'hex':
    case 'ethertype':
    case 'igmptype':
      return `0x${value.toString(16)}`
    case 'flags':
      return Array.from(FLAGS, (letter, bit) => ((value >> BigInt(bit)) & 1n ? letter : '')).join('') || '0'
    default:
      return value.toString()
  }
}
