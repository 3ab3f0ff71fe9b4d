// Packets from text, for tests, tracing and examples: `eth / vlan(id=5) / ipv4(src=10.0.0.1) / tcp(dport=80, flags=S) / "payload"`.
// Fields are those of the field table; lengths, checksums and what-follows fields are filled in unless the text sets them.

import { Diagnostics, type Outcome, type Source, type Span, source, spanText } from '@netsieve/diag'
import { concat } from '../capture/bytes.ts'
import { ETHERTYPE } from '../protocols.ts'
import { writeBits } from '../read.ts'
import { type Draft, fill, finish } from './finish.ts'
import { FIELDS_OF, fieldOf, HEADERS, type Header } from './headers.ts'
import { hexBytes, type Layer, parseLayers, type Setting } from './parse.ts'
import { expectedValue, parseValue } from './values.ts'

/** A packet as a capture would hold it. `linkType` is a LINKTYPE_ number: 1 with an Ethernet header, 101 without. */
export interface BuiltPacket {
  readonly linkType: 1 | 101
  readonly data: Uint8Array
}

/** What stands where the next header would be named, if bytes or nothing follow: numbers for experiments (IEEE 802, RFC 3692). */
const EXPERIMENTAL = { ethertype: 0x88b5, ipProtocol: 253 }
const NO_NEXT_HEADER = 59

type Piece = { readonly draft: Draft; readonly span: Span } | { readonly bytes: Uint8Array; readonly span: Span }

/**
 * Builds a packet. It starts with `eth`, with `ipv4` or `ipv6` or `raw` (nothing: bytes of link type RAW follow), or with bytes, which are then a
 * whole Ethernet frame. The default type of an outer VLAN tag is 88a8, of the innermost 8100. With a fault in the text there is no value, and diagnostics say where. */
export function buildPacket(text: Source | string): Outcome<BuiltPacket> {
  const from = typeof text === 'string' ? source('<packet>', text) : text
  const diagnostics = new Diagnostics()
  const layers = parseLayers(from, diagnostics)
  if (diagnostics.hasErrors) return diagnostics.outcome<BuiltPacket>(undefined)
  const pieces = draftAll(layers, diagnostics)
  if (diagnostics.hasErrors) return diagnostics.outcome<BuiltPacket>(undefined)
  nameWhatFollows(pieces)
  const data = assemble(pieces, diagnostics)
  return diagnostics.outcome({ linkType: linkTypeOf(layers[0]), data })
}

/** Bytes alone are an Ethernet frame. */
function linkTypeOf(first: Layer | undefined): 1 | 101 {
  return first?.kind === 'header' && spanText(first.name) !== 'eth' ? 101 : 1
}

// ---- headers with their own fields ----

function draftAll(layers: readonly Layer[], diagnostics: Diagnostics): Piece[] {
  const pieces: Piece[] = []
  let before: Header | 'bytes' | undefined
  let ip: Draft | undefined
  for (const layer of layers) {
    if (layer.kind === 'bytes') {
      pieces.push({ bytes: layer.bytes, span: layer.span })
      // What a chunk holds ends with the next chunk.
      if (before === undefined || before === 'bytes' || before.place !== 'chunk') before = 'bytes'
      continue
    }
    const header = HEADERS.get(spanText(layer.name))
    if (!header) {
      const known = [...HEADERS.keys()]
      diagnostics.error('build/header', `no header is called ${spanText(layer.name)}`, layer.name, { expected: known })
      return pieces
    }
    const wrong = misplaced(header, before, ip?.header)
    if (wrong) diagnostics.error('build/order', wrong, layer.name)
    const draft = draftOf(header, layer.settings, ip, diagnostics)
    pieces.push({ draft, span: layer.name })
    if (isIp(header)) ip = draft
    before = header
  }
  return pieces
}

const STARTS = ['eth', 'ipv4', 'ipv6', 'raw']

const isIp = (header: Header) => header.name === 'ipv4' || header.name === 'ipv6'

/** Why a header cannot stand where it does; undefined if it can. */
function misplaced(header: Header, before: Header | 'bytes' | undefined, ip: Header | undefined): string | undefined {
  const { name } = header
  if (before === undefined)
    return STARTS.includes(name) ? undefined : `${name} cannot start a packet: ${STARTS.join(', ')} and bytes can`
  if (before === 'bytes') return `${name} cannot follow bytes`
  if (header.only && ip && header.only !== ip.name) return `${name} goes with ${header.only}, not with ${ip.name}`
  return fits(header, before) ? undefined : `${name} cannot follow ${before.name}`
}

function fits(header: Header, before: Header): boolean {
  const onLink = before.place === 'link' || before.place === 'tag'
  const inIp =
    isIp(before) || before.place === 'extension' || (before.place === 'option' && before.after![0] === 'ipv4')
  const carried = (what: 'link' | 'net') => before.carries?.includes(what) ?? false
  switch (header.place) {
    case 'nothing':
      return false
    case 'link':
      return carried('link')
    case 'tag':
      return onLink
    case 'net':
      return onLink || carried('net') || ((inIp || before.place === 'nothing') && isIp(header))
    case 'extension':
    case 'transport':
      return inIp
    default:
      return header.after?.includes(before.name) ?? false
  }
}

function draftOf(header: Header, settings: readonly Setting[], ip: Draft | undefined, diagnostics: Diagnostics): Draft {
  const options = optionBytes(header, settings, diagnostics)
  const bytes = new Uint8Array(header.bytes + options.length)
  bytes.set(options, header.bytes)
  const given = new Set<string>()
  const draft: Draft = { header, bytes, given, ...(ip && { ip }) }
  for (const [field, value] of Object.entries(header.defaults)) fill(draft, field, value)
  for (const { name, value } of settings) {
    const field = spanText(name)
    if (given.has(field)) diagnostics.error('build/field', `${field} is set twice`, name)
    given.add(field)
    if (field !== 'options' || !header.options) set(draft, field, name, value, diagnostics)
  }
  return draft
}

function set({ header, bytes }: Draft, field: string, name: Span, value: Span, diagnostics: Diagnostics): void {
  const fields = FIELDS_OF.get(header.name)
  const part = fields?.get(field)
  if (!part) {
    const known = [...(fields?.keys() ?? []), ...(header.options ? ['options'] : [])]
    diagnostics.error('build/field', `${header.name} has no field ${field}`, name, { expected: known })
    return
  }
  const number = parseValue(part.kind, spanText(value))
  if (number !== undefined && number >> BigInt(part.bits) === 0n) writeBits(bytes, part.bit, part.bits, number)
  else {
    const why = number === undefined ? 'is no value for' : `does not fit the ${part.bits} bits of`
    const expected = expectedValue(part.kind, part.bits)
    diagnostics.error('build/value', `${spanText(value)} ${why} ${header.name}.${field}`, value, { expected })
  }
}

/** The option bytes that the text gives, filled up with zeros (end of options) to a multiple of 4. */
function optionBytes(header: Header, settings: readonly Setting[], diagnostics: Diagnostics): Uint8Array {
  const setting = header.options ? settings.find(({ name }) => spanText(name) === 'options') : undefined
  if (!setting) return new Uint8Array(0)
  const bytes = hexBytes(spanText(setting.value))
  if (bytes && bytes.length <= header.options!) return concat([bytes, new Uint8Array(-bytes.length & 3)])
  const expected = [`0x and up to ${header.options} bytes as hex digits`]
  diagnostics.error('build/value', 'these are no options', setting.value, { expected })
  return new Uint8Array(0)
}

// ---- what depends on the other layers ----

function nameWhatFollows(pieces: readonly Piece[]): void {
  for (const [i, piece] of pieces.entries()) {
    if (!('draft' in piece)) continue
    const { draft } = piece
    const { header } = draft
    const next = pieces[i + 1]
    const nextHeader = next && 'draft' in next ? next.draft.header : undefined
    if (header.place === 'tag') fill(draft, 'tpid', nextHeader?.place === 'tag' ? ETHERTYPE.qinq : ETHERTYPE.vlan)
    else if (header.name === 'mpls') fill(draft, 'bos', nextHeader?.name === 'mpls' ? 0 : 1)
    if (header.name === 'udp' && nextHeader?.udpPort) fill(draft, 'dport', nextHeader.udpPort)
    const parts = pieces.slice(i + 1).findIndex((each) => !isAttached(each, header))
    const attached = pieces.slice(i + 1, parts < 0 ? undefined : i + 1 + parts)
    const flags = attached.reduce((sum, each) => sum | (('draft' in each && each.draft.header.flag) || 0), 0)
    if (flags !== 0) fill(draft, 'flags', flags)
    if (header.next) fill(draft, header.next, following(header, parts < 0 ? undefined : pieces[i + 1 + parts]))
  }
}

/** Layers that belong to a header: what it names comes behind them. */
function isAttached(piece: Piece, { name, place }: Header): boolean {
  if (!('draft' in piece)) return false
  const { header } = piece.draft
  return (
    (header.place === 'tag' && place === 'link') ||
    header.place === 'option' ||
    (header.flag !== undefined && header.after![0] === name)
  )
}

/** PPP's numbers of the network protocols (IANA). */
const PPP: Readonly<Record<string, number>> = { ipv4: 0x21, ipv6: 0x57 }

/** The number that names what follows a header. */
function following(header: Header, after: Piece | undefined): number {
  const next = after && 'draft' in after ? after.draft.header : undefined
  if (header.name === 'ppp') return PPP[next?.name ?? ''] ?? EXPERIMENTAL.ipProtocol
  const { kind } = fieldOf(header.name, header.next!)
  if (kind === 'ethertype') return next?.ethertype ?? EXPERIMENTAL.ethertype
  return next?.ipProtocol ?? (after || header.name === 'ipv4' ? EXPERIMENTAL.ipProtocol : NO_NEXT_HEADER)
}

/** From the last layer to the first: each header needs the bytes after it. */
function assemble(pieces: readonly Piece[], diagnostics: Diagnostics): Uint8Array {
  let data: Uint8Array = new Uint8Array(0)
  let tags: Uint8Array[] = []
  let options: Uint8Array[] = []
  let loose = 0 // bytes since the last header: what a chunk holds
  for (const [i, piece] of [...pieces.entries()].reverse()) {
    if (!('draft' in piece)) {
      data = concat([piece.bytes, data])
      loose += piece.bytes.length
      continue
    }
    const { place } = piece.draft.header
    if (place === 'tag') tags = [piece.draft.bytes, ...tags]
    else if (place === 'option') options = [piece.draft.bytes, ...options]
    else if (place === 'chunk') data = withChunk(piece.draft, data, loose)
    else {
      const draft = withOptions(piece.draft, options, piece.span, diagnostics)
      if (!draft || !finished(draft, piece.span, data, diagnostics)) return data
      const next = pieces[i + 1]
      if (place === 'link' && next && 'draft' in next && next.draft.header.name === 'llc')
        fill(draft, 'type', data.length)
      // Tags stand between the addresses and the type.
      const { bytes } = draft
      data = concat(tags.length ? [bytes.subarray(0, 12), ...tags, bytes.subarray(12), data] : [bytes, data])
      tags = []
      options = []
    }
    loose = 0
  }
  return data
}

/** A chunk before the bytes that it holds; another one behind them starts at a multiple of 4. */
function withChunk(draft: Draft, data: Uint8Array, held: number): Uint8Array {
  const length = draft.bytes.length + held
  fill(draft, 'length', length)
  const padding = new Uint8Array(data.length > held ? -length & 3 : 0)
  return concat([draft.bytes, data.subarray(0, held), padding, data.subarray(held)])
}

/** A header with the options that are layers of their own behind it. */
function withOptions(
  draft: Draft,
  options: readonly Uint8Array[],
  span: Span,
  diagnostics: Diagnostics,
): Draft | undefined {
  if (options.length === 0) return draft
  const all = concat(options)
  const bytes = concat([draft.bytes, all, new Uint8Array(-all.length & 3)])
  const most = draft.header.options!
  if (bytes.length <= draft.header.bytes + most) return { ...draft, bytes }
  diagnostics.error('build/options', `these options take ${all.length} bytes, a header has room for ${most}`, span)
  return undefined
}

function finished(draft: Draft, span: Span, payload: Uint8Array, diagnostics: Diagnostics): boolean {
  const length = draft.bytes.length + payload.length
  // Only the lengths of IP, UDP and UDP-Lite can overflow, all of them 16 bits; more is no packet anyhow.
  const { place, name } = draft.header
  if (length <= 0xffff + (name === 'ipv6' ? 40 : 0) || place === 'link' || place === 'nothing') {
    finish(draft, payload)
    return true
  }
  diagnostics.error('build/length', `${name} and what follows are ${length} bytes, more than a packet holds`, span)
  return false
}
