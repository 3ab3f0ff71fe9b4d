// Packets as the text that builds them again: for traces, witnesses and messages. Shows what tells a packet from the one that the
// builder makes by itself; a field that the builder computes appears only where the packet has another value.

import { networkOf } from '../capture/link-types.ts'
import { ETHERTYPE } from '../protocols.ts'
import { readBits } from '../read.ts'
import { buildPacket } from './build.ts'
import { FIELDS_OF, HEADERS, type Header } from './headers.ts'
import { formatValue } from './values.ts'

/** Shown whatever they hold. */
const ALWAYS = new Set(
  'vlan.id arp.op arp.sip arp.tip ipv4.src ipv4.dst ipv6.src ipv6.dst tcp.sport tcp.dport tcp.flags udp.sport udp.dport udplite.sport udplite.dport sctp.sport sctp.dport dccp.sport dccp.dport icmp.type icmp6.type igmp.type igmp.group'.split(
    ' ',
  ),
)
/** Other names for bits that are shown by these. */
const ALIASES = new Set(
  'eth.length vlan.tci ipv4.dscp ipv4.ecn ipv4.frag ipv6.dscp ipv6.ecn tcp.ns tcp.cwr tcp.ece tcp.urg tcp.ackflag tcp.psh tcp.rst tcp.syn tcp.fin icmp.rest icmp.mtu icmp.gateway icmp.pointer icmp6.rest icmp6.mtu icmp6.pointer icmp6.maxdelay gre.version'.split(
    ' ',
  ),
)
/** Computed by the builder from other fields and bytes. */
const COMPUTED = /\.(tpid|type|ihl|length|checksum|protocol|plen|nexthdr|doff|coverage)$/
const ICMP_TYPE = /^(icmp6?|igmp|routing)\.type$/

interface Found {
  readonly header: Header
  readonly at: number
  /** With options. */
  readonly size: number
}

/**
 * The text of a packet: `buildPacket` makes the same bytes of it, and the same link type for Ethernet (1) and RAW (101). Of other
 * link types only what follows the link header is shown.
 */
export function printPacket(linkType: number, data: Uint8Array): string {
  if (linkType === 1) return printBytes(data, dissect(data, HEADERS.get('eth')!), '')
  const offset = networkOf(linkType, data)?.offset ?? 0
  const rest = data.subarray(offset)
  return printBytes(rest, dissect(rest, undefined), 'raw')
}

/** Tries with all the headers found, then with one less, until the text builds the packet. Without headers it always does. */
function printBytes(data: Uint8Array, found: readonly Found[], before: string): string {
  for (let count = found.length; count > 0; count--) {
    const text = printHeaders(data, found.slice(0, count))
    if (text !== undefined) return text
  }
  return [before, printPayload(data)].filter((layer) => layer !== '').join(' / ') || '0x'
}

/** The text with these headers and the rest as bytes, if it can be built. */
function printHeaders(data: Uint8Array, found: readonly Found[]): string | undefined {
  const shown = found.map(({ header, at }) => {
    const fields = [...fieldsOf(header)].filter(([field]) => isShown(header, field, data, at))
    return new Set(fields.map(([field]) => field))
  })
  // What the builder computes is shown where it comes out differently; checksums only then, as they hang on the rest.
  for (const round of ['lengths', 'checksums', 'nothing']) {
    const text = printAll(data, found, shown)
    const built = buildPacket(text).value?.data
    if (built && equal(built, data)) return text
    if (!built || built.length !== data.length) return undefined
    for (const [i, { header, at }] of found.entries())
      for (const [field, { bit, bits }] of fieldsOf(header))
        if (
          (field !== 'checksum' || round === 'checksums') &&
          readBits(built, at * 8 + bit, bits) !== readBits(data, at * 8 + bit, bits)
        )
          shown[i]!.add(field)
  }
  return undefined
}

function* fieldsOf(header: Header) {
  for (const [field, part] of FIELDS_OF.get(header.name)!) {
    if (!ALIASES.has(`${header.name}.${field}`)) yield [field, part] as const
  }
}

function isShown(header: Header, field: string, data: Uint8Array, at: number): boolean {
  const id = `${header.name}.${field}`
  if (ALWAYS.has(id)) return true
  if (COMPUTED.test(id) && !ICMP_TYPE.test(id)) return false
  const { bit, bits } = FIELDS_OF.get(header.name)!.get(field)!
  return readBits(data, at * 8 + bit, bits) !== (header.defaults[field] ?? 0n)
}

function printAll(data: Uint8Array, found: readonly Found[], shown: readonly ReadonlySet<string>[]): string {
  const layers = found.map((one, i) => printHeader(data, one, shown[i]!))
  const last = found.at(-1)!
  const rest = data.subarray(end(found, last))
  return [...layers, ...(rest.length ? [printPayload(rest)] : [])].join(' / ')
}

/** The type of Ethernet stands behind the tags, so its header ends where the next begins. */
function end(found: readonly Found[], last: Found): number {
  return last.at + last.size + (last.header.place === 'tag' && found[0]!.header.place === 'link' ? 2 : 0)
}

function printHeader(data: Uint8Array, { header, at, size }: Found, shown: ReadonlySet<string>): string {
  const settings = [...FIELDS_OF.get(header.name)!]
    .filter(([field]) => shown.has(field))
    .map(([field, { bit, bits, kind }]) => `${field}=${formatValue(kind, readBits(data, at * 8 + bit, bits)!)}`)
  if (size > header.bytes) settings.push(`options=${hex(data.subarray(at + header.bytes, at + size))}`)
  return settings.length ? `${header.name}(${settings.join(', ')})` : header.name
}

// ---- which headers there are ----

const BY_ETHERTYPE = new Map(
  [...HEADERS.values()].filter((row) => row.place === 'net').map((row) => [row.ethertype, row]),
)
const BY_PROTOCOL = new Map(
  [...HEADERS.values()].filter((row) => row.ipProtocol !== undefined && !row.form).map((row) => [row.ipProtocol, row]),
)
const TAGS: readonly number[] = [ETHERTYPE.vlan, ETHERTYPE.qinq, ETHERTYPE.qinqOld]

/** The headers at the beginning of a packet that are whole, as far as each says what follows. */
function dissect(data: Uint8Array, first: Header | undefined): Found[] {
  const found: Found[] = []
  let at = 0
  const type = (): number | undefined => Number(readBits(data, at * 8, 16) ?? -1n)
  let next: Header | undefined
  if (first) {
    if (data.length < 14) return []
    found.push({ header: first, at: 0, size: 14 })
    const tag = HEADERS.get('vlan')!
    for (at = 12; TAGS.includes(type() ?? -1) && data.length >= at + 6; at += 4)
      found.push({ header: tag, at, size: 4 })
    next = BY_ETHERTYPE.get(type())
    at += 2
  } else next = HEADERS.get({ 4: 'ipv4', 6: 'ipv6' }[(data[0] ?? 0) >> 4] ?? '')
  let ip: Header | undefined
  while (next && (!next.only || !ip || next.only === ip.name)) {
    const size = sizeOf(next, data, at)
    if (size === undefined) break
    found.push({ header: next, at, size })
    if (next.name === 'ipv4' || next.name === 'ipv6') ip = next
    next = following(next, data, at)
    at += size
  }
  return found
}

/** The bytes of a header with its options; undefined if they are not all there, or are of another form than the builder's. */
function sizeOf(header: Header, data: Uint8Array, at: number): number | undefined {
  if (data.length < at + header.bytes) return undefined
  const words = header.name === 'ipv4' ? data[at]! & 15 : header.name === 'tcp' ? data[at + 12]! >> 4 : 0
  const size = Math.max(header.bytes, words * 4)
  if (header.place === 'extension' && data[at + 1] !== (header.name === 'ah' ? 1 : 0)) return undefined
  return data.length < at + size ? undefined : size
}

function following(header: Header, data: Uint8Array, at: number): Header | undefined {
  const isLater =
    (header.name === 'ipv4' && readBits(data, at * 8 + 51, 13) !== 0n) ||
    (header.name === 'fragment' && readBits(data, at * 8 + 16, 13) !== 0n)
  if (!header.next || isLater) return undefined
  const { bit, bits, kind } = FIELDS_OF.get(header.name)!.get(header.next)!
  if (kind !== 'ipproto') return undefined
  return BY_PROTOCOL.get(Number(readBits(data, at * 8 + bit, bits)))
}

// ---- bytes ----

function printPayload(bytes: Uint8Array): string {
  if (bytes.length === 0) return ''
  if (bytes.length > 8 && bytes.length <= 65_535 && bytes.every((byte) => byte === 0)) return `zeros(${bytes.length})`
  if (bytes.length > 1 && bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || [9, 10, 13].includes(byte)))
    return quoted(bytes)
  return hex(bytes)
}

function quoted(bytes: Uint8Array): string {
  const escapes: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' }
  return `"${Array.from(bytes, (byte) => escapes[byte] ?? String.fromCharCode(byte)).join('')}"`
}

function hex(bytes: Uint8Array): string {
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
