// Metadata as people write it: `iif=3`, `ct.state=new,related`, `{"mark": 7, "iifname": "eth0"}`.

import { isMetadata, METADATA, type Metadata, type MetadataField, type MetadataId } from './metadata.ts'
import { parseIpv4, parseIpv6, parseName } from './values.ts'

/** A field by its name; `meta.` in front may be left out. */
export function metadataId(name: string): MetadataId | undefined {
  if (isMetadata(name)) return name
  return isMetadata(`meta.${name}`) ? (`meta.${name}` as MetadataId) : undefined
}

/** A value from its text: a name, names of bits joined by commas, an address, a number (decimal or 0x…); undefined if it is none or too large. */
export function parseMetadata(field: MetadataId, text: string): bigint | undefined {
  const { kind, bits, names, bitNames }: MetadataField = METADATA[field]
  if (kind === 'ifname') return (names && named(names, text)) ?? parseName(text)
  if (kind === 'ipv4') return parseIpv4(text)
  if (kind === 'ipv6') return parseIpv6(text)
  if (names && bitNames && /^[a-z]/.test(text)) {
    const parts = text.split(',').map((part) => named(names, part))
    return parts.every((part) => part !== undefined) ? parts.reduce((sum, part) => sum | part, 0n) : undefined
  }
  const name = names && named(names, text)
  if (name !== undefined) return name
  if (!/^(?:\d{1,40}|0x[0-9a-f]{1,32})$/i.test(text)) return undefined
  const value = BigInt(text)
  return value >> BigInt(bits) === 0n ? value : undefined
}

function named(names: Readonly<Record<string, number>>, text: string): bigint | undefined {
  return Object.hasOwn(names, text) ? BigInt(names[text]!) : undefined
}

/** What is expected where a value is wrong. */
export function metadataExpected(field: MetadataId): readonly string[] {
  const { kind, bits, names }: MetadataField = METADATA[field]
  if (kind === 'ifname') return [...Object.keys(names ?? {}), 'a name of 1 to 15 characters']
  if (kind === 'ipv4') return ['an IPv4 address']
  if (kind === 'ipv6') return ['an IPv6 address']
  return [...Object.keys(names ?? {}), `a number of at most ${bits} bits`]
}

/**
 * One packet's metadata from a JSON object; null stands for "not known".
 * @returns what is wrong with it, as text, where it is no such object
 */
export function metadataFromJson(value: unknown): Metadata | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'an object such as {"iif": 3} is expected'
  const out: Partial<Record<MetadataId, bigint>> = {}
  for (const [key, given] of Object.entries(value)) {
    const field = metadataId(key)
    if (!field) return `there is no metadata field ${JSON.stringify(key)}`
    if (given === null) continue
    const text = textOf(given)
    const parsed = text === undefined ? undefined : parseMetadata(field, text)
    if (parsed === undefined)
      return `${JSON.stringify(given)} is no value of ${field}: expected ${metadataExpected(field).join(', ')}`
    out[field] = parsed
  }
  return out
}

function textOf(given: unknown): string | undefined {
  if (typeof given === 'string') return given
  if (typeof given === 'number') return Number.isSafeInteger(given) ? String(given) : undefined
  if (typeof given === 'boolean') return given ? '1' : '0'
  return Array.isArray(given) && given.every((each) => typeof each === 'string') ? given.join(',') : undefined
}
